"""Payments in SQL: reads without locks. The journal alone writes them."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from tandem.db import Connection
from tandem.payments.model import PAYMENTS, REFUNDS, Payment, RefundNow
from tandem.payments.taps import CARD_TAPS, CardTap

_PAYMENT: Final = f"SELECT {', '.join(PAYMENTS.columns)} FROM payments"
_TAP: Final = f"SELECT {', '.join(CARD_TAPS.columns)} FROM card_taps"
_REFUND: Final = (
    f"SELECT {', '.join(f'r.{column}' for column in REFUNDS.columns)}, coalesce(v.amount, 0) "
    "FROM refunds AS r LEFT JOIN refund_reversals AS v ON v.refund_id = r.id"
)


async def payment_by_id(connection: Connection, payment_id: UUID) -> Payment | None:
    """The payment, or None."""
    record = await connection.fetchrow(f"{_PAYMENT} WHERE id = $1", payment_id)
    return None if record is None else Payment(*record)


async def payment_by_token(connection: Connection, token: str) -> Payment | None:
    """The payment whose code carries this token, or None."""
    record = await connection.fetchrow(f"{_PAYMENT} WHERE code_token = $1", token)
    return None if record is None else Payment(*record)


async def answer_to(connection: Connection, owner_id: UUID, key: str) -> bytes | None:
    """What a request with this idempotency key was answered, whatever it was; None if it is new."""
    answer: bytes | None = await connection.fetchval(
        "SELECT answer FROM idempotency WHERE owner_id = $1 AND key = $2", owner_id, key
    )
    return answer


class SeenTap(NamedTuple):
    """A tap that was taken: the card's number of it, its payment, and what it was answered."""

    atc: int
    payment: Payment
    answer: bytes | None


async def taps_of_card(
    connection: Connection, card_id: UUID, atc: int | None, limit: int
) -> list[SeenTap]:
    """The last taps of a card, newest first; with `atc` that one alone.

    What a tap was answered is found by the key of the request that it came in.
    """
    columns = ", ".join(f"p.{column}" for column in PAYMENTS.columns)
    rows = await connection.fetch(
        f"SELECT t.atc, i.answer, {columns} FROM card_taps AS t "
        "JOIN payments AS p ON p.id = t.payment_id "
        "LEFT JOIN idempotency AS i ON i.owner_id = p.merchant_id AND i.key = t.reference "
        "WHERE t.card_id = $1 AND ($2::integer IS NULL OR t.atc = $2) "
        "ORDER BY t.atc DESC LIMIT $3",
        card_id,
        atc,
        limit,
    )
    return [SeenTap(atc, Payment(*payment), answer) for atc, answer, *payment in rows]


async def payments_of_card(
    connection: Connection, card_id: UUID, before: UUID | None, limit: int
) -> list[Payment]:
    """What a card was held to a reader for, newest first; `before` is the last payment seen."""
    columns = ", ".join(f"p.{column}" for column in PAYMENTS.columns)
    rows = await connection.fetch(
        f"SELECT {columns} FROM card_taps AS t JOIN payments AS p ON p.id = t.payment_id "
        "WHERE t.card_id = $1 AND ($2::uuid IS NULL OR t.atc < ("
        "SELECT min(atc) FROM card_taps WHERE card_id = $1 AND payment_id = $2"
        ")) ORDER BY t.atc DESC LIMIT $3",
        card_id,
        before,
        limit,
    )
    return [Payment(*row) for row in rows]


async def tap_of(connection: Connection, payment_id: UUID) -> CardTap | None:
    """The tap that made a payment, or None."""
    record = await connection.fetchrow(f"{_TAP} WHERE payment_id = $1", payment_id)
    return None if record is None else CardTap(*record)


class TapTotals(NamedTuple):
    """Counts and amounts of taps of a link, in minor units; reversals and refunds by themselves."""

    debits: int
    debits_amount: int
    debits_reversed: int
    debits_reversed_amount: int
    credits: int
    credits_amount: int
    credits_reversed: int
    credits_reversed_amount: int


REVERSAL: Final = "reversal"
BY_CARD: Final = "refund by card"
"""Why money went back, of the refunds that come from a link."""


async def tap_totals(
    connection: Connection,
    link: str,
    terminal: str | None,
    code: str,
    since: datetime,
    until: datetime,
) -> TapTotals:
    """What a link took and gave back in a currency between two moments; of one terminal, or all.

    Payments count to the moment of their tap, refunds and reversals to their own.
    """
    taps = (
        "SELECT t.payment_id, t.created_at FROM card_taps AS t WHERE t.link = $1 "
        "AND ($2::text IS NULL OR t.terminal = $2)"
    )
    refunded = (
        f"FROM refunds AS r JOIN ({taps}) AS t ON t.payment_id = r.payment_id "
        "WHERE r.currency = $3 AND r.created_at >= $4 AND r.created_at < $5 AND r.reason ="
    )
    undone = (
        f"FROM refund_reversals AS v JOIN ({taps}) AS t ON t.payment_id = v.payment_id "
        "WHERE v.currency = $3 AND v.created_at >= $4 AND v.created_at < $5"
    )
    taken = (
        f"FROM payments AS p JOIN ({taps}) AS t ON t.payment_id = p.id "
        "WHERE p.currency = $3 AND t.created_at >= $4 AND t.created_at < $5 AND p.captured > 0"
    )
    row = await connection.fetchrow(
        f"SELECT (SELECT count(*) {taken}), (SELECT coalesce(sum(p.captured), 0)::bigint {taken}), "
        f"(SELECT count(*) {refunded} $6), "
        f"(SELECT coalesce(sum(r.amount), 0)::bigint {refunded} $6), "
        f"(SELECT count(*) {refunded} $7), "
        f"(SELECT coalesce(sum(r.amount), 0)::bigint {refunded} $7), "
        f"(SELECT count(*) {undone}), (SELECT coalesce(sum(v.amount), 0)::bigint {undone})",
        link,
        terminal,
        code,
        since,
        until,
        REVERSAL,
        BY_CARD,
    )
    assert row is not None, "it has no FROM of its own"
    return TapTotals(*row)


async def payment_by_tap(
    connection: Connection, merchant_id: UUID, pan_hash: bytes, rrn: str
) -> Payment | None:
    """The newest payment that a card made at a merchant's under a retrieval reference number."""
    columns = ", ".join(f"p.{column}" for column in PAYMENTS.columns)
    record = await connection.fetchrow(
        f"SELECT {columns} FROM card_taps AS t JOIN payments AS p ON p.id = t.payment_id "
        "JOIN device_cards AS c ON c.id = t.card_id "
        "WHERE t.rrn = $3 AND c.pan_hash = $2 AND p.merchant_id = $1 ORDER BY p.id DESC LIMIT 1",
        merchant_id,
        pan_hash,
        rrn,
    )
    return None if record is None else Payment(*record)


async def refunds_of_payment(
    connection: Connection, payment_id: UUID, before: UUID | None, limit: int
) -> list[RefundNow]:
    """A payment's refunds, newest first, older than `before`."""
    rows = await connection.fetch(
        f"{_REFUND} WHERE r.payment_id = $1 AND ($2::uuid IS NULL OR r.id < $2) "
        "ORDER BY r.id DESC LIMIT $3",
        payment_id,
        before,
        limit,
    )
    return [RefundNow(*row) for row in rows]


async def refund_by_id(connection: Connection, refund_id: UUID) -> RefundNow | None:
    """The refund, or None."""
    row = await connection.fetchrow(f"{_REFUND} WHERE r.id = $1", refund_id)
    return None if row is None else RefundNow(*row)


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
