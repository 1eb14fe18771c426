"""Ids: UUIDv7 (RFC 9562 §5.7), so that they grow with time and keep the indexes warm.

Outside the database an id is shown with a prefix that says what it names: `pay_0199…`, the prefix
and the UUID's 32 hexadecimal digits, the same digits that SQL shows.

A **journal entry**'s id ends in a zero byte, and its transfers take that id with their ordinal
(1 to 255) in the last byte. So an entry's transfers are one range of the primary key, and whoever
lost an answer can ask for the outcome by the id alone.
"""

import os
import re
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg.pgproto import pgproto

from tandem.kernel.clock import Clock
from tandem.kernel.errors import Invalid

Entropy = Callable[[int], bytes]
"""A source of randomness: takes a number of bytes, returns that many."""

system_entropy: Entropy = os.urandom

MAX_TRANSFERS_PER_ENTRY: Final = 255
_ORDINALS: Final = tuple(bytes((n,)) for n in range(MAX_TRANSFERS_PER_ENTRY + 1))
_RANDOMS: Final = struct.Struct(">64Q")  # one call of the system for 64 ids
_HALVES: Final = struct.Struct(">QQ").pack
_RANDOM_BITS: Final = 2**62 - 1
_VARIANT: Final = 0b10 << 62
_ENTRY_BITS: Final = _RANDOM_BITS & ~0xFF
_SHOWN = re.compile(r"([a-z]{2,8})_([0-9a-f]{32})", re.ASCII)


class Ids:
    """Makes UUIDv7 ids in growing order, from a clock and a source of randomness passed in.

    `rand_a` (12 bits) counts within a millisecond (RFC 9562 §6.2, method 1), so ids of one maker
    are strictly increasing even if the clock stands still or steps back.
    """

    def __init__(self, clock: Clock, entropy: Entropy = system_entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._last = 0
        self._moment: datetime | None = None
        self._tick = 0
        self._randoms: list[int] = []

    def new(self) -> UUID:
        """A new id."""
        return self.at(self._clock.now())

    def at(self, now: datetime, bits: int = _RANDOM_BITS) -> UUID:
        """A new id of a moment that the caller knows. `bits` are those of `rand_b` to fill."""
        if now is not self._moment:
            self._moment, self._tick = now, int(now.timestamp() * 1000) << 12
        self._last = tick = max(self._tick, self._last + 1)
        if not self._randoms:
            self._randoms += _RANDOMS.unpack(self._entropy(_RANDOMS.size))
        high = (tick >> 12) << 16 | 0x7000 | tick & 0xFFF
        return pgproto.UUID(_HALVES(high, _VARIANT | self._randoms.pop() & bits))

    def entry(self) -> UUID:
        """A new journal entry's id: its last byte is zero, left for its transfers."""
        return self.at(self._clock.now(), _ENTRY_BITS)


def uuid_of(number: int) -> UUID:
    """The UUID of a 128-bit number.

    The driver's UUID is one of the standard library's that is made, hashed and compared in C: a
    payment does that some fifty times.
    """
    return pgproto.UUID(number.to_bytes(16, "big"))


def first_id(moment: datetime) -> UUID:
    """The lowest UUIDv7 of a moment: what was made from then on has this id or a greater one."""
    return uuid_of(int(moment.timestamp() * 1000) << 80)


def _numbered(entry_id: UUID, ordinal: int) -> UUID:
    return pgproto.UUID(entry_id.bytes[:15] + _ORDINALS[ordinal])


def transfer_id(entry_id: UUID, ordinal: int) -> UUID:
    """The id of the `ordinal`-th transfer (from 1) of a journal entry."""
    if not 1 <= ordinal <= MAX_TRANSFERS_PER_ENTRY:
        message = f"an entry has 1 to {MAX_TRANSFERS_PER_ENTRY} transfers, not {ordinal}"
        raise ValueError(message)
    return _numbered(entry_id, ordinal)


def entry_of(transfer: UUID) -> UUID:
    """The id of the journal entry that a transfer belongs to."""
    return _numbered(transfer, 0)


def show_id(prefix: str, value: UUID) -> str:
    """The id as people and the API see it: `pay_` and 32 hexadecimal digits."""
    return f"{prefix}_{value.hex}"


def read_id(prefix: str, text: str, field: str = "id") -> UUID:
    """Read an id that was shown with `prefix`. Raises `Invalid` if it isn't one."""
    match = _SHOWN.fullmatch(text)
    if match is None or match[1] != prefix:
        raise Invalid(field, f"must be {prefix}_ followed by 32 hexadecimal digits")
    return UUID(hex=match[2])
