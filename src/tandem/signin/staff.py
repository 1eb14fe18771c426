"""Staff of merchants and of the operator: invited, given a role, suspended, let go."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Employer, role_of
from tandem.db import Connection, work
from tandem.db.audit import about
from tandem.kernel import NotFound, clean_text, show_id
from tandem.signin.errors import CodeRefused, LastOwner, StaffInvited
from tandem.signin.keeper import NAME_LENGTH, Keeper
from tandem.signin.model import (
    INVITATION,
    Holder,
    Invited,
    Limits,
    Member,
    member_view,
)
from tandem.signin.service import Browser, Entered, SignIn
from tandem.signin.shapes import Attestation, CreationOptions
from tandem.signin.store import (
    employer_name,
    insert_member,
    lock_holder,
    lock_staff,
    member_by_id,
    member_by_invitation,
    members_of,
    remove_passkeys,
    update_member,
)

_TOKEN: Final = re.compile(r"inv_[A-Za-z0-9_-]{43}", re.ASCII)
_TOKEN_BYTES: Final = 32


class Invitation(msgspec.Struct, frozen=True):
    """What somebody is invited to, and what their browser is asked to make a passkey with."""

    name: Annotated[str, Meta(description="Who is invited", examples=["Xu"])]
    role: Annotated[str, Meta(examples=["cashier"])]
    employer: Annotated[str, Meta(description="By whom", examples=["Blue Door"])]
    invited_until: datetime
    options: CreationOptions


class NewMember(msgspec.Struct, frozen=True):
    """Who is to be invited. What they may give back, in hundredths; None: as the role has it."""

    name: str
    role: str
    refund_limit: int | None = None
    refund_day_limit: int | None = None


class Staff:
    """Invites staff, changes their roles, lets them go. Everything is scoped by its employer."""

    def __init__(self, keeper: Keeper, sign_in: SignIn, public_url: str) -> None:
        self._keeper = keeper
        self._sign_in = sign_in
        self._public_url = public_url

    async def invite(self, kind: Employer, employer_id: UUID, new: NewMember) -> Invited:
        """A new member, who is let in by the token. Raises `Invalid`, `NotFound`."""
        role_of(kind, new.role)
        name = clean_text(new.name, "name", NAME_LENGTH)
        token, hashed = self._token()
        now = self._keeper.now()
        member = Member(
            self._keeper.ids.new(),
            kind,
            employer_id,
            name,
            new.role,
            new.refund_limit,
            new.refund_day_limit,
            "invited",
            now + INVITATION,
            now,
        )
        async with work(self._keeper.pool) as connection:
            if kind == "merchant":
                found = await connection.fetchval(
                    "SELECT 1 FROM merchants WHERE id = $1", employer_id
                )
                if found is None:
                    raise NotFound("merchant", show_id("mer", employer_id))
            await insert_member(connection, member, hashed)
            about(show_id("stf", member.id))
        return self._invited(member, token)

    async def invite_again(self, employer_id: UUID, member_id: UUID) -> Invited:
        """A new invitation for a member: who lost their passkeys makes new ones by it.

        Until it is taken the old ones work, and afterwards no more. Raises `NotFound`.
        """
        token, hashed = self._token()
        async with work(self._keeper.pool) as connection:
            member = await self._locked(connection, employer_id, member_id)
            invited = msgspec.structs.replace(member, invited_until=self._keeper.now() + INVITATION)
            await update_member(connection, invited, hashed)
        return self._invited(invited, token)

    async def get(self, employer_id: UUID, member_id: UUID) -> Member:
        """A member of the employer's. Raises `NotFound`."""
        async with self._keeper.pool.acquire() as connection:
            member = await member_by_id(connection, member_id)
        if member is None or member.employer_id != employer_id or member.status == "removed":
            raise NotFound("staff", show_id("stf", member_id))
        return member

    async def all(self, employer_id: UUID, before: UUID | None, limit: int) -> list[Member]:
        """An employer's staff, newest first."""
        async with self._keeper.pool.acquire() as connection:
            return await members_of(connection, employer_id, before, limit)

    async def change(self, employer_id: UUID, member_id: UUID, role: str, most: Limits) -> Member:
        """Give a member another role, or other limits; they sign in again.

        All are set: a limit of None is the role's own. Raises `NotFound`, `Invalid`, `LastOwner`.
        """
        async with work(self._keeper.pool) as connection:
            member = await self._locked(connection, employer_id, member_id)
            role_of(member.employer_kind, role)
            changed = msgspec.structs.replace(
                member, role=role, refund_limit=most.of_payment, refund_day_limit=most.of_day
            )
            if role != "owner":
                await self._not_the_last(connection, member)
            await self._write(connection, changed)
        return changed

    async def suspend(self, employer_id: UUID, member_id: UUID) -> Member:
        """Keep a member out for now: their sessions are over, and they neither sign in nor approve.

        An invitation that they have not taken is void. Who is suspended stays so.
        Raises `NotFound`, `LastOwner`, `StaffInvited`.
        """
        return await self._put(employer_id, member_id, "suspended")

    async def resume(self, employer_id: UUID, member_id: UUID) -> Member:
        """Let a suspended member in again, by the passkeys that they have.

        Raises `NotFound`, `StaffInvited`.
        """
        return await self._put(employer_id, member_id, "active")

    async def remove(self, employer_id: UUID, member_id: UUID) -> None:
        """Let a member go: their sessions are over, their passkeys gone.

        Raises `NotFound`, `LastOwner`.
        """
        async with work(self._keeper.pool) as connection:
            member = await self._locked(connection, employer_id, member_id)
            await self._not_the_last(connection, member)
            gone = msgspec.structs.replace(member, status="removed", invited_until=None)
            await update_member(connection, gone, None)
            await remove_passkeys(connection, member.id, self._keeper.now())
            await self._keeper.access.sessions.end_all(connection, member.id)

    # -- who is invited --------------------------------------------------------------------------

    async def invitation(self, token: str) -> Invitation:
        """What a token invites to. Raises `CodeRefused`."""
        async with work(self._keeper.pool, changes=False) as connection:
            member = await self._invited_by(connection, _hash(token))
            assert member.invited_until is not None, "it is looked up by that"
            options = await self._sign_in.options_for(
                connection, Holder("staff", member.id), "invitation", _hash(token)
            )
            employer = await employer_name(connection, member)
        return Invitation(
            member.name,
            member.role,
            employer or self._keeper.site.name,
            member.invited_until,
            options,
        )

    async def accept(self, answer: Attestation, name: str, browser: Browser) -> Entered:
        """Keep the passkey of who is invited, in place of any before, and let them in.

        Raises `PasskeyRefused`, `CodeRefused` if the invitation was taken meanwhile.
        """
        keeper = self._keeper
        challenge, asked = await keeper.answered(answer, "invitation")
        async with work(keeper.pool) as connection:
            member = await self._invited_by(connection, asked.facts)
            holder = Holder("staff", member.id)
            await lock_holder(connection, holder)
            member = await self._invited_by(connection, asked.facts)  # one of two that came at once
            await remove_passkeys(connection, member.id, keeper.now())
            await keeper.access.sessions.end_all(connection, member.id)
            joined = msgspec.structs.replace(member, status="active", invited_until=None)
            await update_member(connection, joined, None)
            passkey = await keeper.keep(connection, holder, answer, challenge, name)
            about(show_id("psk", passkey.id))
            return await self._sign_in.enter(connection, holder, browser)

    # --------------------------------------------------------------------------------------------

    async def _invited_by(self, connection: Connection, hashed: bytes) -> Member:
        member = await member_by_invitation(connection, hashed, self._keeper.now())
        if member is None:
            raise CodeRefused
        return member

    async def _locked(self, connection: Connection, employer_id: UUID, member_id: UUID) -> Member:
        """A member, while nobody else changes the employer's staff. Raises `NotFound`."""
        for member in await lock_staff(connection, employer_id):
            if member.id == member_id:
                return member
        raise NotFound("staff", show_id("stf", member_id))

    async def _not_the_last(self, connection: Connection, member: Member) -> None:
        if member.role != "owner" or member.status != "active":
            return
        others = await lock_staff(connection, member.employer_id)
        if not any(
            other.id != member.id and other.role == "owner" and other.status == "active"
            for other in others
        ):
            raise LastOwner

    async def _put(
        self, employer_id: UUID, member_id: UUID, status: Literal["active", "suspended"]
    ) -> Member:
        async with work(self._keeper.pool) as connection:
            member = await self._locked(connection, employer_id, member_id)
            if member.status == "invited":
                raise StaffInvited
            if member.status == status:
                return member
            await self._not_the_last(connection, member)
            # Whoever has the link of one who is suspended is not let in by it later.
            until = None if status == "suspended" else member.invited_until
            changed = msgspec.structs.replace(member, status=status, invited_until=until)
            await self._write(connection, changed)
        return changed

    async def _write(self, connection: Connection, member: Member) -> None:
        """What changed of what they may do; sessions that were opened before are over.

        An invitation that holds until no time is none.
        """
        await connection.execute(
            "UPDATE staff SET role = $2, refund_limit = $3, refund_day_limit = $4, status = $5, "
            "invited_until = $6, invitation = CASE WHEN $6::timestamptz IS NOT NULL "
            "THEN invitation END WHERE id = $1",
            member.id,
            member.role,
            member.refund_limit,
            member.refund_day_limit,
            member.status,
            member.invited_until,
        )
        await self._keeper.access.sessions.end_all(connection, member.id)

    def _token(self) -> tuple[str, bytes]:
        random = base64.urlsafe_b64encode(self._keeper.entropy(_TOKEN_BYTES)).decode().rstrip("=")
        token = f"inv_{random}"
        return token, _hash(token)

    def _invited(self, member: Member, token: str) -> Invited:
        return Invited(member_view(member), token, f"{self._public_url}/join#{token}")


def _hash(token: str) -> bytes:
    """The hash that an invitation is stored under. Raises `CodeRefused` if it can be none."""
    if _TOKEN.fullmatch(token) is None:
        raise CodeRefused
    return hashlib.sha256(token.encode()).digest()
