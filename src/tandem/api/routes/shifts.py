"""Shifts of tills: opened, looked at (X report), closed (Z report)."""

from typing import Protocol
from uuid import UUID

from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.shifts import OpenShift, ShiftClosed, ShiftOpen, Shifts, ShiftView, shift_view


class Services(Protocol):
    """What these operations use."""

    @property
    def shifts(self) -> Shifts:
        """The use cases of shifts."""
        ...


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
        caller.owner_id, till_id, body.float, caller.name, call.idempotency
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
    errors=(ShiftClosed,),
)
async def close_shift(call: Call[Services], shift_id: UUID) -> ShiftView:
    """The report is kept as it is at this moment. What is paid from now on is in the next shift."""
    caller = call.principal
    closed = await call.services.shifts.close(
        caller.owner_id, shift_id, caller.name, call.idempotency
    )
    return shift_view(closed)


OPERATIONS = (open_shift, list_shifts, get_shift, close_shift)
