"""A tap in the place of an order: the order is cancelled in the entry that pays. Pure.

The life cycle of the order decides: what was paid, cancelled or is over, or what somebody else is
paying just now, takes no tap. So an order that is on a screen as a code and at a reader at once is
paid once, whoever comes first.
"""

import msgspec

from tandem.kernel import NotFound, show_id
from tandem.ledger import View, Write
from tandem.payments.decisions import Shop, release, told, written
from tandem.payments.errors import PaymentTaken
from tandem.payments.model import PAYMENTS, Command, NewPayment, Payment, Status, allowed, lapsed
from tandem.people import PersonTerms


def of_order(new: NewPayment, order: Payment | None) -> NewPayment:
    """A tap with what is known of the order that it pays."""
    if order is None:
        return new
    return msgspec.structs.replace(
        new,
        order_reference=order.order_reference,
        description=order.description,
        tip=order.tip,
        lines=order.lines,
        order_id=order.id,
    )


def payable(view: View, read: Payment, payer: PersonTerms) -> Payment:
    """The order as it is now, if this person may pay it by a tap.

    Raises `PaymentConflict`, and `PaymentTaken` while somebody else is paying it.
    """
    order = view.row(PAYMENTS, read.id)
    if order is None:
        raise NotFound("payment", show_id("pay", read.id))
    if lapsed(order, view.now):
        order = msgspec.structs.replace(
            order,
            status=Status.CREATED.value,
            person_id=None,
            payer_name=None,
            expires_at=order.order_expires_at,
            order_expires_at=None,
        )
    allowed(order, Command.APPROVE, view.now)
    if order.person_id not in (None, payer.id):
        raise PaymentTaken(order.expires_at)
    return order


def replaced(view: View, shop: Shop, order: Payment) -> tuple[Write, ...]:
    """The rows by which a payable order makes room for the tap that pays it."""
    step = release(view, order, Command.CANCEL)
    return written(view, shop.endpoints, step, told(step.payment))
