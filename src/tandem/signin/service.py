"""Signing up, signing in, and looking after one's passkeys and sessions."""

from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import (
    Kind,
    NewSession,
    Opened,
    Principal,
    Session,
    SessionView,
    scopes_of,
    session_view,
)
from tandem.db import Connection, work
from tandem.db.audit import Actor, about, acts
from tandem.kernel import NotFound, read_id, show_id
from tandem.people import NewDevice, People, PersonView
from tandem.signin.ceremony import (
    creation_options,
    request_options,
    show_bytes,
)
from tandem.signin.errors import LastPasskey, SignInNeeded, StaffSuspended
from tandem.signin.keeper import Keeper, holder_of
from tandem.signin.model import Holder, HolderKind, Limits, Member, Passkey, limits_of
from tandem.signin.shapes import (
    Assertion,
    Attestation,
    CreationOptions,
    RequestOptions,
    User,
)
from tandem.signin.store import (
    employer_name,
    lock_holder,
    member_by_id,
    named_as,
    passkeys_of,
    purge,
    remove_passkeys,
)

PURGE_EVERY: Final = timedelta(minutes=1)


class Browser(msgspec.Struct, frozen=True):
    """Where somebody signs in: the browser's name, its network address."""

    name: str
    client: str


class Who(msgspec.Struct, frozen=True):
    """Who is signed in."""

    kind: Annotated[Kind, Meta(description="Whose money it is about", examples=["merchant"])]
    id: Annotated[
        str,
        Meta(
            description="The person, or the member of staff",
            examples=["stf_0199f0a4c0de70008000000000000032"],
        ),
    ]
    name: Annotated[str, Meta(examples=["Xu"])]
    handle: Annotated[str | None, Meta(description="A person's")]
    employer_id: Annotated[
        str | None, Meta(description="The merchant that a member of its staff works for")
    ]
    role: Annotated[str | None, Meta(description="Of staff", examples=["cashier"])]
    refund_limit: Annotated[
        int | None,
        Meta(description="The most of one payment that they refund, in hundredths; null: all"),
    ]
    refund_day_limit: Annotated[
        int | None,
        Meta(
            description="The most that they refund in a day, in each currency, in hundredths; "
            "null: all"
        ),
    ]
    scopes: Annotated[list[str], Meta(description="What they may do", examples=[["refunds:write"]])]
    session: SessionView


class SignedUp(msgspec.Struct, frozen=True):
    """A new person who is signed in, with the device that the browser is to them from now on."""

    person: PersonView
    device: NewDevice
    session: SessionView


class Entered(msgspec.Struct, frozen=True):
    """Somebody came in: what they are told, and the token for their cookie."""

    told: Who | SignedUp
    opened: Opened


class _Newcomer(msgspec.Struct):
    """What is asked with a challenge to sign up."""

    handle: str
    name: str


class SignIn:
    """Lets people and staff in."""

    def __init__(self, keeper: Keeper, people: People) -> None:
        self._keeper = keeper
        self._people = people
        self._sessions = keeper.access.sessions
        self._purged_at: datetime | None = None

    # -- signing up ------------------------------------------------------------------------------

    async def sign_up_options(self, handle: str, name: str) -> CreationOptions:
        """What the browser is asked to make a newcomer's passkey with.

        Raises `HandleTaken`, `Invalid`, `SignUpClosed`.
        """
        handle, shown = await self._people.check_newcomer(handle, name)
        person_id = self._keeper.ids.new()
        facts = msgspec.json.encode(_Newcomer(handle, shown))
        challenge = await self._keeper.ask("sign_up", person_id, facts)
        user = User(show_bytes(person_id.bytes), f"@{handle}", shown)
        return creation_options(self._keeper.site, challenge, user, [])

    async def sign_up(
        self, answer: Attestation, passkey_name: str, device_name: str, browser: Browser
    ) -> Entered:
        """A new person with a first passkey and a first device, who is signed in.

        Raises `PasskeyRefused`, `HandleTaken`, `Invalid`.
        """
        keeper = self._keeper
        challenge, asked = await keeper.answered(answer, "sign_up")
        assert asked.holder_id is not None, "it was asked with an id"
        new = msgspec.json.decode(asked.facts, type=_Newcomer)
        holder = Holder("person", asked.holder_id)
        async with self._people.newcomer(holder.id, new.handle, new.name, device_name) as (
            connection,
            made,
        ):
            await keeper.keep(connection, holder, answer, challenge, passkey_name)
            opened = await self._open(connection, "person", holder, new.name, None, browser)
            device_id = read_id("dev", made.device.id)
            await self._sessions.bind(connection, opened.session.id, device_id)
            newcomer = Actor("person", holder.id, "person", holder.id, new.name)
            acts(newcomer, instead=True)
        session = msgspec.structs.replace(opened.session, device_id=device_id)
        shown = session_view(session, session.id)
        return Entered(SignedUp(made.person, made.device, shown), opened)

    # -- signing in ------------------------------------------------------------------------------

    async def sign_in_options(self) -> RequestOptions:
        """What the browser is asked to sign in with: any passkey of this site that it has."""
        challenge = await self._keeper.ask("sign_in")
        return request_options(self._keeper.site, challenge, [])

    async def sign_in(self, answer: Assertion, browser: Browser) -> Entered:
        """Let the passkey's holder in. Raises `PasskeyRefused`, `StaffSuspended`."""
        challenge, _ = await self._keeper.answered(answer, "sign_in")
        passkey = await self._keeper.signed(answer, challenge)
        async with work(self._keeper.pool) as connection:
            return await self.enter(connection, passkey.holder, browser)

    async def enter(self, connection: Connection, holder: Holder, browser: Browser) -> Entered:
        """Open a session for a holder, in the caller's unit of work.

        Raises `PasskeyRefused`, `StaffSuspended`.
        """
        await lock_holder(connection, holder)  # nobody is let go, or given another role, meanwhile
        actor = await self._keeper.actor(connection, holder)
        acts(actor, instead=True)
        member: Member | None = None
        if holder.kind == "staff":
            member = await member_by_id(connection, holder.id)
            assert member is not None, "they act"
            if member.status == "suspended":
                employer = await employer_name(connection, member)
                raise StaffSuspended(employer or self._keeper.site.name)
        opened = await self._open(connection, actor.owner_kind, holder, actor.name, member, browser)
        about(show_id("ses", opened.session.id))
        return Entered(await self._who(connection, opened.session), opened)

    async def who(self, principal: Principal) -> Who:
        """Who is signed in. Raises `SignInNeeded` for a key, `SessionOver`."""
        holder_of(principal)
        async with self._keeper.pool.acquire() as connection:
            session = await self._current(connection, principal)
            return await self._who(connection, session)

    async def verify_options(self, principal: Principal) -> RequestOptions:
        """What the browser is asked to confirm with, by one of the holder's own passkeys."""
        holder = holder_of(principal)
        async with work(self._keeper.pool, changes=False) as connection:
            await self._current(connection, principal)
            known = await passkeys_of(connection, holder.id)
            challenge = await self._keeper.ask_within(connection, "verify", holder.id, b"")
        return request_options(self._keeper.site, challenge, known)

    async def verify(self, principal: Principal, answer: Assertion) -> None:
        """The holder confirmed that it is them. Raises `PasskeyRefused`, `SessionOver`."""
        holder = holder_of(principal)
        challenge, _ = await self._keeper.answered(answer, "verify", holder.id)
        await self._keeper.signed(answer, challenge, holder.id)
        async with work(self._keeper.pool) as connection:
            session = await self._current(connection, principal)
            await self._sessions.verify(connection, session.id)

    # -- sessions --------------------------------------------------------------------------------

    async def sessions(
        self, principal: Principal, before: UUID | None, limit: int
    ) -> list[Session]:
        """The holder's sessions, newest first. Raises `SignInNeeded`."""
        holder = holder_of(principal)
        async with self._keeper.pool.acquire() as connection:
            return await self._sessions.of_holder(connection, holder.id, before, limit)

    async def sign_out(self, principal: Principal, session_id: UUID | None = None) -> None:
        """End one of the holder's sessions, or the one that asks. Raises `NotFound`."""
        holder = holder_of(principal)
        async with work(self._keeper.pool) as connection:
            which = session_id or (await self._current(connection, principal)).id
            await self._sessions.end(connection, holder.id, which)

    async def sessions_of(self, person_id: UUID, before: UUID | None, limit: int) -> list[Session]:
        """A person's sessions, newest first, for the operator."""
        async with self._keeper.pool.acquire() as connection:
            return await self._sessions.of_holder(connection, person_id, before, limit)

    async def end_sessions_of(self, person_id: UUID, session_id: UUID | None = None) -> None:
        """End one of a person's sessions, or all. Raises `NotFound`."""
        async with work(self._keeper.pool) as connection:
            if session_id is None:
                await lock_holder(connection, Holder("person", person_id))
                await self._sessions.end_all(connection, person_id)
            else:
                await self._sessions.end(connection, person_id, session_id)

    async def passkeys_of(self, person_id: UUID, before: UUID | None, limit: int) -> list[Passkey]:
        """A person's passkeys, newest first, for the operator."""
        async with self._keeper.pool.acquire() as connection:
            return await passkeys_of(connection, person_id, before, limit)

    async def sign_out_everywhere(self, principal: Principal) -> None:
        """End all of the holder's sessions, the one that asks too."""
        holder = holder_of(principal)
        async with work(self._keeper.pool) as connection:
            await self._sessions.end_all(connection, holder.id)

    # -- passkeys --------------------------------------------------------------------------------

    async def passkeys(
        self, principal: Principal, before: UUID | None, limit: int
    ) -> list[Passkey]:
        """The holder's passkeys, newest first. Raises `SignInNeeded`."""
        holder = holder_of(principal)
        async with self._keeper.pool.acquire() as connection:
            return await passkeys_of(connection, holder.id, before, limit)

    async def add_options(self, principal: Principal) -> CreationOptions:
        """What the browser is asked to make a further passkey with.

        Raises `SignInNeeded`, `SignInStale`.
        """
        holder = holder_of(principal)
        async with work(self._keeper.pool, changes=False) as connection:
            await self._keeper.check_may_change(connection, principal, holder)
            return await self.options_for(connection, holder, "add")

    async def options_for(
        self, connection: Connection, holder: Holder, purpose: str, facts: bytes = b""
    ) -> CreationOptions:
        """What a passkey of this holder's is made with."""
        known = await passkeys_of(connection, holder.id)
        user = await self._user(connection, holder)
        challenge = await self._keeper.ask_within(connection, purpose, holder.id, facts)
        return creation_options(self._keeper.site, challenge, user, known)

    async def add(self, principal: Principal, answer: Attestation, name: str) -> Passkey:
        """Keep a further passkey. Raises `PasskeyRefused`, `SignInStale`, `TooManyPasskeys`."""
        holder = holder_of(principal)
        challenge, _ = await self._keeper.answered(answer, "add", holder.id)
        async with work(self._keeper.pool) as connection:
            await lock_holder(connection, holder)
            await self._keeper.check_may_change(connection, principal, holder)
            passkey = await self._keeper.keep(connection, holder, answer, challenge, name)
            about(show_id("psk", passkey.id))
        return passkey

    async def remove(self, principal: Principal, passkey_id: UUID) -> None:
        """Remove a passkey, but not the last one that works.

        Raises `NotFound`, `LastPasskey`, `SignInStale`.
        """
        holder = holder_of(principal)
        async with work(self._keeper.pool) as connection:
            await lock_holder(connection, holder)
            known = await passkeys_of(connection, holder.id)
            if all(passkey.id != passkey_id for passkey in known):
                raise NotFound("passkey", show_id("psk", passkey_id))
            await self._keeper.check_may_change(connection, principal, holder)
            if all(p.id == passkey_id or p.suspect_at is not None for p in known):
                raise LastPasskey
            await remove_passkeys(connection, holder.id, self._keeper.now(), passkey_id)

    # -- beside ----------------------------------------------------------------------------------

    async def check_may_add_device(self, principal: Principal) -> None:
        """A device's key may add devices; a session a moment after its passkey was asked for.

        Raises `SignInStale`, `SessionOver`.
        """
        if principal.signed_in is not None:
            async with self._keeper.pool.acquire() as connection:
                await self._keeper.check_fresh(connection, principal)

    async def bind_device(self, principal: Principal, device_id: UUID) -> None:
        """Let the browser of a session be this device from now on, if it is none."""
        if principal.signed_in is not None:
            async with work(self._keeper.pool, changes=False) as connection:
                await self._sessions.bind(connection, principal.signed_in.session_id, device_id)

    async def purge_due(self) -> int:
        """Take away what nobody answered in time, once a minute; returns how many rows."""
        now = self._keeper.now()
        if self._purged_at is not None and now - self._purged_at < PURGE_EVERY:
            return 0
        self._purged_at = now
        async with work(self._keeper.pool) as connection:
            return await purge(connection, now)

    async def _current(self, connection: Connection, principal: Principal) -> Session:
        """The session that asks. Raises `SignInNeeded`, `SessionOver`."""
        if principal.signed_in is None:
            raise SignInNeeded
        return await self._sessions.current(connection, principal.signed_in.session_id)

    async def _open(
        self,
        connection: Connection,
        kind: Kind,
        holder: Holder,
        holder_name: str,
        member: Member | None,
        browser: Browser,
    ) -> Opened:
        most = Limits(None, None) if member is None else limits_of(member)
        new = NewSession(
            kind,
            holder.id if member is None else member.employer_id,
            holder.id,
            holder_name,
            None if member is None else member.role,
            *most,
            None,
            browser.name,
            browser.client,
        )
        return await self._sessions.open(connection, new)

    async def _who(self, connection: Connection, session: Session) -> Who:
        handle, employer = None, None
        kind: HolderKind = "person" if session.kind == "person" else "staff"
        named = await named_as(connection, Holder(kind, session.holder_id))
        if kind == "person":
            handle = named.label
        elif session.kind == "merchant":
            employer = show_id("mer", session.owner_id)
        return Who(
            session.kind,
            show_id("ppl" if kind == "person" else "stf", session.holder_id),
            named.name,
            handle,
            employer,
            session.role,
            session.refund_limit,
            session.refund_day_limit,
            sorted(scopes_of(session.kind, session.role)),
            session_view(session, session.id),
        )

    async def _user(self, connection: Connection, holder: Holder) -> User:
        """The holder as an authenticator names their passkey."""
        named = await named_as(connection, holder, self._keeper.site.name)
        return User(show_bytes(holder.id.bytes), named.label, named.name)
