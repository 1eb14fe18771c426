"""A gate of public transport: who goes through without an answer, and what the host hears of it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from emv_tap import NOW, WIDE, profile
from tandem.kernel import ManualClock
from tandem.tap import Device, DirectField, State, Unanswered, Unreachable
from tandem.tap import terminal as terminal_module
from tap_play import PASSCODE, device_in
from tap_shop import NO, SETTINGS, YES, FakeHost, till_in

(_AID,) = SETTINGS.aids
GATE = msgspec.structs.replace(
    SETTINGS,
    aids=(msgspec.structs.replace(_AID, transit=True, deferred_limit=1000, floor_limit=0),),
)


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


async def test_at_a_gate_without_an_answer_a_person_goes_through_and_the_host_is_told(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    host = FakeHost(Unanswered(), Unreachable(), YES)
    with till_in(folder, DirectField(device), host, clock, settings=GATE) as (till, store):
        payment = await till.take(300)
        assert (payment.approved, payment.why) == (True, "deferred")
        assert [due.state for due in store.due()] == [State.DEFERRED_DUE]
        assert [len(await till.send_due()) for _ in range(2)] == [0, 1]
    assert host.asked == [("authorise", 1, False), *[("advise", 1, True)] * 2]


async def test_a_gates_question_that_had_arrived_is_asked_again_for_its_answer(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    """It stands under the number that the gate would tell the host of the rider by."""
    known = msgspec.structs.replace(NO, code="94")
    host = FakeHost(Unanswered(), known, Unanswered(), known, YES)
    with till_in(folder, DirectField(device), host, clock, settings=GATE) as (till, store):
        await till.take(300)
        assert await till.send_due() == []
        (settled,) = await till.send_due()
        assert (settled.unpaid, settled.authorisation_code) == (False, "A00001")
        assert store.due() == ()
    again = [("advise", 1, True), ("authorise", 1, True)]
    assert host.asked == [("authorise", 1, False), *again, *again]


async def test_an_order_passes_no_gate_without_an_answer(
    folder: Path, device: Device, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_module, "_REPEAT_SECONDS", 0.0)
    host = FakeHost(*[Unreachable()] * 6)
    with till_in(folder, DirectField(device), host, clock, settings=GATE) as (till, store):
        payment = await till.take(300, "pay_0199f0a4c0de7000800000000000002a")
        assert (payment.approved, store.due()) == (False, ())
