"""A manager's approval of one thing that a member of staff may not do alone.

It is asked for where the member stands, and given there, by the passkey of who approves: on this
device, or on their phone. The member's session stays theirs. What is signed is a hash of the
merchant, the session that asks, and of what is done to what, with the amount; so it answers once,
for minutes, and for nothing else (docs/decisions/0027).
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Principal, SignedIn, role_of
from tandem.db import work
from tandem.db.audit import approved
from tandem.signin.ceremony import CHALLENGE_BYTES, challenge_in, credential_of, request_options
from tandem.signin.errors import ApprovalRefused, Deed, NeedsApproval, PasskeyRefused
from tandem.signin.keeper import Keeper
from tandem.signin.model import ASKED, Limits, Member, limits_of
from tandem.signin.shapes import Assertion, RequestOptions
from tandem.signin.store import (
    Challenge,
    approvers_of,
    member_by_id,
    passkey_by_credential,
    passkeys_of_all,
    put_challenge,
    take_challenge,
)

_DOMAIN: Final = b"tandem approval\0"
_PURPOSE: Final = "approval"
T = TypeVar("T")


class Approver(NamedTuple):
    """Who has approved something, what they may give back themselves, and what it moves."""

    id: UUID
    most: Limits
    amount: int | None


class Approval(msgspec.Struct, frozen=True):
    """How a refusal is passed: who may approve it, and what one of them signs."""

    approvers: Annotated[list[str], Meta(description="Their names", examples=[["Bo"]])]
    options: Annotated[RequestOptions | None, Meta(description="Null: none of them has a passkey")]


class _Asked(NamedTuple):
    """What a challenge was made of."""

    nonce: bytes
    session_id: UUID
    deed: Deed


class Approvals:
    """Asks managers to approve, and knows what they approved."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def doing(
        self,
        principal: Principal,
        wanted: Deed,
        assertion: Assertion | None,
        do: Callable[[Approver | None], Awaitable[T]],
    ) -> T:
        """Do something, by what was approved, if it was.

        `wanted` is what is asked for; without an amount it is as much as was approved. Whoever is
        refused because it is more than they may (`NeedsApproval`) is told how it is approved.
        An answer that was used before, or came late, is none: a repeat gets its first outcome,
        anything else is asked again. Raises `ApprovalRefused`, `PasskeyRefused`, and what `do`
        raises.
        """
        signed_in, approver = principal.signed_in, None
        if signed_in is None:
            return await do(None)
        if assertion is not None:
            approver = await self._approved(principal.owner_id, signed_in, wanted, assertion)
        try:
            return await do(approver)
        except NeedsApproval as needed:
            if approver is not None:
                raise ApprovalRefused("limit") from None
            asked = await self._ask(principal.owner_id, signed_in, needed)
            needed.approval = msgspec.to_builtins(asked)
            raise

    async def _ask(self, employer_id: UUID, asks: SignedIn, needed: NeedsApproval) -> Approval:
        """Who may approve it, and what they sign."""
        keeper, deed = self._keeper, needed.deed()
        nonce = keeper.entropy(CHALLENGE_BYTES)
        challenge = _challenge(nonce, employer_id, asks.session_id, deed)
        facts = msgspec.json.encode(_Asked(nonce, asks.session_id, deed))
        kept = Challenge(_PURPOSE, asks.holder_id, facts)
        async with work(keeper.pool, changes=False) as connection:
            able = [
                member
                for member in await approvers_of(connection, employer_id)
                if member.id != asks.holder_id
                and _approves(member)
                and needed.within(limits_of(member))
            ]
            known = await passkeys_of_all(connection, [member.id for member in able])
            if not known:
                return Approval([], None)
            await put_challenge(connection, challenge, kept, keeper.now() + ASKED)
        options = request_options(keeper.site, challenge, known)
        return Approval([member.name for member in able], options)

    async def _approved(
        self, employer_id: UUID, asks: SignedIn, wanted: Deed, assertion: Assertion
    ) -> Approver | None:
        """Who has approved it; None if that was used, or was asked too long ago."""
        keeper = self._keeper
        challenge = challenge_in(assertion)
        async with work(keeper.pool, changes=False) as connection:
            asked = await take_challenge(connection, challenge, keeper.now())
        if asked is None:
            return None
        if asked.purpose != _PURPOSE or asked.holder_id != asks.holder_id:
            raise PasskeyRefused("challenge")
        nonce, session_id, deed = msgspec.json.decode(asked.facts, type=_Asked)
        if session_id != asks.session_id:
            raise PasskeyRefused("challenge")
        assert challenge == _challenge(nonce, employer_id, session_id, deed), "it was made of these"
        if not wanted.is_in(deed):
            raise ApprovalRefused("other")
        member = await self._signer(employer_id, challenge, assertion)
        _check(member, asks.holder_id)
        approved(member.id, member.name)
        return Approver(member.id, limits_of(member), deed.amount)

    async def _signer(self, employer_id: UUID, challenge: bytes, assertion: Assertion) -> Member:
        """Whose passkey signed: of this employer's staff, or it is not known here."""
        async with self._keeper.pool.acquire() as connection:
            passkey = await passkey_by_credential(connection, credential_of(assertion))
            member = None
            if passkey is not None and passkey.holder_kind == "staff":
                member = await member_by_id(connection, passkey.holder_id)
        if member is None or member.employer_id != employer_id:
            raise PasskeyRefused("unknown")
        await self._keeper.signed(assertion, challenge, member.id)
        return member


def _approves(member: Member) -> bool:
    return role_of(member.employer_kind, member.role).approves


def _check(member: Member, asks: UUID) -> None:
    """That this member may approve what another one asks for. Raises `ApprovalRefused`."""
    if member.id == asks:
        raise ApprovalRefused("self")
    if member.status == "suspended":
        raise ApprovalRefused("suspended")
    if not _approves(member):
        raise ApprovalRefused("role")


def _challenge(nonce: bytes, employer_id: UUID, session_id: UUID, deed: Deed) -> bytes:
    """The hash that is signed."""
    said = msgspec.json.encode(deed)
    return hashlib.sha256(_DOMAIN + nonce + employer_id.bytes + session_id.bytes + said).digest()
