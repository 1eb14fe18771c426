"""Payments in SQL: reads without locks. The journal alone writes them."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tandem.db import Connection
from tandem.payments.model import PAYMENTS, REFUNDS, Payment, Refund

_PAYMENT: Final = f"SELECT {', '.join(PAYMENTS.columns)} FROM payments"
_REFUND: Final = f"SELECT {', '.join(REFUNDS.columns)} FROM refunds"


class PaymentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which payments to list; None does not filter."""

    merchant_id: UUID | None = None
    person_id: UUID | None = None
    shop_id: UUID | None = None
    till_id: UUID | None = None
    status: str | None = None
    order_reference: str | None = None


async def payment_by_id(connection: Connection, payment_id: UUID) -> Payment | None:
    """The payment, or None."""
    record = await connection.fetchrow(f"{_PAYMENT} WHERE id = $1", payment_id)
    return None if record is None else Payment(*record)


async def payment_by_token(connection: Connection, token: str) -> Payment | None:
    """The payment whose code carries this token, or None."""
    record = await connection.fetchrow(f"{_PAYMENT} WHERE code_token = $1", token)
    return None if record is None else Payment(*record)


async def list_payments(
    connection: Connection, wanted: PaymentFilter, before: UUID | None, limit: int
) -> list[Payment]:
    """Payments, newest first, older than `before`."""
    conditions = ["true"]
    values: list[Any] = []
    for column, value in msgspec.structs.asdict(wanted).items():
        if value is not None:
            values.append(value)
            conditions.append(f"{column} = ${len(values)}")
    if before is not None:
        values.append(before)
        conditions.append(f"id < ${len(values)}")
    values.append(limit)
    rows = await connection.fetch(
        f"{_PAYMENT} WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ${len(values)}",
        *values,
    )
    return [Payment(*row) for row in rows]


async def refunds_of_payment(
    connection: Connection, payment_id: UUID, before: UUID | None, limit: int
) -> list[Refund]:
    """A payment's refunds, newest first, older than `before`."""
    rows = await connection.fetch(
        f"{_REFUND} WHERE payment_id = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        payment_id,
        before,
        limit,
    )
    return [Refund(*row) for row in rows]


async def due_payments(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Payments that nobody agreed to in time; what is reserved is the ledger's work list."""
    rows = await connection.fetch(
        "SELECT id FROM payments WHERE expires_at <= $1 AND status IN ('created', 'waiting') "
        "ORDER BY expires_at LIMIT $2",
        now,
        limit,
    )
    return [row["id"] for row in rows]


async def open_orders(
    connection: Connection, now: datetime, after: tuple[datetime, UUID] | None, limit: int
) -> list[Payment]:
    """Payments that somebody could still agree to, the next to expire first.

    `after` is when the last one of the page before expires, and its id.
    """
    rows = await connection.fetch(
        f"{_PAYMENT} WHERE expires_at > $1 AND status IN ('created', 'waiting') "
        "AND ($2::timestamptz IS NULL OR (expires_at, id) > ($2, $3::uuid)) "
        "ORDER BY expires_at, id LIMIT $4",
        now,
        *(after or (None, None)),
        limit,
    )
    return [Payment(*row) for row in rows]
