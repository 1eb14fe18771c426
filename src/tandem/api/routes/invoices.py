"""Invoices: drafted, opened, listed, taken back, and paid by whoever has their link."""

from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Page, operation, page_of
from tandem.api.routes.checkout import ORDERING
from tandem.checkout import (
    CreateInvoice,
    InvoiceConflict,
    InvoicePage,
    Invoices,
    InvoiceStatus,
    InvoiceView,
    OpenedPage,
    UpdateInvoice,
)
from tandem.kernel import NotFound
from tandem.ledger import Outcome
from tandem.payments import PaymentConflict


class Services(Protocol):
    """What these operations use."""

    @property
    def invoices(self) -> Invoices:
        """The use cases of invoices."""
        ...


class InvoicesQuery(ListQuery, frozen=True):
    """Which invoices to list."""

    status: Annotated[InvoiceStatus | None, Meta(description="Only those in this state")] = None


@operation(
    "POST",
    "/v1/invoices",
    tag="Checkout",
    summary="Draft an invoice",
    who=("merchant",),
    scope="checkout:write",
    status=201,
    idempotency="required",
    errors=(NotFound,),
)
async def create_invoice(call: Call[Services], body: CreateInvoice) -> InvoiceView:
    """A draft, which can still be changed or deleted. It has no number and no page yet."""
    return await call.services.invoices.create(call.principal.owner_id, body, call.idempotency)


@operation(
    "GET",
    "/v1/invoices",
    tag="Checkout",
    summary="List invoices",
    who=("merchant",),
    scope="checkout:read",
)
async def list_invoices(call: Call[Services], query: InvoicesQuery) -> Page[InvoiceView]:
    """The merchant's invoices, newest first, in one state or in all."""
    rows = await call.services.invoices.all(
        call.principal.owner_id, query.status, query.after_id("inv"), query.limit + 1
    )
    return page_of(rows, query.limit)


@operation(
    "GET",
    "/v1/invoices/{invoice_id}",
    tag="Checkout",
    summary="Get an invoice",
    who=("merchant",),
    scope="checkout:read",
)
async def get_invoice(call: Call[Services], invoice_id: UUID) -> InvoiceView:
    """One invoice, with the state that it is in now."""
    return await call.services.invoices.get(call.principal.owner_id, invoice_id)


@operation(
    "PATCH",
    "/v1/invoices/{invoice_id}",
    tag="Checkout",
    summary="Change a draft",
    who=("merchant",),
    scope="checkout:write",
    errors=(InvoiceConflict,),
)
async def update_invoice(
    call: Call[Services], invoice_id: UUID, body: UpdateInvoice
) -> InvoiceView:
    """What was opened is changed no more: make it void and open another one."""
    return await call.services.invoices.update(call.principal.owner_id, invoice_id, body)


@operation(
    "DELETE",
    "/v1/invoices/{invoice_id}",
    tag="Checkout",
    summary="Delete a draft",
    who=("merchant",),
    scope="checkout:write",
    errors=(InvoiceConflict,),
)
async def delete_invoice(call: Call[Services], invoice_id: UUID) -> None:
    """Only a draft can be deleted: it had no number, so none is missing."""
    await call.services.invoices.delete(call.principal.owner_id, invoice_id)


@operation(
    "POST",
    "/v1/invoices/{invoice_id}/open",
    tag="Checkout",
    summary="Open an invoice",
    who=("merchant",),
    scope="checkout:write",
    errors=(InvoiceConflict,),
)
async def open_invoice(call: Call[Services], invoice_id: UUID) -> InvoiceView:
    """Give it the merchant's next number and a page: send its `url` to the customer.

    Numbers have no gaps. It is paid in full and at once; parts are not taken.
    """
    return await call.services.invoices.open(call.principal.owner_id, invoice_id)


@operation(
    "POST",
    "/v1/invoices/{invoice_id}/void",
    tag="Checkout",
    summary="Make an invoice void",
    who=("merchant",),
    scope="checkout:write",
    errors=(InvoiceConflict, PaymentConflict),
)
async def void_invoice(call: Call[Services], invoice_id: UUID) -> InvoiceView:
    """It keeps its number and can be paid no more. What was paid is refunded instead."""
    return await call.services.invoices.void(call.principal.owner_id, invoice_id)


@operation(
    "GET",
    "/v1/checkout/invoices/{page_token}",
    tag="Checkout",
    summary="Read an invoice's page",
    who=("anyone",),
    errors=(NotFound,),
)
async def read_invoice_page(call: Call[Services], page_token: str) -> InvoicePage:
    """The invoice for whoever has its link; once it is paid, its receipt."""
    return await call.services.invoices.page(page_token)


@operation(
    "POST",
    "/v1/checkout/invoices/{page_token}/visits",
    tag="Checkout",
    summary="Begin to pay an invoice",
    who=("anyone",),
    status=201,
    idempotency="optional",
    answer=OpenedPage,
    limit="visit",
    in_volume=True,
    errors=(*ORDERING, InvoiceConflict),
)
async def visit_invoice(call: Call[Services], page_token: str) -> Outcome:
    """The checkout session that pays it: the same one for all who come while it can be paid."""
    return await call.services.invoices.visit(page_token, call.idempotency)


OPERATIONS = (
    create_invoice,
    list_invoices,
    get_invoice,
    update_invoice,
    delete_invoice,
    open_invoice,
    void_invoice,
    read_invoice_page,
    visit_invoice,
)
