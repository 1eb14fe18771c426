"""A person's own data, all of it in one document (GDPR, articles 15 and 20).

It is put together from the very operations by which the person sees each part, so it has nothing
that they cannot see, and of others no more than those show.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Protocol

import msgspec
from msgspec import Meta

from tandem.access import SessionView
from tandem.api.operation import Call, ListQuery, Operation, Streamed, operation
from tandem.api.routes import (
    cards,
    messages,
    packets,
    paying,
    people,
    sessions,
    sign_in,
    splits,
    wallet,
)
from tandem.api.routes.people import LimitsView
from tandem.api.routes.wallet import HistoryQuery
from tandem.cards import CardView
from tandem.kernel import Clock
from tandem.packets import PacketView
from tandem.payments import PersonPaymentView
from tandem.people import DeviceView, PersonView
from tandem.screening import OwnMessageView
from tandem.signin import PasskeyView, RecoveryState
from tandem.wallet import BalanceView, HistoryLine, RequestView, SendView, SplitView

FORMAT: Final = "tandem-person-1"
AT_ONCE: Final = 100
"""Rows that are read, and held, at a time."""

LISTS: Final[Mapping[str, Operation[Any]]] = MappingProxyType(
    {
        "devices": people.list_my_devices,
        "passkeys": sessions.list_passkeys,
        "sessions": sessions.list_sessions,
        "cards": cards.list_my_cards,
        "payments": paying.list_my_payments,
        "sends": wallet.list_sends,
        "requests": wallet.list_requests,
        "splits": splits.list_splits,
        "packets": packets.list_packets,
        "messages": messages.list_messages,
    }
)
"""The lists of the document, and by which operation the person reads each."""


class Services(Protocol):
    """What this operation uses itself; what each part uses, its own operation says."""

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


class PersonalData(msgspec.Struct, frozen=True):
    """All that is kept of a person. Every list is whole, newest first."""

    format: Annotated[
        Literal["tandem-person-1"], Meta(description="What the document is, and its version")
    ]
    made_at: datetime
    profile: PersonView
    limits: Annotated[list[LimitsView], Meta(description="What the person may spend")]
    balances: list[BalanceView]
    recovery_codes: Annotated[RecoveryState, Meta(description="How many are left, not which")]
    devices: Annotated[list[DeviceView], Meta(description="Also those out of use; no keys")]
    passkeys: Annotated[list[PasskeyView], Meta(description="By name; no keys")]
    sessions: Annotated[list[SessionView], Meta(description="Where the person is signed in")]
    cards: Annotated[list[CardView], Meta(description="Without their secrets")]
    payments: list[PersonPaymentView]
    sends: Annotated[list[SendView], Meta(description="Money sent to others and got from them")]
    requests: Annotated[
        list[RequestView],
        Meta(description="Requests for money, both ways; also the shares of others' splits"),
    ]
    splits: Annotated[list[SplitView], Meta(description="Splits that the person made")]
    packets: Annotated[
        list[PacketView], Meta(description="Red packets made, got by name and opened")
    ]
    messages: Annotated[
        list[OwnMessageView], Meta(description="One's messages that were held, and their appeals")
    ]
    history: Annotated[
        list[HistoryLine], Meta(description="Every movement, of one currency after another")
    ]


@operation(
    "GET",
    "/v1/people/me/data",
    tag="People",
    summary="Take your data with you",
    who=("person",),
    answer=PersonalData,
)
async def get_my_data(call: Call[Services]) -> Streamed:
    """All that is kept of you as one JSON document, sent while it is read.

    If it ends before its last brace something broke on the way: ask again.
    """
    return Streamed(_document(call), "application/json", "tandem-data.json")


async def _document(call: Call[Any]) -> AsyncIterator[bytes]:
    encode = msgspec.json.Encoder().encode
    balances = (await wallet.get_wallet.handler(call)).balances  # type: ignore[attr-defined]  # a WalletView
    head = {
        "format": FORMAT,
        "made_at": call.services.clock.now(),
        "profile": await people.get_me.handler(call),
        "limits": (await people.get_my_limits.handler(call)).data,  # type: ignore[attr-defined]  # a LimitsList
        "balances": balances,
        "recovery_codes": await sign_in.get_recovery_codes.handler(call),
    }
    yield encode(head)[:-1]
    for name, listed in LISTS.items():
        yield f',"{name}":['.encode()
        async for part in _joined(_pages(call, listed)):
            yield part
        yield b"]"
    yield b',"history":['
    async for part in _joined(_history(call, [one.currency for one in balances])):
        yield part
    yield b"]}"


async def _joined(pages: AsyncIterator[list[Any]]) -> AsyncIterator[bytes]:
    """The rows of all pages as the inside of one JSON array."""
    first = True
    async for rows in pages:
        if rows:
            inside = msgspec.json.encode(rows)[1:-1]
            yield inside if first else b"," + inside
            first = False


async def _pages(call: Call[Any], listed: Operation[Any]) -> AsyncIterator[list[Any]]:
    after = None
    while True:
        page: Any = await listed.handler(call, query=ListQuery(limit=AT_ONCE, after=after))
        yield page.data
        after = page.next
        if after is None:
            return


async def _history(call: Call[Any], currencies: list[str]) -> AsyncIterator[list[Any]]:
    for currency in currencies:
        after = None
        while True:
            query = HistoryQuery(currency=currency, limit=AT_ONCE, after=after)
            page: Any = await wallet.get_history.handler(call, query=query)
            yield page.data
            after = page.next
            if after is None:
                break


OPERATIONS: Final = (get_my_data,)
