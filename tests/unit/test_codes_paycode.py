import hmac
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.codes import (
    Mark,
    PayCode,
    PayCodeExpired,
    PayCodeInvalid,
    PayCodeMalformed,
    PayCodeUsed,
    paycode,
)
from tandem.kernel import Refused

DOCS = Path(__file__).parents[2] / "docs" / "codes.md"
SEED = bytes(range(32))
INDEX = "34567890"
START = datetime(2026, 1, 1, tzinfo=UTC)  # the first moment of step 117815040
STEP = 117_815_040
ALL_FF = b"\xff" * 32

# Made by OpenSSL and bc, not by the code under test.
VECTORS = [
    (SEED, INDEX, "2026-01-01T00:00:00Z", 0, "283456789065134296"),
    (SEED, INDEX, "2026-01-01T00:00:14Z", 3, "283456789077385464"),
    (SEED, INDEX, "2026-01-01T00:00:15Z", 0, "283456789098384546"),
    (ALL_FF, "00000000", "1970-01-01T00:00:00Z", 0, "280000000077718317"),
    (ALL_FF, "99999999", "2038-01-19T03:14:08Z", 1, "289999999959155837"),
]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def code_at(seconds: float, counter: int = 0, seed: bytes = SEED) -> PayCode:
    return paycode.parse(paycode.generate(seed, INDEX, at(seconds), counter))


@pytest.mark.parametrize(("seed", "index", "time", "counter", "code"), VECTORS)
def test_the_published_vectors_hold(
    seed: bytes, index: str, time: str, counter: int, code: str
) -> None:
    assert paycode.generate(seed, index, datetime.fromisoformat(time), counter) == code


def test_the_documentation_has_the_same_vectors() -> None:
    row = re.compile(r"\| `([0-9a-f]{64})` \| `(\d{8})` \| `(\S+)` \| (\d) \| `(\d{18})` \|")
    documented = [
        (bytes.fromhex(seed), index, time, int(counter), code)
        for seed, index, time, counter, code in row.findall(DOCS.read_text(encoding="utf-8"))
    ]
    assert documented == VECTORS


def test_the_zone_of_a_time_makes_no_difference() -> None:
    elsewhere = START.astimezone(timezone(timedelta(hours=8)))
    assert paycode.generate(SEED, INDEX, elsewhere) == VECTORS[0][4]


def test_a_code_is_18_digits_and_stays_out_of_logs() -> None:
    code = code_at(0)
    assert code.digits == VECTORS[0][4]
    assert code.one_time not in repr(code)
    assert paycode.show(code.digits) == "2834 5678 9065 1342 96"
    assert paycode.parse(" 2834 5678 9065 1342 96\n") == code


@pytest.mark.parametrize("generated_s", [0, 7, 14.999_999])
def test_a_code_lives_for_a_minute_at_least_and_less_than_75_seconds(generated_s: float) -> None:
    code = code_at(generated_s)
    for later_s in (0, 30, 59.999, 60):
        assert paycode.check(code, SEED, at(generated_s + later_s), None) == Mark(STEP, 0)
    assert paycode.check(code, SEED, at(74.999_999), None) == Mark(STEP, 0)
    with pytest.raises(PayCodeExpired) as refused:
        paycode.check(code, SEED, at(75), None)
    assert refused.value.age_s == 75


def test_a_fast_clock_is_borne_for_15_seconds() -> None:
    for now_s in (0, 7, 14):
        assert paycode.check(code_at(now_s + 15), SEED, at(now_s), None) == Mark(STEP + 1, 0)
    with pytest.raises(PayCodeInvalid):
        paycode.check(code_at(30), SEED, at(14.999_999), None)


def test_an_old_code_is_told_apart_for_15_minutes() -> None:
    code = code_at(0, counter=3)
    with pytest.raises(PayCodeExpired) as refused:
        paycode.check(code, SEED, at(15 * 60 + 14.9), None)
    assert refused.value.age_s == 15 * 60
    with pytest.raises(PayCodeInvalid):
        paycode.check(code, SEED, at(15 * 60 + 15), None)


def test_a_code_works_once_and_none_older_works_after_it() -> None:
    first, second, third = code_at(0), code_at(0, counter=1), code_at(15)
    last = paycode.check(second, SEED, at(20), None)
    assert last == Mark(STEP, 1)
    for refused in (first, second):
        with pytest.raises(PayCodeUsed):
            paycode.check(refused, SEED, at(20), last)
    assert paycode.check(third, SEED, at(20), last) == Mark(STEP + 1, 0)


def test_four_codes_can_be_shown_within_one_step_and_no_fifth() -> None:
    last: Mark | None = None
    for counter in range(4):
        last = paycode.check(code_at(0, counter), SEED, at(0), last)
    assert last == Mark(STEP, 3)
    with pytest.raises(ValueError, match="counter"):
        paycode.generate(SEED, INDEX, START, 4)


def test_a_code_that_matches_two_moments_still_works_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paycode, "_one_time", lambda *_: "00000000")
    last = paycode.check(PayCode(INDEX, "00000000"), SEED, START, None)
    assert last == Mark(STEP + 1, 3)
    with pytest.raises(PayCodeUsed):
        paycode.check(PayCode(INDEX, "00000000"), SEED, START, last)


def test_a_code_of_another_seed_or_index_is_wrong() -> None:
    with pytest.raises(PayCodeInvalid):
        paycode.check(code_at(0), ALL_FF, START, None)
    with pytest.raises(PayCodeInvalid):
        paycode.check(PayCode("34567891", code_at(0).one_time), SEED, START, None)


def test_a_device_that_does_not_exist_takes_the_same_work_and_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[Mark] = []
    real = paycode._one_time

    def count(seed: bytes, index: str, mark: Mark) -> str:
        counted.append(mark)
        return real(seed, index, mark)

    monkeypatch.setattr(paycode, "_one_time", count)
    for seed in (None, ALL_FF):
        counted.clear()
        with pytest.raises(PayCodeInvalid):
            paycode.check(code_at(0), seed, START, None)
        assert len(counted) == 1 + (6 + 56) * 4
    # not even for the seed that stands in
    with pytest.raises(PayCodeInvalid):
        paycode.check(code_at(0, seed=bytes(32)), None, START, None)


def test_every_open_code_is_compared_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def compare(made: bytes, shown: bytes) -> bool:
        compared.append(made)
        return real(made, shown)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for seconds, counter in ((-60, 0), (0, 2), (15, 3)):
        compared.clear()
        paycode.check(code_at(seconds, counter), SEED, START, None)
        assert len(compared) == 24


def test_the_first_minutes_of_1970_have_no_steps_before_them() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    code = paycode.parse(paycode.generate(SEED, INDEX, epoch))
    assert paycode.check(code, SEED, epoch, None) == Mark(0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "28",
        "28345678906513429",
        "2834567890651342966",
        "273456789065134296",
        "2834567890651342x6",
        "-28345678906513429",
        "2834567890 6513429e1",
        "28345678906513429\x00",
        "28" + "\u0663" * 16,  # Arabic digits
        "\uff12\uff18" + "\uff13" * 16,  # full-width digits
        "2" * 10_000,
    ],
)
def test_what_is_no_pay_code_is_refused(text: str) -> None:
    with pytest.raises(PayCodeMalformed):
        paycode.parse(text)


@pytest.mark.parametrize(
    "given_wrong",
    [
        (SEED[:31], INDEX, START),
        (SEED, "1234567", START),
        (SEED, "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", START),
        (SEED, INDEX, START.replace(tzinfo=None)),
        (SEED, INDEX, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_program_that_asks_wrongly_is_told_so(given_wrong: tuple[bytes, str, datetime]) -> None:
    with pytest.raises(ValueError, match=r"seed|zone"):
        paycode.generate(*given_wrong)


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (PayCodeMalformed(), "pay_code_malformed"),
        (PayCodeInvalid(), "pay_code_invalid"),
        (PayCodeExpired(75), "pay_code_expired"),
        (PayCodeUsed(), "pay_code_used"),
    ],
)
def test_refusals_say_what_to_do_and_never_repeat_the_code(refused: Refused, code: str) -> None:
    assert refused.code == code
    assert re.search(r"Ask for a new one|again", refused.sentence())
    assert set(refused.data()) <= {"age_s"}


def test_indexes_come_from_the_entropy_that_is_passed_in() -> None:
    assert paycode.allocate_index(bytes) == "00000000"
    assert paycode.allocate_index(lambda count: bytes(count - 1) + b"\x07") == "00000007"
    assert re.fullmatch(r"[0-9]{8}", paycode.allocate_index(lambda count: b"\xff" * count))


def test_one_time_parts_are_spread_evenly() -> None:
    # 20,000 codes, counted by each of their 8 digits: chi-squared with 9 degrees of freedom is
    # above 33.7 once in 10,000 times, and the codes are always the same ones.
    count = 20_000
    codes = [
        paycode.generate(SEED, INDEX, START + timedelta(seconds=15 * step))[10:]
        for step in range(count)
    ]
    for place in range(8):
        seen = [sum(code[place] == digit for code in codes) for digit in "0123456789"]
        assert sum((n - count / 10) ** 2 / (count / 10) for n in seen) < 33.7
    assert len(set(codes)) >= count - 10  # 2 collisions are to be expected


@given(
    st.binary(min_size=32, max_size=32),
    st.from_regex(r"\A[0-9]{8}\Z"),
    st.integers(0, 10**10),
    st.integers(0, 3),
    st.integers(-15, 60),
)
def test_every_code_is_taken_once_while_it_is_open(
    seed: bytes, index: str, seconds: int, counter: int, later_s: int
) -> None:
    made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    now = max(datetime(1970, 1, 1, tzinfo=UTC), made + timedelta(seconds=later_s))
    code = paycode.parse(paycode.generate(seed, index, made, counter))
    mark = paycode.check(code, seed, now, None)
    assert mark >= Mark(seconds // 15, counter)
    with pytest.raises(PayCodeUsed):
        paycode.check(code, seed, now, mark)


@given(st.integers(0, 10**8 - 1), st.tuples(st.integers(0, 2**40), st.integers(0, 3)))
def test_a_guess_is_refused_or_is_one_of_the_24_open_codes(
    guess: int, last: tuple[int, int]
) -> None:
    code = PayCode(INDEX, f"{guess:08d}")
    open_codes = {code_at(15 * step, n).one_time for step in range(-4, 2) for n in range(4)}
    try:
        paycode.check(code, SEED, START, Mark(*last))
    except (PayCodeInvalid, PayCodeUsed, PayCodeExpired):
        return
    assert code.one_time in open_codes
