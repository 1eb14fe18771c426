"""The four decisions on adding a card, one-time codes, numbers and references."""

import hashlib
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.cards.codes import Codes
from tandem.cards.errors import CardNotEligible
from tandem.cards.model import CardStatus
from tandem.cards.numbers import account_reference, new_pan, own_requestor, pan_hash
from tandem.cards.proof import (
    CODE_TRIES,
    CODES_TIME,
    MAX_CARDS,
    MAX_REFUSED,
    MAX_WRONG,
    Facts,
    Proof,
    code_hash,
    code_over,
    code_right,
    decide_proof,
    new_code,
)
from tandem.emv.card.profile import luhn

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GOOD = Facts(
    person_active=True,
    device_in_use=True,
    first_device=True,
    earlier_in_use=False,
    cards=0,
    refused=0,
    wrong_codes=0,
    wrong_for_number=0,
)
LATER_DEVICE = {"first_device": False, "earlier_in_use": True}
ALONE = {"first_device": False, "earlier_in_use": False}


def entropy(seed: str) -> "object":
    counter = itertools.count()
    return lambda n: hashlib.shake_256(f"{seed} {next(counter)}".encode()).digest(n)


@pytest.mark.parametrize(
    ("changes", "least", "found"),
    [
        ({}, "green", "green"),
        ({}, "yellow", "yellow"),
        ({}, "orange", "orange"),
        ({"cards": MAX_CARDS - 1}, "green", "green"),
        (LATER_DEVICE, "green", "yellow"),
        (LATER_DEVICE, "orange", "orange"),
        (ALONE, "green", "orange"),
        (ALONE, "yellow", "orange"),
        ({"refused": 1}, "green", "orange"),
        ({**LATER_DEVICE, "refused": MAX_REFUSED - 1}, "green", "orange"),
        ({"person_active": False}, "green", "person_not_active"),
        ({"device_in_use": False}, "green", "device_out_of_use"),
        ({"cards": MAX_CARDS}, "green", "too_many_cards"),
        ({"refused": MAX_REFUSED}, "green", "too_many_refused"),
        ({"wrong_codes": CODE_TRIES - 1}, "green", "green"),
        ({**LATER_DEVICE, "wrong_codes": CODE_TRIES - 1}, "green", "yellow"),
        ({**LATER_DEVICE, "wrong_codes": CODE_TRIES}, "green", "orange"),
        ({"wrong_codes": MAX_WRONG - 1}, "green", "orange"),
        ({"wrong_codes": MAX_WRONG}, "green", "too_many_wrong_codes"),
        ({**LATER_DEVICE, "wrong_for_number": CODE_TRIES - 1}, "green", "yellow"),
        ({"wrong_for_number": CODE_TRIES}, "green", "orange"),
        ({"wrong_for_number": 10 * MAX_WRONG}, "green", "orange"),
        (
            {"wrong_codes": MAX_WRONG, "wrong_for_number": MAX_WRONG},
            "green",
            "too_many_wrong_codes",
        ),
        ({"person_active": False, "refused": MAX_REFUSED}, "orange", "person_not_active"),
    ],
)
def test_what_adding_a_card_asks_for(changes: dict[str, object], least: str, found: str) -> None:
    facts = msgspec.structs.replace(GOOD, **changes)
    if found in set(Proof):
        assert decide_proof(facts, Proof(least)).value == found
        return
    with pytest.raises(CardNotEligible) as refused:
        decide_proof(facts, Proof(least))
    assert refused.value.reason == found
    assert refused.value.sentence().endswith("No card was added.")


def test_only_green_begins_active() -> None:
    begins = {proof.value: proof.status for proof in Proof}
    assert begins == {
        "green": CardStatus.ACTIVE,
        "yellow": CardStatus.WAITING_CODE,
        "orange": CardStatus.WAITING_OPERATOR,
    }


@given(st.binary(min_size=8, max_size=8))
def test_a_code_has_six_digits(drawn: bytes) -> None:
    code = new_code(lambda _n: drawn)
    assert len(code) == 6
    assert code.isdecimal()


def test_codes_are_spread() -> None:
    source = entropy("codes")
    firsts = Counter(new_code(source)[0] for _ in range(2000))  # type: ignore[arg-type]  # a source of bytes
    assert len(firsts) == 10
    assert max(firsts.values()) < 300


@given(st.binary(min_size=32, max_size=32), st.from_regex(r"\A[0-9]{6}\Z"), st.uuids())
def test_a_code_is_right_for_its_card_and_key_only(secret: bytes, code: str, card: UUID) -> None:
    stored = code_hash(secret, card, code)
    assert code_right(stored, secret, card, code)
    other = f"{(int(code) + 1) % 10**6:06d}"
    assert not code_right(stored, secret, card, other)
    assert not code_right(stored, secret, UUID(int=card.int ^ 1), code)
    assert not code_right(stored, bytes(b ^ 1 for b in secret), card, code)


def test_when_a_code_is_over() -> None:
    second = timedelta(seconds=1)
    assert [code_over(until, NOW) for until in (None, NOW - second, NOW, NOW + second)] == [
        True, True, True, False,
    ]  # fmt: skip


def test_codes_go_on_when_the_first_of_too_many_is_a_day_old() -> None:
    hours = tuple(NOW - timedelta(hours=n) for n in range(5))  # newest first
    codes = Codes(of_person=hours[:2], of_number=hours)
    assert codes.last == NOW
    assert [codes.until(limit) for limit in (6, 5, 4)] == [
        None, hours[4] + CODES_TIME, hours[3] + CODES_TIME,
    ]  # fmt: skip
    both = Codes(of_person=hours[:2], of_number=hours[3:])
    assert (both.last, both.until(2)) == (NOW, hours[1] + CODES_TIME)
    assert (Codes((), ()).last, Codes((), ()).until(1)) == (None, None)


@given(st.from_regex(r"\A[0-9]{3,8}\Z"), st.binary(min_size=16, max_size=16))
def test_a_number_is_of_its_range_and_luhn_valid(reach: str, drawn: bytes) -> None:
    pan = new_pan(reach, lambda _n: drawn)
    assert (len(pan), pan.startswith(reach), luhn(pan)) == (16, True, True)


@given(st.binary(min_size=32, max_size=32), st.from_regex(r"\A[0-9]{3,8}\Z"), st.uuids())
def test_an_account_reference_is_a_persons_and_says_nothing(
    secret: bytes, reach: str, person: UUID
) -> None:
    made = account_reference(secret, reach, person.bytes)
    assert len(made) == 29
    assert made.isalnum()
    assert made == made.upper()
    assert made == account_reference(secret, reach, person.bytes)
    assert made != account_reference(secret, reach, UUID(int=person.int ^ 1).bytes)


def test_a_requestor_has_eleven_digits_and_a_hash_needs_the_key() -> None:
    assert own_requestor("980123") == "98000000001"
    one, other = (pan_hash(secret, "9801234567890121") for secret in (b"a" * 32, b"b" * 32))
    assert one != other
    assert len(one) == 32
