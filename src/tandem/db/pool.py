"""Connections: a pool for reads and units of work, a single one for each journal."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

import asyncpg

from tandem.db.rights import work_as_application

# asyncpg's classes are generic to the type checker only, so the names are strings.
Record = asyncpg.Record
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)


class _PooledConnection(asyncpg.Connection):
    """A connection that is given back to the pool as it is: one round trip less for each use.

    Nothing here leaves state in a session: no cursor, no LISTEN, no session-level lock, no SET but
    the one that begins it; a transaction ends with its block.
    """

    def get_reset_query(self) -> str:
        """Nothing to undo."""
        return ""


_SNAPSHOT: Final["ContextVar[Connection | None]"] = ContextVar("snapshot", default=None)


class _Lent:
    """A connection that is borrowed and not given back: whoever opened the snapshot does that."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> Connection:
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        return None


class _Pool(asyncpg.Pool):
    """A pool whose reads can be made to come from one snapshot (`reading_from`)."""

    def acquire(self, *, timeout: float | None = None) -> Any:  # noqa: ANN401 - as asyncpg has it
        """A connection, or the snapshot's."""
        snapshot = _SNAPSHOT.get()
        return super().acquire(timeout=timeout) if snapshot is None else _Lent(snapshot)


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on which everything is as it was at its first statement. It can only read."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


@contextmanager
def reading_from(connection: Connection) -> Iterator[None]:
    """Let what is read inside come from this connection, whoever asks the pool for one."""
    token = _SNAPSHOT.set(connection)
    try:
        yield
    finally:
        _SNAPSHOT.reset(token)


async def open_pool(dsn: str, *, size: int = 10) -> Pool:
    """A pool of at most `size` connections that work as the application's role.

    Raises `RightsMissing`.
    """
    return await _Pool(
        dsn,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connection_class=_PooledConnection,
        record_class=asyncpg.Record,
        loop=None,
        setup=None,
        reset=None,
        connect=None,
        init=work_as_application,
        command_timeout=60,
        server_settings={
            "application_name": "tandem",
            # A plan made while a table was empty must not stay when it has grown.
            "plan_cache_mode": "force_custom_plan",
        },
    )


async def open_journal_connection(dsn: str) -> Connection:
    """The one connection that a journal commits through.

    Every statement of a journal looks rows up by key. A generic plan without sequential scans and
    hash joins says so: it is planned once and stays right while a table grows from nothing.
    Raises `RightsMissing`.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        dsn,
        command_timeout=60,
        statement_cache_size=500,
        max_cacheable_statement_size=64 * 1024,
        server_settings={
            "application_name": "tandem journal",
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "jit": "off",
            # A peer that is gone must not keep its locks for hours.
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        },
    )
    try:
        await work_as_application(connection)
        await speak_rows(connection)
        # A session that is idle at night must be there in the morning.
        await connection.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN "
            "('idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')"
        )
    except BaseException:
        connection.terminate()
        raise
    return connection


async def open_reader(dsn: str) -> Connection:
    """A connection for something that reads for long, as the application's role.

    Raises `RightsMissing`.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        dsn, server_settings={"application_name": "tandem reader"}
    )
    try:
        await work_as_application(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def speak_rows(connection: Connection) -> None:
    """Let the driver take arrays of rows as they were packed (`tandem.db.table`): as bytes."""
    for name, schema in await connection.fetch(
        "SELECT typname, nspname FROM pg_type JOIN pg_namespace AS n ON n.oid = typnamespace "
        "WHERE typtype = 'd' AND nspname = current_schema() AND typname ~ '_(rows|changes)$'"
    ):
        await connection.set_builtin_type_codec(
            name, schema=schema, codec_name="bytea", format="binary"
        )


def beginning(text: str) -> str:
    """A pattern of LIKE for what begins with a text: an index over `text_pattern_ops` finds it."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"{text}%"


def sqlstate(error: BaseException) -> str | None:
    """The five-character SQLSTATE of a PostgreSQL error, if it is one."""
    state: Any = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None
