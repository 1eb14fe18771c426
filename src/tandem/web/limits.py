"""How fast one key or one network address may ask: token buckets, in memory and bounded.

A bucket is one number, the time at which it will be full again (the generic cell rate algorithm of
ITU-T I.371, which is the token bucket counted the other way round). Time is passed in, in seconds
of a clock that never goes back. Each process counts for itself.
"""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final
from uuid import UUID

from tandem.api.errors import TooManyRequests
from tandem.api.operation import Limit
from tandem.settings import Settings

BURST: Final = 4
"""A key that was quiet may ask this many seconds' worth at once."""
MAX_BUCKETS: Final = 50_000
"""Buckets in memory; beyond it the one that was asked for longest ago is forgotten."""
HOUR: Final = 3600.0
_IPV6_SITE: Final = 64


class Buckets:
    """A bucket for each key: `rate` a second flow in, at most `burst` at once."""

    def __init__(self, rate: float, burst: int, size: int = MAX_BUCKETS) -> None:
        self._interval = 1 / rate
        self._room = (burst - 1) * self._interval
        self._size = size
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, now: float) -> float:
        """Take one; returns 0, or the seconds to wait if there is none (nothing is taken then)."""
        full_at = self._full_at
        full = max(full_at.get(key, now), now)
        wait = full - now - self._room
        if wait > 0:
            return wait
        full_at[key] = full + self._interval
        full_at.move_to_end(key)
        if len(full_at) > self._size:
            full_at.popitem(last=False)
        return 0.0

    def wait(self, key: Hashable, now: float) -> float:
        """The seconds until one could be taken; 0 if it can be now."""
        return max(0.0, self._full_at.get(key, now) - now - self._room)


class Limits:
    """All the limits of one process. `tick` tells the seconds of a clock that never goes back."""

    def __init__(self, settings: Settings, tick: Callable[[], float]) -> None:
        rate, hourly = settings.rate_per_second, settings.sign_ups_per_hour
        self._tick = tick
        self._keys = Buckets(rate, rate * BURST)
        self._reads = Buckets(rate, rate * BURST)
        self._sign_ups = Buckets(hourly / HOUR, hourly)
        sign_ins = settings.sign_ins_per_hour
        self._sign_ins = Buckets(sign_ins / HOUR, sign_ins)
        visits = settings.visits_per_hour
        self._visits = Buckets(visits / HOUR, visits)
        self._wrong_sessions = Buckets(sign_ins / HOUR, sign_ins)
        self._wrong_keys = Buckets(hourly / HOUR, hourly)

    def request(self, key_id: UUID) -> None:
        """Count a request of a key. Raises `TooManyRequests`."""
        _refuse("key", self._keys.take(key_id, self._tick()))

    def stranger(self, client: str, *, writes: bool, limit: Limit = "sign_up") -> None:
        """Count a request without a key: few sign-ups, more sign-ins and visits, much reading.

        Raises `TooManyRequests`.
        """
        buckets = self._reads
        if writes:
            buckets = {
                "sign_up": self._sign_ups,
                "sign_in": self._sign_ins,
                "visit": self._visits,
            }[limit]
        _refuse("network address", buckets.take(site(client), self._tick()))

    def before_key(self, client: str, secret: str, known: Callable[[str], bool]) -> None:
        """Look whether this address may try a key: it sent too many wrong ones, it may not.

        A key that is known to be right is let through, so that one bad client behind a shared
        address does not shut its neighbours out. Raises `TooManyRequests`.
        """
        if not len(self._wrong_keys):
            return
        wait = self._wrong_keys.wait(site(client), self._tick())
        if wait > 0 and not known(secret):
            _refuse("network address", wait)

    def before_session(self, client: str, *, known: bool) -> None:
        """As `before_key`, for a session's token. Raises `TooManyRequests`."""
        if not known:
            wait = self._wrong_sessions.wait(site(client), self._tick())
            _refuse("network address", wait)

    def wrong_session(self, client: str) -> None:
        """Count a session that is not known, or over: each was looked up."""
        self._wrong_sessions.take(site(client), self._tick())

    def wrong_key(self, client: str) -> None:
        """Count a key that was not right."""
        self._wrong_keys.take(site(client), self._tick())


def site(client: str) -> Hashable:
    """Whom an address stands for: an IPv6 customer has a whole /64 (RFC 6177)."""
    if ":" not in client:
        return client
    try:
        return int(ipaddress.IPv6Address(client.partition("%")[0])) >> _IPV6_SITE
    except ValueError:
        return client


def _refuse(limit: str, wait: float) -> None:
    if wait > 0:
        raise TooManyRequests(limit, math.ceil(wait))
