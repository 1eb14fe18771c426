"""A token bucket: how many messages a link may send a second, with bursts. Pure."""


class Bucket:
    """Holds up to `rate` tokens and gains `rate` a second. Times are monotonic, in seconds.

    Whoever finds none takes one in advance and waits for it, so that of many who wait each wakes
    once, in turn, and not all of them for every token.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tokens = float(rate)
        self._at_seconds: float | None = None

    def take(self, now_seconds: float) -> float:
        """Take a token. Returns how long to wait before using it, in seconds; 0: not at all."""
        before = now_seconds if self._at_seconds is None else self._at_seconds
        gained = max(0.0, now_seconds - before) * self._rate
        self._tokens = min(float(self._rate), self._tokens + gained) - 1
        self._at_seconds = max(before, now_seconds)
        return max(0.0, -self._tokens / self._rate)
