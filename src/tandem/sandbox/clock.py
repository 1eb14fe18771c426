"""The sandbox's virtual clock: the machine's time plus an offset that the database keeps.

Every process of one installation reads the offset from there, so that they agree.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tandem.db import Pool, work
from tandem.kernel import Invalid, SystemClock

POLL_SECONDS: Final = 0.2
MAX_OFFSET: Final = timedelta(days=3650)


class ClockView(msgspec.Struct, frozen=True):
    """The virtual clock."""

    now: Annotated[datetime, Meta(description="The time that Tandem goes by")]
    offset_seconds: Annotated[int, Meta(description="How far it is ahead of the machine's clock")]


class VirtualClock:
    """Moves a `SystemClock`, here and in every other process of the installation."""

    def __init__(self, pool: Pool, clock: SystemClock) -> None:
        self._pool = pool
        self._clock = clock

    def view(self) -> ClockView:
        """What time it is here."""
        return ClockView(self._clock.now(), int(self._clock.offset.total_seconds()))

    async def advance(self, by: timedelta) -> ClockView:
        """Move forward; a clock never goes back, and stops at ten years ahead. Raises `Invalid`."""
        if by < timedelta():
            raise Invalid("seconds", "must be forward: a clock never goes back")
        async with work(self._pool) as connection:
            seconds: int = await connection.fetchval(
                "UPDATE installation "
                "SET clock_offset_seconds = least(clock_offset_seconds + $1, $2) "
                "RETURNING clock_offset_seconds",
                int(by.total_seconds()),
                int(MAX_OFFSET.total_seconds()),
            )
        self._clock.offset = timedelta(seconds=seconds)
        return self.view()

    async def read(self) -> None:
        """Take the offset from the database."""
        async with self._pool.acquire() as connection:
            seconds: int = await connection.fetchval(
                "SELECT clock_offset_seconds FROM installation"
            )
        self._clock.offset = timedelta(seconds=seconds)

    async def follow(self) -> None:
        """Keep up with what other processes do to the clock; runs until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.read()
