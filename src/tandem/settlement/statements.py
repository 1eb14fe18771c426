"""Statements by day and by month: what a balance was, what moved it, what it is.

The numbers that an account gives its transfers are cut where a day begins, so that the periods
follow one another without a gap: each opens with the balance that the one before closed with, and
sums to it exactly. What is in the books is never changed, so a statement of days that are over
stays as it is.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from tandem.db import Connection, Pool
from tandem.kernel import Currency, Invalid
from tandem.ledger import (
    TransferCode,
    account_by_id,
    balance_at,
    merchant,
    moved_before,
)
from tandem.payments import day_bounds

Step = Literal["day", "month"]
MAX_DAYS: Final = 62
MAX_MONTHS: Final = 12
_MONTHS_A_YEAR: Final = 12
_COLUMNS: Final = {
    TransferCode.PAYMENT: "taken",
    TransferCode.REFUND: "refunded",
    TransferCode.FEE: "fees",
    TransferCode.PAYOUT: "paid_out",
}

Change = Annotated[int, Meta(description="Minor units; plus for in, minus for out", examples=[0])]


class Period(msgspec.Struct, frozen=True):
    """A day or a month of a merchant's balance. Minor units; what goes out is below zero."""

    day: Annotated[date, Meta(description="The day, or the first one of the month")]
    opening: Annotated[int, Meta(description="The balance before it", examples=[120_000])]
    taken: Annotated[int, Meta(description="By payments", examples=[38_000])]
    refunded: Change
    fees: Change
    paid_out: Change
    corrected: Annotated[
        int, Meta(description="What was booked by hand, and put right", examples=[0])
    ]
    closing: Annotated[int, Meta(description="The balance after it", examples=[157_772])]


class PeriodStatement(msgspec.Struct, frozen=True):
    """A merchant's statement by day or by month, the oldest first."""

    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    zone: Annotated[str, Meta(description="Whose days they are", examples=["Asia/Shanghai"])]
    data: list[Period]
    total: Annotated[Period, Meta(description="All of it: opening, sums, closing")]


class _Cut(NamedTuple):
    """Where a period begins: the number of its first transfer, and the balance before it."""

    number: int
    balance: int


def days_of(step: Step, first: date, last: date) -> list[date]:
    """The first day of each period from the one of `first` to that of `last`, and one more.

    Raises `Invalid` if these are too many, or none.
    """
    if last < first:
        raise Invalid("until", "must not be before from")
    if step == "day":
        found = [first + timedelta(days=n) for n in range((last - first).days + 2)]
        most = MAX_DAYS
    else:
        begin, end = _month(first), _month(last)
        found = [date(*_year_month(n), 1) for n in range(begin, end + 2)]
        most = MAX_MONTHS
    if len(found) > most + 1:
        raise Invalid("until", f"at most {most} {step}s go into one statement")
    return found


def _month(day: date) -> int:
    return day.year * _MONTHS_A_YEAR + day.month - 1


def _year_month(number: int) -> tuple[int, int]:
    return number // _MONTHS_A_YEAR, number % _MONTHS_A_YEAR + 1


class Statements:
    """Makes statements of merchants' balances."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def by_period(
        self,
        merchant_id: UUID,
        unit: Currency,
        zone: ZoneInfo,
        step: Step,
        first: date,
        last: date,
    ) -> PeriodStatement:
        """The periods from the one of a day to the one of another. Raises `Invalid`."""
        days = days_of(step, first, last)
        account_id = merchant(merchant_id, unit).id
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            cuts = await _cuts(connection, account_id, [day_bounds(day, zone)[0] for day in days])
            sums = await _sums(connection, account_id, cuts)
        periods = [
            _period(day, cuts[at], cuts[at + 1], sums.get(at, {}))
            for at, day in enumerate(days[:-1])
        ]
        everything: dict[str, int] = {}
        for found in sums.values():
            for name, change in found.items():
                everything[name] = everything.get(name, 0) + change
        total = _period(days[0], cuts[0], cuts[-1], everything)
        return PeriodStatement(unit.code, zone.key, periods, total)


def _period(day: date, begin: _Cut, end: _Cut, sums: dict[str, int]) -> Period:
    assert begin.balance + sum(sums.values()) == end.balance, "the lines sum to the balance"
    return Period(
        day,
        begin.balance,
        sums.get("taken", 0),
        sums.get("refunded", 0),
        sums.get("fees", 0),
        sums.get("paid_out", 0),
        sums.get("corrected", 0),
        end.balance,
    )


async def _cuts(
    connection: Connection, account_id: UUID, moments: Sequence[datetime]
) -> list[_Cut]:
    """Where each moment cuts the account's numbers: no index by time burdens each payment."""
    account = await account_by_id(connection, account_id)
    found: list[_Cut] = []
    for moment in moments:
        moved = 0 if account is None else await moved_before(connection, account, moment)
        found.append(_Cut(moved + 1, await balance_at(connection, account_id, moved)))
    return found


async def _sums(
    connection: Connection, account_id: UUID, cuts: Sequence[_Cut]
) -> dict[int, dict[str, int]]:
    """What moved the balance between each cut and the next, by the column that it stands in."""
    sides = [
        f"SELECT c.at, t.code, {sign}t.amount AS change "
        "FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS c (at, first, next) "
        f"JOIN transfers AS t ON t.{side}_account_id = $1 "
        f"AND t.{side}_number >= c.first AND t.{side}_number < c.next WHERE t.kind IN (0, 2)"
        for side, sign in (("debit", "-"), ("credit", ""))
    ]
    rows = await connection.fetch(
        f"SELECT at, code, sum(change)::bigint FROM ({' UNION ALL '.join(sides)}) AS lines "
        "GROUP BY at, code",
        account_id,
        list(range(len(cuts) - 1)),
        [cut.number for cut in cuts[:-1]],
        [cut.number for cut in cuts[1:]],
    )
    found: dict[int, dict[str, int]] = {}
    for at, code, change in rows:
        name = _COLUMNS.get(TransferCode(code), "corrected")
        of_period = found.setdefault(at, {})
        of_period[name] = of_period.get(name, 0) + change
    return found
