"""Reading the audit log (tandem.db.audit writes it)."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Pool
from tandem.db.audit import DONE, AuditRow
from tandem.kernel import show_id

_COLUMNS: Final = ", ".join(AuditRow.__struct_fields__)
_PREFIXES: Final = {
    "person": "ppl",
    "merchant": "mer",
    "staff": "stf",
    "device": "dev",
    "key": "key",
}


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records to list; None: all."""

    owner_id: UUID | None = None
    actor_id: UUID | None = None
    action: str | None = None
    object: str | None = None
    outcome: Literal["done", "refused"] | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditView(msgspec.Struct, frozen=True):
    """What somebody did, or was refused."""

    id: Annotated[str, Meta(examples=["aud_0199f0a4c0de70008000000000000034"])]
    owner: Annotated[
        str,
        Meta(
            description="In whose house: a merchant's, a person's, or `operator`",
            examples=["mer_0199f0a4c0de70008000000000000006"],
        ),
    ]
    actor: Annotated[
        str,
        Meta(
            description=(
                "Who: a person, a member of staff, a device, an API key; `command` for the "
                "`tandem` command, whose account is the name"
            ),
            examples=["stf_0199f0a4c0de70008000000000000033"],
        ),
    ]
    actor_name: Annotated[str, Meta(description="As it was called then", examples=["Xu"])]
    session_id: Annotated[str | None, Meta(description="If they were signed in")]
    action: Annotated[str, Meta(description="The operation", examples=["create_refund"])]
    object: Annotated[
        str | None,
        Meta(description="What it was done to", examples=["pay_0199f0a4c0de7000800000000000002a"]),
    ]
    outcome: Annotated[
        str,
        Meta(description="`done`, or the code of the refusal", examples=["refund_above_limit"]),
    ]
    request_id: Annotated[str, Meta(examples=["7d3f1c0a9b2e4d58-1f"])]
    client: Annotated[str, Meta(description="The network address", examples=["192.0.2.7"])]
    created_at: datetime
    reason: Annotated[
        str | None,
        Meta(description="Why, in their own words", examples=["She lost her phone"]),
    ] = None
    approver: Annotated[
        str | None,
        Meta(
            description="The member of staff who approved it, where that was needed",
            examples=["stf_0199f0a4c0de70008000000000000032"],
        ),
    ] = None
    approver_name: Annotated[
        str | None, Meta(description="As they were called then", examples=["Bo"])
    ] = None


class Audit:
    """Tells who did what."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(self, wanted: AuditFilter, before: UUID | None, limit: int) -> "list[AuditRow]":
        """Records, newest first."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM audit WHERE ($1::uuid IS NULL OR owner_id = $1) "
                "AND ($2::uuid IS NULL OR actor_id = $2) AND ($3::text IS NULL OR action = $3) "
                "AND ($4::text IS NULL OR object = $4) "
                f"AND ($5::text IS NULL OR (outcome = '{DONE}') = ($5 = '{DONE}')) "
                "AND ($6::timestamptz IS NULL OR created_at >= $6) "
                "AND ($7::timestamptz IS NULL OR created_at < $7) "
                "AND ($8::uuid IS NULL OR id < $8) ORDER BY id DESC LIMIT $9",
                *msgspec.structs.astuple(wanted),
                before,
                limit,
            )
        return [AuditRow(*row) for row in rows]


def audit_view(row: AuditRow) -> AuditView:
    """The record as it is shown."""
    operators = row.owner_kind == "operator"
    return AuditView(
        show_id("aud", row.id),
        "operator" if operators else show_id(_PREFIXES[row.owner_kind], row.owner_id),
        "command"
        if row.actor_kind == "command"
        else show_id(_PREFIXES[row.actor_kind], row.actor_id),
        row.actor_name,
        None if row.session_id is None else show_id("ses", row.session_id),
        row.action,
        row.object,
        row.outcome,
        row.request_id,
        row.client,
        row.created_at,
        row.reason,
        None if row.approver_id is None else show_id("stf", row.approver_id),
        row.approver_name,
    )
