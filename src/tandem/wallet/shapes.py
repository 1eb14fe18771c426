"""The wallet as the API and its events show it."""

from datetime import datetime
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.kernel import show_id
from tandem.screening import State, seen
from tandem.wallet.model import REQUEST_STATES, MoneyRequest, Send, TopUp

LineType = Literal[
    "payment", "refund", "send", "top_up", "withdrawal", "correction", "reserved", "released"
]
"""What a line of a person's history can be."""
LINE_TYPES: Final[tuple[str, ...]] = get_args(LineType)

Amount = Annotated[int, Meta(description="Minor units of the currency", examples=[2500])]
CurrencyCode = Annotated[
    str, Meta(description="ISO 4217 code", pattern="^[A-Z]{3}$", examples=["CNY"])
]
Moment = Annotated[datetime, Meta(description="RFC 3339, UTC")]


class BalanceView(msgspec.Struct, frozen=True):
    """A balance in one currency."""

    currency: CurrencyCode
    balance: Annotated[int, Meta(description="What is there, in minor units", examples=[10000])]
    available: Annotated[int, Meta(description="What may be spent: less what is reserved")]
    reserved: Annotated[int, Meta(description="Authorised and not captured yet")]
    spent_today: Annotated[int, Meta(description="What counts against today's limit")]
    limit_per_payment: int
    limit_per_day: int


class WalletView(msgspec.Struct, frozen=True):
    """A person's wallet: a balance in each currency."""

    balances: list[BalanceView]


class SendView(msgspec.Struct, frozen=True):
    """Money sent from one person to another."""

    id: Annotated[str, Meta(examples=["snd_0199f0a4c0de7000800000000000002c"])]
    direction: Annotated[
        str, Meta(examples=["sent"], extra_json_schema={"enum": ["sent", "received"]})
    ]
    other: Annotated[str, Meta(description="The other person's name", examples=["Mei"])]
    amount: Amount
    currency: CurrencyCode
    message: str | None
    message_state: State
    request_id: str | None
    created_at: Moment


class RequestView(msgspec.Struct, frozen=True):
    """A request for money."""

    id: Annotated[str, Meta(examples=["req_0199f0a4c0de7000800000000000002d"])]
    direction: Annotated[
        str, Meta(examples=["asked"], extra_json_schema={"enum": ["asked", "received"]})
    ]
    other: Annotated[str, Meta(description="The other person's name", examples=["Lin"])]
    amount: Amount
    currency: CurrencyCode
    message: str | None
    message_state: State
    status: Annotated[
        str, Meta(examples=["open"], extra_json_schema={"enum": list(REQUEST_STATES)})
    ]
    send_id: str | None
    expires_at: Moment | None
    created_at: Moment
    updated_at: Moment


class TopUpView(msgspec.Struct, frozen=True):
    """Money that came into a wallet from outside."""

    id: Annotated[str, Meta(examples=["top_0199f0a4c0de7000800000000000002e"])]
    amount: Amount
    currency: CurrencyCode
    reference: Annotated[str, Meta(description="The bank's reference", examples=["BANK-2026-77"])]
    created_at: Moment
    corrected: Annotated[
        int, Meta(description="What was taken back of it, since it was booked wrongly")
    ]


class HistoryLine(msgspec.Struct, frozen=True):
    """A movement of a balance, with the balance after it."""

    number: Annotated[int, Meta(description="Its place in the account's order; the cursor")]
    type: Annotated[
        str,
        Meta(
            description=(
                "reserved and released are amounts that are authorised and given free, which do "
                "not change the balance"
            ),
            examples=["payment"],
            extra_json_schema={"enum": list(LINE_TYPES)},
        ),
    ]
    change: Annotated[int, Meta(description="Plus for in, minus for out", examples=[-3800])]
    reserved: Annotated[int, Meta(description="Plus: reserved by this; minus: paid or given free")]
    balance: Annotated[int, Meta(description="The balance after it", examples=[6200])]
    currency: CurrencyCode
    with_name: Annotated[str | None, Meta(description="The other side", examples=["Blue Door"])]
    message: str | None
    message_state: State
    object_id: Annotated[str | None, Meta(description="The payment, send or top-up behind it")]
    created_at: Moment


def send_view(send: Send, person_id: UUID, state: str) -> SendView:
    """The send as one of its two people sees it; `state` is where its message stands."""
    sent = send.sender_id == person_id
    return SendView(
        show_id("snd", send.id),
        "sent" if sent else "received",
        send.receiver_name if sent else send.sender_name,
        send.amount,
        send.currency,
        seen(send.message, state, by_author=send.author_id == person_id),
        state,
        None if send.request_id is None else show_id("req", send.request_id),
        send.created_at,
    )


def request_view(request: MoneyRequest, person_id: UUID, state: str) -> RequestView:
    """The request as one of its two people sees it; `state` is where its message stands."""
    asked = request.requester_id == person_id
    return RequestView(
        show_id("req", request.id),
        "asked" if asked else "received",
        request.payer_name if asked else request.requester_name,
        request.amount,
        request.currency,
        seen(request.message, state, by_author=asked),
        state,
        request.status,
        None if request.send_id is None else show_id("snd", request.send_id),
        request.expires_at,
        request.created_at,
        request.updated_at,
    )


def top_up_view(top_up: TopUp, corrected: int = 0) -> TopUpView:
    """The top-up as its person and the operator see it; `corrected` was taken back of it."""
    return TopUpView(
        show_id("top", top_up.id),
        top_up.amount,
        top_up.currency,
        top_up.reference,
        top_up.created_at,
        corrected,
    )
