"""The wallet, as people use it: paying codes, sending and asking for money, history."""

from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Body, Call, ListQuery, Page, Query, operation, page
from tandem.kernel import MAX_AMOUNT, Invalid, NotFound, currency
from tandem.ledger import InsufficientFunds, Outcome
from tandem.merchants import WayRefused
from tandem.payments import (
    Capture,
    CodeOfAnotherOperator,
    Command,
    CurrencyNotTaken,
    MerchantNotActive,
    NewPayment,
    NotYourPayment,
    Payment,
    PaymentConflict,
    Payments,
    PersonPaymentView,
    Source,
    person_view,
)
from tandem.people import LimitExceeded, PayerNotActive
from tandem.wallet import (
    HistoryLine,
    MoneyRequest,
    PersonNotActive,
    RequestClosed,
    RequestView,
    Send,
    SendsToSelf,
    SendView,
    Wallet,
    WalletView,
    request_view,
    send_view,
)

DAY = 86_400
PAYING = (
    NotFound,
    PaymentConflict,
    NotYourPayment,
    WayRefused,
    CurrencyNotTaken,
    MerchantNotActive,
    PayerNotActive,
    LimitExceeded,
    InsufficientFunds,
)

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the currency", examples=[2500])
]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
Message = Annotated[str, Meta(min_length=1, max_length=140, examples=["Lunch"])]
Handle = Annotated[
    str,
    Meta(
        pattern="^@?[a-z0-9][a-z0-9_.]{1,30}$",
        description="The other person's handle",
        examples=["@mei"],
    ),
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


class Services(Protocol):
    """What these operations use."""

    @property
    def payments(self) -> Payments:
        """The use cases of payments."""
        ...

    @property
    def wallet(self) -> Wallet:
        """The use cases of the wallet."""
        ...


class ScanCode(Body, frozen=True, kw_only=True):
    """A code that the person scanned."""

    code: ScannedText


class PayCodeOfShop(Body, frozen=True, kw_only=True):
    """A static code with the amount that the person typed, or an order's code."""

    code: ScannedText
    amount: Annotated[
        Amount | None, Meta(description="For a static code; an order has its own")
    ] = None
    currency: CurrencyCode | None = None


class SendMoney(Body, frozen=True, kw_only=True):
    """Money for another person."""

    to: Handle
    amount: Amount
    currency: CurrencyCode
    message: Message | None = None


class AskForMoney(Body, frozen=True, kw_only=True):
    """A request for money from another person."""

    of: Handle
    amount: Amount
    currency: CurrencyCode
    message: Message | None = None
    expires_seconds: Annotated[int, Meta(ge=60, le=90 * DAY, examples=[86400])] | None = None


class HistoryQuery(Query, frozen=True):
    """Which movements to read."""

    currency: CurrencyCode = "CNY"
    limit: Annotated[int, Meta(ge=1, le=100, description="The most lines", examples=[20])] = 20
    after: (
        Annotated[int, Meta(ge=1, le=2**53, description="The `next` of the page before")] | None
    ) = None


class Scanned(msgspec.Struct, frozen=True):
    """What a scanned code stands for: a shop where the person types the amount, or an order."""

    kind: Annotated[Literal["shop", "order"], Meta(examples=["order"])]
    merchant: Annotated[str, Meta(examples=["Blue Door"])]
    shop: Annotated[str, Meta(examples=["Blue Door, East Gate"])]
    payment: Annotated[
        PersonPaymentView | None, Meta(description="The order, now waiting for this person")
    ]
    currencies: Annotated[list[str], Meta(description="What the shop takes", examples=[["CNY"]])]


class History(msgspec.Struct, frozen=True):
    """A page of the movements of a balance."""

    data: list[HistoryLine]
    has_more: bool
    next: Annotated[int | None, Meta(description="The cursor to pass as `after`")]


@operation("GET", "/v1/wallet", tag="Wallet", summary="See the balances", who=("person",))
async def get_wallet(call: Call[Services]) -> WalletView:
    """The person's balance in each currency, with limits and what counts against them today."""
    return await call.services.wallet.view(call.principal.owner_id)


@operation("GET", "/v1/wallet/history", tag="Wallet", summary="Read the history", who=("person",))
async def get_history(call: Call[Services], query: HistoryQuery) -> History:
    """The movements of a balance, newest first, with the balance after each."""
    code = currency(query.currency).code
    lines = await call.services.wallet.history(
        call.principal.owner_id, code, query.after, query.limit + 1
    )
    shown, more = lines[: query.limit], len(lines) > query.limit
    return History(shown, more, shown[-1].number if more else None)


@operation(
    "POST",
    "/v1/wallet/scans",
    tag="Wallet",
    summary="Scan a shop's code",
    who=("person",),
    idempotency="optional",
    errors=(NotFound, CodeOfAnotherOperator, PaymentConflict, NotYourPayment, PayerNotActive),
)
async def scan_code(call: Call[Services], body: ScanCode) -> Scanned:
    """Say what a scanned code stands for. An order waits for this person from now on."""
    found = await call.services.payments.read_code(body.code)
    if not isinstance(found, Payment):
        place = found.place
        return Scanned("shop", place.merchant_name, place.shop_name, None, sorted(place.currencies))
    outcome = await call.services.payments.by_person(
        call.principal.owner_id, found.id, Command.SCAN, None
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
    answer=PersonPaymentView,
    errors=(*PAYING, CodeOfAnotherOperator),
)
async def pay_code(call: Call[Services], body: PayCodeOfShop) -> Outcome:
    """Pay a static code with the amount that the person typed, or an order by its code."""
    payments, person_id = call.services.payments, call.principal.owner_id
    found = await payments.read_code(body.code)
    if isinstance(found, Payment):
        if body.amount not in (None, found.amount) or body.currency not in (None, found.currency):
            raise Invalid("amount", "this code is for an order with an amount of its own")
        return await payments.by_person(person_id, found.id, Command.APPROVE, call.idempotency)
    if body.amount is None or body.currency is None:
        raise Invalid("amount", "type the amount and its currency for this shop's code")
    new = NewPayment(
        amount=body.amount,
        currency=currency(body.currency).code,
        way="scan",
        source=Source.STATIC_CODE,
        capture=Capture.AUTOMATIC,
    )
    key = found.place.till_code_token or found.place.shop_code_token
    return await payments.pay_static(person_id, key, new, call.idempotency)


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
    "/v1/wallet/payments/{payment_id}/approve",
    tag="Wallet",
    summary="Approve a payment",
    who=("person",),
    idempotency="required",
    answer=PersonPaymentView,
    errors=PAYING,
)
async def approve_payment(call: Call[Services], payment_id: UUID) -> Outcome:
    """Agree to a payment that waits for the person."""
    return await call.services.payments.by_person(
        call.principal.owner_id, payment_id, Command.APPROVE, call.idempotency
    )


@operation(
    "POST",
    "/v1/wallet/payments/{payment_id}/decline",
    tag="Wallet",
    summary="Decline a payment",
    who=("person",),
    idempotency="required",
    answer=PersonPaymentView,
    errors=(NotFound, PaymentConflict, NotYourPayment),
)
async def decline_payment(call: Call[Services], payment_id: UUID) -> Outcome:
    """Do not agree to a payment that waits for the person."""
    return await call.services.payments.by_person(
        call.principal.owner_id, payment_id, Command.DECLINE, call.idempotency
    )


@operation(
    "POST",
    "/v1/wallet/sends",
    tag="Wallet",
    summary="Send money",
    who=("person",),
    status=201,
    idempotency="required",
    answer=SendView,
    errors=(
        NotFound,
        SendsToSelf,
        PersonNotActive,
        PayerNotActive,
        LimitExceeded,
        InsufficientFunds,
    ),
)
async def send_money(call: Call[Services], body: SendMoney) -> Outcome:
    """Send money to another person, at once."""
    wallet = call.services.wallet
    receiver_id = await wallet.person_by_handle(body.to)
    return await wallet.send(
        call.principal.owner_id,
        receiver_id,
        body.amount,
        body.currency,
        body.message,
        call.idempotency,
    )


@operation(
    "GET",
    "/v1/wallet/sends",
    tag="Wallet",
    summary="List sends",
    who=("person",),
)
async def list_sends(call: Call[Services], query: ListQuery) -> Page[SendView]:
    """What the person sent and received, newest first."""
    person_id = call.principal.owner_id
    rows = await call.services.wallet.sends(person_id, query.after_id("snd"), query.limit + 1)

    def show(send: Send) -> SendView:
        return send_view(send, person_id)

    return page(rows, query.limit, show)


@operation(
    "GET",
    "/v1/wallet/sends/{send_id}",
    tag="Wallet",
    summary="Get a send",
    who=("person",),
    errors=(NotFound,),
)
async def get_send(call: Call[Services], send_id: UUID) -> SendView:
    """Money that the person sent or received."""
    return await call.services.wallet.sent(call.principal.owner_id, send_id)


@operation(
    "POST",
    "/v1/wallet/requests",
    tag="Wallet",
    summary="Ask for money",
    who=("person",),
    status=201,
    idempotency="required",
    answer=RequestView,
    errors=(NotFound, SendsToSelf, PersonNotActive),
)
async def ask_for_money(call: Call[Services], body: AskForMoney) -> Outcome:
    """Ask another person for money; they accept, decline or let it expire."""
    wallet = call.services.wallet
    payer_id = await wallet.person_by_handle(body.of)
    return await wallet.ask(
        call.principal.owner_id,
        payer_id,
        body.amount,
        body.currency,
        body.message,
        call.idempotency,
        expires_seconds=body.expires_seconds,
    )


@operation(
    "GET",
    "/v1/wallet/requests",
    tag="Wallet",
    summary="List requests for money",
    who=("person",),
)
async def list_requests(call: Call[Services], query: ListQuery) -> Page[RequestView]:
    """The requests that the person made or received, newest first."""
    person_id = call.principal.owner_id
    rows = await call.services.wallet.requests(person_id, query.after_id("req"), query.limit + 1)

    def show(request: MoneyRequest) -> RequestView:
        return request_view(request, person_id)

    return page(rows, query.limit, show)


@operation(
    "GET",
    "/v1/wallet/requests/{request_id}",
    tag="Wallet",
    summary="Get a request for money",
    who=("person",),
    errors=(NotFound,),
)
async def get_request(call: Call[Services], request_id: UUID) -> RequestView:
    """A request that the person made or received."""
    return await call.services.wallet.request(call.principal.owner_id, request_id)


@operation(
    "POST",
    "/v1/wallet/requests/{request_id}/accept",
    tag="Wallet",
    summary="Accept a request for money",
    who=("person",),
    idempotency="required",
    answer=RequestView,
    errors=(
        NotFound,
        RequestClosed,
        PersonNotActive,
        PayerNotActive,
        LimitExceeded,
        InsufficientFunds,
    ),
)
async def accept_request(call: Call[Services], request_id: UUID) -> Outcome:
    """Send what was asked for."""
    return await call.services.wallet.accept(call.principal.owner_id, request_id, call.idempotency)


@operation(
    "POST",
    "/v1/wallet/requests/{request_id}/decline",
    tag="Wallet",
    summary="Decline a request for money",
    who=("person",),
    idempotency="required",
    answer=RequestView,
    errors=(NotFound, RequestClosed),
)
async def decline_request(call: Call[Services], request_id: UUID) -> Outcome:
    """Do not send what was asked for."""
    return await call.services.wallet.close(
        call.principal.owner_id, request_id, "declined", call.idempotency
    )


@operation(
    "POST",
    "/v1/wallet/requests/{request_id}/cancel",
    tag="Wallet",
    summary="Withdraw a request for money",
    who=("person",),
    idempotency="required",
    answer=RequestView,
    errors=(NotFound, RequestClosed),
)
async def cancel_request(call: Call[Services], request_id: UUID) -> Outcome:
    """Withdraw a request that one made."""
    return await call.services.wallet.close(
        call.principal.owner_id, request_id, "cancelled", call.idempotency
    )


OPERATIONS = (
    pay_code,
    get_wallet,
    get_history,
    scan_code,
    list_my_payments,
    get_my_payment,
    approve_payment,
    decline_payment,
    send_money,
    list_sends,
    get_send,
    ask_for_money,
    list_requests,
    get_request,
    accept_request,
    decline_request,
    cancel_request,
)
