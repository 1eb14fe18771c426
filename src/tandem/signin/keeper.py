"""What all ceremonies share: asking, taking the answer once, keeping passkeys."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tandem.access import Access, Principal
from tandem.db import Connection, Pool, work
from tandem.db.audit import Actor, acts
from tandem.kernel import Clock, Entropy, Ids, clean_text
from tandem.signin.ceremony import (
    CHALLENGE_BYTES,
    Site,
    challenge_in,
    check_made,
    check_signed,
    credential_of,
)
from tandem.signin.errors import (
    PasskeyRefused,
    SignInNeeded,
    SignInStale,
    TooManyPasskeys,
)
from tandem.signin.model import ASKED, FRESH, MAX_PASSKEYS, Holder, Passkey
from tandem.signin.shapes import Assertion, Attestation
from tandem.signin.store import (
    Challenge,
    insert_passkey,
    lock_holder,
    member_by_id,
    named_as,
    passkey_by_credential,
    passkeys_of,
    put_challenge,
    suspect,
    take_challenge,
    used,
)

NAME_LENGTH: Final = 100
_MINUTE: Final = 60


def holder_of(principal: Principal) -> Holder:
    """Whose passkeys one looks after: of whoever signed in, or of the person whose device asks.

    Raises `SignInNeeded` for other keys.
    """
    if principal.signed_in is not None:
        holder_id = principal.signed_in.holder_id
        return Holder("person" if principal.kind == "person" else "staff", holder_id)
    if principal.kind != "person":
        raise SignInNeeded
    return Holder("person", principal.owner_id)


class Keeper:
    """Asks authenticators, and keeps what they answer."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        access: Access,
        site: Site,
    ) -> None:
        self.pool = pool
        self.clock = clock
        self.ids = ids
        self.entropy = entropy
        self.access = access
        self.site = site

    def now(self) -> datetime:
        """The moment."""
        return self.clock.now()

    async def ask(self, purpose: str, holder_id: UUID | None = None, facts: bytes = b"") -> bytes:
        """A new challenge, in a unit of work of its own: it changes nothing."""
        async with work(self.pool, changes=False) as connection:
            return await self.ask_within(connection, purpose, holder_id, facts)

    async def ask_within(
        self, connection: Connection, purpose: str, holder_id: UUID | None, facts: bytes
    ) -> bytes:
        """A new challenge, in the caller's unit of work."""
        challenge = self.entropy(CHALLENGE_BYTES)
        asked = Challenge(purpose, holder_id, facts)
        await put_challenge(connection, challenge, asked, self.now() + ASKED)
        return challenge

    async def answered(
        self, answer: Attestation | Assertion, purpose: str, holder_id: UUID | None = None
    ) -> tuple[bytes, Challenge]:
        """The challenge that is answered, which nobody can answer again, right or wrong.

        Raises `PasskeyRefused` unless it was asked for this, and of this holder.
        """
        challenge = challenge_in(answer)
        async with work(self.pool, changes=False) as connection:
            asked = await take_challenge(connection, challenge, self.now())
        if asked is None or asked.purpose != purpose:
            raise PasskeyRefused("challenge")
        if holder_id is not None and asked.holder_id != holder_id:
            raise PasskeyRefused("challenge")
        return challenge, asked

    async def signed(
        self, answer: Assertion, challenge: bytes, holder_id: UUID | None = None
    ) -> Passkey:
        """The passkey that signed: of this holder, or whose its own user handle says.

        One whose counter went back is taken for copied: it is refused, now and from then on.
        Raises `PasskeyRefused`.
        """
        credential_id, now = credential_of(answer), self.now()
        async with work(self.pool, changes=False) as connection:
            passkey = await passkey_by_credential(connection, credential_id, lock=True)
            if passkey is None or holder_id not in (None, passkey.holder_id):
                raise PasskeyRefused("unknown")
            acts(await self.actor(connection, passkey.holder))
            if passkey.suspect_at is not None:
                raise PasskeyRefused("suspect")
            told = check_signed(self.site, answer, challenge, passkey, discovered=holder_id is None)
            if told.cloned:
                await suspect(connection, passkey.id, now)
            else:
                await used(connection, passkey.id, told.sign_count, now, backed_up=told.backed_up)
        if told.cloned:
            raise PasskeyRefused("suspect")
        return passkey

    async def keep(
        self,
        connection: Connection,
        holder: Holder,
        answer: Attestation,
        challenge: bytes,
        name: str,
    ) -> Passkey:
        """Keep a new passkey of a holder's, in the caller's unit of work.

        Raises `PasskeyRefused`, `TooManyPasskeys`, `Invalid` for the name.
        """
        made, now = check_made(self.site, answer, challenge), self.now()
        label = clean_text(name, "name", NAME_LENGTH)
        await lock_holder(connection, holder)
        if len(await passkeys_of(connection, holder.id)) >= MAX_PASSKEYS:
            raise TooManyPasskeys(MAX_PASSKEYS)
        passkey = Passkey(
            self.ids.new(),
            holder.kind,
            holder.id,
            made.credential_id,
            made.public_key,
            made.sign_count,
            answer.response.transports,
            made.backup_eligible,
            made.backed_up,
            made.aaguid,
            label,
            now,
            None,
            None,
            None,
        )
        if not await insert_passkey(connection, passkey):
            raise PasskeyRefused("known")
        return passkey

    async def check_fresh(self, connection: Connection, principal: Principal) -> None:
        """That whoever signed in was asked for the passkey a moment ago.

        Raises `SignInNeeded` for a key, `SignInStale`, `SessionOver`.
        """
        if principal.signed_in is None:
            raise SignInNeeded
        at = await self.access.sessions.verified(connection, principal.signed_in.session_id)
        if self.now() - at > FRESH:
            raise SignInStale(int(FRESH.total_seconds()) // _MINUTE)

    async def check_may_change(
        self, connection: Connection, principal: Principal, holder: Holder
    ) -> None:
        """That how this holder signs in may be changed: a moment after the passkey was asked for.

        A device's key will do as long as there is no passkey. Raises as `check_fresh`.
        """
        if principal.signed_in is not None or await passkeys_of(connection, holder.id, limit=1):
            await self.check_fresh(connection, principal)

    async def actor(self, connection: Connection, holder: Holder) -> Actor:
        """The holder as the audit log names them. Raises `PasskeyRefused` for one who left."""
        if holder.kind == "person":
            named = await named_as(connection, holder)
            return Actor("person", holder.id, "person", holder.id, named.name)
        member = await member_by_id(connection, holder.id)
        if member is None or member.status not in {"active", "suspended"}:
            raise PasskeyRefused("unknown")
        return Actor(member.employer_kind, member.employer_id, "staff", member.id, member.name)
