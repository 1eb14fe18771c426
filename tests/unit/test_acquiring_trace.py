"""The trace: a message as people read it, without what a thief could use."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.acquiring import De, Message, describe, mask, render
from tandem.acquiring.icc import describe_icc

PAN = "4761739001010010"
ICC = (
    "820219809F2608AABBCCDDEEFF00119F360200FF9F3303E0B8C85A084761739001010010"
    "57134761739001010010D25122010000000000000F5F20054A4F4E4553DF01024761"
)  # fmt: skip
MESSAGE = Message(
    "0201",
    {
        De.PAN: PAN,
        De.PROCESSING_CODE: "200000",
        De.AMOUNT: "000000001234",
        De.STAN: "000017",
        De.EXPIRY: "2512",
        De.ENTRY_MODE: "071",
        De.TRACK2: f"{PAN}=25122010000000000000",
        36: f"01{PAN}=rest",
        De.RESPONSE_CODE: "51",
        De.TERMINAL: "TERM0001",
        De.TRACK1: f"B{PAN}^JONES/A^2512",
        De.PRIVATE: f"card {PAN}",
        De.CURRENCY: "978",
        De.PIN: "0123456789ABCDEF",
        De.ICC: ICC,
        62: PAN,
        De.SETTLEMENT_CODE: "2",
        De.NETWORK_CODE: "301",
        102: PAN,
        120: PAN,
        De.MAC2: "8BADF00D8BADF00D",
    },
)


def test_a_trace_shows_what_a_message_says_and_hides_the_card() -> None:
    text = render(MESSAGE, datetime(2026, 11, 23, 12, tzinfo=UTC), "harbour", "in")
    assert text.splitlines()[0] == (
        "2026-11-23T12:00:00.000+00:00 harbour in 0201 financial transaction request, repeated"
    )
    for secret in (PAN, "2512", "0123456789ABCDEF", "JONES", "4A4F4E4553", "010010D"):
        assert secret not in text, secret
    for shown in (
        "476173******0010", "refund", "12.34 EUR", "000017", "contactless chip",
        "the balance does not cover it", "TERM0001", "20 characters".replace("20", "21"),
        "AABBCCDDEEFF0011", "Application transaction counter", "00FF", "out of balance",
        "echo test", "8BADF00D8BADF00D",
    ):  # fmt: skip
        assert shown in text, shown


def test_the_chip_s_data_is_shown_by_what_is_known_to_be_harmless() -> None:
    lines = {line.number: line.value for line in describe(MESSAGE)}
    assert lines["9F36"] == "00FF"
    assert lines["5A"] == "8 bytes"
    assert lines["57"] == "19 bytes"
    assert lines["DF01"] == "2 bytes"


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        (PAN, "476173******0010"),
        ("1234567890123456789", "123456*********6789"),
        ("123456789012", "123456**9012"),
        ("12345678901", "***********"),
        ("", ""),
    ],
)
def test_a_card_number_keeps_six_and_four_digits_if_enough_stays_hidden(
    number: str, masked: str
) -> None:
    assert mask(number) == masked


def test_a_track_without_separator_is_hidden_whole() -> None:
    (_, line) = describe(Message("0100", {De.TRACK2: PAN + "2512"}))
    assert line.value == "*" * 20


@pytest.mark.parametrize(
    ("data", "rest"),
    [
        ("9F", "1 bytes"), ("9F26", "2 bytes"), ("9F2608AA", "4 bytes"), ("5A81", "2 bytes"),
        ("5A83000001AA", "6 bytes"), ("5A80", "2 bytes"), ("9FFFFFFF", "4 bytes"),
        ("950200005A08476173", "5 bytes"),
    ],
)  # fmt: skip
def test_chip_data_that_does_not_divide_is_not_shown(data: str, rest: str) -> None:
    *_, (tag, name, value) = describe_icc(bytes.fromhex(data))
    assert (tag, name) == ("", "Unread")
    assert value == f"{rest} that do not divide into data objects"


@pytest.mark.parametrize("length", ["8108", "820008"])
def test_chip_data_may_say_its_length_the_long_way(length: str) -> None:
    (line,) = describe_icc(bytes.fromhex(f"9F26{length}AABBCCDDEEFF0011"))
    assert line == ("9F26", "Application cryptogram", "AABBCCDDEEFF0011")


@given(st.binary(max_size=120))
def test_any_chip_data_is_described(data: bytes) -> None:
    for tag, name, value in describe_icc(data):
        assert (tag + name + value).isprintable()


def test_amounts_need_a_currency_to_be_read() -> None:
    for currency in ("999", "000"):
        lines = describe(Message("0100", {De.AMOUNT: "000000001234", De.CURRENCY: currency}))
        assert [line.meaning for line in lines[1:]] == ["", ""]
    assert describe(Message("0100", {De.AMOUNT: "000000001234"}))[1].meaning == ""
