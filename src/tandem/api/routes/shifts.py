"""Shifts of tills: opened, looked at (X report), closed (Z report)."""

from typing import Protocol
from uuid import UUID

from tandem.access import Principal, role_of
from tandem.api.operation import Body, Call, ListQuery, Page, operation, page
from tandem.api.routes.approve import ApprovedBy
from tandem.kernel import show_id
from tandem.shifts import (
    OpenShift,
    Shift,
    ShiftClosed,
    ShiftOfAnother,
    ShiftOpen,
    Shifts,
    ShiftView,
    shift_view,
)
from tandem.signin import ApprovalRefused, Approvals, Approver, Deed, PasskeyRefused


class Services(Protocol):
    """What these operations use."""

    @property
    def shifts(self) -> Shifts:
        """The use cases of shifts."""
        ...

    @property
    def approvals(self) -> Approvals:
        """Asks managers to approve."""
        ...


class CloseShift(Body, frozen=True, kw_only=True):
    """Who approved that it is closed, where that is needed."""

    approval: ApprovedBy = None


@operation(
    "POST",
    "/v1/tills/{till_id}/shifts",
    tag="Shifts",
    summary="Open a shift",
    who=("merchant",),
    scope="payments:write",
    status=201,
    idempotency="required",
    errors=(ShiftOpen,),
)
async def open_shift(call: Call[Services], till_id: UUID, body: OpenShift) -> ShiftView:
    """From now on the till's payments and refunds are counted. A till has one open shift at most.

    What was paid since the last one was closed is in it.
    """
    caller = call.principal
    made = await call.services.shifts.open(
        caller.owner_id,
        till_id,
        body.float,
        caller.name,
        call.idempotency,
        opener_id=None if caller.signed_in is None else caller.signed_in.holder_id,
    )
    return shift_view(made)


@operation(
    "GET",
    "/v1/tills/{till_id}/shifts",
    tag="Shifts",
    summary="List a till's shifts",
    who=("merchant",),
    scope="payments:read",
)
async def list_shifts(call: Call[Services], till_id: UUID, query: ListQuery) -> Page[ShiftView]:
    """Shifts with their totals, newest first: the open one, if there is one, is the first."""
    rows = await call.services.shifts.of_till(
        call.principal.owner_id, till_id, query.after_id("shf"), query.limit + 1
    )
    return page(rows, query.limit, shift_view)


@operation(
    "GET",
    "/v1/shifts/{shift_id}",
    tag="Shifts",
    summary="Get a shift's report",
    who=("merchant",),
    scope="payments:read",
)
async def get_shift(call: Call[Services], shift_id: UUID) -> ShiftView:
    """Of an open shift the totals until now (X report), of a closed one for good (Z report).

    The sums are the ledger's: what it moved for payments that this till took, with their refunds
    whoever gave them.
    """
    return shift_view(await call.services.shifts.get(call.principal.owner_id, shift_id))


@operation(
    "POST",
    "/v1/shifts/{shift_id}/close",
    tag="Shifts",
    summary="Close a shift",
    who=("merchant",),
    scope="payments:write",
    idempotency="required",
    errors=(ShiftClosed, ShiftOfAnother, ApprovalRefused, PasskeyRefused),
)
async def close_shift(call: Call[Services], shift_id: UUID, body: CloseShift) -> ShiftView:
    """The report is kept as it is at this moment. What is paid from now on is in the next shift.

    A cashier closes the shift that they opened, or that a key did; another's when a manager or an
    owner approves it, as `shift_of_another` says.
    """
    caller = call.principal

    async def close(approver: Approver | None) -> Shift:
        only_of = _bound_to_own(caller) if approver is None else None
        return await call.services.shifts.close(
            caller.owner_id, shift_id, caller.name, call.idempotency, only_of=only_of
        )

    wanted = Deed("close_shift", show_id("shf", shift_id))
    return shift_view(await call.services.approvals.doing(caller, wanted, body.approval, close))


def _bound_to_own(caller: Principal) -> UUID | None:
    """The member of staff who closes only what they opened; None for a key and for managers."""
    who = caller.signed_in
    if who is None or who.role is None or role_of("merchant", who.role).approves:
        return None
    return who.holder_id


OPERATIONS = (open_shift, list_shifts, get_shift, close_shift)
