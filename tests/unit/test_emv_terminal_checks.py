"""The terminal's rules one by one: restrictions, verification, risk, actions."""

from dataclasses import replace
from datetime import date
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_tap import PAYMENT, TERMINAL, combination, payment, prepared
from tandem.emv.application_data import CryptogramType
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    Cvm,
    RandomSelection,
    Terminal,
    Transaction,
    Tvr,
)
from tandem.emv.terminal.actions import Reach, asks, declined_offline
from tandem.emv.terminal.checks import (
    read_date,
    restrictions,
    risk,
    selected_randomly,
)
from tandem.emv.terminal.cvm import Asking, verify
from tandem.emv.terminal.reading import CardFault, Values
from tandem.emv.tlv import primitive
from tandem.kernel import Invalid, currency

AAC, TC, ARQC = CryptogramType.AAC, CryptogramType.TC, CryptogramType.ARQC
JPY = currency("JPY")


def values(found: dict[int, bytes]) -> Values:
    made = Values()
    made.take(primitive(tag, value) for tag, value in found.items())
    return made


# -- processing restrictions (Book 3, 10.4) --------------------------------------------------------


@pytest.mark.parametrize(
    ("digits", "day"),
    [
        ("311231", date(2031, 12, 31)),
        ("490101", date(2049, 1, 1)),
        ("500101", date(1950, 1, 1)),
        ("280229", date(2028, 2, 29)),
    ],
)
def test_dates_from_50_on_are_of_the_last_century(digits: str, day: date) -> None:
    assert read_date(bytes.fromhex(digits)) == day


@pytest.mark.parametrize("digits", ["290229", "310001", "311301", "310100"])
def test_what_is_no_date_is_the_card_s_fault(digits: str) -> None:
    with pytest.raises(CardFault):
        read_date(bytes.fromhex(digits))


GOOD: Final[dict[int, bytes]] = {Tag.EXPIRY: bytes.fromhex("290615")}


@pytest.mark.parametrize(
    ("card", "found"),
    [
        ({}, Tvr.NOTHING),
        ({Tag.EXPIRY: bytes.fromhex("290614")}, Tvr.EXPIRED),
        ({Tag.EFFECTIVE: bytes.fromhex("290615")}, Tvr.NOTHING),
        ({Tag.EFFECTIVE: bytes.fromhex("290616")}, Tvr.NOT_YET_EFFECTIVE),
        ({Tag.VERSION_CARD: b"\x00\x01"}, Tvr.NOTHING),
        ({Tag.VERSION_CARD: b"\x00\x02"}, Tvr.VERSIONS_DIFFER),
    ],
)
def test_dates_and_versions(card: dict[int, bytes], found: Tvr) -> None:
    made = prepared(payment(1), combination())
    assert made is not None
    assert restrictions(values(GOOD | card), made, TERMINAL, PAYMENT) == found


CASH, CASHBACK = 0x01, 0x09
AT_ATM = msgspec.structs.replace(TERMINAL, type=0x14)


@pytest.mark.parametrize(
    ("control", "country", "shop", "transaction", "allowed"),
    [
        ("2100", "0156", TERMINAL, PAYMENT, True),  # domestic goods
        ("0900", "0156", TERMINAL, PAYMENT, True),  # domestic services
        ("1500", "0156", TERMINAL, PAYMENT, False),  # only international
        ("1100", "0840", TERMINAL, PAYMENT, True),
        ("0500", "0840", TERMINAL, PAYMENT, True),
        ("2900", "0840", TERMINAL, PAYMENT, False),
        ("3C00", "0156", TERMINAL, PAYMENT, False),  # only at ATMs, or nowhere
        ("3E00", "0156", AT_ATM, PAYMENT, True),
        ("3D00", "0156", AT_ATM, PAYMENT, False),
        ("8100", "0156", TERMINAL, replace(PAYMENT, type=CASH), True),
        ("4100", "0156", TERMINAL, replace(PAYMENT, type=CASH), False),
        ("4100", "0840", TERMINAL, replace(PAYMENT, type=CASH), True),
        ("2180", "0156", TERMINAL, replace(PAYMENT, type=CASHBACK, amount=9, other=1), True),
        ("2140", "0156", TERMINAL, replace(PAYMENT, type=CASHBACK, amount=9, other=1), False),
        ("1140", "0840", TERMINAL, replace(PAYMENT, type=CASHBACK, amount=9, other=1), True),
        ("0100", "0156", TERMINAL, replace(PAYMENT, type=0x20), True),
        ("0100", None, TERMINAL, PAYMENT, True),  # without a country only where is checked
        (None, "0156", TERMINAL, PAYMENT, True),
    ],
)
def test_usage_control(
    control: str | None,
    country: str | None,
    shop: Terminal,
    transaction: Transaction,
    *,
    allowed: bool,
) -> None:
    card = dict(GOOD)
    if control is not None:
        card[Tag.USAGE_CONTROL] = bytes.fromhex(control)
    if country is not None:
        card[Tag.ISSUER_COUNTRY] = bytes.fromhex(country)
    made = prepared(payment(1), combination())
    assert made is not None
    found = restrictions(values(card), made, shop, transaction)
    assert found == (Tvr.NOTHING if allowed else Tvr.SERVICE_NOT_ALLOWED)


# -- cardholder verification (Book 3, 10.5) --------------------------------------------------------

DEVICE_ELSE_NONE = "60001F00"


def asking(
    rules: str | None,
    amount: int,
    *,
    device: bool = False,
    aip: str = "1900",
    transaction: Transaction = PAYMENT,
    shop: Terminal = TERMINAL,
    ttq: str = "21004000",
) -> Asking:
    card: dict[int, bytes] = {
        Tag.AIP: bytes.fromhex(aip),
        Tag.CTQ: b"\x00\x80" if device else b"\x00\x00",
        Tag.CARD_CURRENCY: b"\x01\x56",
    }
    if rules is not None:
        card[Tag.CVM_LIST] = bytes.fromhex("00000064000000C8" + rules)
    transaction = replace(transaction, amount=amount)
    made = prepared(transaction, combination(cvm_limit=5_000, ttq=bytes.fromhex(ttq)), shop)
    assert made is not None
    return Asking(values(card), made, shop, transaction)


UNATTENDED = msgspec.structs.replace(TERMINAL, type=0x25)


@pytest.mark.parametrize(
    ("question", "results", "bits", "cvm"),
    [
        (asking(DEVICE_ELSE_NONE, 1, device=True), "600002", Tvr.NOTHING, Cvm.DEVICE),
        (asking(DEVICE_ELSE_NONE, 1), "1f0002", Tvr.NOTHING, Cvm.NONE),
        (asking(DEVICE_ELSE_NONE, 5_000, device=True), "600002", Tvr.NOTHING, Cvm.DEVICE),
        (asking(DEVICE_ELSE_NONE, 5_000), "1f0001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        # a terminal that knows no device's verification
        (asking(DEVICE_ELSE_NONE, 1, device=True, ttq="21000000"), "1f0002", Tvr.NOTHING, Cvm.NONE),
        # no list, or a card that knows no verification
        (asking(None, 1), "3f0000", Tvr.NOTHING, Cvm.NONE),
        (asking(None, 5_000), "3f0001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("1F00", 1, aip="0900"), "3f0000", Tvr.NOTHING, Cvm.NONE),
        # the first rule that applies decides, if it does not hand on
        (asking("20001F00", 1), "200001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("00001F00", 1), "000001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("40001F00", 1), "400001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("42005E001F00", 1), "1f0002", Tvr.NOTHING, Cvm.NONE),
        (asking("0200", 1), "020001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        # a method that nobody knows
        (asking("7A001F00", 1), "1f0002", Tvr.CVM_UNRECOGNISED, Cvm.NONE),
        (
            asking("3A00", 1),
            "3a0001",
            Tvr.CVM_UNRECOGNISED | Tvr.CVM_FAILED,
            Cvm.NOT_APPLICABLE,
        ),
        # conditions
        (asking("02031F00", 1), "1f0002", Tvr.NOTHING, Cvm.NONE),
        (asking("1F03", 1), "1f0302", Tvr.NOTHING, Cvm.NONE),
        (asking("1F03", 5_000), "3f0001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("1F06", 99), "1f0602", Tvr.NOTHING, Cvm.NONE),
        (asking("1F06", 100), "3f0001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("1F07", 100), "3f0001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("1F07", 101), "1f0702", Tvr.NOTHING, Cvm.NONE),
        (asking("1F08", 199), "1f0802", Tvr.NOTHING, Cvm.NONE),
        (asking("1F09", 201), "1f0902", Tvr.NOTHING, Cvm.NONE),
        (asking("1F09", 201, transaction=replace(PAYMENT, currency=JPY)), "3f0001",
         Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("1F011F04", 1), "3f0001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("1F01", 1, transaction=replace(PAYMENT, type=CASH), shop=UNATTENDED), "1f0102",
         Tvr.NOTHING, Cvm.NONE),
        (asking("1F04", 1, transaction=replace(PAYMENT, type=CASH)), "1f0402",
         Tvr.NOTHING, Cvm.NONE),
        (asking("1F02", 1), "1f0202", Tvr.NOTHING, Cvm.NONE),
        (asking("1F02", 1, transaction=replace(PAYMENT, type=CASHBACK)), "3f0001",
         Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
        (asking("1F05", 1, transaction=replace(PAYMENT, type=CASHBACK)), "1f0502",
         Tvr.NOTHING, Cvm.NONE),
        (asking("1F77", 1), "3f0001", Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE),
    ],
)  # fmt: skip
def test_the_list_of_methods_is_gone_through(
    question: Asking, results: str, bits: Tvr, cvm: Cvm
) -> None:
    verified = verify(question)
    assert (verified.results.hex(), verified.tvr, verified.cvm) == (results, bits, cvm)


@pytest.mark.parametrize("rules", ["", "1F", "1F001F"])
def test_a_list_that_does_not_divide_is_the_card_s_fault(rules: str) -> None:
    with pytest.raises(CardFault):
        verify(asking(rules, 1))


@given(st.binary(min_size=2, max_size=40), st.integers(1, 9_999), st.booleans())
def test_no_list_lets_anybody_pass_without_what_is_required(
    rules: bytes,
    amount: int,
    device: bool,  # noqa: FBT001 -- drawn
) -> None:
    try:
        verified = verify(asking(rules.hex(), amount, device=device))
    except CardFault:
        return
    if Tvr.CVM_FAILED not in verified.tvr:
        assert verified.cvm is Cvm.DEVICE or amount < 5_000
        assert verified.cvm is Cvm.NONE or device


# -- terminal risk management (Book 3, 10.6) -------------------------------------------------------

SELECTION: Final = RandomSelection(threshold=1_000, percent=20, most=80)


@pytest.mark.parametrize(
    ("amount", "number", "taken"),
    [
        (0, 20, True),
        (999, 21, False),
        (1_000, 20, True),
        (1_000, 21, False),
        (2_000, 50, True),  # half way: 20 + (80 - 20) / 2
        (2_000, 51, False),
        (3_000, 80, True),
        (3_000, 81, False),
    ],
)
def test_the_nearer_the_floor_limit_the_likelier_online(
    amount: int, number: int, *, taken: bool
) -> None:
    assert selected_randomly(SELECTION, 3_000, amount, number) is taken


def test_without_a_floor_limit_the_percentage_stays() -> None:
    assert selected_randomly(SELECTION, None, 10**9, 20)
    assert not selected_randomly(SELECTION, None, 10**9, 21)
    assert not selected_randomly(SELECTION, 500, 2_000, 21)


@pytest.mark.parametrize(
    ("amount", "forced", "draw", "found"),
    [
        (3_001, False, 0, Tvr.FLOOR_LIMIT),
        (3_001, True, 0, Tvr.FLOOR_LIMIT | Tvr.FORCED_ONLINE),
        (500, False, 19, Tvr.RANDOMLY_SELECTED),  # 19 % 99 + 1 = 20
        (500, False, 20, Tvr.NOTHING),
        (500, True, 20, Tvr.FORCED_ONLINE),
    ],
)
def test_risk_is_floor_limit_chance_and_the_merchant_s_word(
    amount: int, *, forced: bool, draw: int, found: Tvr
) -> None:
    transaction = replace(payment(amount), forced_online=forced)
    made = prepared(transaction, combination(floor_limit=3_000, selection=SELECTION))
    assert made is not None
    assert risk(made, transaction, lambda size: draw.to_bytes(size, "big")) == found


def test_chance_is_not_asked_where_it_decides_nothing() -> None:
    made = prepared(payment(1), combination(floor_limit=3_000))
    assert made is not None
    assert risk(made, payment(1), lambda _: b"") == Tvr.NOTHING


def test_a_percentage_beyond_the_most_is_refused() -> None:
    with pytest.raises(Invalid):
        RandomSelection(percent=20, most=10)


# -- terminal action analysis (Book 3, 10.7) -------------------------------------------------------

ANY: Final = Reach(online=True, offline=True, online_required=False)
CODES: Final[dict[int, bytes]] = {
    Tag.IAC_DENIAL: bytes.fromhex("0010000000"),
    Tag.IAC_ONLINE: bytes.fromhex("0040000000"),
    Tag.IAC_DEFAULT: bytes.fromhex("0080000000"),
}


@pytest.mark.parametrize(
    ("tvr", "reach", "asked"),
    [
        (Tvr.NOTHING, ANY, TC),
        (Tvr.NOTHING, ANY._replace(offline=False), ARQC),
        (Tvr.NOTHING, ANY._replace(online_required=True), ARQC),
        (Tvr.NOTHING, ANY._replace(online=False), TC),
        (Tvr.NOTHING, ANY._replace(online=False, online_required=True), AAC),
        (Tvr.CDA_FAILED, ANY, AAC),  # the terminal's denial
        (Tvr.SERVICE_NOT_ALLOWED, ANY, AAC),  # the card's denial
        (Tvr.SERVICE_NOT_ALLOWED, ANY._replace(offline=False), AAC),
        (Tvr.FLOOR_LIMIT, ANY, ARQC),  # the terminal's online
        (Tvr.EXPIRED, ANY, ARQC),  # the card's online
        (Tvr.EXPIRED, ANY._replace(online=False), TC),
        (Tvr.VERSIONS_DIFFER, ANY._replace(online=False), AAC),  # the card's default
        (Tvr.CVM_FAILED, ANY._replace(online=False), AAC),  # the terminal's default
    ],
)
def test_both_sides_action_codes_decide_what_is_asked_for(
    tvr: Tvr, reach: Reach, asked: CryptogramType
) -> None:
    taken = combination(
        tac_online=bytes.fromhex("0000008000"), tac_default=bytes.fromhex("0000800000")
    )
    assert asks(tvr, values(CODES), taken, reach) is asked


def test_a_card_without_action_codes_wants_to_be_asked() -> None:
    assert asks(Tvr.NEW_CARD, values({}), combination(), ANY) is ARQC
    assert asks(Tvr.NOTHING, values({}), combination(), ANY) is TC
    assert declined_offline(Tvr.NEW_CARD, values({}), combination())
    assert not declined_offline(Tvr.NOTHING, values({}), combination())


def test_every_bit_of_the_results_has_its_place() -> None:
    assert Tvr.CDA_FAILED.value_bytes.hex() == "0400000000"
    assert (Tvr.EXPIRED | Tvr.FORCED_ONLINE).value_bytes.hex() == "0040000800"
