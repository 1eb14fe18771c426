"""What is booked by hand, with a bank's reference: once, and anew only if it was taken back.

The tables of such bookings have the columns `reference` and `replaces`, unique together: a booking
takes the place of none, or of one that was corrected in full (`corrections`).
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from tandem.db import Connection, Table
from tandem.ledger.errors import ReferenceBooked


async def replaced(connection: Connection, table: Table[Any], reference: str) -> UUID | None:
    """The booking that a new one with this reference takes the place of; None if there is none.

    Raises `ReferenceBooked` if what is booked under it still stands.
    """
    row = await connection.fetchrow(
        "SELECT b.id, c.amount IS NOT DISTINCT FROM b.amount "
        f"FROM {table.name} AS b LEFT JOIN corrections AS c ON c.booking_id = b.id "
        "WHERE b.reference = $1 AND NOT EXISTS ("
        f"SELECT FROM {table.name} AS newer WHERE newer.reference = $1 AND newer.replaces = b.id)",
        reference,
    )
    if row is None:
        return None
    booking_id: UUID
    booking_id, taken_back = row
    if not taken_back:
        raise ReferenceBooked(reference)
    return booking_id


async def corrected(connection: Connection, bookings: Collection[UUID]) -> dict[UUID, int]:
    """How much was taken back of these bookings, in minor units: those of which anything was."""
    if not bookings:
        return {}
    rows = await connection.fetch(
        "SELECT booking_id, amount FROM corrections WHERE booking_id = ANY($1)", list(bookings)
    )
    return {row[0]: row[1] for row in rows}
