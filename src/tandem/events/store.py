"""Events, endpoints and deliveries in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.db import Connection, Record
from tandem.events.model import Delivery, Endpoint, Event, Now, Sent, announce
from tandem.events.send import Answer
from tandem.kernel import currency
from tandem.ledger import Write, merchant, set_terms

_ENDPOINT: Final = "id, merchant_id, url, types, enabled, created_at"
_EVENT: Final = "owner_id, id, type, object_id, data, created_at"
_SENT: Final = (
    "SELECT d.id, d.endpoint_id, d.merchant_id, d.event_id, d.object_id, d.status, d.attempts, "
    "d.next_attempt_at, d.last_attempt_at, d.last_status, d.last_error, d.created_at, "
    "e.type, d.last_body FROM webhook_deliveries AS d "
    "JOIN events AS e ON e.owner_id = d.merchant_id AND e.id = d.event_id"
)


def _endpoint(row: Record) -> Endpoint:
    endpoint_id, merchant_id, url, types, enabled, created_at = row
    return Endpoint(endpoint_id, merchant_id, url, tuple(types), enabled, created_at)


def _sent(row: Record) -> Sent:
    *columns, event_type, body = row
    return Sent(Delivery(*columns), event_type, body)


# -- endpoints -----------------------------------------------------------------------------------


async def load_endpoints(connection: Connection, merchant_id: UUID) -> tuple[Endpoint, ...]:
    """A merchant's endpoints that are not deleted, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_ENDPOINT} FROM webhook_endpoints "
        "WHERE merchant_id = $1 AND deleted_at IS NULL ORDER BY id",
        merchant_id,
    )
    return tuple(map(_endpoint, rows))


async def tell_merchant(
    connection: Connection,
    moment: Now,
    merchant_id: UUID,
    event_type: str,
    object_id: UUID,
    data: msgspec.Struct,
) -> None:
    """Write a merchant's event and its deliveries, in the transaction of what it tells.

    For what moves no money: a journal's entries announce theirs themselves.
    """
    endpoints = await load_endpoints(connection, merchant_id)
    told = announce(moment, merchant_id, event_type, object_id, data, endpoints)
    await write(connection, told)


async def write(connection: Connection, told: Sequence[Write]) -> None:
    """Write what `announce` made, in a unit of work."""
    for one in told:
        await connection.execute(one.table.one_row_statement, *msgspec.structs.astuple(one.row))


async def find_endpoint(
    connection: Connection, merchant_id: UUID, endpoint_id: UUID
) -> Endpoint | None:
    """One of a merchant's endpoints, unless it is deleted."""
    row = await connection.fetchrow(
        f"SELECT {_ENDPOINT} FROM webhook_endpoints "
        "WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL",
        merchant_id,
        endpoint_id,
    )
    return None if row is None else _endpoint(row)


async def lock_secret(connection: Connection, endpoint_id: UUID) -> bytes:
    """The sealed secrets of an endpoint, which nobody else changes until this transaction ends."""
    sealed: bytes = await connection.fetchval(
        "SELECT secret FROM webhook_endpoints WHERE id = $1 FOR UPDATE", endpoint_id
    )
    return sealed


async def count_tests(connection: Connection, endpoint_id: UUID) -> int:
    """How many test events are on their way to an endpoint.

    Locks it, so that who sends another counts after one another. They are about the endpoint.
    """
    await connection.execute(
        "SELECT FROM webhook_endpoints WHERE id = $1 FOR NO KEY UPDATE", endpoint_id
    )
    count: int = await connection.fetchval(
        "SELECT count(*) FROM webhook_deliveries "
        "WHERE endpoint_id = $1 AND object_id = $1 AND status = 'pending'",
        endpoint_id,
    )
    return count


async def insert_endpoint(connection: Connection, endpoint: Endpoint, sealed: bytes) -> None:
    """A new endpoint with its sealed secrets."""
    await connection.execute(
        "INSERT INTO webhook_endpoints (id, merchant_id, url, types, enabled, created_at, secret) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        endpoint.id,
        endpoint.merchant_id,
        endpoint.url,
        list(endpoint.types),
        endpoint.enabled,
        endpoint.created_at,
        sealed,
    )


async def update_endpoint(connection: Connection, endpoint: Endpoint) -> None:
    """Write what may change of an endpoint."""
    await connection.execute(
        "UPDATE webhook_endpoints SET url = $2, types = $3, enabled = $4 WHERE id = $1",
        endpoint.id,
        endpoint.url,
        list(endpoint.types),
        endpoint.enabled,
    )


async def set_secret(connection: Connection, endpoint_id: UUID, sealed: bytes) -> None:
    """Write an endpoint's sealed secrets."""
    await connection.execute(
        "UPDATE webhook_endpoints SET secret = $2 WHERE id = $1", endpoint_id, sealed
    )


async def delete_endpoint(connection: Connection, endpoint_id: UUID, now: datetime) -> None:
    """Mark an endpoint as deleted: its deliveries keep pointing at it."""
    await connection.execute(
        "UPDATE webhook_endpoints SET enabled = false, deleted_at = $2 WHERE id = $1",
        endpoint_id,
        now,
    )


async def switch_off(connection: Connection, endpoint_id: UUID) -> None:
    """Announce nothing to an endpoint any more."""
    await connection.execute(
        "UPDATE webhook_endpoints SET enabled = false WHERE id = $1", endpoint_id
    )


async def bump_terms(connection: Connection, merchant_id: UUID, now: datetime) -> bool:
    """Let no entry be committed any more that was made with the merchant's endpoints as they were.

    Locks the merchant, so that changes of its endpoints follow one another. False if there is no
    such merchant.
    """
    version = await connection.fetchval(
        "UPDATE merchants SET terms = terms + 1 WHERE id = $1 RETURNING terms", merchant_id
    )
    if version is None:
        return False
    rows = await connection.fetch(
        "SELECT currency FROM merchant_currencies WHERE merchant_id = $1", merchant_id
    )
    accounts = [merchant(merchant_id, currency(row["currency"])) for row in rows]
    await set_terms(connection, accounts, version, now)
    return True


# -- events --------------------------------------------------------------------------------------


async def list_events(
    connection: Connection, owner_id: UUID, before: UUID | None, limit: int
) -> list[Event]:
    """An owner's events, newest first, older than `before`."""
    rows = await connection.fetch(
        f"SELECT {_EVENT} FROM events WHERE owner_id = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        owner_id,
        before,
        limit,
    )
    return [Event(*row) for row in rows]


async def find_event(connection: Connection, owner_id: UUID, event_id: UUID) -> Event | None:
    """One of an owner's events."""
    row = await connection.fetchrow(
        f"SELECT {_EVENT} FROM events WHERE owner_id = $1 AND id = $2", owner_id, event_id
    )
    return None if row is None else Event(*row)


async def events_after(
    connection: Connection, owner_id: UUID, after: UUID, limit: int
) -> list[Event]:
    """An owner's events after `after`, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_EVENT} FROM events WHERE owner_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        owner_id,
        after,
        limit,
    )
    return [Event(*row) for row in rows]


async def event_ids_after(
    connection: Connection, owners: Sequence[UUID], after: UUID
) -> list[tuple[UUID, UUID]]:
    """Owner and id of these owners' events after `after`, oldest first. Reads the index only."""
    rows = await connection.fetch(
        "SELECT owner_id, id FROM events WHERE owner_id = ANY($1::uuid[]) AND id > $2 ORDER BY id",
        owners,
        after,
    )
    return [(row["owner_id"], row["id"]) for row in rows]


async def event_ids_between(
    connection: Connection, owner_id: UUID, after: UUID, before: UUID
) -> list[UUID]:
    """Ids of an owner's events between two, oldest first. Reads the index only."""
    rows = await connection.fetch(
        "SELECT id FROM events WHERE owner_id = $1 AND id > $2 AND id < $3 ORDER BY id",
        owner_id,
        after,
        before,
    )
    return [row["id"] for row in rows]


async def events_by_key(connection: Connection, keys: Sequence[tuple[UUID, UUID]]) -> list[Event]:
    """The events of these owners and ids, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_EVENT} FROM events "
        "WHERE (owner_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])) ORDER BY id",
        [owner for owner, _ in keys],
        [event_id for _, event_id in keys],
    )
    return [Event(*row) for row in rows]


# -- deliveries ----------------------------------------------------------------------------------


async def list_deliveries(
    connection: Connection, endpoint_id: UUID, before: UUID | None, limit: int
) -> list[Sent]:
    """An endpoint's deliveries, newest first, older than `before`."""
    rows = await connection.fetch(
        f"{_SENT} WHERE d.endpoint_id = $1 AND ($2::uuid IS NULL OR d.id < $2) "
        "ORDER BY d.id DESC LIMIT $3",
        endpoint_id,
        before,
        limit,
    )
    return [_sent(row) for row in rows]


async def find_delivery(
    connection: Connection, merchant_id: UUID, delivery_id: UUID
) -> Sent | None:
    """One of a merchant's deliveries."""
    row = await connection.fetchrow(
        f"{_SENT} WHERE d.id = $1 AND d.merchant_id = $2", delivery_id, merchant_id
    )
    return None if row is None else _sent(row)


async def merchant_of_delivery(connection: Connection, delivery_id: UUID) -> UUID | None:
    """Whose it is."""
    found: UUID | None = await connection.fetchval(
        "SELECT merchant_id FROM webhook_deliveries WHERE id = $1", delivery_id
    )
    return found


async def make_pending(connection: Connection, delivery_id: UUID, now: datetime) -> None:
    """Let a delivery be tried now, whatever became of it before."""
    await connection.execute(
        "UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = $2 WHERE id = $1",
        delivery_id,
        now,
    )


class Due(NamedTuple):
    """A delivery whose time has come. `blocked`: an earlier one of the same object is pending."""

    endpoint_id: UUID
    id: UUID
    at: datetime
    blocked: bool


class Claimed(NamedTuple):
    """A delivery that this process tries now, and all that it takes. `attempts` counts this try."""

    id: UUID
    endpoint_id: UUID
    object_id: UUID
    attempts: int
    event: Event
    url: str
    sealed: bytes
    open: bool


# The endpoints that wait are found by skipping from one to the next in the index, so that one with
# a million deliveries costs no more than one with ten.
_DUE: Final = """
    WITH RECURSIVE waiting (endpoint_id) AS (
        (SELECT endpoint_id FROM webhook_deliveries
        WHERE status = 'pending' ORDER BY endpoint_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT d.endpoint_id FROM webhook_deliveries AS d
            WHERE d.status = 'pending' AND d.endpoint_id > w.endpoint_id
            ORDER BY d.endpoint_id LIMIT 1
        ) FROM waiting AS w WHERE w.endpoint_id IS NOT NULL
    )
    SELECT due.endpoint_id, due.id, due.next_attempt_at, due.blocked
    FROM waiting AS w CROSS JOIN LATERAL (
        SELECT d.endpoint_id, d.id, d.next_attempt_at, EXISTS (
            SELECT FROM webhook_deliveries AS earlier
            WHERE earlier.status = 'pending' AND earlier.endpoint_id = d.endpoint_id
                AND earlier.object_id = d.object_id AND earlier.id < d.id
        ) AS blocked
        FROM webhook_deliveries AS d
        WHERE d.status = 'pending' AND d.endpoint_id = w.endpoint_id AND d.next_attempt_at <= $1
        ORDER BY d.next_attempt_at, d.id LIMIT $2
    ) AS due
    WHERE w.endpoint_id <> ALL($3::uuid[])
    ORDER BY due.next_attempt_at, due.id LIMIT $4
"""

_CLAIM: Final = """
    WITH picked AS (
        SELECT id FROM webhook_deliveries
        WHERE id = ANY($1::uuid[]) AND status = 'pending' AND next_attempt_at <= $2
        ORDER BY id FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE webhook_deliveries AS d
        SET attempts = d.attempts + 1, last_attempt_at = $2, next_attempt_at = $3
        FROM picked WHERE d.id = picked.id
        RETURNING d.id, d.endpoint_id, d.object_id, d.attempts, d.merchant_id, d.event_id
    )
    SELECT c.id, c.endpoint_id, c.object_id, c.attempts, w.url, w.secret,
        w.enabled AND w.deleted_at IS NULL,
        e.owner_id, e.id, e.type, e.object_id, e.data, e.created_at
    FROM claimed AS c
    JOIN webhook_endpoints AS w ON w.id = c.endpoint_id
    JOIN events AS e ON e.owner_id = c.merchant_id AND e.id = c.event_id
    ORDER BY c.id
"""


async def due_deliveries(
    connection: Connection, now: datetime, per_endpoint: int, busy: Sequence[UUID], limit: int
) -> list[Due]:
    """Deliveries whose time has come, oldest first: some of each endpoint that is not busy."""
    rows = await connection.fetch(_DUE, now, per_endpoint, busy, limit)
    return [Due(*row) for row in rows]


async def claim(
    connection: Connection, ids: Sequence[UUID], now: datetime, until: datetime
) -> list[Claimed]:
    """Take deliveries for this process until `until`; those that another has taken are left out."""
    rows = await connection.fetch(_CLAIM, ids, now, until)
    return [
        Claimed(number, endpoint_id, object_id, attempts, Event(*event), url, sealed, is_open)
        for number, endpoint_id, object_id, attempts, url, sealed, is_open, *event in rows
    ]


# The lock on the one before says that nobody is finishing it at this moment: who does so later
# sees what was put off, and wakes it. Nothing waits here, so nothing can wait for each other.
_PARK: Final = """
    UPDATE webhook_deliveries SET next_attempt_at = $3 WHERE id IN (
        SELECT d.id FROM unnest($1::uuid[], $2::timestamptz[]) AS seen(id, at)
        JOIN webhook_deliveries AS d ON d.id = seen.id
        CROSS JOIN LATERAL (
            SELECT FROM webhook_deliveries AS earlier
            WHERE earlier.status = 'pending' AND earlier.endpoint_id = d.endpoint_id
                AND earlier.object_id = d.object_id AND earlier.id < d.id
            ORDER BY earlier.id LIMIT 1 FOR SHARE SKIP LOCKED
        ) AS before
        WHERE d.status = 'pending' AND d.next_attempt_at = seen.at
        ORDER BY d.id FOR UPDATE OF d SKIP LOCKED
    )
"""


async def park(connection: Connection, blocked: Sequence[Due], until: datetime) -> None:
    """Look at blocked deliveries no more until `until`; the one before them wakes them earlier.

    One that was woken after it was seen to be blocked has another time by now, and is left alone;
    so is one that nobody would wake, because the one before is over or being finished.
    """
    await connection.execute(
        _PARK,
        [delivery.id for delivery in blocked],
        [delivery.at for delivery in blocked],
        until,
    )


async def retry_at(connection: Connection, tried: Claimed, answer: Answer, at: datetime) -> None:
    """Note a failed try and when the next one is due, unless another try has begun meanwhile."""
    await connection.execute(
        "UPDATE webhook_deliveries SET next_attempt_at = $3, last_status = $4, last_error = $5, "
        "last_body = $6 WHERE id = $1 AND attempts = $2 AND status = 'pending'",
        tried.id,
        tried.attempts,
        at,
        answer.status,
        answer.error,
        answer.body,
    )


async def finish(connection: Connection, tried: Claimed, end: str, answer: Answer) -> bool:
    """Note that a delivery is over: delivered or failed. Unless another try has begun meanwhile."""
    found = await connection.fetchval(
        "UPDATE webhook_deliveries "
        "SET status = $3, next_attempt_at = NULL, last_status = $4, last_error = $5, "
        "last_body = $6 WHERE id = $1 AND attempts = $2 AND status = 'pending' RETURNING true",
        tried.id,
        tried.attempts,
        end,
        answer.status,
        answer.error,
        answer.body,
    )
    return found is not None


async def wake_next(connection: Connection, tried: Claimed, now: datetime) -> bool:
    """Let the next delivery of the same object go at once. Whether there is one.

    Its time changes even if it has come already, so that nobody parks what was just woken.
    """
    found = await connection.fetchval(
        "UPDATE webhook_deliveries SET next_attempt_at = $3 WHERE id = ("
        "SELECT id FROM webhook_deliveries "
        "WHERE endpoint_id = $1 AND object_id = $2 AND status = 'pending' ORDER BY id LIMIT 1) "
        "AND status = 'pending' RETURNING true",
        tried.endpoint_id,
        tried.object_id,
        now,
    )
    return found is not None
