"""Time, passed in. Nothing in Tandem reads the machine's clock but `SystemClock`."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day."""

    def now(self) -> datetime:
        """The present moment, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock, moved by `offset` (zero unless a sandbox moved it)."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The machine's time plus the offset."""
        now = datetime.now(UTC)
        return now + self.offset if self.offset else now


class ManualClock:
    """A clock that stands still until it is told to move: for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The moment that was last set."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward; a clock never goes back."""
        if by < timedelta():
            message = f"a clock cannot go back by {by}"
            raise ValueError(message)
        self._now += by
