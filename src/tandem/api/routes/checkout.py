"""Checkout: sessions that a shop's server makes, and their pages for whoever has the link."""

from collections.abc import AsyncIterator
from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Live, Page, operation, page_of
from tandem.checkout import (
    Checkout,
    CheckoutPage,
    CheckoutSettings,
    CheckoutView,
    CreateSession,
    ResultSecret,
    ReturnRefused,
    RollResultSecret,
    Session,
)
from tandem.events import EventHub
from tandem.kernel import NotFound, read_id
from tandem.ledger import Outcome
from tandem.merchants import WayRefused
from tandem.payments import CurrencyNotTaken, MerchantNotActive

ORDERING = (NotFound, WayRefused, CurrencyNotTaken, MerchantNotActive)
"""Why no order is made."""


class Services(Protocol):
    """What these operations use."""

    @property
    def checkout(self) -> Checkout:
        """The use cases of checkout sessions."""
        ...

    @property
    def hub(self) -> EventHub:
        """Events as they happen."""
        ...


class SessionsQuery(ListQuery, frozen=True):
    """Which sessions to list."""

    payment_id: Annotated[str | None, Meta(description="That of this payment")] = None
    link_id: Annotated[str | None, Meta(description="Those of this payment link")] = None
    invoice_id: Annotated[str | None, Meta(description="Those of this invoice")] = None


@operation(
    "POST",
    "/v1/checkout/sessions",
    tag="Checkout",
    summary="Make a checkout session",
    who=("merchant",),
    scope="payments:write",
    status=201,
    idempotency="required",
    answer=CheckoutView,
    in_volume=True,
    errors=(*ORDERING, ReturnRefused),
)
async def create_checkout_session(call: Call[Services], body: CreateSession) -> Outcome:
    """A hosted page for an order. Send the person to its `url`.

    It makes a payment of the way `click`, which lives as every payment does: capture, refund and
    cancel it by its `payment_id`. The person returns to `success_url` or `cancel_url` with the
    signed result in the parameter `tandem_result`.
    """
    return await call.services.checkout.create(call.principal.owner_id, body, call.idempotency)


@operation(
    "GET",
    "/v1/checkout/sessions",
    tag="Checkout",
    summary="List checkout sessions",
    who=("merchant",),
    scope="payments:read",
)
async def list_checkout_sessions(call: Call[Services], query: SessionsQuery) -> Page[CheckoutView]:
    """The merchant's sessions, newest first; those of links and invoices among them."""
    rows = await call.services.checkout.all(
        call.principal.owner_id,
        query.after_id("chs"),
        query.limit + 1,
        payment_id=_id("pay", query.payment_id, "payment_id"),
        link_id=_id("lnk", query.link_id, "link_id"),
        invoice_id=_id("inv", query.invoice_id, "invoice_id"),
    )
    return page_of(rows, query.limit)


@operation(
    "GET",
    "/v1/checkout/sessions/{checkout_id}",
    tag="Checkout",
    summary="Get a checkout session",
    who=("merchant",),
    scope="payments:read",
)
async def get_checkout_session(call: Call[Services], checkout_id: UUID) -> CheckoutView:
    """A session with the state that its payment is in now."""
    return await call.services.checkout.get(call.principal.owner_id, checkout_id)


@operation(
    "GET",
    "/v1/checkout/settings",
    tag="Checkout",
    summary="Get the settings of checkout",
    who=("merchant",),
    scope="checkout:read",
)
async def get_checkout_settings(call: Call[Services]) -> CheckoutSettings:
    """Where checkout may return to and who may frame it: nowhere and nobody until you say so."""
    return await call.services.checkout.settings_of(call.principal.owner_id)


@operation(
    "PUT",
    "/v1/checkout/settings",
    tag="Checkout",
    summary="Set the settings of checkout",
    who=("merchant",),
    scope="checkout:settings",
)
async def set_checkout_settings(call: Call[Services], body: CheckoutSettings) -> CheckoutSettings:
    """Name your own origins only, as `https://shop.example`; in a sandbox this machine's, too.

    Sessions that were made before return to where they were made to.
    """
    return await call.services.checkout.change_settings(call.principal.owner_id, body)


@operation(
    "POST",
    "/v1/checkout/secret",
    tag="Checkout",
    summary="Make a secret for results",
    who=("merchant",),
    scope="checkout:settings",
)
async def roll_result_secret(call: Call[Services], body: RollResultSecret) -> ResultSecret:
    """The secret that signs results, shown this once. The first one signs at once.

    A later one signs after an hour, so that your server can know both by then; `at_once` if the
    one before is in wrong hands. What was signed before stays signed with the old one.
    """
    return await call.services.checkout.roll_secret(call.principal.owner_id, at_once=body.at_once)


@operation(
    "GET",
    "/v1/checkout/pages/{page_token}",
    tag="Checkout",
    summary="Read a checkout page",
    who=("anyone",),
    errors=(NotFound,),
)
async def read_checkout_page(call: Call[Services], page_token: str) -> CheckoutPage:
    """What the page shows to whoever has its link: whom one pays, what for, and how it stands."""
    return await call.services.checkout.page(page_token)


@operation(
    "GET",
    "/v1/checkout/pages/{page_token}/stream",
    tag="Checkout",
    summary="Follow a checkout page live",
    who=("anyone",),
    errors=(NotFound,),
)
async def stream_checkout_page(call: Call[Services], page_token: str) -> Live:
    """Server-sent events named `page`, each with the page as it is then; the first comes at once.

    A comment comes every 15 seconds when nothing happens.
    """
    checkout = call.services.checkout
    session = await checkout.session_of(page_token)
    return Live(_frames(checkout, call.services.hub, session))


async def _frames(checkout: Checkout, hub: EventHub, session: Session) -> AsyncIterator[bytes]:
    """The page now, and after each event of its payment. Others' events are not told."""
    subscription = await hub.subscribe(session.merchant_id, None)
    try:
        yield _frame(await checkout.page(session.token))
        async for event in subscription:
            if event.object_id == session.payment_id:
                yield _frame(await checkout.page(session.token))
    finally:
        await subscription.aclose()


def _frame(shown: CheckoutPage) -> bytes:
    return b"event: page\ndata: " + msgspec.json.encode(shown) + b"\n\n"


def _id(prefix: str, text: str | None, field: str) -> UUID | None:
    return None if text is None else read_id(prefix, text, field)


OPERATIONS = (
    create_checkout_session,
    list_checkout_sessions,
    get_checkout_session,
    get_checkout_settings,
    set_checkout_settings,
    roll_result_secret,
    read_checkout_page,
    stream_checkout_page,
)
