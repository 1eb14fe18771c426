"""Staff of merchants and of the operator, and the audit log of what everybody did."""

from datetime import datetime
from typing import Annotated, Final, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Employer, Principal, role_of
from tandem.api.errors import ScopeMissing
from tandem.api.operation import Body, Call, ListQuery, Page, Who, operation, page
from tandem.kernel import MAX_AMOUNT, Invalid, read_id
from tandem.ledger import OPERATOR_ID
from tandem.signin import (
    Audit,
    AuditFilter,
    AuditView,
    Invited,
    LastOwner,
    Limits,
    Member,
    MemberView,
    NewMember,
    Staff,
    StaffInvited,
    audit_view,
    limits_of,
    member_view,
)

BOTH: Final[tuple[Who, ...]] = ("merchant", "operator")
RoleName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=20,
        description=(
            "Of a merchant's: `cashier`, `manager` or `owner`; of the operator's: `support`, "
            "`treasurer` or `owner` (docs/sign-in.md says what each may do)"
        ),
        examples=["cashier"],
    ),
]
RefundLimit = Annotated[
    Annotated[int, Meta(ge=0, le=MAX_AMOUNT)] | None,
    Meta(
        description=(
            "The most of one payment that they give back, in hundredths of any currency's unit; "
            "null: as their role has it"
        ),
        examples=[20_000],
    ),
]
RefundDayLimit = Annotated[
    Annotated[int, Meta(ge=0, le=MAX_AMOUNT)] | None,
    Meta(
        description=(
            "The most that they give back in a day, in each currency, in hundredths of its unit; "
            "null: as their role has it, or as much as of one payment if that is more"
        ),
        examples=[100_000],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def staff(self) -> Staff:
        """Looks after staff."""
        ...

    @property
    def audit(self) -> Audit:
        """Tells who did what."""
        ...


class InviteStaff(Body, frozen=True, kw_only=True):
    """Somebody who is to work here."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Xu"])]
    role: RoleName
    refund_limit: RefundLimit = None
    refund_day_limit: RefundDayLimit = None


class ChangeStaff(Body, frozen=True, kw_only=True):
    """What a member may do from now on."""

    role: RoleName
    refund_limit: RefundLimit = None
    refund_day_limit: RefundDayLimit = None


class AuditQuery(ListQuery, frozen=True):
    """Which records to list."""

    actor: Annotated[
        str | None,
        Meta(
            description="Only what they did: a person, a member of staff, a device or a key",
            examples=["stf_0199f0a4c0de70008000000000000033"],
        ),
    ] = None
    action: Annotated[
        Annotated[str, Meta(min_length=1, max_length=60)] | None,
        Meta(description="Only this operation", examples=["create_refund"]),
    ] = None
    object: Annotated[
        Annotated[str, Meta(min_length=1, max_length=60)] | None,
        Meta(
            description="Only what was done to this, by its id",
            examples=["pay_0199f0a4c0de7000800000000000002a"],
        ),
    ] = None
    outcome: Annotated[
        Literal["done", "refused"] | None, Meta(description="Only what was done, or refused")
    ] = None
    since: Annotated[datetime | None, Meta(description="Not before this moment")] = None
    until: Annotated[datetime | None, Meta(description="Before this moment")] = None


class WholeAuditQuery(AuditQuery, frozen=True):
    """Which records to list, of everybody."""

    owner: Annotated[
        str | None,
        Meta(
            description="Only this merchant's or person's; `operator` for the operator's own",
            examples=["mer_0199f0a4c0de70008000000000000006"],
        ),
    ] = None


@operation(
    "POST",
    "/v1/staff",
    tag="Staff",
    summary="Invite somebody",
    who=BOTH,
    scope="staff:write",
    status=201,
)
async def invite_staff(call: Call[Services], body: InviteStaff) -> Invited:
    """A new member, with a link by which they make their passkey, within seven days.

    Nobody gives a role that can do more than they can themselves.
    """
    kind = _employer(call.principal)
    _check_may_give(call.principal, kind, body.role)
    return await call.services.staff.invite(kind, call.principal.owner_id, _new(body))


@operation(
    "POST",
    "/v1/merchants/{merchant_id}/staff",
    tag="Staff",
    summary="Invite somebody for a merchant",
    who=("operator",),
    status=201,
)
async def invite_staff_for_merchant(
    call: Call[Services], merchant_id: UUID, body: InviteStaff
) -> Invited:
    """The first owner of a merchant, who invites the others; or one who lost all passkeys."""
    return await call.services.staff.invite("merchant", merchant_id, _new(body))


@operation(
    "GET",
    "/v1/staff",
    tag="Staff",
    summary="List the staff",
    who=BOTH,
    scope="staff:read",
)
async def list_staff(call: Call[Services], query: ListQuery) -> Page[MemberView]:
    """Who works here, newest first."""
    rows = await call.services.staff.all(
        call.principal.owner_id, query.after_id("stf"), query.limit + 1
    )
    return page(rows, query.limit, member_view)


@operation(
    "GET",
    "/v1/staff/{staff_id}",
    tag="Staff",
    summary="Get a member of the staff",
    who=BOTH,
    scope="staff:read",
)
async def get_staff(call: Call[Services], staff_id: UUID) -> MemberView:
    """One member."""
    return member_view(await call.services.staff.get(call.principal.owner_id, staff_id))


@operation(
    "PUT",
    "/v1/staff/{staff_id}",
    tag="Staff",
    summary="Change what a member may do",
    who=BOTH,
    scope="staff:write",
    or_scope="staff:manage",
    errors=(LastOwner,),
)
async def change_staff(call: Call[Services], staff_id: UUID, body: ChangeStaff) -> MemberView:
    """Another role or other limits. Their sessions are over, so that it holds at once.

    With `staff:manage` alone: the limits of a member whose role can do less, up to one's own.
    """
    principal = call.principal
    _check_may_give(principal, _employer(principal), body.role)
    member = await _check_may_manage(call, staff_id)
    if body.role != member.role and not _changes_staff(principal):
        raise ScopeMissing("staff:write")
    most = Limits(body.refund_limit, body.refund_day_limit)
    wanted = msgspec.structs.replace(
        member, role=body.role, refund_limit=most.of_payment, refund_day_limit=most.of_day
    )
    _check_no_more_than_own(principal, limits_of(wanted))
    changed = await call.services.staff.change(principal.owner_id, staff_id, body.role, most)
    return member_view(changed)


@operation(
    "POST",
    "/v1/staff/{staff_id}/suspend",
    tag="Staff",
    summary="Suspend a member",
    who=BOTH,
    scope="staff:write",
    or_scope="staff:manage",
    errors=(LastOwner, StaffInvited),
)
async def suspend_staff(call: Call[Services], staff_id: UUID) -> MemberView:
    """Their sessions and live updates are over, and they sign in no more until they are resumed.

    With `staff:manage` alone: a member whose role can do less.
    """
    await _check_may_manage(call, staff_id)
    return member_view(await call.services.staff.suspend(call.principal.owner_id, staff_id))


@operation(
    "POST",
    "/v1/staff/{staff_id}/resume",
    tag="Staff",
    summary="Resume a member",
    who=BOTH,
    scope="staff:write",
    or_scope="staff:manage",
    errors=(StaffInvited,),
)
async def resume_staff(call: Call[Services], staff_id: UUID) -> MemberView:
    """They sign in again, with the passkeys that they have."""
    await _check_may_manage(call, staff_id)
    return member_view(await call.services.staff.resume(call.principal.owner_id, staff_id))


@operation(
    "POST",
    "/v1/staff/{staff_id}/invitation",
    tag="Staff",
    summary="Invite a member again",
    who=BOTH,
    scope="staff:write",
    status=201,
)
async def invite_staff_again(call: Call[Services], staff_id: UUID) -> Invited:
    """A new link, for one who lost it or their passkeys; these work no more once it is taken."""
    await _check_may_change(call, staff_id)
    return await call.services.staff.invite_again(call.principal.owner_id, staff_id)


@operation(
    "DELETE",
    "/v1/staff/{staff_id}",
    tag="Staff",
    summary="Let a member go",
    who=BOTH,
    scope="staff:write",
    errors=(LastOwner,),
)
async def remove_staff(call: Call[Services], staff_id: UUID) -> None:
    """Their sessions are over within a second and their passkeys work no more."""
    await _check_may_change(call, staff_id)
    await call.services.staff.remove(call.principal.owner_id, staff_id)


@operation(
    "GET",
    "/v1/audit",
    tag="Staff",
    summary="See who did what",
    who=("merchant",),
    scope="audit:read",
)
async def list_audit(call: Call[Services], query: AuditQuery) -> Page[AuditView]:
    """What the merchant's staff and keys did, newest first; of staff also what was refused.

    Payments that a key takes are not in it: they tell of themselves.
    """
    return await _audit(call, query, call.principal.owner_id)


@operation(
    "GET",
    "/v1/audit/all",
    tag="Staff",
    summary="See who did what, everywhere",
    who=("operator",),
)
async def list_whole_audit(call: Call[Services], query: WholeAuditQuery) -> Page[AuditView]:
    """What people, merchants and the operator did, newest first."""
    return await _audit(call, query, _owner(query.owner))


async def _audit(call: Call[Services], query: AuditQuery, owner: UUID | None) -> Page[AuditView]:
    wanted = AuditFilter(
        owner_id=owner,
        actor_id=None if query.actor is None else _any_id(query.actor, "actor"),
        action=query.action,
        object=query.object,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
    )
    rows = await call.services.audit.list(wanted, query.after_id("aud"), query.limit + 1)
    return page(rows, query.limit, audit_view)


def _owner(text: str | None) -> UUID | None:
    if text is None:
        return None
    return OPERATOR_ID if text == "operator" else _any_id(text, "owner")


def _any_id(text: str, field: str) -> UUID:
    """An id of whatever kind. Raises `Invalid`."""
    return read_id(text.partition("_")[0], text, field)


def _employer(principal: Principal) -> Employer:
    assert principal.kind != "person", "people have no staff"
    return principal.kind


def _check_may_give(principal: Principal, kind: Employer, role: str) -> None:
    """That whoever asks can do all that the role can. Raises `ScopeMissing`, `Invalid`."""
    for scope in sorted(role_of(kind, role).scopes - principal.scopes):
        raise ScopeMissing(scope)


async def _check_may_change(call: Call[Services], staff_id: UUID) -> None:
    """As above, for the role that a member has. Raises `NotFound`."""
    member = await call.services.staff.get(call.principal.owner_id, staff_id)
    _check_may_give(call.principal, member.employer_kind, member.role)


def _changes_staff(principal: Principal) -> bool:
    """Whether whoever asks may change all staff, and not only look after those below them."""
    return principal.kind == "operator" or "staff:write" in principal.scopes


async def _check_may_manage(call: Call[Services], staff_id: UUID) -> Member:
    """That whoever asks may do what a member's role may, and more unless they change all staff.

    So a manager looks after cashiers, not after managers or owners. Raises `NotFound`,
    `ScopeMissing`.
    """
    principal = call.principal
    member = await call.services.staff.get(principal.owner_id, staff_id)
    _check_may_give(principal, member.employer_kind, member.role)
    less = role_of(member.employer_kind, member.role).scopes < principal.scopes
    if not less and not _changes_staff(principal):
        raise ScopeMissing("staff:write")
    return member


def _check_no_more_than_own(principal: Principal, wanted: Limits) -> None:
    """That a manager lets nobody give back more than they may themselves. Raises `Invalid`."""
    who = principal.signed_in
    if who is None or _changes_staff(principal):
        return
    for field, own, most in (
        ("refund_limit", who.refund_limit, wanted.of_payment),
        ("refund_day_limit", who.refund_day_limit, wanted.of_day),
    ):
        if own is not None and (most is None or most > own):
            raise Invalid(field, f"{own} at most: nobody lets others give back more than they may")


def _new(body: InviteStaff) -> NewMember:
    return NewMember(body.name, body.role, body.refund_limit, body.refund_day_limit)


OPERATIONS = (
    invite_staff,
    invite_staff_for_merchant,
    list_staff,
    get_staff,
    change_staff,
    suspend_staff,
    resume_staff,
    invite_staff_again,
    remove_staff,
    list_audit,
    list_whole_audit,
)
