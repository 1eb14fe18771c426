"""Merchants: what a shop accepts, fees, and what the API takes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api.routes.payments import CreatePayment
from tandem.kernel import MAX_AMOUNT, Invalid
from tandem.merchants import (
    OFFERED,
    WAYS,
    Acceptance,
    Choice,
    CreateKey,
    CreateMerchant,
    CreateShop,
    CurrencyTerms,
    SetCurrency,
    UpdateShop,
    Way,
    WayRefused,
    WayRule,
    fee,
    narrow,
)
from tandem.merchants.service import checked

NO_TAP = Acceptance({"tap": WayRule(enabled=False)})
SMALL_SCANS = Acceptance({"scan": WayRule(max_amount={"CNY": 500, "JPY": 0})})
ONLY_OURS = Acceptance(wallets=Choice(only=("tandem",)))
NOT_OURS = Acceptance(wallets=Choice(refused=("tandem",)))
NOBODY = Acceptance(wallets=Choice(only=()))


@pytest.mark.parametrize(
    ("policy", "way", "currency", "amount", "refusal"),
    [
        (Acceptance(), "scan", "CNY", MAX_AMOUNT, None),
        (Acceptance(), "tap", "EUR", 1, None),
        (NO_TAP, "scan", "CNY", 1, None),
        (NO_TAP, "tap", "CNY", 1, ("way_off", None, ("scan", "click"))),
        (SMALL_SCANS, "scan", "CNY", 500, None),
        (SMALL_SCANS, "scan", "CNY", 501, ("amount_above_limit", 500, ("click",))),
        (SMALL_SCANS, "scan", "JPY", 1, ("amount_above_limit", 0, ("click",))),
        (SMALL_SCANS, "scan", "EUR", MAX_AMOUNT, None),
        (SMALL_SCANS, "click", "CNY", 501, None),
        (ONLY_OURS, "scan", "CNY", 1, None),
        (NOT_OURS, "scan", "CNY", 1, ("wallet_refused", None, ())),
        (NOBODY, "scan", "CNY", 1, ("wallet_refused", None, ())),
        (narrow(NO_TAP, SMALL_SCANS), "scan", "CNY", 501, ("amount_above_limit", 500, ("click",))),
        (narrow(NO_TAP, NOT_OURS), "tap", "CNY", 1, ("way_off", None, ())),
    ],
)
def test_a_refused_way_says_why_and_names_the_ways_that_remain(
    policy: Acceptance,
    way: Way,
    currency: str,
    amount: int,
    refusal: tuple[str, int | None, tuple[str, ...]] | None,
) -> None:
    if refusal is None:
        policy.check(way, "tandem", currency, amount)
        left = policy.remaining(currency, amount, "tandem")
        assert (way in left) == (way in OFFERED)
        return
    with pytest.raises(WayRefused) as refused:
        policy.check(way, "tandem", currency, amount)
    found = refused.value
    assert (found.reason, found.limit, found.ways_left) == refusal
    assert found.way == way
    assert all(left in found.sentence() for left in found.ways_left)
    assert found.ways_left or "No way is left" in found.sentence()


def test_a_refusal_recommends_only_ways_that_a_payment_can_be_made_in() -> None:
    closed = Acceptance({"scan": WayRule(enabled=False)})
    with pytest.raises(WayRefused) as refused:
        closed.check("scan", "tandem", "CNY", 1)
    body = {"amount": 1, "currency": "CNY", "shop_id": "shp_1"}
    for way in refused.value.ways_left:
        assert msgspec.convert({**body, "way": way}, CreatePayment).way == way
    for way in set(WAYS) - set(OFFERED):
        assert way not in refused.value.sentence()


def test_a_partner_is_taken_like_its_wallet_unless_it_is_refused_itself() -> None:
    policy = Acceptance({"tap": WayRule(enabled=False)}, partners=Choice(refused=("metro",)))
    policy.check_partner("scan", "campus", "CNY", 100)
    with pytest.raises(WayRefused) as refused:
        policy.check_partner("scan", "metro", "CNY", 100)
    assert (refused.value.reason, refused.value.ways_left) == ("partner_refused", ())
    with pytest.raises(WayRefused) as refused:
        policy.check_partner("tap", "campus", "CNY", 100)
    assert refused.value.reason == "way_off"


OURS, OTHER = "F074616E6401", "A0000000031010"


@pytest.mark.parametrize(
    ("one", "other", "taken"),
    [
        (Choice(), Choice(), {OURS, OTHER}),
        (Choice(refused=("f074616e64",)), Choice(), {OTHER}),
        (Choice(), Choice(refused=(OTHER,)), {OURS}),
        (Choice(only=("F074616E64",)), Choice(), {OURS}),
        (Choice(only=("F074616E64",)), Choice(only=(OURS, OTHER)), {OURS}),
        (Choice(only=(OURS,)), Choice(only=(OTHER,)), set()),
        (Choice(only=()), Choice(only=(OURS,)), set()),
        (Choice(only=(OURS,)), Choice(refused=(OURS,)), set()),
    ],
)
def test_of_applications_a_name_stands_for_all_that_begin_so(
    one: Choice, other: Choice, taken: set[str]
) -> None:
    for policy in (
        narrow(Acceptance(aids=one), Acceptance(aids=other)),
        narrow(Acceptance(aids=other), Acceptance(aids=one)),
    ):
        assert {aid for aid in (OURS, OTHER) if policy.takes_aid(aid)} == taken


@pytest.mark.parametrize("name", ["F0", "F074616E6", "tandem", "F0" * 17])
def test_what_is_no_aid_is_refused(name: str) -> None:
    for choice in (Choice(only=(name,)), Choice(refused=(name,))):
        with pytest.raises(Invalid):
            checked(Acceptance(aids=choice))


# -- the stricter of two -----------------------------------------------------------------------

CURRENCIES = ("CNY", "EUR")
WALLETS = ("tandem", "metro", "campus")
names = st.lists(st.sampled_from(WALLETS), unique=True).map(tuple)
choices = st.builds(Choice, st.none() | names, names)
rules = st.builds(
    WayRule,
    st.booleans(),
    st.dictionaries(st.sampled_from(CURRENCIES), st.integers(0, 5)),
)
policies = st.builds(Acceptance, st.dictionaries(st.sampled_from(WAYS), rules), choices, choices)


def taken(policy: Acceptance) -> set[tuple[str, str, str, int]]:
    """Every payment of this small world that a policy takes."""
    return {
        (way, wallet, currency, amount)
        for wallet in WALLETS
        for currency in CURRENCIES
        for amount in range(1, 7)
        for way in WAYS
        if policy.objection(way, wallet, currency, amount) is None
    }


def partners(policy: Acceptance) -> set[str]:
    return {name for name in WALLETS if policy.partners.takes(name)}


@given(policies, policies)
def test_a_till_takes_what_both_it_and_its_shop_take(shop: Acceptance, till: Acceptance) -> None:
    both = narrow(shop, till)
    assert taken(both) == taken(shop) & taken(till)
    assert partners(both) == partners(shop) & partners(till)


@given(policies, policies)
def test_the_order_of_shop_and_till_does_not_matter(shop: Acceptance, till: Acceptance) -> None:
    assert taken(narrow(shop, till)) == taken(narrow(till, shop))


@given(policies)
def test_a_policy_outlives_its_storage(policy: Acceptance) -> None:
    stored = msgspec.json.encode(policy)
    assert msgspec.json.decode(stored, type=Acceptance) == policy


def test_an_empty_policy_narrows_nothing() -> None:
    assert taken(narrow(NO_TAP, Acceptance())) == taken(NO_TAP)
    assert taken(narrow(Acceptance(), NOBODY)) == set()


def test_a_policy_names_real_currencies() -> None:
    assert checked(SMALL_SCANS) is SMALL_SCANS
    with pytest.raises(Invalid) as refused:
        checked(Acceptance({"scan": WayRule(max_amount={"XXQ": 1})}))
    assert refused.value.field == "acceptance.ways.scan.max_amount"


# -- fees ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "fixed", "amount", "first", "rest"),
    [
        (0, 0, 3800, 0, 0),
        (60, 0, 3800, 23, 23),  # 22.8
        (60, 10, 3800, 33, 23),
        (250, 0, 20, 0, 0),  # 0.5: half to even
        (250, 0, 60, 2, 2),  # 1.5
        (0, 10, 7, 7, 0),  # never more than the amount
        (10_000, 10, 500, 500, 500),
        (1, 0, MAX_AMOUNT, MAX_AMOUNT // 10_000, MAX_AMOUNT // 10_000),
    ],
)
def test_fees(points: int, fixed: int, amount: int, first: int, rest: int) -> None:
    terms = CurrencyTerms(points, fixed)
    assert fee(terms, amount, first=True) == first
    assert fee(terms, amount, first=False) == rest


@given(st.integers(0, 10_000), st.integers(0, MAX_AMOUNT), st.integers(1, MAX_AMOUNT))
def test_a_fee_is_never_negative_nor_more_than_the_amount(
    points: int, fixed: int, amount: int
) -> None:
    terms = CurrencyTerms(points, fixed)
    assert 0 <= fee(terms, amount, first=False) <= fee(terms, amount, first=True) <= amount


# -- what the API takes --------------------------------------------------------------------------

SHOP = {"name": "Blue Door", "city": "Hangzhou", "country": "CN"}
FEES = {"fee_basis_points": 60, "fee_fixed": 0}


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (CreateShop, {**SHOP, "country": "CN\n"}),
        (CreateShop, {**SHOP, "country": "cn"}),
        (CreateShop, {**SHOP, "country": "CHN"}),
        (CreateShop, {**SHOP, "category": "581"}),
        (CreateShop, {**SHOP, "category": "5814\n"}),
        (CreateShop, {**SHOP, "category": "\u0665\u0668\u0661\u0664"}),
        (CreateShop, {**SHOP, "city": ""}),
        (CreateShop, {**SHOP, "city": "x" * 61}),
        (CreateShop, {**SHOP, "name": "x" * 101}),
        (CreateShop, {**SHOP, "code_token": "mine"}),
        (CreateShop, {**SHOP, "acceptance": {"ways": {"wink": {}}}}),
        (CreateShop, {**SHOP, "acceptance": {"ways": {"tap": {"enabled": "no"}}}}),
        (CreateShop, {**SHOP, "acceptance": {"ways": {"tap": {"on": False}}}}),
        (CreateShop, {**SHOP, "acceptance": {"ways": {"tap": {"max_amount": {"CNY": -1}}}}}),
        (CreateShop, {**SHOP, "acceptance": {"ways": {"tap": {"max_amount": {"CNY": 1.5}}}}}),
        (CreateShop, {**SHOP, "acceptance": {"ways": {"tap": {"max_amount": {"yuan": 1}}}}}),
        (CreateShop, {**SHOP, "acceptance": {"wallets": {"only": ["x"] * 101}}}),
        (CreateShop, {**SHOP, "acceptance": {"wallets": {"only": [""]}}}),
        (CreateShop, {**SHOP, "acceptance": {"wallet": {}}}),
        (UpdateShop, {"merchant_id": "mer_1"}),
        (UpdateShop, {"country": "C"}),
        (CreateMerchant, {"name": "Blue Door", "currencies": {}}),
        (CreateMerchant, {"name": "Blue Door", "currencies": {"yuan": FEES}}),
        (CreateMerchant, {"name": "Blue Door", "currencies": {"CNY": {**FEES, "fee": 1}}}),
        (CreateMerchant, {"name": "Blue Door", "currencies": {"CNY": {"fee_fixed": 1}}}),
        (SetCurrency, {"currency": "CNY", "fee_basis_points": 10_001, "fee_fixed": 0}),
        (SetCurrency, {"currency": "CNY", "fee_basis_points": -1, "fee_fixed": 0}),
        (SetCurrency, {"currency": "CNY", **FEES, "overdraft": MAX_AMOUNT + 1}),
        (SetCurrency, {"currency": "CNY", **FEES, "overdraft": 10**40}),
        (CreateKey, {"name": "Till", "scopes": []}),
        (CreateKey, {"name": "Till", "scopes": ["payments:read"] * 21}),
        (CreateKey, {"name": "", "scopes": ["payments:read"]}),
    ],
)
def test_bodies_that_the_api_refuses(shape: type[msgspec.Struct], body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(body), type=shape)


def test_what_is_not_said_is_accepted() -> None:
    new = msgspec.json.decode(msgspec.json.encode(SHOP), type=CreateShop)
    assert new.acceptance == Acceptance()
    for way in WAYS:
        new.acceptance.check(way, "anybody", "CNY", MAX_AMOUNT)
