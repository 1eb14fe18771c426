"""`View`: a group's entries, one after another: repeats, refusals, what is written in the end."""

from copy import deepcopy
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from ledger_play import InMemory
from moves import NOON, Move, Moved, account, hold, new_ids, once, owner, pay, resolve
from tandem.db import IdempotencyConflict, Table
from tandem.kernel import ManualClock, NotFound, transfer_id
from tandem.ledger import (
    ACCOUNTS,
    TRANSFERS,
    AccountCode,
    InsufficientFunds,
    Outcome,
    ReservationNotFound,
    ReservationResolved,
    TermsChanged,
    Transfer,
    TransferKind,
    View,
    Write,
)
from tandem.ledger.entry import ANSWERS
from tandem.ledger.model import RESERVATIONS

BANK, ANN, BEN = account(0, AccountCode.BANK), account(1), account(2)
IDS = new_ids(ManualClock(NOON))
POST, VOID = TransferKind.POST, TransferKind.VOID


class Note(msgspec.Struct):
    id: int
    text: str


NOTES = Table("notes", Note, mutable=("text",))


def move(*transfers: Transfer, key: str = "", body: str = "", **more: object) -> Move:
    idempotency = once(owner(7), key, body) if key else None
    return Move(id=IDS.entry(), transfers=transfers, idempotency=idempotency, **more)  # type: ignore[arg-type]  # the fields of a Move


def reserved(entry: Move, ordinal: int = 1) -> UUID:
    return transfer_id(entry.id, ordinal)


class Group:
    """A view of rows in memory, and everything that it could change."""

    def __init__(self, *entries: Move, system: InMemory | None = None) -> None:
        self.view: View = (system or rich()).view(NOON, list(entries))

    def decide(self, entry: Move) -> Outcome:
        return self.view.decide(entry, entry.touches().terms)

    def state(self) -> object:
        view = self.view
        full = [
            {table.name: dict(rows) for table, rows in changes.items() if rows}
            for changes in (view.rows, view.inserted, view.updated)
        ]
        logs = {table.name: list(rows) for table, rows in view.appended.items() if rows}
        return deepcopy((full, logs, view.pending, view.open_pending, view.released))

    def refuses(self, kind: type[Exception], entry: Move) -> None:
        was = self.state()
        with pytest.raises(kind):
            self.decide(entry)
        assert self.state() == was


def rich() -> InMemory:
    """Ann has 100."""
    system = InMemory()
    assert system.commit(NOON, [move(pay(BANK, ANN, 100))])[0][0] == "done"
    return system


def test_a_repeat_in_the_same_group_gets_the_first_answer_and_no_second_effect() -> None:
    first = move(pay(ANN, BEN, 60), key="k")
    again = move(pay(ANN, BEN, 60), key="k")
    group = Group(first, again)
    done = group.decide(first)
    was = group.state()
    assert (done.replayed, msgspec.json.decode(done.body, type=Moved)) == (False, Moved(first.id))
    assert group.decide(again) == Outcome(done.body, replayed=True)
    assert group.decide(first) == Outcome(done.body, replayed=True)
    assert group.state() == was
    assert len(group.view.appended[TRANSFERS]) == len(group.view.inserted[ANSWERS]) == 1


def test_another_body_under_the_same_key_is_refused_within_a_group() -> None:
    first, other = move(pay(ANN, BEN, 60), key="k"), move(pay(ANN, BEN, 5), key="k", body="x")
    group = Group(first, other)
    group.decide(first)
    group.refuses(IdempotencyConflict, other)


def test_a_repeat_in_a_later_group_gets_the_same_bytes() -> None:
    system = rich()
    first = move(pay(ANN, BEN, 60), key="k")
    ((_, body),) = system.commit(NOON, [first])
    ((word, again),) = system.commit(NOON + timedelta(days=1), [move(pay(ANN, BEN, 60), key="k")])
    assert (word, again) == ("again", body)
    group = Group(other := move(pay(ANN, BEN, 1), key="k", body="x"), system=system)
    group.refuses(IdempotencyConflict, other)


def test_a_key_belongs_to_its_owner() -> None:
    first = move(pay(ANN, BEN, 1), key="k")
    second = Move(id=IDS.entry(), transfers=first.transfers, idempotency=once(owner(8), "k"))
    group = Group(first, second)
    assert [group.decide(one).replayed for one in (first, second)] == [False, False]


def test_a_refused_entry_keeps_its_key_free() -> None:
    poor, rich_now = move(pay(ANN, BEN, 101), key="k"), move(pay(ANN, BEN, 100), key="k")
    group = Group(poor, rich_now)
    group.refuses(InsufficientFunds, poor)
    assert group.decide(rich_now).replayed is False


def test_the_same_entry_twice_without_a_key_is_our_fault_and_never_two_effects() -> None:
    entry = move(pay(ANN, BEN, 30))
    group = Group(entry)
    group.decide(entry)
    with pytest.raises(AssertionError, match="decided once"):
        group.decide(entry)


def test_a_refused_entry_changes_nothing() -> None:
    system = rich()
    held = hold(ANN, BEN, 40)
    system.commit(NOON, [first := move(held)])
    good = move(pay(ANN, BEN, 10), key="good")
    bad = [
        move(pay(ANN, BEN, 61), key="bad"),
        move(resolve(POST, reserved(first), held), pay(BEN, ANN, 51), key="bad"),
        move(resolve(POST, reserved(first), held), resolve(VOID, reserved(first), held)),
        move(hold(ANN, BEN, 1), hold(ANN, BEN, 60)),
        move(pay(ANN, account(99), 10), pay(account(99), ANN, 11)),
        move(pay(ANN, BEN, 1), before=_not_found, writes=[Write(NOTES, Note(1, "x"))]),
    ]
    kinds = (
        *(InsufficientFunds, InsufficientFunds, ReservationResolved, InsufficientFunds),
        *(InsufficientFunds, NotFound),
    )
    group = Group(good, *bad, system=system)
    for kind, entry in zip(kinds, bad, strict=True):
        group.refuses(kind, entry)
    group.decide(good)
    for kind, entry in zip(kinds, bad, strict=True):
        group.refuses(kind, entry)
    assert account(99).id not in group.view.inserted[ACCOUNTS]


def _not_found(_view: View) -> None:
    raise NotFound("thing", "x")


def test_accounts_open_with_their_first_transfer() -> None:
    new = account(50)
    entries = move(accounts=[new]), move(pay(ANN, new, 5)), move(pay(new, BEN, 2))
    group = Group(*entries)
    assert group.view.account(new).balance == 0
    group.decide(entries[0])
    assert not group.view.inserted[ACCOUNTS], "only looked at"
    for entry in entries[1:]:
        group.decide(entry)
    assert set(group.view.inserted[ACCOUNTS]) == {new.id, BEN.id}
    assert set(group.view.updated[ACCOUNTS]) == {ANN.id}
    opened = group.view.inserted[ACCOUNTS][new.id]
    assert (opened.balance, opened.transfers, opened.owner_id) == (3, 2, new.owner_id)


def test_an_account_that_was_not_locked_is_our_fault() -> None:
    group = Group(move(pay(ANN, BEN, 1)))
    group.refuses(AssertionError, move(pay(ANN, account(51), 1)))


def test_a_reservation_made_and_resolved_in_the_same_group_leaves_none() -> None:
    held = hold(ANN, BEN, 70)
    make = move(held)
    post = move(resolve(POST, reserved(make), held, 20))
    twice = move(resolve(VOID, reserved(make), held))
    group = Group(make, post, twice)
    group.decide(make)
    assert group.view.account(ANN).available == 30
    assert set(group.view.inserted[RESERVATIONS]) == {reserved(make)}
    group.decide(post)
    assert group.view.account(ANN).available == 80
    group.refuses(ReservationResolved, twice)
    assert (group.view.inserted[RESERVATIONS], group.view.released) == ({}, set())
    assert len(group.view.appended[TRANSFERS]) == 2


def test_a_reservation_of_an_earlier_group_is_released_by_its_id() -> None:
    system = rich()
    held = hold(ANN, BEN, 70)
    system.commit(NOON, [make := move(held)])
    group = Group(void := move(resolve(VOID, reserved(make), held)), system=system)
    group.decide(void)
    assert (group.view.released, group.view.inserted[RESERVATIONS]) == ({reserved(make)}, {})
    system.commit(NOON, [void])
    assert system.reservations() == set()


def test_what_a_refused_entry_reserved_is_not_there() -> None:
    held = hold(ANN, BEN, 70)
    refused = move(held, pay(ANN, BEN, 31))
    group = Group(refused, late := move(resolve(POST, reserved(refused), held)))
    group.refuses(InsufficientFunds, refused)
    group.refuses(ReservationNotFound, late)


def test_terms_that_changed_after_they_were_read_are_stale() -> None:
    system = rich()
    system.tables[ACCOUNTS][ANN.id].terms = 3
    for version, fits in ((2, False), (3, True), (4, True)):
        entry = move(pay(ANN, BEN, 1), terms=[(ANN, version)])
        group = Group(entry, system=system)
        if fits:
            group.decide(entry)
            continue
        group.refuses(TermsChanged, entry)
        with pytest.raises(TermsChanged) as stale:
            group.decide(entry)
        found = stale.value
        assert (found.owner_id, found.read, found.current) == (ANN.owner_id, 2, 3)


def test_a_repeat_gets_its_answer_even_under_changed_terms() -> None:
    system = rich()
    ((_, body),) = system.commit(NOON, [move(pay(ANN, BEN, 1), key="k", terms=[(ANN, 1)])])
    system.tables[ACCOUNTS][ANN.id].terms = 9
    ((word, again),) = system.commit(NOON, [move(pay(ANN, BEN, 1), key="k", terms=[(ANN, 1)])])
    assert (word, again) == ("again", body)


def test_rows_are_inserted_or_updated_as_they_were_read() -> None:
    first, second, third = (
        move(writes=[Write(NOTES, Note(n, text))]) for n, text in ((1, "a"), (2, "b"), (2, "c"))
    )
    group = Group(first, second, third)
    group.view.rows[NOTES][1] = Note(1, "old")
    for entry in (first, second, third):
        group.decide(entry)
    assert group.view.updated[NOTES] == {1: Note(1, "a")}
    assert group.view.inserted[NOTES] == {2: Note(2, "c")}
    assert group.view.row(NOTES, 2) == Note(2, "c")
    assert group.view.row(NOTES, 3) is None


def test_the_view_tells_the_operators_day() -> None:
    group = Group()
    assert group.view.day == NOON.date()
