"""Checkout: hosted pages for orders, payment links, invoices, and the signed result."""

from tandem.checkout.errors import InvoiceConflict, LinkClosed, ReturnRefused
from tandem.checkout.invoices import Invoices
from tandem.checkout.links import PaymentLinks
from tandem.checkout.model import InvoiceStatus, Line, Session
from tandem.checkout.service import Checkout
from tandem.checkout.shapes import (
    CheckoutPage,
    CheckoutSettings,
    CheckoutView,
    CreateInvoice,
    CreateLink,
    CreateSession,
    InvoicePage,
    InvoiceView,
    LinkPage,
    LinkView,
    OpenedPage,
    ResultSecret,
    RollResultSecret,
    UpdateInvoice,
    UpdateLink,
    VisitLink,
)
from tandem.checkout.store import RESULT_SECRETS

__all__ = [
    "RESULT_SECRETS",
    "Checkout",
    "CheckoutPage",
    "CheckoutSettings",
    "CheckoutView",
    "CreateInvoice",
    "CreateLink",
    "CreateSession",
    "InvoiceConflict",
    "InvoicePage",
    "InvoiceStatus",
    "InvoiceView",
    "Invoices",
    "Line",
    "LinkClosed",
    "LinkPage",
    "LinkView",
    "OpenedPage",
    "PaymentLinks",
    "ResultSecret",
    "ReturnRefused",
    "RollResultSecret",
    "Session",
    "UpdateInvoice",
    "UpdateLink",
    "VisitLink",
]
