"""Every type of event: who is told, when, and what object its data is.

The one place that knows all of them: rooms announce, and do not know each other's views. The
OpenAPI document, its webhooks and docs/reference/events.md are made from it.

`tandem api events` prints docs/reference/events.md.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from tandem.cards import CardView
from tandem.checkout import InvoiceView
from tandem.events import EndpointTest
from tandem.packets import PacketView
from tandem.payments import PaymentView, PersonPaymentView
from tandem.screening import MessageView
from tandem.settlement import CorrectionView, PayoutView, WithdrawalView
from tandem.tags import TagView
from tandem.wallet import RequestView, SendView, TopUpView


class EventKind(NamedTuple):
    """A type of event. `merchant` and `person` are what its data is for each; None: not told."""

    when: str
    merchant: type[msgspec.Struct] | None = None
    person: type[msgspec.Struct] | None = None

    @property
    def shapes(self) -> tuple[type[msgspec.Struct], ...]:
        """What its data can be."""
        return tuple(shape for shape in (self.merchant, self.person) if shape is not None)


def _payment(when: str) -> EventKind:
    return EventKind(when, PaymentView, PersonPaymentView)


KINDS: Final[Mapping[str, EventKind]] = {
    "payment.created": EventKind("an order can be paid by its code", PaymentView),
    "payment.waiting": _payment("the payment waits for the person"),
    "payment.reopened": _payment(
        "the person who had scanned the order let it go or took too long; its code can be scanned "
        "again"
    ),
    "payment.authorised": _payment("the amount is reserved"),
    "payment.captured": _payment("the amount was paid, or a part of it"),
    "payment.refunded": _payment("some or all of it was given back"),
    "payment.reduced": _payment("a till took a part of the reserved amount back"),
    "payment.refund_reversed": _payment(
        "a till took a refund back, or a part of it: it never heard that the refund was given"
    ),
    "payment.cancelled": _payment("the merchant cancelled it before anything was paid"),
    "payment.declined": _payment("it will not be paid; `decline_reason` says why"),
    "payment.expired": _payment(
        "nobody paid in time, or nothing of the reserved amount was captured in time"
    ),
    "payment.released": _payment(
        "a part had been paid, and the rest is reserved no more: it was cancelled, or its time was "
        "over"
    ),
    "invoice.opened": EventKind("the invoice has its number and can be paid", InvoiceView),
    "invoice.paid": EventKind("it was paid; the payment tells of itself, too", InvoiceView),
    "invoice.overdue": EventKind("the day on which it was due is over", InvoiceView),
    "invoice.voided": EventKind("the merchant took it back", InvoiceView),
    "payout.made": EventKind("the operator sent the merchant's money to its bank", PayoutView),
    "payout.corrected": EventKind(
        "a payout was booked wrongly or bounced: the merchant has its money again", CorrectionView
    ),
    "tag.blocked": EventKind(
        "too many wrong links of a rolling tag came one after another: nobody pays at it until it "
        "is resumed",
        TagView,
    ),
    "webhook.test": EventKind(
        "the merchant has it sent to an endpoint to try it; the data says to which",
        EndpointTest,
    ),
    "send.sent": EventKind("the person sent money to another", person=SendView),
    "send.received": EventKind("another person sent them money", person=SendView),
    "packet.made": EventKind("the person put money into a red packet", person=PacketView),
    "packet.received": EventKind("a red packet is for them, by name", person=PacketView),
    "packet.opened": EventKind(
        "a share was opened: told to its maker and to who opened it", person=PacketView
    ),
    "packet.emptied": EventKind(
        "the last share was opened: told to its maker and to those who have one",
        person=PacketView,
    ),
    "packet.expired": EventKind(
        "its time is over, and what was left is its maker's again: told as above",
        person=PacketView,
    ),
    "packet.cancelled": EventKind("its maker has taken it back", person=PacketView),
    "request.received": EventKind("another person asks them for money", person=RequestView),
    "request.accepted": EventKind("a request was accepted: the money moved", person=RequestView),
    "request.declined": EventKind("a request was declined", person=RequestView),
    "request.cancelled": EventKind("who asked has withdrawn the request", person=RequestView),
    "request.expired": EventKind("nobody answered the request in time", person=RequestView),
    "request.reminded": EventKind("who asks reminds them of the request", person=RequestView),
    "message.held": EventKind(
        "what they wrote with money is hidden: it looks like spam or fraud", person=MessageView
    ),
    "message.released": EventKind(
        "a message that they wrote, or that came to them, is shown now", person=MessageView
    ),
    "message.rejected": EventKind(
        "the operator decided that what they wrote stays hidden", person=MessageView
    ),
    "top_up.received": EventKind("money came in from outside", person=TopUpView),
    "top_up.corrected": EventKind(
        "a top-up was booked wrongly: it was taken back, or a part of it", person=CorrectionView
    ),
    "withdrawal.made": EventKind("the person's money went to their bank", person=WithdrawalView),
    "withdrawal.corrected": EventKind(
        "a withdrawal was booked wrongly or bounced: the person has their money again",
        person=CorrectionView,
    ),
    "card.added": EventKind("a device card was added and waits for its proof", person=CardView),
    "card.active": EventKind("the card can pay", person=CardView),
    "card.suspended": EventKind("the card pays no more until it is resumed", person=CardView),
    "card.lost": EventKind("its device was reported lost: it pays no more", person=CardView),
    "card.blocked": EventKind(
        "the operator blocked it, or too many wrong cryptograms came", person=CardView
    ),
    "card.removed": EventKind("the card was removed", person=CardView),
    "card.refused": EventKind("adding it was refused", person=CardView),
    "card.replaced": EventKind("a renewed card has taken its place", person=CardView),
    "card.funded": EventKind("it pays from another balance now", person=CardView),
}
"""All types, in the order of the reference."""

_INTRODUCTION: Final = """\
# Events

What merchants and people are told, as a list (`GET /v1/events`), live (`GET /v1/events/stream`) and
by [webhook](../webhooks.md) (merchants). `data` is the object as it was then, in the form in which
the API shows it to whoever is told; the [OpenAPI document](openapi.json) has each form.

This page is printed by `tandem api events`; a test compares it.

| Type | When | Data for a merchant | Data for a person |
|---|---|---|---|
"""


def reference() -> str:
    """docs/reference/events.md: every type with who is told, when, and what its data is."""
    return _INTRODUCTION + "".join(
        f"| `{name}` | {kind.when} | {_shown(kind.merchant)} | {_shown(kind.person)} |\n"
        for name, kind in KINDS.items()
    )


def _shown(shape: type[msgspec.Struct] | None) -> str:
    return "" if shape is None else f"`{shape.__name__}`"
