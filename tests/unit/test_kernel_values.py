"""Money, ids, refusals and the cache: the values that every room speaks."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.kernel import (
    MAX_AMOUNT,
    Currency,
    Ids,
    Invalid,
    Lru,
    ManualClock,
    NotFound,
    Refused,
    Rule,
    SystemClock,
    basis_points,
    check_amount,
    currency,
    currency_by_number,
    entry_of,
    format_amount,
    of_hundredths,
    parse_amount,
    read_id,
    show_id,
    system_entropy,
    transfer_id,
)

START = datetime(2026, 3, 14, 12, tzinfo=UTC)
CNY, JPY, BHD = currency("CNY"), currency("JPY"), currency("BHD")


# -- money ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "number", "exponent"),
    [("CNY", 156, 2), ("EUR", 978, 2), ("JPY", 392, 0), ("BHD", 48, 3), ("CLF", 990, 4)],
)
def test_a_currency_is_found_by_code_and_by_number(code: str, number: int, exponent: int) -> None:
    assert currency(code) == (code, number, exponent)
    assert currency_by_number(number) == currency(code)


@pytest.mark.parametrize("code", ["", "cny", "CN", "CNYY", "XXZ", " CNY", "C\x00Y", "É" * 99])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(Invalid) as refused:
        currency(code, "currency")
    assert refused.value.field == "currency"
    assert len(refused.value.sentence()) < 120


@pytest.mark.parametrize("number", [-156, 0, 1, 999, 10**9])
def test_an_unknown_currency_number_is_refused(number: int) -> None:
    with pytest.raises(Invalid):
        currency_by_number(number)


@pytest.mark.parametrize(
    ("text", "unit", "minor"),
    [
        ("38", CNY, 3800),
        ("38.5", CNY, 3850),
        ("38.00", CNY, 3800),
        ("0.01", CNY, 1),
        (" 7.10 ", CNY, 710),
        ("1200", JPY, 1200),
        ("0.001", BHD, 1),
        ("1.5", BHD, 1500),
        ("10000000000000.00", CNY, MAX_AMOUNT),
    ],
)
def test_an_amount_is_read_into_minor_units(text: str, unit: object, minor: int) -> None:
    assert parse_amount(text, unit) == minor  # type: ignore[arg-type]  # a Currency, from the table


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0.00", "-1", "+1", "1.", ".5", "01", "00.5", "1,000", "1 000", "1e3"),
        *(
            "1.005",
            "0x10",
            "\uff11\uff12",
            "\u0663",
            "1\u066b5",
            "NaN",
            "Infinity",
            "1_0",
            "1\x000",
            "1\n2",
            "3.-1",
        ),
        *("10000000000000.01", "9" * 16, "9" * 17, "9" * 4300, "9" * 10_000),
    ],
)
def test_anything_else_is_no_amount(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_amount(text, CNY, "total")
    assert refused.value.field == "total"
    assert len(refused.value.sentence()) < 200


@pytest.mark.parametrize(
    ("hundredths", "unit", "minor"),
    [
        (10_000, CNY, 10_000),
        (10_000, JPY, 100),
        (10_000, BHD, 100_000),
        (10_000, currency("CLF"), 1_000_000),
        (199, JPY, 1),
        (99, JPY, 0),
        (1, BHD, 10),
        (MAX_AMOUNT, CNY, MAX_AMOUNT),
        (MAX_AMOUNT, BHD, MAX_AMOUNT),
    ],
)
def test_what_is_set_for_any_currency_is_as_many_units_of_each(
    hundredths: int, unit: Currency, minor: int
) -> None:
    assert of_hundredths(hundredths, unit) == minor


def test_yen_have_no_decimals() -> None:
    with pytest.raises(Invalid):
        parse_amount("1.0", JPY)


@pytest.mark.parametrize("minor", [1, 2, MAX_AMOUNT])
def test_an_amount_in_range_passes(minor: int) -> None:
    assert check_amount(minor) == minor


@pytest.mark.parametrize("minor", [0, -1, MAX_AMOUNT + 1, 2**63, -(2**70), 10**100])
def test_an_amount_out_of_range_is_refused(minor: int) -> None:
    with pytest.raises(Invalid):
        check_amount(minor)


@given(st.integers(1, MAX_AMOUNT), st.sampled_from([CNY, JPY, BHD, currency("CLF")]))
def test_an_amount_that_is_shown_reads_back(minor: int, unit: object) -> None:
    text = format_amount(minor, unit)  # type: ignore[arg-type]  # a Currency
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)
    if len(text.split(".")[0]) <= 16:
        assert parse_amount(text, unit) == minor  # type: ignore[arg-type]  # a Currency


@pytest.mark.parametrize(
    ("minor", "unit", "text"),
    [
        (-5, CNY, "-0.05"),
        (0, CNY, "0.00"),
        (-1200, JPY, "-1200"),
        (2**63 - 1, CNY, "92233720368547758.07"),
        (-(2**63), BHD, "-9223372036854775.808"),
    ],
)
def test_balances_are_shown_exactly(minor: int, unit: object, text: str) -> None:
    assert format_amount(minor, unit) == text  # type: ignore[arg-type]  # a Currency


@given(st.integers(0, 2**63), st.integers(0, 10_000))
def test_basis_points_round_half_to_even(minor: int, rate: int) -> None:
    exact = Decimal(minor * rate) / Decimal(10_000)
    with_decimals = exact.quantize(Decimal(1), ROUND_HALF_EVEN) if minor < 10**15 else None
    assert abs(basis_points(minor, rate) * 10_000 - minor * rate) * 2 <= 10_000
    assert with_decimals is None or basis_points(minor, rate) == with_decimals


@pytest.mark.parametrize(
    ("minor", "rate", "fee"),
    [(50, 100, 0), (150, 100, 2), (250, 100, 2), (251, 100, 3), (1, 4999, 0), (1, 5001, 1)],
)
def test_a_half_goes_to_the_even_neighbour(minor: int, rate: int, fee: int) -> None:
    assert basis_points(minor, rate) == fee


# -- ids -----------------------------------------------------------------------------------------


def test_ids_are_uuid_version_7_of_the_clock() -> None:
    made = Ids(ManualClock(START)).new()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(START.timestamp() * 1000)


def test_ids_grow_while_the_clock_stands_still_and_when_it_steps_back() -> None:
    clock = SteppingClock()
    ids = Ids(clock, lambda size: b"\xff" * size)
    first = [ids.new() for _ in range(5000)]  # more than a millisecond's 4096
    clock.step = -timedelta(hours=1)
    made = first + [ids.new() for _ in range(10)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(one.version == 7 for one in made)


class SteppingClock:
    """A clock that can go wrong."""

    step = timedelta()

    def now(self) -> datetime:
        return START + self.step


def test_an_entrys_id_leaves_room_for_its_transfers() -> None:
    entry = Ids(ManualClock(START), lambda size: b"\xff" * size).entry()
    assert entry.int & 0xFF == 0
    assert entry.version == 7
    ids = [transfer_id(entry, ordinal) for ordinal in range(1, 256)]
    assert ids == sorted(set(ids))
    assert {entry_of(one) for one in ids} == {entry}
    assert entry_of(entry) == entry


@pytest.mark.parametrize("ordinal", [0, -1, 256, 10**6])
def test_an_entry_has_no_more_than_255_transfers(ordinal: int) -> None:
    with pytest.raises(ValueError, match="1 to 255"):
        transfer_id(UUID(int=0), ordinal)


@given(st.uuids())
def test_an_id_that_is_shown_reads_back(value: UUID) -> None:
    shown = show_id("pay", value)
    assert re.fullmatch(r"pay_[0-9a-f]{32}", shown)
    assert read_id("pay", shown) == value


HEX = "0190f3a0b1c27d3e8f4a5b6c7d8e9f00"


@pytest.mark.parametrize(
    "text",
    [
        *("", "pay", "pay_", HEX, f"mer_{HEX}", f"pay_{HEX}0", f"pay_{HEX[:-1]}", f"pay-{HEX}"),
        *(f"pay_{HEX.upper()}", f" pay_{HEX}", f"pay_{HEX}\n", f"pay_{HEX[:-1]}\x00"),
        *(
            f"pay_{HEX[:-1]}\u0663",
            f"PAY_{HEX}",
            "pay_0190f3a0-b1c2-7d3e-8f4a-5b6c7d8e9f00",
            "x" * 10**5,
        ),
    ],
)
def test_anything_else_is_no_id(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_id("pay", text, "payment_id")
    assert refused.value.field == "payment_id"
    assert len(refused.value.sentence()) < 120


# -- clocks --------------------------------------------------------------------------------------


def test_a_manual_clock_moves_only_forward() -> None:
    clock = ManualClock(START)
    clock.advance(timedelta(seconds=5))
    assert clock.now() == START + timedelta(seconds=5)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(timedelta(microseconds=-1))


def test_the_system_clock_is_in_utc_and_can_be_moved() -> None:
    here = SystemClock().now()
    there = SystemClock(timedelta(days=1)).now()
    assert here.tzinfo is UTC
    assert timedelta(hours=23) < there - here < timedelta(hours=25)
    assert len(system_entropy(16)) == 16


# -- refusals ------------------------------------------------------------------------------------


@dataclass(eq=False)
class Sulks(Refused):
    code: ClassVar[str] = "sulks"
    how_long: int


def test_a_refusal_carries_a_code_a_sentence_and_its_data() -> None:
    refusal = Sulks(3)
    assert (refusal.code, str(refusal), refusal.data()) == (
        "sulks",
        "This was refused.",
        {"how_long": 3},
    )


def test_invalid_names_the_field_and_not_found_the_thing() -> None:
    assert str(Invalid("amount", "must be positive")) == "amount: must be positive"
    assert Invalid("a", "b").data() == {"field": "a", "reason": "b"}
    ruled = Invalid("name", "is long", rule=Rule("length", None, 64))
    assert ruled.data() == {"field": "name", "reason": "is long", "rule": "length", "most": 64}
    assert "payment pay_1" in str(NotFound("payment", "pay_1"))
    assert {Invalid.code, NotFound.code} == {"invalid_request", "not_found"}


def test_refusals_are_told_apart_and_can_be_raised_twice() -> None:
    refusal = Sulks(1)
    for _ in range(2):
        with pytest.raises(Sulks) as caught:
            raise refusal
        assert caught.value is refusal
    assert refusal != Sulks(1)
    assert len({refusal, Sulks(1)}) == 2


# -- the cache -----------------------------------------------------------------------------------


def test_the_least_recently_used_goes_first() -> None:
    cache: Lru[str, int] = Lru(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)


def test_a_value_is_replaced_and_dropped() -> None:
    cache: Lru[str, int] = Lru(2)
    cache.put("a", 0)
    assert cache.get("a") == 0
    cache.put("a", 5)
    assert (cache.get("a"), len(cache)) == (5, 1)
    cache.drop("a")
    cache.drop("never there")
    assert (cache.get("a"), len(cache)) == (None, 0)


def test_values_are_dropped_by_an_attribute() -> None:
    cache: Lru[int, Sulks] = Lru(9)
    for number in range(6):
        cache.put(number, Sulks(number % 2))
    cache.drop_where("how_long", 1)
    assert [cache.get(n) is not None for n in range(6)] == [True, False] * 3


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers())), st.integers(1, 4))
def test_it_never_holds_more_than_its_size(steps: list[tuple[bool, int, int]], size: int) -> None:
    cache: Lru[int, int] = Lru(size)
    order: dict[int, int] = {}
    for is_put, key, value in steps:
        if is_put:
            order.pop(key, None)
            order[key] = value
            cache.put(key, value)
            if len(order) > size:
                del order[next(iter(order))]
        else:
            assert cache.get(key) == order.get(key)
            if key in order:
                order[key] = order.pop(key)
        assert len(cache) == len(order)
