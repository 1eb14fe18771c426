"""Looks at the installation: its database, its processes, what waits, the books."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection, Pool
from tandem.health.model import (
    DatabaseView,
    FindingView,
    JobView,
    Known,
    LastVerification,
    ReplicaView,
    judge,
)
from tandem.health.vitals import Process, State, processes
from tandem.kernel import Clock, show_id
from tandem.timers import LOCK

Verdict = Literal["well", "attention", "bad"]


class ProcessView(msgspec.Struct, frozen=True):
    """A process of the installation, as it last said of itself."""

    id: Annotated[str, Meta(examples=["prc_0199f0a4c0de70008000000000000042"])]
    host: Annotated[str, Meta(examples=["pay-1"])]
    pid: Annotated[int, Meta(examples=[4711])]
    version: Annotated[str, Meta(examples=["0.1.0"])]
    state: State
    clock_ahead_ms: Annotated[
        int, Meta(description="How far its clock is ahead of the database's", examples=[1])
    ]
    silent_seconds: Annotated[int, Meta(description="How long ago it said so", examples=[2])]
    started_at: datetime


class HealthView(msgspec.Struct, frozen=True):
    """How the installation is."""

    status: Annotated[
        Verdict, Meta(description="The worst of the findings; `well` without", examples=["well"])
    ]
    findings: Annotated[list[FindingView], Meta(description="What wants attention, worst first")]
    now: Annotated[datetime, Meta(description="The time that it goes by")]
    version: Annotated[str, Meta(examples=["0.1.0"])]
    mode: Annotated[str, Meta(examples=["production"])]
    database: DatabaseView
    processes: list[ProcessView]
    jobs: list[JobView]
    verification: LastVerification | None


class Health:
    """Tells how the installation is. Nothing here locks or writes."""

    def __init__(self, pool: Pool, clock: Clock, version: str, mode: str) -> None:
        self._pool = pool
        self._clock = clock
        self._version = version
        self._mode = mode

    async def look(self) -> HealthView:
        """How it is now."""
        now = self._clock.now()
        async with self._pool.acquire() as connection:
            known = Known(
                now,
                await _database(connection),
                await processes(connection),
                await jobs(connection, now),
                await connection.fetchval(_TIMERS, LOCK >> 32, LOCK & 0xFFFFFFFF),
                await _verified(connection),
            )
        findings = judge(known)
        return HealthView(
            "well" if not findings else findings[0].level,
            findings,
            now,
            self._version,
            self._mode,
            known.database,
            [_view(one) for one in known.processes],
            list(known.jobs),
            known.verification,
        )

    async def jobs(self) -> list[JobView]:
        """What waits, by kind."""
        async with self._pool.acquire() as connection:
            return await jobs(connection, self._clock.now())


_TIMERS: Final = """
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint = $1 AND objid::bigint = $2 AND objsubid = 1
    )
"""
"""Whether somebody has the advisory lock of the timers (a bigint is two halves in pg_locks)."""

_DATABASE: Final = """
    SELECT current_setting('server_version'),
        (SELECT version_num FROM alembic_version),
        pg_database_size(current_database()),
        (SELECT sum(numbackends)::integer FROM pg_stat_database),
        current_setting('max_connections')::integer,
        (SELECT extract(epoch FROM max(clock_timestamp() - xact_start))::integer
            FROM pg_stat_activity WHERE datname = current_database()
            AND pid <> pg_backend_pid())
"""
_REPLICAS: Final = """
    SELECT coalesce(application_name, '?'), state, extract(epoch FROM replay_lag)::float8
    FROM pg_stat_replication ORDER BY 1
"""

_JOBS: Final = """
    SELECT 'payments_to_expire', count(*), count(*) FILTER (WHERE expires_at <= $1),
        min(expires_at), 0, 0 FROM payments WHERE expires_at IS NOT NULL
    UNION ALL
    SELECT 'requests_to_expire', count(*), count(*) FILTER (WHERE expires_at <= $1),
        min(expires_at), 0, 0 FROM money_requests WHERE expires_at IS NOT NULL
    UNION ALL
    SELECT 'packets_to_return', count(*), count(*) FILTER (WHERE expires_at <= $1),
        min(expires_at), 0, 0 FROM packets WHERE status = 'open'
    UNION ALL
    SELECT 'reservations_to_release', count(*), count(*) FILTER (WHERE expires_at <= $1),
        min(expires_at), 0, 0 FROM reservations WHERE expires_at IS NOT NULL
    UNION ALL
    SELECT 'webhook_deliveries', count(*), count(*) FILTER (WHERE next_attempt_at <= $1),
        min(next_attempt_at), count(*) FILTER (WHERE attempts > 0),
        (SELECT count(*) FROM webhook_deliveries WHERE status = 'failed')
    FROM webhook_deliveries WHERE status = 'pending'
    UNION ALL
    SELECT 'issuer_messages', count(*), count(*) FILTER (WHERE next_at <= $1),
        min(next_at), count(*) FILTER (WHERE attempts > 0),
        (SELECT count(*) FROM issuer_advices WHERE status = 'refused')
    FROM issuer_advices WHERE status = 'due'
"""


async def jobs(connection: Connection, now: datetime) -> list[JobView]:
    """What waits for its time or for another try, by kind."""
    rows = await connection.fetch(_JOBS, now)
    return [
        JobView(kind, waiting, due, _late(first, now), tried, failed)
        for kind, waiting, due, first, tried, failed in rows
    ]


def _late(first: datetime | None, now: datetime) -> int:
    return 0 if first is None else max(0, int((now - first).total_seconds()))


async def _database(connection: Connection) -> DatabaseView:
    row = await connection.fetchrow(_DATABASE)
    assert row is not None, "it is one row"
    version, schema, size, connections, most, longest = row
    replicas = [ReplicaView(*one) for one in await connection.fetch(_REPLICAS)]
    return DatabaseView(
        version.partition(" ")[0], schema, size, connections, most, longest, replicas
    )


async def _verified(connection: Connection) -> LastVerification | None:
    row = await connection.fetchrow(
        "SELECT id, status, ended_at FROM verifications WHERE status IN ('right', 'differs') "
        "ORDER BY id DESC LIMIT 1"
    )
    if row is None:
        return None
    verification_id: UUID = row[0]
    return LastVerification(show_id("ver", verification_id), row[1], row[2])


def _view(one: Process) -> ProcessView:
    return ProcessView(
        show_id("prc", one.id),
        one.host,
        one.pid,
        one.version,
        one.state,
        one.clock_ahead_ms,
        one.silent_seconds,
        one.started_at,
    )
