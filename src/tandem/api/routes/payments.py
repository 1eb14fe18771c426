"""Payments, as merchants take them."""

from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import (
    Body,
    Call,
    ListQuery,
    Page,
    PageAfter,
    PageLimit,
    Query,
    operation,
    page,
)
from tandem.api.routes.approve import ApprovedBy, refunder
from tandem.codes import PayCodeExpired, PayCodeInvalid, PayCodeMalformed, PayCodeUsed
from tandem.kernel import MAX_AMOUNT, NOTE_LENGTH, Invalid, NotFound, currency, read_id, show_id
from tandem.ledger import Outcome
from tandem.merchants import Way, WayRefused
from tandem.payments import (
    At,
    Capture,
    CaptureExceedsAuthorised,
    CodePaused,
    CurrencyNotTaken,
    Lines,
    MerchantNotActive,
    NewPayment,
    PaymentConflict,
    PaymentFilter,
    Payments,
    PaymentView,
    RefundAboveLimit,
    RefundExceedsCaptured,
    RefundNotCovered,
    RefundView,
    Source,
    Status,
    Tip,
    merchant_view,
    refund_view,
    write_lines,
)
from tandem.signin import ApprovalRefused, Approvals, Approver, Deed, PasskeyRefused

DAY = 86_400

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the currency", examples=[3800])
]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
ShopId = Annotated[
    str, Meta(description="The shop", examples=["shp_0199f0a4c0de70008000000000000003"])
]
TillId = Annotated[
    str, Meta(description="The till", examples=["til_0199f0a4c0de70008000000000000004"])
]
Text = Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH)]


class Services(Protocol):
    """What these operations use."""

    @property
    def payments(self) -> Payments:
        """The use cases of payments."""
        ...

    @property
    def approvals(self) -> Approvals:
        """Asks managers to approve."""
        ...


class CreatePayment(Body, frozen=True, kw_only=True):
    """A payment to take: an order whose code the person scans, or by the code a person shows.

    Give a `shop_id` or a `till_id`. With `pay_code` the person's code has been read and the
    payment is made at once; without, the answer has the token of a code to show.
    """

    amount: Amount
    currency: CurrencyCode
    shop_id: ShopId | None = None
    till_id: Annotated[str | None, Meta(description="The till, instead of a shop")] = None
    pay_code: Annotated[
        str | None,
        Meta(description="The 18 digits that the person shows"),
    ] = None
    way: Annotated[
        Way,
        Meta(
            description="How the person pays; an order for `tap` waits for a terminal of its till",
            examples=["scan"],
        ),
    ] = "scan"
    capture: Annotated[
        Literal["automatic", "manual"],
        Meta(description="manual: only authorise, and capture later", examples=["automatic"]),
    ] = "automatic"
    order_reference: Annotated[
        Text | None, Meta(description="Your own reference", examples=["order-1027"])
    ] = None
    description: Annotated[
        Text | None, Meta(description="What the person reads", examples=["Two coffees"])
    ] = None
    tip: Tip = 0
    lines: Lines = ()
    expires_seconds: (
        Annotated[
            int,
            Meta(
                ge=10,
                le=30 * DAY,
                description="How long an order's code can be paid; not with `pay_code`",
                examples=[900],
            ),
        ]
        | None
    ) = None


class CapturePayment(Body, frozen=True, kw_only=True):
    """How much of an authorised payment to take."""

    amount: Annotated[Amount | None, Meta(description="All that is left if not given")] = None
    final: Annotated[
        bool, Meta(description="Release what is left instead of keeping it reserved")
    ] = False


class CreateRefund(Body, frozen=True, kw_only=True):
    """How much of a captured payment to give back."""

    amount: Annotated[Amount | None, Meta(description="All that is left if not given")] = None
    reason: Annotated[Text | None, Meta(examples=["One coffee was cold"])] = None
    approval: ApprovedBy = None


class PaymentChoice(Query, frozen=True):
    """Which payments are meant."""

    shop_id: ShopId | None = None
    till_id: TillId | None = None
    status: Annotated[Status | None, Meta(description="Only payments in this state")] = None
    order_reference: Annotated[
        Text | None, Meta(description="Only payments with your reference")
    ] = None
    way: Annotated[Way | None, Meta(description="Only payments in this way")] = None
    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None, Meta(description="ISO 4217 code")
    ] = None
    least: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_AMOUNT)] | None,
        Meta(description="Only of this amount or more, in minor units"),
    ] = None
    most: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_AMOUNT)] | None,
        Meta(description="Only of this amount or less, in minor units"),
    ] = None
    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Only those made then or later (RFC 3339 with its offset)"),
    ] = None
    until: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Only those made before then")
    ] = None
    paid: Annotated[
        bool | None, Meta(description="Only those of which something was captured, or nothing")
    ] = None
    text: Annotated[
        Text | None,
        Meta(
            description=(
                "Only those whose reference or description has this in it; looks through the last "
                "92 days, unless `since` says how far"
            )
        ),
    ] = None

    def wanted(self) -> PaymentFilter:
        """As a filter. Raises `Invalid`."""
        return PaymentFilter(
            shop_id=None if self.shop_id is None else read_id("shp", self.shop_id, "shop_id"),
            till_id=None if self.till_id is None else read_id("til", self.till_id, "till_id"),
            status=None if self.status is None else self.status.value,
            order_reference=self.order_reference,
            way=self.way,
            currency=self.currency,
            least=self.least,
            most=self.most,
            since=self.since,
            until=self.until,
            paid=self.paid,
            text=self.text,
        )


class PaymentQuery(PaymentChoice, frozen=True):
    """Which payments to list, a page at a time."""

    limit: PageLimit = 20
    after: PageAfter = None

    def after_id(self) -> UUID | None:
        """The cursor as an id. Raises `Invalid` if it isn't one."""
        return None if self.after is None else read_id("pay", self.after, "after")


@operation(
    "POST",
    "/v1/payments",
    tag="Payments",
    summary="Take a payment",
    who=("merchant",),
    scope="payments:write",
    status=201,
    idempotency="required",
    answer=PaymentView,
    in_volume=True,
    errors=(
        NotFound,
        WayRefused,
        CurrencyNotTaken,
        MerchantNotActive,
        PayCodeMalformed,
        PayCodeInvalid,
        PayCodeExpired,
        PayCodeUsed,
        CodePaused,
    ),
)
async def create_payment(call: Call[Services], body: CreatePayment) -> Outcome:
    """Create an order whose code a person scans, or pay by the code that a person shows.

    By a pay code the payment is `captured` (or `authorised`), `waiting` while the person confirms
    a large amount, or `declined` with a reason. A way that the shop does not accept is refused
    with the ways that remain.
    """
    at = _place(call.principal.owner_id, body)
    if body.pay_code is not None and body.expires_seconds is not None:
        raise Invalid("expires_seconds", "is for an order; a pay code pays at once")
    if body.tip and body.capture == "manual":
        raise Invalid("tip", "is for what is captured at once: the shift that takes it counts it")
    new = NewPayment(
        amount=body.amount,
        currency=currency(body.currency).code,
        way=_way(body),
        source=Source.ORDER if body.pay_code is None else Source.PAY_CODE,
        capture=Capture(body.capture),
        order_reference=body.order_reference,
        description=body.description,
        tip=body.tip,
        lines=write_lines(body.lines, body.tip, body.amount),
    )
    if body.pay_code is not None:
        return await call.services.payments.pay_with_code(at, new, body.pay_code, call.idempotency)
    return await call.services.payments.create_order(
        at, new, call.idempotency, expires_seconds=body.expires_seconds
    )


@operation(
    "GET",
    "/v1/payments",
    tag="Payments",
    summary="List payments",
    who=("merchant",),
    scope="payments:read",
)
async def list_payments(call: Call[Services], query: PaymentQuery) -> Page[PaymentView]:
    """The merchant's payments, newest first, filtered as asked."""
    rows = await call.services.payments.list_of_merchant(
        call.principal.owner_id, query.wanted(), query.after_id(), query.limit + 1
    )
    return page(rows, query.limit, merchant_view)


@operation(
    "GET",
    "/v1/payments/{payment_id}",
    tag="Payments",
    summary="Get a payment",
    who=("merchant",),
    scope="payments:read",
    errors=(NotFound,),
)
async def get_payment(call: Call[Services], payment_id: UUID) -> PaymentView:
    """A payment of the merchant's as it is now."""
    return merchant_view(
        await call.services.payments.of_merchant(call.principal.owner_id, payment_id)
    )


@operation(
    "POST",
    "/v1/payments/{payment_id}/capture",
    tag="Payments",
    summary="Capture an authorised payment",
    who=("merchant",),
    scope="payments:write",
    idempotency="required",
    answer=PaymentView,
    in_volume=True,
    errors=(NotFound, PaymentConflict, CaptureExceedsAuthorised),
)
async def capture_payment(call: Call[Services], payment_id: UUID, body: CapturePayment) -> Outcome:
    """Take what is authorised, in full or in part.

    After a part the rest stays reserved, unless the capture is `final`.
    """
    return await call.services.payments.capture(
        call.principal.owner_id, payment_id, body.amount, call.idempotency, final=body.final
    )


@operation(
    "POST",
    "/v1/payments/{payment_id}/cancel",
    tag="Payments",
    summary="Cancel a payment",
    who=("merchant",),
    scope="payments:write",
    idempotency="required",
    answer=PaymentView,
    errors=(NotFound, PaymentConflict),
)
async def cancel_payment(call: Call[Services], payment_id: UUID) -> Outcome:
    """Cancel what was not captured. What was captured is refunded instead."""
    return await call.services.payments.cancel(
        call.principal.owner_id, payment_id, call.idempotency
    )


@operation(
    "POST",
    "/v1/payments/{payment_id}/refunds",
    tag="Payments",
    summary="Refund a payment",
    who=("merchant",),
    scope="refunds:write",
    status=201,
    idempotency="required",
    answer=RefundView,
    errors=(
        NotFound,
        PaymentConflict,
        RefundExceedsCaptured,
        RefundNotCovered,
        RefundAboveLimit,
        ApprovalRefused,
        PasskeyRefused,
    ),
)
async def create_refund(call: Call[Services], payment_id: UUID, body: CreateRefund) -> Outcome:
    """Give back what was captured, in full or in parts, also while the rest is still reserved.

    The fee is not given back. Staff gives back as much of one payment, and in a day, as they may;
    `refund_above_limit` says how a manager or an owner approves more: by their passkey, for this
    amount of this payment. It goes by the limits of who approves, and counts in their day.
    """
    principal = call.principal

    async def give(approver: Approver | None) -> Outcome:
        amount = body.amount
        if amount is None and approver is not None:
            amount = approver.amount
        by = refunder(principal, approver)
        return await call.services.payments.refund(
            principal.owner_id, payment_id, amount, body.reason, call.idempotency, by=by
        )

    wanted = Deed("refund", show_id("pay", payment_id), body.amount)
    return await call.services.approvals.doing(principal, wanted, body.approval, give)


@operation(
    "GET",
    "/v1/payments/{payment_id}/refunds",
    tag="Payments",
    summary="List a payment's refunds",
    who=("merchant",),
    scope="payments:read",
    errors=(NotFound,),
)
async def list_refunds(
    call: Call[Services], payment_id: UUID, query: ListQuery
) -> Page[RefundView]:
    """The refunds of a payment, newest first."""
    rows = await call.services.payments.refunds(
        call.principal.owner_id, payment_id, query.after_id("ref"), query.limit + 1
    )
    return page(rows, query.limit, refund_view)


def _place(merchant_id: UUID, body: CreatePayment) -> At:
    if (body.shop_id is None) == (body.till_id is None):
        raise Invalid("shop_id", "give either a shop_id or a till_id")
    return At(
        merchant_id,
        None if body.shop_id is None else read_id("shp", body.shop_id, "shop_id"),
        None if body.till_id is None else read_id("til", body.till_id, "till_id"),
    )


def _way(body: CreatePayment) -> Way:
    if body.pay_code is not None and body.way != "scan":
        raise Invalid("way", "a pay code is scanned")
    return body.way


OPERATIONS = (
    create_payment,
    list_payments,
    get_payment,
    capture_payment,
    cancel_payment,
    create_refund,
    list_refunds,
)
