"""Amounts and currencies: what is shown, told to the card, signed and sent is one and the same."""

from dataclasses import replace

import pytest

from emv_tap import (
    PAYMENT,
    TERMINAL,
    Device,
    is_the_card_s,
    knowledge,
    seeded,
    terminal,
    verified,
)
from tandem.emv.show import show_tlv
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    Outcome,
    Ready,
    Result,
    Terminal,
    Transaction,
    Why,
    prepare,
    run,
)
from tandem.emv.tlv import read
from tandem.kernel import currency, format_amount


def pay(device: Device, transaction: Transaction, shop: Terminal = TERMINAL) -> Outcome:
    made = prepare(shop, transaction, knowledge())
    assert isinstance(made, Ready)
    return run(made, seeded(), device.transmit)


@pytest.mark.parametrize(
    ("code", "number", "exponent", "shown"),
    [("CNY", "0156", "02", "38.00"), ("JPY", "0392", "00", "3800"), ("KWD", "0414", "03", "3.800")],
)
def test_an_amount_is_the_same_on_every_screen_and_in_every_message(
    code: str, number: str, exponent: str, shown: str
) -> None:
    unit = currency(code)
    device = verified()
    outcome = pay(device, replace(PAYMENT, amount=3800, currency=unit))
    assert outcome.card is not None
    values = outcome.card.values
    assert (outcome.ui.amount, outcome.ui.currency) == (3800, unit)
    assert values[Tag.AMOUNT].hex() == "000000003800"
    assert values[Tag.TRANSACTION_CURRENCY].hex() == number
    assert values[Tag.TRANSACTION_CURRENCY_EXPONENT].hex() == exponent
    assert (values[Tag.AMOUNT_OTHER], values[Tag.TRANSACTION_TYPE]) == (bytes(6), b"\0")
    assert device.card.last is not None
    assert (device.card.last.amount, device.card.last.currency) == (3800, unit.number)
    assert is_the_card_s(outcome, 3800, unit)
    sent = {entry.tag: entry.value for entry in read(outcome.online_data)}
    assert sent[Tag.AMOUNT] == values[Tag.AMOUNT]
    assert sent[Tag.TRANSACTION_CURRENCY] == values[Tag.TRANSACTION_CURRENCY]
    assert format_amount(3800, unit) == shown
    (line,) = (line for line in show_tlv(outcome.online_data) if line.label == "9F02")
    assert line.value == f"{shown} {code}"


@pytest.mark.parametrize(("code", "asked"), [("CNY", Why.CARD_APPROVED), ("JPY", None)])
def test_a_card_s_own_limits_are_in_its_own_currency_and_for_no_other(
    code: str, asked: Why | None
) -> None:
    """3,800 yen are not 3,800 fen: what the card cannot compare it asks its issuer about."""
    transaction = replace(PAYMENT, amount=3800, currency=currency(code))
    assert pay(verified(), transaction).why is (asked or Why.CARD_ASKED_ONLINE)
    unverified = pay(Device(), transaction)
    assert unverified.why is (asked or Why.VERIFY)


@pytest.mark.parametrize(("code", "one"), [("CNY", 100), ("JPY", 1), ("KWD", 1000)])
def test_one_unit_is_one_unit_of_its_currency(code: str, one: int) -> None:
    shop = terminal(status_check=True, floor_limit=5_000)
    for amount in (1, 100, 1000):
        transaction = replace(PAYMENT, amount=amount, currency=currency(code))
        made = prepare(shop, transaction, knowledge())
        assert isinstance(made, Ready)
        assert made.prepared[0].online_required is (amount == one)


def test_what_the_card_is_asked_for_is_in_the_list_of_its_own() -> None:
    """Cashback is part of the amount, and is told apart from it (9F02, 9F03)."""
    device = verified()
    outcome = pay(device, replace(PAYMENT, amount=3800, other=1000, type=0x09))
    assert outcome.result is not Result.APPROVED, "the card is for goods and services"
    assert outcome.card is not None
    assert outcome.card.values[Tag.AMOUNT].hex() == "000000003800"
    assert outcome.card.values[Tag.AMOUNT_OTHER].hex() == "000000001000"
