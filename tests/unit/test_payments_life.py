"""A payment's life, walked in every order of commands to depth 6, by the real entries."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from msgspec.structs import replace as altered
from payment_walk import AMOUNT, ORDER_SECONDS, Move, Stand, begin

from moves import NOON
from tandem.kernel import Invalid
from tandem.ledger import ACCOUNTS, TransferKind
from tandem.ledger.model import RESERVATIONS, TRANSFERS
from tandem.payments import Command, PaymentConflict, Status
from tandem.payments.entries import CreateOrder
from tandem.payments.errors import CaptureExceedsAuthorised, RefundExceedsCaptured
from tandem.payments.model import LIFE, OURS, REFUND_REVERSALS, REFUNDS
from tills import (
    BANK,
    DOOR,
    EVERYONE,
    FEES,
    LIN,
    RULES,
    asked,
    shop,
)

DEPTH: Final = 6
FINAL_STATES: Final = {Status.REFUNDED, Status.CANCELLED, Status.DECLINED, Status.EXPIRED}
"""From these nothing leads on but a till's taking back of a refund."""


MOVES: Final = (
    Move(Command.SCAN),
    Move(Command.APPROVE),
    Move(Command.DECLINE),
    Move(Command.LEAVE),
    Move(Command.CAPTURE),
    Move(Command.CAPTURE, part=True),
    Move(Command.CAPTURE, part=True, final=True),
    Move(Command.CANCEL),
    Move(Command.REFUND),
    Move(Command.REFUND, part=True),
    Move(Command.EXPIRE),
    Move(Command.REDUCE),
    Move(Command.TAKE_BACK),
    Move(Command.TAKE_BACK, part=True),
)


def walks(stand: Stand, depth: int, seen: Counter[Any]) -> Iterator[tuple[Stand, Move]]:
    """Every place that can be reached in so many steps, with each move from there."""
    for move in filter(stand.can, MOVES):
        seen[Status(stand.payment.status), move.command] += 1
        yield stand, move
        try:
            after = stand.after(move)
        except PaymentConflict:
            continue  # nothing changed (`Books.decide`), so what follows is what follows here
        if depth > 1:
            yield from walks(after, depth - 1, seen)


def check(stand: Stand) -> None:
    """What must hold of a payment and of everybody's money at any time."""
    p, books = stand.payment, stand.books
    assert 0 <= p.refunded <= p.captured <= p.authorised <= p.amount
    assert 0 <= p.fee <= p.captured
    accounts = {key: books.tables[ACCOUNTS].get(key.id) for key in EVERYONE}
    assert sum(row.balance for row in accounts.values() if row) == 0
    assert books.balance(LIN) == 5000 - p.captured + p.refunded
    assert books.balance(DOOR) == p.captured - p.refunded - p.fee
    assert books.balance(FEES) == p.fee
    assert books.balance(BANK) == -10_000
    held = books.tables[RESERVATIONS]
    assert set(held) == ({p.pending_id} if p.status == Status.AUTHORISED else set())
    assert (p.reserved > 0) == (p.status == Status.AUTHORISED)
    for side, pending in ((LIN, "debits_pending"), (DOOR, "credits_pending")):
        row = accounts[side]
        assert (0 if row is None else getattr(row, pending)) == p.reserved
    kinds = Counter(t.kind for t in books.tables[TRANSFERS].values() if t.reference == p.id)
    released = sum(kinds[kind] for kind in (TransferKind.POST, TransferKind.VOID))
    assert kinds[TransferKind.PENDING] - released - kinds[TransferKind.EXPIRE] == len(held)
    given = sum(refund.amount for refund in books.tables[REFUNDS].values())
    assert (
        given - sum(back.amount for back in books.tables[REFUND_REVERSALS].values()) == p.refunded
    )
    if p.captured and p.status != Status.AUTHORISED:
        whole = Status.REFUNDED if p.refunded == p.captured else Status.PARTIALLY_REFUNDED
        assert p.status == (whole if p.refunded else Status.CAPTURED)
    assert (p.decline_reason is not None) == (p.status == Status.DECLINED)
    assert (p.expires_at is not None) == (p.status in ("created", "waiting", "authorised"))
    assert (p.order_expires_at is not None) == (p.status == "waiting" and p.source == "order")
    if p.status in ("created", "waiting"):
        assert (p.person_id is None, p.payer_name is None) == (p.status == "created",) * 2
        if p.source == "order":
            assert (p.order_expires_at or p.expires_at) == NOON + timedelta(seconds=ORDER_SECONDS)
    lin_row = accounts[LIN]
    spent = p.captured + p.reserved
    assert lin_row is not None
    today = stand.now.date() == NOON.date()
    assert lin_row.spent_on(NOON.date()) == (spent if today else p.authorised)


def edges(*states: Status) -> set[tuple[str, Command, Status]]:
    """What leads from these states, as the table has it."""
    return {
        (before, command, after)
        for (before, command), ends in LIFE.items()
        for after in ends
        if before in states
    }


@pytest.mark.parametrize("manual", [False, True], ids=["automatic", "manual"])
@pytest.mark.parametrize("first", [Status.CREATED, Status.WAITING])
def test_every_order_of_commands_to_depth_6(first: Status, *, manual: bool) -> None:
    seen: Counter[Any] = Counter()
    led: set[tuple[str, Command, Status]] = set()
    walked = 0
    for stand, move in walks(begin(first, manual=manual), DEPTH, seen):
        walked += 1
        status = Status(stand.payment.status)
        ends = LIFE.get((status, move.command))
        nothing = {Command.REFUND} if stand.payment.refundable == 0 else set()
        if stand.payment.refunded == 0:
            nothing.add(Command.TAKE_BACK)
        if stand.payment.order_expires_at is None:
            nothing.add(Command.LEAVE)
        if ends is None or move.command in nothing:
            with pytest.raises(PaymentConflict) as refused:
                stand.after(move)
            told = refused.value
            assert (told.status, told.command) == (status.value, move.command.value)
            rest = {c for s, c in LIFE if s is status} - OURS - nothing
            assert told.allowed == tuple(c.value for c in Command if c in rest)
            assert bool(rest) == (status not in FINAL_STATES)
            continue
        after = stand.after(move)
        assert Status(after.payment.status) in ends
        led.add((status, move.command, Status(after.payment.status)))
        check(after)
    assert walked > 100
    if manual:
        assert {end for end in led if end[0] is Status.AUTHORISED} == edges(Status.AUTHORISED)
    if first is Status.CREATED:
        not_so = Status.CAPTURED if manual else Status.AUTHORISED
        open_ones = (Status.CREATED, Status.WAITING)
        assert {end for end in led if end[0] in open_ones} == {
            end for end in edges(*open_ones) if end[2] is not not_so
        }
    reached = {status for status, _ in seen}
    expected = set(Status) - ({Status.CREATED} if first is Status.WAITING else set())
    assert reached == (expected if manual else expected - {Status.AUTHORISED})


def test_the_table_leads_to_an_end_and_back_only_from_waiting_for_somebody() -> None:
    order: list[str] = [S for S in Status if S not in FINAL_STATES]
    for (before, command), ends in LIFE.items():
        if command is Command.TAKE_BACK:
            continue
        assert before not in FINAL_STATES
        for after in ends - FINAL_STATES:
            goes_back = (before, after) == (Status.WAITING, Status.CREATED)
            assert order.index(after) >= order.index(before) or goes_back


def authorised() -> Stand:
    return begin(Status.CREATED, manual=True).after(Move(Command.APPROVE))


@pytest.mark.parametrize("amount", [0, -1, -AMOUNT, 2**63, 10**30])
def test_amounts_that_cannot_be_moved(amount: int) -> None:
    held = authorised()
    captured = held.after(Move(Command.CAPTURE))
    take = altered(held.entry(Move(Command.CAPTURE)), amount=amount)
    give = altered(captured.entry(Move(Command.REFUND)), amount=amount)
    new: Any = {"new": asked(amount), "shop": shop, "rules": RULES, "idempotency": None}
    books = held.books
    order = CreateOrder(id=books.ids.entry(), **new, code_token="x" * 20, expires_seconds=60)
    for entry, stand in ((take, held), (give, captured), (order, held)):
        with pytest.raises(Invalid):
            stand.books.decide(entry, stand.now)


def test_one_unit_too_many() -> None:
    held = authorised()
    partly = held.after(Move(Command.CAPTURE, part=True))
    captured = partly.after(Move(Command.CAPTURE))
    back = captured.after(Move(Command.REFUND, part=True))
    take = altered(partly.entry(Move(Command.CAPTURE)), amount=partly.payment.reserved + 1)
    give = altered(back.entry(Move(Command.REFUND)), amount=back.payment.refundable + 1)
    with pytest.raises(CaptureExceedsAuthorised) as more:
        partly.books.decide(take, NOON)
    assert (more.value.left, more.value.amount) == (300, 301)
    with pytest.raises(RefundExceedsCaptured) as too_much:
        back.books.decide(give, NOON)
    assert (too_much.value.left, too_much.value.amount) == (300, 301)


@pytest.mark.parametrize("first", [Status.CREATED, Status.WAITING])
@pytest.mark.parametrize("command", [Command.SCAN, Command.APPROVE, Command.DECLINE])
def test_when_the_time_is_over_nobody_pays_any_more_however_late_the_timer_is(
    first: Status, command: Command
) -> None:
    stand = begin(first, manual=False)
    assert stand.payment.expires_at is not None
    late = replace(stand, now=stand.payment.expires_at)
    with pytest.raises(PaymentConflict) as refused:
        late.after(Move(command))
    assert (refused.value.status, refused.value.allowed) == ("expired", ())
    assert late.after(Move(Command.CANCEL)).payment.status == "cancelled"


def test_a_reservation_whose_time_is_over_is_not_captured() -> None:
    held = authorised()
    assert held.payment.expires_at is not None
    late = replace(held, now=held.payment.expires_at)
    for move in (Move(Command.CAPTURE), Move(Command.CAPTURE, part=True)):
        with pytest.raises(PaymentConflict):
            late.after(move)
    ended = late.after(Move(Command.EXPIRE))
    assert (ended.payment.status, ended.books.balance(LIN)) == ("expired", 5000)


def test_what_was_captured_is_given_back_while_the_rest_is_reserved() -> None:
    partly = authorised().after(Move(Command.CAPTURE, part=True))
    back = partly.after(Move(Command.REFUND, part=True))
    assert (back.payment.status, back.payment.refunded, back.payment.reserved) == (
        "authorised",
        50,
        300,
    )
    all_back = back.after(Move(Command.REFUND))
    assert (all_back.payment.status, all_back.payment.refunded) == ("authorised", 150)
    with pytest.raises(PaymentConflict) as nothing:
        all_back.after(Move(Command.REFUND))
    assert nothing.value.allowed == ("capture", "cancel")
    for stand, command, status in (
        (back, Command.CANCEL, "partially_refunded"),
        (back, Command.EXPIRE, "partially_refunded"),
        (back, Command.CAPTURE, "partially_refunded"),
        (all_back, Command.CANCEL, "refunded"),
        (all_back, Command.EXPIRE, "refunded"),
        (all_back, Command.CAPTURE, "partially_refunded"),
    ):
        assert stand.after(Move(command)).payment.status == status


def test_what_was_captured_is_given_back_however_late_the_timer_is() -> None:
    partly = authorised().after(Move(Command.CAPTURE, part=True))
    assert partly.payment.expires_at is not None
    late = replace(partly, now=partly.payment.expires_at)
    with pytest.raises(PaymentConflict) as refused:
        late.after(Move(Command.CAPTURE))
    assert (refused.value.status, refused.value.allowed) == ("captured", ("refund",))
    back = late.after(Move(Command.REFUND))
    assert (back.payment.status, back.payment.refunded) == ("authorised", 150)
    assert back.after(Move(Command.EXPIRE)).payment.status == "refunded"


@pytest.mark.parametrize(
    ("move", "told"),
    [(Move(Command.CANCEL), "payment.cancelled"), (Move(Command.EXPIRE), "payment.expired")],
)
def test_a_payment_of_which_money_was_taken_is_not_told_as_cancelled(move: Move, told: str) -> None:
    held = authorised()
    assert held.after(move).told() == [told, told]
    partly = held.after(Move(Command.CAPTURE, part=True))
    assert partly.after(move).told() == ["payment.released", "payment.released"]
    back = partly.after(Move(Command.REFUND))
    assert back.after(move).told() == ["payment.released", "payment.released"]


def test_every_command_has_its_word() -> None:
    for command in Command:
        told = PaymentConflict("partially_refunded", command.value, ("capture", "refund"))
        assert re.fullmatch(
            "The payment is partially refunded, so it cannot be (?:[a-z]+ed|left); "
            "it can be captured or refunded.",
            told.sentence(),
        ), command


def test_a_timer_does_not_end_what_still_has_time() -> None:
    stand = authorised()
    entry = stand.entry(Move(Command.EXPIRE))
    assert stand.payment.expires_at is not None
    early = stand.payment.expires_at - timedelta(microseconds=1)
    with pytest.raises(Exception, match="same moment"):
        stand.books.copy().decide(entry, early)


def test_what_was_read_before_the_lock_and_has_changed_is_read_anew() -> None:
    created = begin(Status.CREATED, manual=True)
    held = created.after(Move(Command.APPROVE))
    stale = created.entry(Move(Command.CANCEL))
    with pytest.raises(Exception, match="same moment"):
        held.books.decide(stale, NOON)
    partly = held.after(Move(Command.CAPTURE, part=True))
    with pytest.raises(Exception, match="same moment"):
        partly.books.decide(held.entry(Move(Command.CAPTURE)), NOON)
