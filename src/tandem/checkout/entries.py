"""What is written together with a session's order: the session, and what it was made from."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from tandem.checkout.model import (
    INVOICES,
    LINKS,
    SESSIONS,
    Invoice,
    Line,
    Link,
    Locale,
    Session,
    check_open,
)
from tandem.checkout.shapes import OpenedPage, checkout_view
from tandem.db import Table
from tandem.ledger import ChangedMeanwhile, View, Write
from tandem.payments import Payment


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session to be made beside its order (`tandem.payments.Beside`)."""

    id: UUID
    token: str
    public_url: str
    lines: tuple[Line, ...] = ()
    metadata: dict[str, str] = {}
    success_url: str | None = None
    cancel_url: str | None = None
    locale: Locale | None = None

    def rows(self) -> Sequence[tuple[Table[Any], UUID]]:
        """None: it depends on nothing."""
        return ()

    def session(
        self, view: View, payment: Payment, *, link_id: UUID | None, invoice_id: UUID | None
    ) -> Session:
        """Its row."""
        return Session(
            id=self.id,
            merchant_id=payment.merchant_id,
            payment_id=payment.id,
            token=self.token,
            lines=msgspec.json.encode(self.lines).decode(),
            metadata=msgspec.json.encode(self.metadata).decode(),
            success_url=self.success_url,
            cancel_url=self.cancel_url,
            locale=self.locale,
            link_id=link_id,
            invoice_id=invoice_id,
            created_at=view.now,
        )

    def made(self, view: View, payment: Payment) -> tuple[msgspec.Struct, Sequence[Write]]:
        """The session, as its merchant sees it."""
        session = self.session(view, payment, link_id=None, invoice_id=None)
        return checkout_view(session, payment, self.public_url), (Write(SESSIONS, session),)

    def opened(self) -> OpenedPage:
        """The answer to a visitor."""
        return OpenedPage(self.token, f"/checkout/s/{self.token}")


class VisitOfLink(NewSession, frozen=True, kw_only=True):
    """A session of a payment link. `taken` payments had been counted when `link` was read.

    Where a link counts, nobody else may have visited since: payments that were open can only have
    come to an end, so that what was counted is the most that there can be.
    """

    link: Link
    taken: int

    def rows(self) -> Sequence[tuple[Table[Any], UUID]]:
        """The link, if it counts: visits of any other do not wait for each other."""
        return () if self.link.max_payments is None else ((LINKS, self.link.id),)

    def made(self, view: View, payment: Payment) -> tuple[msgspec.Struct, Sequence[Write]]:
        """The page, for the visitor."""
        session = self.session(view, payment, link_id=self.link.id, invoice_id=None)
        writes = [Write(SESSIONS, session)]
        if self.link.max_payments is not None:
            now = view.row(LINKS, self.link.id)
            assert now is not None, "links are never taken away"
            if now.sessions != self.link.sessions:
                raise ChangedMeanwhile(self.link.merchant_id)
            check_open(now, self.taken, view.now)
            counted = msgspec.structs.replace(now, sessions=now.sessions + 1)
            writes.append(Write(LINKS, counted))
        return self.opened(), writes


class VisitOfInvoice(NewSession, frozen=True, kw_only=True):
    """A session of an invoice as it was read, none of whose payments could be paid then."""

    invoice: Invoice

    def rows(self) -> Sequence[tuple[Table[Any], UUID]]:
        """The invoice: it has one payment at a time that could be paid."""
        return ((INVOICES, self.invoice.id),)

    def made(self, view: View, payment: Payment) -> tuple[msgspec.Struct, Sequence[Write]]:
        """The page, for the visitor."""
        now, read = view.row(INVOICES, self.invoice.id), self.invoice
        if now is None or (now.payment_id, now.status) != (read.payment_id, read.status):
            raise ChangedMeanwhile(read.merchant_id)
        session = self.session(view, payment, link_id=None, invoice_id=now.id)
        pays = msgspec.structs.replace(now, payment_id=payment.id)
        return self.opened(), (Write(SESSIONS, session), Write(INVOICES, pays))
