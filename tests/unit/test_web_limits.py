"""Token buckets against a slow and simple model, and their bounds."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api.errors import TooManyRequests
from tandem.settings import Settings
from tandem.web.limits import Buckets, Limits, site


@given(
    rate=st.integers(1, 50),
    burst=st.integers(1, 20),
    gaps=st.lists(st.integers(0, 2000), max_size=60),
)
def test_buckets_are_token_buckets(rate: int, burst: int, gaps: list[int]) -> None:
    buckets = Buckets(rate, burst)
    tokens, now_ms = burst * 1000, 0  # the model counts thousandths of a token
    for gap in gaps:
        now_ms += gap
        tokens = min(burst * 1000, tokens + gap * rate)
        wait = buckets.take("key", now_ms / 1000)
        if abs(tokens - 1000) < 1:  # a float's rounding may fall on either side
            return
        assert (wait == 0) == (tokens >= 1000)
        if wait == 0:
            tokens -= 1000
        else:
            assert wait == pytest.approx((1000 - tokens) / rate / 1000)


def test_buckets_are_bounded_and_the_oldest_goes() -> None:
    buckets = Buckets(1, 1, size=3)
    for key in range(5):
        assert buckets.take(key, 0.0) == 0
    assert len(buckets) == 3
    assert buckets.take(4, 0.0) > 0
    assert buckets.take(0, 0.0) == 0


def test_a_refused_take_takes_nothing() -> None:
    buckets = Buckets(1, 2)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("not:an:address", "not:an:address", True),
    ],
)
def test_an_ipv6_site_is_one_client(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a case's outcome
    assert (site(one) == site(other)) is same


def test_where_wrong_keys_came_from_only_known_ones_are_let_through() -> None:
    limits = Limits(Settings(sign_ups_per_hour=1), lambda: 0.0)
    known = {"tk_a"}
    limits.before_key("192.0.2.1", "tk_b", known.__contains__)
    limits.wrong_key("192.0.2.1")
    limits.before_key("192.0.2.1", "tk_a", known.__contains__)
    for secret in ("tk_b", "tk_c"):
        with pytest.raises(TooManyRequests):
            limits.before_key("192.0.2.1", secret, known.__contains__)
    known.clear()
    with pytest.raises(TooManyRequests):
        limits.before_key("192.0.2.1", "tk_a", known.__contains__)
    limits.before_key("192.0.2.2", "tk_b", known.__contains__)
    limits.request(UUID(int=1))
