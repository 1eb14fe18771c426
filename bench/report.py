"""The table, the targets, and what changed since the last run on the same machine."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

import msgspec

from bench.result import Machine, Measure, Pattern, Run

WIDTH: Final = 100
_TITLES: Final = {
    "bare": "One row, one commit",
    "tandem journal": "Tandem's journal",
    "usual pgbench": "The usual way, pgbench",
    "tandem http": "Tandem over HTTP",
    "usual http": "The usual way over HTTP",
    "tandem http pay code": "Tandem over HTTP, pay codes",
    "tandem iso 8583": "Tandem over ISO 8583, clients: links",
    "tandem iso 8583 half": "Tandem over ISO 8583, at half of it",
    "tandem http first": "Tandem over HTTP, nothing cached",
    "usual http first": "The usual way over HTTP, first run",
    "tap in process": "A tap with CDA, in one process",
    "tap pc/sc": "A tap with CDA, over PC/SC",
}
_RIVALS: Final = {
    "tandem journal": "usual pgbench",
    "tandem http": "usual http",
    "tandem http first": "usual http first",
}
_AT: Final = 64
_LINKS: Final = 8
_BUSY: Final = 0.1
"""So many cores taken by others spoil the figures."""
_ALLOWED_MS: Final = 500
"""For a tap: what terminals of the card schemes have to keep to between card and reader."""
_COLUMNS: Final = "{:38}{:>7} {:>10} {:>17} {:>8} {:>8} {:>6}"


Spread = tuple[float, float, float]
"""Median, least and most of the rounds."""


class Target(NamedTuple):
    """A ratio or a time to reach, and what was `found` (None: not measured).

    Payments a second are to be at least so many times the usual way's, times and latencies `below`.
    """

    text: str
    wanted: float
    found: Spread | None
    below: bool = False

    @property
    def reached(self) -> bool:
        """Whether the median reaches it."""
        if self.found is None:
            return False
        return self.found[0] < self.wanted if self.below else self.found[0] >= self.wanted


class Measures:
    """The measures of a run, by what they are."""

    def __init__(self, run: Run) -> None:
        self.all = run.measures
        self._by_key = {measure.key: measure for measure in run.measures}

    def find(self, way: str, pattern: Pattern, clients: int) -> Measure | None:
        """The measure, if this run has it."""
        return self._by_key.get(Measure(way, pattern, clients).key)

    def best(self, way: str, pattern: Pattern) -> Measure | None:
        """The measure of this way with the highest rate."""
        found = [m for m in self.all if m.way == way and m.pattern == pattern]
        return max(found, key=Measure.median_rate, default=None)


def rate_ratio(ours: Measure | None, theirs: Measure | None) -> Spread | None:
    """How many times theirs: median, least and most of the ratios within each round."""
    if ours is None or theirs is None:
        return None
    return _spread([a / b for a, b in zip(ours.rates(), theirs.rates(), strict=True)])


def _spread(values: Sequence[float]) -> Spread:
    return median(values), min(values), max(values)


def targets(run: Run) -> list[Target]:
    """What is to be reached, and what was."""
    measures = Measures(run)
    find, best = measures.find, measures.best
    lone, bare = find("tandem journal", "uniform", 1), find("bare", "", 1)
    latency = None
    if lone is not None and bare is not None:
        pairs = zip(lone.samples, bare.samples, strict=True)
        latency = _spread([one.p50_ms / other.p50_ms for one, other in pairs])

    def journal(pattern: Pattern) -> Spread | None:
        return rate_ratio(best("tandem journal", pattern), find("usual pgbench", pattern, 16))

    def http(pattern: Pattern) -> Spread | None:
        return rate_ratio(find("tandem http", pattern, _AT), find("usual http", pattern, _AT))

    def iso(links: int) -> Spread | None:
        return rate_ratio(
            find("tandem iso 8583", "uniform", links), find("tandem http", "uniform", _AT)
        )

    half = find("tandem iso 8583 half", "uniform", _LINKS)
    slowest = None if half is None else _spread([sample.p99_ms for sample in half.samples])

    def tap(way: str) -> Spread | None:
        taps = find(way, "", 1)
        return None if taps is None else _spread([sample.p99_ms for sample in taps.samples])

    equal = rate_ratio(find("tandem journal", "uniform", 16), find("usual pgbench", "uniform", 16))
    return [
        Target("journal at its best / usual way, 16 clients, uniform", 5, journal("uniform")),
        Target("journal at its best / usual way, 16 clients, hot", 15, journal("hot")),
        Target("journal / usual way, both 16 clients, uniform", 2, equal),
        Target(f"HTTP / usual way, {_AT} connections, uniform", 4, http("uniform")),
        Target(f"HTTP / usual way, {_AT} connections, hot", 12, http("hot")),
        Target("p50 of a lone payment / of a bare commit", 2.5, latency, below=True),
        Target(f"ISO 8583, 1 link / HTTP, {_AT} connections, uniform", 0.5, iso(1)),
        Target(f"ISO 8583, {_LINKS} links / HTTP, {_AT} connections, uniform", 0.5, iso(_LINKS)),
        Target("p99 in ms over ISO 8583 at half load", 50, slowest, below=True),
        Target("p99 of a tap with CDA in one process, ms", 10, tap("tap in process"), below=True),
        Target(
            "p99 of a tap with CDA over the virtual reader, ms", 20, tap("tap pc/sc"), below=True
        ),
    ]


def table(run: Run) -> Iterator[str]:
    """The run as text, line by line, at most `WIDTH` columns wide."""
    yield from _heading(run.machine)
    others = run.others()
    if others is not None and others > _BUSY:
        yield f"Other programs took {others:.1f} cores meanwhile: do not trust these figures."
    yield ""
    yield _COLUMNS.format("", "clients", "a second", "least to most", "p50 ms", "p99 ms", "ratio")
    measures = Measures(run)
    sections: list[Pattern] = ["", "uniform", "hot"]
    for pattern in sections:
        shown = [measure for measure in run.measures if measure.pattern == pattern]
        if pattern:
            yield f"--- {_PATTERN_TITLES[pattern]} ".ljust(WIDTH, "-")
        order = list(_TITLES)
        for measure in sorted(shown, key=lambda m: (order.index(m.way), m.clients)):
            yield _line(measure, measures)
    yield ""
    yield "--- to reach ".ljust(WIDTH, "-")
    for target in targets(run):
        yield _target_line(target)
    yield from _parts(run)
    yield ""
    yield (
        f"Plan {run.plan!r}, medians of {_rounds(run)} rounds; "
        f"{run.verified_transfers:,} transfers verified; {run.seconds:.0f} s in all."
    )


def _parts(run: Run) -> Iterator[str]:
    """What a tap is made of."""
    for measure in run.measures:
        found = [sample.parts for sample in measure.samples if sample.parts is not None]
        if found:
            card, terminal, disk, whole = (
                median(values) for values in zip(*map(msgspec.structs.astuple, found), strict=True)
            )
            yield (
                f"  {_TITLES[measure.way]}: {whole:.1f} ms on average, of the "
                f"{_ALLOWED_MS} that the industry allows;"
            )
            yield (
                f"    {(card + terminal) / whole:.0%} is cryptography ({card:.2f} ms the phone's, "
                f"{terminal:.2f} the terminal's), {disk / whole:.0%} the phone's disk."
            )


_PATTERN_TITLES: Final = {
    "uniform": "uniform: everybody pays anybody",
    "hot": "hot: everybody pays the same merchant",
}


def _rounds(run: Run) -> int:
    return max(len(measure.samples) for measure in run.measures)


def _heading(machine: Machine) -> Iterator[str]:
    sync = "unknown" if machine.fdatasync_ms is None else f"{machine.fdatasync_ms:.2f} ms"
    said = "with --enable-optimizations" if machine.python_said else "it does not say how"
    turn = machine.python_turn_ns
    took = "" if turn is None else f"; {turn:.0f} ns for a turn of a small loop"
    yield f"{machine.name}; {machine.kernel}"
    yield f"Python {machine.python}, built: {said}{took}"
    yield f"PostgreSQL {machine.postgresql}, fsync on; fdatasync of 8 KiB {sync}"


def _line(measure: Measure, measures: Measures) -> str:
    rates = measure.rates()
    rival = _RIVALS.get(measure.way)
    theirs = None if rival is None else measures.find(rival, measure.pattern, measure.clients)
    ratio = rate_ratio(measure, theirs)
    shown = "" if ratio is None else f"{ratio[0]:.1f} x"
    span = f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else ""
    return _COLUMNS.format(
        _TITLES[measure.way],
        f"{measure.clients:,}",
        f"{measure.median_rate():,.0f}",
        span,
        f"{measure.p50_ms():.2f}",
        f"{measure.p99_ms():.2f}",
        shown,
    )


def _target_line(target: Target) -> str:
    wanted = f"{'below' if target.below else 'at least'} {target.wanted:g}"
    if target.found is None:
        return f"- {target.text:58} {wanted:>13}   not measured"
    middle, least, most = target.found
    span = f"{least:.1f} to {most:.1f}" if least < most else ""
    sign = "✓" if target.reached else "✗"
    return f"{sign} {target.text:58} {wanted:>13} {middle:>7.2f} {span:>14}"


def changes(run: Run, before: Run) -> Iterator[str]:
    """What changed since an earlier run on the same machine.

    A change is marked only where the rounds of the two runs do not overlap: less is noise.
    """
    yield f"Since {before.date}:"
    old = Measures(before)
    marked = 0
    for measure in run.measures:
        then = old.find(measure.way, measure.pattern, measure.clients)
        if then is None or _overlap(measure.rates(), then.rates()):
            continue
        marked += 1
        change = measure.median_rate() / then.median_rate() - 1
        yield (
            f"  {measure.key:44} {then.median_rate():>10,.0f} -> {measure.median_rate():>10,.0f} "
            f"a second {change:>+7.0%}"
        )
    if marked == 0:
        yield "  nothing beyond what the rounds differ by."


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return min(one) <= max(other) and min(other) <= max(one)


def progress(tell: Callable[[str], None], where: str, measure: Measure) -> None:
    """Tell what was measured just now."""
    last = measure.samples[-1]
    tell(
        f"{where} {measure.key:34} {last.rate:>9,.0f} a second   "
        f"p50 {last.p50_ms:>8.2f} ms   p99 {last.p99_ms:>8.2f} ms"
    )
