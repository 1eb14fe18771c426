"""Alembic's entry: runs the migrations over the connection that `tandem.db.migrate` hands it."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script


def _applied(
    ctx: MigrationContext,  # noqa: ARG001 - Alembic's callback, called by keyword
    step: MigrationInfo,
    heads: Collection[Any],  # noqa: ARG001 - as above
    run_args: Mapping[str, Any],  # noqa: ARG001 - as above
) -> None:
    script = step.up_revision
    if isinstance(script, Script):
        context.config.attributes["tell"](f"Applied migration {script.revision}: {script.doc}")


def _run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        transaction_per_migration=True,
        on_version_apply=_applied,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
