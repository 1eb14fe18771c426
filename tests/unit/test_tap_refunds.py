"""Money that a till gives back, and a payment that it does not want any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emv_tap import NOW, WIDE, profile
from tandem.kernel import Invalid, ManualClock, NotFound, system_entropy
from tandem.tap import (
    Device,
    DirectField,
    Secret,
    State,
    TapCancelled,
    TerminalStore,
    Unanswered,
    receipt,
)
from tap_play import PASSCODE, device_in
from tap_shop import SETTINGS, YES, FakeHost, till_in


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "terminal"


@pytest.fixture
def device(tmp_path: Path, clock: ManualClock) -> Iterator[Device]:
    with device_in(tmp_path / "device", clock, profile(limits=WIDE), passcode=PASSCODE) as made:
        made.verify(PASSCODE)
        yield made


async def test_a_refund_goes_to_the_host(folder: Path, device: Device, clock: ManualClock) -> None:
    host = FakeHost(YES, YES)
    with till_in(folder, DirectField(device), host, clock) as (till, store):
        paid = await till.take(8000)
        given = await till.refund(paid.number, 100)
        assert given.approved
        assert (given.original, given.amount, given.is_refund) == (paid.rrn, 100, True)
        assert [asked[0] for asked in host.asked] == ["authorise", "authorise"]
        for number, amount, refused in (
            (paid.number, 8001, Invalid),
            (paid.number, 0, Invalid),
            (given.number, None, Invalid),
            (99, None, NotFound),
        ):
            with pytest.raises(refused):
                await till.refund(number, amount)
        assert store.due() == ()
    assert "REFUND" in receipt(given, SETTINGS.shop)
    assert f"Refund of{paid.stan:>23}" in receipt(given, SETTINGS.shop)


async def test_a_refund_without_an_answer_is_sent_again_and_never_reversed(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    host = FakeHost(YES, Unanswered(), Unanswered(), YES)
    with till_in(folder, DirectField(device), host, clock) as (till, store):
        paid = await till.take(8000)
        given = await till.refund(paid.number)
        assert not given.approved
        assert "SENT AGAIN" in receipt(given, SETTINGS.shop)
        assert len(await till.send_due()) == 0
        assert len(await till.send_due()) == 1
        assert store.payment(given.number).approved
        assert store.due() == ()
    assert [(what, repeat) for what, _, repeat in host.asked[1:]] == [
        ("authorise", False),
        ("authorise", True),
        ("authorise", True),
    ]


async def test_a_crash_in_a_refund_sends_it_again(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    host = FakeHost(YES, YES)
    with till_in(folder, DirectField(device), host, clock) as (till, store):
        paid = await till.take(8000)
        given = await till.refund(paid.number)
        store.save(given, State.ASKING, Secret(pan="1", track_2="", sequence=None, icc=b"1"))
    with TerminalStore(folder, system_entropy) as store:
        (due,) = store.due()
    assert (due.state, due.sent, due.payment.number) == (State.DEFERRED_DUE, True, given.number)


async def test_a_payment_that_waits_for_a_card_can_be_cancelled(
    folder: Path, clock: ManualClock
) -> None:
    class Nobody:
        def wait(self, within_seconds: float) -> None:
            del within_seconds
            till.cancel()

        def gone(self, within_seconds: float) -> bool:
            return within_seconds > 0

    with till_in(folder, Nobody(), FakeHost(), clock) as (till, store):
        with pytest.raises(TapCancelled):
            await till.take(8000)
        ((state, payment),) = store.last(1)
    assert (state, payment.approved) == (State.DONE, False)
