"""Webhook deliveries of all merchants: what waits, what is late, what nobody tries any more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection
from tandem.kernel import show_id

DeliveryFilter = Literal["failed", "late", "pending"]


class DeliveryOfMerchant(msgspec.Struct, frozen=True):
    """A delivery as the operator sees it: with whose it is, without what it says."""

    id: Annotated[str, Meta(examples=["whd_0199f0a4c0de7000800000000000003c"])]
    merchant_id: Annotated[str, Meta(examples=["mer_0199f0a4c0de70008000000000000006"])]
    merchant: Annotated[str, Meta(description="Its name", examples=["Blue Door"])]
    endpoint_id: Annotated[str, Meta(examples=["whe_0199f0a4c0de7000800000000000003b"])]
    url: Annotated[str, Meta(examples=["https://shop.example/hooks"])]
    enabled: Annotated[bool, Meta(description="Whether anything is sent there")]
    type: Annotated[str, Meta(description="The event's", examples=["payment.captured"])]
    status: Annotated[str, Meta(examples=["failed"])]
    attempts: Annotated[int, Meta(examples=[8])]
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status: Annotated[int | None, Meta(description="The HTTP status", examples=[503])]
    last_error: Annotated[str | None, Meta(examples=["it answered 503"])]
    created_at: datetime


_DELIVERY: Final = (
    "SELECT d.id, d.merchant_id, m.name, d.endpoint_id, w.url, "
    "w.enabled AND w.deleted_at IS NULL, e.type, d.status, d.attempts, d.next_attempt_at, "
    "d.last_attempt_at, d.last_status, d.last_error, d.created_at "
    "FROM webhook_deliveries AS d "
    "JOIN events AS e ON e.owner_id = d.merchant_id AND e.id = d.event_id "
    "JOIN merchants AS m ON m.id = d.merchant_id "
    "JOIN webhook_endpoints AS w ON w.id = d.endpoint_id"
)
_WHICH: Final = {
    "failed": "d.status = 'failed'",
    "pending": "d.status = 'pending'",
    "late": "d.status = 'pending' AND d.next_attempt_at <= $3",
}


async def all_deliveries(
    connection: Connection,
    which: DeliveryFilter,
    before: UUID | None,
    limit: int,
    now: datetime,
) -> Sequence[DeliveryOfMerchant]:
    """Deliveries, newest first."""
    rows = await connection.fetch(
        f"{_DELIVERY} WHERE {_WHICH[which]} AND ($1::uuid IS NULL OR d.id < $1) "
        "AND $3::timestamptz IS NOT NULL ORDER BY d.id DESC LIMIT $2",
        before,
        limit,
        now,
    )
    return [
        DeliveryOfMerchant(
            show_id("whd", row[0]), show_id("mer", row[1]), row[2], show_id("whe", row[3]), *row[4:]
        )
        for row in rows
    ]
