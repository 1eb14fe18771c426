"""Events in the OpenAPI document: what their data is by their type, and webhooks as they arrive."""

from typing import Any, Final

from tandem.api.event_types import KINDS
from tandem.api.examples import example
from tandem.api.schemas import EXAMPLE_DIGITS, schema_of
from tandem.events import MERCHANT_TYPES, EventView

_WEBHOOK_HEADERS: Final = tuple(
    {
        "name": name,
        "in": "header",
        "required": True,
        "description": text,
        "schema": {"type": "string"},
        "example": value,
    }
    for name, text, value in (
        ("webhook-id", "The event's id: the same at every try.", f"evt_{EXAMPLE_DIGITS}"),
        ("webhook-timestamp", "When this try was made, in seconds since 1970.", "1777887000"),
        (
            "webhook-signature",
            "HMAC-SHA256 of id, timestamp and body under the endpoint's secret.",
            "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        ),
    )
)


def tie_data(schema: dict[str, Any]) -> None:
    """Say of an event's data what it is, by the event's type."""
    by_shapes: dict[tuple[type, ...], list[str]] = {}
    for name, kind in KINDS.items():
        by_shapes.setdefault(kind.shapes, []).append(name)
    schema["properties"]["data"]["anyOf"] = [
        schema_of(shape) for shape in dict.fromkeys(one for group in by_shapes for one in group)
    ]
    schema["allOf"] = [
        {
            "if": {"properties": {"type": {"enum": names}}},
            "then": {"properties": {"data": {"anyOf": [schema_of(shape) for shape in shapes]}}},
        }
        for shapes, names in by_shapes.items()
    ]


def webhooks() -> dict[str, Any]:
    """The `webhooks` of the document: what a merchant's endpoint is sent, by type of event."""
    return {name: _webhook(name) for name in MERCHANT_TYPES}


def _webhook(name: str) -> dict[str, Any]:
    """What a merchant's endpoint is sent when this happens."""
    kind = KINDS[name]
    assert kind.merchant is not None, "a merchant is told of it"
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "const": name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": schema_of(kind.merchant),
        },
    }
    data = example(kind.merchant)
    moment = data.get("updated_at") or data.get("created_at") or example(EventView)["created_at"]
    shown = {"type": name, "timestamp": moment, "data": data}
    return {
        "post": {
            "summary": kind.when[:1].upper() + kind.when[1:],
            "description": "Signed after Standard Webhooks; answer with a status from 200 to 299.",
            "parameters": list(_WEBHOOK_HEADERS),
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": body, "example": shown}},
            },
            "responses": {"2XX": {"description": "You have it."}},
        }
    }
