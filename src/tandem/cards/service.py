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

from tandem.cards.answers import SealedAnswers
from tandem.cards.errors import CardConflict, CardDelivered, CardRefused, CodeOver, CodeWrong
from tandem.cards.funding import FundingCard
from tandem.cards.issuers import CardDetails, Issuers
from tandem.cards.keys import IssuerKeys, KeyVault
from tandem.cards.model import (
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
from tandem.cards.proof import (
    CODE_TIME,
    CODE_TRIES,
    REFUSED_TIME,
    Proof,
    code_hash,
    code_over,
    code_right,
    decide_proof,
    new_code,
)
from tandem.cards.remote import Offered, Remote, check_may_fund, check_not_sent
from tandem.cards.shapes import CardPackage, SentCode, ShownCode
from tandem.cards.store import (
    CardFilter,
    card_by_id,
    earlier_device,
    insert_card,
    list_cards,
    live_cards_of,
    load_facts,
    lock_cards,
    next_serial,
    no_card,
    update_card,
)
from tandem.db import Connection, Idempotency, Pool, work
from tandem.db.audit import about, refused_as
from tandem.events.model import EVENTS, Event
from tandem.kernel import Clock, Entropy, Ids, Invalid, NotFound, show_id
from tandem.keyring import KeyRing
from tandem.settings import Settings

RENEW_WITHIN: Final = timedelta(days=90)
"""A card can be renewed in its last three months."""

_DRAWS: Final = 100
_MAX_SEQUENCE: Final = 99
_EVENT_OF: Final = {
    CardStatus.ACTIVE: "card.active",
    CardStatus.SUSPENDED: "card.suspended",
    CardStatus.LOST: "card.lost",
    CardStatus.BLOCKED: "card.blocked",
    CardStatus.REMOVED: "card.removed",
    CardStatus.REFUSED: "card.refused",
    CardStatus.REPLACED: "card.replaced",
}


class Cards:
    """The token vault: knows which number stands for whose balance, and nobody else does."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        issuers: Issuers,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._keyring = keyring
        self._settings = settings
        self.vault = KeyVault(pool, clock, entropy, keyring, settings)
        self._answers = SealedAnswers(pool, clock, keyring)
        self._remote = Remote(pool, clock, ids, keyring, settings, self.vault, issuers)

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
        await self.vault.keys()  # the first card makes them, which takes its time
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
        facts = await load_facts(connection, new.person_id, new.device_id, now - REFUSED_TIME)
        found: Proof | None = decide_proof(facts, Proof(self._settings.card_proof))
        assert found is not None, "what is red was refused"
        if offered is not None:
            found = offered.proof(found)
        card = await self._insert(connection, new, found, offered)
        about(show_id("crd", card.id))
        await self._tell(connection, card, "card.added" if found else "card.refused")
        return card_view(card)

    async def show_code(self, person_id: UUID, asking: UUID, card_id: UUID) -> ShownCode:
        """A new one-time code for a card that waits for one, shown on an earlier device.

        Raises `NotFound` unless `asking` is a device in use that the person had before that of the
        card, `CardConflict` if the card waits for no code.
        """
        async with work(self._pool) as connection:
            card = await self._locked(connection, card_id, person_id)
            if not await earlier_device(connection, person_id, asking, card.device_id):
                raise no_card(card_id)
            if card.proof_by == "issuer":
                raise CardConflict(card.status, "show_code", ("send_code",))
            return await self._new_code(connection, card)

    async def send_code(self, person_id: UUID, card_id: UUID) -> SentCode:
        """Have the card's issuer bring a new one-time code to its cardholder.

        Raises `CardConflict` unless the card waits for such a code, `CodeTooSoon`, `IssuerAway`,
        `IssuerSilent`, `NotFound`.
        """
        async with work(self._pool) as connection:
            card = await self._locked(connection, card_id, person_id)
            if card.proof_by != "issuer":
                raise CardConflict(card.status, "send_code", ("show_code",))
            check_not_sent(card, self._clock.now())
            made = await self._new_code(connection, card)
        # A code that does not arrive is worth nothing, so nothing is in doubt.
        return SentCode(await self._remote.bring_code(card, made.code), made.until)

    async def issue_code(self, card_id: UUID) -> ShownCode:
        """A new one-time code, for the operator to bring to the person in a way of its own."""
        async with work(self._pool) as connection:
            return await self._new_code(connection, await self._locked(connection, card_id))

    async def prove(self, person_id: UUID, device_id: UUID, card_id: UUID, code: str) -> CardView:
        """Enter the code on the card's device: right, and the card is active.

        Raises `CodeWrong`, `CodeOver`, `CardConflict`, `NotFound`.
        """
        secret = (await self.vault.keys()).lookup
        async with work(self._pool) as connection:
            card = await self._locked(connection, card_id, person_id, device_id)
            now = self._clock.now()
            proved = moved(card, CardCommand.PROVE, "person", now)
            if card.code_hash is None or code_over(card.code_until, now):
                raise CodeOver
            if code_right(card.code_hash, secret, card.id, code):
                return await self._write(connection, card, proved)
            tries = card.code_tries + 1
            wrong = msgspec.structs.replace(card, code_tries=tries, updated_at=now)
            if tries >= CODE_TRIES:
                wrong = moved(wrong, CardCommand.REFUSE, "vault", now)
            await self._write(connection, card, wrong)
            refused_as(CodeWrong.code)
        raise CodeWrong(CODE_TRIES - tries)  # after the count is committed

    # -- handing out -----------------------------------------------------------------------------

    async def deliver(
        self, person_id: UUID, device_id: UUID, card_id: UUID, idempotency: Idempotency
    ) -> CardPackage:
        """What belongs on the device: once, though a repeat with the same key gets it again.

        A card that it renews is replaced at this moment. Raises `CardDelivered`, `CardConflict`,
        `NotFound`.
        """
        keys = await self.vault.keys()
        async with self._pool.acquire() as connection:
            known = await card_by_id(connection, card_id)
        if known.key_index not in keys.masters:
            keys = await self.vault.find()
        signer = await asyncio.to_thread(new_key, self._entropy)

        async def act(connection: Connection) -> CardPackage:
            now = self._clock.now()
            renewed = () if known.replaces is None else (known.replaces,)
            cards = await lock_cards(connection, card_id, *renewed)
            card = _of(cards.get(card_id), card_id, person_id, device_id)
            delivered = moved(card, CardCommand.DELIVER, "person", now, delivered_at=now)
            if card.delivered_at is not None:
                raise CardDelivered
            serial = await next_serial(connection, keys.issuer_number)
            pan = self.open_pan(card)
            profile = make_profile(card, pan, keys, signer, serial, self._settings)
            await self._write(connection, card, delivered)
            for other_id in renewed:
                await self._replace(connection, cards[other_id], now)
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
            found = await live_cards_of(connection, device_id)
            now = self._clock.now()
            cards = (await lock_cards(connection, *found)).values()
            made: list[CardView] = []
            for card in cards:
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
            device_card = await self._locked(connection, card_id, person_id)
            now = self._clock.now()
            funded = moved(
                device_card,
                CardCommand.FUND,
                "person",
                now,
                funding_currency=unit.code,
                **_funding(None if offered is None else offered.funding),
            )
            await update_card(connection, funded)
            await self._tell(connection, funded, "card.funded")
        return card_view(funded)

    async def renew(self, card_id: UUID, actor: Actor, person_id: UUID | None = None) -> CardView:
        """The same number for some more years, under another sequence number and with other keys.

        The old one pays until the new one's keys are handed out. Raises `Invalid` while it is too
        early, `CardConflict`, `NotFound`.
        """
        keys = await self.vault.keys()
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
            return _of(await card_by_id(connection, card_id), card_id, person_id)

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

    async def _new_code(self, connection: Connection, card: DeviceCard) -> ShownCode:
        now = self._clock.now()
        moved(card, CardCommand.PROVE, "person", now)  # it waits for a code, or this is refused
        secret, code = (await self.vault.keys()).lookup, new_code(self._entropy)
        until = now + CODE_TIME
        hashed = code_hash(secret, card.id, code)
        await update_card(
            connection,
            msgspec.structs.replace(card, code_hash=hashed, code_until=until, updated_at=now),
        )
        return ShownCode(code, until)

    async def _command(
        self, card_id: UUID, command: CardCommand, actor: Actor, person_id: UUID | None = None
    ) -> CardView:
        async with work(self._pool) as connection:
            card = await self._locked(connection, card_id, person_id)
            after = moved(card, command, actor, self._clock.now())
            if command is CardCommand.RESTORE:
                after = msgspec.structs.replace(after, wrong_cryptograms=0)
            return await self._write(connection, card, after)

    async def _replace(self, connection: Connection, old: DeviceCard, now: datetime) -> None:
        if old.status not in {CardStatus.REMOVED, CardStatus.REPLACED}:
            await self._write(connection, old, moved(old, CardCommand.REPLACE, "vault", now))

    async def _locked(
        self,
        connection: Connection,
        card_id: UUID,
        person_id: UUID | None = None,
        device_id: UUID | None = None,
    ) -> DeviceCard:
        cards = await lock_cards(connection, card_id)
        return _of(cards.get(card_id), card_id, person_id, device_id)

    async def _write(
        self, connection: Connection, before: DeviceCard, after: DeviceCard
    ) -> CardView:
        await update_card(connection, after)
        if after.status != before.status:
            await self._tell(connection, after, _EVENT_OF[CardStatus(after.status)])
        return card_view(after)

    async def _tell(self, connection: Connection, card: DeviceCard, event_type: str) -> None:
        """Write the person's event, in the transaction of what it tells."""
        shown = msgspec.json.encode(card_view(card)).decode()
        event = Event(
            card.person_id, self._ids.new(), event_type, card.id, shown, self._clock.now()
        )
        await connection.execute(
            EVENTS.one_row_statement, *(getattr(event, column) for column in EVENTS.columns)
        )


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


def _of(
    card: DeviceCard | None,
    card_id: UUID,
    person_id: UUID | None = None,
    device_id: UUID | None = None,
) -> DeviceCard:
    """The card, if it is this person's and on this device. Raises `NotFound`."""
    if (
        card is None
        or person_id not in {None, card.person_id}
        or device_id not in {None, card.device_id}
    ):
        raise no_card(card_id)
    return card
