"""What checkout is asked for, and what it shows: to merchants, and to whoever has a page's link."""

from datetime import date, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tandem.checkout.model import (
    EMAIL_LENGTH,
    NAME_LENGTH,
    OPEN,
    Invoice,
    InvoiceStatus,
    Line,
    Lines,
    Link,
    Locale,
    Metadata,
    Session,
    shown_status,
)
from tandem.checkout.origins import MAX_ORIGINS, MAX_URL
from tandem.kernel import MAX_AMOUNT, NOTE_LENGTH, show_id
from tandem.payments import Payment, Status

DAY: Final = 86_400

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the currency", examples=[3800])
]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
ShopId = Annotated[
    str, Meta(description="The shop", examples=["shp_0199f0a4c0de70008000000000000003"])
]
Note = Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH)]
Description = Annotated[
    Note, Meta(description="What the person reads", examples=["Two flat whites"])
]
Reference = Annotated[Note, Meta(description="Your own reference", examples=["order-1027"])]
Url = Annotated[str, Meta(min_length=1, max_length=MAX_URL)]
SuccessUrl = Annotated[
    Url,
    Meta(
        description="Where the person returns once it is paid, with the signed result",
        examples=["https://shop.example/thanks"],
    ),
]
CancelUrl = Annotated[
    Url,
    Meta(
        description="Where they return if they leave it, with the signed result",
        examples=["https://shop.example/cart"],
    ),
]
Origins = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=MAX_URL)], ...],
    Meta(max_length=MAX_ORIGINS, examples=[["https://shop.example"]]),
]
LanguageCode = Annotated[
    Locale | None,
    Meta(description="The page's language; if not given, the browser's", examples=["en"]),
]
StatusName = Annotated[
    str,
    Meta(
        description="Of its payment",
        examples=["created"],
        extra_json_schema={"enum": [status.value for status in Status]},
    ),
]
PageUrl = Annotated[
    str,
    Meta(
        description="The hosted page. Whoever has it may read and pay it",
        examples=["https://pay.example/checkout/s/Zm9vYmFyYmF6cXV4MTIz"],
    ),
]
Token = Annotated[str, Meta(examples=["Zm9vYmFyYmF6cXV4MTIz"])]
SessionId = Annotated[str, Meta(examples=["chs_0199f0a4c0de70008000000000000040"])]
PaymentId = Annotated[str, Meta(examples=["pay_0199f0a4c0de7000800000000000002a"])]
Moment = Annotated[datetime, Meta(description="RFC 3339, UTC")]


class CreateSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order to be paid on a hosted page."""

    shop_id: ShopId
    amount: Amount
    currency: CurrencyCode
    description: Description | None = None
    lines: Annotated[Lines, Meta(description="If given, they come to the amount")] = ()
    order_reference: Reference | None = None
    success_url: SuccessUrl | None = None
    cancel_url: CancelUrl | None = None
    locale: LanguageCode = None
    capture: Annotated[
        Literal["automatic", "manual"],
        Meta(description="manual: only authorise, and capture later", examples=["automatic"]),
    ] = "automatic"
    expires_seconds: (
        Annotated[
            int, Meta(ge=60, le=30 * DAY, description="How long it can be paid", examples=[1800])
        ]
        | None
    ) = None
    metadata: Annotated[Metadata, Meta(description="Your own notes; nobody else sees them")] = {}


class CheckoutView(msgspec.Struct, frozen=True):
    """A checkout session as its merchant sees it."""

    id: SessionId
    url: PageUrl
    status: StatusName
    payment_id: PaymentId
    shop_id: ShopId
    amount: Amount
    currency: CurrencyCode
    description: str | None
    lines: Lines
    order_reference: str | None
    success_url: str | None
    cancel_url: str | None
    locale: LanguageCode
    metadata: Metadata
    link_id: Annotated[str | None, Meta(description="The payment link that made it")]
    invoice_id: Annotated[str | None, Meta(description="The invoice that it pays")]
    expires_at: Annotated[datetime | None, Meta(description="When it can be paid no more")]
    created_at: Moment


class InvoiceOfPage(msgspec.Struct, frozen=True):
    """Which invoice a page is for."""

    number: Annotated[int, Meta(examples=[17])]
    due_on: Annotated[date, Meta(examples=["2026-06-01"])]
    path: Annotated[
        str,
        Meta(description="The invoice's own page", examples=["/checkout/i/Zm9vYmFyYmF6cXV4MTIz"]),
    ]


class CheckoutPage(msgspec.Struct, frozen=True):
    """What whoever has the link of a checkout page may know, and no more."""

    merchant: Annotated[str, Meta(description="As the operator knows it", examples=["Blue Door"])]
    shop: Annotated[str, Meta(examples=["Blue Door, East Gate"])]
    amount: Amount
    currency: CurrencyCode
    description: str | None
    lines: Lines
    status: StatusName
    decline_reason: Annotated[
        str | None,
        Meta(description="declined_by_person or payer_cannot_pay", examples=[None]),
    ]
    ways: Annotated[
        tuple[Literal["scan", "click"], ...],
        Meta(description="What the shop takes it by now", examples=[["scan", "click"]]),
    ]
    code: Annotated[
        str | None, Meta(description="The text of the order's code, while it can be scanned")
    ]
    wallet_path: Annotated[
        str | None,
        Meta(
            description="Where this Tandem's wallet pays it, while it can be clicked",
            examples=["/wallet/c/YmFyYmF6cXV4MTIzZm9v"],
        ),
    ]
    return_url: Annotated[
        str | None, Meta(description="Where to return now, with the result in it")
    ]
    result: Annotated[
        str | None,
        Meta(description="The signed result of this moment; none without settings of checkout"),
    ]
    frame_origins: Annotated[
        Origins, Meta(description="Who may frame the page; its policy says the same")
    ]
    locale: LanguageCode
    invoice: InvoiceOfPage | None
    expires_at: datetime | None
    updated_at: Moment


class OpenedPage(msgspec.Struct, frozen=True):
    """A checkout page that was opened for a visitor."""

    token: Token
    path: Annotated[str, Meta(examples=["/checkout/s/Zm9vYmFyYmF6cXV4MTIz"])]


class VisitLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a visitor of a payment link pays."""

    amount: Annotated[
        Amount | None, Meta(description="For a link without an amount of its own")
    ] = None


class CheckoutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where checkout may return to, and who may show it in a frame."""

    return_origins: Annotated[
        Origins, Meta(description="Origins that success_url and cancel_url may be of")
    ] = ()
    frame_origins: Annotated[Origins, Meta(description="Origins that may frame the page")] = ()


class RollResultSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the new secret begins to sign."""

    at_once: Annotated[bool, Meta(description="Not in an hour: the present one is known")] = False


class ResultSecret(msgspec.Struct, frozen=True):
    """A secret that signs results, shown this once."""

    secret: Annotated[str, Meta(examples=["chk_…"])]
    key_id: Annotated[
        str, Meta(description="`kid` in the header of results", examples=["1f0a9c3d"])
    ]
    signs_from: Moment


class CreateLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link that is paid many times. Without an `amount` the person types one."""

    shop_id: ShopId
    description: Description
    currency: CurrencyCode
    amount: Annotated[Amount | None, Meta(examples=[3800])] = None
    min_amount: Annotated[Amount | None, Meta(examples=[None])] = None
    max_amount: Annotated[Amount | None, Meta(examples=[None])] = None
    order_reference: Reference | None = None
    success_url: SuccessUrl | None = None
    max_payments: (
        Annotated[
            int, Meta(ge=1, le=1_000_000, description="How often it can be paid", examples=[30])
        ]
        | None
    ) = None
    ends_at: (
        Annotated[
            datetime, Meta(tz=True, description="Until when", examples=["2026-06-01T00:00:00Z"])
        ]
        | None
    ) = None


class UpdateLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of a link; what is not given stays. What it costs stays: make another one."""

    active: Annotated[bool | UnsetType, Meta(description="Off: it takes no payment")] = UNSET
    description: Description | UnsetType = UNSET
    max_payments: Annotated[int, Meta(ge=1, le=1_000_000)] | UnsetType | None = UNSET
    ends_at: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET


class LinkView(msgspec.Struct, frozen=True):
    """A payment link as its merchant sees it."""

    id: Annotated[str, Meta(examples=["lnk_0199f0a4c0de70008000000000000041"])]
    url: Annotated[
        str,
        Meta(
            description="To send, to print, to put on a page",
            examples=["https://pay.example/checkout/l/YmF6cXV4MTIzZm9vYmFy"],
        ),
    ]
    active: bool
    closed: Annotated[
        Literal["off", "over", "used_up"] | None,
        Meta(description="Why it takes no payment now", examples=[None]),
    ]
    shop_id: ShopId
    description: Annotated[str, Meta(examples=["Two flat whites"])]
    currency: CurrencyCode
    amount: Annotated[int | None, Meta(examples=[3800])]
    min_amount: int | None
    max_amount: int | None
    order_reference: str | None
    success_url: str | None
    max_payments: int | None
    ends_at: datetime | None
    paid: Annotated[int, Meta(description="How often it was paid", examples=[4])]
    created_at: Moment
    updated_at: Moment


class LinkPage(msgspec.Struct, frozen=True):
    """What a visitor of a payment link sees."""

    merchant: Annotated[str, Meta(examples=["Blue Door"])]
    shop: Annotated[str, Meta(examples=["Blue Door, East Gate"])]
    description: Annotated[str, Meta(examples=["Two flat whites"])]
    currency: CurrencyCode
    amount: Annotated[int | None, Meta(description="None: the visitor types it", examples=[3800])]
    min_amount: int | None
    max_amount: int | None
    closed: Annotated[Literal["off", "over", "used_up"] | None, Meta(examples=[None])]


class CreateInvoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft of an invoice. Its amount is what its lines come to."""

    shop_id: ShopId
    customer_name: Annotated[
        str, Meta(min_length=1, max_length=NAME_LENGTH, examples=["Harbour Bakery"])
    ]
    customer_email: (
        Annotated[
            str,
            Meta(
                min_length=3,
                max_length=EMAIL_LENGTH,
                description="Kept as text; nothing is sent there",
                examples=["books@harbour.example"],
            ),
        ]
        | None
    ) = None
    description: Description | None = None
    order_reference: Reference | None = None
    lines: Annotated[Lines, Meta(min_length=1)]
    currency: CurrencyCode
    due_on: Annotated[date, Meta(description="The last day to pay it", examples=["2026-06-01"])]


class UpdateInvoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of a draft; what is not given stays."""

    customer_name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH)] | UnsetType = UNSET
    customer_email: (
        Annotated[str, Meta(min_length=3, max_length=EMAIL_LENGTH)] | UnsetType | None
    ) = UNSET
    description: Note | UnsetType | None = UNSET
    order_reference: Note | UnsetType | None = UNSET
    lines: Annotated[Lines, Meta(min_length=1)] | UnsetType = UNSET
    due_on: date | UnsetType = UNSET


class InvoiceView(msgspec.Struct, frozen=True):
    """An invoice as its merchant sees it."""

    id: Annotated[str, Meta(examples=["inv_0199f0a4c0de70008000000000000042"])]
    number: Annotated[
        int | None,
        Meta(description="Given when it is opened, each merchant's without gaps", examples=[17]),
    ]
    status: Annotated[InvoiceStatus, Meta(examples=["open"])]
    url: Annotated[
        str | None,
        Meta(
            description="Its page, once it is open",
            examples=["https://pay.example/checkout/i/cXV4MTIzZm9vYmFyYmF6"],
        ),
    ]
    shop_id: ShopId
    customer_name: Annotated[str, Meta(examples=["Harbour Bakery"])]
    customer_email: str | None
    description: str | None
    order_reference: str | None
    lines: Lines
    amount: Amount
    currency: CurrencyCode
    due_on: Annotated[date, Meta(examples=["2026-06-01"])]
    payment_id: Annotated[str | None, Meta(description="Its newest payment")]
    opened_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    created_at: Moment
    updated_at: Moment


class InvoicePage(msgspec.Struct, frozen=True):
    """What whoever has an invoice's link sees: the invoice, and its receipt once it is paid."""

    merchant: Annotated[str, Meta(examples=["Blue Door"])]
    shop: Annotated[str, Meta(examples=["Blue Door, East Gate"])]
    number: Annotated[int, Meta(examples=[17])]
    status: Annotated[InvoiceStatus, Meta(examples=["open"])]
    customer_name: Annotated[str, Meta(examples=["Harbour Bakery"])]
    description: str | None
    lines: Lines
    amount: Amount
    currency: CurrencyCode
    due_on: Annotated[date, Meta(examples=["2026-06-01"])]
    opened_at: datetime | None
    paid_at: datetime | None
    payment_id: Annotated[str | None, Meta(description="Which payment paid it")]


def page_url(public_url: str, kind: Literal["s", "l", "i"], token: str) -> str:
    """The address of a hosted page: of a session, a link or an invoice."""
    return f"{public_url}/checkout/{kind}/{token}"


def read_lines(text: str) -> tuple[Line, ...]:
    """Lines as they were stored."""
    return msgspec.json.decode(text, type=tuple[Line, ...])


def checkout_view(session: Session, payment: Payment, public_url: str) -> CheckoutView:
    """A session for its merchant."""
    ended = payment.status not in OPEN
    until = payment.order_expires_at or payment.expires_at
    return CheckoutView(
        show_id("chs", session.id),
        page_url(public_url, "s", session.token),
        payment.status,
        show_id("pay", session.payment_id),
        show_id("shp", payment.shop_id),
        payment.amount,
        payment.currency,
        payment.description,
        read_lines(session.lines),
        payment.order_reference,
        session.success_url,
        session.cancel_url,
        msgspec.convert(session.locale, Locale | None),
        msgspec.json.decode(session.metadata, type=dict[str, str]),
        None if session.link_id is None else show_id("lnk", session.link_id),
        None if session.invoice_id is None else show_id("inv", session.invoice_id),
        None if ended else until,
        session.created_at,
    )


def link_view(link: Link, paid: int, closed: str | None, public_url: str) -> LinkView:
    """A link for its merchant."""
    return LinkView(
        show_id("lnk", link.id),
        page_url(public_url, "l", link.token),
        link.active,
        msgspec.convert(closed, Literal["off", "over", "used_up"] | None),
        show_id("shp", link.shop_id),
        link.description,
        link.currency,
        link.amount,
        link.min_amount,
        link.max_amount,
        link.order_reference,
        link.success_url,
        link.max_payments,
        link.ends_at,
        paid,
        link.created_at,
        link.updated_at,
    )


def invoice_view(invoice: Invoice, payment_status: str | None, public_url: str) -> InvoiceView:
    """An invoice for its merchant."""
    i = invoice
    return InvoiceView(
        show_id("inv", i.id),
        i.number,
        shown_status(i, payment_status),
        None if i.number is None else page_url(public_url, "i", i.token),
        show_id("shp", i.shop_id),
        i.customer_name,
        i.customer_email,
        i.description,
        i.order_reference,
        read_lines(i.lines),
        i.amount,
        i.currency,
        i.due_on,
        None if i.payment_id is None else show_id("pay", i.payment_id),
        i.opened_at,
        i.paid_at,
        i.voided_at,
        i.created_at,
        i.updated_at,
    )
