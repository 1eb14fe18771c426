"""Migrations: Alembic over asyncpg, once, however many processes start at once.

A migration is a file in `migrations/versions` that runs lists of SQL statements with `run`. Each
is one transaction. They run as the connecting role, which owns what they make.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tandem.db.errors import DatabaseNewer, DatabaseOccupied
from tandem.db.locate import describe
from tandem.db.rights import check_may_make, prepare, settle, settled
from tandem.db.trouble import reason_of, refusals, told_by

Progress: TypeAlias = Callable[[str], None]

_LOCK_KEY: Final = 0x74616E64656D
"""The advisory lock of whoever migrates: "tandem" in ASCII."""
_LOOK_EVERY_S: Final = 0.1
_REPORT_EVERY_S: Final = 3.0
_FOLDER: Final = Path(__file__).with_name("migrations")


def run(op: Operations | Any, statements: tuple[str, ...]) -> None:  # noqa: ANN401 - alembic.op is a module that stands for an Operations
    """Run SQL statements, one after another, exactly as they are written.

    For the `upgrade` of a migration: `run(op, LEDGER)`. No character in them means anything but
    SQL (neither `:name` nor `%`), and each is one statement.
    """
    connection: Connection = op.get_bind()
    for statement in statements:
        connection.exec_driver_sql(statement)


async def current(dsn: str) -> str | None:
    """The revision of the database's schema, None if it has none yet."""
    async with _connect(dsn) as connection:
        return await connection.run_sync(_current)


async def pending(dsn: str) -> tuple[str, ...]:
    """The revisions that `upgrade` would apply, in order. Raises `DatabaseNewer`."""
    async with _connect(dsn) as connection:
        return await connection.run_sync(_pending)


async def upgrade(
    dsn: str, progress: Progress | None = None, *, role: str | None = None
) -> tuple[str, ...]:
    """Bring the schema up to date. Returns the revisions that this call applied, in order.

    Then the application has its rights (tandem.db.rights): as `role`, or as the one that it works
    as already, or as one that is made for it. Of several calls at once one acts while the others
    wait for its advisory lock, which lives as long as its session: if that process dies, the next
    goes on. Raises a `DatabaseUnavailable`.
    """
    tell: Progress = progress or (lambda _: None)
    where = describe(dsn)
    with refusals(where):
        async with _connect(dsn) as connection:
            await _take_lock(connection, tell)
            todo = await connection.run_sync(_pending)
            session = await asyncpg.connect(dsn)
            try:
                await _apply(connection, session, todo, where, tell, role)
            finally:
                await session.close()
            return todo


async def _apply(
    connection: AsyncConnection,
    session: "asyncpg.Connection[asyncpg.Record]",
    todo: tuple[str, ...],
    where: str,
    tell: Progress,
    role: str | None,
) -> None:
    if not todo and await settled(session, role):
        return
    if todo:
        await check_may_make(session, where)
    ours = await prepare(session, role)  # first: without it there would be tables for nobody
    if todo:
        with _occupied(where):
            await connection.run_sync(_upgrade, tell)
    await settle(session, ours)


@contextmanager
def _occupied(where: str) -> Iterator[None]:
    """What is in the way of a migration is not ours. Raises `DatabaseOccupied`."""
    try:
        yield
    except DBAPIError as error:
        told = told_by(error)
        if isinstance(told, (asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError)):
            raise DatabaseOccupied(where, reason_of(told)) from error
        raise


@asynccontextmanager
async def _connect(dsn: str) -> AsyncIterator[AsyncConnection]:
    # asyncpg reads the URL, as it does for the pool: one reader, one meaning.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(dsn, statement_cache_size=0),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _take_lock(connection: AsyncConnection, tell: Progress) -> None:
    """Take the session's advisory lock; closing the session gives it back.

    It asks again and again instead of waiting inside a statement: a waiting statement holds a
    snapshot, on which a CREATE INDEX CONCURRENTLY of the other would wait in turn.
    """
    loop = asyncio.get_running_loop()
    began = reported = loop.time()
    while True:
        taken = await connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK_KEY})")
        got_it = bool(taken.scalar_one())
        await connection.commit()
        if got_it:
            return
        now = loop.time()
        if now - reported >= _REPORT_EVERY_S:
            reported = now
            tell(f"Another process is migrating the database; waiting ({now - began:.0f} s)")
        await asyncio.sleep(_LOOK_EVERY_S)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _current(connection: Connection) -> str | None:
    heads = MigrationContext.configure(connection).get_current_heads()
    connection.rollback()  # reading opened a transaction
    return heads[0] if heads else None


def _pending(connection: Connection) -> tuple[str, ...]:
    found = _current(connection)
    scripts = ScriptDirectory.from_config(_config())
    known = [script.revision for script in scripts.walk_revisions()]  # the newest first
    if found is not None and found not in known:
        raise DatabaseNewer(found)
    newer = known if found is None else known[: known.index(found)]
    return tuple(reversed(newer))


def _upgrade(connection: Connection, tell: Progress) -> None:
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["tell"] = tell
    command.upgrade(config, "head")
