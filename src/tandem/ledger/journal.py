"""The journal: commits entries in groups, durably, and tells each caller its outcome.

Entries that arrive while a commit is under way wait in memory and go together into the next one.
Alone, an entry does not wait. A group is one transaction on the journal's own connection:

1. lock and read the rows that its entries touch, table by table in order of rank, rows in order of
   key, so that no two journals deadlock. While repeats are about, look up what idempotency keys
   were answered before, **after** the locks, so that a rival's commit is seen; else a key that
   turns out to be taken, or an entry that is refused, sends the group back to look;
2. decide the entries one after another (`View.decide`, pure);
3. write everything by one statement, a data-modifying CTE for each table and kind of change;
4. COMMIT with fsync, and only then answer.

One entry that fails never fails its neighbours: a group that the database refuses is split and
tried again in halves. When the connection is lost during COMMIT, the transaction's id tells
(`pg_xact_status`) whether it happened. Several journals may run on one database.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Final, Self

import asyncpg
import structlog

from tandem.db import Connection, sqlstate
from tandem.kernel import Clock, Ids, Refused
from tandem.ledger.entry import Entry, Outcome, Touches, View
from tandem.ledger.errors import JournalBusy, OutcomeUnknown
from tandem.ledger.store import (
    RivalError,
    fate_of,
    read_view,
    write_view,
)

log = structlog.get_logger(__name__)

GROUP_MAX: Final = 512
QUEUE_MAX: Final = 8192
RETRY_AFTER_SECONDS: Final = 1
RETRIES: Final = 8
WARY_GROUPS: Final = 100
"""After a repeat or a refusal, this many groups look up what their keys were answered before."""
_RETRIED_STATES: Final = frozenset({"40001", "40P01", "55P03", "57014"})
DATABASE_ERRORS: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_CONNECTION_STATES: Final = ("08", "57P", "25P03", "25P04")

CommitListener = Callable[[View], None]


@dataclass(slots=True, eq=False)
class _Waiting:
    entry: Entry
    touches: Touches
    answer: asyncio.Future[Outcome]


class Journal:
    """Commits entries to one database through one connection.

    `connect` opens the connection (`tandem.db.open_journal_connection`); `day_of` tells the
    operator's calendar day of a moment, for daily limits; `reconnect_seconds` is how long callers
    wait for a lost database before they are told. Start and stop it as a context manager.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        clock: Clock,
        ids: Ids,
        *,
        day_of: Callable[[datetime], date] = datetime.date,
        group_max: int = GROUP_MAX,
        queue_max: int = QUEUE_MAX,
        reconnect_seconds: float = 30.0,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._ids = ids
        self._day_of = day_of
        self._group_max = group_max
        self._queue_max = queue_max
        self._reconnect_seconds = reconnect_seconds
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._wary = 0
        self._connection: Connection | None = None
        self._committer: asyncio.Task[None] | None = None
        self._listeners: list[CommitListener] = []

    async def __aenter__(self) -> Self:
        await self._open()
        self._committer = asyncio.create_task(self._run(), name="journal")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what waits, then close."""
        self._stopping = True
        self._arrived.set()
        if self._committer is not None:
            await self._committer
        if self._connection is not None:
            await self._discard()

    def on_commit(self, listener: CommitListener) -> None:
        """Call `listener` with each group's view after its commit. It must not wait or raise."""
        self._listeners.append(listener)

    @property
    def running(self) -> bool:
        """Whether entries are being committed: false before the start, at the stop and after."""
        return not self._stopping and self._committer is not None and not self._committer.done()

    @property
    def waiting(self) -> int:
        """How many entries wait for the next group."""
        return len(self._queue)

    async def submit(self, entry: Entry) -> Outcome:
        """Commit an entry and return its outcome, durable by then.

        Raises the `Refused` that the entry's decision raised; `JournalBusy` if too many wait;
        `OutcomeUnknown` if the database went away during the commit and did not come back.
        """
        if self._stopping or len(self._queue) >= self._queue_max:
            raise JournalBusy(RETRY_AFTER_SECONDS)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(entry, entry.touches(), answer)
        self._queue.append(waiting)
        self._arrived.set()
        # A caller that goes away cancels its wait, not what it asked for.
        return await answer

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                size = min(len(self._queue), self._group_max)
                await self._settle([self._queue.popleft() for _ in range(size)])
            if self._stopping:
                return

    async def _settle(self, group: list[_Waiting]) -> None:
        """Bring every entry of a group to its outcome, whatever it takes."""
        for attempt in range(RETRIES):
            repeats = attempt > 0 or self._wary > 0
            try:
                await self._commit(group, repeats=repeats)
            except Exception as error:  # noqa: BLE001 - each kind is dealt with
                if _is_lost(error):
                    log.warning("journal lost its database", error=repr(error))
                    if not await self._reconnected():
                        break
                    continue
                with contextlib.suppress(Exception):
                    await self._restart_transaction()
                if _is_passing(error):
                    log.warning("the database cannot write now", error=repr(error))
                    await self._discard()
                    break
                rival = isinstance(error, RivalError) or sqlstate(error) in _RETRIED_STATES
                if rival or not repeats:  # without the look-up, any failure may be a repeat's
                    self._wary = WARY_GROUPS
                    await asyncio.sleep(0.001 * attempt * attempt)
                    continue
                await self._split(group, error)
            return
        for waiting in group:
            _fail(waiting, JournalBusy(RETRY_AFTER_SECONDS))
        if self._connection is None:  # the database stays away: nobody else waits for it in turn
            while self._queue:
                _fail(self._queue.popleft(), JournalBusy(RETRY_AFTER_SECONDS))

    async def _commit(self, group: list[_Waiting], *, repeats: bool) -> None:
        """One transaction: read, decide, write, commit, answer."""
        connection = self._connection or await self._open()
        now = self._clock.now()
        view = View(now, self._day_of, partial(self._ids.at, now))
        asked = [(waiting.touches, waiting.entry.idempotency) for waiting in group]
        await read_view(connection, view, asked, repeats=repeats)
        outcomes = _decide(view, group)
        doubtful = any(map(_doubtful, group, outcomes))
        if doubtful and not repeats:
            raise RivalError("refused, but what it repeats may have been accepted")
        self._wary = WARY_GROUPS if doubtful else max(0, self._wary - 1)
        transaction_id = await write_view(connection, view)
        if transaction_id is None:
            await self._restart_transaction()
        else:
            try:
                # The next group's transaction begins in the same round trip.
                await connection.execute("COMMIT; BEGIN")
            except Exception as error:
                if not _is_lost(error):
                    raise
                log.warning("journal lost its database during commit", error=repr(error))
                status = await self._fate(transaction_id, view)
                if status is None:
                    for waiting in group:
                        _fail(waiting, OutcomeUnknown(waiting.entry.id))
                    return
                if status != "committed":
                    raise
        for waiting, outcome in zip(group, outcomes, strict=True):
            _resolve(waiting, outcome)
        if transaction_id is not None:
            self._tell(view)

    async def _split(self, group: list[_Waiting], error: Exception) -> None:
        """The database refused the group: try halves, until the one that it refuses is alone."""
        if len(group) == 1:
            log.error("entry failed", entry=str(group[0].entry.id), exc_info=error)
            _fail(group[0], error)
            return
        middle = len(group) // 2
        await self._settle(group[:middle])
        await self._settle(group[middle:])

    async def _fate(self, transaction_id: str, view: View) -> str | None:
        """What became of a transaction whose COMMIT got no answer; None if nobody can tell."""
        deadline = asyncio.get_running_loop().time() + self._reconnect_seconds
        while asyncio.get_running_loop().time() < deadline and await self._reconnected():
            assert self._connection is not None, "just opened"
            try:
                status = await fate_of(self._connection, transaction_id, view)
            except DATABASE_ERRORS:
                continue
            if status != "in progress":
                return status
            await asyncio.sleep(0.02)  # its backend has not noticed yet
        return None

    async def _reconnected(self) -> bool:
        """Connect again, with growing pauses; False if the database stayed away."""
        await self._discard()
        deadline = asyncio.get_running_loop().time() + self._reconnect_seconds
        pause = 0.01
        while True:
            try:
                await self._open()
            except DATABASE_ERRORS as error:
                if asyncio.get_running_loop().time() + pause > deadline:
                    log.warning("the database stays away", error=repr(error))
                    return False
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            else:
                return True

    async def _open(self) -> Connection:
        connection = await self._connect()
        await connection.execute("BEGIN")
        self._connection = connection
        return connection

    async def _restart_transaction(self) -> None:
        """Let go of the locks of a group that wrote nothing."""
        if self._connection is not None:
            await self._connection.execute("ROLLBACK; BEGIN")

    async def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.terminate()

    def _tell(self, view: View) -> None:
        for listener in self._listeners:
            try:
                listener(view)
            except Exception:
                log.exception("a listener failed after a commit")


def _decide(view: View, group: Sequence[_Waiting]) -> list[Outcome | Exception]:
    """Decide the entries of a group one after another; a refusal stays its own."""
    outcomes: list[Outcome | Exception] = []
    for waiting in group:
        try:
            outcomes.append(view.decide(waiting.entry, waiting.touches.terms))
        except Refused as refusal:
            outcomes.append(refusal)
    return outcomes


def _doubtful(waiting: _Waiting, outcome: Outcome | Exception) -> bool:
    """Whether the entry may repeat, or does repeat, one that was answered before."""
    if isinstance(outcome, Exception):
        return waiting.entry.idempotency is not None
    return outcome.replayed


def _resolve(waiting: _Waiting, outcome: Outcome | Exception) -> None:
    if isinstance(outcome, Exception):
        _fail(waiting, outcome)
    elif not waiting.answer.done():
        waiting.answer.set_result(outcome)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
        waiting.answer.exception()  # a caller that went away leaves nobody to read it


def _is_passing(error: BaseException) -> bool:
    """Whether the database cannot write for now: read-only after a failover, or out of room."""
    state = sqlstate(error)
    return state is not None and (state == "25006" or state.startswith("53"))


def _is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, as opposed to a statement refused."""
    if isinstance(
        error, (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    ):
        return True
    state = sqlstate(error)
    return state is not None and state.startswith(_CONNECTION_STATES)
