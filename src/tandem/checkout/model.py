"""Checkout: rows and decisions. Pure. Amounts in minor units.

A **session** is a page for one order of the one life cycle: it holds what the page shows and where
it returns to, and its state is its payment's. A **payment link** makes a session for each visit. An
**invoice** has one payment at a time that could be paid:

    draft ──► open ──► paid
                │
                └────► void

An open invoice whose day is over is shown as overdue, and can still be paid or made void.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.checkout.errors import InvoiceConflict, LinkClosed
from tandem.db import Integer, Json, Table
from tandem.kernel import MAX_AMOUNT, NOTE_LENGTH, Invalid, Rule, clean_text
from tandem.payments import Status

MAX_LINES: Final = 100
MAX_QUANTITY: Final = 1_000_000
MAX_METADATA: Final = 20
NAME_LENGTH: Final = 100
EMAIL_LENGTH: Final = 254

Locale = Literal["en", "zh"]
InvoiceStatus = Literal["draft", "open", "overdue", "paid", "void"]
OPEN: Final = frozenset({Status.CREATED.value, Status.WAITING.value})
"""The states in which a session's payment can be paid."""
PAID: Final = frozenset(
    {
        *(Status.AUTHORISED.value, Status.CAPTURED.value),
        *(Status.PARTIALLY_REFUNDED.value, Status.REFUNDED.value),
    }
)
"""Those in which the person has paid, whatever became of it since."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of an order. A discount is a line with a negative `unit_amount`."""

    name: Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH, examples=["Flat white"])]
    unit_amount: Annotated[
        int,
        Meta(
            ge=-MAX_AMOUNT,
            le=MAX_AMOUNT,
            description="Of one, in minor units; negative for a discount",
            examples=[1900],
        ),
    ]
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY, examples=[2])] = 1
    tax: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_AMOUNT,
            description="Of the whole line, on top of it, in minor units",
            examples=[0],
        ),
    ] = 0


Lines = Annotated[
    tuple[Line, ...],
    Meta(
        max_length=MAX_LINES,
        examples=[[{"name": "Flat white", "unit_amount": 1900, "quantity": 2, "tax": 0}]],
    ),
]
Metadata = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=40, pattern="^[A-Za-z0-9_.-]+$")],
        Annotated[str, Meta(max_length=500)],
    ],
    Meta(max_length=MAX_METADATA, examples=[{"cart": "81"}]),
]


class Session(msgspec.Struct, frozen=True):
    """A row of `checkout_sessions`: never changed."""

    id: UUID
    merchant_id: UUID
    payment_id: UUID
    token: str
    lines: Json
    metadata: Json
    success_url: str | None
    cancel_url: str | None
    locale: str | None
    link_id: UUID | None
    invoice_id: UUID | None
    created_at: datetime


class Link(msgspec.Struct, frozen=True):
    """A row of `payment_links`. Without an `amount` the person types one. `sessions` only grows."""

    id: UUID
    merchant_id: UUID
    shop_id: UUID
    description: str
    currency: str
    amount: int | None
    min_amount: int | None
    max_amount: int | None
    order_reference: str | None
    success_url: str | None
    max_payments: Integer | None
    ends_at: datetime | None
    active: bool
    token: str
    sessions: Integer
    created_at: datetime
    updated_at: datetime


class Invoice(msgspec.Struct, frozen=True):
    """A row of `invoices`. `status` is draft, open, paid, void, or discarded: a draft taken away.

    `number` is given when it is opened. `due_at` is the end of the day `due_on` in the operator's
    calendar, `overdue_at` when that was noticed. `payment_id` is its newest payment's.
    """

    id: UUID
    merchant_id: UUID
    shop_id: UUID
    number: Integer | None
    status: str
    customer_name: str
    customer_email: str | None
    description: str | None
    order_reference: str | None
    lines: Json
    currency: str
    amount: int
    due_on: date
    due_at: datetime | None
    overdue_at: datetime | None
    token: str
    payment_id: UUID | None
    opened_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    created_at: datetime
    updated_at: datetime


SESSIONS: Final = Table("checkout_sessions", Session, rank=14, log=True)
LINKS: Final = Table("payment_links", Link, mutable=("sessions",), rank=6)
INVOICES: Final = Table("invoices", Invoice, mutable=("payment_id",), rank=7)


def cleaned_lines(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines with their names as they are kept. Raises `Invalid`."""
    return tuple(
        msgspec.structs.replace(line, name=clean_text(line.name, "lines", NOTE_LENGTH))
        for line in lines
    )


def total(lines: Sequence[Line]) -> int:
    """What the lines come to. Raises `Invalid` if that is no amount."""
    found = sum(line.quantity * line.unit_amount + line.tax for line in lines)
    if not 1 <= found <= MAX_AMOUNT:
        raise Invalid("lines", f"come to {found}: they must come to 1 to {MAX_AMOUNT} minor units")
    return found


def check_total(lines: Sequence[Line], amount: int) -> None:
    """That the lines, if there are any, come to the amount. Raises `Invalid`."""
    if lines and total(lines) != amount:
        raise Invalid("lines", f"come to {total(lines)}, and the amount is {amount}")


def cleaned_metadata(given: Mapping[str, str]) -> dict[str, str]:
    """A merchant's own notes: kept as they are, within what JSON and people can show."""
    for text in given.values():
        if any(ord(character) < ord(" ") for character in text) or not _writable(text):
            raise Invalid("metadata", "must not contain control characters")
    return dict(given)


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_price(link: Link) -> None:
    """That a link has an amount, or bounds for one that make sense. Raises `Invalid`."""
    least, most = link.min_amount, link.max_amount
    if link.amount is not None and (least, most) != (None, None):
        raise Invalid("amount", "is fixed: min_amount and max_amount are for one that is typed")
    if least is not None and most is not None and least > most:
        raise Invalid("min_amount", "must not be above max_amount")


def price(link: Link, typed: int | None) -> int:
    """The amount of a visit: the link's own, or the one that the person typed. Raises `Invalid`."""
    if link.amount is not None:
        if typed not in (None, link.amount):
            raise Invalid("amount", "of this link is fixed")
        return link.amount
    if typed is None:
        raise Invalid(
            "amount", "must be given: this link has none of its own", rule=Rule("missing")
        )
    least, most = link.min_amount or 1, link.max_amount or MAX_AMOUNT
    if not least <= typed <= most:
        raise Invalid(
            "amount",
            f"must be from {least} to {most} minor units",
            rule=Rule("amount", least, most),
        )
    return typed


def closed(link: Link, taken: int, now: datetime) -> str | None:
    """Why a link takes no payment now, None if it does. `taken`: paid, or being paid by others."""
    if not link.active:
        return "off"
    if link.ends_at is not None and link.ends_at <= now:
        return "over"
    if link.max_payments is not None and taken >= link.max_payments:
        return "used_up"
    return None


def check_open(link: Link, taken: int, now: datetime) -> None:
    """Raise `LinkClosed` if a link takes no payment now."""
    reason = closed(link, taken, now)
    if reason is not None:
        raise LinkClosed(reason)


def shown_status(invoice: Invoice, payment_status: str | None) -> InvoiceStatus:
    """What an invoice is at this moment: paid as soon as its payment is."""
    if invoice.status == "open":
        if payment_status in PAID:
            return "paid"
        return "open" if invoice.overdue_at is None else "overdue"
    found: InvoiceStatus = msgspec.convert(invoice.status, InvoiceStatus)
    return found


def check_invoice(status: InvoiceStatus, allowed: Sequence[InvoiceStatus], wanted: str) -> None:
    """Raise `InvoiceConflict` unless the invoice is in one of these states."""
    if status not in allowed:
        raise InvoiceConflict(status, wanted)
