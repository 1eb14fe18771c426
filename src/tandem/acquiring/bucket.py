"""A token bucket: how many messages a link may send a second, with bursts. Pure."""

from typing import Final

_ROUNDING: Final = 1e-9
"""So that whoever waited as long as was said does not find the last millionth missing."""


class Bucket:
    """Holds up to `rate` tokens and gains `rate` a second. Times are monotonic, in seconds."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tokens = float(rate)
        self._at_seconds: float | None = None

    def take(self, now_seconds: float) -> bool:
        """Take a token, if there is one."""
        before = now_seconds if self._at_seconds is None else self._at_seconds
        gained = max(0.0, now_seconds - before) * self._rate
        self._tokens = min(float(self._rate), self._tokens + gained)
        self._at_seconds = max(before, now_seconds)
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True

    @property
    def wait_seconds(self) -> float:
        """How long until the next token, after `take` found none."""
        return max(0.0, 1 - self._tokens) / self._rate
