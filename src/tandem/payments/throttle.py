"""A brake on guessing: how many wrong pay codes one merchant may show."""

from collections import deque
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tandem.kernel import Lru
from tandem.payments.errors import CodePaused

WRONG_CODES_AN_HOUR: Final = 20
_HOUR: Final = timedelta(hours=1)
_MERCHANTS: Final = 10_000


class WrongCodes:
    """Remembers each merchant's wrong codes of the last hour, in this process."""

    def __init__(self) -> None:
        self._times: Lru[UUID, deque[datetime]] = Lru(_MERCHANTS)

    def check(self, merchant_id: UUID, now: datetime) -> None:
        """Raise `CodePaused` if the merchant showed too many."""
        times = self._times.get(merchant_id)
        if not times:
            return
        while times and times[0] <= now - _HOUR:
            times.popleft()
        if len(times) >= WRONG_CODES_AN_HOUR:
            raise CodePaused(times[0] + _HOUR)

    def count(self, merchant_id: UUID, now: datetime) -> None:
        """Take note of a wrong code."""
        times = self._times.get(merchant_id) or deque(maxlen=WRONG_CODES_AN_HOUR)
        times.append(now)
        self._times.put(merchant_id, times)
