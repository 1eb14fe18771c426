"""The names of accounts' owners."""

from collections.abc import Collection
from uuid import UUID

from tandem.db import Connection


async def owner_names(connection: Connection, owners: Collection[UUID]) -> dict[UUID, str]:
    """What people, merchants and issuers with these ids are called."""
    rows = await connection.fetch(
        "SELECT id, name FROM people WHERE id = ANY($1) "
        "UNION ALL SELECT id, name FROM merchants WHERE id = ANY($1) "
        "UNION ALL SELECT id, name FROM issuers WHERE id = ANY($1)",
        list(owners),
    )
    return {row[0]: row[1] for row in rows}
