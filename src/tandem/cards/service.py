"""The use cases of device cards: adding, proving, handing out, and everything of their life.

Each is a unit of work that locks the card's row as the journal does, so that a tap that is decided
at the same moment comes before or after it, and writes the person's event in the same transaction.
"""

import asyncio
import base64
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.cards.errors import CardConflict, CardDelivered, CardRefused
from tandem.cards.funding import FundingCard
from tandem.cards.issuers import CardDetails
from tandem.cards.keys import IssuerKeys
from tandem.cards.model import (
    LIFE,
    Actor,
    CardCommand,
    CardStatus,
    CardView,
    DeviceCard,
    card_view,
    moved,
)
from tandem.cards.numbers import account_reference, new_pan, own_requestor, pan_context, pan_hash
from tandem.cards.package import check_device_key, make_profile, new_key, valid_until, wrap
from tandem.cards.proof import Proof, decide_proof
from tandem.cards.proving import CardProofs, of_owner
from tandem.cards.remote import Offered, check_may_fund
from tandem.cards.shapes import CardPackage
from tandem.cards.store import (
    CardFilter,
    card_by_id,
    insert_card,
    list_cards,
    load_facts,
    lock_device_cards,
    lock_number,
    next_serial,
    update_card,
)
from tandem.cards.taps import anywhere_ahead
from tandem.db import Connection, Idempotency, work
from tandem.db.audit import about
from tandem.kernel import Invalid, NotFound, show_id

RENEW_WITHIN: Final = timedelta(days=90)
"""A card can be renewed in its last three months."""

_DRAWS: Final = 100
_MAX_SEQUENCE: Final = 99


class Cards(CardProofs):
    """The token vault: knows which number stands for whose balance, and nobody else does."""

    @property
    def wallets(self) -> dict[str, str]:
        """The token requestors of the cards made here, by the wallet's name in shops' policies."""
        return {own_requestor(self._settings.card_range): self._settings.wallet}

    # -- adding ----------------------------------------------------------------------------------

    async def add(
        self,
        person_id: UUID,
        device_id: UUID,
        code: str,
        device_key: bytes,
        idempotency: Idempotency | None,
        card: CardDetails | None = None,
    ) -> CardView:
        """Add a card to the device that asks; it pays in the currency `code`.

        It pays from the balance, or from `card`, whose issuer is asked. `device_key` is the X25519
        key that its keys will be wrapped for. Raises `CardNotEligible`, `CardRefused`, `Invalid`,
        `NotFound` and what `Remote.offer` does.
        """
        unit = self._settings.unit(code)
        new = _New(person_id, device_id, unit.code, check_device_key(device_key))
        await self.vault.latest()  # the first card makes them, which takes its time
        if card is None:
            return await self._answers.once(
                idempotency, CardView, lambda c: self._add(c, new, None)
            )
        keyed = await self._remote.keyed(idempotency)
        earlier = await self._answers.earlier(keyed, CardView)
        if earlier is None:
            offered = await self._remote.offer(person_id, device_id, card, adding=True)
            earlier = await self._answers.once(
                keyed, CardView, lambda c: self._add(c, new, offered)
            )
        if earlier.status == CardStatus.REFUSED:
            raise CardRefused
        return earlier

    async def _add(self, connection: Connection, new: "_New", offered: Offered | None) -> CardView:
        now = self._clock.now()
        number = None if offered is None else offered.funding.pan_hash
        facts = await load_facts(connection, new.person_id, new.device_id, number, now)
        found: Proof | None = decide_proof(facts, Proof(self._settings.card_proof))
        assert found is not None, "what is red was refused"
        if offered is not None:
            found = offered.proof(found)
        card = await self._insert(connection, new, found, offered)
        about(show_id("crd", card.id))
        await self._tell(connection, card, "card.added" if found else "card.refused")
        return card_view(card)

    # -- handing out -----------------------------------------------------------------------------

    async def deliver(
        self, person_id: UUID, device_id: UUID, card_id: UUID, idempotency: Idempotency
    ) -> CardPackage:
        """What belongs on the device: once, though a repeat with the same key gets it again.

        A card that it renews is replaced at this moment; one that pays no more, whatever stopped
        it, is not. Raises `CardDelivered`, `CardConflict`, `NotFound`.
        """
        keys = await self.vault.latest()
        signer = await asyncio.to_thread(new_key, self._entropy)

        async def act(connection: Connection) -> CardPackage:
            now = self._clock.now()
            cards = await lock_number(connection, card_id)
            card = of_owner(cards.get(card_id), card_id, person_id, device_id)
            delivered = moved(card, CardCommand.DELIVER, "person", now, delivered_at=now)
            if card.delivered_at is not None:
                raise CardDelivered
            older = [one for one in cards.values() if one.sequence < card.sequence]
            serial = await next_serial(connection, keys.issuer_number)
            pan = self.open_pan(card)
            profile = make_profile(card, pan, keys, signer, serial, self._settings)
            await self._write(connection, card, delivered)
            for old in older:
                await self._replace(connection, old, now)
            sealed = wrap(profile, card.device_key, card.id)
            return CardPackage(show_id("crd", card.id), base64.b64encode(sealed).decode())

        return await self._answers.once(idempotency, CardPackage, act)

    def open_pan(self, card: DeviceCard) -> str:
        """The card's number. Raises `SealBroken`, `KeyUnknown`."""
        return self._keyring.open(card.pan_sealed, pan_context(card.id)).decode()

    # -- its life --------------------------------------------------------------------------------

    async def by_person(self, person_id: UUID, card_id: UUID, command: CardCommand) -> CardView:
        """Suspend, resume, lose or remove a card of the person's. Raises `CardConflict`."""
        return await self._command(card_id, command, "person", person_id)

    async def by_operator(self, card_id: UUID, command: CardCommand) -> CardView:
        """Confirm, refuse, block, restore, lose or remove a card. Raises `CardConflict`."""
        return await self._command(card_id, command, "operator")

    async def lose_device(
        self, person_id: UUID, device_id: UUID, actor: Actor = "person"
    ) -> list[CardView]:
        """A device is lost: its cards pay no more, and only the operator restores them."""
        async with work(self._pool) as connection:
            cards = await lock_device_cards(connection, device_id)
            now = self._clock.now()
            made: list[CardView] = []
            for card in cards.values():
                if card.person_id != person_id:
                    raise NotFound("device", show_id("dev", device_id))
                if card.status in {CardStatus.ACTIVE, CardStatus.SUSPENDED}:
                    lost = moved(card, CardCommand.LOSE, actor, now)
                    made.append(await self._write(connection, card, lost))
                elif card.status in {CardStatus.WAITING_CODE, CardStatus.WAITING_OPERATOR}:
                    gone = moved(card, CardCommand.REMOVE, actor, now)
                    made.append(await self._write(connection, card, gone))
            return made

    async def fund(
        self, person_id: UUID, card_id: UUID, code: str, card: CardDetails | None = None
    ) -> CardView:
        """Let the card pay in another currency, or from another account; its number stays.

        From the balance, or from an issuer's `card`. The limits of its own stay in the currency
        that it was made with, until it is renewed; so does its PAR. Raises `CardConflict`,
        `CardRefused`, `Invalid`, `NotFound` and what `Remote.offer` does.
        """
        unit = self._settings.unit(code)
        offered = None
        if card is not None:
            known = await self.of_person(person_id, card_id)
            moved(known, CardCommand.FUND, "person", self._clock.now())
            offered = await self._remote.offer(person_id, known.device_id, card, adding=False)
            check_may_fund(offered)
        async with work(self._pool) as connection:
            cards, now = await lock_number(connection, card_id), self._clock.now()
            of_owner(cards.get(card_id), card_id, person_id)
            changes = _funding(None if offered is None else offered.funding)
            changes["funding_currency"] = unit.code
            funded = {
                one.id: moved(one, CardCommand.FUND, "person", now, **changes)
                for one in cards.values()
                if one.id == card_id or (CardStatus(one.status), CardCommand.FUND) in LIFE
            }
            for one in funded.values():
                await update_card(connection, one)
                await self._tell(connection, one, "card.funded")
        return card_view(funded[card_id])

    async def renew(self, card_id: UUID, actor: Actor, person_id: UUID | None = None) -> CardView:
        """The same number for some more years, under another sequence number and with other keys.

        The old one pays until the new one's keys are handed out. Raises `Invalid` while it is too
        early, `CardConflict`, `NotFound`.
        """
        keys = await self.vault.latest()
        async with work(self._pool) as connection:
            card = await self._locked(connection, card_id, person_id)
            now = self._clock.now()
            moved(card, CardCommand.RENEW, actor, now)
            today = self._settings.day_of(now)
            if card.expiry - today > RENEW_WITHIN:
                raise Invalid("card", f"it can be renewed from {card.expiry - RENEW_WITHIN} on")
            if card.sequence == _MAX_SEQUENCE:
                raise Invalid("card", "its sequence numbers are used up: add a new one")
            renewed = msgspec.structs.replace(
                card,
                id=self._ids.new(),
                sequence=card.sequence + 1,
                replaces=card.id,
                **self._fresh(keys, now),
            )
            sealed = self._keyring.seal(self.open_pan(card).encode(), pan_context(renewed.id))
            renewed = msgspec.structs.replace(renewed, pan_sealed=sealed)
            if not await insert_card(connection, renewed):
                raise Invalid("card", "it was renewed before")
            await self._tell(connection, renewed, "card.added")
        return card_view(renewed)

    # -- reading ---------------------------------------------------------------------------------

    async def of_person(self, person_id: UUID, card_id: UUID) -> DeviceCard:
        """A person's card. Raises `NotFound`, also if it is another's."""
        async with self._pool.acquire() as connection:
            return of_owner(await card_by_id(connection, card_id), card_id, person_id)

    async def get(self, card_id: UUID) -> DeviceCard:
        """Any card, for the operator. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await card_by_id(connection, card_id)

    async def list(self, wanted: CardFilter, before: UUID | None, limit: int) -> list[DeviceCard]:
        """Cards, newest first."""
        async with self._pool.acquire() as connection:
            return await list_cards(connection, wanted, before, limit)

    # -- what they have in common ----------------------------------------------------------------

    async def _insert(
        self, connection: Connection, new: "_New", proof: Proof | None, offered: Offered | None
    ) -> DeviceCard:
        """Make a card's row, with a number that no other has; one that is refused without proof."""
        reach, keys = self._settings.card_range, await self.vault.keys()
        account = new.person_id.bytes if offered is None else offered.funding.pan_hash
        for _ in range(_DRAWS):
            card_id, pan = self._ids.new(), new_pan(reach, self._entropy)
            card = DeviceCard(
                id=card_id,
                person_id=new.person_id,
                device_id=new.device_id,
                requestor=own_requestor(reach),
                status=CardStatus.REFUSED if proof is None else proof.status.value,
                proof=Proof.ORANGE if proof is None else proof.value,
                funding_currency=new.currency,
                pan_hash=pan_hash(keys.lookup, pan),
                pan_sealed=self._keyring.seal(pan.encode(), pan_context(card_id)),
                last_four=pan[-4:],
                sequence=0,
                par=account_reference(keys.lookup, reach, account),
                device_key=new.device_key,
                code_hash=None,
                code_until=None,
                code_tries=0,
                replaces=None,
                proof_by="wallet" if offered is None else offered.proof_by,
                **_funding(None if offered is None else offered.funding),
                **self._fresh(keys, self._clock.now()),
            )
            if await insert_card(connection, card):
                return card
        raise RuntimeError(f"{_DRAWS} random card numbers were taken: the range is full")

    def _fresh(self, keys: IssuerKeys, now: datetime) -> dict[str, Any]:
        """What a new card and a renewed one have of their own."""
        today: date = self._settings.day_of(now)
        return {
            # a terminal whose clock is a zone behind must not find it not yet valid
            "effective": today - timedelta(days=1),
            "expiry": valid_until(today, self._settings.card_years, keys.issuer.expires),
            "key_index": keys.master.index,
            "version": keys.master.version,
            "atc": 0,
            "seen": 0,
            "wrong_cryptograms": 0,
            "delivered_at": None,
            "created_at": now,
            "updated_at": now,
        }

    async def _command(
        self, card_id: UUID, command: CardCommand, actor: Actor, person_id: UUID | None = None
    ) -> CardView:
        """Move the card, and with it those of the same number that it can move.

        Its renewal above all: who has the phone could fetch that one's keys.
        """

        def after(card: DeviceCard) -> DeviceCard:
            done = moved(card, command, actor, now)
            if command is not CardCommand.RESTORE:
                return done
            return anywhere_ahead(msgspec.structs.replace(done, wrong_cryptograms=0))

        async with work(self._pool) as connection:
            cards, now = await lock_number(connection, card_id), self._clock.now()
            card = of_owner(cards.pop(card_id, None), card_id, person_id)
            done = after(card)
            for other in cards.values():
                if (CardStatus(other.status), command) in LIFE:
                    await self._write(connection, other, after(other))
            return await self._write(connection, card, done)

    async def _replace(self, connection: Connection, old: DeviceCard, now: datetime) -> None:
        """End a card whose renewal is handed out. Raises `CardConflict` if it pays no more."""
        if old.status == CardStatus.REPLACED:
            return
        if old.status != CardStatus.ACTIVE:
            raise CardConflict(old.status, CardCommand.DELIVER.value, ())
        await self._write(connection, old, moved(old, CardCommand.REPLACE, "vault", now))


class _New(NamedTuple):
    """A card that somebody wants."""

    person_id: UUID
    device_id: UUID
    currency: str
    device_key: bytes


def _funding(card: FundingCard | None) -> dict[str, Any]:
    """The columns that say what a device card pays from; None: the balance."""
    if card is None:
        return {"funding_kind": "balance", "funding_id": None, "funding_last_four": None}
    return {
        "funding_kind": "issuer",
        "funding_id": card.id,
        "funding_last_four": card.last_four,
    }
