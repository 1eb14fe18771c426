"""What a journal's groups were like lately: how many, how large, how long they took."""

from collections import deque
from typing import Final, NamedTuple

import msgspec

KEPT: Final = 1000
"""Groups that are looked at."""


class JournalState(msgspec.Struct, frozen=True):
    """How a journal does. Times in milliseconds, over the last groups (`KEPT` at most)."""

    running: bool
    waiting: int
    groups: int
    entries: int
    largest_group: int
    median_ms: float
    slowest_ms: float


class _Group(NamedTuple):
    entries: int
    seconds: float


class Gauge:
    """Counts groups since the start, and keeps the last of them."""

    def __init__(self) -> None:
        self._groups = 0
        self._entries = 0
        self._last: deque[_Group] = deque(maxlen=KEPT)

    def add(self, entries: int, seconds: float) -> None:
        """A group of so many entries was settled in this time."""
        self._groups += 1
        self._entries += entries
        self._last.append(_Group(entries, seconds))

    def state(self, *, running: bool, waiting: int) -> JournalState:
        """What they come to."""
        times = sorted(group.seconds for group in self._last) or [0.0]
        return JournalState(
            running,
            waiting,
            self._groups,
            self._entries,
            max((group.entries for group in self._last), default=0),
            round(times[len(times) // 2] * 1000, 1),
            round(times[-1] * 1000, 1),
        )
