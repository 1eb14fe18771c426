"""A payment as the API, its events and its webhooks show it: to the merchant, and to the person.

The merchant does not see who paid beyond a masked name; the person does not see the fee.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tandem.kernel import show_id
from tandem.ledger import InsufficientFunds
from tandem.merchants import WAYS
from tandem.payments.lines import LineItem, read_lines
from tandem.payments.model import Capture, Payment, Refund, RefundNow, Source, Status
from tandem.people import Limits, PayerNotActive

_SHOWN_LETTERS: Final = 3

BY_PERSON: Final = "declined_by_person"
CANNOT_PAY: Final = "payer_cannot_pay"
"""What a merchant is told instead of any other reason (docs/decisions/0011)."""
WHY_NOT: Final = (
    InsufficientFunds.code,
    *(f"limit_{which}" for which in Limits.__struct_fields__),
    PayerNotActive.code,
)
"""What keeps a wallet from paying, as the person is told (`entries.PayWithCode`)."""
OF_TAPS: Final = (
    *("card_not_active", "card_suspended", "card_lost", "card_blocked", "card_expired"),
    *("cryptogram_wrong", "cryptogram_replayed", "counter_ahead", "cryptogram_kind"),
    "declined_by_card",
    *("amount_differs", "currency_differs", "type_differs", "date_differs"),
    *("not_a_gate", "not_verified", "device_out_of_use", "currency_not_funded"),
    *("issuer_away", "issuer_silent", "issuer_declined", "issuer_funds", "issuer_limit"),
    *("issuer_card_expired", "reversed"),
)
"""What keeps a tap from paying besides (docs/cards.md, docs/issuers.md)."""

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
        description="Where it is in its life",
        examples=["captured"],
        extra_json_schema={"enum": [status.value for status in Status]},
    ),
]
WayName = Annotated[
    str,
    Meta(
        description="How the person came by it",
        examples=["scan"],
        extra_json_schema={"enum": list(WAYS)},
    ),
]
MerchantReason = Annotated[str, Meta(extra_json_schema={"enum": [BY_PERSON, CANNOT_PAY]})]
PersonReason = Annotated[str, Meta(extra_json_schema={"enum": [BY_PERSON, *WHY_NOT, *OF_TAPS]})]
Moment = Annotated[datetime, Meta(description="RFC 3339, UTC")]
Until = Annotated[
    datetime | None,
    Meta(
        description=(
            "When the state that it is in ends by itself: an order or a reservation expires; an "
            "order that waits for somebody who scanned it is open to others again"
        )
    ),
]


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
    way: WayName
    source: Annotated[
        str,
        Meta(
            description="What it began with",
            examples=["pay_code"],
            extra_json_schema={"enum": [source.value for source in Source]},
        ),
    ]
    capture: Annotated[
        str,
        Meta(
            description="Whether what is authorised is captured at once, or later by you",
            examples=["automatic"],
            extra_json_schema={"enum": [capture.value for capture in Capture]},
        ),
    ]
    shop_id: Annotated[str, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])]
    till_id: str | None
    payer: Annotated[str | None, Meta(description="The person's name, masked", examples=["L**"])]
    order_reference: Annotated[str | None, Meta(description="The merchant's own reference")]
    description: str | None
    decline_reason: Annotated[
        MerchantReason | None,
        Meta(
            description=(
                f"Why it was declined: {BY_PERSON}, the person said no; {CANNOT_PAY}, their wallet "
                "does not pay this amount now, and only they are told why"
            ),
            examples=[None],
        ),
    ]
    code_token: Annotated[
        str | None, Meta(description="The code's token: the path /c/{token} shows it")
    ]
    expires_at: Until
    created_at: Moment
    updated_at: Moment
    tip: Annotated[int, Meta(description="What of the amount is a tip, in minor units")] = 0
    lines: Annotated[
        tuple[LineItem, ...], Meta(description="What it is for; none if that was not said")
    ] = ()
    order_id: Annotated[
        str | None,
        Meta(description="The order that a tap at its till paid; it was cancelled for this one"),
    ] = None


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
    way: WayName
    description: str | None
    decline_reason: Annotated[
        PersonReason | None,
        Meta(
            description="Why it was declined: you said no, or what kept the wallet from paying",
            examples=[None],
        ),
    ]
    expires_at: Until
    created_at: Moment
    updated_at: Moment
    tip: Annotated[int, Meta(description="What of the amount is a tip, in minor units")] = 0
    lines: Annotated[
        tuple[LineItem, ...], Meta(description="What it is for; none if that was not said")
    ] = ()


class CardTapView(msgspec.Struct, frozen=True):
    """A tap of a device card, as the device that made it sees it."""

    counter: Annotated[
        int, Meta(description="The card's number of it, which counts (ATC)", examples=[17])
    ]
    payment: PersonPaymentView
    issuer_answer: Annotated[
        str | None,
        Meta(
            description="The vault's proved answer for the card, in Base64: Issuer Authentication "
            "Data as TLV (91). None if it is not kept any more",
            examples=["kQgBI0VnggAAgA=="],
        ),
    ]


class RefundView(msgspec.Struct, frozen=True):
    """A refund."""

    id: Annotated[str, Meta(examples=["ref_0199f0a4c0de7000800000000000002b"])]
    payment_id: PaymentId
    amount: Amount
    currency: CurrencyCode
    reason: str | None
    reversed: Annotated[
        int,
        Meta(
            description="What a till took back of it, which never heard that it was given, in "
            "minor units"
        ),
    ]
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
        p.decline_reason if p.decline_reason in (None, BY_PERSON) else CANNOT_PAY,
        p.code_token,
        p.expires_at,
        p.created_at,
        p.updated_at,
        p.tip,
        read_lines(p.lines),
        None if p.order_id is None else show_id("pay", p.order_id),
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
        p.tip,
        read_lines(p.lines),
    )


def refund_view(refund: Refund) -> RefundView:
    """The refund for its merchant."""
    back = refund.reversed if isinstance(refund, RefundNow) else 0
    return RefundView(
        show_id("ref", refund.id),
        show_id("pay", refund.payment_id),
        refund.amount,
        refund.currency,
        refund.reason,
        back,
        refund.created_at,
    )
