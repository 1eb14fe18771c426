"""The ledger against a plain model of it, played by Hypothesis.

`Oracle` is written from what the ledger promises, not from how it does it: it keeps lists of facts
and adds them up each time. `Play` is a state machine that gives a system random groups of entries
and compares every outcome and every total. Unit tests let it play a `View` in memory, integration
tests a journal on PostgreSQL.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple, Protocol
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from moves import CNY, EUR, NOON, Move, once, pay, utc_day
from tandem.kernel import Refused, entry_of, transfer_id
from tandem.ledger import ACCOUNTS, Account, AccountCode, AccountKey, TransferKind, View
from tandem.ledger.entry import ANSWERS
from tandem.ledger.model import RESERVATIONS, TRANSFERS, TransferRow, new_account

POSTED, PENDING = TransferKind.POSTED, TransferKind.PENDING
POST, VOID, EXPIRE = TransferKind.POST, TransferKind.VOID, TransferKind.EXPIRE

KINDS: Final = (
    (AccountCode.BANK, 0),
    (AccountCode.PERSON, 0),
    (AccountCode.PERSON, 0),
    (AccountCode.MERCHANT, 25),
    (AccountCode.FEES, 0),
)
"""The accounts of each currency: kind and overdraft."""


class Step(NamedTuple):
    """One transfer: between the accounts at two places, or of the `target`-th reservation."""

    kind: TransferKind
    debit: int
    credit: int
    amount: int
    euros: bool
    spends: bool
    target: int
    expires_in: int | None


class Asked(NamedTuple):
    """One entry: linked steps, and the idempotency key that it comes with (0: none)."""

    steps: tuple[Step, ...]
    key: int
    body: int


Facts = tuple[int, int, int, int, int, int]
"""An account's debits pending and posted, credits pending and posted, transfers, spent today."""


@dataclass
class Hold:
    """A reservation, as the oracle remembers it."""

    debit: UUID
    credit: UUID
    amount: int
    expires_at: datetime | None
    day: date
    spends: bool
    open: bool = True


@dataclass
class Oracle:
    """What must be: every fact in a list, every number a sum over it."""

    overdrafts: dict[UUID, int]
    banks: set[UUID]
    moved: list[tuple[UUID, UUID, int]] = field(default_factory=list)
    touched: list[UUID] = field(default_factory=list)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    spent: list[tuple[date, UUID, int]] = field(default_factory=list)
    answers: dict[int, tuple[int, UUID | str]] = field(default_factory=dict)
    """By key: the body that came with it, and the entry that was done or why it was refused."""

    def decide(self, entry: Move, key: int, body: int, now: datetime) -> tuple[str, UUID | None]:
        """What must come of an entry: a word, and the entry whose answer it gets.

        What an entry reserves is there for the entries after it, not for itself.
        """
        if key in self.answers:
            first_body, first = self.answers[key]
            if first_body != body:
                return "idempotency_key_reused", None
            return (first, None) if isinstance(first, str) else ("again", first)
        saved = deepcopy((self.moved, self.touched, self.holds, self.spent))
        for ordinal, transfer in enumerate(entry.transfers, 1):
            refused = self._apply(transfer_id(entry.id, ordinal), transfer, now)
            if refused:
                self.moved, self.touched, self.holds, self.spent = saved
                if key:
                    self.answers[key] = (body, refused)
                return refused, None
        if key:
            self.answers[key] = (body, entry.id)
        return "done", entry.id

    def _apply(self, name: UUID, transfer: Any, now: datetime) -> str | None:  # noqa: ANN401 - a Transfer
        debit, credit, amount = transfer.debit.id, transfer.credit.id, transfer.amount
        today = utc_day(now)
        if transfer.kind in (POST, VOID, EXPIRE):
            hold = self.holds.get(transfer.pending_id)
            if hold is None or entry_of(transfer.pending_id) == entry_of(name):
                return "reservation_not_found"
            if not hold.open:
                return "reservation_resolved"
            if transfer.kind == POST and hold.expires_at is not None and now >= hold.expires_at:
                return "reservation_expired"
            if transfer.kind == POST and amount > hold.amount:
                return "amount_exceeds_reserved"
            hold.open = False
            posted = amount if transfer.kind == POST else 0
            if hold.spends and hold.day == today:
                self.spent.append((today, debit, posted - hold.amount))
            if posted:
                self.moved.append((debit, credit, posted))
        elif transfer.kind == PENDING:
            self.holds[name] = Hold(
                debit, credit, amount, transfer.expires_at, today, transfer.spends
            )
        else:
            self.moved.append((debit, credit, amount))
        if transfer.spends:
            self.spent.append((today, debit, amount))
        self.touched += [debit, credit]
        return None if self.may(debit) and self.may(credit) else "insufficient_funds"

    def facts(self, account: UUID, today: date) -> Facts:
        """An account's totals."""
        held = [hold for hold in self.holds.values() if hold.open]
        return (
            sum(hold.amount for hold in held if hold.debit == account),
            sum(amount for debit, _, amount in self.moved if debit == account),
            sum(hold.amount for hold in held if hold.credit == account),
            sum(amount for _, credit, amount in self.moved if credit == account),
            self.touched.count(account),
            sum(amount for day, who, amount in self.spent if (day, who) == (today, account)),
        )

    def may(self, account: UUID) -> bool:
        """Whether an account is within its bounds, pending amounts counted against it."""
        dp, d, cp, c, *_ = self.facts(account, date.min)
        if account in self.banks:
            return c + cp <= d
        return d + dp <= c + self.overdrafts[account]


class System(Protocol):
    """A ledger that can be played. `in_order`: entries given at once are decided as they stand."""

    in_order: ClassVar[bool]

    def open(self, key: AccountKey, overdraft: int) -> None:
        """Open an account with an overdraft."""

    def commit(self, now: datetime, entries: list[Move]) -> list[tuple[str, bytes]]:
        """Give it entries at once; what came of each: done, again or a refusal's code."""

    def accounts(self, keys: list[AccountKey]) -> dict[UUID, Account]:
        """The rows of those accounts that are open."""

    def transfers(self, keys: list[AccountKey]) -> list[TransferRow]:
        """All transfers that touch these accounts."""

    def reservations(self) -> set[UUID]:
        """Ids of the open reservations."""

    def close(self) -> None:
        """The end of a play."""


steps = st.builds(
    Step,
    kind=st.sampled_from([POSTED, POSTED, PENDING, PENDING, POST, POST, VOID, EXPIRE]),
    debit=st.integers(0, len(KINDS) - 1),
    credit=st.integers(1, len(KINDS) - 1),
    amount=st.one_of(st.integers(1, 60), st.integers(1, 10)),
    euros=st.sampled_from([False, False, False, True]),
    spends=st.booleans(),
    target=st.integers(0, 9),
    expires_in=st.sampled_from([None, 0, 60, 3600, 90_000]),
)
asked = st.builds(
    Asked,
    steps=st.lists(steps, min_size=0, max_size=3).map(tuple),
    key=st.sampled_from([0, 0, 0, 1, 2, 3]),
    body=st.sampled_from([1, 1, 1, 2]),
)


class Play(RuleBasedStateMachine):
    """Random groups of random entries, compared after each."""

    system_of: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.system: System = type(self).system_of()
        self.now = NOON
        self.last_number = 0
        self.known: list[tuple[UUID, Any]] = []
        owners = [uuid4() for _ in KINDS]
        self.chart = [
            [AccountKey.of(o, unit, code) for o, (code, _) in zip(owners, KINDS, strict=True)]
            for unit in (CNY, EUR)
        ]
        self.keys = [key for unit in self.chart for key in unit]
        self.keys_owner = uuid4()
        overdrafts = {
            key.id: overdraft
            for unit in self.chart
            for key, (_, overdraft) in zip(unit, KINDS, strict=True)
        }
        self.oracle = Oracle(overdrafts, {unit[0].id for unit in self.chart})
        for key in self.keys:
            if overdrafts[key.id]:
                self.system.open(key, overdrafts[key.id])

    def teardown(self) -> None:
        self.system.close()

    @initialize(amounts=st.lists(st.integers(10, 100), min_size=3, max_size=3))
    def top_up(self, amounts: list[int]) -> None:
        """Money comes in at the bank, or nothing could ever move."""
        for place, amount in enumerate(amounts, 1):
            step = Step(POSTED, 0, place, amount, euros=False, spends=False, target=0, expires_in=0)
            self.group([Asked((step,), 0, 0)])

    @rule(group=st.lists(asked, min_size=1, max_size=5))
    def commit(self, group: list[Asked]) -> None:
        """Several entries at once."""
        self.group(group)

    @rule(seconds=st.sampled_from([1, 59, 60, 3600, 86_400]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    def group(self, group: list[Asked]) -> None:
        """Give the system a group; it must come to what the oracle says, in some order."""
        entries = [self._entry(one) for one in group]
        outcomes = self.system.commit(self.now, entries)
        oracle = self._explained(self.oracle, list(zip(group, entries, outcomes, strict=True)))
        assert oracle is not None, f"in no order does the oracle come to {outcomes}"
        self.oracle = oracle

    def _explained(
        self, oracle: Oracle, left: list[tuple[Asked, Move, tuple[str, bytes]]]
    ) -> Oracle | None:
        """The oracle after deciding what is left, one after another, if some order explains it."""
        for place, (one, entry, (word, body)) in enumerate(left):
            after = deepcopy(oracle)
            expected, first = after.decide(entry, one.key, one.body, self.now)
            if expected == word and (first is None or str(first).encode() in body):
                whole = self._explained(after, left[:place] + left[place + 1 :])
                if whole is not None:
                    return whole
            if self.system.in_order:
                return None
        return None if left else oracle

    def _entry(self, one: Asked) -> Move:
        entry_id = UUID(int=uuid4().int & ~0xFF)
        transfers = []
        for ordinal, step in enumerate(one.steps, 1):
            transfer = self._transfer(step)
            if transfer is None:
                continue
            transfers.append(transfer)
            if transfer.kind is PENDING:
                self.known.append((transfer_id(entry_id, len(transfers)), transfer))
            assert ordinal >= len(transfers)
        key = once(self.keys_owner, str(one.key), str(one.body)) if one.key else None
        return Move(id=entry_id, transfers=tuple(transfers), idempotency=key)

    def _transfer(self, step: Step) -> Any:  # noqa: ANN401 - a Transfer or None
        if step.kind in (POST, VOID, EXPIRE):
            if not self.known:
                return None
            name, held = self.known[-1 - step.target % len(self.known)]
            return pay(held.debit, held.credit, step.amount, kind=step.kind, pending_id=name)
        accounts = self.chart[step.euros]
        if step.debit == step.credit:
            return None
        ends = self.now + timedelta(seconds=step.expires_in) if step.expires_in else None
        expires_at = ends if step.kind is PENDING else None
        debit, credit = accounts[step.debit], accounts[step.credit]
        more = {"kind": step.kind, "spends": step.spends, "expires_at": expires_at}
        if step.debit and step.target == 0:  # now and then money goes out to the bank
            debit, credit = credit, accounts[0]
        return None if debit == credit else pay(debit, credit, step.amount, **more)

    @invariant()
    def totals_agree(self) -> None:
        """Every total is what the oracle adds up, and within its bounds."""
        found = self.system.accounts(self.keys)
        today = utc_day(self.now)
        for key in self.keys:
            row = found.get(key.id) or new_account(key, self.now, today)
            assert (
                *(row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted),
                *(row.transfers, row.spent_on(today)),
            ) == self.oracle.facts(key.id, today)
            assert self.oracle.may(key.id)
        for unit in self.chart:
            rows = [found[key.id] for key in unit if key.id in found]
            assert sum(row.balance for row in rows) == 0
            assert sum(r.debits_pending for r in rows) == sum(r.credits_pending for r in rows)

    @invariant()
    def reservations_agree(self) -> None:
        """Open reservations are those that nothing resolved."""
        open_holds = {name for name, hold in self.oracle.holds.items() if hold.open}
        assert self.system.reservations() & set(self.oracle.holds) == open_holds

    @invariant()
    def transfers_are_numbered(self) -> None:
        """Each account's transfers are numbered from 1 without a gap, each with its balance."""
        lines: list[tuple[UUID, int, int, int]] = []
        for row in self.system.transfers(self.keys):
            posted = row.amount if row.kind in (POSTED, POST) else 0
            lines.append((row.debit_account_id, row.debit_number, -posted, row.debit_balance))
            lines.append((row.credit_account_id, row.credit_number, posted, row.credit_balance))
        balance: Counter[UUID] = Counter()
        last: Counter[UUID] = Counter()
        for account, number, change, after in sorted(lines, key=lambda line: line[1]):
            assert number == last[account] + 1
            last[account] = number
            balance[account] += change
            assert balance[account] == after


class InMemory:
    """A `View` for each group, over dictionaries that take its changes as a database does."""

    in_order: ClassVar = True

    def __init__(self) -> None:
        self.tables: dict[Any, dict[Any, Any]] = {
            table: {} for table in (ACCOUNTS, TRANSFERS, RESERVATIONS, ANSWERS)
        }

    def open(self, key: AccountKey, overdraft: int) -> None:
        row = new_account(key, NOON, utc_day(NOON))
        row.overdraft = overdraft
        self.tables[ACCOUNTS][key.id] = row

    def commit(self, now: datetime, entries: list[Move]) -> list[tuple[str, bytes]]:
        view = self.view(now, entries)
        outcomes = [decided(view, entry) for entry in entries]
        for table, rows in view.inserted.items():
            assert not rows.keys() & self.tables[table].keys()
            assert all(table.key_of(row) == key for key, row in rows.items())
            self.tables[table].update(deepcopy(rows))
        for table, rows in view.updated.items():
            assert table is ACCOUNTS
            assert rows.keys() <= self.tables[table].keys()
            assert not rows.keys() & view.inserted[table].keys()
            self.tables[table].update(deepcopy(rows))
        for table, appended in view.appended.items():
            for row in appended:
                assert table.key_of(row) not in self.tables[table]
                self.tables[table][table.key_of(row)] = row
        for pending_id in view.released:
            del self.tables[RESERVATIONS][pending_id]
        return outcomes

    def view(self, now: datetime, entries: list[Move]) -> View:
        """A view into which everything that the entries touch has been read."""
        view = View(now, utc_day, uuid4)
        for entry in entries:
            touches = entry.touches()
            for key in touches.accounts:
                view.looked_up.add(key.id)
                if key.id in self.tables[ACCOUNTS]:
                    view.rows[ACCOUNTS][key.id] = deepcopy(self.tables[ACCOUNTS][key.id])
            for pending_id in touches.pending:
                row = self.tables[TRANSFERS].get(pending_id)
                if row is not None and row.kind == PENDING:
                    view.pending[pending_id] = row
                if pending_id in self.tables[RESERVATIONS]:
                    view.open_pending.add(pending_id)
            if entry.idempotency is not None:
                owner_and_key = entry.idempotency[:2]
                if owner_and_key in self.tables[ANSWERS]:
                    view.rows[ANSWERS][owner_and_key] = self.tables[ANSWERS][owner_and_key]
        return view

    def accounts(self, keys: list[AccountKey]) -> dict[UUID, Account]:
        rows = self.tables[ACCOUNTS]
        return {key.id: rows[key.id] for key in keys if key.id in rows}

    def transfers(self, keys: list[AccountKey]) -> list[TransferRow]:
        ids = {key.id for key in keys}
        return [r for r in self.tables[TRANSFERS].values() if r.debit_account_id in ids]

    def reservations(self) -> set[UUID]:
        return set(self.tables[RESERVATIONS])

    def close(self) -> None:
        self.tables.clear()


def decided(view: View, entry: Move) -> tuple[str, bytes]:
    """What came of an entry, as `System.commit` tells it."""
    try:
        outcome = view.decide(entry, entry.touches().terms)
    except Refused as refusal:
        view.keep_refusal(entry, refusal)
        return refusal.code, b""
    return "again" if outcome.replayed else "done", outcome.body
