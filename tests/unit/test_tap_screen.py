"""What a reader shows, and how long it stays (Contactless Book A, 6)."""

from datetime import timedelta
from pathlib import Path

import pytest

from emv_tap import NOW, WIDE, profile
from tandem.kernel import ManualClock
from tandem.tap import DirectField
from tap_play import PASSCODE, device_in
from tap_shop import YES, FakeHost, till_in


async def test_see_phone_stays_as_long_as_it_is_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card is gone at once, and there again at once: its message is to be read all the same."""
    clock = ManualClock(NOW)
    happened: list[str | float] = []
    with device_in(tmp_path / "device", clock, profile(limits=WIDE), passcode=PASSCODE) as device:

        async def sleep(seconds: float) -> None:
            happened.append(seconds)
            clock.advance(timedelta(seconds=seconds))
            device.verify(PASSCODE)

        monkeypatch.setattr("tandem.tap.terminal.asyncio.sleep", sleep)
        with till_in(tmp_path / "till", DirectField(device), FakeHost(YES), clock) as (till, _):
            till._show = lambda ui: happened.append(ui.text())
            assert (await till.take(20_000)).approved
    assert happened == [
        "Present card",
        "Processing",
        "See phone for instructions",
        1.3,
        "Present card again",
        "Processing",
        "Authorising, please wait",
        "Approved",
    ]
