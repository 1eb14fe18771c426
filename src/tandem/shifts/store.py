"""Shifts in SQL, and what the ledger says of them."""

from collections import defaultdict
from typing import Any, Final
from uuid import UUID

import msgspec

from tandem.db import Connection, Record
from tandem.kernel import NotFound, currency_by_number, show_id
from tandem.ledger import AccountCode, TransferCode, TransferKind, accounts_of, merchant
from tandem.shifts.model import Marks, Shift, ShiftTotals, WayTotals

_COLUMNS: Final = Shift.__struct_fields__
_JSON: Final = ("float", "began", "ended", "report")
_SHIFT: Final = f"SELECT {', '.join(_COLUMNS)} FROM shifts"
_POSTED: Final = f"({TransferKind.POSTED.value}, {TransferKind.POST.value})"
_MOVED: Final = " UNION ALL ".join(
    f"SELECT t.code, {sign} AS sign, t.amount, t.reference FROM transfers AS t "
    f"WHERE t.{side}_account_id = $1 AND t.{side}_number > $2 AND t.{side}_number <= $3 "
    f"AND t.kind IN {_POSTED}"
    for side, sign in (("credit", 1), ("debit", -1))
)
_TOTALS: Final = (
    "SELECT m.code, m.sign, p.way, count(*), count(DISTINCT p.id), sum(m.amount)::bigint, "
    f"sum(p.tip)::bigint FROM ({_MOVED}) AS m JOIN payments AS p ON p.id = m.reference "
    "WHERE p.till_id = $4 GROUP BY m.code, m.sign, p.way ORDER BY p.way"
)


async def marks_of(connection: Connection, merchant_id: UUID) -> Marks:
    """How many transfers each of a merchant's accounts has: what comes later has higher numbers."""
    accounts = await accounts_of(connection, merchant_id)
    return {str(a.ledger): a.transfers for a in accounts if a.code == AccountCode.MERCHANT}


async def totals_of(
    connection: Connection, merchant_id: UUID, till_id: UUID, began: Marks, ended: Marks
) -> list[ShiftTotals]:
    """What a till took and gave back between two marks, by currency."""
    found = []
    for ledger, last in sorted(ended.items()):
        unit = currency_by_number(int(ledger))
        account = merchant(merchant_id, unit)
        rows = await connection.fetch(_TOTALS, account.id, began.get(ledger, 0), last, till_id)
        if rows:
            found.append(_totals(unit.code, rows))
    return found


def _totals(code: str, rows: list[Record]) -> ShiftTotals:
    sums: dict[tuple[int, int], int] = defaultdict(int)
    counts: dict[tuple[int, int], int] = defaultdict(int)
    ways, tips = [], 0
    for transfer, sign, way, moved, payments, amount, tip in rows:
        sums[transfer, sign] += amount
        counts[transfer, sign] += moved
        if (transfer, sign) == (TransferCode.PAYMENT, 1):
            ways.append(WayTotals(way, payments, amount))
            tips += tip
    paid = sum(way.amount for way in ways)
    refunded = sums[TransferCode.REFUND, -1] - sums[TransferCode.REFUND, 1]
    return ShiftTotals(
        currency=code,
        payments=sum(way.payments for way in ways),
        paid=paid,
        tips=tips,
        refunds=counts[TransferCode.REFUND, -1],
        refunded=refunded,
        net=paid - refunded,
        fees=sums[TransferCode.FEE, -1] - sums[TransferCode.FEE, 1],
        ways=ways,
    )


async def shift_by_id(
    connection: Connection, merchant_id: UUID, shift_id: UUID, *, lock: bool = False
) -> Shift:
    """A shift of the merchant's. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_SHIFT} WHERE id = $1 AND merchant_id = $2{' FOR NO KEY UPDATE' if lock else ''}",
        shift_id,
        merchant_id,
    )
    if row is None:
        raise NotFound("shift", show_id("shf", shift_id))
    return _read(row)


async def list_shifts(
    connection: Connection, till_id: UUID, before: UUID | None, limit: int
) -> list[Shift]:
    """A till's shifts, newest first."""
    rows = await connection.fetch(
        f"{_SHIFT} WHERE till_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        till_id,
        before,
        limit,
    )
    return [_read(row) for row in rows]


async def last_shift(connection: Connection, till_id: UUID) -> Shift | None:
    """The newest shift of a till, which is locked: nobody opens another one meanwhile."""
    await connection.execute("SELECT FROM tills WHERE id = $1 FOR NO KEY UPDATE", till_id)
    row = await connection.fetchrow(
        f"{_SHIFT} WHERE till_id = $1 ORDER BY number DESC LIMIT 1", till_id
    )
    return None if row is None else _read(row)


async def insert_shift(connection: Connection, shift: Shift) -> None:
    """Insert a shift."""
    places = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
    await connection.execute(
        f"INSERT INTO shifts ({', '.join(_COLUMNS)}) VALUES ({places})",
        *(_kept(name, getattr(shift, name)) for name in _COLUMNS),
    )


async def close_shift(connection: Connection, shift: Shift) -> None:
    """Write how a shift was closed."""
    await connection.execute(
        "UPDATE shifts SET closed_by = $2, closed_at = $3, ended = $4, report = $5 WHERE id = $1",
        shift.id,
        shift.closed_by,
        shift.closed_at,
        _kept("ended", shift.ended),
        _kept("report", shift.report),
    )


def _kept(name: str, value: Any) -> Any:  # noqa: ANN401 - a column's value
    if name in _JSON and value is not None:
        return msgspec.json.encode(value).decode()
    return value


def _read(row: Record) -> Shift:
    values = dict(row)
    for name in _JSON:
        if values[name] is not None:
            values[name] = msgspec.json.decode(values[name])
    report = values["report"]
    if report is not None:
        values["report"] = msgspec.convert(report, list[ShiftTotals])
    return Shift(**values)
