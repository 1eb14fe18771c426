"""The outbox: events, webhooks, live updates."""

from tandem.events.model import (
    DELIVERIES,
    EVENTS,
    MERCHANT_TYPES,
    TYPES,
    Delivery,
    Endpoint,
    Event,
    announce,
)
from tandem.events.store import load_endpoints

__all__ = [
    "DELIVERIES",
    "EVENTS",
    "MERCHANT_TYPES",
    "TYPES",
    "Delivery",
    "Endpoint",
    "Event",
    "announce",
    "load_endpoints",
]
