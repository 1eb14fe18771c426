"""Red packets in SQL: reads without locks. The journal alone writes them."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from tandem.db import Connection
from tandem.db.rewrite import SealedColumn
from tandem.packets.model import PACKETS, SHARES, Packet, PacketShare
from tandem.screening import MessageState

_COLUMNS: Final = ", ".join(f"p.{column}" for column in PACKETS.columns)
_SEEN: Final = (
    f"SELECT {_COLUMNS}, s.amount, coalesce(m.state, '{MessageState.CLEAR}') FROM packets AS p "
    "LEFT JOIN packet_shares AS s ON s.packet_id = p.id AND s.person_id = $1 "
    "LEFT JOIN screenings AS m ON m.object_id = p.id"
)
_SHARE: Final = f"SELECT {', '.join(SHARES.columns)} FROM packet_shares"
_LIST: Final = f"""
    {_SEEN} WHERE p.id IN (
        (SELECT id FROM packets WHERE maker_id = $1 AND ($2::uuid IS NULL OR id < $2)
            ORDER BY id DESC LIMIT $3)
        UNION (SELECT packet_id FROM packet_people
            WHERE person_id = $1 AND ($2::uuid IS NULL OR packet_id < $2)
            ORDER BY packet_id DESC LIMIT $3)
        UNION (SELECT packet_id FROM packet_shares
            WHERE person_id = $1 AND ($2::uuid IS NULL OR packet_id < $2)
            ORDER BY packet_id DESC LIMIT $3)
    ) ORDER BY p.id DESC LIMIT $3
"""


class Seen(NamedTuple):
    """A packet, what the person who looks at it has got of it, and where its message stands."""

    packet: Packet
    mine: int | None
    state: str


def link_context(packet_id: UUID) -> bytes:
    """What the sealed token of a packet's link is bound to."""
    return b"packet_links.sealed:" + packet_id.bytes


PACKET_LINKS: Final = SealedColumn("packet_links", "sealed", "pkt", link_context)
"""Where the tokens of links are kept, sealed."""


async def packet_by_id(connection: Connection, packet_id: UUID, person_id: UUID) -> Seen | None:
    """The packet as this person would see it, or None; whether they may is asked elsewhere."""
    row = await connection.fetchrow(f"{_SEEN} WHERE p.id = $2", person_id, packet_id)
    return None if row is None else Seen(Packet(*row[:-2]), *row[-2:])


async def packet_by_hash(connection: Connection, hashed: bytes, person_id: UUID) -> Seen | None:
    """The packet whose link's token has this hash, or None."""
    row = await connection.fetchrow(
        f"{_SEEN} JOIN packet_links AS l ON l.id = p.id WHERE l.hash = $2", person_id, hashed
    )
    return None if row is None else Seen(Packet(*row[:-2]), *row[-2:])


async def is_named(connection: Connection, packet_id: UUID, person_id: UUID) -> bool:
    """Whether the packet is for this person by name."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM packet_people WHERE packet_id = $1 AND person_id = $2)",
        packet_id,
        person_id,
    )
    return found


async def packets_of(
    connection: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[Seen]:
    """The packets that a person made, is named in or has opened, newest first."""
    rows = await connection.fetch(_LIST, person_id, before, limit)
    return [Seen(Packet(*row[:-2]), *row[-2:]) for row in rows]


async def sealed_token(connection: Connection, packet_id: UUID) -> bytes | None:
    """The sealed token of a packet's link; None if it has no link."""
    sealed: bytes | None = await connection.fetchval(
        "SELECT sealed FROM packet_links WHERE id = $1", packet_id
    )
    return sealed


async def shares_of(
    connection: Connection, packet_id: UUID, before: UUID | None, limit: int
) -> list[PacketShare]:
    """What was opened of a packet, the last first."""
    rows = await connection.fetch(
        f"{_SHARE} WHERE packet_id = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        packet_id,
        before,
        limit,
    )
    return [PacketShare(*row) for row in rows]


async def luckiest_of(connection: Connection, packet_id: UUID) -> UUID | None:
    """The id of the largest share, the earliest of equal ones; None if nothing was opened."""
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM packet_shares WHERE packet_id = $1 ORDER BY amount DESC, id LIMIT 1",
        packet_id,
    )
    return found


async def due_packets(connection: Connection, now: datetime, limit: int) -> list[Packet]:
    """Packets whose time is over and of which something is left."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM packets AS p WHERE p.status = 'open' AND p.expires_at <= $1 "
        "ORDER BY p.expires_at LIMIT $2",
        now,
        limit,
    )
    return [Packet(*row) for row in rows]
