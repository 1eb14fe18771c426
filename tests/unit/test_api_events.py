"""Every event's data has a form, told in the reference, in the document and in the guide."""

import re
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it brings no types
import pytest

from tandem.api import event_types
from tandem.api.event_types import KINDS
from tandem.api.openapi import document
from tandem.app import operations
from tandem.events import MERCHANT_TYPES, PERSON_TYPES
from tandem.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = document(operations(Settings(mode="sandbox")))


def test_every_type_is_told_to_whom_it_is_announced() -> None:
    assert [name for name, kind in KINDS.items() if kind.merchant] == list(MERCHANT_TYPES)
    assert [name for name, kind in KINDS.items() if kind.person] == list(PERSON_TYPES)
    assert all(kind.shapes for kind in KINDS.values())


def test_the_reference_is_up_to_date() -> None:
    kept = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
    assert kept == event_types.reference(), "run make docs"


def test_the_guide_lists_what_webhooks_tell() -> None:
    text = (DOCS / "webhooks.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE) == list(MERCHANT_TYPES)


@pytest.mark.parametrize("name", MERCHANT_TYPES)
def test_a_webhook_is_shown_as_it_arrives(name: str) -> None:
    content = DOCUMENT["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]
    schema = content["schema"] | {"components": DOCUMENT["components"]}
    checked = jsonschema.Draft202012Validator(schema)
    checked.validate(content["example"])
    assert content["example"]["type"] == name
    with pytest.raises(jsonschema.ValidationError):
        checked.validate(content["example"] | {"data": {"url": "pay_1"}})


def test_data_follows_the_type() -> None:
    schema = {"$ref": "#/components/schemas/EventView", "components": DOCUMENT["components"]}
    checked = jsonschema.Draft202012Validator(schema)
    get = DOCUMENT["paths"]["/v1/events/{event_id}"]["get"]["responses"]["200"]
    event = get["content"]["application/json"]["example"]
    checked.validate(event)
    for wrong in ("payout.made", "send.sent", "payment.lost"):
        with pytest.raises(jsonschema.ValidationError):
            checked.validate(event | {"type": wrong})
