"""A day beside what is usual: hours where the clock changes, medians, sums."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.payments.figures import Hour, Sum, Taken, day_bounds, hours, median, summed

BERLIN = ZoneInfo("Europe/Berlin")
SHOP, OTHER = UUID(int=1), UUID(int=2)


def of_week(parts: list[Hour], ago: int) -> list[Hour]:
    return [one for one in parts if one.weeks_ago == ago]


@pytest.mark.parametrize(
    ("day", "length"),
    [
        (date(2026, 3, 28), 24),
        (date(2026, 3, 29), 23),  # the clock goes from 2:00 to 3:00
        (date(2026, 10, 25), 25),  # and back from 3:00 to 2:00
    ],
)
def test_a_day_is_as_long_as_its_clock_says(day: date, length: int) -> None:
    since, until = day_bounds(day, BERLIN)
    assert until - since == timedelta(hours=length)
    parts = of_week(hours(until - timedelta(seconds=1), BERLIN, weeks=0), 0)
    assert len({one.hour for one in parts}) == min(length, 24)
    assert sum((one.until - one.since for one in parts), timedelta()) == until - since - timedelta(
        seconds=1
    )


def test_the_hour_that_comes_twice_is_one() -> None:
    _, until = day_bounds(date(2026, 10, 25), BERLIN)
    (two,) = [one for one in hours(until, BERLIN, weeks=1) if one.hour == 2 and one.weeks_ago == 1]
    assert two.until - two.since == timedelta(hours=1)
    now = until - timedelta(minutes=1)
    (two,) = [one for one in hours(now, BERLIN, weeks=0) if one.hour == 2]
    assert two.until - two.since == timedelta(hours=2)


def test_a_week_ago_is_the_same_time_of_the_clock() -> None:
    now = datetime(2026, 3, 31, 13, 30, tzinfo=UTC)  # 15:30 in summer time
    parts = hours(now, BERLIN, weeks=1)
    early = [one for one in of_week(parts, 1) if one.early]
    assert early[-1].until == datetime(2026, 3, 24, 14, 30, tzinfo=UTC)  # 15:30 in winter time


zones = st.sampled_from(
    ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kathmandu",
     "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"]
)  # fmt: skip


@given(st.integers(0, 20 * 366 * 86_400), zones)
def test_parts_follow_one_another(seconds: int, name: str) -> None:
    now = datetime(2010, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    parts = hours(now, ZoneInfo(name))
    for ago in range(5):
        week = of_week(parts, ago)
        assert all(one.since < one.until for one in week)
        assert all(one.until == after.since for one, after in pairwise(week))
    assert not of_week(parts, 0) or of_week(parts, 0)[-1].until == now
    assert all(one.early for one in of_week(parts, 0))


@pytest.mark.parametrize(
    ("values", "middle"), [([5], 5), ([1, 9], 5), ([1, 2], 1), ([9, 1, 5], 5), ([0, 0, 1, 9], 0)]
)
def test_median(values: list[int], middle: int) -> None:
    assert median(values) == middle


def sum_of(
    weeks_ago: int, hour: int, way: str, shop: UUID, *figures: int, early: bool = True
) -> Sum:
    return Sum(weeks_ago, hour, early, way, shop, *figures)


def test_a_day_is_summed_up() -> None:
    sums = [
        sum_of(0, 9, "scan", SHOP, 2, 500, 1, 3),
        sum_of(0, 10, "tap", OTHER, 1, 300, 0, 1),
        sum_of(0, 10, "tap", SHOP, 1, 100, 0, 1),
        sum_of(1, 9, "scan", SHOP, 1, 400, 0, 1),
        sum_of(1, 20, "scan", SHOP, 1, 900, 2, 3, early=False),
        sum_of(2, 9, "scan", SHOP, 1, 200, 0, 1),
        sum_of(3, 9, "scan", SHOP, 9, 9999, 9, 9),  # before there was the merchant
    ]
    day = summed(sums, 2)
    assert day.taken == Taken(4, 900)
    assert day.by_way == {"scan": Taken(2, 500), "tap": Taken(2, 400)}
    assert day.by_shop == {SHOP: Taken(3, 600), OTHER: Taken(1, 300)}
    assert (day.by_hour[9], day.by_hour[10], sum(day.by_hour)) == (500, 400, 900)
    assert day.usual == 300  # of 400 and 200: what came later does not count
    assert day.usual_hours is not None
    assert (day.usual_hours[9], day.usual_hours[20]) == (300, 450)
    assert (day.declined, day.asked, day.usual_declined, day.usual_asked) == (1, 5, 2, 5)


def test_a_new_merchant_has_nothing_usual() -> None:
    day = summed([], 0)
    assert (day.usual, day.usual_hours, day.taken) == (None, None, Taken(0, 0))
