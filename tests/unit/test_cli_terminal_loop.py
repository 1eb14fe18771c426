"""`tandem terminal run`: one payment after another, typed at a keyboard or read from a pipe."""

import asyncio
import queue
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from emv_tap import NOW, WIDE, profile
from tandem.cli.terminal_loop import loop
from tandem.cli.terminal_till import amount_of
from tandem.kernel import Invalid, ManualClock
from tandem.tap import Device, DirectField, Field, State
from tap_play import PASSCODE, device_in
from tap_shop import SETTINGS, YES, FakeHost, till_in


class Typed:
    """Standard input: lines that a test gives, of a keyboard or of a pipe."""

    def __init__(self, *lines: str, keyboard: bool) -> None:
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.keyboard = keyboard
        for line in lines:
            self.lines.put(f"{line}\n")

    def isatty(self) -> bool:
        return self.keyboard

    def readline(self) -> str:
        return self.lines.get()

    def end(self) -> None:
        self.lines.put("")


class Nobody:
    """A reader to which nobody comes; `looked` is called whenever it looks."""

    def __init__(self, looked: Callable[[], None]) -> None:
        self.looked = looked

    def wait(self, within_seconds: float) -> None:
        del within_seconds
        self.looked()

    def gone(self, within_seconds: float) -> bool:
        return within_seconds > 0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def device(tmp_path: Path, clock: ManualClock) -> Iterator[Device]:
    with device_in(tmp_path / "device", clock, profile(limits=WIDE), passcode=PASSCODE) as made:
        made.verify(PASSCODE)
        yield made


async def run(
    folder: Path, field: Field, host: FakeHost, clock: ManualClock
) -> list[tuple[str, int]]:
    """The loop to its end; what the terminal has kept, oldest first."""
    with till_in(folder, field, host, clock) as (till, store):
        async with asyncio.timeout(60):
            await loop(till, SETTINGS)
        kept = list(store.last(10))
    return [(state.value, payment.amount) for state, payment in reversed(kept)]


async def test_lines_of_a_pipe_are_payments_one_after_another(
    tmp_path: Path,
    device: Device,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = ("80.00", "", "no amount", "1 2", "refund", "refund 9", "refund 1 10.00", "8.00")
    typed = Typed(*lines, keyboard=False)
    typed.end()
    monkeypatch.setattr(sys, "stdin", typed)
    host = FakeHost(YES, YES, YES)
    kept = await run(tmp_path / "till", DirectField(device), host, clock)
    assert kept == [(State.DONE, 8000), (State.DONE, 1000), (State.DONE, 800)]
    assert [what for what, *_ in host.asked] == ["authorise", "authorise", "advise"]
    shown = capsys.readouterr()
    assert shown.out.count("PURCHASE") == 2
    assert shown.out.count("REFUND") == 1
    assert shown.err.count("✗") == 4


async def test_an_empty_line_at_a_keyboard_cancels_what_waits(
    tmp_path: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = Typed("80.00", keyboard=True)
    monkeypatch.setattr(sys, "stdin", typed)
    types = ["5.00\n", "\n", "quit\n"]

    def type_once() -> None:
        while types:
            typed.lines.put(types.pop(0))

    nobody = Nobody(type_once)
    assert await run(tmp_path / "till", nobody, FakeHost(), clock) == [(State.DONE, 8000)]
    shown = capsys.readouterr()
    assert "An empty line cancels it" in shown.out
    assert "Cancelled; nothing was paid." in shown.err


async def test_the_end_of_all_lines_cancels_it_too(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = Typed("80.00", keyboard=True)
    monkeypatch.setattr(sys, "stdin", typed)
    kept = await run(tmp_path / "till", Nobody(typed.end), FakeHost(), clock)
    assert kept == [(State.DONE, 8000)]


def test_zero_is_typed_only_where_it_asks_about_a_card() -> None:
    asking = msgspec.structs.replace(
        SETTINGS,
        aids=tuple(msgspec.structs.replace(aid, zero_amount=True) for aid in SETTINGS.aids),
    )
    assert [amount_of(text, asking) for text in ("0", "0.00", "1.00")] == [0, 0, 100]
    for text, settings in (("0", SETTINGS), ("0.00", SETTINGS), ("-0", asking), ("", asking)):
        with pytest.raises(Invalid):
            amount_of(text, settings)
