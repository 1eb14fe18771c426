"""What whoever signed in looks after: their session, their other sessions, their passkeys."""

from typing import Final, Protocol
from uuid import UUID

from tandem.access import SessionOver, SessionView, session_view
from tandem.api.operation import Call, ListQuery, Page, WithSession, operation, page
from tandem.api.operation import Who as Asker
from tandem.api.routes.sign_in import NewPasskey, SignInAnswer
from tandem.people import People, SetPasskeyAbove
from tandem.signin import (
    Consents,
    CreationOptions,
    LastPasskey,
    NoPasskey,
    PasskeyRefused,
    PasskeyView,
    RequestOptions,
    SignIn,
    SignInNeeded,
    SignInStale,
    TooManyPasskeys,
    Who,
    passkey_view,
)

EVERYBODY: Final[tuple[Asker, ...]] = ("person", "merchant", "operator")


class Services(Protocol):
    """What these operations use."""

    @property
    def sign_in(self) -> SignIn:
        """Knows who is signed in."""
        ...

    @property
    def people(self) -> People:
        """Keeps what a person asks for."""
        ...

    @property
    def consents(self) -> Consents:
        """Asks for passkeys."""
        ...


@operation(
    "GET",
    "/v1/session",
    tag="Sign-in",
    summary="See who is signed in",
    who=EVERYBODY,
    own=True,
    errors=(SignInNeeded, SessionOver),
)
async def get_session(call: Call[Services]) -> Who:
    """You, what you may do, and the session that asks."""
    return await call.services.sign_in.who(call.principal)


@operation(
    "DELETE",
    "/v1/session",
    tag="Sign-in",
    summary="Sign out",
    who=EVERYBODY,
    own=True,
    answer=None,
    errors=(SignInNeeded, SessionOver),
)
async def sign_out(call: Call[Services]) -> WithSession:
    """The session is over, everywhere within a second."""
    await call.services.sign_in.sign_out(call.principal)
    return WithSession(None, call.principal.kind, None)


@operation(
    "POST",
    "/v1/session/verify/options",
    tag="Sign-in",
    summary="Begin to confirm that it is you",
    who=EVERYBODY,
    own=True,
    errors=(SignInNeeded, SessionOver),
)
async def begin_verify(call: Call[Services]) -> RequestOptions:
    """What `navigator.credentials.get` takes, with your own passkeys."""
    return await call.services.sign_in.verify_options(call.principal)


@operation(
    "POST",
    "/v1/session/verify",
    tag="Sign-in",
    summary="Confirm that it is you",
    who=EVERYBODY,
    own=True,
    errors=(PasskeyRefused, SignInNeeded, SessionOver),
)
async def verify_session(call: Call[Services], body: SignInAnswer) -> None:
    """For ten minutes you may change how you sign in."""
    await call.services.sign_in.verify(call.principal, body.credential)


@operation(
    "GET",
    "/v1/sessions",
    tag="Sign-in",
    summary="List your sessions",
    who=EVERYBODY,
    own=True,
    errors=(SignInNeeded,),
)
async def list_sessions(call: Call[Services], query: ListQuery) -> Page[SessionView]:
    """Where you are signed in, newest first."""
    rows = await call.services.sign_in.sessions(
        call.principal, query.after_id("ses"), query.limit + 1
    )
    current = call.principal.key_id
    return page(rows, query.limit, lambda row: session_view(row, current))


@operation(
    "DELETE",
    "/v1/sessions",
    tag="Sign-in",
    summary="Sign out everywhere",
    who=EVERYBODY,
    own=True,
    answer=None,
    errors=(SignInNeeded,),
)
async def sign_out_everywhere(call: Call[Services]) -> WithSession:
    """All of your sessions are over, the one that asks too. Keys of devices work on."""
    await call.services.sign_in.sign_out_everywhere(call.principal)
    return WithSession(None, call.principal.kind, None)


@operation(
    "DELETE",
    "/v1/sessions/{session_id}",
    tag="Sign-in",
    summary="End a session",
    who=EVERYBODY,
    own=True,
    errors=(SignInNeeded,),
)
async def end_session(call: Call[Services], session_id: UUID) -> None:
    """One of your sessions is over, everywhere within a second."""
    await call.services.sign_in.sign_out(call.principal, session_id)


@operation(
    "GET",
    "/v1/passkeys",
    tag="Sign-in",
    summary="List your passkeys",
    who=EVERYBODY,
    own=True,
    errors=(SignInNeeded,),
)
async def list_passkeys(call: Call[Services], query: ListQuery) -> Page[PasskeyView]:
    """Your passkeys, newest first."""
    rows = await call.services.sign_in.passkeys(
        call.principal, query.after_id("psk"), query.limit + 1
    )
    return page(rows, query.limit, passkey_view)


@operation(
    "POST",
    "/v1/passkeys/options",
    tag="Sign-in",
    summary="Begin to add a passkey",
    who=EVERYBODY,
    own=True,
    errors=(SignInNeeded, SignInStale, SessionOver),
)
async def begin_passkey(call: Call[Services]) -> CreationOptions:
    """What `navigator.credentials.create` takes.

    A device's key will do for the first passkey of a wallet; after that, sign in.
    """
    return await call.services.sign_in.add_options(call.principal)


@operation(
    "POST",
    "/v1/passkeys",
    tag="Sign-in",
    summary="Add a passkey",
    who=EVERYBODY,
    own=True,
    status=201,
    errors=(PasskeyRefused, TooManyPasskeys, SignInNeeded, SignInStale, SessionOver),
)
async def add_passkey(call: Call[Services], body: NewPasskey) -> PasskeyView:
    """A further passkey signs you in."""
    return passkey_view(await call.services.sign_in.add(call.principal, body.credential, body.name))


@operation(
    "DELETE",
    "/v1/passkeys/{passkey_id}",
    tag="Sign-in",
    summary="Remove a passkey",
    who=EVERYBODY,
    own=True,
    errors=(LastPasskey, SignInNeeded, SignInStale, SessionOver),
)
async def remove_passkey(call: Call[Services], passkey_id: UUID) -> None:
    """It signs nobody in any more. The last one stays. Sessions go on: end them as well."""
    await call.services.sign_in.remove(call.principal, passkey_id)


@operation(
    "PUT",
    "/v1/people/me/passkey-above",
    tag="Sign-in",
    summary="Choose what asks for your passkey",
    who=("person",),
    errors=(NoPasskey, SignInNeeded, SignInStale, SessionOver),
)
async def set_passkey_above(call: Call[Services], body: SetPasskeyAbove) -> SetPasskeyAbove:
    """Payments and sends above this amount ask for your passkey; null: none does."""
    await call.services.consents.has_passkey(call.principal)
    await call.services.people.set_passkey_above(call.principal.owner_id, body.currency, body.above)
    return body


OPERATIONS = (
    get_session,
    sign_out,
    begin_verify,
    verify_session,
    list_sessions,
    sign_out_everywhere,
    end_session,
    list_passkeys,
    begin_passkey,
    add_passkey,
    remove_passkey,
    set_passkey_above,
)
