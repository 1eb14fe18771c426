"""Paying at a shop, as people do: scanning its codes, agreeing to payments or not."""

from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Body, Call, ListQuery, Page, operation, page
from tandem.api.routes.confirm import ConfirmedBy
from tandem.codes import CodeDamaged, NotEmvco
from tandem.kernel import MAX_AMOUNT, Invalid, NotFound, currency
from tandem.ledger import InsufficientFunds, Outcome
from tandem.merchants import OfferedWay, WayRefused
from tandem.payments import (
    Capture,
    CodeOfAnotherOperator,
    Command,
    CurrencyNotTaken,
    MerchantNotActive,
    NewPayment,
    Payment,
    PaymentConflict,
    Payments,
    PaymentTaken,
    PersonPaymentView,
    Source,
    Tapped,
    person_view,
)
from tandem.people import Confirmed, LimitExceeded, PasskeyNeeded, PayerNotActive
from tandem.signin import Consents, PasskeyRefused
from tandem.tags import TagOff, TagTapOver, TagTapUsed, TagWrong

TAPPING = (TagWrong, TagTapUsed, TagTapOver, TagOff)
SCANNING = (CodeDamaged, NotEmvco, CodeOfAnotherOperator, *TAPPING)
PAYING = (
    NotFound,
    PaymentConflict,
    PaymentTaken,
    WayRefused,
    CurrencyNotTaken,
    MerchantNotActive,
    PayerNotActive,
    LimitExceeded,
    InsufficientFunds,
    PasskeyNeeded,
    PasskeyRefused,
)

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the currency", examples=[2500])
]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
ScannedText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        description="What the camera read: the code's whole text",
        examples=["http://127.0.0.1:8080/c/Zm9vYmFyYmF6cXV4MTIz"],
    ),
]
CameBy = Annotated[
    OfferedWay,
    Meta(
        description=(
            "How the phone came by it: scan, its camera read a code; click, a link or a button was "
            "opened. Only a link can be clicked. The shop's policy for this way holds"
        ),
        examples=["scan"],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def payments(self) -> Payments:
        """The use cases of payments."""
        ...

    @property
    def consents(self) -> Consents:
        """Asks for passkeys."""
        ...


class ScanCode(Body, frozen=True, kw_only=True):
    """A code that the person scanned, or a shop's link that they opened."""

    code: ScannedText
    way: CameBy = "scan"


class PayCodeOfShop(Body, frozen=True, kw_only=True):
    """A static code with the amount that the person typed, or an order's code."""

    code: ScannedText
    way: CameBy = "scan"
    amount: Annotated[
        Amount | None, Meta(description="For a static code; an order has its own")
    ] = None
    currency: CurrencyCode | None = None
    assertion: ConfirmedBy = None


class ApprovePayment(Body, frozen=True, kw_only=True):
    """How the person confirmed it, if their passkey was asked for."""

    assertion: ConfirmedBy = None


class Scanned(msgspec.Struct, frozen=True):
    """What a scanned code stands for: a shop where the person types the amount, or an order."""

    kind: Annotated[Literal["shop", "order"], Meta(examples=["order"])]
    merchant: Annotated[str, Meta(examples=["Blue Door"])]
    shop: Annotated[str, Meta(examples=["Blue Door, East Gate"])]
    payment: Annotated[
        PersonPaymentView | None, Meta(description="The order, now waiting for this person")
    ]
    currencies: Annotated[list[str], Meta(description="What the shop takes", examples=[["CNY"]])]


@operation(
    "POST",
    "/v1/wallet/scans",
    tag="Wallet",
    summary="Scan a shop's code",
    who=("person",),
    idempotency="optional",
    in_volume=True,
    errors=(
        NotFound,
        *SCANNING,
        PaymentConflict,
        PaymentTaken,
        WayRefused,
        CurrencyNotTaken,
        MerchantNotActive,
        PayerNotActive,
    ),
)
async def scan_code(call: Call[Services], body: ScanCode) -> Scanned:
    """Say what a scanned code stands for. An order waits for this person from now on.

    The link of a shop's rolling tag is this person's from now on, for a few minutes and one
    payment. Nobody else can open it.
    """
    found = await call.services.payments.scan(call.principal.owner_id, body.code, body.way)
    if not isinstance(found, Payment):
        place = (found.shop if isinstance(found, Tapped) else found).place
        return Scanned("shop", place.merchant_name, place.shop_name, None, sorted(place.currencies))
    outcome = await call.services.payments.by_person(
        call.principal.owner_id, found.id, Command.SCAN, None, way=body.way
    )
    view = msgspec.json.decode(outcome.body, type=PersonPaymentView)
    return Scanned("order", view.merchant, view.shop, view, [view.currency])


@operation(
    "POST",
    "/v1/wallet/payments",
    tag="Wallet",
    summary="Pay a shop's code",
    who=("person",),
    status=201,
    idempotency="required",
    in_volume=True,
    answer=PersonPaymentView,
    errors=(*PAYING, *SCANNING),
)
async def pay_code(call: Call[Services], body: PayCodeOfShop) -> Outcome:
    """Pay a static code or a tapped tag with the amount that was typed, or an order by its code.

    Above what the person asks for it, their passkey confirms it: `passkey_needed` says what to
    sign, and the same request with the `assertion` is done.
    """
    payments, person_id = call.services.payments, call.principal.owner_id
    paying = call.services.consents.paying
    found = await payments.read_code(person_id, body.code, body.way)
    if isinstance(found, Payment):
        if body.amount not in (None, found.amount) or body.currency not in (None, found.currency):
            raise Invalid("amount", "this code is for an order with an amount of its own")

        async def approve(confirmed: Confirmed | None) -> Outcome:
            return await payments.by_person(
                person_id,
                found.id,
                Command.APPROVE,
                call.idempotency,
                way=body.way,
                confirmed=confirmed,
            )

        return await paying(person_id, body.assertion, approve)
    if body.amount is None or body.currency is None:
        raise Invalid("amount", "type the amount and its currency for this shop's code")
    new = NewPayment(
        amount=body.amount,
        currency=currency(body.currency).code,
        way=body.way,
        source=Source.STATIC_CODE,
        capture=Capture.AUTOMATIC,
    )
    tap = found.tap if isinstance(found, Tapped) else None
    place = (found.shop if isinstance(found, Tapped) else found).place
    key = place.till_code_token or place.shop_code_token

    async def pay(confirmed: Confirmed | None) -> Outcome:
        return await payments.pay_static(
            person_id, key, new, call.idempotency, tap=tap, confirmed=confirmed
        )

    return await paying(person_id, body.assertion, pay)


@operation("GET", "/v1/wallet/payments", tag="Wallet", summary="List my payments", who=("person",))
async def list_my_payments(call: Call[Services], query: ListQuery) -> Page[PersonPaymentView]:
    """The person's payments, newest first."""
    rows = await call.services.payments.list_of_person(
        call.principal.owner_id, query.after_id("pay"), query.limit + 1
    )
    return page(rows, query.limit, person_view)


@operation(
    "GET",
    "/v1/wallet/payments/{payment_id}",
    tag="Wallet",
    summary="Get a payment of mine",
    who=("person",),
    errors=(NotFound,),
)
async def get_my_payment(call: Call[Services], payment_id: UUID) -> PersonPaymentView:
    """A payment that waits for the person or that they made."""
    return person_view(await call.services.payments.of_person(call.principal.owner_id, payment_id))


@operation(
    "POST",
    "/v1/wallet/payments/{payment_id}/leave",
    tag="Wallet",
    summary="Leave an order",
    who=("person",),
    idempotency="required",
    in_volume=True,
    answer=PersonPaymentView,
    errors=(NotFound, PaymentConflict, PaymentTaken),
)
async def leave_payment(call: Call[Services], payment_id: UUID) -> Outcome:
    """Let an order go that one has scanned: whoever scans it next may pay it."""
    return await call.services.payments.by_person(
        call.principal.owner_id, payment_id, Command.LEAVE, call.idempotency
    )


@operation(
    "POST",
    "/v1/wallet/payments/{payment_id}/approve",
    tag="Wallet",
    summary="Approve a payment",
    who=("person",),
    idempotency="required",
    in_volume=True,
    answer=PersonPaymentView,
    errors=PAYING,
)
async def approve_payment(call: Call[Services], payment_id: UUID, body: ApprovePayment) -> Outcome:
    """Agree to a payment that waits for the person; confirmed by the passkey as a code is."""
    person_id = call.principal.owner_id

    async def approve(confirmed: Confirmed | None) -> Outcome:
        return await call.services.payments.by_person(
            person_id, payment_id, Command.APPROVE, call.idempotency, confirmed=confirmed
        )

    return await call.services.consents.paying(person_id, body.assertion, approve)


@operation(
    "POST",
    "/v1/wallet/payments/{payment_id}/decline",
    tag="Wallet",
    summary="Decline a payment",
    who=("person",),
    idempotency="required",
    in_volume=True,
    answer=PersonPaymentView,
    errors=(NotFound, PaymentConflict, PaymentTaken),
)
async def decline_payment(call: Call[Services], payment_id: UUID) -> Outcome:
    """Do not agree to a payment that waits for the person: it is over. An order can be left."""
    return await call.services.payments.by_person(
        call.principal.owner_id, payment_id, Command.DECLINE, call.idempotency
    )


OPERATIONS = (
    pay_code,
    scan_code,
    list_my_payments,
    get_my_payment,
    leave_payment,
    approve_payment,
    decline_payment,
)
