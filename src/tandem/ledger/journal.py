"""The journal: commits entries in groups, durably, and tells each caller its outcome.

Entries that arrive while a commit is under way go together into the next one. Alone, an entry does
not wait. The journal remembers accounts as it left them, so most entries are decided on arrival,
while the database writes the group before. A group is one transaction on the journal's own
connection:

1. read what its entries touch and nobody remembers; payments and other rows are locked, in order
   of rank and key;
2. decide the rest of its entries (`View.decide`, pure);
3. write everything by one statement, a data-modifying CTE for each table and kind of change, which
   fails unless every account is still as it was decided on. Where no row was locked the statement
   is the whole transaction;
4. COMMIT with fsync, and only then answer.

If a rival wrote one of the rows first, the group is decided again with **care**: it locks its
accounts before it reads them, in order of key, so that no two journals deadlock, and then looks up
what its idempotency keys were answered before. A refusal is decided again so too before it is told,
as is every group for a while after a rival was met.

One entry that fails never fails its neighbours: a group that the database refuses is split and
tried again in halves. When the connection is lost during the commit, the rows tell, once the
server has ended the session, whether it happened. Several journals may run on one database.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final, Self
from uuid import UUID

import asyncpg
import structlog

from tandem.db import Connection, sqlstate
from tandem.kernel import Clock, Ids
from tandem.ledger.entry import ANSWERS, Entry, View
from tandem.ledger.errors import JournalBusy, OutcomeUnknown
from tandem.ledger.gauge import Gauge, JournalState
from tandem.ledger.group import Group, Waiting
from tandem.ledger.model import Account
from tandem.ledger.outcome import Outcome
from tandem.ledger.store import (
    Changes,
    RivalError,
    changes_of,
    fate_of,
    mark_session,
    read_view,
    write_changes,
)

log = structlog.get_logger(__name__)

GROUP_MAX: Final = 512
QUEUE_MAX: Final = 8192
RETRY_AFTER_SECONDS: Final = 1
RETRIES: Final = 8
WARY_GROUPS: Final = 100
"""Where rivals or repeats are met again and again, this many groups are decided with care."""
ANSWERED_AT_ONCE: Final = 8
"""How many callers wake at each turn of the loop."""
DECIDED_WITHIN: Final = timedelta(seconds=1)
"""What was decided longer ago, while the group before waited, is decided again: time has passed."""
REMEMBERED_MAX: Final = 65_536
"""How many accounts are remembered: half a kilobyte each."""
_RETRIED_STATES: Final = frozenset({"40001", "40P01", "55P03", "57014"})
DATABASE_ERRORS: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_SESSION_BITS: Final = 2**62 - 1  # the random ones of a UUIDv7
_CONNECTION_STATES: Final = ("08", "57P", "25P03", "25P04")

CommitListener = Callable[[View], None]


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
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._wary = 0
        self._wariness = 0
        self._remembered: dict[UUID, Account] = {}
        self._next = self._new_group()
        self._ahead = True
        self._connection: Connection | None = None
        self._session = 0
        self._answers: deque[tuple[Waiting, Outcome | Exception]] = deque()
        self._committer: asyncio.Task[None] | None = None
        self._listeners: list[CommitListener] = []
        self._gauge = Gauge()

    async def __aenter__(self) -> Self:
        await self._open()
        self._committer = asyncio.create_task(self._run(), name="journal")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what waits, then close."""
        self._stopping = True
        self._arrived.set()
        try:
            if self._committer is not None:
                await self._committer
        finally:
            self._answer_all()
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
        return len(self._queue) + len(self._next)

    @property
    def state(self) -> JournalState:
        """How it does."""
        return self._gauge.state(running=self.running, waiting=self.waiting)

    def now(self) -> datetime:
        """The moment, by the journal's clock."""
        return self._clock.now()

    async def submit(self, entry: Entry) -> Outcome:
        """Commit an entry and return its outcome, durable by then.

        Raises the `Refused` that the entry's decision raised; `JournalBusy` if too many wait;
        `OutcomeUnknown` if the database went away during the commit and did not come back.
        """
        over = self._stopping or (self._committer is not None and self._committer.done())
        if over or self.waiting >= self._queue_max:
            raise JournalBusy(RETRY_AFTER_SECONDS)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(entry, entry.touches(), answer))
        self._arrived.set()
        self._decide_ahead()
        # A caller that goes away cancels its wait, not what it asked for.
        return await answer

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            several = False
            while self.waiting:
                if several:  # a turn of the loop, for what those who were answered come back with
                    await asyncio.sleep(0)
                group = self._take()
                entries = group.entries
                several = len(entries) > 1
                began = asyncio.get_running_loop().time()
                try:
                    await self._settle(group)
                    self._gauge.add(len(entries), asyncio.get_running_loop().time() - began)
                except Exception as error:  # noqa: BLE001 - the last door: nobody waits for ever
                    await self._break_off(entries, error)
            if self._stopping:
                return

    async def _break_off(self, entries: list[Waiting], error: Exception) -> None:
        """Something failed that nobody thought of, be it the log: say what is so, and go on."""
        self._answer_all()
        for waiting in entries:
            waiting.resolve(OutcomeUnknown(waiting.entry.id))
        await self._discard()
        self._forget()
        with contextlib.suppress(Exception):
            log.error("the journal failed", exc_info=error)

    def _fill(self) -> None:
        """Move what waits into the next group, deciding what can be."""
        group = self._next
        while self._queue and len(group) < self._group_max:
            group.add(self._queue.popleft())

    def _decide_ahead(self) -> None:
        if self._ahead:
            self._fill()

    def _take(self) -> Group:
        """The next group. Until its changes are fixed, none is decided after it."""
        self._fill()
        group, self._ahead = self._next, False
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered = {}
        self._next = self._new_group()
        return group

    def _new_group(self, entries: Iterable[Waiting] = (), *, careful: bool = False) -> Group:
        known = {} if careful else self._remembered
        return Group(known, self._new_view, entries, careful=careful)

    def _new_view(self, known: dict[UUID, Account]) -> View:
        now = self._clock.now()
        return View(now, self._day_of, partial(self._ids.at, now), known)

    def _forget(self) -> None:
        """Forget all accounts, and what was decided on them that is not committed."""
        self._remembered = {}
        self._queue.extendleft(reversed(self._next.entries))
        self._next = self._new_group()

    async def _settle(self, group: Group) -> None:
        """Bring every entry of a group to its outcome, whatever it takes."""
        if self._wary > 0:
            self._wary -= 1
            if not group.careful:
                self._forget()  # also what it decided, which is decided anew
            group = self._new_group(group.entries, careful=True)
        for attempt in range(RETRIES):
            try:
                await self._commit(group)
            except Exception as error:  # noqa: BLE001 - each kind is dealt with
                self._forget()
                if group.careful and _is_its_own(error):
                    await self._split(group, error)
                    return
                if not await self._recovered(error, attempt):
                    break
                group = self._new_group(group.entries, careful=True)
            else:
                if group.doubtful:
                    await self._settle(self._new_group(group.doubtful, careful=True))
                return
        self._give_up(group)

    def _give_up(self, group: Group) -> None:
        """Tell callers to come again later; all that wait, if the database stays away."""
        waiting = group.entries
        if self._connection is None:  # nobody else waits for it in turn
            self._forget()
            waiting += self._queue
            self._queue.clear()
        for one in waiting:
            one.resolve(JournalBusy(RETRY_AFTER_SECONDS))

    def _beware(self) -> None:
        """A rival was met: be careful for a while, the longer the oftener that happens."""
        self._wariness = min(WARY_GROUPS, 2 * self._wariness + 4)
        self._wary = self._wariness

    async def _recovered(self, error: Exception, attempt: int) -> bool:
        """Get ready to try a group again after an error; False if the database cannot write."""
        if _is_lost(error):
            log.warning("journal lost its database", error=repr(error))
            return await self._reconnected()
        if _is_passing(error):
            log.warning("the database cannot write now", error=repr(error))
            await self._discard()
            return False
        await self._end_transaction()
        self._beware()
        await asyncio.sleep(0.001 * attempt * attempt)
        return True

    async def _commit(self, group: Group) -> None:
        """One transaction: read, decide, write, commit, answer."""
        connection = self._connection or await self._open()
        if group.locks:
            await connection.execute("BEGIN")
        if group.undecided:
            await read_view(connection, group.view, group.asked, careful=group.careful)
            group.decide_rest()
        if not group.careful and self._clock.now() - group.view.now > DECIDED_WITHIN:
            raise RivalError("decided too long ago")
        changes = changes_of(group.view)
        if changes is None:
            await self._end_transaction()
        elif not await self._write(connection, group, changes):
            self._answer((w, _as_far_as_known(group.view, w, o)) for w, o in group.decided)
            return
        else:
            self._tell(group.view)
        self._answer(group.decided)
        if group.careful and group.repeats:
            self._beware()

    def _answer(self, decided: Iterable[tuple[Waiting, Outcome | Exception]]) -> None:
        """Wake callers, a few at each turn of the loop.

        They come back with more: so the database gets the first of it while the rest still wakes.
        """
        under_way = bool(self._answers)
        self._answers += decided
        if not under_way:
            self._answer_some()

    def _answer_all(self) -> None:
        while self._answers:
            self._answer_some()

    def _answer_some(self) -> None:
        for _ in range(min(ANSWERED_AT_ONCE, len(self._answers))):
            waiting, outcome = self._answers.popleft()
            waiting.resolve(outcome)
        if self._answers:
            asyncio.get_running_loop().call_soon(self._answer_some)

    async def _write(self, connection: Connection, group: Group, changes: Changes) -> bool:
        """Write and commit; False if nobody can tell whether that happened."""
        if not group.careful:  # what the group leaves is known: decide on it what comes meanwhile
            self._ahead = True
            asyncio.get_running_loop().call_soon(self._decide_ahead)
        commit: Awaitable[object]
        if connection.is_in_transaction():
            await write_changes(connection, changes)
            commit = connection.execute("COMMIT")
        else:
            commit = write_changes(connection, changes)
        session = self._session
        try:
            await commit
        except Exception as error:
            if not _is_lost(error):
                raise
            log.warning("journal lost its database during commit", error=repr(error))
            self._forget()
            status = await self._fate(session, group.view)
            if status == "aborted":
                raise
            return status is not None
        if group.careful:
            if group.view.before:  # accounts moved that are remembered as they were
                self._forget()
        else:
            self._wariness = max(0, self._wariness - 1)
        return True

    async def _split(self, group: Group, error: Exception) -> None:
        """The database refused the group: try halves, until the one that it refuses is alone."""
        await self._end_transaction()
        entries = group.entries
        if len(entries) == 1:
            (waiting,) = entries
            if isinstance(error, asyncpg.IntegrityConstraintViolationError):
                # Its maker knows what that means, and its text is full of what people entered.
                log.warning(
                    "entry refused by the database",
                    entry=str(waiting.entry.id),
                    constraint=error.constraint_name,
                )
            else:
                log.error("entry failed", entry=str(waiting.entry.id), exc_info=error)
            waiting.resolve(error)
            return
        middle = len(entries) // 2
        for half in (entries[:middle], entries[middle:]):
            await self._settle(self._new_group(half, careful=True))

    async def _fate(self, session: int, view: View) -> str | None:
        """What became of a commit that got no answer; None if nobody can tell."""
        deadline = asyncio.get_running_loop().time() + self._reconnect_seconds
        await self._discard()
        while asyncio.get_running_loop().time() < deadline:
            if self._connection is None and not await self._reconnected():
                return None
            assert self._connection is not None, "just opened"
            try:
                status = await fate_of(self._connection, session, view)
            except DATABASE_ERRORS:
                await self._discard()
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
        self._session = self._ids.new().int & _SESSION_BITS
        try:
            await mark_session(connection, self._session)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        return connection

    async def _end_transaction(self) -> None:
        """Let go of the locks of a group that wrote nothing."""
        if self._connection is not None and self._connection.is_in_transaction():
            with contextlib.suppress(*DATABASE_ERRORS):
                await self._connection.execute("ROLLBACK")

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


def _as_far_as_known(
    view: View, waiting: Waiting, outcome: Outcome | Exception
) -> Outcome | Exception:
    """What its caller is told if nobody knows whether the group was committed.

    A refusal that the group was to keep is unknown, too: a repeat may come to another.
    """
    key = waiting.entry.idempotency
    kept = key is not None and key[:2] in view.inserted[ANSWERS]
    if isinstance(outcome, Exception) and not kept:
        return outcome
    return OutcomeUnknown(waiting.entry.id)


def _is_its_own(error: BaseException) -> bool:
    """Whether one of the group's entries is at fault: it would fail again."""
    return not (_is_lost(error) or _is_passing(error) or _is_rivals(error))


def _is_rivals(error: BaseException) -> bool:
    """Whether another journal came in between: the same may go through the next time."""
    return isinstance(error, RivalError) or sqlstate(error) in _RETRIED_STATES


def _is_passing(error: BaseException) -> bool:
    """Whether the database cannot write for now: read-only after a failover, or out of room."""
    state = sqlstate(error)
    return state is not None and (state == "25006" or state.startswith("53"))


def _is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, as opposed to a statement refused.

    A server that ends the session, or panics, says so by the severity: the state is its reason.
    """
    if getattr(error, "severity_en", None) in {"FATAL", "PANIC"}:
        return True
    if isinstance(
        error, (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    ):
        return True
    state = sqlstate(error)
    return state is not None and state.startswith(_CONNECTION_STATES)
