"""The vault's exception list: numbers that terminals must not approve by themselves."""

from datetime import date
from typing import Final

from tandem.cards.numbers import pan_context
from tandem.db import Pool
from tandem.keyring import KeyRing

_LISTED: Final = """
    SELECT DISTINCT ON (c.pan_hash) c.id, c.pan_sealed FROM device_cards AS c
    WHERE c.delivered_at IS NOT NULL AND c.expiry >= $1 AND NOT EXISTS (
        SELECT FROM device_cards AS o
        JOIN devices AS d ON d.id = o.device_id
        JOIN people AS p ON p.id = o.person_id
        WHERE o.pan_hash = c.pan_hash AND o.status = 'active' AND o.delivered_at IS NOT NULL
        AND d.revoked_at IS NULL AND p.status = 'active'
    )
    ORDER BY c.pan_hash, c.id
"""
"""A card that is renewed keeps its number: it is listed if neither of the two pays. A renewal whose
keys nobody has fetched does not."""


async def exception_list(pool: Pool, keyring: KeyRing, today: date) -> list[str]:
    """Numbers of cards that are on devices, have not expired by `today`, and do not pay.

    They are lost, blocked, suspended or removed, or their device or person is out of use. Raises
    `SealBroken`, `KeyUnknown`.
    """
    async with pool.acquire() as connection:
        rows = await connection.fetch(_LISTED, today)
    return [keyring.open(sealed, pan_context(card_id)).decode() for card_id, sealed in rows]
