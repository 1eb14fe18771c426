"""The outbox: events, webhooks, live updates."""

from tandem.events.dispatch import Dispatcher
from tandem.events.errors import EndpointOff, TargetRefused, TooManyEndpoints
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
from tandem.events.service import MAX_ENDPOINTS, Webhooks
from tandem.events.shapes import (
    CreateEndpoint,
    DeliveryView,
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
    "UpdateEndpoint",
    "Webhooks",
    "announce",
    "delivery_view",
    "endpoint_view",
    "event_view",
    "load_endpoints",
    "tell_merchant",
]
