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
_AT_ONCE: Final = 64  # ids for each call of the system
_HALF: Final = struct.Struct(">Q").pack
_TAILS: Final = struct.Struct("8s" * _AT_ONCE)
_VERSION: Final = 0x7000
_RAN_OVER: Final = 0x8000
"""The bit that is set when the count, which goes up to 0x7FFF with the version, is used up."""
_NEXT_MILLISECOND: Final = 0x10000 + _VERSION - _RAN_OVER
_RAND_B: Final = int.from_bytes((b"\x3f" + b"\xff" * 7) * _AT_ONCE, "big")
_VARIANT: Final = int.from_bytes((b"\x80" + b"\x00" * 7) * _AT_ONCE, "big")
_SHOWN = re.compile(r"([a-z]{2,8})_([0-9a-f]{32})", re.ASCII)


class Ids:
    """Makes UUIDv7 ids in growing order, from a clock and a source of randomness passed in.

    `rand_a` (12 bits) counts within a millisecond (RFC 9562 §6.2, method 1), so ids of one maker
    are strictly increasing even if the clock stands still or steps back.
    """

    def __init__(self, clock: Clock, entropy: Entropy = system_entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._moment: datetime | None = None
        self._high = 0
        """The first half of the last id: its milliseconds, the version, its count within them."""
        self._tails: list[bytes] = []
        """Second halves for the next ids."""

    def new(self) -> UUID:
        """A new id."""
        return self.at(self._clock.now())

    def entry(self) -> UUID:
        """A new journal entry's id: its last byte is zero, left for its transfers."""
        return self.at(self._clock.now(), entry=True)

    def at(self, now: datetime, *, entry: bool = False) -> UUID:
        """A new id of a moment that the caller knows; that of an `entry` ends in a zero byte."""
        high = self._high + 1
        if now is not self._moment:
            self._moment, high = now, max(int(now.timestamp() * 1000) << 16 | _VERSION, high)
        if high & _RAN_OVER:
            high += _NEXT_MILLISECOND
        self._high = high
        if not self._tails:
            self._draw()
        tail = self._tails.pop()
        return pgproto.UUID(_HALF(high) + (tail[:7] + b"\0" if entry else tail))

    def _draw(self) -> None:
        """Make second halves: 62 random bits, behind the variant."""
        drawn = int.from_bytes(self._entropy(_TAILS.size), "big")
        self._tails += _TAILS.unpack((drawn & _RAND_B | _VARIANT).to_bytes(_TAILS.size, "big"))


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
