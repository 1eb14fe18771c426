"""What support looks after: how people sign in, their money's history; and finding anything."""

from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import SessionView, session_view
from tandem.api.operation import Call, ListQuery, Page, Query, operation, page
from tandem.api.routes.wallet import History, HistoryQuery
from tandem.db import Pool
from tandem.kernel import currency
from tandem.office import Hit, find
from tandem.people import People
from tandem.signin import PasskeyView, SignIn, passkey_view
from tandem.wallet import Wallet, WalletView


class Services(Protocol):
    """What these operations use."""

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...

    @property
    def people(self) -> People:
        """The use cases of people."""
        ...

    @property
    def sign_in(self) -> SignIn:
        """Sessions and passkeys."""
        ...

    @property
    def wallet(self) -> Wallet:
        """Balances and history."""
        ...


class FindQuery(Query, frozen=True):
    """What somebody has in their hand."""

    q: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100,
            description="An id of any kind, a handle, the beginning of a name, the last four "
            "digits of a card, or the 12 digits of a terminal's receipt",
            examples=["@lin"],
        ),
    ]


class Found(msgspec.Struct, frozen=True):
    """What it can be."""

    data: Annotated[list[Hit], Meta(description="At most five of a kind, exact ones first")]


@operation("GET", "/v1/find", tag="Operator", summary="Find anything", who=("operator",))
async def find_anything(call: Call[Services], query: FindQuery) -> Found:
    """Where an id, a handle, a name or a number leads."""
    async with call.services.pool.acquire() as connection:
        return Found(await find(connection, query.q))


@operation(
    "GET",
    "/v1/people/{person_id}/wallet",
    tag="People",
    summary="See a person's balances",
    who=("operator",),
)
async def get_wallet_of_person(call: Call[Services], person_id: UUID) -> WalletView:
    """A person's balance in each currency, with limits and what counts against them today."""
    return await call.services.wallet.view(person_id)


@operation(
    "GET",
    "/v1/people/{person_id}/history",
    tag="People",
    summary="Read a person's history",
    who=("operator",),
    noted=True,
)
async def get_history_of_person(
    call: Call[Services], person_id: UUID, query: HistoryQuery
) -> History:
    """The movements of a balance as the person sees them. That staff reads it is recorded."""
    await call.services.people.get(person_id)
    code = None if query.currency is None else currency(query.currency).code
    lines = await call.services.wallet.history(person_id, code, query.after, query.limit + 1)
    shown, more = lines[: query.limit], len(lines) > query.limit
    return History(shown, more, shown[-1].number if more else None)


@operation(
    "GET",
    "/v1/people/{person_id}/sessions",
    tag="Sign-in",
    summary="List a person's sessions",
    who=("operator",),
)
async def list_sessions_of_person(
    call: Call[Services], person_id: UUID, query: ListQuery
) -> Page[SessionView]:
    """Where a person is signed in, newest first."""
    await call.services.people.get(person_id)
    rows = await call.services.sign_in.sessions_of(
        person_id, query.after_id("ses"), query.limit + 1
    )
    return page(rows, query.limit, lambda row: session_view(row, None))


@operation(
    "DELETE",
    "/v1/people/{person_id}/sessions",
    tag="Sign-in",
    summary="Sign a person out everywhere",
    who=("operator",),
    office="support",
    why=True,
)
async def end_sessions_of_person(call: Call[Services], person_id: UUID) -> None:
    """All of their sessions are over within a second. Keys of devices work on."""
    await call.services.sign_in.end_sessions_of(person_id)


@operation(
    "DELETE",
    "/v1/people/{person_id}/sessions/{session_id}",
    tag="Sign-in",
    summary="End a person's session",
    who=("operator",),
    office="support",
    why=True,
)
async def end_session_of_person(call: Call[Services], person_id: UUID, session_id: UUID) -> None:
    """It is over within a second, everywhere."""
    await call.services.sign_in.end_sessions_of(person_id, session_id)


@operation(
    "GET",
    "/v1/people/{person_id}/passkeys",
    tag="Sign-in",
    summary="List a person's passkeys",
    who=("operator",),
)
async def list_passkeys_of_person(
    call: Call[Services], person_id: UUID, query: ListQuery
) -> Page[PasskeyView]:
    """Which there are and when they were used, newest first."""
    await call.services.people.get(person_id)
    rows = await call.services.sign_in.passkeys_of(
        person_id, query.after_id("psk"), query.limit + 1
    )
    return page(rows, query.limit, passkey_view)


OPERATIONS = (
    find_anything,
    get_wallet_of_person,
    get_history_of_person,
    list_sessions_of_person,
    end_sessions_of_person,
    end_session_of_person,
    list_passkeys_of_person,
)
