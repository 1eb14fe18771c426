"""What was done with one-time codes in the last day: how many were sent, how many typed wrong.

It is counted for each person, and for each number of an issuer's card whoever gave it, apart from
the device cards that the codes were for: one that was removed and added anew gives no new tries.
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from tandem.cards.model import DeviceCard
from tandem.cards.proof import CODES_TIME
from tandem.db import Connection, Table

Kind = Literal["sent", "wrong"]


class CardCode(msgspec.Struct, frozen=True):
    """A row of `card_codes`: a code that was sent, or one that was typed and was wrong.

    `pan_hash` is that of the issuer's card that the device card is to pay from, if it is one's.
    """

    id: UUID
    card_id: UUID
    person_id: UUID
    pan_hash: bytes | None
    kind: str
    created_at: datetime


CARD_CODES: Final = Table("card_codes", CardCode)


class Codes(msgspec.Struct, frozen=True):
    """When codes were sent, or typed wrong: by this person, and for this number. Newest first."""

    of_person: tuple[datetime, ...]
    of_number: tuple[datetime, ...]

    @property
    def last(self) -> datetime | None:
        """When the last one was."""
        return max((*self.of_person[:1], *self.of_number[:1]), default=None)

    def until(self, limit: int) -> datetime | None:
        """When there are fewer than `limit` again; None: there are now."""
        counted = (self.of_person, self.of_number)
        frees = [times[limit - 1] + CODES_TIME for times in counted if len(times) >= limit]
        return max(frees, default=None)


async def number_of(connection: Connection, card: DeviceCard) -> bytes | None:
    """The keyed hash of the issuer's number that a card is to pay from; None: the balance."""
    found: bytes | None = await connection.fetchval(
        "SELECT pan_hash FROM funding_cards WHERE id = $1", card.funding_id
    )
    return found


async def lock_tries(connection: Connection, person_id: UUID, pan_hash: bytes | None) -> None:
    """Let nobody else try this person's cards, or this number, until the transaction ends.

    Many tries at once are then counted one after the other. Take it after the locks of rows.
    """
    for who in (person_id.bytes, pan_hash):
        if who is not None:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('card tries ' || $1, 0))", who.hex()
            )


async def count_codes(
    connection: Connection, kind: Kind, person_id: UUID, pan_hash: bytes | None, now: datetime
) -> Codes:
    """The codes of a person's and of a number's in the last day."""
    rows = await connection.fetch(
        "SELECT person_id = $1, coalesce(pan_hash = $2::bytea, false), created_at FROM card_codes "
        "WHERE (person_id = $1 OR pan_hash = $2) AND kind = $3 AND created_at > $4 "
        "ORDER BY created_at DESC",
        person_id,
        pan_hash,
        kind,
        now - CODES_TIME,
    )
    return Codes(
        tuple(at for by_person, _, at in rows if by_person),
        tuple(at for _, of_number, at in rows if of_number),
    )


async def note_code(connection: Connection, code: CardCode) -> None:
    """Count a code."""
    await connection.execute(
        CARD_CODES.one_row_statement, *(getattr(code, column) for column in CARD_CODES.columns)
    )


async def forget_sent(connection: Connection, code_id: UUID) -> None:
    """A code was not sent after all."""
    await connection.execute("DELETE FROM card_codes WHERE id = $1 AND kind = 'sent'", code_id)


async def purge_codes(connection: Connection, now: datetime) -> int:
    """Take away what does not count any more. Returns how many rows."""
    done: str = await connection.execute(
        "DELETE FROM card_codes WHERE created_at <= $1", now - CODES_TIME
    )
    return int(done.rpartition(" ")[2])
