"""The outbox: events, webhooks, live updates."""

from tandem.events.dispatch import Dispatcher
from tandem.events.errors import EndpointOff, TargetRefused, TooManyEndpoints, TooManyTests
from tandem.events.live import EventHub, Subscription
from tandem.events.model import (
    DELIVERIES,
    EVENTS,
    MERCHANT_TYPES,
    PERSON_TYPES,
    TYPES,
    Delivery,
    DeliveryStatus,
    Endpoint,
    Event,
    Now,
    announce,
)
from tandem.events.secrets import SIGNING_SECRETS
from tandem.events.send import Sender
from tandem.events.service import MAX_ENDPOINTS, MAX_TESTS, Webhooks
from tandem.events.shapes import (
    CreateEndpoint,
    DeliveryView,
    EndpointTest,
    EndpointView,
    EventView,
    NewEndpoint,
    UpdateEndpoint,
    delivery_view,
    endpoint_view,
    event_view,
)
from tandem.events.store import load_endpoints, tell_merchant

__all__ = [
    "DELIVERIES",
    "EVENTS",
    "MAX_ENDPOINTS",
    "MAX_TESTS",
    "MERCHANT_TYPES",
    "PERSON_TYPES",
    "SIGNING_SECRETS",
    "TYPES",
    "CreateEndpoint",
    "Delivery",
    "DeliveryStatus",
    "DeliveryView",
    "Dispatcher",
    "Endpoint",
    "EndpointOff",
    "EndpointTest",
    "EndpointView",
    "Event",
    "EventHub",
    "EventView",
    "NewEndpoint",
    "Now",
    "Sender",
    "Subscription",
    "TargetRefused",
    "TooManyEndpoints",
    "TooManyTests",
    "UpdateEndpoint",
    "Webhooks",
    "announce",
    "delivery_view",
    "endpoint_view",
    "event_view",
    "load_endpoints",
    "tell_merchant",
]
