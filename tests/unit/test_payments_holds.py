"""Whose order it is: a scan holds it for a while, and then it is open to others again."""

from datetime import timedelta

import pytest
from payment_walk import BY_PERSON, ORDER_SECONDS, WAIT, Move, Stand, begin

from moves import NOON
from tandem.payments import Command, PaymentConflict, PaymentTaken, Status
from tills import DOOR_ID, LIN_ID, MEI_ID, lin, mei


@pytest.mark.parametrize("command", BY_PERSON)
def test_nobody_else_pays_what_waits_for_a_person(command: Command) -> None:
    waiting = begin(Status.CREATED, manual=False).after(Move(Command.SCAN))
    last = waiting.later(WAIT - timedelta(microseconds=1))
    for stand in (waiting, last):
        with pytest.raises(PaymentTaken) as refused:
            stand.after(Move(command, who=mei))
        assert refused.value.until == NOON + WAIT


def scanned() -> Stand:
    """An order that Lin has scanned."""
    return begin(Status.CREATED, manual=False).after(Move(Command.SCAN))


def test_a_scan_holds_an_order_for_a_while_and_never_beyond_its_end() -> None:
    first = scanned()
    assert (first.payment.expires_at, first.payment.person_id) == (NOON + WAIT, lin.id)
    again = first.later(WAIT / 2).after(Move(Command.SCAN))  # Lin does not hold it longer so
    assert again.payment == first.payment
    end = first.payment.order_expires_at
    assert end is not None
    late = (
        begin(Status.CREATED, manual=False).later(end - NOON - WAIT / 2).after(Move(Command.SCAN))
    )
    assert (late.payment.expires_at, late.payment.order_expires_at) == (end, end)
    assert late.after(Move(Command.EXPIRE)).payment.status == "expired"


def test_the_timer_opens_an_order_again_that_waited_too_long() -> None:
    waiting = scanned()
    opened = waiting.after(Move(Command.EXPIRE))
    free = opened.payment
    assert (free.status, free.person_id, free.payer_name) == ("created", None, None)
    assert free.expires_at == waiting.payment.order_expires_at
    assert opened.heard() == [
        ("payment.created", DOOR_ID), ("payment.waiting", DOOR_ID), ("payment.waiting", LIN_ID),
        ("payment.reopened", DOOR_ID), ("payment.reopened", LIN_ID),
    ]  # fmt: skip
    for name in ("status", "payer"):
        assert opened.shown("payment.reopened", DOOR_ID)[name] == {"status": "created"}.get(name)
    paid = opened.after(Move(Command.APPROVE, who=mei))
    assert (paid.payment.status, paid.payment.person_id) == ("captured", mei.id)


@pytest.mark.parametrize("timer", [False, True], ids=["before the timer", "after the timer"])
def test_an_order_that_waited_too_long_is_whoevers_comes_next(timer: bool) -> None:  # noqa: FBT001 - a column of the table
    late = scanned().later(WAIT)
    if timer:
        late = late.after(Move(Command.EXPIRE))
    taken = late.after(Move(Command.SCAN, who=mei))
    assert (taken.payment.status, taken.payment.person_id) == ("waiting", mei.id)
    assert taken.payment.expires_at == late.now + WAIT
    assert taken.heard()[-4:] == [
        ("payment.reopened", DOOR_ID), ("payment.reopened", LIN_ID),
        ("payment.waiting", DOOR_ID), ("payment.waiting", MEI_ID),
    ]  # fmt: skip
    for command in BY_PERSON:  # Lin was asked to confirm it, and comes too late
        with pytest.raises(PaymentTaken):
            taken.after(Move(command))
    # who was asked first may still agree while nobody else has come
    mine = late.after(Move(Command.APPROVE)).payment
    assert (mine.status, mine.person_id) == ("captured", lin.id)
    for command in (Command.DECLINE, Command.LEAVE):
        with pytest.raises(PaymentConflict) as refused:
            late.after(Move(command))
        assert (refused.value.status, refused.value.allowed) == (
            "created", ("scan", "approve", "cancel"),
        )  # fmt: skip
    ended = late.after(Move(Command.CANCEL))
    assert (ended.payment.status, ended.payment.person_id) == ("cancelled", None)
    assert ended.heard()[-3:] == [
        ("payment.reopened", DOOR_ID), ("payment.reopened", LIN_ID), ("payment.cancelled", DOOR_ID),
    ]  # fmt: skip


def test_a_person_lets_an_order_go_and_another_takes_it() -> None:
    left = scanned().after(Move(Command.LEAVE))
    assert left.heard()[-2:] == [("payment.reopened", DOOR_ID), ("payment.reopened", LIN_ID)]
    assert left.payment.expires_at == NOON + timedelta(seconds=ORDER_SECONDS)
    taken = left.after(Move(Command.SCAN, who=mei))
    assert taken.after(Move(Command.APPROVE, who=mei)).payment.status == "captured"
    back = left.after(Move(Command.SCAN))  # Lin thinks again
    assert back.after(Move(Command.APPROVE)).payment.status == "captured"


def test_what_was_charged_to_ones_own_pay_code_is_declined_and_not_left_to_others() -> None:
    waiting = begin(Status.WAITING, manual=False)
    with pytest.raises(PaymentConflict) as refused:
        waiting.after(Move(Command.LEAVE))
    assert refused.value.allowed == ("scan", "approve", "decline", "cancel")
    assert waiting.after(Move(Command.EXPIRE)).payment.status == "expired"


def test_an_order_whose_own_time_is_over_too_expires_however_late_the_timer_is() -> None:
    over = scanned().later(timedelta(seconds=ORDER_SECONDS))
    for command in BY_PERSON:
        for who in (lin, mei):
            with pytest.raises(PaymentConflict) as refused:
                over.after(Move(command, who=who))
            assert refused.value.status == "expired"
    ended = over.after(Move(Command.EXPIRE))
    assert (ended.payment.status, ended.told()) == ("expired", ["payment.expired"] * 2)


def test_a_timer_of_a_wait_that_is_over_does_nothing_to_the_next_one() -> None:
    first = scanned().later(WAIT)
    entry = first.entry(Move(Command.EXPIRE))
    for second in (first.after(Move(Command.SCAN)), first.after(Move(Command.SCAN, who=mei))):
        with pytest.raises(Exception, match="same moment"):
            second.books.copy().decide(entry, second.now)
