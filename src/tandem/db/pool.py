"""Connections: a pool for reads and units of work, a single one for each journal."""

from typing import Any, TypeAlias

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


async def open_pool(dsn: str, *, size: int = 10) -> Pool:
    """A pool of at most `size` connections that work as the application's role.

    Raises `RightsMissing`.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        connection_class=_PooledConnection,
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


async def speak_rows(connection: Connection) -> None:
    """Let the driver take arrays of rows as they were packed (`tandem.db.table`): as bytes."""
    for (name,) in await connection.fetch(
        "SELECT typname FROM pg_type WHERE typtype = 'd' AND "
        "typnamespace = current_schema()::regnamespace AND typname ~ '_(rows|changes)$'"
    ):
        await connection.set_builtin_type_codec(name, codec_name="bytea", format="binary")


def sqlstate(error: BaseException) -> str | None:
    """The five-character SQLSTATE of a PostgreSQL error, if it is one."""
    state: Any = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None
