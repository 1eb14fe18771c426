"""Payments: one life cycle for every way to pay."""

from tandem.payments.by_card import CardPayments, NewTap
from tandem.payments.codes import Landing, link, new_token, order_code
from tandem.payments.decisions import Shop
from tandem.payments.entries import Beside
from tandem.payments.errors import (
    CaptureExceedsAuthorised,
    CardUnknown,
    CodeOfAnotherOperator,
    CodePaused,
    CurrencyNotTaken,
    MerchantNotActive,
    PaymentConflict,
    PaymentTaken,
    RefundAboveLimit,
    RefundExceedsCaptured,
    RefundNotCovered,
    ReversalNotCovered,
)
from tandem.payments.figures import (
    WEEKS,
    Day,
    day_bounds,
    hours,
    refunded_between,
    summed,
    sums_of,
)
from tandem.payments.lines import LineItem, Lines, Tip, read_lines, write_lines
from tandem.payments.model import (
    Capture,
    Command,
    NewPayment,
    Payment,
    Refund,
    Refunder,
    Source,
    Status,
)
from tandem.payments.reading import Tapped
from tandem.payments.records import PaymentRecords
from tandem.payments.search import PaymentFilter
from tandem.payments.service import At, Payments
from tandem.payments.shapes import (
    CardTapView,
    PaymentView,
    PersonPaymentView,
    RefundView,
    merchant_view,
    person_view,
    refund_view,
)
from tandem.payments.store import (
    TapTotals,
    open_orders,
    payment_by_id,
    tap_totals,
)
from tandem.payments.taps import CardTap, TapAnswer, TapTrace, authorisation_code

__all__ = [
    "WEEKS",
    "At",
    "Beside",
    "Capture",
    "CaptureExceedsAuthorised",
    "CardPayments",
    "CardTap",
    "CardTapView",
    "CardUnknown",
    "CodeOfAnotherOperator",
    "CodePaused",
    "Command",
    "CurrencyNotTaken",
    "Day",
    "Landing",
    "LineItem",
    "Lines",
    "MerchantNotActive",
    "NewPayment",
    "NewTap",
    "Payment",
    "PaymentConflict",
    "PaymentFilter",
    "PaymentRecords",
    "PaymentTaken",
    "PaymentView",
    "Payments",
    "PersonPaymentView",
    "Refund",
    "RefundAboveLimit",
    "RefundExceedsCaptured",
    "RefundNotCovered",
    "RefundView",
    "Refunder",
    "ReversalNotCovered",
    "Shop",
    "Source",
    "Status",
    "TapAnswer",
    "TapTotals",
    "TapTrace",
    "Tapped",
    "Tip",
    "authorisation_code",
    "day_bounds",
    "hours",
    "link",
    "merchant_view",
    "new_token",
    "open_orders",
    "order_code",
    "payment_by_id",
    "person_view",
    "read_lines",
    "refund_view",
    "refunded_between",
    "summed",
    "sums_of",
    "tap_totals",
    "write_lines",
]
