"""The till's reader against cards that are slow, and cards that say what no host can be sent."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from emv_tap import NOW, WIDE, profile
from tandem.emv.terminal import Answer, UiRequest
from tandem.kernel import ManualClock
from tandem.tap import Device, DirectField, NoCard, Transport
from tandem.tap.payment import Unsendable
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


class Slow(DirectField):
    """A device that takes its time for each answer, just as long as readers wait for one."""

    def __init__(self, device: Device, clock: ManualClock) -> None:
        super().__init__(device)
        self.clock = clock
        self.commands = 0

    def wait(self, within_seconds: float) -> Transport | None:
        return self if super().wait(within_seconds) else None

    def transmit(self, apdu: bytes) -> Answer:
        self.commands += 1
        self.clock.advance(timedelta(seconds=1.9))
        assert self._held is not None
        return self._held.transmit(apdu)


async def test_a_card_that_answers_slowly_does_not_keep_the_reader_for_ever(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    shown: list[UiRequest] = []
    field = Slow(device, clock)
    patient = msgspec.structs.replace(SETTINGS, wait_seconds=60)
    till_of = till_in(folder, field, FakeHost(), clock, shown=shown, settings=patient)
    with till_of as (till, store):
        with pytest.raises(NoCard):
            await till.take(100)
        assert not store.due()
    taps = [ui.text() for ui in shown].count("Present card again") // 2
    assert (taps, field.commands) == (6, 36)


async def test_what_cannot_be_sent_stands_in_nobody_s_way(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    for _ in range(3):
        with till_in(folder, DirectField(device), FakeHost(), clock) as (till, _):
            assert (await till.take(100)).approved
    host = FakeHost(Unsendable("element 35 cannot be"), YES, YES)
    with till_in(folder, DirectField(device), host, clock) as (till, store):
        with capture_logs() as logged:
            assert len(await till.send_due()) == 2
        assert [due.payment.number for due in store.due()] == [1]
    ((number, reason),) = [(entry["payment"], entry["reason"]) for entry in logged]
    assert (number, reason) == (1, "element 35 cannot be")
