"""How a merchant's day is, beside what is usual on this day of the week: sums by the hour.

What is summed up are the payments that were begun in an hour and of which something was captured,
so that each number leads to a list of payments. Hours are those of a time zone; where the clock
changes a day has 23 or 25 of them (`hours`).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from tandem.db import Connection
from tandem.kernel import first_id
from tandem.payments.search import SKEW

WEEKS: Final = 4
"""With how many days of the same name a day is compared."""
_HOURS: Final = 24


class Hour(NamedTuple):
    """A part of a day: which hour of the clock, how many weeks ago, and whether it is over now."""

    weeks_ago: int
    hour: int
    early: bool
    since: datetime
    until: datetime


class Sum(NamedTuple):
    """What was taken in an hour, in one way in one shop, in minor units."""

    weeks_ago: int
    hour: int
    early: bool
    way: str
    shop_id: UUID
    number: int
    amount: int
    declined: int
    asked: int
    """Payments that came to an end there, paid or declined."""


class Taken(NamedTuple):
    """A number of payments and their amount, in minor units."""

    number: int
    amount: int


class Day(msgspec.Struct, frozen=True):
    """How a day is until now. `usual` and `usual_hours` are None without a week to compare with."""

    taken: Taken
    usual: int | None
    weeks: int
    by_way: dict[str, Taken]
    by_shop: dict[UUID, Taken]
    by_hour: tuple[int, ...]
    usual_hours: tuple[int, ...] | None
    declined: int
    asked: int
    usual_declined: int
    usual_asked: int


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a day begins and ends, in UTC."""
    return _moment(day, 0, zone), _moment(day + timedelta(days=1), 0, zone)


def hours(now: datetime, zone: ZoneInfo, weeks: int = WEEKS) -> list[Hour]:
    """The hours of today until now, and of the same days of the weeks before to their end.

    An hour that the clock leaves out has no part; one that it has twice is one part. The hour that
    it is now is parted at this minute in each of the weeks: what came later counts for the chart
    and not for the comparison.
    """
    local = now.astimezone(zone)
    parts: list[Hour] = []
    for ago in range(weeks + 1):
        day = local.date() - timedelta(weeks=ago)
        cut = now if ago == 0 else _wall(day, local.time(), zone)
        for hour in range(_HOURS):
            since, until = _moment(day, hour, zone), _moment(day, hour + 1, zone)
            early, late = (since, min(until, cut)), (max(since, cut), until)
            if early[0] < early[1]:
                parts.append(Hour(ago, hour, early=True, since=early[0], until=early[1]))
            if ago > 0 and late[0] < late[1]:
                parts.append(Hour(ago, hour, early=False, since=late[0], until=late[1]))
    return parts


def _wall(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at.replace(fold=0), zone).astimezone(UTC)


def _moment(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """When an hour begins; 24 is the next day's first."""
    return _wall(day + timedelta(days=hour // _HOURS), time(hour % _HOURS), zone)


def summed(sums: Iterable[Sum], weeks: int) -> Day:
    """The day, of the sums of its hours and of those of so many weeks before. Pure."""
    weeks_before = range(1, weeks + 1)
    taken, by_way, by_shop = Taken(0, 0), dict[str, Taken](), dict[UUID, Taken]()
    by_hour, past = [0] * _HOURS, {ago: [0] * _HOURS for ago in weeks_before}
    early = dict.fromkeys(weeks_before, 0)
    declined, asked, usual_declined, usual_asked = 0, 0, 0, 0
    for one in sums:
        if one.weeks_ago == 0:
            taken = _more(taken, one)
            by_way[one.way] = _more(by_way.get(one.way, Taken(0, 0)), one)
            by_shop[one.shop_id] = _more(by_shop.get(one.shop_id, Taken(0, 0)), one)
            by_hour[one.hour] += one.amount
            declined, asked = declined + one.declined, asked + one.asked
        elif one.weeks_ago in past:
            past[one.weeks_ago][one.hour] += one.amount
            early[one.weeks_ago] += one.amount if one.early else 0
            usual_declined += one.declined
            usual_asked += one.asked
    return Day(
        taken,
        median(list(early.values())) if weeks else None,
        weeks,
        by_way,
        by_shop,
        tuple(by_hour),
        tuple(median([past[ago][hour] for ago in past]) for hour in range(_HOURS))
        if weeks
        else None,
        declined,
        asked,
        usual_declined,
        usual_asked,
    )


def _more(taken: Taken, one: Sum) -> Taken:
    return Taken(taken.number + one.number, taken.amount + one.amount)


def median(values: Sequence[int]) -> int:
    """The middle one; of an even number the mean of the two in the middle, rounded down."""
    ordered, half = sorted(values), len(values) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) // 2


async def sums_of(
    connection: Connection, merchant_id: UUID, currency: str, parts: Sequence[Hour]
) -> list[Sum]:
    """What a merchant took in these hours. Each is read by a range of its payments' ids."""
    rows = await connection.fetch(
        "SELECT h.weeks_ago, h.hour, h.early, p.way, p.shop_id, "
        "count(*) FILTER (WHERE p.captured > 0), coalesce(sum(p.captured), 0)::bigint, "
        "count(*) FILTER (WHERE p.status = 'declined'), "
        "count(*) FILTER (WHERE p.status = 'declined' OR p.authorised > 0) "
        "FROM unnest($3::int[], $4::int[], $5::bool[], $6::timestamptz[], $7::timestamptz[], "
        "$8::uuid[], $9::uuid[]) AS h (weeks_ago, hour, early, since, until, first, last) "
        "JOIN payments AS p ON p.merchant_id = $1 AND p.id >= h.first AND p.id < h.last "
        "AND p.created_at >= h.since AND p.created_at < h.until "
        "WHERE p.currency = $2 GROUP BY h.weeks_ago, h.hour, h.early, p.way, p.shop_id",
        merchant_id,
        currency,
        [one.weeks_ago for one in parts],
        [one.hour for one in parts],
        [one.early for one in parts],
        [one.since for one in parts],
        [one.until for one in parts],
        [first_id(one.since - SKEW) for one in parts],
        [first_id(one.until + SKEW) for one in parts],
    )
    return [Sum(*row) for row in rows]


async def refunded_between(
    connection: Connection, merchant_id: UUID, currency: str, since: datetime, until: datetime
) -> Taken:
    """What a merchant gave back between two moments, less what was taken back of it."""
    row = await connection.fetchrow(
        "SELECT count(*), coalesce(sum(r.amount - coalesce(v.amount, 0)), 0)::bigint "
        "FROM refunds AS r LEFT JOIN refund_reversals AS v ON v.refund_id = r.id "
        "WHERE r.merchant_id = $1 AND r.currency = $2 AND r.id >= $5 AND r.id < $6 "
        "AND r.created_at >= $3 AND r.created_at < $4",
        merchant_id,
        currency,
        since,
        until,
        first_id(since - SKEW),
        first_id(until + SKEW),
    )
    assert row is not None, "it has no GROUP BY"
    return Taken(*row)
