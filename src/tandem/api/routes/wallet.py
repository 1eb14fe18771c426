"""The wallet, as people use it: balances, history, sending and asking for money."""

from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Body, Call, ListQuery, Page, Query, operation, page_of
from tandem.api.routes.confirm import ConfirmedBy
from tandem.kernel import MAX_AMOUNT, NOTE_LENGTH, NotFound, currency
from tandem.ledger import InsufficientFunds, Outcome
from tandem.people import Confirmed, LimitExceeded, PasskeyNeeded, PayerNotActive
from tandem.signin import Consents, PasskeyRefused
from tandem.wallet import (
    HistoryLine,
    LineType,
    PersonNotActive,
    RequestClosed,
    RequestView,
    SendsToSelf,
    SendView,
    TopUpDetails,
    Wallet,
    WalletView,
    Wanted,
)

DAY = 86_400

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the currency", examples=[2500])
]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
Message = Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH, examples=["Lunch"])]
Handle = Annotated[
    str,
    Meta(
        pattern="^@?[a-z0-9][a-z0-9_.]{1,30}$",
        description="The other person's handle",
        examples=["@mei"],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def wallet(self) -> Wallet:
        """The use cases of the wallet."""
        ...

    @property
    def consents(self) -> Consents:
        """Asks for passkeys."""
        ...


class SendMoney(Body, frozen=True, kw_only=True):
    """Money for another person."""

    to: Handle
    amount: Amount
    currency: CurrencyCode
    message: Message | None = None
    assertion: ConfirmedBy = None


class AcceptRequest(Body, frozen=True, kw_only=True):
    """How the person confirmed it, if their passkey was asked for."""

    assertion: ConfirmedBy = None


class AskForMoney(Body, frozen=True, kw_only=True):
    """A request for money from another person."""

    of: Handle
    amount: Amount
    currency: CurrencyCode
    message: Message | None = None
    expires_seconds: Annotated[int, Meta(ge=60, le=90 * DAY, examples=[86400])] | None = None


Moment = Annotated[datetime, Meta(tz=True)]


class HistoryQuery(Query, frozen=True):
    """Which movements to read; of several conditions all must hold."""

    currency: Annotated[
        CurrencyCode | None,
        Meta(description="The balance; if left out, the first that `/v1/wallet` shows"),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="The most lines", examples=[20])] = 20
    after: (
        Annotated[int, Meta(ge=1, le=2**53, description="The `next` of the page before")] | None
    ) = None
    search: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(
            description="Only those that have this in the other side's name, the message or the "
            "id of what is behind them, in any case; or whose amount begins with it",
            examples=["coffee"],
        ),
    ] = None
    type: Annotated[
        LineType | None, Meta(description="Only those of this type", examples=["refund"])
    ] = None
    since: Annotated[Moment | None, Meta(description="Not before this moment")] = None
    until: Annotated[Moment | None, Meta(description="Before this moment")] = None


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
    """The movements of a balance, newest first, with the balance after each.

    A search looks at 2000 movements for one page: it may have fewer lines than `limit`, or none,
    while `has_more` says that there are further ones to look at.
    """
    code = None if query.currency is None else currency(query.currency).code
    wanted = Wanted(
        text=query.search,
        types=frozenset() if query.type is None else frozenset((query.type,)),
        since=query.since,
        until=query.until,
    )
    lines, further = await call.services.wallet.look_through(
        call.principal.owner_id, code, query.after, query.limit, wanted
    )
    return History(lines, further is not None, further)


@operation(
    "GET",
    "/v1/wallet/top-up-details",
    tag="Wallet",
    summary="See how to top up",
    who=("person",),
)
async def get_top_up_details(call: Call[Services]) -> TopUpDetails:
    """The operator's bank accounts, and the reference that brings a transfer into this wallet.

    The operator books what came in; until then nothing is in the wallet.
    """
    return call.services.wallet.top_up_details(call.principal.owner_id)


@operation(
    "POST",
    "/v1/wallet/sends",
    tag="Wallet",
    summary="Send money",
    who=("person",),
    status=201,
    idempotency="required",
    in_volume=True,
    answer=SendView,
    errors=(
        NotFound,
        SendsToSelf,
        PersonNotActive,
        PayerNotActive,
        LimitExceeded,
        InsufficientFunds,
        PasskeyNeeded,
        PasskeyRefused,
    ),
)
async def send_money(call: Call[Services], body: SendMoney) -> Outcome:
    """Send money to another person, at once.

    Above what the person asks for it, their passkey confirms it: `passkey_needed` says what to
    sign, and the same request with the `assertion` is done.
    """
    person_id = call.principal.owner_id

    async def send(confirmed: Confirmed | None) -> Outcome:
        return await call.services.wallet.send(
            person_id,
            body.to,
            body.amount,
            body.currency,
            body.message,
            call.idempotency,
            confirmed=confirmed,
            client=call.client,
        )

    return await call.services.consents.paying(person_id, body.assertion, send)


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
    return page_of(rows, query.limit)


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
    in_volume=True,
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
        client=call.client,
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
    return page_of(rows, query.limit)


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
    in_volume=True,
    answer=RequestView,
    errors=(
        NotFound,
        RequestClosed,
        PersonNotActive,
        PayerNotActive,
        LimitExceeded,
        InsufficientFunds,
        PasskeyNeeded,
        PasskeyRefused,
    ),
)
async def accept_request(call: Call[Services], request_id: UUID, body: AcceptRequest) -> Outcome:
    """Send what was asked for; confirmed by the passkey as a send is."""
    person_id = call.principal.owner_id

    async def accept(confirmed: Confirmed | None) -> Outcome:
        return await call.services.wallet.accept(
            person_id, request_id, call.idempotency, confirmed=confirmed
        )

    return await call.services.consents.paying(person_id, body.assertion, accept)


@operation(
    "POST",
    "/v1/wallet/requests/{request_id}/decline",
    tag="Wallet",
    summary="Decline a request for money",
    who=("person",),
    idempotency="required",
    in_volume=True,
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
    in_volume=True,
    answer=RequestView,
    errors=(NotFound, RequestClosed),
)
async def cancel_request(call: Call[Services], request_id: UUID) -> Outcome:
    """Withdraw a request that one made."""
    return await call.services.wallet.close(
        call.principal.owner_id, request_id, "cancelled", call.idempotency
    )


OPERATIONS = (
    get_wallet,
    get_history,
    get_top_up_details,
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
