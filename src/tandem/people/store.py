"""People in SQL."""

import re
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tandem.db import Connection, beginning
from tandem.db.rewrite import SealedColumn
from tandem.kernel import Invalid, NotFound, read_id, show_id
from tandem.keyring import KeyRing
from tandem.people.model import (
    DEVICES,
    Device,
    Limits,
    Person,
    PersonStatus,
    PersonTerms,
    is_handle,
)
from tandem.people.reference import looks_like_reference, people_between

WRONG_CODES_MAX: Final = 5
PAUSE: Final = timedelta(minutes=10)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""NUL and surrogates: PostgreSQL's text has neither."""
_PERSON: Final = "SELECT id, handle, name, status, terms, created_at FROM people"
_DEVICE: Final = f"SELECT {', '.join(DEVICES.columns)} FROM devices"


async def person_by_id(connection: Connection, person_id: UUID) -> Person:
    """The person. Raises `NotFound`."""
    row = await connection.fetchrow(f"{_PERSON} WHERE id = $1", person_id)
    if row is None:
        raise NotFound("person", show_id("ppl", person_id))
    return Person(*row)


async def find_id_by_handle(connection: Connection, handle: str) -> UUID:
    """The id behind a handle, with or without its @, in any case. Raises `NotFound`."""
    bare = handle.removeprefix("@")
    bare = bare.lower() if bare.isascii() else bare
    if not is_handle(bare):  # nobody's; and it may hold what must not be shown again
        raise NotFound("person", "with such a handle")
    found: UUID | None = await connection.fetchval("SELECT id FROM people WHERE handle = $1", bare)
    if found is None:
        raise NotFound("person", f"@{bare}")
    return found


async def list_people(
    connection: Connection,
    query: str | None,
    before: UUID | None,
    limit: int,
    status: PersonStatus | None = None,
) -> list[Person]:
    """People, newest first, by the beginning of handle or name, by their id or reference."""
    if query is not None and _UNSTORABLE.search(query):
        return []  # nobody's name begins so
    if query is not None and looks_like_reference(query):
        return await people_of_reference(connection, query)
    person_id: UUID | None = None
    if query is not None and query.startswith("ppl_"):
        with suppress(Invalid):
            person_id = read_id("ppl", query)
    rows = await connection.fetch(
        f"{_PERSON} WHERE ($1::uuid IS NULL OR id < $1) AND ($2::text IS NULL "
        "OR handle LIKE lower($2) OR lower(name) LIKE lower($2) OR id = $3) "
        "AND ($4::text IS NULL OR status = $4) ORDER BY id DESC LIMIT $5",
        before,
        None if query is None else beginning(query.removeprefix("@")),
        person_id,
        status,
        limit,
    )
    return [Person(*row) for row in rows]


async def people_of_reference(connection: Connection, reference: str) -> list[Person]:
    """Whose reference this is: one person, or nobody. Raises `Invalid` for one with a mistake."""
    first, last = people_between(reference)
    rows = await connection.fetch(f"{_PERSON} WHERE id BETWEEN $1 AND $2", first, last)
    return [Person(*row) for row in rows]


async def load_terms(connection: Connection, person_id: UUID) -> PersonTerms:
    """What entries for this person are decided under. Raises `NotFound`."""
    rows = await connection.fetch(
        "SELECT p.id, p.handle, p.name, p.status, p.terms, "
        "own.currency, own.per_payment, own.per_day, own.above FROM people AS p LEFT JOIN ("
        "SELECT currency, per_payment, per_day, NULL::bigint AS above FROM person_limits "
        "WHERE person_id = $1 UNION ALL "
        "SELECT currency, NULL, NULL, above FROM passkey_limits WHERE person_id = $1"
        ") AS own ON true WHERE p.id = $1",
        person_id,
    )
    if not rows:
        raise NotFound("person", show_id("ppl", person_id))
    limits = {row[5]: Limits(row[6], row[7]) for row in rows if row[6] is not None}
    above = {row[5]: row[8] for row in rows if row[8] is not None}
    first = rows[0]
    return PersonTerms(first[0], first[1], first[2], first[3], first[4], limits, above)


async def device_by_code_index(connection: Connection, index: int) -> Device | None:
    """The device that makes pay codes with this index, if there is one in use."""
    row = await connection.fetchrow(
        f"{_DEVICE} WHERE code_index = $1 AND revoked_at IS NULL", index
    )
    return None if row is None else Device(*row)


async def devices_of(
    connection: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[Device]:
    """A person's devices, newest first."""
    rows = await connection.fetch(
        f"{_DEVICE} WHERE person_id = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        person_id,
        before,
        limit,
    )
    return [Device(*row) for row in rows]


async def count_devices(connection: Connection, person_id: UUID) -> int:
    """How many devices in use a person has; nobody adds one meanwhile. Raises `NotFound`."""
    locked = await connection.fetchval(
        "SELECT 1 FROM people WHERE id = $1 FOR NO KEY UPDATE", person_id
    )
    if locked is None:
        raise NotFound("person", show_id("ppl", person_id))
    count: int = await connection.fetchval(
        "SELECT count(*) FROM devices WHERE person_id = $1 AND revoked_at IS NULL", person_id
    )
    return count


async def insert_device(connection: Connection, device: Device) -> bool:
    """Insert a device; False if its code index is taken."""
    done: str = await connection.execute(
        "INSERT INTO devices (id, person_id, name, code_index, code_seed, code_step, "
        "code_counter, wrong_codes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) "
        "ON CONFLICT (code_index) DO NOTHING",
        device.id,
        device.person_id,
        device.name,
        device.code_index,
        device.code_seed,
        device.code_step,
        device.code_counter,
        device.created_at,
    )
    return done.endswith(" 1")


async def count_wrong_code(
    connection: Connection, device_id: UUID, now: datetime
) -> datetime | None:
    """Count a wrong code for a device; after five its codes pause. Returns until when."""
    paused_until: datetime | None = await connection.fetchval(
        "UPDATE devices SET wrong_codes = CASE WHEN wrong_codes + 1 >= $2 THEN 0 "
        "ELSE wrong_codes + 1 END, "
        "paused_until = CASE WHEN wrong_codes + 1 >= $2 THEN $3 ELSE paused_until END "
        "WHERE id = $1 RETURNING CASE WHEN paused_until > $4 THEN paused_until END",
        device_id,
        WRONG_CODES_MAX,
        now + PAUSE,
        now,
    )
    return paused_until


def seed_context(device_id: UUID) -> bytes:
    """What a device's sealed seed is bound to."""
    return b"device code seed " + device_id.bytes


CODE_SEEDS: Final = SealedColumn("devices", "code_seed", "dev", seed_context)
"""Where the seeds of pay codes are kept, sealed."""


def open_seed(keyring: KeyRing, device: Device) -> bytes:
    """The seed that a device makes its pay codes from."""
    return keyring.open(device.code_seed, seed_context(device.id))
