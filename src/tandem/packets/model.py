"""Red packets: their rows, and what a share is. Pure. Amounts in minor units.

A red packet (hongbao) is money that a person puts aside for others, who each open it once. *Equal*
shares differ by at most one minor unit. By *luck* they follow the doubled mean, as the wallets
that made red packets popular have it: with m left for n people, the next gets 1 and a whole number
drawn evenly from 0 to twice the mean of what m leaves beyond 1 for each. So everybody may expect
m / n, whoever comes first; who comes later finds larger differences.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tandem.db import SmallInt, Table
from tandem.kernel import equal_part, uuid_of

MAX_SHARES: Final = 100
MAX_SECONDS: Final = 7 * 86_400
"""The longest time for which a packet can be opened."""

DIVISIONS: Final = ("equal", "luck")
AUDIENCES: Final = ("named", "link")
STATES: Final = ("open", "emptied", "expired", "cancelled")

TOKEN_BYTES: Final = 16
LUCK_BYTES: Final = 32
_HALF: Final = LUCK_BYTES // 2
_UUID_BYTES: Final = 16


class Packet(msgspec.Struct, frozen=True):
    """A row of `packets`: money for whoever may open it.

    `audience` is `named` (rows of `packet_people`) or `link` (a row of `packet_links`). `opened`
    counts the shares that were opened, `opened_amount` is their sum.
    """

    id: UUID
    maker_id: UUID
    maker_name: str
    amount: int
    currency: str
    shares: SmallInt
    division: str
    audience: str
    maker_opens: bool
    message: str | None
    status: str
    opened: SmallInt
    opened_amount: int
    expires_at: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def left(self) -> int:
        """What nobody has opened yet."""
        return self.amount - self.opened_amount


class PacketPerson(msgspec.Struct, frozen=True):
    """A row of `packet_people`: somebody whom a packet is for."""

    packet_id: UUID
    person_id: UUID
    name: str


class PacketLink(msgspec.Struct, frozen=True):
    """A row of `packet_links`, by its packet's id: the link's token, hashed and sealed."""

    id: UUID
    hash: bytes
    sealed: bytes


class PacketShare(msgspec.Struct, frozen=True):
    """A row of `packet_shares`: what somebody got."""

    packet_id: UUID
    person_id: UUID
    id: UUID
    name: str
    amount: int
    created_at: datetime


PACKETS: Final = Table(
    "packets", Packet, mutable=("status", "opened", "opened_amount", "updated_at"), rank=12
)
PEOPLE: Final = Table(
    "packet_people", PacketPerson, key=("packet_id", "person_id"), rank=13, log=True
)
LINKS: Final = Table("packet_links", PacketLink, rank=13, log=True)
SHARES: Final = Table("packet_shares", PacketShare, key=("packet_id", "person_id"), rank=13)


def next_share(packet: Packet, luck: bytes) -> int:
    """What the next person gets who opens the packet. `luck` is `LUCK_BYTES` random bytes.

    At least one minor unit, and it leaves as much for each who comes later; the last gets the rest.
    """
    left, people = packet.left, packet.shares - packet.opened
    if people == 1:
        return left
    if packet.division == "equal":
        return equal_part(left, people)
    # The most is twice the mean, which need not be whole: it is one more as often as makes it so.
    most, rest = divmod(2 * (left - people), people)
    most += _below(people, luck[:_HALF]) < rest
    return 1 + _below(most + 1, luck[_HALF:])


def _below(end: int, random: bytes) -> int:
    """A number from 0 to `end` - 1; of 128 random bits, so none is likelier by 2^-77 of itself."""
    return int.from_bytes(random) * end >> (8 * _HALF)


def hash_token(token: str) -> bytes:
    """What a link's token is found by."""
    return hashlib.sha256(b"tandem packet\0" + token.encode()).digest()


def payee_of(people: Iterable[UUID]) -> UUID:
    """Who is paid by a packet, as its maker's passkey confirms it: the people that it is for.

    Of nobody, it is whoever has the link.
    """
    said = b"".join(sorted(person.bytes for person in people))
    digest = hashlib.sha256(b"tandem packet for\0" + said).digest()
    return uuid_of(int.from_bytes(digest[:_UUID_BYTES]))


def subject_of(person_id: UUID) -> bytes:
    """By what a person's wrong links are counted."""
    return hashlib.sha256(b"tandem packet links\0" + person_id.bytes).digest()
