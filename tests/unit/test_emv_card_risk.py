"""What a card decides by itself, and what its issuer's answer changes: a row for each outcome."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_tap import LIMITS
from tandem.emv.application_data import CryptogramType
from tandem.emv.card import CardState, Limits, Reason
from tandem.emv.card.answer import after_answer
from tandem.emv.card.risk import Asked, decide
from tandem.emv.cryptograms import ArpcMethod, IssuerAnswer

AAC, TC, ARQC = CryptogramType.AAC, CryptogramType.TC, CryptogramType.ARQC
CNY, USD = 156, 840
PURCHASE, CASH, CASHBACK, REFUND = 0x00, 0x01, 0x09, 0x20


def asked(
    cryptogram: CryptogramType = ARQC,
    amount: int = 1000,
    *,
    type: int = PURCHASE,  # noqa: A002 -- the field's name
    currency: int = CNY,
    cvm_required: bool = False,
    transit: bool = False,
    signed: bool = False,
) -> Asked:
    return Asked(cryptogram, type, amount, currency, cvm_required, transit, signed)


@pytest.mark.parametrize(
    ("state", "question", "verified", "answer"),
    [
        # without verification: amount, total and count have limits
        ({}, asked(amount=5000), False, ARQC),
        ({}, asked(amount=5001), False, None),
        ({"unverified_total": 7000}, asked(amount=5000), False, ARQC),
        ({"unverified_total": 7001}, asked(amount=5000), False, None),
        ({"unverified_count": 2}, asked(), False, ARQC),
        ({"unverified_count": 3}, asked(), False, None),
        ({}, asked(amount=0), False, ARQC),
        # the terminal may ask for more caution, never for less
        ({}, asked(amount=1, cvm_required=True), False, None),
        ({}, asked(amount=1, cvm_required=True, transit=True), False, None),
        # another currency, cash, cashback and what nobody knows need a verified person
        ({}, asked(currency=USD), False, None),
        ({}, asked(type=CASH), False, None),
        ({}, asked(type=CASHBACK), False, None),
        ({}, asked(type=0x77), False, None),
        ({}, asked(currency=USD), True, ARQC),
        ({}, asked(type=CASH), True, ARQC),
        # transit has limits of its own
        ({"unverified_count": 3}, asked(amount=2000, transit=True), False, ARQC),
        ({}, asked(amount=2001, transit=True), False, None),
        ({"transit_total": 4001}, asked(amount=2000, transit=True), False, None),
        ({"transit_count": 4}, asked(amount=1, transit=True), False, None),
        ({"transit_count": 4}, asked(amount=9000, transit=True), True, ARQC),
        # verified: any amount
        ({"unverified_count": 3}, asked(amount=10**11, cvm_required=True), True, ARQC),
        # offline: total and count have limits, and it has to be signed
        ({}, asked(TC, 20000, signed=True), True, TC),
        ({}, asked(TC, 20001, signed=True), True, ARQC),
        ({"offline_total": 19001}, asked(TC, 1000, signed=True), True, ARQC),
        ({"offline_count": 2}, asked(TC, 1, signed=True), True, ARQC),
        ({}, asked(TC, 1), True, ARQC),
        ({}, asked(TC, 1000, signed=True), False, TC),
        ({}, asked(TC, 6000, signed=True), False, None),
        ({}, asked(TC, 1, signed=True, currency=USD), True, ARQC),
        ({}, asked(TC, 1, signed=True, type=CASHBACK), True, ARQC),
        ({"go_online": True}, asked(TC, 1, signed=True), True, ARQC),
        # a refund is for the issuer to decide
        ({"unverified_count": 3}, asked(TC, 10**6, type=REFUND, signed=True), False, ARQC),
        ({}, asked(ARQC, 10**6, type=REFUND, currency=USD), False, ARQC),
        # a terminal that declines is obeyed
        ({}, asked(AAC), True, AAC),
        ({}, asked(AAC, type=REFUND), False, AAC),
    ],
)
def test_the_card_gives_what_its_limits_allow(
    state: dict[str, Any], question: Asked, *, verified: bool, answer: CryptogramType | None
) -> None:
    before = CardState(**state)
    decision = decide(LIMITS, CNY, before, question, verified=verified)
    assert decision.cryptogram is (AAC if answer is None else answer)
    if answer is None:
        assert decision.reason is Reason.VERIFY
    if decision.cryptogram is AAC:
        assert decision.state == before


def test_what_was_paid_is_counted_where_it_belongs() -> None:
    state = CardState()
    state = decide(LIMITS, CNY, state, asked(TC, 3000, signed=True), verified=False).state
    assert state == CardState(
        unverified_total=3000, unverified_count=1, offline_total=3000, offline_count=1
    )
    state = decide(LIMITS, CNY, state, asked(ARQC, 500, transit=True), verified=False).state
    assert (state.transit_total, state.transit_count) == (500, 1)
    assert (state.unverified_total, state.unverified_count) == (3000, 1)
    state = decide(LIMITS, CNY, state, asked(ARQC, 90000), verified=True).state
    assert state == CardState(offline_total=3000, offline_count=1)


def test_without_limits_nothing_goes_unverified_or_offline() -> None:
    for question in (asked(amount=0), asked(amount=1), asked(amount=0, transit=True)):
        assert decide(Limits(), CNY, CardState(), question, verified=False).reason is Reason.VERIFY
    approved = decide(Limits(), CNY, CardState(), asked(TC, 1, signed=True), verified=True)
    assert approved.cryptogram is ARQC


questions = st.builds(
    Asked,
    st.sampled_from(CryptogramType),
    st.sampled_from([PURCHASE, CASH, CASHBACK, REFUND, 0x30]),
    st.integers(0, 30000),
    st.sampled_from([CNY, USD]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(st.tuples(questions, st.booleans()), max_size=30))
def test_no_row_of_payments_goes_over_the_limits(row: list[tuple[Asked, bool]]) -> None:
    state = CardState()
    rank = {AAC: 0, ARQC: 1, TC: 2}
    for question, verified in row:
        decision = decide(LIMITS, CNY, state, question, verified=verified)
        assert rank[decision.cryptogram] <= rank[question.cryptogram]
        state = decision.state
        assert state.unverified_total <= LIMITS.unverified_total
        assert state.unverified_count <= LIMITS.unverified_count
        assert state.transit_total <= LIMITS.transit_total
        assert state.transit_count <= LIMITS.transit_count
        assert state.offline_total <= LIMITS.offline_total
        assert state.offline_count <= LIMITS.offline_count
        if decision.cryptogram is TC:
            assert question.signed
            assert question.currency == CNY


SPENT = CardState(atc=9, offline_total=700, offline_count=1, unverified_count=2, go_online=True)


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        ("00000000", {}),
        ("00010000", {"offline_total": 20000, "offline_count": 2}),
        ("00020000", {"offline_total": 0, "offline_count": 0}),
        ("00030000", {"offline_total": 750, "offline_count": 2}),
        ("00080000", {"go_online": True}),
        ("00200000", {"blocked": True}),
        ("00400000", {"blocked": True}),
        ("00820000", {"offline_total": 0, "offline_count": 0}),
    ],
)
def test_a_card_status_update_is_obeyed(update: str, changed: dict[str, Any]) -> None:
    answer = IssuerAnswer(bytes.fromhex(update), b"")
    after = after_answer(SPENT, LIMITS, ArpcMethod.TWO, answer, 9, 50)
    expected = {"last_online_atc": 9, "go_online": False} | changed
    assert after == msgspec.structs.replace(SPENT, **expected)


def test_nothing_but_another_profile_unblocks_a_card() -> None:
    blocked = msgspec.structs.replace(SPENT, blocked=True)
    answer = IssuerAnswer(bytes.fromhex("00020000"), b"")
    assert after_answer(blocked, LIMITS, ArpcMethod.TWO, answer, 9, 50).blocked


@pytest.mark.parametrize(("code", "count"), [(b"00", 0), (b"05", 1), (b"Z3", 1)])
def test_by_method_1_only_an_approval_sets_the_counters_back(code: bytes, count: int) -> None:
    after = after_answer(SPENT, LIMITS, ArpcMethod.ONE, IssuerAnswer(code, b""), 9, 50)
    assert (after.offline_count, after.last_online_atc, after.go_online) == (count, 9, False)
