"""What is found in a history, and what is not."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tandem.wallet import HistoryLine, Wanted

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LINE = HistoryLine(
    number=7,
    type="send",
    change=-123_450,
    reserved=0,
    balance=0,
    currency="CNY",
    with_name="Chloé Straße",
    message="Miete 100% für_Mai \uff21\uff22\uff23",
    message_state="clear",
    object_id="snd_0199f0a4c0de7000800000000000002c",
    created_at=NOON,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chloé", True),
        ("CHLOE\u0301", True),  # the accent as a character of its own
        ("STRASSE", True),
        ("  miete ", True),
        ("abc", True),  # full-width in the message
        ("snd_0199", True),
        ("1234.50", True),
        ("1,234.5", True),
        ("1234,50", True),
        ("¥1 234", True),
        ("\u22121234", True),
        ("\uff11\uff12\uff13\uff14", True),
        ("12345", False),
        ("234", False),
        ("chloe", False),
        # wildcards, quotes and comments are only characters
        ("100%", True),
        ("%", True),
        ("m%e", False),
        ("für_", True),
        ("M__te", False),
        ("' OR 1=1 --", False),
        (".", False),
        ("\\", False),
    ],
)
def test_text(text: str, found: bool) -> None:  # noqa: FBT001 - a column of the table
    assert Wanted(text=text).takes(LINE) is found


def test_an_amount_that_only_is_reserved_is_found_by_it() -> None:
    held = msgspec.structs.replace(LINE, type="reserved", change=0, reserved=700, currency="JPY")
    assert Wanted(text="700").takes(held)
    assert not Wanted(text="7.00").takes(held)


def test_all_conditions_hold_together() -> None:
    just = Wanted(
        text="miete",
        types=frozenset(("send",)),
        since=NOON,
        until=NOON + timedelta(microseconds=1),
    )
    assert just.takes(LINE)
    for change in (
        {"text": "rent"},
        {"types": frozenset(("refund",))},
        {"since": NOON + timedelta(microseconds=1)},
        {"until": NOON},
    ):
        assert not msgspec.structs.replace(just, **change).takes(LINE)
    assert Wanted().everything
    assert Wanted(until=NOON).everything
    assert not just.everything
