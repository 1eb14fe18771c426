"""Idempotency: the same key with the same request gets the first answer again, and acts once.

The journal keeps the answers of the entries it commits in the same table, by its own statements.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from tandem.db.audit import nothing_new
from tandem.db.pool import Connection
from tandem.kernel import Refused

STRANGERS: Final = UUID(int=0)
"""Who asks without an API key, all of them together: nobody's id is nil (RFC 9562 §5.9)."""


class Idempotency(NamedTuple):
    """What makes a write happen once.

    `owner_id` is who asks, `key` what they chose (1 to 255 characters), `fingerprint` the SHA-256
    of the request (method, path and body): the same key with another one is refused.
    """

    owner_id: UUID
    key: str
    fingerprint: bytes


@dataclass(eq=False)
class IdempotencyConflict(Refused):
    """The key was used before, for another request."""

    code: ClassVar[str] = "idempotency_key_reused"
    key: str

    def sentence(self) -> str:
        """Say that the first request stands and what to do."""
        return (
            "This idempotency key was used for another request, which stands. "
            "Send the same body again to get its answer, or use a new key for a new request."
        )


async def earlier_answer(connection: Connection, idempotency: Idempotency) -> bytes | None:
    """The answer that this key got before, or None if it is new.

    A rival with the same key waits here until this transaction ends. Raises `IdempotencyConflict`
    if the key was used for another request.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))",
        idempotency.owner_id.hex,
        _stored(idempotency),
    )
    row = await connection.fetchrow(
        "SELECT fingerprint, answer FROM idempotency WHERE owner_id = $1 AND key = $2",
        idempotency.owner_id,
        _stored(idempotency),
    )
    if row is None:
        return None
    if row["fingerprint"] != idempotency.fingerprint:
        raise IdempotencyConflict(idempotency.key)
    answer: bytes = row["answer"]
    nothing_new()
    return answer


async def keep_answer(
    connection: Connection, idempotency: Idempotency, answer: bytes, now: datetime
) -> None:
    """Keep the answer, in the transaction that does what it says."""
    await connection.execute(
        "INSERT INTO idempotency (owner_id, key, fingerprint, answer, created_at) "
        "VALUES ($1, $2, $3, $4, $5)",
        idempotency.owner_id,
        _stored(idempotency),
        idempotency.fingerprint,
        answer,
        now,
    )


async def keep_first_answer(
    connection: Connection, idempotency: Idempotency, answer: bytes, now: datetime
) -> bytes | None:
    """Keep the answer unless a journal, which takes no lock of ours, was first: then its answer.

    Raises `IdempotencyConflict` if that was to another request.
    """
    added = await connection.fetchval(
        "INSERT INTO idempotency (owner_id, key, fingerprint, answer, created_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (owner_id, key) DO NOTHING RETURNING true",
        idempotency.owner_id,
        _stored(idempotency),
        idempotency.fingerprint,
        answer,
        now,
    )
    return None if added else await earlier_answer(connection, idempotency)


def _stored(idempotency: Idempotency) -> str:
    """The key as the table has it.

    A stranger's key alone gets the answer again, secrets and all: a reader of the table must not
    learn it.
    """
    if idempotency.owner_id == STRANGERS:
        return sha256(idempotency.key.encode()).hexdigest()
    return idempotency.key
