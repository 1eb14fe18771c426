"""How a red packet is divided: pure, with a fixed seed."""

from random import Random
from statistics import fmean

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moves import NOON, owner
from tandem.packets.model import LUCK_BYTES, MAX_SHARES, Packet, next_share, payee_of


def packet(amount: int, shares: int, division: str) -> Packet:
    return Packet(
        id=owner(1),
        maker_id=owner(2),
        maker_name="Lin Wei",
        amount=amount,
        currency="CNY",
        shares=shares,
        division=division,
        audience="link",
        maker_opens=False,
        message=None,
        status="open",
        opened=0,
        opened_amount=0,
        expires_at=NOON,
        created_at=NOON,
        updated_at=NOON,
    )


def all_shares(made: Packet, random: Random) -> list[int]:
    """What everybody gets, one after another."""
    got: list[int] = []
    while len(got) < made.shares:
        got.append(next_share(made, random.randbytes(LUCK_BYTES)))
        made = msgspec.structs.replace(made, opened=len(got), opened_amount=sum(got))
    return got


amounts = st.tuples(st.integers(1, MAX_SHARES), st.integers(0, 10**15)).map(
    lambda both: (both[0], min(10**15, both[0] + both[1]))
)


@given(amounts)
def test_equal_shares_differ_by_one_at_most_and_are_all_of_it(both: tuple[int, int]) -> None:
    shares, amount = both
    got = all_shares(packet(amount, shares, "equal"), Random(0))  # noqa: S311 - it is not used
    assert sum(got) == amount
    assert max(got) - min(got) <= 1
    assert min(got) >= 1


@given(amounts, st.integers(0, 2**32))
def test_shares_by_luck_are_something_each_and_all_of_it(both: tuple[int, int], seed: int) -> None:
    shares, amount = both
    got = all_shares(packet(amount, shares, "luck"), Random(seed))  # noqa: S311 - a test's dice
    assert sum(got) == amount
    assert min(got) >= 1


@pytest.mark.parametrize("luck", [bytes(LUCK_BYTES), b"\xff" * LUCK_BYTES], ids=["least", "most"])
@pytest.mark.parametrize(("amount", "shares"), [(2, 2), (3, 2), (5, 3), (101, 100), (10**15, 7)])
def test_the_ends_of_luck_leave_something_for_each(amount: int, shares: int, luck: bytes) -> None:
    made, got = packet(amount, shares, "luck"), list[int]()
    while len(got) < shares:
        got.append(next_share(made, luck))
        made = msgspec.structs.replace(made, opened=len(got), opened_amount=sum(got))
    assert sum(got) == amount
    assert min(got) >= 1


@pytest.mark.parametrize(("amount", "shares"), [(1000, 5), (23, 5), (11, 10), (7, 3)])
def test_everybody_may_expect_the_same_whoever_comes_first(amount: int, shares: int) -> None:
    """The mean of 20,000 packets, place by place, is within four of its standard errors."""
    random, rounds = Random(20261127), 20_000  # noqa: S311 - a test's dice
    plays = [all_shares(packet(amount, shares, "luck"), random) for _ in range(rounds)]
    for place in zip(*plays, strict=True):
        mean = fmean(place)
        deviation = fmean((got - mean) ** 2 for got in place) ** 0.5
        assert abs(mean - amount / shares) <= 4 * deviation / rounds**0.5


def test_the_first_share_is_drawn_evenly_up_to_twice_the_mean() -> None:
    """Chi-squared over the values 1 to 39 of 100 among 5: 38 degrees of freedom, p = 0.001."""
    random, rounds = Random(8), 39_000  # noqa: S311 - a test's dice
    made, seen = packet(100, 5, "luck"), [0] * 39
    for _ in range(rounds):
        seen[next_share(made, random.randbytes(LUCK_BYTES)) - 1] += 1
    expected = rounds / len(seen)
    assert sum((count - expected) ** 2 / expected for count in seen) < 70.7


def test_whom_a_passkey_confirms_is_the_same_in_any_order() -> None:
    one, other = owner(1), owner(2)
    assert payee_of([one, other]) == payee_of([other, one])
    assert len({payee_of([one, other]), payee_of([one]), payee_of([other]), payee_of([])}) == 4
