"""Codes, browsers' names, what a payment was confirmed for, who gives back how much."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.kernel import system_entropy
from tandem.people import Confirmed, PasskeyNeeded, PersonTerms, unconfirmed
from tandem.signin.model import (
    Member,
    browser_of,
    code_hash,
    limits_of,
    new_code,
    read_code,
    subject_of,
)

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
LIN, DOOR, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


@given(st.binary(min_size=10, max_size=10))
def test_a_code_is_read_however_it_was_typed(random: bytes) -> None:
    def first(size: int) -> bytes:
        return random[:size]

    for size, letters in ((5, 8), (10, 16)):
        code = new_code(size, first)
        bare = code.replace("-", "")
        assert len(bare) == letters
        assert not set(bare) & set("ILOU")
        for typed in (code, code.lower(), f" {bare} ", bare.replace("0", "o").replace("1", "l")):
            assert read_code(typed) == bare


@pytest.mark.parametrize("text", ["", "AAAA", "A" * 9, "AAAA-AAAU", "A" * 17, "é" * 8, "A" * 4000])
def test_what_is_no_code_is_none(text: str) -> None:
    assert read_code(text) is None


def test_codes_are_random_and_hashed_for_their_person() -> None:
    codes = {new_code(10, system_entropy) for _ in range(100)}
    assert len(codes) == 100
    code = codes.pop()
    assert code_hash(code, LIN) == code_hash(code.replace("-", ""), LIN) != code_hash(code, DOOR)


def test_tries_are_counted_for_a_handle_in_any_case() -> None:
    assert subject_of("lin") == subject_of("LIN") != subject_of("mei")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, "Unknown browser"),
        ("", "Unknown browser"),
        ("curl/8", "Unknown browser"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15) AppleWebKit Chrome/140", "Chrome on macOS"),
        ("Something on Android", "A browser on Android"),
    ],
)
def test_a_browser_has_a_name(header: str | None, name: str) -> None:
    assert browser_of(header) == name


TERMS = PersonTerms(LIN, "lin", "Lin", "active", 1, {}, {"CNY": 5_000})


@pytest.mark.parametrize(
    ("amount", "code", "confirmed", "asks"),
    [
        (5_000, "CNY", None, False),
        (5_001, "CNY", None, True),
        (9_999_999, "EUR", None, False),
        (5_001, "CNY", Confirmed(DOOR, 5_001, "CNY"), False),
        (5_001, "CNY", Confirmed(OTHER, 5_001, "CNY"), True),
        (5_001, "CNY", Confirmed(DOOR, 5_002, "CNY"), True),
        (5_001, "CNY", Confirmed(DOOR, 5_000, "CNY"), True),
        (5_001, "CNY", Confirmed(DOOR, 5_001, "EUR"), True),
    ],
)
def test_what_is_above_the_limit_asks_until_just_that_is_confirmed(
    amount: int,
    code: str,
    confirmed: Confirmed | None,
    asks: bool,  # noqa: FBT001 - a column of the table
) -> None:
    wrong = unconfirmed(TERMS, DOOR, amount, code, confirmed)
    assert isinstance(wrong, PasskeyNeeded) is asks
    if isinstance(wrong, PasskeyNeeded):
        assert (wrong.payee_id, wrong.amount, wrong.currency) == (DOOR, amount, code)
        assert wrong.passing, "the same request comes again, confirmed"


@pytest.mark.parametrize(
    ("role", "own", "limits"),
    [
        ("cashier", (None, None), (20_000, 100_000)),
        ("cashier", (0, None), (0, 100_000)),
        ("cashier", (90_000, 50_000), (90_000, 50_000)),
        ("cashier", (200_000, None), (200_000, 200_000)),  # a day is as much as one payment
        ("manager", (None, None), (500_000, 2_000_000)),
        ("owner", (None, None), (None, None)),
        ("owner", (5, None), (5, None)),
        ("owner", (None, 5), (None, 5)),
    ],
)
def test_a_members_limits_are_their_own_or_their_roles(
    role: str, own: tuple[int | None, int | None], limits: tuple[int | None, int | None]
) -> None:
    member = Member(LIN, "merchant", DOOR, "Xu", role, *own, "active", None, NOW)
    assert limits_of(member) == limits
