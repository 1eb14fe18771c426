"""The use cases of invoices: drafted, opened with a number of their own, paid by link, or void."""

from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET

from tandem.checkout.entries import VisitOfInvoice
from tandem.checkout.links import VISIT_SECONDS, check_shop
from tandem.checkout.model import (
    EMAIL_LENGTH,
    NAME_LENGTH,
    OPEN,
    Invoice,
    InvoiceStatus,
    Line,
    check_invoice,
    cleaned_lines,
    shown_status,
    total,
)
from tandem.checkout.service import Checkout
from tandem.checkout.shapes import (
    CreateInvoice,
    InvoicePage,
    InvoiceView,
    OpenedPage,
    UpdateInvoice,
    invoice_view,
    read_lines,
)
from tandem.checkout.store import (
    InvoiceNow,
    discard_invoice,
    insert_invoice,
    invoice_by_id,
    invoice_by_token,
    invoice_owner,
    late_invoices,
    list_invoices,
    next_number,
    paid_invoices,
    session_of_payment,
    update_invoice,
)
from tandem.db import Connection, Idempotency, earlier_answer, keep_answer, work
from tandem.db.audit import about
from tandem.events import Now, tell_merchant
from tandem.kernel import (
    NOTE_LENGTH,
    Invalid,
    Rule,
    clean_note,
    clean_text,
    currency,
    read_id,
    show_id,
)
from tandem.ledger import ChangedMeanwhile, Outcome
from tandem.merchants import load_place
from tandem.payments import At, Beside, PaymentConflict

DUE_AT_ONCE: Final = 100
VOID_TRIES: Final = 5
VISIT_TRIES: Final = 3
MAX_YEAR: Final = 2200
"""The last year of a due day: what lies beyond is a slip."""
_PAYABLE: Final[tuple[InvoiceStatus, ...]] = ("open", "overdue")


class Invoices:
    """Makes invoices, and sessions for whoever pays them."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._pool = checkout.pool

    # -- a merchant asks -------------------------------------------------------------------------

    async def create(
        self, merchant_id: UUID, new: CreateInvoice, idempotency: Idempotency | None
    ) -> InvoiceView:
        """A draft. Raises `NotFound`, `Invalid`."""
        checkout, now = self._checkout, self._checkout.clock.now()
        lines = cleaned_lines(new.lines)
        invoice = Invoice(
            id=checkout.ids.new(),
            merchant_id=merchant_id,
            shop_id=read_id("shp", new.shop_id, "shop_id"),
            number=None,
            status="draft",
            customer_name=clean_text(new.customer_name, "customer_name", NAME_LENGTH),
            customer_email=_email(new.customer_email),
            description=clean_note(new.description, "description"),
            order_reference=clean_note(new.order_reference, "order_reference"),
            lines=_stored(lines),
            currency=currency(new.currency).code,
            amount=total(lines),
            due_on=_day(new.due_on),
            due_at=None,
            overdue_at=None,
            token=checkout.new_token(),
            payment_id=None,
            opened_at=None,
            paid_at=None,
            voided_at=None,
            created_at=now,
            updated_at=now,
        )
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await earlier_answer(connection, idempotency)
                if earlier is not None:
                    return msgspec.json.decode(earlier, type=InvoiceView)
            await check_shop(connection, merchant_id, invoice.shop_id)
            await insert_invoice(connection, invoice)
            shown = self._view(InvoiceNow(invoice, None))
            if idempotency is not None:
                await keep_answer(connection, idempotency, msgspec.json.encode(shown), now)
            about(shown.id)
        return shown

    async def get(self, merchant_id: UUID, invoice_id: UUID) -> InvoiceView:
        """An invoice of the merchant's. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return self._view(await invoice_by_id(connection, merchant_id, invoice_id))

    async def owner_of(self, invoice_id: UUID) -> UUID:
        """Whose invoice it is. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await invoice_owner(connection, invoice_id)

    async def all(
        self, merchant_id: UUID, status: InvoiceStatus | None, before: UUID | None, limit: int
    ) -> list[InvoiceView]:
        """A merchant's invoices, newest first."""
        async with self._pool.acquire() as connection:
            found = await list_invoices(connection, merchant_id, status, before, limit)
        return [self._view(one) for one in found]

    async def update(
        self, merchant_id: UUID, invoice_id: UUID, change: UpdateInvoice
    ) -> InvoiceView:
        """Change a draft. Raises `NotFound`, `Invalid`, `InvoiceConflict`."""
        given = _cleaned(change)
        async with work(self._pool) as connection:
            found = await self._locked(connection, merchant_id, invoice_id, ("draft",), "a change")
            changed = msgspec.structs.replace(
                found.invoice, **given, updated_at=self._checkout.clock.now()
            )
            await update_invoice(connection, changed)
        return self._view(InvoiceNow(changed, None))

    async def delete(self, merchant_id: UUID, invoice_id: UUID) -> None:
        """Delete a draft: it had no number yet. Raises `NotFound`, `InvoiceConflict`."""
        async with work(self._pool) as connection:
            await self._locked(connection, merchant_id, invoice_id, ("draft",), "deleting it")
            await discard_invoice(connection, invoice_id)

    async def open(self, merchant_id: UUID, invoice_id: UUID) -> InvoiceView:
        """Give a draft its number and its page. Raises `NotFound`, `InvoiceConflict`, `Invalid`."""
        now = self._checkout.clock.now()
        async with work(self._pool) as connection:
            found = await self._locked(connection, merchant_id, invoice_id, ("draft",), "opening")
            invoice = found.invoice
            if invoice.due_on < self._checkout.settings.day_of(now):
                raise Invalid("due_on", "is over: change it before you open the invoice")
            opened = msgspec.structs.replace(
                invoice,
                number=await next_number(connection, merchant_id),
                status="open",
                due_at=self._end_of(invoice),
                opened_at=now,
                updated_at=now,
            )
            await update_invoice(connection, opened)
            return await self._tell(connection, InvoiceNow(opened, None), "invoice.opened")

    async def void(self, merchant_id: UUID, invoice_id: UUID) -> InvoiceView:
        """Take an invoice back; it keeps its number. A payment that somebody began is cancelled.

        Raises `NotFound`, `InvoiceConflict` if it is no open one, or is paid at this moment.
        """
        for _ in range(VOID_TRIES):
            await self._cancel_open(merchant_id, invoice_id)
            async with work(self._pool) as connection:
                found = await self._locked(connection, merchant_id, invoice_id, _PAYABLE, "void")
                if found.payment_status not in OPEN:
                    now = self._checkout.clock.now()
                    voided = msgspec.structs.replace(
                        found.invoice, status="void", voided_at=now, updated_at=now
                    )
                    await update_invoice(connection, voided)
                    shown = InvoiceNow(voided, found.payment_status)
                    return await self._tell(connection, shown, "invoice.voided")
        raise PaymentConflict("waiting", "cancel", ())

    # -- whoever has the link --------------------------------------------------------------------

    async def page(self, token: str) -> InvoicePage:
        """What the page of an invoice shows. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            found = await invoice_by_token(connection, token)
            place = await load_place(connection, shop_id=found.invoice.shop_id)
        assert place is not None, "shops are never taken away"
        invoice, status = found.invoice, shown_status(*found)
        assert invoice.number is not None, "it was opened"
        paid = status == "paid" and invoice.payment_id is not None
        return InvoicePage(
            place.merchant_name,
            place.shop_name,
            invoice.number,
            status,
            invoice.customer_name,
            invoice.description,
            read_lines(invoice.lines),
            invoice.amount,
            invoice.currency,
            invoice.due_on,
            invoice.opened_at,
            invoice.paid_at,
            show_id("pay", invoice.payment_id) if paid and invoice.payment_id else None,
        )

    async def visit(self, token: str, idempotency: Idempotency | None) -> Outcome:
        """The page on which an invoice is paid; the outcome is an OpenedPage.

        Whoever comes while a payment of it can be paid comes to the same page, so that it is not
        paid twice. Raises `NotFound`, `InvoiceConflict`, and as `Payments.create_order` does.
        """
        for attempt in range(VISIT_TRIES):
            async with self._pool.acquire() as connection:
                found = await invoice_by_token(connection, token)
                check_invoice(shown_status(*found), _PAYABLE, "a payment")
                payment_id = found.invoice.payment_id
                if payment_id is not None and found.payment_status in OPEN:
                    session = await session_of_payment(connection, payment_id)
                    page = OpenedPage(session.token, f"/checkout/s/{session.token}")
                    return Outcome(msgspec.json.encode(page))
            try:
                return await self._order(found.invoice, idempotency)
            except ChangedMeanwhile:  # somebody else came at the same moment: theirs is the page
                if attempt == VISIT_TRIES - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _order(self, invoice: Invoice, idempotency: Idempotency | None) -> Outcome:
        checkout = self._checkout
        session_id, page_token = checkout.ids.new(), checkout.new_token()

        async def beside() -> Beside:
            async with self._pool.acquire() as connection:
                now = await invoice_by_token(connection, invoice.token)
            if now.invoice.payment_id != invoice.payment_id:
                raise ChangedMeanwhile(invoice.merchant_id)
            check_invoice(shown_status(*now), _PAYABLE, "a payment")
            return VisitOfInvoice(
                id=session_id,
                token=page_token,
                public_url=checkout.settings.public_url,
                lines=read_lines(invoice.lines),
                invoice=now.invoice,
            )

        return await checkout.order(
            At(invoice.merchant_id, invoice.shop_id),
            invoice.amount,
            invoice.currency,
            idempotency,
            beside,
            description=invoice.description,
            reference=invoice.order_reference or f"invoice-{invoice.number}",
            expires_seconds=VISIT_SECONDS,
        )

    # -- time passes -----------------------------------------------------------------------------

    async def follow_due(self) -> int:
        """Note what was paid and whose day is over, and tell their merchants; how many."""
        now = self._checkout.clock.now()
        async with work(self._pool, changes=False) as connection:
            paid = await paid_invoices(connection, DUE_AT_ONCE)
            for one in paid:
                noted = msgspec.structs.replace(
                    one.invoice, status="paid", paid_at=now, updated_at=now
                )
                await update_invoice(connection, noted)
                await self._tell(connection, InvoiceNow(noted, one.payment_status), "invoice.paid")
            late = await late_invoices(connection, now, DUE_AT_ONCE)
            for one in late:
                noted = msgspec.structs.replace(one.invoice, overdue_at=now, updated_at=now)
                await update_invoice(connection, noted)
                shown = InvoiceNow(noted, one.payment_status)
                await self._tell(connection, shown, "invoice.overdue")
        return len(paid) + len(late)

    # --------------------------------------------------------------------------------------------

    async def _locked(
        self,
        connection: Connection,
        merchant_id: UUID,
        invoice_id: UUID,
        allowed: tuple[InvoiceStatus, ...],
        wanted: str,
    ) -> InvoiceNow:
        found = await invoice_by_id(connection, merchant_id, invoice_id, lock=True)
        check_invoice(shown_status(*found), allowed, wanted)
        return found

    async def _cancel_open(self, merchant_id: UUID, invoice_id: UUID) -> None:
        """Cancel the payment that can be paid, if there is one."""
        async with self._pool.acquire() as connection:
            found = await invoice_by_id(connection, merchant_id, invoice_id)
        check_invoice(shown_status(*found), _PAYABLE, "void")
        payment_id = found.invoice.payment_id
        if payment_id is not None and found.payment_status in OPEN:
            try:
                await self._checkout.payments.cancel(merchant_id, payment_id, None)
            except PaymentConflict:
                return  # it was paid, or came to an end: what it is now decides

    async def _tell(self, connection: Connection, found: InvoiceNow, event: str) -> InvoiceView:
        shown = self._view(found)
        moment = Now(self._checkout.clock.now(), self._checkout.ids.new)
        invoice = found.invoice
        await tell_merchant(connection, moment, invoice.merchant_id, event, invoice.id, shown)
        return shown

    def _end_of(self, invoice: Invoice) -> datetime:
        """The end of the day on which it is due, in the operator's calendar."""
        following = invoice.due_on + timedelta(days=1)
        return datetime.combine(following, time(), self._checkout.settings.timezone)

    def _view(self, found: InvoiceNow) -> InvoiceView:
        return invoice_view(*found, self._checkout.settings.public_url)


def _stored(lines: tuple[Line, ...]) -> str:
    return msgspec.json.encode(lines).decode()


def _email(text: str | None) -> str | None:
    """An address as text: nothing is sent there, so no more is asked of it."""
    if text is None:
        return None
    cleaned = clean_text(text, "customer_email", EMAIL_LENGTH)
    if "@" not in cleaned or any(character.isspace() for character in cleaned):
        reason = "must be an address such as books@shop.example"
        raise Invalid("customer_email", reason, rule=Rule("form"))
    return cleaned


def _day(due_on: date) -> date:
    if due_on.year > MAX_YEAR:
        raise Invalid("due_on", f"must not lie after {MAX_YEAR}")
    return due_on


def _cleaned(change: UpdateInvoice) -> dict[str, Any]:
    """What is given of a change, as it is kept. Raises `Invalid`."""
    given = {k: v for k, v in msgspec.structs.asdict(change).items() if v is not UNSET}
    if "customer_name" in given:
        given["customer_name"] = clean_text(given["customer_name"], "customer_name", NAME_LENGTH)
    if "customer_email" in given:
        given["customer_email"] = _email(given["customer_email"])
    for name in ("description", "order_reference"):
        if given.get(name) is not None:
            given[name] = clean_text(given[name], name, NOTE_LENGTH)
    if isinstance(change.due_on, date):
        given["due_on"] = _day(change.due_on)
    if isinstance(change.lines, tuple):
        lines = cleaned_lines(change.lines)
        given |= {"lines": _stored(lines), "amount": total(lines)}
    return given
