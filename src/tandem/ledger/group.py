"""A group of the journal: the entries that go into one transaction, and what they came to."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tandem.kernel import Refused
from tandem.ledger.entry import Entry, Rows, Touches, View
from tandem.ledger.model import ACCOUNTS
from tandem.ledger.outcome import Outcome
from tandem.ledger.store import Asked


@dataclass(slots=True, eq=False)
class Waiting:
    """An entry whose caller waits for its outcome."""

    entry: Entry
    touches: Touches
    answer: asyncio.Future[Outcome]

    def resolve(self, outcome: Outcome | Exception) -> None:
        """Give the caller the outcome, unless it went away."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
            self.answer.exception()  # a caller that went away leaves nobody to read it
        else:
            self.answer.set_result(outcome)


class Group:
    """Entries decided one after another, on the rows known beforehand and on what was read.

    `known` are rows with guards as earlier groups left them; what this group decides goes into
    them. If they are those that the journal remembers, a rival may have changed them since. So a
    refusal is doubtful: its entry waits for a `careful` group, that knows nothing but what it
    locked.
    """

    def __init__(
        self,
        known: Rows,
        new_view: Callable[[Rows], View],
        entries: Iterable[Waiting] = (),
        *,
        careful: bool = False,
    ) -> None:
        self._known = known
        self._new_view = new_view
        self._view: View | None = None
        self.careful = careful
        self.decided: list[tuple[Waiting, Outcome | Exception]] = []
        self.undecided = deque(entries)
        self._size = len(self.undecided)
        self.doubtful: list[Waiting] = []

    @property
    def view(self) -> View:
        """What its entries see: of the moment when the first of them was decided."""
        if self._view is None:
            self._view = self._new_view(self._known)
        return self._view

    @property
    def entries(self) -> list[Waiting]:
        """All of them."""
        return [*(waiting for waiting, _ in self.decided), *self.doubtful, *self.undecided]

    def __len__(self) -> int:
        return self._size

    @property
    def repeats(self) -> bool:
        """Whether one of them repeats another."""
        return any(isinstance(got, Outcome) and got.replayed for _, got in self.decided)

    @property
    def asked(self) -> list[Asked]:
        """What must be read before the rest can be decided."""
        return [(waiting.touches, waiting.entry.idempotency) for waiting in self.undecided]

    @property
    def locks(self) -> bool:
        """Whether rows are locked before the rest is decided."""
        return self.careful or any(
            not table.guards for waiting in self.undecided for table, _ in waiting.touches.rows
        )

    def add(self, waiting: Waiting) -> None:
        """Take an entry in, and decide it if all that it touches is known."""
        self._size += 1
        if waiting.touches.pending or not self._knows(waiting.touches):
            self.undecided.append(waiting)
        else:
            self._decide(waiting)

    def decide_rest(self) -> None:
        """Decide what could not be decided before it was read."""
        while self.undecided:
            waiting = self.undecided[0]
            if self.careful or self._found(waiting.touches):
                self._decide(waiting)
            else:
                self.doubtful.append(waiting)
            self.undecided.popleft()

    def _knows(self, touches: Touches) -> bool:
        known, accounts = self._known, self._known[ACCOUNTS]
        for table, row_key in touches.rows:
            if row_key not in known.get(table, ()):
                return False
        for key in touches.accounts:  # noqa: SIM110 - a generator would take longer
            if key.id not in accounts:
                return False
        return True

    def _found(self, touches: Touches) -> bool:
        """Whether each row with guards is there: no write sees that one that was not came up."""
        rows = self.view.rows
        return all(key in rows[table] for table, key in touches.rows if table.guards)

    def _decide(self, waiting: Waiting) -> None:
        view, touches = self.view, waiting.touches
        try:
            outcome = view.decide(waiting.entry, touches.terms)
        except Exception as error:
            if not self.careful:  # whatever it is: with care it is raised again, or was not so
                self.doubtful.append(waiting)
            elif isinstance(error, Refused):
                view.keep_refusal(waiting.entry, error)
                self.decided.append((waiting, error))
            else:
                raise
            return
        if not self.careful:
            view.hold(touches)
        self.decided.append((waiting, outcome))
