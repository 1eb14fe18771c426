"""What is announced, to whom, and when a delivery is tried again."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moves import NOON, new_view, owner
from tandem.events import DELIVERIES, EVENTS, Delivery, Endpoint, Event, announce, event_view
from tandem.events.live import first_id_at
from tandem.events.model import GAPS, MAX_SPREAD, MERCHANT_TYPES, TYPES, gap
from tandem.events.secrets import OVERLAP, Secrets, new_secrets, open_secrets, seal_secrets
from tandem.events.send import Message, show_secret, sign
from tandem.events.shapes import payload
from tandem.kernel import Ids, ManualClock

SHOP = owner(1)


class Thing(msgspec.Struct, frozen=True):
    name: str


def endpoint(number: int, *types: str, enabled: bool = True) -> Endpoint:
    return Endpoint(owner(100 + number), SHOP, "https://x.example/", types, enabled, NOON)


def test_an_announcement_is_an_event_and_a_delivery_for_each_endpoint_that_wants_it() -> None:
    view = new_view()
    endpoints = (
        endpoint(1),
        endpoint(2, "payment.captured", "payout.made"),
        endpoint(3, "payment.refunded"),
        endpoint(4, enabled=False),
    )
    told = announce(view, SHOP, "payment.captured", owner(9), Thing("é"), endpoints)
    assert [write.table for write in told] == [EVENTS, DELIVERIES, DELIVERIES]
    event, *deliveries = (write.row for write in told)
    assert isinstance(event, Event)
    assert event == Event(SHOP, event.id, "payment.captured", owner(9), '{"name":"é"}', NOON)
    for delivery, wanted in zip(deliveries, endpoints[:2], strict=True):
        assert isinstance(delivery, Delivery)
        assert delivery == Delivery(
            delivery.id, wanted.id, SHOP, event.id, owner(9), "pending", 0, NOON, None, None, None,
            NOON,
        )  # fmt: skip
    ids = [event.id, *(delivery.id for delivery in deliveries if isinstance(delivery, Delivery))]
    assert ids == sorted(set(ids))


def test_rows_fit_their_tables() -> None:
    told = announce(new_view(), SHOP, "payment.created", owner(9), Thing("x"), (endpoint(1),))
    for write in told:
        row = write.row
        (packed,) = write.table.row_arguments([row])
        assert isinstance(row, Event | Delivery)
        assert row.id.bytes in packed
    assert EVENTS.types["data"] == "json"
    assert DELIVERIES.types["attempts"] == "integer"
    assert DELIVERIES.types["last_status"] == "integer"


def test_an_unknown_type_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        announce(new_view(), SHOP, "payment.lost", owner(9), Thing("x"))


def test_nobody_hears_another_s_events() -> None:
    with pytest.raises(AssertionError):
        announce(new_view(), owner(2), "payment.created", owner(9), Thing("x"), (endpoint(1),))


def test_merchants_are_offered_only_what_they_can_get() -> None:
    assert set(MERCHANT_TYPES) < TYPES
    assert not any(name.startswith(("send.", "request.", "top_up.")) for name in MERCHANT_TYPES)


def test_gaps_grow_and_end_within_three_days() -> None:
    assert list(GAPS) == sorted(GAPS)
    for spread in (0, 100, MAX_SPREAD):
        waits = [gap(attempts, spread) for attempts in range(1, len(GAPS) + 1)]
        total = sum((wait for wait in waits if wait is not None), timedelta())
        assert None not in waits
        assert timedelta(days=2) < total < timedelta(days=3)
        assert gap(len(GAPS) + 1, spread) is None
        assert gap(1000, spread) is None
    assert gap(1, 0) == timedelta(seconds=5)
    assert gap(1, MAX_SPREAD) == timedelta(seconds=5.5)


def test_the_payload_is_the_same_bytes_each_time() -> None:
    event = Event(SHOP, owner(5), "payment.captured", owner(9), '{"a": 1,"b":"\\u2028"}', NOON)
    assert payload(event) == payload(event)
    assert payload(event) == (
        b'{"type":"payment.captured","timestamp":"2026-03-14T12:00:00Z",'
        b'"data":{"a": 1,"b":"\\u2028"}}'
    )
    assert b'"data":{"a": 1' in msgspec.json.encode(event_view(event))


def test_the_example_without_a_library_checks_signatures() -> None:
    """The code in docs/webhooks.md, as it stands there."""
    text = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(import base64.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - our own documentation
    is_genuine = names["is_genuine"]
    now = datetime.now(UTC)
    message = Message("evt_1", '{"a":"é"}'.encode(), (b"new" * 11, b"old" * 11))
    headers = dict(sign(message, now))
    for secret in message.secrets:
        assert is_genuine(show_secret(secret), headers, message.body)
    assert not is_genuine(show_secret(b"x" * 32), headers, message.body)
    assert not is_genuine(show_secret(b"new" * 11), headers, message.body + b" ")
    old = dict(sign(message, now - timedelta(minutes=6)))
    assert not is_genuine(show_secret(b"new" * 11), old, message.body)


class OpenRing:
    """A ring whose seal can be looked through: it only binds the context."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        return context + b"|" + plaintext

    def open(self, sealed: bytes, context: bytes) -> bytes:
        assert sealed.startswith(context + b"|")
        return sealed.removeprefix(context + b"|")


def test_a_rolled_secret_signs_beside_the_new_one_for_a_day() -> None:
    first = new_secrets(lambda size: b"a" * size)
    assert first.at(NOON) == (b"a" * 32,)
    second = first.rolled(lambda size: b"b" * size, NOON)
    assert second.at(NOON) == (b"b" * 32, b"a" * 32)
    assert second.at(NOON + OVERLAP) == (b"b" * 32,)
    third = second.rolled(lambda size: b"c" * size, NOON)
    assert third.at(NOON) == (b"c" * 32, b"b" * 32)


def test_secrets_are_sealed_for_their_endpoint() -> None:
    secrets = Secrets(b"a" * 32, b"b" * 32, NOON)
    sealed = seal_secrets(OpenRing(), owner(1), secrets)
    assert open_secrets(OpenRing(), owner(1), sealed) == secrets
    with pytest.raises(AssertionError):
        open_secrets(OpenRing(), owner(2), sealed)


def test_the_first_id_of_a_moment_is_below_all_that_are_made_in_it() -> None:
    for moment in (NOON, datetime(2030, 1, 1, 0, 0, 0, 123_999, tzinfo=UTC)):
        clock = ManualClock(moment)
        made = Ids(clock, bytes).new()
        assert first_id_at(moment) < made
        clock.advance(timedelta(milliseconds=1))
        assert made < first_id_at(clock.now())
    assert first_id_at(datetime(1960, 1, 1, tzinfo=UTC)).int == 0
