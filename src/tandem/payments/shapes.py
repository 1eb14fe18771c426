"""A payment as the API, its events and its webhooks show it: to the merchant, and to the person.

The merchant does not see who paid beyond a masked name; the person does not see the fee.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tandem.kernel import show_id
from tandem.payments.model import Payment, Refund

_SHOWN_LETTERS: Final = 3

Amount = Annotated[int, Meta(description="Minor units of the currency", examples=[3800])]
CurrencyCode = Annotated[
    str, Meta(description="ISO 4217 code", pattern="^[A-Z]{3}$", examples=["CNY"])
]
PaymentId = Annotated[
    str, Meta(description="Payment id", examples=["pay_0199f0a4c0de7000800000000000002a"])
]
StatusName = Annotated[
    str,
    Meta(
        description=(
            "created, waiting, authorised, captured, partially_refunded, refunded, cancelled, "
            "declined or expired"
        ),
        examples=["captured"],
    ),
]
Moment = Annotated[datetime, Meta(description="RFC 3339, UTC")]


class PaymentView(msgspec.Struct, frozen=True):
    """A payment as its merchant sees it."""

    id: PaymentId
    status: StatusName
    amount: Amount
    currency: CurrencyCode
    authorised: Amount
    captured: Amount
    refunded: Amount
    fee: Annotated[int, Meta(description="What the merchant paid for it, in minor units")]
    way: Annotated[str, Meta(description="tap, scan or click", examples=["scan"])]
    source: Annotated[
        str, Meta(description="order, static_code, pay_code or device_card", examples=["pay_code"])
    ]
    capture: Annotated[str, Meta(description="automatic or manual", examples=["automatic"])]
    shop_id: str
    till_id: str | None
    payer: Annotated[str | None, Meta(description="The person's name, masked", examples=["L**"])]
    order_reference: Annotated[str | None, Meta(description="The merchant's own reference")]
    description: str | None
    decline_reason: Annotated[str | None, Meta(description="Why it was declined, a stable code")]
    code_token: Annotated[
        str | None, Meta(description="The code's token: the path /c/{token} shows it")
    ]
    expires_at: Moment | None
    created_at: Moment
    updated_at: Moment


class PersonPaymentView(msgspec.Struct, frozen=True):
    """A payment as the person who pays sees it."""

    id: PaymentId
    status: StatusName
    amount: Amount
    currency: CurrencyCode
    captured: Amount
    refunded: Amount
    merchant: Annotated[str, Meta(description="The merchant's name", examples=["Blue Door"])]
    shop: Annotated[str, Meta(description="The shop's name", examples=["Blue Door, East Gate"])]
    way: Annotated[str, Meta(description="tap, scan or click", examples=["scan"])]
    description: str | None
    decline_reason: str | None
    expires_at: Moment | None
    created_at: Moment
    updated_at: Moment


class RefundView(msgspec.Struct, frozen=True):
    """A refund."""

    id: Annotated[str, Meta(examples=["ref_0199f0a4c0de7000800000000000002b"])]
    payment_id: PaymentId
    amount: Amount
    currency: CurrencyCode
    reason: str | None
    created_at: Moment


def masked(name: str | None) -> str | None:
    """A name of which only the first letter is shown."""
    if name is None:
        return None
    return name[:1] + "*" * min(len(name) - 1, _SHOWN_LETTERS)


def merchant_view(payment: Payment) -> PaymentView:
    """The payment for its merchant."""
    p = payment
    return PaymentView(
        show_id("pay", p.id),
        p.status,
        p.amount,
        p.currency,
        p.authorised,
        p.captured,
        p.refunded,
        p.fee,
        p.way,
        p.source,
        p.capture,
        show_id("shp", p.shop_id),
        None if p.till_id is None else show_id("til", p.till_id),
        masked(p.payer_name),
        p.order_reference,
        p.description,
        p.decline_reason,
        p.code_token,
        p.expires_at,
        p.created_at,
        p.updated_at,
    )


def person_view(payment: Payment) -> PersonPaymentView:
    """The payment for the person who pays."""
    p = payment
    return PersonPaymentView(
        show_id("pay", p.id),
        p.status,
        p.amount,
        p.currency,
        p.captured,
        p.refunded,
        p.merchant_name,
        p.shop_name,
        p.way,
        p.description,
        p.decline_reason,
        p.expires_at,
        p.created_at,
        p.updated_at,
    )


def refund_view(refund: Refund) -> RefundView:
    """The refund for its merchant."""
    return RefundView(
        show_id("ref", refund.id),
        show_id("pay", refund.payment_id),
        refund.amount,
        refund.currency,
        refund.reason,
        refund.created_at,
    )
