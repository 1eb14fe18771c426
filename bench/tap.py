"""How long a tap takes: the whole dialogue with CDA, in one process and over a reader.

From the first command to the outcome, which asks the host: SELECT of the directory and of the
application, GET PROCESSING OPTIONS, READ RECORD, GENERATE AC with CDA, and all that the terminal
checks of it. The phone's counter is on its disk before its cryptogram leaves. Over PC/SC the phone
is a process of its own at the virtual reader, which is started for the run and ended with it.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.database import NotMeasurableError, Tell
from bench.plan import Plan
from bench.result import Measure, Parts, Sample, sample_of
from bench.rounds import Step
from bench.stopwatch import Stopwatch
from bench.tap_card import (
    AID,
    AMOUNT,
    UNIT,
    NoReaderError,
    make_card,
    phone,
    phone_at_reader,
)
from tandem.emv.terminal import (
    Answer,
    Combination,
    Knowledge,
    Outcome,
    Ready,
    Result,
    Terminal,
    Transaction,
    prepare,
    run,
)
from tandem.kernel import SystemClock, system_entropy
from tandem.tap import Direct, pcsc, virtual

IN_PROCESS: Final = "tap in process"
AT_READER: Final = "tap pc/sc"

Transmit = Callable[[bytes], Answer]
Seconds = tuple[float, float]
"""What the phone took for cryptography, and for its disk."""

_LIMIT: Final = 100_000
_READER_SECONDS: Final = 10.0
_SEEN_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.05


class Taps:
    """The terminal, and the ways to the phone that there are."""

    def __init__(self, knowledge: Knowledge, count: int) -> None:
        self._knowledge = knowledge
        self._count = count
        self._steps: list[Step] = []

    def steps(self) -> list[Step]:
        """What each round measures."""
        return self._steps

    def add(self, way: str, take: Callable[[], Sample]) -> None:
        """Another way to the phone."""
        self._steps.append(Step(Measure(way, "", 1), None, lambda: asyncio.to_thread(take)))

    def taps(
        self, watch: Stopwatch, new: Callable[[], Transmit], phones: Callable[[], Seconds]
    ) -> Sample:
        """Tap again and again; `new` puts the phone into a new field."""
        self._one(new(), -1)  # what is only slow the first time
        before, terminal = phones(), watch.seconds["terminal"]
        with watch.running():
            latencies = [self._one(new(), number) for number in range(self._count)]
        sample = sample_of(latencies, self._count, sum(latencies))
        card, disk = (now - then for now, then in zip(phones(), before, strict=True))
        spent = (card, watch.seconds["terminal"] - terminal, disk, sum(latencies))
        parts = Parts(*(seconds * 1000 / self._count for seconds in spent))
        return msgspec.structs.replace(sample, parts=parts)

    def _one(self, transmit: Transmit, number: int) -> float:
        ready = self._ready(number + 2)
        began = time.perf_counter()
        outcome = run(ready, system_entropy, transmit)
        seconds = time.perf_counter() - began
        _check(outcome)
        return seconds

    def _ready(self, sequence: int) -> Ready:
        now = SystemClock().now()
        transaction = Transaction(amount=AMOUNT, currency=UNIT, at=now, sequence=sequence)
        made = prepare(_TERMINAL, transaction, self._knowledge)
        assert isinstance(made, Ready), "the terminal takes such a payment"
        return made


_TERMINAL: Final = Terminal(
    combinations=(Combination(aid=AID, transaction_limit=_LIMIT, floor_limit=0, cvm_limit=_LIMIT),),
    country=156,
    merchant_name="Blue Door",
    merchant_category=5814,
    merchant_id="M1",
    terminal_id="T1",
)


def _check(outcome: Outcome) -> None:
    """See that it is an online request with a right signature. Raises `NotMeasurableError`."""
    card = outcome.card
    if outcome.result is not Result.ONLINE_REQUEST or card is None or not card.signed:
        raise NotMeasurableError(f"a tap came to {outcome.result}, {outcome.why}")


@asynccontextmanager
async def open_taps(plan: Plan, folder: Path, tell: Tell) -> AsyncIterator[Taps]:
    """A card and a terminal; the virtual reader too, where it can be had."""
    tell("Making a card")
    here, there = folder / "phone", folder / "phone-at-reader"
    trusted = await asyncio.to_thread(make_card, here, there)
    with ExitStack() as stack:
        taps = Taps(Knowledge(trusted=trusted), plan.taps)
        device = stack.enter_context(phone(here))
        watch = Stopwatch()

        def in_process() -> Transmit:
            direct = Direct(device)

            def transmit(apdu: bytes) -> Answer:
                watch.side = "card"
                try:
                    return direct.transmit(apdu)
                finally:
                    watch.side = "terminal"

            return transmit

        def here_so_far() -> Seconds:
            return watch.seconds["card"], watch.seconds["disk"]

        taps.add(IN_PROCESS, lambda: taps.taps(watch, in_process, here_so_far))
        try:
            field, seconds = stack.enter_context(_reader(there))
        except NoReaderError as error:
            tell(f"No taps over PC/SC: {error}")
        else:
            taps.add(AT_READER, _at_reader(taps, field, seconds))
        yield taps


def _at_reader(taps: Taps, field: pcsc.PcscField, seconds: Any) -> Callable[[], Sample]:  # noqa: ANN401 - shared by processes
    """Taps of the phone that is at the reader."""
    watch = Stopwatch()

    def new() -> Transmit:
        transport = field.wait(_SEEN_SECONDS)
        if transport is None:
            raise NotMeasurableError("the phone is not at the reader any more")
        return transport.transmit

    def so_far() -> Seconds:
        return seconds[0], seconds[1]

    return lambda: taps.taps(watch, new, so_far)


def _lacking() -> str | None:
    """Why the virtual reader cannot be tried, None if it can."""
    packages = virtual.lacking()
    if packages:
        return f"these Debian packages are missing: {' '.join(packages)}"
    if virtual.running() is not None:
        return "the virtual reader is in use"
    return pcsc.missing()


@contextmanager
def _reader(folder: Path) -> Iterator[tuple[pcsc.PcscField, Any]]:
    """The virtual reader with the phone at it, and its seconds so far. Raises `NoReaderError`."""
    lacking = _lacking()
    if lacking is not None:
        raise NoReaderError(lacking)
    command = [sys.executable, "-m", "tandem", "reader", "setup-virtual", "--foreground"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as started:  # noqa: S603 - ourselves
        try:
            until = time.monotonic() + _READER_SECONDS
            while not virtual.ready():
                if started.poll() is not None or time.monotonic() > until:
                    raise NoReaderError("the virtual reader did not start")
                time.sleep(_LOOK_SECONDS)
            with phone_at_reader(folder) as seconds:
                field = pcsc.PcscField(virtual.NAME)
                try:
                    yield field, seconds
                finally:
                    field.close()
        finally:
            started.terminate()
