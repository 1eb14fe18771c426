"""Screened messages in SQL. The journal inserts them with what they are attached to."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tandem.db import Connection
from tandem.screening.model import SCREENINGS, Screening
from tandem.screening.scorer import Company

_COLUMNS: Final = ", ".join(SCREENINGS.columns)
_WRITTEN: Final = tuple(
    column
    for column in SCREENINGS.columns
    if column
    not in {"object_id", "kind", "author_id", "receiver_id", "message", "points", "created_at"}
)
_UPDATE: Final = "UPDATE screenings SET {} WHERE object_id = $1".format(
    ", ".join(f"{column} = ${number}" for number, column in enumerate(_WRITTEN, 2))
)
_SINCE: Final = timedelta(hours=1)


async def company(
    connection: Connection, author_id: UUID, receiver_id: UUID | None, message: str, now: datetime
) -> Company:
    """Whom a message goes between, and how many got the same words from its author lately."""
    # An id begins with its time (UUIDv7), so the indexes by person and id find the last hour.
    since = _earliest(now - _SINCE)
    alike = await connection.fetchval(
        """
        SELECT count(DISTINCT receiver) FROM (
            SELECT receiver_id AS receiver FROM sends
            WHERE sender_id = $1 AND id > $3 AND message = $4 AND request_id IS NULL
            UNION ALL
            SELECT payer_id FROM money_requests
            WHERE requester_id = $1 AND id > $3 AND message = $4
        ) AS same WHERE receiver IS DISTINCT FROM $2
        """,
        author_id,
        receiver_id,
        since,
        message,
    )
    strangers = receiver_id is None or not await connection.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM sends WHERE sender_id = $1 AND receiver_id = $2)
            OR EXISTS (SELECT 1 FROM sends WHERE sender_id = $2 AND receiver_id = $1)
        """,
        author_id,
        receiver_id,
    )
    return Company(strangers, alike)


def _earliest(moment: datetime) -> UUID:
    """The least id that can have been made at a moment (RFC 9562 §5.7)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


async def states_of(connection: Connection, object_ids: Collection[UUID]) -> dict[UUID, str]:
    """Where the messages of these objects stand, of those that were not clear at once."""
    if not object_ids:
        return {}
    rows = await connection.fetch(
        "SELECT object_id, state FROM screenings WHERE object_id = ANY($1)", list(object_ids)
    )
    return {row[0]: row[1] for row in rows}


async def screening_of(
    connection: Connection, object_id: UUID, *, lock: bool = False
) -> Screening | None:
    """The message of an object, if it was ever screened out."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM screenings WHERE object_id = $1{' FOR UPDATE' if lock else ''}",
        object_id,
    )
    return None if row is None else Screening(**row)


async def list_screenings(
    connection: Connection,
    state: str | None,
    before: UUID | None,
    limit: int,
    *,
    appealed: bool,
) -> list[Screening]:
    """Screened messages, newest first: those of a state, those that are appealed and undecided."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM screenings WHERE ($1::text IS NULL OR state = $1) "
        "AND (NOT $2 OR (appealed_at IS NOT NULL AND decided_at IS NULL)) "
        "AND ($3::uuid IS NULL OR object_id < $3) ORDER BY object_id DESC LIMIT $4",
        state,
        appealed,
        before,
        limit,
    )
    return [Screening(**row) for row in rows]


async def screenings_of(
    connection: Connection, author_id: UUID, before: UUID | None, limit: int
) -> list[Screening]:
    """A person's own messages that were screened out, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM screenings WHERE author_id = $1 "
        "AND ($2::uuid IS NULL OR object_id < $2) ORDER BY object_id DESC LIMIT $3",
        author_id,
        before,
        limit,
    )
    return [Screening(**row) for row in rows]


async def save(connection: Connection, row: Screening) -> None:
    """Write what changed of a row that is locked."""
    await connection.execute(_UPDATE, row.object_id, *(getattr(row, column) for column in _WRITTEN))


async def claim_due(
    connection: Connection, now: datetime, until: datetime, limit: int
) -> list[Screening]:
    """Take what Akismet is to be asked or told now; others leave it alone until `until`."""
    rows = await connection.fetch(
        f"""
        UPDATE screenings SET due_at = $2 WHERE object_id IN (
            SELECT object_id FROM screenings WHERE due_at <= $1
            ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
        ) RETURNING {_COLUMNS}
        """,
        now,
        until,
        limit,
    )
    return [Screening(**row) for row in rows]
