"""What was measured, as it is kept in JSON."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

Pattern = Literal["", "uniform", "hot"]
"""Whom people pay: any merchant, or all of them the same one."""


class Parts(msgspec.Struct, frozen=True):
    """What a tap takes on average: cryptography on each side, the phone's disk, and all of it."""

    card_ms: float
    terminal_ms: float
    disk_ms: float
    whole_ms: float


class Sample(msgspec.Struct, frozen=True):
    """One measurement: `count` payments (or commits) in `seconds`; latencies in milliseconds.

    `acknowledged` also counts those before and after the time that was measured. `others` is how
    many cores other programs took meanwhile, if that is known. `parts` are those of taps.
    """

    count: int
    seconds: float
    p50_ms: float
    p99_ms: float
    acknowledged: int
    others: float | None = None
    parts: Parts | None = None

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.count / self.seconds


class Measure(msgspec.Struct):
    """One thing that was measured in each round."""

    way: str
    pattern: Pattern
    clients: int
    samples: list[Sample] = []

    @property
    def key(self) -> str:
        """Its name, the same in every run."""
        return " ".join(part for part in (self.way, self.pattern, str(self.clients)) if part)

    def rates(self) -> list[float]:
        """How many a second, in each round."""
        return [sample.rate for sample in self.samples]

    def median_rate(self) -> float:
        """The median of the rounds."""
        return median(self.rates())

    def p50_ms(self) -> float:
        """The median of the rounds' medians."""
        return median(sample.p50_ms for sample in self.samples)

    def p99_ms(self) -> float:
        """The median of the rounds' 99th percentiles."""
        return median(sample.p99_ms for sample in self.samples)


class Machine(msgspec.Struct, frozen=True):
    """Where it ran. Two machines with the same name are compared."""

    name: str
    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    postgresql: str
    fdatasync_ms: float | None


class Run(msgspec.Struct):
    """A whole run."""

    date: str
    plan: str
    machine: Machine
    measures: list[Measure]
    verified_transfers: int
    seconds: float

    def others(self) -> float | None:
        """How many cores other programs took in most measurements: the median, if it is known."""
        samples = (sample for measure in self.measures for sample in measure.samples)
        known = [sample.others for sample in samples if sample.others is not None]
        return median(known) if known else None


def sample_of(
    latencies: Sequence[float], count: int, seconds: float, acknowledged: int | None = None
) -> Sample:
    """A sample of latencies in seconds, of which there must be some."""
    assert latencies, "nothing was measured"
    ordered = sorted(latencies)
    return Sample(
        count,
        seconds,
        _percentile(ordered, 50) * 1000,
        _percentile(ordered, 99) * 1000,
        count if acknowledged is None else acknowledged,
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
