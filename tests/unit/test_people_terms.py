"""People: handles, limits, and what the API takes and shows."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.kernel import MAX_AMOUNT, Invalid, show_money
from tandem.people import (
    DEVICES,
    CreatePerson,
    Device,
    LimitExceeded,
    Limits,
    PayerNotActive,
    Person,
    PersonTerms,
    SetLimits,
    Spending,
    device_view,
    objection,
    person_view,
)
from tandem.people.model import PersonStatus, read_handle

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
LIN = UUID("0199f0a4-c0de-7000-8000-000000000001")
SPENDING = Spending(per_payment=500, per_day=2000)


def terms(status: PersonStatus = "active", **limits: Limits) -> PersonTerms:
    return PersonTerms(LIN, "lin", "Lin", status, 1, limits)


@pytest.mark.parametrize("handle", ["li", "lin", "0x", "a" * 31, "lin.wei_2", "a..", "9_"])
def test_handles(handle: str) -> None:
    assert read_handle(handle) == handle
    assert read_handle(f"@{handle}") == handle, "as it is shown"


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "a",
        "a" * 32,
        "a" * 30 + "\n",
        "lin\n",
        "a" * 31 + "\n",
        "@",
        "@@lin",
        "lin@",
        "Lin",
        "_lin",
        ".lin",
        "lin wei",
        "li-n",
        "lin\0",
        "lín",
        "\u03bbin",
        "li\u0578",
        "12\u0663",  # a digit, but no ASCII one
        "lin\u202e",
    ],
)
def test_what_is_no_handle(handle: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_handle(handle)
    assert refused.value.field == "handle"


@pytest.mark.parametrize(
    ("payer", "amount", "spent", "refusal"),
    [
        (terms(), 500, 0, None),
        (terms(), 501, 0, ("per_payment", 500, 500)),
        (terms(), 500, 1500, None),
        (terms(), 500, 1501, ("per_day", 2000, 499)),
        (terms(), 1, 2000, ("per_day", 2000, 0)),
        (terms(), 1, 9999, ("per_day", 2000, 0)),
        (terms(CNY=Limits(0, 0)), 1, 0, ("per_payment", 0, 0)),
        (terms(CNY=Limits(9000, 9000)), 9000, 0, None),
        (terms(CNY=Limits(9000, 9000)), 9000, 1, ("per_day", 9000, 8999)),
        (terms(CNY=Limits(9000, 10)), 11, 0, ("per_day", 10, 10)),
        (terms(EUR=Limits(9000, 9000)), 501, 0, ("per_payment", 500, 500)),
    ],
)
def test_limits(
    payer: PersonTerms, amount: int, spent: int, refusal: tuple[str, int, int] | None
) -> None:
    found = objection(SPENDING, payer, amount, "CNY", spent)
    if refusal is None:
        assert found is None
        return
    assert isinstance(found, LimitExceeded)
    assert (found.limit, found.maximum, found.left) == refusal
    assert show_money(found.maximum, "CNY") in found.sentence()


@pytest.mark.parametrize(
    ("code", "per_payment", "per_day"),
    [("CNY", 500, 2000), ("JPY", 5, 20), ("KWD", 5000, 20_000), ("CLF", 50_000, 200_000)],
)
def test_the_operators_limits_are_as_many_units_of_each_currency(
    code: str, per_payment: int, per_day: int
) -> None:
    nobody = terms(EUR=Limits(7, 7))
    assert SPENDING.of(nobody, code) == Limits(per_payment, per_day)
    assert objection(SPENDING, nobody, per_payment, code, per_day - per_payment) is None
    for amount, spent in ((per_payment + 1, 0), (1, per_day)):
        found = objection(SPENDING, nobody, amount, code, spent)
        assert isinstance(found, LimitExceeded)
        assert found.currency == code
    own = msgspec.structs.replace(nobody, limits={code: Limits(7, 8)})
    assert SPENDING.of(own, code) == Limits(7, 8), "one's own limits are minor units"


def test_a_suspended_person_pays_nothing_however_high_the_limits() -> None:
    payer = terms("suspended", CNY=Limits(MAX_AMOUNT, MAX_AMOUNT))
    assert isinstance(objection(SPENDING, payer, 1, "CNY", 0), PayerNotActive)


@given(
    st.integers(1, MAX_AMOUNT),
    st.integers(0, MAX_AMOUNT),
    st.integers(0, MAX_AMOUNT),
    st.integers(0, MAX_AMOUNT),
)
def test_what_is_let_through_stays_within_both_limits(
    amount: int, spent: int, per_payment: int, per_day: int
) -> None:
    payer = terms(CNY=Limits(per_payment, per_day))
    found = objection(SPENDING, payer, amount, "CNY", spent)
    within = amount <= per_payment and spent + amount <= per_day
    assert (found is None) == within
    if isinstance(found, LimitExceeded):
        assert 0 <= found.left <= found.maximum


def test_views_show_prefixed_ids_and_no_secret() -> None:
    person = Person(LIN, "lin", "Lin Wei", "active", 7, NOON)
    assert msgspec.to_builtins(person_view(person)) == {
        "id": f"ppl_{LIN.hex}",
        "handle": "@lin",
        "name": "Lin Wei",
        "status": "active",
        "created_at": "2026-03-14T12:00:00Z",
    }
    device = Device(LIN, LIN, "Phone", 12345678, b"sealed", 9, 1, 2, None, NOON, None)
    assert msgspec.to_builtins(device_view(device)) == {
        "id": f"dev_{LIN.hex}",
        "name": "Phone",
        "created_at": "2026-03-14T12:00:00Z",
        "revoked_at": None,
    }


def test_the_journal_changes_only_what_a_pay_code_changes() -> None:
    assert DEVICES.mutable == ("code_step", "code_counter", "wrong_codes", "paused_until")


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (CreatePerson, {"handle": "lin"}),
        (CreatePerson, {"handle": "Lin", "name": "Lin"}),
        (CreatePerson, {"handle": "a" * 32, "name": "Lin"}),
        (CreatePerson, {"handle": "@@lin", "name": "Lin"}),
        (CreatePerson, {"handle": "lin", "name": ""}),
        (CreatePerson, {"handle": "lin", "name": "x" * 101}),
        (CreatePerson, {"handle": "lin", "name": "Lin", "admin": True}),
        (CreatePerson, {"handle": "lin", "name": 5}),
        (SetLimits, {"currency": "CNY", "per_payment": -1, "per_day": 1}),
        (SetLimits, {"currency": "CNY", "per_payment": 1, "per_day": MAX_AMOUNT + 1}),
        (SetLimits, {"currency": "CNY", "per_payment": 1.5, "per_day": 1}),
        (SetLimits, {"currency": "CNY", "per_payment": "1", "per_day": 1}),
        (SetLimits, {"currency": "CNY", "per_payment": True, "per_day": 1}),
        (SetLimits, {"currency": "CNY\n", "per_payment": 1, "per_day": 1}),
        (SetLimits, {"currency": "cny", "per_payment": 1, "per_day": 1}),
        (SetLimits, {"currency": "CNY", "per_payment": 1}),
    ],
)
def test_bodies_that_the_api_refuses(shape: type[msgspec.Struct], body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(body), type=shape)
