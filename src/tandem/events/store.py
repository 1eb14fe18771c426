"""Events, endpoints and deliveries in the database."""

from uuid import UUID

from tandem.db import Connection
from tandem.events.model import Endpoint


async def load_endpoints(connection: Connection, merchant_id: UUID) -> tuple[Endpoint, ...]:
    """A merchant's endpoints that are not deleted, oldest first."""
    rows = await connection.fetch(
        "SELECT id, merchant_id, url, types, enabled, created_at FROM webhook_endpoints "
        "WHERE merchant_id = $1 AND deleted_at IS NULL ORDER BY id",
        merchant_id,
    )
    return tuple(Endpoint(i, m, url, tuple(types), on, at) for i, m, url, types, on, at in rows)
