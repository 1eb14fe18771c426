"""What each process says of itself, so that any of them can tell how all are.

Every few seconds a process writes a row: its journal, its links, its clock against the database's,
the room that its disk has. A process that ends well takes its row away; one that died leaves it,
and falls silent.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection, Pool, work
from tandem.kernel import Clock
from tandem.ledger import JournalState

BEAT_SECONDS: Final = 5.0
KEPT_HOURS: Final = 24
"""For how long one that fell silent is still told of."""


class LinkState(msgspec.Struct, frozen=True):
    """A link that speaks ISO 8583: a shop's terminals, or an issuer."""

    name: Annotated[str, Meta(examples=["east-gate"])]
    side: Annotated[str, Meta(description="`terminals` or `issuer`", examples=["terminals"])]
    connections: Annotated[int, Meta(description="How many are up", examples=[1])]


class DiskState(msgspec.Struct, frozen=True):
    """The file system of the data folder. Bytes."""

    free: Annotated[int, Meta(examples=[81_234_567_168])]
    total: Annotated[int, Meta(examples=[107_374_182_400])]


class State(msgspec.Struct, frozen=True):
    """What a process says of itself."""

    journal: JournalState
    links: list[LinkState]
    disk: DiskState | None


class Process(msgspec.Struct, frozen=True):
    """A row of `processes`."""

    id: UUID
    host: str
    pid: int
    version: str
    state: State
    clock_ahead_ms: int
    started_at: datetime
    silent_seconds: int


def disk_of(folder: Path | None) -> DiskState | None:
    """The room on the file system of a folder, for who is not root; None if nobody can tell."""
    if folder is None:
        return None
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return DiskState(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class Vitals:
    """Writes the row of this process. `look` says how it is; `clock` is the machine's own."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        process_id: UUID,
        version: str,
        look: Callable[[], State],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._id = process_id
        self._version = version
        self._look = look

    async def run(self) -> None:
        """Write it until cancelled; then take it away."""
        try:
            while True:
                await self.beat()
                await asyncio.sleep(BEAT_SECONDS)
        except asyncio.CancelledError:
            async with asyncio.timeout(1), work(self._pool, changes=False) as connection:
                await connection.execute("DELETE FROM processes WHERE id = $1", self._id)
            raise

    async def beat(self) -> None:
        """Write it once, and forget those that are silent for long."""
        state = msgspec.json.encode(self._look()).decode()
        async with work(self._pool, changes=False) as connection:
            before = self._clock.now()
            there: datetime = await connection.fetchval("SELECT clock_timestamp()")
            here = before + (self._clock.now() - before) / 2
            await connection.execute(
                "INSERT INTO processes "
                "(id, host, pid, version, state, clock_ahead_ms, started_at, seen_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, now(), now()) ON CONFLICT (id) "
                "DO UPDATE SET state = $5, clock_ahead_ms = $6, seen_at = now()",
                self._id,
                os.uname().nodename,
                os.getpid(),
                self._version,
                state,
                round((here - there).total_seconds() * 1000),
            )
            await connection.execute(
                "DELETE FROM processes WHERE seen_at < now() - $1 * interval '1 hour'", KEPT_HOURS
            )


async def processes(connection: Connection) -> list[Process]:
    """All of the installation, the oldest first."""
    rows = await connection.fetch(
        "SELECT id, host, pid, version, state::text, clock_ahead_ms, started_at, "
        "extract(epoch FROM clock_timestamp() - seen_at)::integer FROM processes ORDER BY id"
    )
    return [
        Process(row[0], row[1], row[2], row[3], msgspec.json.decode(row[4], type=State), *row[5:])
        for row in rows
    ]
