"""Lists as files: a merchant's payments, its statement, its audit log, each in one snapshot."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Protocol, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.errors import TooManyRequests
from tandem.api.operation import Call, Download, Query, operation
from tandem.api.routes.payments import PaymentChoice
from tandem.api.tables import TYPES, Format, as_csv, as_json
from tandem.db import Snapshot, Snapshots
from tandem.kernel import currency, format_amount
from tandem.payments import Payment, Payments, count_payments, every_payment, merchant_view
from tandem.settlement import MerchantBooks, MerchantLine
from tandem.signin import Audit, AuditFilter, AuditView, audit_view

AGAIN_SECONDS: Final = 10
PAGE: Final = 1000
FormatName = Annotated[Format, Meta(description="CSV as RFC 4180 has it, or an array of JSON")]
Mark = Annotated[
    bool, Meta(description="Begin CSV with a byte order mark, by which spreadsheets know UTF-8")
]
Since = Annotated[
    Annotated[datetime, Meta(tz=True)] | None, Meta(description="Only what is from then on")
]
Until = Annotated[
    Annotated[datetime, Meta(tz=True)] | None, Meta(description="Only what is before then")
]
R = TypeVar("R")

_PAYMENTS: Final = (
    *("id", "created_at", "status", "way", "amount", "captured", "refunded", "fee", "currency"),
    *("shop_id", "shop", "till_id", "payer", "order_reference", "description", "decline_reason"),
    *("source", "capture", "updated_at"),
)
_LINES: Final = (
    *("number", "created_at", "type", "change", "reserved", "balance", "currency", "object_id"),
    *("order_reference", "message", "entry_id"),
)
_AUDIT: Final = (
    *("id", "created_at", "actor", "actor_name", "action", "object", "outcome", "client"),
    *("session_id", "request_id"),
)


class Services(Protocol):
    """What these operations use."""

    @property
    def snapshots(self) -> Snapshots:
        """Connections for long reads."""
        ...

    @property
    def payments(self) -> Payments:
        """Holds a filter to a merchant's own payments."""
        ...

    @property
    def books(self) -> MerchantBooks:
        """Merchants' statements."""
        ...

    @property
    def audit(self) -> Audit:
        """Tells who did what."""
        ...


class PaymentsExport(PaymentChoice, frozen=True):
    """Which payments, and as what."""

    format: FormatName = "csv"
    mark: Mark = False


class StatementExport(Query, frozen=True):
    """Which lines, and as what."""

    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None,
        Meta(description="ISO 4217 code; needed only by a merchant that has several"),
    ] = None
    since: Since = None
    until: Until = None
    format: FormatName = "csv"
    mark: Mark = False


class AuditExport(Query, frozen=True):
    """Which records, and as what."""

    since: Since = None
    until: Until = None
    format: FormatName = "csv"
    mark: Mark = False


@operation(
    "GET",
    "/v1/exports/payments",
    tag="Exports",
    summary="Export payments",
    who=("merchant",),
    scope="payments:read",
)
async def export_payments(call: Call[Services], query: PaymentsExport) -> Download:
    """All payments that the filters leave, newest first, as they are at one moment.

    The header `Tandem-Rows` says how many lines come. An export that breaks off does not end as
    HTTP ends an answer: a client sees that it failed, and asks again. Amounts of CSV are decimal
    numbers, those of JSON minor units. One export at a time.
    """
    wanted = call.services.payments.mine(call.principal.owner_id, query.wanted())
    snapshot = await _open(call)
    try:
        count = await count_payments(snapshot.connection, wanted)
    except BaseException:
        await snapshot.close()
        raise
    rows = every_payment(snapshot.connection, wanted)
    if query.format == "json":
        parts = as_json(rows, merchant_view)
    else:
        parts = as_csv(_PAYMENTS, rows, _payment, mark=query.mark)
        count += 1
    return Download(f"payments.{query.format}", TYPES[query.format], count, parts, snapshot.close)


@operation(
    "GET",
    "/v1/exports/statement",
    tag="Exports",
    summary="Export your statement",
    who=("merchant",),
    scope="balance:read",
)
async def export_statement(call: Call[Services], query: StatementExport) -> Download:
    """Every movement of the balance, newest first, as `GET /v1/merchants/me/statement` has it."""
    books, merchant_id = call.services.books, call.principal.owner_id
    unit = await books.unit_of(merchant_id, query.currency)
    snapshot = await _open(call)

    async def page(last: MerchantLine | None) -> list[MerchantLine]:
        before = None if last is None else last.number
        return await books.read(snapshot.connection, merchant_id, unit, before, PAGE)

    rows = _between(_pages(page), query.since, query.until)
    if query.format == "json":
        parts = as_json(rows, lambda line: line)
    else:
        parts = as_csv(_LINES, rows, _line, mark=query.mark)
    return Download(f"statement.{query.format}", TYPES[query.format], None, parts, snapshot.close)


@operation(
    "GET",
    "/v1/exports/audit",
    tag="Exports",
    summary="Export the audit log",
    who=("merchant",),
    scope="audit:read",
)
async def export_audit(call: Call[Services], query: AuditExport) -> Download:
    """Who did what, newest first, as `GET /v1/audit` has it."""
    wanted = AuditFilter(owner_id=call.principal.owner_id, since=query.since, until=query.until)
    snapshot = await _open(call)

    async def page(last: AuditView | None) -> list[AuditView]:
        before = None if last is None else UUID(hex=last.id.rpartition("_")[2])
        found = await call.services.audit.read(snapshot.connection, wanted, before, PAGE)
        return [audit_view(row) for row in found]

    rows = _pages(page)
    if query.format == "json":
        parts = as_json(rows, lambda record: record)
    else:
        parts = as_csv(_AUDIT, rows, _record, mark=query.mark)
    return Download(f"audit.{query.format}", TYPES[query.format], None, parts, snapshot.close)


async def _open(call: Call[Services]) -> Snapshot:
    snapshot = await call.services.snapshots.open(call.principal.owner_id)
    if snapshot is None:
        raise TooManyRequests("export", AGAIN_SECONDS)
    return snapshot


async def _pages(read: Callable[[R | None], Awaitable[list[R]]]) -> AsyncIterator[R]:
    """All rows of a list that is read a page at a time, each after the one before."""
    last: R | None = None
    while found := await read(last):
        for one in found:
            yield one
        last = found[-1]


async def _between(
    lines: AsyncIterator[MerchantLine], since: datetime | None, until: datetime | None
) -> AsyncIterator[MerchantLine]:
    """The lines of a time, of lines newest first."""
    async for line in lines:
        if since is not None and line.created_at < since:
            return
        if until is None or line.created_at < until:
            yield line


def _payment(payment: Payment) -> Sequence[object]:
    view = merchant_view(payment)
    amounts = (view.amount, view.captured, view.refunded, view.fee)
    return (
        *(view.id, view.created_at, view.status, view.way),
        *(_number(minor, view.currency) for minor in amounts),
        *(view.currency, view.shop_id, payment.shop_name, view.till_id, view.payer),
        *(view.order_reference, view.description, view.decline_reason),
        *(view.source, view.capture, view.updated_at),
    )


def _line(line: MerchantLine) -> Sequence[object]:
    amounts = (line.change, line.reserved, line.balance)
    return (
        *(line.number, line.created_at, line.type),
        *(_number(minor, line.currency) for minor in amounts),
        *(line.currency, line.object_id, line.order_reference, line.message, line.entry_id),
    )


def _record(record: AuditView) -> Sequence[object]:
    shown = msgspec.structs.asdict(record)
    return [shown[name] for name in _AUDIT]


def _number(minor: int, code: str) -> Decimal:
    """An amount as a number with the currency's decimals."""
    return Decimal(format_amount(minor, currency(code)))


OPERATIONS = (export_payments, export_statement, export_audit)
