"""Events, endpoints and deliveries as the API shows and takes them."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tandem.events.model import (
    MERCHANT_TYPES,
    PERSON_TYPES,
    DeliveryStatus,
    Endpoint,
    Event,
    Sent,
)
from tandem.events.target import MAX_URL
from tandem.kernel import show_id

Moment = Annotated[datetime, Meta(description="RFC 3339, UTC")]
EventType = Annotated[
    str,
    Meta(
        description="What happened",
        examples=["payment.captured"],
        extra_json_schema={"enum": list(dict.fromkeys((*MERCHANT_TYPES, *PERSON_TYPES)))},
    ),
]
MerchantType = Annotated[
    str, Meta(examples=["payment.captured"], extra_json_schema={"enum": list(MERCHANT_TYPES)})
]
EndpointId = Annotated[
    str, Meta(description="Endpoint id", examples=["whe_0199f0a4c0de7000800000000000003b"])
]
Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_URL,
        description="Where events are sent: https, on the public internet",
        examples=["https://shop.example/hooks/tandem"],
    ),
]
Types = Annotated[
    tuple[MerchantType, ...],
    Meta(
        max_length=len(MERCHANT_TYPES),
        description="Which events; none means all",
        examples=[["payment.captured", "payment.refunded"]],
    ),
]
Enabled = Annotated[bool, Meta(description="Whether events are sent there", examples=[True])]


class EventView(msgspec.Struct, frozen=True):
    """Something that happened."""

    id: Annotated[
        str, Meta(description="Event id", examples=["evt_0199f0a4c0de7000800000000000003a"])
    ]
    type: EventType
    created_at: Moment
    data: Annotated[
        msgspec.Raw, Meta(description="The object (a payment, a send …) as it was then")
    ]


class EndpointView(msgspec.Struct, frozen=True):
    """A webhook endpoint."""

    id: EndpointId
    url: Url
    types: Types
    enabled: Enabled
    created_at: Moment


class NewEndpoint(msgspec.Struct, frozen=True):
    """A webhook endpoint with its secret, which is shown this once."""

    id: EndpointId
    url: Url
    types: Types
    enabled: Enabled
    created_at: Moment
    secret: Annotated[
        str,
        Meta(
            description="What signatures are made with: whsec_ and 32 bytes in Base64. Keep it",
            examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazMHnF0sPHY="],
        ),
    ]


class CreateEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new webhook endpoint."""

    url: Url
    types: Types = ()


class UpdateEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a webhook endpoint; what is left out stays."""

    url: Url | UnsetType = UNSET
    types: Types | UnsetType = UNSET
    enabled: Enabled | UnsetType = UNSET


class EndpointTest(msgspec.Struct, frozen=True):
    """What a test event tells: to which endpoint it was sent. All staff reads events: no more."""

    id: EndpointId


class DeliveryView(msgspec.Struct, frozen=True):
    """One event on its way to one endpoint."""

    id: Annotated[
        str, Meta(description="Delivery id", examples=["whd_0199f0a4c0de7000800000000000003c"])
    ]
    endpoint_id: EndpointId
    event_id: Annotated[str, Meta(examples=["evt_0199f0a4c0de7000800000000000003a"])]
    type: EventType
    status: Annotated[
        str,
        Meta(
            description="pending until it is taken, or its last try has failed",
            examples=["delivered"],
            extra_json_schema={"enum": [status.value for status in DeliveryStatus]},
        ),
    ]
    attempts: Annotated[int, Meta(description="How often it was tried", examples=[1])]
    next_attempt_at: Annotated[datetime | None, Meta(description="When it is tried again")]
    last_attempt_at: Annotated[datetime | None, Meta(description="When it was tried last")]
    last_status: Annotated[
        int | None, Meta(description="The HTTP status of the last answer", examples=[200])
    ]
    last_error: Annotated[str | None, Meta(description="What was wrong with the last try")]
    created_at: Moment
    last_body: Annotated[
        str | None,
        Meta(
            description=(
                "The beginning of what the last answer said, at most 2048 bytes, as plain text: "
                "whoever answers writes it. Its headers are not kept"
            ),
            examples=["ok"],
        ),
    ]


class Payload(msgspec.Struct, frozen=True):
    """The body of a webhook, as Standard Webhooks has it."""

    type: EventType
    timestamp: Moment
    data: msgspec.Raw


def event_view(event: Event) -> EventView:
    """The event for its owner."""
    data = msgspec.Raw(event.data.encode())
    return EventView(show_id("evt", event.id), event.type, event.created_at, data)


def endpoint_view(endpoint: Endpoint) -> EndpointView:
    """The endpoint for its merchant."""
    e = endpoint
    return EndpointView(show_id("whe", e.id), e.url, e.types, e.enabled, e.created_at)


def new_endpoint(endpoint: Endpoint, secret: str) -> NewEndpoint:
    """The endpoint with a secret that was made now."""
    e = endpoint
    return NewEndpoint(show_id("whe", e.id), e.url, e.types, e.enabled, e.created_at, secret)


def delivery_view(sent: Sent) -> DeliveryView:
    """The delivery for its merchant."""
    d = sent.delivery
    return DeliveryView(
        show_id("whd", d.id),
        show_id("whe", d.endpoint_id),
        show_id("evt", d.event_id),
        sent.event_type,
        d.status,
        d.attempts,
        d.next_attempt_at,
        d.last_attempt_at,
        d.last_status,
        d.last_error,
        d.created_at,
        sent.body,
    )


def payload(event: Event) -> bytes:
    """The body that tells an event: the same bytes at every try."""
    data = msgspec.Raw(event.data.encode())
    return msgspec.json.encode(Payload(event.type, event.created_at, data))
