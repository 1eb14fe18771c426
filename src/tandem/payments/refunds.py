"""Deciding what goes back of a payment: pure functions of what the journal read.

Each takes the journal's `View` of this moment, and raises a refusal.
"""

from typing import Literal

import msgspec

from tandem.cards import AskKind
from tandem.kernel import check_amount, currency, of_hundredths
from tandem.ledger import InsufficientFunds, Transfer, TransferCode, View, Write, fees
from tandem.payments.decisions import Step, advise, parties
from tandem.payments.errors import (
    RefundAboveLimit,
    RefundExceedsCaptured,
    RefundNotCovered,
    ReversalNotCovered,
)
from tandem.payments.model import (
    REFUND_REVERSALS,
    REFUNDS,
    STAFF_REFUNDS,
    Command,
    Payment,
    Refund,
    Refunder,
    RefundReversal,
    StaffRefunds,
    Status,
    allowed,
    changed,
    ended,
)


def refund(
    view: View, payment: Payment, amount: int | None, reason: str | None, *, reversal: bool = False
) -> tuple[Step, Refund]:
    """Give back what was captured, in full or in part. The fee stays with the operator.

    Only a payment that is reversed as a whole is one that never was: then the fee goes back, too.
    What is still reserved stays so, and the payment authorised.
    """
    allowed(payment, Command.REFUND, view.now)
    unit = currency(payment.currency)
    amount = payment.refundable if amount is None else check_amount(amount)
    if amount > payment.refundable:
        raise RefundExceedsCaptured(payment.refundable, amount, unit.code)
    payer, payee = parties(payment, unit)
    charge = 0
    if reversal and amount == payment.captured:
        # What the operator withdrew of its fees keeps nobody from their money.
        charge = min(payment.fee, max(0, view.account(fees(unit)).available))
    available = view.account(payee).available + charge
    if amount > available:
        refused = ReversalNotCovered if reversal else RefundNotCovered
        raise refused(max(0, available), amount, unit.code)
    given = Refund(
        view.new_id(),
        payment.id,
        payment.merchant_id,
        amount,
        payment.currency,
        reason,
        view.now,
    )
    back: tuple[Transfer, ...] = (Transfer(payee, payer, amount, TransferCode.REFUND, payment.id),)
    if charge:
        back = (Transfer(fees(unit), payee, charge, TransferCode.FEE, payment.id), *back)
    less = msgspec.structs.replace(
        payment,
        refunded=payment.refunded + amount,
        fee=payment.fee - charge,
        updated_at=view.now,
    )
    reserved = less.pending_id is not None
    status = Status.AUTHORISED if reserved else ended(less, Status.CAPTURED)
    refunded = changed(less, Command.REFUND, status)
    writes = (Write(REFUNDS, given), *advise(view, payment, AskKind.REFUND, amount))
    return Step(refunded, back, "payment.refunded", writes), given


def count_refund(view: View, by: Refunder, refunded: Payment, amount: int) -> Write:
    """That a member of staff may give back so much; and what they gave back today, with this.

    All refunds of the payment count together, whoever gave them, and all that the member gives back
    on the operator's calendar day in this currency: many small ones are one large one. What is
    taken back later stays counted. Raises `RefundAboveLimit`.
    """
    code, unit = refunded.currency, currency(refunded.currency)
    found = view.row(STAFF_REFUNDS, (by.id, code))
    before = found.refunded if found is not None and found.day == view.day else 0
    counted = StaffRefunds(by.id, code, view.day, before + amount)
    sums: tuple[tuple[Literal["payment", "day"], int | None, int], ...] = (
        ("payment", by.most, refunded.refunded),
        ("day", by.most_a_day, counted.refunded),
    )
    for per, most, would_be in sums:
        limit = would_be if most is None else of_hundredths(most, unit)
        if would_be > limit:
            raise RefundAboveLimit(refunded.id, per, limit, would_be, amount, code)
    return Write(STAFF_REFUNDS, counted)


def take_back(view: View, payment: Payment, given: Refund, amount: int) -> Step:
    """Take a refund back, in full or in part, because its till never heard that it was given.

    The person must still have it: raises `InsufficientFunds`.
    """
    allowed(payment, Command.TAKE_BACK, view.now)
    payer, payee = parties(payment, currency(payment.currency))
    account = view.account(payer)
    if amount > account.available:
        raise InsufficientFunds(account.id, max(0, account.available), amount)
    taken = RefundReversal(given.id, payment.id, amount, payment.currency, view.now)
    back = Transfer(payer, payee, amount, TransferCode.REFUND, payment.id)
    more = msgspec.structs.replace(payment, refunded=payment.refunded - amount, updated_at=view.now)
    reserved = more.pending_id is not None
    status = Status.AUTHORISED if reserved else ended(more, Status.CAPTURED)
    restored = changed(more, Command.TAKE_BACK, status)
    return Step(restored, (back,), "payment.refund_reversed", (Write(REFUND_REVERSALS, taken),))
