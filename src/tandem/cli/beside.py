"""The database for short commands: the one that `tandem up` serves from, or one for a moment."""

import getpass
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg

from tandem.app import Services, open_services
from tandem.cli.errors import SchemaOld
from tandem.cli.run import Progress, typed, waiting
from tandem.db.audit import Act, Actor, acting
from tandem.db.locate import application_role, default_data_folder, open_database
from tandem.db.schema import up_to_date
from tandem.keyring import keyring_name
from tandem.ledger import OPERATOR_ID
from tandem.serve import open_keys
from tandem.settings import Mode, Settings, check_names, read_settings


@asynccontextmanager
async def named_database(
    progress: Progress, env: Mapping[str, str] = os.environ
) -> AsyncIterator[str]:
    """The URL of the database that the environment names. Raises a `DatabaseUnavailable`."""
    check_names(env)
    async with open_database(env, progress=progress, share=True) as dsn:
        yield dsn


@asynccontextmanager
async def database(env: Mapping[str, str] | None = None) -> AsyncIterator[str]:
    """The URL of a migrated database. Raises a `DatabaseUnavailable`, `SchemaOld`."""
    with waiting("Opening the database") as progress:
        given = env or os.environ
        role = application_role(given)
        async with named_database(progress, given) as dsn:
            if not await up_to_date(dsn, role):
                await _migrate_new(dsn, progress, role)
            progress("")
            yield dsn


async def _migrate_new(dsn: str, progress: Progress, role: str | None) -> None:
    """Make the schema of an empty database, or give the application its rights in one.

    Raises `SchemaOld`, `DatabaseNewer` for a schema of another Tandem.
    """
    from tandem.db.migrate import current, pending, upgrade  # noqa: PLC0415 - slow to load, and seldom needed

    todo = await pending(dsn)
    if todo and await current(dsn) is not None:
        raise SchemaOld(len(todo))
    await upgrade(dsn, progress, role=role)


@asynccontextmanager
async def services() -> AsyncIterator[Services]:
    """All use cases, on the database, without what runs in the background.

    The mode is the installation's own, whatever TANDEM_MODE says: only its first start chooses.
    """
    settings = read_settings(os.environ)
    async with database() as dsn:
        keyring = await open_keys(dsn, keyring_name(os.environ, default_data_folder(os.environ)))
        settings = replace(settings, mode=await _mode(dsn, settings))
        async with open_services(dsn, settings, keyring, background=False) as opened:
            with acting(_act(opened)):
                yield opened


def account_name() -> str:
    """The machine's account that typed the command; by its number if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _act(opened: Services) -> Act:
    """What the audit log is to have of a command: whoever may use this account typed it."""
    return Act(
        Actor("operator", OPERATOR_ID, "command", OPERATOR_ID, account_name()),
        typed.get(),
        request_id=f"pid-{os.getpid()}",
        client="",
        new_id=opened.ids.new,
        now=opened.clock.now,
    )


async def _mode(dsn: str, settings: Settings) -> Mode:
    connection = await asyncpg.connect(dsn)
    try:
        noted: Mode | None = await connection.fetchval("SELECT mode FROM installation")
    finally:
        await connection.close()
    return noted or settings.mode
