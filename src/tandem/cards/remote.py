"""Asking the issuer of a card that somebody wants to pay from, before and after it is added."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.cards.errors import CardOfNoIssuer, CardRefused
from tandem.cards.funding import (
    PROOF_OF,
    FundingCard,
    check_details,
    check_tries,
    forget_funding,
    funding_by_id,
    insert_funding,
    new_funding,
    note_not_refused,
    open_details,
)
from tandem.cards.issuers import CardDetails, Checked, Eligibility, IssuerAway, Issuers
from tandem.cards.keys import KeyVault
from tandem.cards.model import DeviceCard
from tandem.cards.numbers import pan_hash
from tandem.cards.proof import Proof, decide_proof
from tandem.cards.store import load_facts
from tandem.db import Connection, Idempotency, Pool, work
from tandem.kernel import Clock, Ids, Invalid
from tandem.keyring import KeyRing
from tandem.settings import Settings

_KEYED: Final = b"request with a card number\0"


class Offered(NamedTuple):
    """An issuer's card that is to fund a device card, and what its issuer says of it."""

    funding: FundingCard
    checked: Checked

    def proof(self, ours: Proof) -> Proof | None:
        """What adding it asks for, if the wallet asks for `ours`; None: the issuer refused it."""
        theirs = PROOF_OF.get(self.checked.eligibility)
        return None if theirs is None else max(ours, theirs, key=tuple(Proof).index)

    @property
    def proof_by(self) -> str:
        """Who brings the code: the issuer, if it wants one."""
        return "issuer" if self.checked.eligibility is Eligibility.PROVE else "wallet"


class Remote:
    """What the vault asks of issuers."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        keyring: KeyRing,
        settings: Settings,
        vault: KeyVault,
        issuers: Issuers,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._keyring = keyring
        self._settings = settings
        self._vault = vault
        self._issuers = issuers

    async def offer(
        self, person_id: UUID, device_id: UUID, card: CardDetails, *, adding: bool
    ) -> Offered:
        """Ask the issuer of a card whether it may fund one on this device.

        What would be refused anyway is refused before the issuer hears of it; of a number that was
        refused too often it is not asked, and stands for one that wants to be spoken to. Raises
        `CardOfNoIssuer`, `CardNotEligible`, `CardBeingChecked`, `Invalid`, `NotFound`,
        `IssuerAway`, `IssuerSilent`.
        """
        now = self._clock.now()
        check_details(card, self._settings.day_of(now))
        issuer = self._issuers.of(card.pan)
        if issuer is None or card.pan.startswith(self._settings.card_range):
            raise CardOfNoIssuer
        funding = new_funding(
            card,
            funding_id=self._ids.new(),
            issuer_id=issuer.id,
            person_id=person_id,
            lookup=(await self._vault.keys()).lookup,
            keyring=self._keyring,
            now=now,
        )
        async with work(self._pool, changes=False) as connection:
            facts = await load_facts(connection, person_id, device_id, funding.pan_hash, now)
            if not adding:
                facts = msgspec.structs.replace(facts, cards=0)
            decide_proof(facts)
            if not adding and facts.doubtful:
                reason = "there were guesses or refusals of late: add it as a new device card"
                raise Invalid("card", reason)
            if not await check_tries(connection, funding, now):
                funding = msgspec.structs.replace(funding, refused=False)
            await insert_funding(connection, funding)
        unasked = Checked(Eligibility.CALL)
        return Offered(funding, await self._ask(funding, card) if funding.refused else unasked)

    async def _ask(self, funding: FundingCard, card: CardDetails) -> Checked:
        """Ask, and take back that it counts as refused unless the issuer says no.

        Also if there is no answer, or whoever asks has gone. Raises `IssuerAway`, `IssuerSilent`.
        """
        write: Callable[[Connection, UUID], Awaitable[None]] | None = note_not_refused
        try:
            checked = await self._issuers.check(funding.issuer_id, card)
            if checked.eligibility is Eligibility.REFUSED:
                write = None
        except IssuerAway:
            write = forget_funding
            raise
        finally:
            if write is not None:
                async with work(self._pool, changes=False) as connection:
                    await write(connection, funding.id)
        return checked

    async def bring_code(self, card: DeviceCard, code: str) -> str | None:
        """Have the issuer bring this code. Raises `IssuerAway`, `IssuerSilent`."""
        assert card.funding_id is not None, "the issuer brings codes of its own cards"
        async with self._pool.acquire() as connection:
            funding = await funding_by_id(connection, card.funding_id)
        details = open_details(funding, self._keyring)
        return await self._issuers.bring_code(funding.issuer_id, details, code)

    async def keyed(self, idempotency: Idempotency | None) -> Idempotency | None:
        """The same, with a fingerprint that does not give a card number away.

        A plain hash of a request with a card number in it is found by trying all numbers.
        """
        if idempotency is None:
            return None
        secret = (await self._vault.keys()).lookup
        return idempotency._replace(
            fingerprint=pan_hash(secret, (_KEYED + idempotency.fingerprint).hex())
        )


def check_may_fund(offered: Offered) -> FundingCard:
    """The card that is to take the place of another. Raises `CardRefused`.

    A device card in use does not wait for a proof: what needs one is added as a new card.
    """
    if offered.checked.eligibility is Eligibility.REFUSED:
        raise CardRefused
    if offered.checked.eligibility is not Eligibility.APPROVED:
        raise Invalid("card", "its issuer asks for more proof: add it as a new device card")
    return offered.funding
