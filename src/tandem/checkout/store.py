"""Checkout in SQL. Sessions are written by the journal; links and invoices by it and by work."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.checkout.model import INVOICES, LINKS, OPEN, PAID, SESSIONS, Invoice, Link, Session
from tandem.checkout.result import ResultSecrets
from tandem.checkout.shapes import CheckoutSettings
from tandem.db import Connection
from tandem.db.rewrite import SealedColumn
from tandem.kernel import NotFound, show_id
from tandem.keyring import KeyRing

_SESSION: Final = f"SELECT {', '.join(SESSIONS.columns)} FROM checkout_sessions"
_LINK: Final = f"SELECT {', '.join(LINKS.columns)} FROM payment_links"
_INVOICE: Final = (
    f"SELECT {', '.join(f'i.{column}' for column in INVOICES.columns)}, p.status "
    "FROM invoices AS i LEFT JOIN payments AS p ON p.id = i.payment_id"
)
_TAKES: Final = sorted(OPEN | PAID)
_PAID: Final = sorted(PAID)


def _context(merchant_id: UUID) -> bytes:
    return b"checkout_settings.secret:" + merchant_id.bytes


RESULT_SECRETS: Final = SealedColumn("checkout_settings", "secret", "mer", _context)
"""Where the secrets of results are kept, sealed."""


class MerchantSettings(NamedTuple):
    """A row of `checkout_settings`, its secret opened."""

    settings: CheckoutSettings
    secrets: ResultSecrets


async def load_settings(
    connection: Connection, keyring: KeyRing, merchant_id: UUID, *, lock: bool = False
) -> MerchantSettings | None:
    """A merchant's settings; None if it never made any."""
    row = await connection.fetchrow(
        "SELECT return_origins, frame_origins, secret FROM checkout_settings WHERE id = $1"
        f"{' FOR UPDATE' if lock else ''}",
        merchant_id,
    )
    if row is None:
        return None
    returns, frames, sealed = row
    opened = keyring.open(sealed, _context(merchant_id))
    return MerchantSettings(
        CheckoutSettings(return_origins=tuple(returns), frame_origins=tuple(frames)),
        msgspec.msgpack.decode(opened, type=ResultSecrets),
    )


async def put_settings(
    connection: Connection,
    keyring: KeyRing,
    merchant_id: UUID,
    chosen: MerchantSettings,
    now: datetime,
) -> None:
    """Write a merchant's settings."""
    settings, secrets = chosen
    await connection.execute(
        "INSERT INTO checkout_settings (id, return_origins, frame_origins, secret, updated_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET return_origins = $2, "
        "frame_origins = $3, secret = $4, updated_at = $5",
        merchant_id,
        list(settings.return_origins),
        list(settings.frame_origins),
        keyring.seal(msgspec.msgpack.encode(secrets), _context(merchant_id)),
        now,
    )


# -- sessions ------------------------------------------------------------------------------------


async def session_by_id(connection: Connection, merchant_id: UUID, session_id: UUID) -> Session:
    """A session of the merchant's. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_SESSION} WHERE id = $1 AND merchant_id = $2", session_id, merchant_id
    )
    if row is None:
        raise NotFound("checkout session", show_id("chs", session_id))
    return Session(*row)


async def session_by_token(connection: Connection, token: str) -> Session:
    """The session of a page. Raises `NotFound`."""
    row = await connection.fetchrow(f"{_SESSION} WHERE token = $1", token)
    if row is None:
        raise NotFound("checkout page", "with such a link")
    return Session(*row)


async def session_of_payment(connection: Connection, payment_id: UUID) -> Session:
    """The session that a payment was made with."""
    row = await connection.fetchrow(f"{_SESSION} WHERE payment_id = $1", payment_id)
    assert row is not None, "they are made together"
    return Session(*row)


async def list_sessions(
    connection: Connection,
    merchant_id: UUID,
    wanted: dict[str, UUID | None],
    before: UUID | None,
    limit: int,
) -> list[Session]:
    """A merchant's sessions, newest first; `wanted` are columns and what they must be."""
    conditions, values = ["merchant_id = $1"], list[Any]([merchant_id])
    for column, value in wanted.items():
        if value is not None:
            values.append(value)
            conditions.append(f"{column} = ${len(values)}")
    if before is not None:
        values.append(before)
        conditions.append(f"id < ${len(values)}")
    values.append(limit)
    rows = await connection.fetch(
        f"{_SESSION} WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ${len(values)}",
        *values,
    )
    return [Session(*row) for row in rows]


# -- payment links -------------------------------------------------------------------------------


async def insert_link(connection: Connection, link: Link) -> None:
    """Insert a link."""
    await connection.execute(LINKS.one_row_statement, *msgspec.structs.astuple(link))


async def update_link(connection: Connection, link: Link) -> None:
    """Write what may change of a link."""
    await connection.execute(
        "UPDATE payment_links SET active = $2, description = $3, max_payments = $4, ends_at = $5, "
        "updated_at = $6 WHERE id = $1",
        link.id,
        link.active,
        link.description,
        link.max_payments,
        link.ends_at,
        link.updated_at,
    )


async def link_by_id(
    connection: Connection, merchant_id: UUID, link_id: UUID, *, lock: bool = False
) -> Link:
    """A link of the merchant's. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_LINK} WHERE id = $1 AND merchant_id = $2{' FOR NO KEY UPDATE' if lock else ''}",
        link_id,
        merchant_id,
    )
    if row is None:
        raise NotFound("payment link", show_id("lnk", link_id))
    return Link(*row)


async def link_by_token(connection: Connection, token: str) -> Link:
    """The link of a page. Raises `NotFound`."""
    row = await connection.fetchrow(f"{_LINK} WHERE token = $1", token)
    if row is None:
        raise NotFound("payment link", "with such an address")
    return Link(*row)


async def link_owner(connection: Connection, link_id: UUID) -> UUID:
    """The merchant of a link. Raises `NotFound`."""
    owner: UUID | None = await connection.fetchval(
        "SELECT merchant_id FROM payment_links WHERE id = $1", link_id
    )
    if owner is None:
        raise NotFound("payment link", show_id("lnk", link_id))
    return owner


async def list_links(
    connection: Connection, merchant_id: UUID, before: UUID | None, limit: int
) -> list[Link]:
    """A merchant's links, newest first."""
    rows = await connection.fetch(
        f"{_LINK} WHERE merchant_id = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        merchant_id,
        before,
        limit,
    )
    return [Link(*row) for row in rows]


class Uses(NamedTuple):
    """How many payments of a link were paid, and how many were or still can be."""

    paid: int
    taken: int


async def uses_of(connection: Connection, link_ids: list[UUID]) -> dict[UUID, Uses]:
    """What became of the payments of these links."""
    rows = await connection.fetch(
        "SELECT s.link_id, count(*) FILTER (WHERE p.status = ANY($2)), "
        "count(*) FILTER (WHERE p.status = ANY($3)) "
        "FROM checkout_sessions AS s JOIN payments AS p ON p.id = s.payment_id "
        "WHERE s.link_id = ANY($1::uuid[]) GROUP BY s.link_id",
        link_ids,
        _PAID,
        _TAKES,
    )
    found = {link_id: Uses(paid, taken) for link_id, paid, taken in rows}
    return {link_id: found.get(link_id, Uses(0, 0)) for link_id in link_ids}


# -- invoices ------------------------------------------------------------------------------------


class InvoiceNow(NamedTuple):
    """An invoice, and the state of its newest payment."""

    invoice: Invoice
    payment_status: str | None


async def insert_invoice(connection: Connection, invoice: Invoice) -> None:
    """Insert an invoice."""
    await connection.execute(INVOICES.one_row_statement, *msgspec.structs.astuple(invoice))


async def update_invoice(connection: Connection, invoice: Invoice) -> None:
    """Write what may change of an invoice, but its payment: that is the journal's."""
    fixed = {"id", "merchant_id", "shop_id", "currency", "token", "payment_id", "created_at"}
    given = {k: v for k, v in msgspec.structs.asdict(invoice).items() if k not in fixed}
    settings = ", ".join(f"{name} = ${number}" for number, name in enumerate(given, 2))
    await connection.execute(
        f"UPDATE invoices SET {settings} WHERE id = $1", invoice.id, *given.values()
    )


async def discard_invoice(connection: Connection, invoice_id: UUID) -> None:
    """Take a draft away. Its row stays: the application deletes nothing of a merchant's books."""
    await connection.execute(
        "UPDATE invoices SET status = 'discarded' WHERE id = $1 AND status = 'draft'", invoice_id
    )


async def next_number(connection: Connection, merchant_id: UUID) -> int:
    """The next number of a merchant's, given up again if the transaction is.

    Whoever asks at the same moment waits until it is known whether this one is used: so there are
    no gaps.
    """
    number: int = await connection.fetchval(
        "INSERT INTO invoice_numbers (merchant_id, last) VALUES ($1, 1) "
        "ON CONFLICT (merchant_id) DO UPDATE SET last = invoice_numbers.last + 1 RETURNING last",
        merchant_id,
    )
    return number


async def invoice_by_id(
    connection: Connection, merchant_id: UUID, invoice_id: UUID, *, lock: bool = False
) -> InvoiceNow:
    """An invoice of the merchant's. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_INVOICE} WHERE i.id = $1 AND i.merchant_id = $2 AND i.status <> 'discarded'"
        f"{' FOR NO KEY UPDATE OF i' if lock else ''}",
        invoice_id,
        merchant_id,
    )
    if row is None:
        raise NotFound("invoice", show_id("inv", invoice_id))
    return _invoice(row)


async def invoice_by_token(connection: Connection, token: str) -> InvoiceNow:
    """The invoice of a page; a draft has none. Raises `NotFound`."""
    row = await connection.fetchrow(
        f"{_INVOICE} WHERE i.token = $1 AND i.number IS NOT NULL", token
    )
    if row is None:
        raise NotFound("invoice", "with such an address")
    return _invoice(row)


async def invoice_owner(connection: Connection, invoice_id: UUID) -> UUID:
    """The merchant of an invoice. Raises `NotFound`."""
    owner: UUID | None = await connection.fetchval(
        "SELECT merchant_id FROM invoices WHERE id = $1 AND status <> 'discarded'", invoice_id
    )
    if owner is None:
        raise NotFound("invoice", show_id("inv", invoice_id))
    return owner


async def list_invoices(
    connection: Connection,
    merchant_id: UUID,
    status: str | None,
    before: UUID | None,
    limit: int,
) -> list[InvoiceNow]:
    """A merchant's invoices, newest first, in a state as it is shown or in any."""
    shown = (
        "CASE WHEN i.status <> 'open' THEN i.status WHEN p.status = ANY($5) THEN 'paid' "
        "WHEN i.overdue_at IS NULL THEN 'open' ELSE 'overdue' END"
    )
    rows = await connection.fetch(
        f"{_INVOICE} WHERE i.merchant_id = $1 AND i.status <> 'discarded' "
        f"AND ($2::text IS NULL OR {shown} = $2) "
        "AND ($3::uuid IS NULL OR i.id < $3) ORDER BY i.id DESC LIMIT $4",
        merchant_id,
        status,
        before,
        limit,
        _PAID,
    )
    return [_invoice(row) for row in rows]


async def paid_invoices(connection: Connection, limit: int) -> list[InvoiceNow]:
    """Open invoices whose payment was made: locked, those that nobody else holds."""
    rows = await connection.fetch(
        f"{_INVOICE} WHERE i.status = 'open' AND i.payment_id IS NOT NULL AND p.status = ANY($2) "
        "ORDER BY i.id LIMIT $1 FOR NO KEY UPDATE OF i SKIP LOCKED",
        limit,
        _PAID,
    )
    return [_invoice(row) for row in rows]


async def late_invoices(connection: Connection, now: datetime, limit: int) -> list[InvoiceNow]:
    """Open invoices whose day is over and that nobody was told of: locked, as above."""
    rows = await connection.fetch(
        f"{_INVOICE} WHERE i.status = 'open' AND i.overdue_at IS NULL AND i.due_at <= $1 "
        "ORDER BY i.due_at LIMIT $2 FOR NO KEY UPDATE OF i SKIP LOCKED",
        now,
        limit,
    )
    return [_invoice(row) for row in rows]


def _invoice(row: Any) -> InvoiceNow:  # noqa: ANN401 - a record of the driver's
    *columns, payment_status = row
    return InvoiceNow(Invoice(*columns), payment_status)
