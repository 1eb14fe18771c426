"""Entry point: which amounts and which applications of a card are taken, and in which order."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec
import pytest

from emv_tap import AID, CNY, PAYMENT, TERMINAL, combination, payment, prepared, terminal
from tandem.emv.errors import Malformed
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    Combination,
    Terminal,
)
from tandem.emv.terminal.entry import candidates
from tandem.emv.tlv import Tlv, constructed, primitive
from tandem.kernel import Currency, Invalid, currency

JPY = currency("JPY")


# -- pre-processing (Book B, 3.1.1) ----------------------------------------------------------------

LIMITED: Final = combination(transaction_limit=10_000, floor_limit=3_000, cvm_limit=5_000)


@pytest.mark.parametrize(
    ("amount", "taken", "online", "cvm"),
    [
        (1, True, False, False),
        (3_000, True, False, False),
        (3_001, True, True, False),
        (4_999, True, True, False),
        (5_000, True, True, True),
        (9_999, True, True, True),
        (10_000, False, None, None),
    ],
)
def test_limits_are_at_or_over_as_the_book_has_them(
    amount: int, *, taken: bool, online: bool | None, cvm: bool | None
) -> None:
    made = prepared(payment(amount), LIMITED)
    assert (made is not None) is taken
    if made is not None:
        assert (made.online_required, made.cvm_required) == (online, cvm)
        assert bool(made.ttq[1] & 0x80) is online
        assert bool(made.ttq[1] & 0x40) is cvm
        assert made.floor_limit_exceeded is (amount > 3_000)


def test_without_limits_every_amount_is_taken_and_nothing_is_required() -> None:
    made = prepared(payment(10**12 - 1), combination(floor_limit=None))
    assert made is not None
    assert (made.online_required, made.cvm_required, made.ttq[1]) == (False, False, 0)


@pytest.mark.parametrize(
    ("amount", "unit", "online"),
    [(100, CNY, True), (101, CNY, False), (1, JPY, True), (100, JPY, False)],
)
def test_one_unit_of_the_currency_only_asks_whether_the_card_is_good(
    amount: int, unit: Currency, *, online: bool
) -> None:
    transaction = replace(payment(amount), currency=unit)
    made = prepared(transaction, combination(floor_limit=None, status_check=True))
    assert made is not None
    assert made.online_required is online


@pytest.mark.parametrize(
    ("taken", "shop", "allowed"),
    [
        (combination(), TERMINAL, False),
        (combination(zero_amount=True), TERMINAL, True),
        (combination(zero_amount=True), msgspec.structs.replace(TERMINAL, type=0x23), False),
        (combination(zero_amount=True, ttq=bytes.fromhex("29004000")), TERMINAL, False),
    ],
)
def test_an_amount_of_zero_is_taken_where_it_can_go_online(
    taken: Combination, shop: Terminal, *, allowed: bool
) -> None:
    made = prepared(payment(0), taken, shop)
    assert (made is not None) is allowed
    if made is not None:
        assert made.online_required


def test_what_was_set_in_the_qualifiers_beforehand_is_the_payment_s_to_say() -> None:
    made = prepared(payment(1), combination(floor_limit=None, ttq=bytes.fromhex("21C04000")))
    assert made is not None
    assert made.ttq.hex() == "21004000"


# -- combination selection (Book B, 3.3.2) ---------------------------------------------------------


def directory(*entries: Tlv) -> bytes:
    return constructed(
        Tag.FCI,
        constructed(Tag.FCI_PROPRIETARY, constructed(Tag.ISSUER_DISCRETIONARY, *entries)),
    ).raw


def entry(aid: bytes, **more: str) -> Tlv:
    others = (primitive(Tag[name], bytes.fromhex(value)) for name, value in more.items())
    return constructed(Tag.APPLICATION_TEMPLATE, primitive(Tag.ADF_NAME, aid), *others)


def chosen(data: bytes, *taken: Combination) -> list[bytes]:
    made = [found for one in taken if (found := prepared(payment(1), one)) is not None]
    return [candidate.name for candidate in candidates(data, tuple(made))]


@pytest.mark.parametrize(
    ("found", "taken", "names"),
    [
        (entry(AID), combination(), [AID]),
        (entry(AID + b"\x01"), combination(), [AID + b"\x01"]),
        (entry(AID + b"\x01"), combination(partial=False), []),
        (entry(AID[:-1]), combination(), []),
        (entry(AID[:4]), combination(), []),
        (entry(AID + bytes(12)), combination(), []),
        (constructed(Tag.APPLICATION_TEMPLATE), combination(), []),
        (constructed(0x73, primitive(Tag.ADF_NAME, AID)), combination(), []),
        (entry(AID, PRIORITY="0101"), combination(), []),
        # kernels: international by one byte, domestic by three
        (entry(AID, KERNEL_ID="02"), combination(), [AID]),
        (entry(AID, KERNEL_ID="02"), combination(kernel_id=b"\x02"), [AID]),
        (entry(AID, KERNEL_ID="02"), combination(kernel_id=b"\x03"), []),
        (entry(AID, KERNEL_ID="00"), combination(kernel_id=b"\x03"), [AID]),
        (entry(AID), combination(kernel_id=b"\x03"), [AID]),
        (entry(AID, KERNEL_ID="C10156"), combination(kernel_id=b"\xc1\x01\x56"), [AID]),
        (entry(AID, KERNEL_ID="C1015699"), combination(kernel_id=b"\xc1\x01\x56"), [AID]),
        (entry(AID, KERNEL_ID="C10157"), combination(kernel_id=b"\xc1\x01\x56"), []),
        (entry(AID, KERNEL_ID="C101"), combination(kernel_id=b"\xc1\x01\x56"), []),
        # extended selection
        (entry(AID, EXTENDED_SELECTION="0A"), combination(), [AID]),
        (
            entry(AID, EXTENDED_SELECTION="0A"),
            combination(extended_selection=True),
            [AID + b"\x0a"],
        ),
        (entry(AID, EXTENDED_SELECTION="00" * 10), combination(extended_selection=True), []),
    ],
)
def test_an_entry_of_the_directory_is_taken_or_not(
    found: Tlv, taken: Combination, names: list[bytes]
) -> None:
    assert chosen(directory(found), taken) == names


def test_candidates_come_by_priority_then_in_the_directory_s_order() -> None:
    listed = directory(
        entry(AID + b"\x01"),
        entry(AID + b"\x02", PRIORITY="02"),
        entry(AID + b"\x03", PRIORITY="81"),
        entry(AID + b"\x04", PRIORITY="02"),
    )
    order = [3, 2, 4, 1]
    assert chosen(listed, combination()) == [AID + bytes((n,)) for n in order]


@pytest.mark.parametrize(
    "data", [constructed(Tag.FCI).raw, constructed(0x70).raw, directory(), entry(AID).raw]
)
def test_a_directory_without_entries_has_no_candidates(data: bytes) -> None:
    assert chosen(data, combination()) == []


def test_what_is_no_directory_is_refused() -> None:
    with pytest.raises(Malformed):
        candidates(b"\x6f\x05", ())


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Combination(aid=b"\xf0"),
        lambda: terminal(ttq=b"\x00"),
        lambda: terminal(tac_default=b"\x00"),
        lambda: terminal(tac_online=b""),
        lambda: msgspec.structs.replace(TERMINAL, type=0x20),
        lambda: msgspec.structs.replace(TERMINAL, capabilities=b""),
        lambda: msgspec.structs.replace(TERMINAL, additional_capabilities=b""),
        lambda: msgspec.structs.replace(TERMINAL, country=0),
        lambda: msgspec.structs.replace(TERMINAL, merchant_category=10_000),
        lambda: payment(-1),
        lambda: payment(10**12),
        lambda: replace(PAYMENT, other=1),
        lambda: replace(PAYMENT, sequence=-1),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(Invalid):
        make()


def test_settings_are_written_and_read() -> None:
    written = msgspec.json.encode(TERMINAL)
    assert msgspec.json.decode(written, type=Terminal) == TERMINAL
