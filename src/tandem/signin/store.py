"""Passkeys, challenges, codes and staff in SQL."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.db import Connection
from tandem.kernel import NotFound, show_id
from tandem.signin.model import FORGET_WRONG, PAUSE, WRONG_MAX, Holder, Member, Passkey

_PASSKEY: Final = ", ".join(Passkey.__struct_fields__)
_MEMBER: Final = ", ".join(Member.__struct_fields__)


class Challenge(NamedTuple):
    """What an authenticator was asked: what for, of whom, and the facts that it was asked with."""

    purpose: str
    holder_id: UUID | None
    facts: bytes


async def put_challenge(
    connection: Connection, challenge: bytes, asked: Challenge, expires_at: datetime
) -> None:
    """Keep what was asked until it is answered."""
    await connection.execute(
        "INSERT INTO challenges (challenge, purpose, holder_id, facts, expires_at) "
        "VALUES ($1, $2, $3, $4, $5)",
        challenge,
        *asked,
        expires_at,
    )


async def take_challenge(
    connection: Connection, challenge: bytes, now: datetime
) -> Challenge | None:
    """Take it away: whoever is second, or late, gets None."""
    row = await connection.fetchrow(
        "DELETE FROM challenges WHERE challenge = $1 "
        "RETURNING purpose, holder_id, facts, expires_at",
        challenge,
    )
    if row is None or row["expires_at"] <= now:
        return None
    return Challenge(row["purpose"], row["holder_id"], row["facts"])


async def purge(connection: Connection, now: datetime) -> int:
    """Take away what nobody answered in time. Returns how many rows that were."""
    gone = 0
    for table in ("challenges", "device_codes", "code_tries"):
        done: str = await connection.execute(f"DELETE FROM {table} WHERE expires_at <= $1", now)
        gone += int(done.rpartition(" ")[2])
    return gone


# -- passkeys ------------------------------------------------------------------------------------


async def insert_passkey(connection: Connection, passkey: Passkey) -> bool:
    """Insert a passkey; False if this credential is somebody's already."""
    marks = ", ".join(f"${n}" for n in range(1, len(Passkey.__struct_fields__) + 1))
    done: str = await connection.execute(
        f"INSERT INTO passkeys ({_PASSKEY}) VALUES ({marks}) "
        "ON CONFLICT (credential_id) DO NOTHING",
        *msgspec.structs.astuple(passkey),
    )
    return done.endswith(" 1")


async def passkey_by_credential(
    connection: Connection, credential_id: bytes, *, lock: bool = False
) -> Passkey | None:
    """The passkey, if it is in use."""
    row = await connection.fetchrow(
        f"SELECT {_PASSKEY} FROM passkeys WHERE credential_id = $1 AND removed_at IS NULL"
        + (" FOR NO KEY UPDATE" if lock else ""),
        credential_id,
    )
    return None if row is None else Passkey(*row)


async def passkeys_of(
    connection: Connection, holder_id: UUID, before: UUID | None = None, limit: int = 100
) -> list[Passkey]:
    """A holder's passkeys in use, newest first."""
    rows = await connection.fetch(
        f"SELECT {_PASSKEY} FROM passkeys WHERE holder_id = $1 AND removed_at IS NULL "
        "AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        holder_id,
        before,
        limit,
    )
    return [Passkey(*row) for row in rows]


async def passkeys_of_all(
    connection: Connection, holder_ids: list[UUID], limit: int = 100
) -> list[Passkey]:
    """The passkeys of several holders that sign them in, newest first."""
    rows = await connection.fetch(
        f"SELECT {_PASSKEY} FROM passkeys WHERE holder_id = ANY($1::uuid[]) "
        "AND removed_at IS NULL AND suspect_at IS NULL ORDER BY id DESC LIMIT $2",
        holder_ids,
        limit,
    )
    return [Passkey(*row) for row in rows]


async def used(
    connection: Connection, passkey_id: UUID, sign_count: int, now: datetime, *, backed_up: bool
) -> None:
    """Note that a passkey was used."""
    await connection.execute(
        "UPDATE passkeys SET sign_count = $2, backed_up = $3, last_used_at = $4 WHERE id = $1",
        passkey_id,
        sign_count,
        backed_up,
        now,
    )


async def suspect(connection: Connection, passkey_id: UUID, now: datetime) -> None:
    """Note that there may be two of a passkey."""
    await connection.execute(
        "UPDATE passkeys SET suspect_at = coalesce(suspect_at, $2) WHERE id = $1", passkey_id, now
    )


async def remove_passkeys(
    connection: Connection, holder_id: UUID, now: datetime, passkey_id: UUID | None = None
) -> int:
    """Remove one of a holder's passkeys, or all. Returns how many that were."""
    done: str = await connection.execute(
        "UPDATE passkeys SET removed_at = $2 WHERE holder_id = $1 AND removed_at IS NULL "
        "AND ($3::uuid IS NULL OR id = $3)",
        holder_id,
        now,
        passkey_id,
    )
    return int(done.rpartition(" ")[2])


class Named(NamedTuple):
    """How a holder is called: by name, and in a list of passkeys of several."""

    name: str
    label: str


async def named_as(connection: Connection, holder: Holder, site: str = "") -> Named:
    """How a holder is called; `site` is what the operator's own staff works for."""
    if holder.kind == "person":
        row = await connection.fetchrow(
            "SELECT name, '@' || handle FROM people WHERE id = $1", holder.id
        )
    else:
        row = await connection.fetchrow(
            "SELECT s.name, s.name || ' · ' || coalesce(m.name, $2) FROM staff AS s "
            "LEFT JOIN merchants AS m ON m.id = s.employer_id WHERE s.id = $1",
            holder.id,
            site,
        )
    assert row is not None, "nobody is taken out of these tables"
    return Named(*row)


async def lock_holder(connection: Connection, holder: Holder) -> None:
    """Let nobody else change what this holder signs in with. Raises `NotFound`."""
    table, prefix, what = (
        ("people", "ppl", "person") if holder.kind == "person" else ("staff", "stf", "staff")
    )
    found = await connection.fetchval(
        f"SELECT 1 FROM {table} WHERE id = $1 FOR NO KEY UPDATE", holder.id
    )
    if found is None:
        raise NotFound(what, show_id(prefix, holder.id))


# -- codes ---------------------------------------------------------------------------------------


async def count_try(connection: Connection, subject: bytes, now: datetime) -> datetime | None:
    """Count a code that is about to be looked at. Returns until when none is, if so.

    It is counted first and taken back when it was right: of many guesses at once none slips
    through.
    """
    paused_until: datetime | None = await connection.fetchval(
        "INSERT INTO code_tries AS t (subject, wrong, expires_at) VALUES ($1, 1, $3) "
        "ON CONFLICT (subject) DO UPDATE SET "
        "wrong = CASE WHEN t.paused_until > $2 THEN t.wrong "
        "WHEN t.paused_until <= $2 OR t.expires_at <= $2 THEN 1 ELSE t.wrong + 1 END, "
        "paused_until = CASE WHEN t.paused_until > $2 THEN t.paused_until "
        "WHEN t.paused_until IS NULL AND t.expires_at > $2 AND t.wrong >= $4 THEN $5 END, "
        "expires_at = $3 RETURNING paused_until",
        subject,
        now,
        now + FORGET_WRONG,
        WRONG_MAX,
        now + PAUSE,
    )
    return paused_until


async def forget_tries(connection: Connection, subject: bytes) -> None:
    """The code was right."""
    await connection.execute("DELETE FROM code_tries WHERE subject = $1", subject)


async def put_device_code(
    connection: Connection, person_id: UUID, hashed: bytes, expires_at: datetime
) -> None:
    """A code for another device, in place of the one before."""
    await connection.execute(
        "INSERT INTO device_codes (person_id, hash, expires_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (person_id) DO UPDATE SET hash = $2, expires_at = $3",
        person_id,
        hashed,
        expires_at,
    )


async def device_code_of(connection: Connection, person_id: UUID, now: datetime) -> bytes | None:
    """The hash of a person's code for another device, if there is one."""
    found: bytes | None = await connection.fetchval(
        "SELECT hash FROM device_codes WHERE person_id = $1 AND expires_at > $2", person_id, now
    )
    return found


async def drop_device_code(connection: Connection, person_id: UUID, hashed: bytes) -> bool:
    """Use a code up; False if it was."""
    done: str = await connection.execute(
        "DELETE FROM device_codes WHERE person_id = $1 AND hash = $2", person_id, hashed
    )
    return done.endswith(" 1")


async def put_recovery_codes(
    connection: Connection, person_id: UUID, codes: list[tuple[UUID, bytes]], now: datetime
) -> None:
    """New recovery codes in place of all before."""
    await connection.execute("DELETE FROM recovery_codes WHERE person_id = $1", person_id)
    await connection.executemany(
        "INSERT INTO recovery_codes (id, person_id, hash, created_at) VALUES ($1, $2, $3, $4)",
        [(code_id, person_id, hashed, now) for code_id, hashed in codes],
    )


async def recovery_codes_of(connection: Connection, person_id: UUID) -> list[tuple[UUID, bytes]]:
    """A person's recovery codes that were not used."""
    rows = await connection.fetch(
        "SELECT id, hash FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL", person_id
    )
    return [(row["id"], row["hash"]) for row in rows]


async def use_recovery_code(connection: Connection, code_id: UUID, now: datetime) -> bool:
    """Use a recovery code up; False if it was, or was renewed."""
    done: str = await connection.execute(
        "UPDATE recovery_codes SET used_at = $2 WHERE id = $1 AND used_at IS NULL", code_id, now
    )
    return done.endswith(" 1")


# -- staff ---------------------------------------------------------------------------------------


async def insert_member(connection: Connection, member: Member, invitation: bytes) -> None:
    """Insert a member who is invited."""
    await connection.execute(
        f"INSERT INTO staff ({_MEMBER}, invitation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10, $11)",
        *msgspec.structs.astuple(member),
        invitation,
    )


async def member_by_id(connection: Connection, member_id: UUID) -> Member | None:
    """A member, also a removed one."""
    row = await connection.fetchrow(f"SELECT {_MEMBER} FROM staff WHERE id = $1", member_id)
    return None if row is None else Member(*row)


async def member_by_invitation(
    connection: Connection, invitation: bytes, now: datetime
) -> Member | None:
    """Who is invited by this, if it holds: who is suspended comes back by being resumed only."""
    row = await connection.fetchrow(
        f"SELECT {_MEMBER} FROM staff "
        "WHERE invitation = $1 AND invited_until > $2 AND status IN ('invited', 'active')",
        invitation,
        now,
    )
    return None if row is None else Member(*row)


async def members_of(
    connection: Connection, employer_id: UUID, before: UUID | None, limit: int
) -> list[Member]:
    """An employer's staff, newest first, without those who were removed."""
    rows = await connection.fetch(
        f"SELECT {_MEMBER} FROM staff WHERE employer_id = $1 AND status <> 'removed' "
        "AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        employer_id,
        before,
        limit,
    )
    return [Member(*row) for row in rows]


async def approvers_of(connection: Connection, employer_id: UUID) -> list[Member]:
    """Who works for an employer at this moment and has a passkey that works."""
    rows = await connection.fetch(
        f"SELECT {_MEMBER} FROM staff WHERE employer_id = $1 AND status = 'active' "
        "AND EXISTS (SELECT FROM passkeys WHERE holder_id = staff.id AND removed_at IS NULL "
        "AND suspect_at IS NULL) ORDER BY id",
        employer_id,
    )
    return [Member(*row) for row in rows]


async def lock_staff(connection: Connection, employer_id: UUID) -> list[Member]:
    """All of an employer's staff who were not removed; nobody changes them meanwhile."""
    rows = await connection.fetch(
        f"SELECT {_MEMBER} FROM staff WHERE employer_id = $1 AND status <> 'removed' "
        "ORDER BY id FOR NO KEY UPDATE",
        employer_id,
    )
    return [Member(*row) for row in rows]


async def update_member(connection: Connection, member: Member, invitation: bytes | None) -> None:
    """Write what may change of a member."""
    await connection.execute(
        "UPDATE staff SET name = $2, role = $3, refund_limit = $4, refund_day_limit = $5, "
        "status = $6, invitation = $7, invited_until = $8 WHERE id = $1",
        member.id,
        member.name,
        member.role,
        member.refund_limit,
        member.refund_day_limit,
        member.status,
        invitation,
        member.invited_until,
    )


async def employer_name(connection: Connection, member: Member) -> str | None:
    """Whom a member works for, if that is a merchant."""
    found: str | None = await connection.fetchval(
        "SELECT name FROM merchants WHERE id = $1", member.employer_id
    )
    return found
