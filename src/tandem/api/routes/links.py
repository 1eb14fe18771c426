"""Payment links: made, listed, switched, and visited by whoever has one."""

from typing import Protocol
from uuid import UUID

from tandem.api.operation import Call, ListQuery, Page, operation, page_of
from tandem.api.routes.checkout import ORDERING
from tandem.checkout import (
    CreateLink,
    LinkClosed,
    LinkPage,
    LinkView,
    OpenedPage,
    PaymentLinks,
    ReturnRefused,
    UpdateLink,
    VisitLink,
)
from tandem.kernel import NotFound
from tandem.ledger import Outcome


class Services(Protocol):
    """What these operations use."""

    @property
    def payment_links(self) -> PaymentLinks:
        """The use cases of payment links."""
        ...


@operation(
    "POST",
    "/v1/payment-links",
    tag="Checkout",
    summary="Make a payment link",
    who=("merchant",),
    scope="checkout:write",
    status=201,
    idempotency="required",
    errors=(NotFound, ReturnRefused),
)
async def create_payment_link(call: Call[Services], body: CreateLink) -> LinkView:
    """A link that is paid many times: each visit makes a checkout session of its own.

    With `max_payments` no more are paid than that, however many come at once: who has begun to pay
    counts until they have or their time is over.
    """
    return await call.services.payment_links.create(call.principal.owner_id, body, call.idempotency)


@operation(
    "GET",
    "/v1/payment-links",
    tag="Checkout",
    summary="List payment links",
    who=("merchant",),
    scope="checkout:read",
)
async def list_payment_links(call: Call[Services], query: ListQuery) -> Page[LinkView]:
    """The merchant's links, newest first, those that are off too."""
    rows = await call.services.payment_links.all(
        call.principal.owner_id, query.after_id("lnk"), query.limit + 1
    )
    return page_of(rows, query.limit)


@operation(
    "GET",
    "/v1/payment-links/{link_id}",
    tag="Checkout",
    summary="Get a payment link",
    who=("merchant",),
    scope="checkout:read",
)
async def get_payment_link(call: Call[Services], link_id: UUID) -> LinkView:
    """One link, with how often it was paid. Its sessions: `GET /v1/checkout/sessions?link_id=`."""
    return await call.services.payment_links.get(call.principal.owner_id, link_id)


@operation(
    "PATCH",
    "/v1/payment-links/{link_id}",
    tag="Checkout",
    summary="Change a payment link",
    who=("merchant",),
    scope="checkout:write",
)
async def update_payment_link(call: Call[Services], link_id: UUID, body: UpdateLink) -> LinkView:
    """Switch it off or on, or change how long and how often it is good.

    Whoever has begun to pay still can. What it costs stays: make another link.
    """
    return await call.services.payment_links.update(call.principal.owner_id, link_id, body)


@operation(
    "GET",
    "/v1/checkout/links/{page_token}",
    tag="Checkout",
    summary="Read a payment link's page",
    who=("anyone",),
    errors=(NotFound,),
)
async def read_link_page(call: Call[Services], page_token: str) -> LinkPage:
    """What a visitor sees before they pay. Nothing is made by reading it."""
    return await call.services.payment_links.page(page_token)


@operation(
    "POST",
    "/v1/checkout/links/{page_token}/visits",
    tag="Checkout",
    summary="Begin to pay a payment link",
    who=("anyone",),
    status=201,
    idempotency="optional",
    answer=OpenedPage,
    limit="visit",
    in_volume=True,
    errors=(*ORDERING, LinkClosed),
)
async def visit_payment_link(call: Call[Services], page_token: str, body: VisitLink) -> Outcome:
    """A checkout session for this visitor, who has an hour to pay it."""
    return await call.services.payment_links.visit(page_token, body.amount, call.idempotency)


OPERATIONS = (
    create_payment_link,
    list_payment_links,
    get_payment_link,
    update_payment_link,
    read_link_page,
    visit_payment_link,
)
