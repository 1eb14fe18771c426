"""Journal entries: what a room of the domain asks the journal to commit, and what it gets to see.

An entry says beforehand which rows it touches; the journal locks and reads them for the whole group
and calls `decide`, a pure function from the `View` to a `Decision`. Transfers, rows and events of a
decision are committed together or not at all.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import msgspec

from tandem.db import Idempotency, IdempotencyConflict, Table
from tandem.kernel import Refused
from tandem.ledger.chart import AccountKey
from tandem.ledger.errors import TermsChanged
from tandem.ledger.model import (
    ACCOUNTS,
    RESERVATIONS,
    TRANSFERS,
    Account,
    Reservation,
    Transfer,
    TransferKind,
    TransferRow,
    book,
    new_account,
)
from tandem.ledger.outcome import Outcome, answered, kept

R = TypeVar("R", bound=msgspec.Struct)
Key = Any
"""A primary key: its column's value, or a tuple of its columns' values."""


class Write(msgspec.Struct, frozen=True):
    """A row to insert, or to update if it was read or remembered."""

    table: Table[Any]
    row: msgspec.Struct


class Touches(msgspec.Struct, frozen=True):
    """What an entry must lock and read before it can be decided.

    `accounts` are opened if nobody used them yet. `rows` are existing rows of other tables by
    primary key. `pending` are ids of pending transfers it may resolve. `terms` says for each
    owner under which version of its terms the entry was made.
    """

    accounts: Sequence[AccountKey] = ()
    rows: Sequence[tuple[Table[Any], Key]] = ()
    pending: Sequence[UUID] = ()
    terms: Sequence[tuple[AccountKey, int]] = ()


class Decision(msgspec.Struct, frozen=True):
    """What an entry comes to: an answer for its caller, and what is written.

    `answer` is rendered as JSON, or is JSON; a repeat with the same idempotency key gets the same
    bytes.
    """

    answer: msgspec.Struct | bytes
    transfers: Sequence[Transfer] = ()
    writes: Sequence[Write] = ()


class Entry(Protocol):
    """One thing to commit. Implementations are values: what they need is in their fields."""

    @property
    def id(self) -> UUID:
        """The entry's id (kernel `Ids.entry`): its last byte is zero."""
        ...

    @property
    def idempotency(self) -> Idempotency | None:
        """What makes it happen once, if its caller may repeat it."""
        ...

    def touches(self) -> Touches:
        """What to lock and read."""
        ...

    def decide(self, view: "View") -> Decision:
        """Decide on what was read. Pure; raises a `Refused` to write nothing."""
        ...


class Answer(msgspec.Struct, frozen=True):
    """A row of `idempotency`: the answer that a key got (tandem.ledger.outcome)."""

    owner_id: UUID
    key: str
    fingerprint: bytes
    answer: bytes
    created_at: datetime


ANSWERS: Final = Table("idempotency", Answer, key=("owner_id", "key"), shared=True)

Rows = defaultdict[Table[Any], dict[Key, Any]]
"""Rows by table and key."""


class _Seen(dict[Table[Any], dict[Key, Any]]):
    """The rows that a view sees. Those of tables with guards are what the journal remembers."""

    def __init__(self, known: Rows) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, table: Table[Any]) -> dict[Key, Any]:
        self[table] = rows = self._known[table] if table.guards else {}
        return rows


class View:
    """What a group's entries see, one after another: the rows as read, with the changes so far.

    `now` is the moment of the group; `day_of` tells the operator's calendar day of a moment;
    `day` is that of `now`; `new_id` makes ids that grow in the order in which entries are decided.
    `known` are the rows with guards that are known beforehand; what is read of such rows and what
    the group changes of them goes into it.
    """

    def __init__(
        self,
        now: datetime,
        day_of: Callable[[datetime], date],
        new_id: Callable[[], UUID],
        known: Rows | None = None,
    ) -> None:
        self.now = now
        self.new_id = new_id
        self.day_of = day_of
        self.day = day_of(now)
        self.rows = _Seen(defaultdict(dict) if known is None else known)
        self._accounts: dict[UUID, Account] = self.rows[ACCOUNTS]
        self.before: Rows = defaultdict(dict)
        """What the guards were before the group, of each row that it changes."""
        self.held: Rows = defaultdict(dict)
        """What the guards are of each row that an entry only looked at."""
        self.inserted: Rows = defaultdict(dict)
        self.updated: Rows = defaultdict(dict)
        self.appended: defaultdict[Table[Any], list[Any]] = defaultdict(list)
        self.pending: dict[UUID, TransferRow] = {}
        self.open_pending: set[UUID] = set()
        self.released: set[UUID] = set()
        self.looked_up: set[UUID] = set()
        self._unopened: dict[UUID, Account] = {}
        self._decided: set[UUID] = set()

    def account(self, key: AccountKey) -> Account:
        """The account; one that nobody used yet opens with its first transfer."""
        found = self._accounts.get(key.id) or self._unopened.get(key.id)
        if found is None:
            assert key.id in self.looked_up, f"{key} was not among what the entry touches"
            found = self._unopened[key.id] = new_account(key, self.now, self.day)
        return found

    def row(self, table: Table[R], key: Key) -> R | None:
        """The row as it stands now, or None if there is none."""
        found: R | None = self.rows[table].get(key)
        return found

    def decide(self, entry: Entry, terms: Sequence[tuple[AccountKey, int]]) -> Outcome:
        """Decide one entry and take its changes in; if it raises a `Refused`, nothing changed.

        `terms` are those that the entry touches: the versions that it was made under.
        """
        repeat = self._repeat(entry.idempotency)
        if repeat is not None:
            return repeat
        for key, version in terms:
            account = self.account(key)
            if account.terms > version:
                raise TermsChanged(key.owner_id, version, account.terms)
        assert entry.id not in self._decided, "an entry is decided once"
        decision = entry.decide(self)
        answer = decision.answer
        # Before anything is booked: what cannot be answered must not happen.
        body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        booked = book(
            entry.id,
            decision.transfers,
            account=self.account,
            pending=self.pending,
            open_ids=self.open_pending,
            now=self.now,
            day=self.day,
            day_of=self.day_of,
        )
        self._decided.add(entry.id)
        self._take_in(booked, decision.writes)
        if entry.idempotency is not None:
            self._write(ANSWERS, Answer(*entry.idempotency, body, self.now))
        return Outcome(body)

    def _repeat(self, idempotency: Idempotency | None) -> Outcome | None:
        if idempotency is None:
            return None
        found = self.row(ANSWERS, (idempotency.owner_id, idempotency.key))
        if found is None:
            return None
        if found.fingerprint != idempotency.fingerprint:
            raise IdempotencyConflict(idempotency.key)
        return answered(found.answer)

    def keep_refusal(self, entry: Entry, refused: Refused) -> None:
        """Let whoever repeats the entry be refused again, unless its key was used before."""
        idempotency = entry.idempotency
        if idempotency is None or refused.passing:
            return
        if self.row(ANSWERS, idempotency[:2]) is None:
            self._write(ANSWERS, Answer(*idempotency, kept(refused), self.now))

    def hold(self, touches: Touches) -> None:
        """Let the write see rows that were only looked at, too: a rival may have changed them."""
        before, held = self.before[ACCOUNTS], self.held
        for key in touches.accounts:
            account_id = key.id
            if account_id not in before and account_id in self._accounts:
                account = self._accounts[account_id]
                held[ACCOUNTS][account_id] = (account.transfers, account.terms)
        for table, key in touches.rows:
            if table.guards and key not in self.before[table]:
                held[table][key] = table.guards_of(self.rows[table][key])

    def _take_in(self, booked: Sequence[TransferRow], writes: Sequence[Write]) -> None:
        self.appended[TRANSFERS] += booked
        before = self.before[ACCOUNTS]
        for transfer in booked:
            if transfer.debit_account_id not in before:
                self._move(transfer.debit_account_id, transfer.debit_number)
            if transfer.credit_account_id not in before:
                self._move(transfer.credit_account_id, transfer.credit_number)
            if transfer.kind == TransferKind.POSTED:
                continue
            if transfer.kind == TransferKind.PENDING:
                self.pending[transfer.id] = transfer
                self.open_pending.add(transfer.id)
                self._write(RESERVATIONS, Reservation(transfer.id, transfer.expires_at))
            elif transfer.pending_id is not None:
                self._release(transfer.pending_id)
        for write in writes:
            self._write(write.table, write.row)

    def _move(self, account_id: UUID, number: int) -> None:
        """Note that an account moves for the first time; `number` is that of its transfer."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = self._unopened.pop(account_id)
            self.inserted[ACCOUNTS][account_id] = account
        else:
            self.updated[ACCOUNTS][account_id] = account
        self.before[ACCOUNTS][account_id] = (number - 1, account.terms)

    def _write(self, table: Table[Any], row: msgspec.Struct) -> None:
        if table.log:
            self.appended[table].append(row)
            return
        key, rows = table.key_of(row), self.rows[table]
        new = key not in rows or key in self.inserted[table]
        if table.guards and not new and key not in self.before[table]:
            self.before[table][key] = table.guards_of(rows[key])
        rows[key] = row
        (self.inserted if new else self.updated)[table][key] = row

    def _release(self, pending_id: UUID) -> None:
        if self.inserted[RESERVATIONS].pop(pending_id, None) is None:
            self.released.add(pending_id)  # else: reserved and resolved within this group
