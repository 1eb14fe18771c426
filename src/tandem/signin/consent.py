"""A payment above a person's own limit asks for their passkey again, for this payment alone.

What is signed is a hash of whom is paid, how much and of which currency, with a random part: as
Secure Payment Confirmation has it, and "dynamic linking" of the European rules for payments (RTS
2018/389, article 5). It answers once, for minutes, and for nothing else.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from tandem.access import Principal
from tandem.db import work
from tandem.people import Confirmed, PasskeyNeeded
from tandem.signin.ceremony import CHALLENGE_BYTES, challenge_in, request_options
from tandem.signin.errors import NoPasskey, PasskeyRefused
from tandem.signin.keeper import Keeper, holder_of
from tandem.signin.model import ASKED
from tandem.signin.shapes import Assertion
from tandem.signin.store import Challenge, passkeys_of, put_challenge, take_challenge

_DOMAIN: Final = b"tandem payment\0"
T = TypeVar("T")


class Asked(NamedTuple):
    """What a challenge was made of."""

    nonce: bytes
    facts: Confirmed


class Consents:
    """Asks people to confirm payments."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def paying(
        self,
        person_id: UUID,
        assertion: Assertion | None,
        pay: Callable[[Confirmed | None], Awaitable[T]],
    ) -> T:
        """Pay, by what the person has confirmed, if they have.

        If the payment asks for it, what to sign comes with the refusal. Raises `PasskeyNeeded`,
        `PasskeyRefused` for an answer that is wrong, and what `pay` raises. An answer that was
        used is none: a repeat of a payment gets its first outcome, anything else is asked again.
        """
        confirmed = None
        if assertion is not None:
            confirmed = await self._confirmed(person_id, assertion)
        try:
            return await pay(confirmed)
        except PasskeyNeeded as needed:
            raise await self._ask(person_id, needed) from None

    async def _ask(self, person_id: UUID, needed: PasskeyNeeded) -> PasskeyNeeded:
        """The refusal with what is to be signed."""
        keeper = self._keeper
        facts = Confirmed(needed.payee_id, needed.amount, needed.currency)
        nonce = keeper.entropy(CHALLENGE_BYTES)
        challenge = _challenge(nonce, person_id, facts)
        kept = Challenge("payment", person_id, msgspec.json.encode(Asked(nonce, facts)))
        async with work(keeper.pool, changes=False) as connection:
            known = await passkeys_of(connection, person_id)
            await put_challenge(connection, challenge, kept, keeper.now() + ASKED)
        options = request_options(keeper.site, challenge, known)
        needed.options = msgspec.to_builtins(options)
        return needed

    async def _confirmed(self, person_id: UUID, assertion: Assertion) -> Confirmed | None:
        """What the person signed; None if it was used, or was asked too long ago."""
        keeper = self._keeper
        challenge = challenge_in(assertion)
        async with work(keeper.pool, changes=False) as connection:
            asked = await take_challenge(connection, challenge, keeper.now())
        if asked is None:
            return None
        if asked.purpose != "payment" or asked.holder_id != person_id:
            raise PasskeyRefused("challenge")
        nonce, facts = msgspec.json.decode(asked.facts, type=Asked)
        assert challenge == _challenge(nonce, person_id, facts), "it was made of these facts"
        await keeper.signed(assertion, challenge, person_id)
        return facts

    async def has_passkey(self, principal: Principal) -> None:
        """That there is a passkey that payments can ask for, and that it was a moment ago.

        Raises `NoPasskey`, `SignInStale`, `SignInNeeded`.
        """
        async with self._keeper.pool.acquire() as connection:
            await self._keeper.check_fresh(connection, principal)
            if not await passkeys_of(connection, holder_of(principal).id, limit=1):
                raise NoPasskey


def _challenge(nonce: bytes, person_id: UUID, facts: Confirmed) -> bytes:
    """The hash that is signed."""
    said = msgspec.json.encode((facts.payee_id, facts.amount, facts.currency))
    return hashlib.sha256(_DOMAIN + nonce + person_id.bytes + said).digest()
