"""Verifications of the books, as jobs: begun by somebody, stopped if need be, kept.

One runs at a time in an installation, on a connection of its own, in the process that was asked for
it. It reads one snapshot and locks nothing, so payments go on beside it. Whoever asks any process
learns how far it is and can stop it: both stand in its row.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

import msgspec
import structlog
from msgspec import Meta

from tandem.db import Connection, Pool, work
from tandem.db.audit import about
from tandem.kernel import Clock, Ids, NotFound, Refused, show_id
from tandem.ledger.reports import CHECKS, Difference, verify

log = structlog.get_logger(__name__)

Status = Literal["running", "right", "differs", "stopped", "broken_off"]

LOOK_SECONDS: Final = 0.5
"""How often one that runs says how far it is, and looks whether it is to stop."""
SILENT_SECONDS: Final = 60
"""After which silence its process is gone."""
_VERIFICATION: Final = (
    "SELECT id, actor, actor_name, status, checks, checks_done, accounts, transfers, "
    "differences::text, started_at, ended_at FROM verifications"
)


class Verification(msgspec.Struct, frozen=True):
    """A row of `verifications`. `actor` is the shown id of who began it, or `command`."""

    id: UUID
    actor: str
    actor_name: str
    status: Status
    checks: int
    checks_done: int
    accounts: int | None
    transfers: int | None
    differences: str
    started_at: datetime
    ended_at: datetime | None


class DifferenceView(msgspec.Struct, frozen=True):
    """Something that a verification found."""

    kind: Annotated[str, Meta(description="What differs", examples=["account totals"])]
    id: Annotated[
        str,
        Meta(
            description="Of which account or transfer",
            examples=["acc_0199f0a4c0de70008000000000002702"],
        ),
    ]
    stands: Annotated[str, Meta(description="What stands there", examples=["debits 3800+0"])]
    should: Annotated[str, Meta(description="What should", examples=["debits 3801+0"])]


class VerificationView(msgspec.Struct, frozen=True):
    """A verification of the books."""

    id: Annotated[str, Meta(examples=["ver_0199f0a4c0de70008000000000000041"])]
    actor: Annotated[
        str,
        Meta(
            description="Who began it; `command` for `tandem ledger verify`",
            examples=["stf_0199f0a4c0de70008000000000000033"],
        ),
    ]
    actor_name: Annotated[str, Meta(examples=["Xu"])]
    status: Annotated[
        Status,
        Meta(
            description="`right`: nothing differs. `broken_off`: its process ended before it did",
            examples=["right"],
        ),
    ]
    checks: Annotated[int, Meta(description="How many checks there are", examples=[6])]
    checks_done: Annotated[int, Meta(description="How many are done", examples=[6])]
    accounts: Annotated[int | None, Meta(description="How many it read", examples=[12])]
    transfers: Annotated[int | None, Meta(description="How many it read", examples=[4711])]
    differences: Annotated[
        list[DifferenceView], Meta(description="At most 100 of each kind", examples=[[]])
    ]
    started_at: datetime
    ended_at: datetime | None


@dataclass(eq=False)
class VerificationRuns(Refused):
    """There is one already."""

    code: ClassVar[str] = "verification_runs"
    verification_id: str

    def sentence(self) -> str:
        """Say what to do."""
        return "A verification runs already. Wait for it, or stop it first."


class Verifications:
    """Begins, follows, stops and lists verifications.

    `connect` opens a connection that is used for nothing else. Use it as a context: what runs at
    its end is broken off.
    """

    def __init__(
        self, pool: Pool, clock: Clock, ids: Ids, connect: Callable[[], Awaitable[Connection]]
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._connect = connect
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as the process serves."""
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self, actor: str, actor_name: str) -> Verification:
        """Begin one. Raises `VerificationRuns`."""
        verification_id, now = self._ids.new(), self._clock.now()
        async with work(self._pool) as connection:
            await _bury(connection, now)
            made = await connection.fetchval(
                "INSERT INTO verifications (id, actor, actor_name, status, checks, checks_done, "
                "differences, stop_asked, started_at, seen_at) "
                "VALUES ($1, $2, $3, 'running', $4, 0, '[]', false, $5, now()) "
                "ON CONFLICT (status) WHERE status = 'running' DO NOTHING RETURNING id",
                verification_id,
                actor,
                actor_name,
                len(CHECKS),
                now,
            )
            if made is None:
                running = await connection.fetchval(
                    "SELECT id FROM verifications WHERE status = 'running'"
                )
                raise VerificationRuns(show_id("ver", running or verification_id))
            about(show_id("ver", verification_id))
        task = asyncio.create_task(self._run(verification_id), name="verification")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await self.get(verification_id)

    async def stop(self, verification_id: UUID) -> Verification:
        """Have it stop, in whichever process it runs; harmless when it is over.

        Raises `NotFound`.
        """
        async with work(self._pool) as connection:
            await connection.execute(
                "UPDATE verifications SET stop_asked = true WHERE id = $1 AND status = 'running'",
                verification_id,
            )
        return await self.get(verification_id)

    async def get(self, verification_id: UUID) -> Verification:
        """One. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(f"{_VERIFICATION} WHERE id = $1", verification_id)
        if row is None:
            raise NotFound("verification", show_id("ver", verification_id))
        return Verification(*row)

    async def list(self, before: UUID | None, limit: int) -> "Sequence[Verification]":
        """All that were begun, newest first."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                f"{_VERIFICATION} WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
                before,
                limit,
            )
        return [Verification(*row) for row in rows]

    async def _run(self, verification_id: UUID) -> None:
        """Verify, and write what came of it, whatever that is."""
        try:
            connection = await self._connect()
            try:
                await self._verify(connection, verification_id)
            finally:
                connection.terminate()
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):
                    await self._end(verification_id, "broken_off")
            raise
        except Exception:
            log.exception("a verification failed")
            with contextlib.suppress(Exception):  # its row is found silent later
                await self._end(verification_id, "broken_off")

    async def _verify(self, connection: Connection, verification_id: UUID) -> None:
        ready = 0

        def tell(done: int, _all: int) -> None:
            nonlocal ready
            ready = done

        # One core of the database at most: the others are the payments'.
        await connection.execute("SET max_parallel_workers_per_gather = 0")
        checking = asyncio.create_task(verify(connection, tell), name="checks")
        try:
            while not checking.done():
                await asyncio.wait([checking], timeout=LOOK_SECONDS)
                if await self._asked_to_stop(verification_id, ready) and not checking.done():
                    await self._end(verification_id, "stopped")
                    return
        finally:
            checking.cancel()
            await asyncio.wait([checking])
        found, accounts, transfers = checking.result()
        await self._end(
            verification_id,
            "differs" if found else "right",
            accounts=accounts,
            transfers=transfers,
            found=found,
        )

    async def _asked_to_stop(self, verification_id: UUID, ready: int) -> bool:
        """Say how far it is, and whether it is to stop."""
        async with work(self._pool, changes=False) as connection:
            asked: bool | None = await connection.fetchval(
                "UPDATE verifications SET checks_done = $2, seen_at = now() "
                "WHERE id = $1 AND status = 'running' RETURNING stop_asked",
                verification_id,
                ready,
            )
        return asked is not False

    async def _end(
        self,
        verification_id: UUID,
        status: Status,
        *,
        accounts: int | None = None,
        transfers: int | None = None,
        found: Sequence[Difference] = (),
    ) -> None:
        async with work(self._pool, changes=False) as connection:
            await connection.execute(
                "UPDATE verifications SET status = $2, accounts = $3, transfers = $4, "
                "differences = $5, ended_at = $6, seen_at = now(), "
                "checks_done = CASE WHEN $2 IN ('right', 'differs') THEN checks ELSE checks_done "
                "END WHERE id = $1 AND status = 'running'",
                verification_id,
                status,
                accounts,
                transfers,
                shown_differences(found),
                self._clock.now(),
            )


async def keep_verification(
    connection: Connection,
    row: Verification,
) -> None:
    """Keep what a verification came to that was run outside: by the command line."""
    await connection.execute(
        "INSERT INTO verifications (id, actor, actor_name, status, checks, checks_done, accounts, "
        "transfers, differences, stop_asked, started_at, ended_at, seen_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, false, $10, $11, now())",
        *msgspec.structs.astuple(row),
    )


def shown_differences(found: Sequence[Difference]) -> str:
    """The differences as they are kept: JSON, with shown ids."""
    views = [
        DifferenceView(
            one.kind,
            show_id("acc" if one.kind == "account totals" else "trf", one.id),
            one.stands,
            one.should,
        )
        for one in found
    ]
    return msgspec.json.encode(views).decode()


def verification_view(row: Verification) -> VerificationView:
    """The verification as it is shown."""
    return VerificationView(
        show_id("ver", row.id),
        row.actor,
        row.actor_name,
        row.status,
        row.checks,
        row.checks_done,
        row.accounts,
        row.transfers,
        msgspec.json.decode(row.differences, type=list[DifferenceView]),
        row.started_at,
        row.ended_at,
    )


async def _bury(connection: Connection, now: datetime) -> None:
    """End the rows of processes that are gone."""
    await connection.execute(
        "UPDATE verifications SET status = 'broken_off', ended_at = $1 "
        "WHERE status = 'running' AND seen_at < now() - $2 * interval '1 second'",
        now,
        SILENT_SECONDS,
    )
