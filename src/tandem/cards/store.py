"""Device cards in SQL."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tandem.cards.codes import count_codes
from tandem.cards.model import DEVICE_CARDS, DeviceCard
from tandem.cards.proof import REFUSED_TIME, Facts
from tandem.db import Connection
from tandem.kernel import NotFound, show_id

_CARD: Final = f"SELECT {', '.join(DEVICE_CARDS.columns)} FROM device_cards"
_LIVE: Final = "('waiting_code', 'waiting_operator', 'active', 'suspended', 'lost', 'blocked')"


class CardFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which cards to list; None does not filter."""

    person_id: UUID | None = None
    device_id: UUID | None = None
    status: str | None = None
    last_four: str | None = None
    par: str | None = None


def no_card(card_id: UUID) -> NotFound:
    """There is no such card, or it is somebody else's."""
    return NotFound("card", show_id("crd", card_id))


async def card_by_id(connection: Connection, card_id: UUID) -> DeviceCard:
    """The card. Raises `NotFound`."""
    row = await connection.fetchrow(f"{_CARD} WHERE id = $1", card_id)
    if row is None:
        raise no_card(card_id)
    return DeviceCard(*row)


async def lock_cards(connection: Connection, *card_ids: UUID) -> dict[UUID, DeviceCard]:
    """The cards, locked in order of id as the journal locks them."""
    rows = await connection.fetch(DEVICE_CARDS.lock_statement, list(card_ids))
    return {row["id"]: DeviceCard(*row) for row in rows}


async def lock_number(connection: Connection, card_id: UUID) -> dict[UUID, DeviceCard]:
    """All cards with the number of this one, locked in order of id: what it renewed, its renewal.

    A renewal that was made while they were waited for is the newest, and so locked last.
    """
    cards: dict[UUID, DeviceCard] = {}
    while True:
        rows = await connection.fetch(
            "SELECT o.id FROM device_cards AS c JOIN device_cards AS o ON o.pan_hash = c.pan_hash "
            "WHERE c.id = $1",
            card_id,
        )
        more = {row["id"] for row in rows} - cards.keys()
        if not more:
            return cards
        cards |= await lock_cards(connection, *more)


async def card_by_number(
    connection: Connection, hashed: bytes, sequence: int | None
) -> DeviceCard | None:
    """The card with this number; without a sequence number the newest that was handed out."""
    row = await connection.fetchrow(
        f"{_CARD} WHERE pan_hash = $1 AND ($2::smallint IS NULL OR sequence = $2) "
        "ORDER BY delivered_at IS NULL, sequence DESC LIMIT 1",
        hashed,
        sequence,
    )
    return None if row is None else DeviceCard(*row)


async def list_cards(
    connection: Connection, wanted: CardFilter, before: UUID | None, limit: int
) -> list[DeviceCard]:
    """Cards, newest first, older than `before`."""
    rows = await connection.fetch(
        f"{_CARD} WHERE ($1::uuid IS NULL OR person_id = $1) "
        "AND ($2::uuid IS NULL OR device_id = $2) AND ($3::text IS NULL OR status = $3) "
        "AND ($4::text IS NULL OR last_four = $4) AND ($5::text IS NULL OR par = $5) "
        "AND ($6::uuid IS NULL OR id < $6) ORDER BY id DESC LIMIT $7",
        wanted.person_id,
        wanted.device_id,
        wanted.status,
        wanted.last_four,
        wanted.par,
        before,
        limit,
    )
    return [DeviceCard(*row) for row in rows]


async def lock_device_cards(connection: Connection, device_id: UUID) -> dict[UUID, DeviceCard]:
    """A device's cards that are not over, locked in order of id.

    One that was made while they were waited for is newer, and so locked after them.
    """
    cards: dict[UUID, DeviceCard] = {}
    while True:
        rows = await connection.fetch(
            f"SELECT id FROM device_cards WHERE device_id = $1 AND status IN {_LIVE}", device_id
        )
        more = {row["id"] for row in rows} - cards.keys()
        if not more:
            return cards
        cards |= await lock_cards(connection, *more)


async def load_facts(
    connection: Connection,
    person_id: UUID,
    device_id: UUID,
    number: bytes | None,
    now: datetime,
) -> Facts:
    """What is known of who wants a card, and of the issuer's `number` that it is to pay from.

    The device stays locked until the transaction ends, so that its cards are counted rightly.
    Raises `NotFound` if it is no device of this person's.
    """
    row = await connection.fetchrow(
        "SELECT d.revoked_at IS NULL, p.status = 'active', "
        "NOT EXISTS (SELECT FROM devices AS o WHERE o.person_id = $1 AND o.id < d.id), "
        "EXISTS (SELECT FROM devices AS o WHERE o.person_id = $1 AND o.id < d.id "
        "AND o.revoked_at IS NULL) "
        "FROM devices AS d JOIN people AS p ON p.id = d.person_id "
        "WHERE d.id = $2 AND d.person_id = $1 FOR NO KEY UPDATE OF d",
        person_id,
        device_id,
    )
    if row is None:
        raise NotFound("device", show_id("dev", device_id))
    cards: int = await connection.fetchval(
        f"SELECT count(*) FROM device_cards WHERE device_id = $1 AND status IN {_LIVE}", device_id
    )
    refused: int = await connection.fetchval(
        "SELECT count(*) FROM device_cards WHERE person_id = $1 AND status = 'refused' "
        "AND updated_at > $2",
        person_id,
        now - REFUSED_TIME,
    )
    wrong = await count_codes(connection, "wrong", person_id, number, now)
    in_use, active, first, earlier = row
    return Facts(
        person_active=active,
        device_in_use=in_use,
        first_device=first,
        earlier_in_use=earlier,
        cards=cards,
        refused=refused,
        wrong_codes=len(wrong.of_person),
        wrong_for_number=len(wrong.of_number),
    )


async def insert_card(connection: Connection, card: DeviceCard) -> bool:
    """Insert a card; False if its number is taken."""
    done: str = await connection.execute(
        f"{DEVICE_CARDS.one_row_statement} ON CONFLICT (pan_hash, sequence) DO NOTHING",
        *(getattr(card, column) for column in DEVICE_CARDS.columns),
    )
    return done.endswith(" 1")


async def update_card(connection: Connection, card: DeviceCard) -> None:
    """Write what may change of a card that is locked, apart from the number that taps move."""
    await connection.execute(
        "UPDATE device_cards SET status = $2, funding_currency = $3, code_hash = $4, "
        "code_until = $5, code_tries = $6, wrong_cryptograms = $7, delivered_at = $8, "
        "updated_at = $9, funding_kind = $10, funding_id = $11, funding_last_four = $12, "
        "seen = $13, stopped_at = $14, lost_at = $15 WHERE id = $1",
        card.id,
        card.status,
        card.funding_currency,
        card.code_hash,
        card.code_until,
        card.code_tries,
        card.wrong_cryptograms,
        card.delivered_at,
        card.updated_at,
        card.funding_kind,
        card.funding_id,
        card.funding_last_four,
        card.seen,
        card.stopped_at,
        card.lost_at,
    )


async def next_serial(connection: Connection, issuer: int) -> int:
    """A serial number that no certificate under this issuer key has."""
    serial: int = await connection.fetchval(
        "INSERT INTO card_serials AS s (issuer, last) VALUES ($1, 1) "
        "ON CONFLICT (issuer) DO UPDATE SET last = s.last + 1 RETURNING last",
        issuer,
    )
    return serial


async def earlier_device(
    connection: Connection, person_id: UUID, asking: UUID, device_id: UUID
) -> bool:
    """Whether `asking` is a device in use of the person's that is older than the other."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM devices WHERE id = $2 AND person_id = $1 AND id < $3 "
        "AND revoked_at IS NULL)",
        person_id,
        asking,
        device_id,
    )
    return found
