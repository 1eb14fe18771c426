"""The examples that developers read: true to their types, and to each other."""

from typing import Any

import msgspec
import pytest

from tandem.access import SCOPES
from tandem.api.openapi import document
from tandem.api.samples import BALANCES, SAMPLES, TERMS
from tandem.app import operations
from tandem.merchants import fee
from tandem.payments import PaymentView, PersonPaymentView
from tandem.settings import Settings
from tandem.wallet import WalletView

DOCUMENT = document(operations(Settings(mode="sandbox")))


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_a_sample_is_what_it_is_a_sample_of(kind: type[msgspec.Struct]) -> None:
    raw = msgspec.json.encode(SAMPLES[kind])
    read = msgspec.json.decode(raw, type=kind)
    if not kind.__struct_config__.forbid_unknown_fields:  # an answer has every field
        assert msgspec.json.decode(msgspec.json.encode(read)) == SAMPLES[kind]


def test_the_story_adds_up() -> None:
    paid = SAMPLES[PaymentView]
    assert paid["amount"] >= paid["authorised"] >= paid["captured"] >= paid["refunded"]
    assert paid["fee"] == fee(TERMS, paid["captured"], first=True)
    mine = SAMPLES[PersonPaymentView]
    assert {name: mine[name] for name in mine.keys() & paid.keys()} == {
        name: paid[name] for name in mine.keys() & paid.keys()
    }
    totals = {kind: credited - debits for kind, _, debits, credited in BALANCES}
    assert sum(totals.values()) == 0
    (balance,) = SAMPLES[WalletView]["balances"]
    assert balance["balance"] == totals["person"]
    assert totals["merchant"] == paid["captured"] - paid["fee"]


def test_lines_of_a_statement_are_a_running_sum() -> None:
    for name in ("History", "MerchantStatement"):
        (sample,) = [made for kind, made in SAMPLES.items() if kind.__name__ == name]
        running = 0
        for line in reversed(sample["data"]):
            running += line["change"]
            assert line["balance"] == running


def schemas(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Every schema with an enumeration."""
    if isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield node
        for inner in node.values():
            yield from schemas(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from schemas(inner)


def test_every_enumeration_has_a_type() -> None:
    found = list(schemas(DOCUMENT))
    assert len(found) > 50
    assert all("type" in one or "anyOf" in one for one in found)


@pytest.mark.parametrize(
    ("schema", "field", "values"),
    [
        ("PaymentView", "status", {"created", "partially_refunded", "expired"}),
        ("PaymentView", "way", {"tap", "scan", "click"}),
        ("PaymentView", "source", {"order", "static_code", "pay_code"}),
        ("PaymentView", "capture", {"automatic", "manual"}),
        ("PaymentView", "decline_reason", {"declined_by_person", "payer_cannot_pay"}),
        ("PersonPaymentView", "decline_reason", {"insufficient_funds", "limit_per_day"}),
        ("SendView", "direction", {"sent", "received"}),
        ("RequestView", "status", {"open", "cancelled"}),
        ("HistoryLine", "type", {"top_up", "correction", "reserved"}),
        ("MerchantLine", "type", {"payout", "fee", "released"}),
        ("TransferView", "code", {"top_up", "withdrawal"}),
        ("TransferView", "kind", {"posted", "expire"}),
        ("AccountView", "kind", {"bank", "merchant"}),
        ("EventView", "type", {"payment.captured", "send.received", "top_up.corrected"}),
        ("DeliveryView", "status", {"pending", "failed"}),
        ("CreateKey", "scopes", {"payments:write", "balance:read", "events:read"}),
        ("CreateEndpoint", "types", {"payment.captured", "payout.made"}),
        ("MerchantView", "status", {"active", "suspended"}),
    ],
)
def test_values_are_listed(schema: str, field: str, values: set[str]) -> None:
    described = DOCUMENT["components"]["schemas"][schema]["properties"][field]
    listed = {value for one in schemas(described) for value in one["enum"]}
    assert values <= listed


def test_every_scope_says_what_it_allows() -> None:
    scopes = DOCUMENT["components"]["schemas"]["CreateKey"]["properties"]["scopes"]
    for name, what in SCOPES["merchant"].items():
        assert f"`{name}`: {what}" in scopes["description"]


def test_a_stream_takes_the_last_event() -> None:
    taken = DOCUMENT["paths"]["/v1/events/stream"]["get"]["parameters"]
    assert [(one["name"], one["in"], one["required"]) for one in taken] == [
        ("Last-Event-ID", "header", False)
    ]
