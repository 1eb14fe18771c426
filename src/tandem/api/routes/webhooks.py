"""Events, live updates, and webhooks: where a merchant's events are sent."""

from collections.abc import AsyncIterator
from typing import Protocol
from uuid import UUID

import msgspec

from tandem.api.operation import Call, ListQuery, Live, Page, operation, page
from tandem.events import (
    CreateEndpoint,
    DeliveryView,
    EndpointOff,
    EndpointView,
    Event,
    EventHub,
    EventView,
    NewEndpoint,
    Subscription,
    TargetRefused,
    TooManyEndpoints,
    TooManyTests,
    UpdateEndpoint,
    Webhooks,
    delivery_view,
    endpoint_view,
    event_view,
)
from tandem.kernel import read_id
from tandem.ledger import Outcome


class Services(Protocol):
    """What these operations use."""

    @property
    def webhooks(self) -> Webhooks:
        """Endpoints, deliveries and events."""
        ...

    @property
    def hub(self) -> EventHub:
        """Events as they happen."""
        ...


@operation(
    "GET",
    "/v1/events",
    tag="Events",
    summary="List events",
    who=("merchant", "person"),
    scope="events:read",
)
async def list_events(call: Call[Services], query: ListQuery) -> Page[EventView]:
    """What happened to your payments (a merchant) or in your wallet (a person), newest first."""
    rows = await call.services.webhooks.events(
        call.principal.owner_id, query.after_id("evt"), query.limit + 1
    )
    return page(rows, query.limit, event_view)


@operation(
    "GET",
    "/v1/events/stream",
    tag="Events",
    summary="Follow events live",
    who=("merchant", "person"),
    scope="events:read",
)
async def stream_events(call: Call[Services]) -> Live:
    """Server-sent events: each with its id, its type as the event's name, and the event as data.

    After a break send the last id that you have in the header `Last-Event-ID`, as browsers do:
    what you missed comes first. A comment comes every 15 seconds when nothing happens.
    """
    last = call.last_event_id
    after = None if not last else read_id("evt", last, "Last-Event-ID")
    subscription = await call.services.hub.subscribe(call.principal.owner_id, after)
    return Live(_Frames(subscription))


@operation(
    "GET",
    "/v1/events/{event_id}",
    tag="Events",
    summary="Get an event",
    who=("merchant", "person"),
    scope="events:read",
)
async def get_event(call: Call[Services], event_id: UUID) -> EventView:
    """One event, with the object as it was then."""
    return event_view(await call.services.webhooks.event(call.principal.owner_id, event_id))


@operation(
    "POST",
    "/v1/webhooks",
    tag="Webhooks",
    summary="Make a webhook endpoint",
    who=("merchant",),
    scope="webhooks:write",
    status=201,
    idempotency="required",
    answer=NewEndpoint,
    errors=(TargetRefused, TooManyEndpoints),
)
async def create_webhook(call: Call[Services], body: CreateEndpoint) -> Outcome:
    """Events are sent there from now on, signed after the Standard Webhooks specification.

    The secret is shown in this answer and never again.
    """
    return await call.services.webhooks.create(call.principal.owner_id, body, call.idempotency)


@operation(
    "GET",
    "/v1/webhooks",
    tag="Webhooks",
    summary="List webhook endpoints",
    who=("merchant",),
    scope="webhooks:read",
)
async def list_webhooks(call: Call[Services]) -> Page[EndpointView]:
    """All of them: there are few."""
    rows = await call.services.webhooks.list(call.principal.owner_id)
    return page(rows, len(rows), endpoint_view)


@operation(
    "GET",
    "/v1/webhooks/{endpoint_id}",
    tag="Webhooks",
    summary="Get a webhook endpoint",
    who=("merchant",),
    scope="webhooks:read",
)
async def get_webhook(call: Call[Services], endpoint_id: UUID) -> EndpointView:
    """One endpoint, without its secret."""
    return endpoint_view(await call.services.webhooks.get(call.principal.owner_id, endpoint_id))


@operation(
    "PATCH",
    "/v1/webhooks/{endpoint_id}",
    tag="Webhooks",
    summary="Change a webhook endpoint",
    who=("merchant",),
    scope="webhooks:write",
    errors=(TargetRefused,),
)
async def update_webhook(
    call: Call[Services], endpoint_id: UUID, body: UpdateEndpoint
) -> EndpointView:
    """Change the URL or the types, or switch it off and on. What is left out stays."""
    return endpoint_view(
        await call.services.webhooks.update(call.principal.owner_id, endpoint_id, body)
    )


@operation(
    "DELETE",
    "/v1/webhooks/{endpoint_id}",
    tag="Webhooks",
    summary="Delete a webhook endpoint",
    who=("merchant",),
    scope="webhooks:write",
)
async def delete_webhook(call: Call[Services], endpoint_id: UUID) -> None:
    """Nothing is sent there any more."""
    await call.services.webhooks.delete(call.principal.owner_id, endpoint_id)


@operation(
    "POST",
    "/v1/webhooks/{endpoint_id}/secret",
    tag="Webhooks",
    summary="Roll an endpoint's secret",
    who=("merchant",),
    scope="webhooks:write",
    status=201,
    idempotency="required",
    answer=NewEndpoint,
)
async def roll_webhook_secret(call: Call[Services], endpoint_id: UUID) -> Outcome:
    """A new secret, shown only here. The one before signs beside it for a day."""
    return await call.services.webhooks.roll_secret(
        call.principal.owner_id, endpoint_id, call.idempotency
    )


@operation(
    "POST",
    "/v1/webhooks/{endpoint_id}/test",
    tag="Webhooks",
    summary="Send a test event",
    who=("merchant",),
    scope="webhooks:write",
    status=202,
    idempotency="required",
    answer=DeliveryView,
    errors=(EndpointOff, TooManyTests),
)
async def test_webhook(call: Call[Services], endpoint_id: UUID) -> Outcome:
    """An event `webhook.test` goes there, signed. It is tried once.

    It is sent whatever types the endpoint asks for, and stands among its deliveries.
    """
    return await call.services.webhooks.test(call.principal.owner_id, endpoint_id, call.idempotency)


@operation(
    "GET",
    "/v1/webhooks/{endpoint_id}/deliveries",
    tag="Webhooks",
    summary="List an endpoint's deliveries",
    who=("merchant",),
    scope="webhooks:read",
)
async def list_deliveries(
    call: Call[Services], endpoint_id: UUID, query: ListQuery
) -> Page[DeliveryView]:
    """Every event that was or is to be sent there, with what became of it, newest first."""
    rows = await call.services.webhooks.deliveries(
        call.principal.owner_id, endpoint_id, query.after_id("whd"), query.limit + 1
    )
    return page(rows, query.limit, delivery_view)


@operation(
    "GET",
    "/v1/deliveries/{delivery_id}",
    tag="Webhooks",
    summary="Get a delivery",
    who=("merchant",),
    scope="webhooks:read",
)
async def get_delivery(call: Call[Services], delivery_id: UUID) -> DeliveryView:
    """One event on its way to one endpoint."""
    found = await call.services.webhooks.delivery(call.principal.owner_id, delivery_id)
    return delivery_view(found)


@operation(
    "POST",
    "/v1/deliveries/{delivery_id}/resend",
    tag="Webhooks",
    summary="Send a delivery again",
    who=("merchant",),
    scope="webhooks:write",
    status=202,
    errors=(EndpointOff,),
)
async def resend_delivery(call: Call[Services], delivery_id: UUID) -> DeliveryView:
    """Try it now, whether it failed, waits for its next try or has been delivered."""
    found = await call.services.webhooks.resend(call.principal.owner_id, delivery_id)
    return delivery_view(found)


def frame(event: Event) -> bytes:
    """An event as server-sent events have it (WHATWG HTML §9.2.6)."""
    view = event_view(event)
    data = b"\ndata: ".join(msgspec.json.encode(view).splitlines())
    return f"id: {view.id}\nevent: {view.type}\ndata: ".encode() + data + b"\n\n"


class _Frames(AsyncIterator[bytes]):
    """A subscription's events in the wire's form; closing it closes the subscription."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def __anext__(self) -> bytes:
        return frame(await anext(self._subscription))

    async def aclose(self) -> None:
        """Listen no more."""
        await self._subscription.aclose()


OPERATIONS = (
    list_events,
    stream_events,
    get_event,
    create_webhook,
    list_webhooks,
    get_webhook,
    update_webhook,
    delete_webhook,
    roll_webhook_secret,
    test_webhook,
    list_deliveries,
    get_delivery,
    resend_delivery,
)
