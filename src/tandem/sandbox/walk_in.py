"""Signing in to a sandbox without a passkey: for demonstrations, and tests of what comes after.

Only mounted where money is play money. Whoever asks is let in as whoever they name.
"""

from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from tandem.access import Kind
from tandem.api.operation import Body, Call, WithSession, operation
from tandem.api.routes.sign_in import with_session
from tandem.db import Pool, work
from tandem.kernel import Invalid, NotFound, read_id, show_id
from tandem.people import People
from tandem.settings import Settings
from tandem.signin import Browser, Holder, PasskeyRefused, SignIn, StaffSuspended, Who, browser_of

SHOWN: Final = 50
"""How many of a kind are offered: the newest; anybody else is named."""


class Services(Protocol):
    """What this operation uses."""

    @property
    def settings(self) -> Settings:
        """Whether this is a sandbox."""
        ...

    @property
    def pool(self) -> Pool:
        """The database."""
        ...

    @property
    def people(self) -> People:
        """Knows handles."""
        ...

    @property
    def sign_in(self) -> SignIn:
        """Opens sessions."""
        ...


class WalkIn(Body, frozen=True, kw_only=True):
    """As whom: a person, or a member of staff."""

    handle: Annotated[
        Annotated[str, Meta(min_length=1, max_length=40)] | None,
        Meta(description="A person's", examples=["@lin"]),
    ] = None
    staff_id: Annotated[
        str | None,
        Meta(description="A member's, also of one who is only invited; instead of a handle"),
    ] = None


class Offered(msgspec.Struct, frozen=True):
    """Somebody who may be signed in as: a person by their handle, staff by their id."""

    kind: Annotated[Kind, Meta(examples=["merchant"])]
    id: Annotated[str, Meta(examples=["stf_0199f0a4c0de70008000000000000032"])]
    name: Annotated[str, Meta(examples=["Xu"])]
    handle: Annotated[str | None, Meta(description="A person's")]
    role: Annotated[str | None, Meta(description="Of staff", examples=["cashier"])]
    employer: Annotated[
        str | None, Meta(description="The merchant that staff works for", examples=["Blue Door"])
    ]


class OfferedList(msgspec.Struct, frozen=True):
    """Who may be signed in as."""

    data: list[Offered]


@operation(
    "GET",
    "/v1/sandbox/sign-in",
    tag="Sandbox",
    summary="See whom you can sign in as",
    who=("anyone",),
)
async def list_walk_ins(call: Call[Services]) -> OfferedList:
    """The newest people and members of staff, by kind: money is play money where this answers."""
    async with call.services.pool.acquire() as connection:
        rows = await connection.fetch(
            "(SELECT 'person' AS kind, id, name, handle, NULL AS role, NULL AS employer "
            "FROM people WHERE status = 'active' ORDER BY id DESC LIMIT $1) UNION ALL "
            "(SELECT s.employer_kind, s.id, s.name, NULL, s.role, m.name FROM staff s "
            "LEFT JOIN merchants m ON m.id = s.employer_id AND s.employer_kind = 'merchant' "
            "WHERE s.status <> 'removed' ORDER BY s.id DESC LIMIT $1)",
            SHOWN,
        )
    return OfferedList(
        [
            Offered(
                row["kind"],
                show_id("ppl" if row["kind"] == "person" else "stf", row["id"]),
                row["name"],
                None if row["handle"] is None else f"@{row['handle']}",
                row["role"],
                row["employer"],
            )
            for row in rows
        ]
    )


@operation(
    "POST",
    "/v1/sandbox/sign-in",
    tag="Sandbox",
    summary="Sign in without a passkey",
    who=("anyone",),
    limit="sign_in",
    answer=Who,
    errors=(NotFound, PasskeyRefused, StaffSuspended),
)
async def sign_in_to_sandbox(call: Call[Services], body: WalkIn) -> WithSession:
    """Let in as whoever is named. Money here is play money: nobody is asked who they are."""
    assert call.services.settings.sandbox, "production has no such door"
    browser = Browser(browser_of(call.user_agent), call.client)
    holder = await _holder(call, body)
    async with work(call.services.pool) as connection:
        if holder.kind == "staff":
            await connection.execute(
                "UPDATE staff SET status = 'active', invitation = NULL, invited_until = NULL "
                "WHERE id = $1 AND status = 'invited'",
                holder.id,
            )
        return with_session(await call.services.sign_in.enter(connection, holder, browser))


async def _holder(call: Call[Services], body: WalkIn) -> Holder:
    if (body.handle is None) == (body.staff_id is None):
        raise Invalid("handle", "give either a handle or a staff_id")
    if body.staff_id is not None:
        return Holder("staff", read_id("stf", body.staff_id, "staff_id"))
    assert body.handle is not None, "it is one of the two"
    found = await call.services.people.find_by_handle(body.handle)
    return Holder("person", found.id)
