"""Signing up and in with a passkey, by a code, by an invitation."""

from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.access import SessionOver
from tandem.api.operation import Body, Call, WithSession, operation
from tandem.people import HandleTaken, SignUpClosed
from tandem.people.model import Handle, Name
from tandem.signin import (
    Assertion,
    Attestation,
    Browser,
    CodeRefused,
    CreationOptions,
    DeviceCode,
    Entered,
    Invitation,
    PasskeyRefused,
    Recovery,
    RecoveryCodes,
    RecoveryState,
    RequestOptions,
    SignedUp,
    SignIn,
    SignInNeeded,
    SignInPaused,
    SignInStale,
    Staff,
    StaffSuspended,
    TooManyPasskeys,
    Who,
    browser_of,
)

PasskeyName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="What the passkey is called in the list",
        examples=["Lin's phone"],
    ),
]
Code = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description="From another device, or a recovery code; however it was typed",
        examples=["7K2M-QX4T"],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def sign_in(self) -> SignIn:
        """Lets people and staff in."""
        ...

    @property
    def recovery(self) -> Recovery:
        """Takes codes."""
        ...

    @property
    def staff(self) -> Staff:
        """Takes invitations."""
        ...


class Newcomer(Body, frozen=True, kw_only=True):
    """Somebody who wants a wallet."""

    handle: Handle
    name: Name


class SignUpAnswer(Body, frozen=True, kw_only=True):
    """What the authenticator made for a newcomer."""

    credential: Attestation
    passkey_name: PasskeyName = "Passkey"
    device_name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Lin's phone"])] = (
        "Browser"
    )


class SignInAnswer(Body, frozen=True, kw_only=True):
    """What the authenticator has signed."""

    credential: Assertion


class NewPasskey(Body, frozen=True, kw_only=True):
    """What the authenticator has made."""

    credential: Attestation
    name: PasskeyName = "Passkey"


class HandleAndCode(Body, frozen=True, kw_only=True):
    """Whose wallet it is, and a code."""

    handle: Annotated[str, Meta(min_length=1, max_length=40, examples=["@lin"])]
    code: Code


class InvitationToken(Body, frozen=True, kw_only=True):
    """The token of an invitation."""

    token: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100,
            description="What stands behind the # of its link",
            examples=["inv_…"],
        ),
    ]


@operation(
    "POST",
    "/v1/sign-up/options",
    tag="Sign-in",
    summary="Begin to sign up",
    who=("anyone",),
    limit="sign_in",
    errors=(HandleTaken, SignUpClosed),
)
async def begin_sign_up(call: Call[Services], body: Newcomer) -> CreationOptions:
    """What `navigator.credentials.create` takes, for a newcomer's first passkey.

    Nothing is kept but what was asked, for five minutes.
    """
    return await call.services.sign_in.sign_up_options(body.handle, body.name)


@operation(
    "POST",
    "/v1/sign-up",
    tag="Sign-in",
    summary="Sign up with a passkey",
    who=("anyone",),
    status=201,
    answer=SignedUp,
    errors=(PasskeyRefused, HandleTaken),
)
async def sign_up_with_passkey(call: Call[Services], body: SignUpAnswer) -> WithSession:
    """A wallet, whose person is signed in, and the browser as its first device.

    The device's key and the seed of its pay codes are shown here only. If this answer is lost, sign
    in with the passkey that was just made, and add the browser as a device.
    """
    entered = await call.services.sign_in.sign_up(
        body.credential, body.passkey_name, body.device_name, browser(call)
    )
    return with_session(entered)


@operation(
    "POST",
    "/v1/sign-in/options",
    tag="Sign-in",
    summary="Begin to sign in",
    who=("anyone",),
    limit="sign_in",
)
async def begin_sign_in(call: Call[Services]) -> RequestOptions:
    """What `navigator.credentials.get` takes: nobody types a name, the passkey says who it is."""
    return await call.services.sign_in.sign_in_options()


@operation(
    "POST",
    "/v1/sign-in",
    tag="Sign-in",
    summary="Sign in with a passkey",
    who=("anyone",),
    limit="sign_in",
    answer=Who,
    errors=(PasskeyRefused, StaffSuspended),
)
async def sign_in_with_passkey(call: Call[Services], body: SignInAnswer) -> WithSession:
    """Who has signed in: a person, or a member of a merchant's or the operator's staff."""
    return with_session(await call.services.sign_in.sign_in(body.credential, browser(call)))


@operation(
    "POST",
    "/v1/sign-in/code/options",
    tag="Sign-in",
    summary="Begin to come in by a code",
    who=("anyone",),
    limit="sign_in",
    errors=(CodeRefused, SignInPaused),
)
async def begin_with_code(call: Call[Services], body: HandleAndCode) -> CreationOptions:
    """What `navigator.credentials.create` takes, for a passkey on a device that has none.

    The code is one that another device shows, or a recovery code. It is used up when the passkey is
    made. Five wrong ones of the first kind for a handle, whether or not somebody has it, and none
    of that kind is looked at for fifteen minutes; recovery codes are too long to be guessed.
    """
    return await call.services.recovery.begin(body.handle, body.code)


@operation(
    "POST",
    "/v1/sign-in/code",
    tag="Sign-in",
    summary="Come in by a code",
    who=("anyone",),
    limit="sign_in",
    status=201,
    answer=Who,
    errors=(PasskeyRefused, CodeRefused, TooManyPasskeys),
)
async def come_in_by_code(call: Call[Services], body: NewPasskey) -> WithSession:
    """The new passkey is kept, its person signed in. After a recovery code, nobody else is."""
    return with_session(
        await call.services.recovery.finish(body.credential, body.name, browser(call))
    )


@operation(
    "POST",
    "/v1/sign-in/invitation/options",
    tag="Sign-in",
    summary="Read an invitation",
    who=("anyone",),
    limit="sign_in",
    errors=(CodeRefused,),
)
async def read_invitation(call: Call[Services], body: InvitationToken) -> Invitation:
    """Who is invited to what, and what `navigator.credentials.create` takes to accept it."""
    return await call.services.staff.invitation(body.token)


@operation(
    "POST",
    "/v1/sign-in/invitation",
    tag="Sign-in",
    summary="Accept an invitation",
    who=("anyone",),
    limit="sign_in",
    status=201,
    answer=Who,
    errors=(PasskeyRefused, CodeRefused),
)
async def accept_invitation(call: Call[Services], body: NewPasskey) -> WithSession:
    """The passkey is kept, in place of any before, and the member signed in."""
    return with_session(await call.services.staff.accept(body.credential, body.name, browser(call)))


@operation(
    "POST",
    "/v1/people/me/sign-in-code",
    tag="Sign-in",
    summary="Show a code for another device",
    who=("person",),
    status=201,
    errors=(SignInStale, SignInNeeded, SessionOver),
)
async def show_sign_in_code(call: Call[Services]) -> DeviceCode:
    """A code to type beside your handle on another device, within ten minutes, once."""
    return await call.services.recovery.device_code(call.principal)


@operation(
    "POST",
    "/v1/people/{person_id}/sign-in-code",
    tag="Sign-in",
    summary="Make a code for a person who lost everything",
    who=("operator",),
    office="support",
    status=201,
    why=True,
)
async def make_sign_in_code(call: Call[Services], person_id: UUID) -> DeviceCode:
    """Whoever types it beside the person's handle is them: see who it is before you tell it."""
    return await call.services.recovery.device_code_for(person_id)


@operation(
    "GET",
    "/v1/people/me/recovery-codes",
    tag="Sign-in",
    summary="See how many recovery codes are left",
    who=("person",),
)
async def get_recovery_codes(call: Call[Services]) -> RecoveryState:
    """How many are left; the codes themselves are shown when they are made."""
    return await call.services.recovery.state(call.principal)


@operation(
    "POST",
    "/v1/people/me/recovery-codes",
    tag="Sign-in",
    summary="Make new recovery codes",
    who=("person",),
    status=201,
    errors=(SignInStale, SignInNeeded, SessionOver),
)
async def renew_recovery_codes(call: Call[Services]) -> RecoveryCodes:
    """Ten codes for when every device is lost, shown once; those before work no more."""
    return await call.services.recovery.renew(call.principal)


def browser(call: Call[Services]) -> Browser:
    """Where whoever asks is."""
    return Browser(browser_of(call.user_agent), call.client)


def with_session(entered: Entered) -> WithSession:
    """The answer to who came in, with their cookie."""
    return WithSession(entered.told, entered.opened.session.kind, entered.opened.token)


OPERATIONS = (
    begin_sign_up,
    sign_up_with_passkey,
    begin_sign_in,
    sign_in_with_passkey,
    begin_with_code,
    come_in_by_code,
    read_invitation,
    accept_invitation,
    show_sign_in_code,
    make_sign_in_code,
    get_recovery_codes,
    renew_recovery_codes,
)
