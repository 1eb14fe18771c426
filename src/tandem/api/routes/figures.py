"""How a merchant's day is, and its statement by day and month."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, Query, operation
from tandem.db import Pool
from tandem.kernel import MAX_AMOUNT, Clock, Invalid, NotFound, show_id
from tandem.merchants import Merchants, fee
from tandem.payments import (
    WEEKS,
    Day,
    day_bounds,
    hours,
    refunded_between,
    summed,
    sums_of,
)
from tandem.payments.figures import Taken
from tandem.settlement import MerchantBooks, MerchantLine, PeriodStatement, Statements
from tandem.settlement.statements import Step

CurrencyCode = Annotated[
    Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None,
    Meta(description="ISO 4217 code; needed only by a merchant that has several"),
]
ZoneName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="Whose days and hours: a name of the IANA time zone database",
        examples=["Asia/Shanghai"],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...

    @property
    def clock(self) -> Clock:
        """Tells what today is."""
        ...

    @property
    def merchants(self) -> Merchants:
        """Knows since when there is a merchant."""
        ...

    @property
    def books(self) -> MerchantBooks:
        """Merchants' balances."""
        ...

    @property
    def statements(self) -> Statements:
        """Merchants' statements."""
        ...


class DayQuery(Query, frozen=True):
    """Whose today it is."""

    zone: ZoneName = "UTC"
    currency: CurrencyCode = None


class TakenView(msgspec.Struct, frozen=True):
    """Payments of which something was captured, and what. Minor units."""

    count: Annotated[int, Meta(examples=[41])]
    amount: Annotated[int, Meta(examples=[155_800])]


class WayTaken(msgspec.Struct, frozen=True):
    """What was taken in one way."""

    way: Annotated[str, Meta(examples=["scan"])]
    count: Annotated[int, Meta(examples=[29])]
    amount: Annotated[int, Meta(examples=[110_200])]


class ShopTaken(msgspec.Struct, frozen=True):
    """What was taken in one shop."""

    shop_id: Annotated[str, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])]
    count: Annotated[int, Meta(examples=[41])]
    amount: Annotated[int, Meta(examples=[155_800])]


class DayView(msgspec.Struct, frozen=True):
    """How a merchant's day is until now. Minor units."""

    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    zone: ZoneName
    day: date
    since: Annotated[datetime, Meta(description="When the day began")]
    until: Annotated[datetime, Meta(description="Now: what is counted came before")]
    taken: TakenView
    usual: Annotated[
        int | None,
        Meta(
            description=(
                "What was taken by this time on the same day of the last weeks: the median; null "
                "without one to compare with"
            ),
            examples=[142_300],
        ),
    ]
    weeks: Annotated[int, Meta(description="With how many weeks it is compared", examples=[4])]
    by_way: list[WayTaken]
    by_shop: list[ShopTaken]
    by_hour: Annotated[
        list[int], Meta(description="Taken in each hour of the clock, from 0", examples=[[0] * 24])
    ]
    usual_hours: Annotated[
        list[int] | None,
        Meta(description="The median of each hour, to the day's end", examples=[[0] * 24]),
    ]
    refunded: Annotated[TakenView, Meta(description="What was given back today, of any day")]
    reserved: Annotated[
        int, Meta(description="Authorised by people and not captured yet", examples=[3000])
    ]
    declined: Annotated[int, Meta(description="Payments that were declined", examples=[2])]
    asked: Annotated[int, Meta(description="Payments that were paid or declined", examples=[43])]
    usual_declined: Annotated[int, Meta(description="The same, of all those weeks", examples=[7])]
    usual_asked: Annotated[int, Meta(description="The same, of all those weeks", examples=[160])]


class PeriodQuery(Query, frozen=True):
    """Which days or months."""

    since: Annotated[date, Meta(description="The first day", examples=["2026-05-01"])]
    until: Annotated[date, Meta(description="The last day", examples=["2026-05-31"])]
    step: Annotated[Step, Meta(description="A line for each day, or for each month")] = "day"
    zone: ZoneName = "UTC"
    currency: CurrencyCode = None


class FeeQuery(Query, frozen=True):
    """Of which payment."""

    amount: Annotated[int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units", examples=[3800])]
    currency: CurrencyCode = None


class FeeView(msgspec.Struct, frozen=True):
    """What a payment would cost its merchant, in minor units."""

    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    amount: Annotated[int, Meta(examples=[3800])]
    fee: Annotated[int, Meta(examples=[33])]
    left: Annotated[int, Meta(description="What the merchant has of it", examples=[3767])]


class PaymentEntries(msgspec.Struct, frozen=True):
    """What the ledger booked for a payment on its merchant's account, in order."""

    data: list[MerchantLine]


@operation(
    "GET",
    "/v1/merchants/me/day",
    tag="Merchants",
    summary="See how today is",
    who=("merchant",),
    scope="payments:read",
)
async def get_day(call: Call[Services], query: DayQuery) -> DayView:
    """What was taken today, beside what is usual by this time on this day of the week.

    Payments count to the hour that they were begun in, so each sum is that of a list: of
    `GET /v1/payments` with `paid`, `since`, `until`, and `way` or `shop_id`.
    """
    zone, merchant_id = zone_of(query.zone), call.principal.owner_id
    unit = await call.services.books.unit_of(merchant_id, query.currency)
    now = call.services.clock.now()
    parts = hours(now, zone)
    day = now.astimezone(zone).date()
    since, _ = day_bounds(day, zone)
    founded = (await call.services.merchants.get(merchant_id)).created_at
    begun = {one.weeks_ago for one in parts if one.weeks_ago and one.since < founded}
    weeks = WEEKS - len(begun)
    async with call.services.pool.acquire() as connection:
        sums = await sums_of(connection, merchant_id, unit.code, parts)
        refunded = await refunded_between(connection, merchant_id, unit.code, since, now)
    balances = await call.services.books.balances(merchant_id)
    reserved = sum(one.reserved for one in balances if one.currency == unit.code)
    found = summed(sums, weeks)
    return DayView(
        currency=unit.code,
        zone=zone.key,
        day=day,
        since=since,
        until=now,
        taken=TakenView(*found.taken),
        usual=found.usual,
        weeks=weeks,
        by_way=[WayTaken(way, *taken) for way, taken in _largest(found.by_way)],
        by_shop=[ShopTaken(show_id("shp", shop), *taken) for shop, taken in _shops(found)],
        by_hour=list(found.by_hour),
        usual_hours=None if found.usual_hours is None else list(found.usual_hours),
        refunded=TakenView(*refunded),
        reserved=reserved,
        declined=found.declined,
        asked=found.asked,
        usual_declined=found.usual_declined,
        usual_asked=found.usual_asked,
    )


@operation(
    "GET",
    "/v1/merchants/me/statement/periods",
    tag="Merchants",
    summary="Read your statement by day or month",
    who=("merchant",),
    scope="balance:read",
    rows=None,
)
async def get_my_periods(call: Call[Services], query: PeriodQuery) -> PeriodStatement:
    """For each day or month: the balance before, what moved it, the balance after.

    Up to 62 days or 12 months. The lines sum to the ledger to the last minor unit, and those of
    days that are over never change.
    """
    merchant_id = call.principal.owner_id
    unit = await call.services.books.unit_of(merchant_id, query.currency)
    return await call.services.statements.by_period(
        merchant_id, unit, zone_of(query.zone), query.step, query.since, query.until
    )


@operation(
    "GET",
    "/v1/merchants/me/fee",
    tag="Merchants",
    summary="Calculate a fee",
    who=("merchant",),
    scope="shops:read",
)
async def get_my_fee(call: Call[Services], query: FeeQuery) -> FeeView:
    """The fee of a payment that is captured at once, as it would be booked now."""
    merchant_id = call.principal.owner_id
    unit = await call.services.books.unit_of(merchant_id, query.currency)
    terms = (await call.services.merchants.get(merchant_id)).currencies.get(unit.code)
    if terms is None:
        raise Invalid("currency", "must be one that the merchant takes")
    cost = fee(terms, query.amount, first=True)
    return FeeView(unit.code, query.amount, cost, query.amount - cost)


@operation(
    "GET",
    "/v1/payments/{payment_id}/entries",
    tag="Payments",
    summary="See what was booked for a payment",
    who=("merchant",),
    scope="payments:read",
    errors=(NotFound,),
)
async def list_payment_entries(call: Call[Services], payment_id: UUID) -> PaymentEntries:
    """Every movement of your balance for it: captures, fees, refunds, what was reserved."""
    return PaymentEntries(await call.services.books.entries(call.principal.owner_id, payment_id))


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name. Raises `Invalid`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = "must be a name of the IANA time zone database, such as Asia/Shanghai"
        raise Invalid("zone", message) from None


def _largest(by: Mapping[str, Taken]) -> list[tuple[str, Taken]]:
    return sorted(by.items(), key=lambda one: -one[1].amount)


def _shops(day: Day) -> list[tuple[UUID, Taken]]:
    return sorted(day.by_shop.items(), key=lambda one: -one[1].amount)


OPERATIONS = (get_day, get_my_periods, get_my_fee, list_payment_entries)
