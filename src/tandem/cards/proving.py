"""Proving a card by a one-time code, and what all use cases of cards share.

A code is worth a guess, so guesses are counted before they are judged: for the card, and in a day
for the person and for the number of the issuer's card (tandem.cards.codes).
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tandem.cards.answers import SealedAnswers
from tandem.cards.codes import (
    CardCode,
    Kind,
    count_codes,
    forget_sent,
    lock_tries,
    note_code,
    number_of,
    purge_codes,
)
from tandem.cards.errors import CardConflict, CodeOver, CodesUsedUp, CodeTooSoon, CodeWrong
from tandem.cards.issuers import IssuerAway, Issuers
from tandem.cards.keys import KeyVault
from tandem.cards.model import CardCommand, CardStatus, CardView, DeviceCard, card_view, moved
from tandem.cards.proof import (
    CODE_TIME,
    CODE_TRIES,
    MAX_SENT,
    MAX_WRONG,
    code_hash,
    code_over,
    code_right,
    new_code,
)
from tandem.cards.remote import Remote
from tandem.cards.shapes import SentCode, ShownCode
from tandem.cards.store import earlier_device, lock_cards, no_card, update_card
from tandem.db import Connection, Pool, work
from tandem.db.audit import refused_as
from tandem.events.model import EVENTS, Event
from tandem.kernel import Clock, Entropy, Ids
from tandem.keyring import KeyRing
from tandem.settings import Settings

SEND_AGAIN: Final = timedelta(seconds=30)
"""How long after a code the next one can be sent: each is a message to the cardholder."""
PURGE_EVERY: Final = timedelta(hours=1)
"""How often the counts of codes that are over are taken away."""

_EVENT_OF: Final = {
    CardStatus.ACTIVE: "card.active",
    CardStatus.SUSPENDED: "card.suspended",
    CardStatus.LOST: "card.lost",
    CardStatus.BLOCKED: "card.blocked",
    CardStatus.REMOVED: "card.removed",
    CardStatus.REFUSED: "card.refused",
    CardStatus.REPLACED: "card.replaced",
}


class CardProofs:
    """Cards that wait for a one-time code, and the code."""

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
        self._purged_at: datetime | None = None

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

        Raises `CardConflict` unless the card waits for such a code, `CodeTooSoon`, `CodesUsedUp`,
        `IssuerAway`, `IssuerSilent`, `NotFound`.
        """
        async with work(self._pool) as connection:
            card = await self._locked(connection, card_id, person_id)
            if card.proof_by != "issuer":
                raise CardConflict(card.status, "send_code", ("show_code",))
            made = await self._new_code(connection, card)
            sent = await self._count_sent(connection, card)
        # A code that does not arrive is worth nothing, so nothing is in doubt.
        try:
            channel = await self._remote.bring_code(card, made.code)
        except IssuerAway:
            async with work(self._pool, changes=False) as connection:
                await forget_sent(connection, sent)
            raise
        return SentCode(channel, made.until)

    async def issue_code(self, card_id: UUID) -> ShownCode:
        """A new one-time code, for the operator to bring to the person in a way of its own."""
        async with work(self._pool) as connection:
            return await self._new_code(connection, await self._locked(connection, card_id))

    async def prove(self, person_id: UUID, device_id: UUID, card_id: UUID, code: str) -> CardView:
        """Enter the code on the card's device: right, and the card is active.

        Raises `CodeWrong`, `CodeOver`, `CodesUsedUp`, `CardConflict`, `NotFound`.
        """
        secret = (await self.vault.keys()).lookup
        async with work(self._pool) as connection:
            card = await self._locked(connection, card_id, person_id, device_id)
            now = self._clock.now()
            proved = moved(card, CardCommand.PROVE, "person", now)
            if card.code_hash is None or code_over(card.code_until, now):
                raise CodeOver
            number = await self._check_wrong(connection, card, now)
            if code_right(card.code_hash, secret, card.id, code):
                return await self._write(connection, card, proved)
            tries = card.code_tries + 1
            wrong = msgspec.structs.replace(card, code_tries=tries, updated_at=now)
            if tries >= CODE_TRIES:
                wrong = moved(wrong, CardCommand.REFUSE, "vault", now)
            await self._write(connection, card, wrong)
            await self._note(connection, card, "wrong", number, now)
            refused_as(CodeWrong.code)
        raise CodeWrong(CODE_TRIES - tries)  # after the count is committed

    async def purge_due(self) -> int:
        """Take away codes that do not count any more, once an hour; returns how many rows."""
        now = self._clock.now()
        if self._purged_at is not None and now - self._purged_at < PURGE_EVERY:
            return 0
        self._purged_at = now
        async with work(self._pool) as connection:
            return await purge_codes(connection, now)

    async def _check_wrong(
        self, connection: Connection, card: DeviceCard, now: datetime
    ) -> bytes | None:
        """The number that guesses count for. Raises `CodesUsedUp` after too many, also at once."""
        number = await number_of(connection, card)
        await lock_tries(connection, card.person_id, number)
        wrong = await count_codes(connection, "wrong", card.person_id, number, now)
        until = wrong.until(MAX_WRONG)
        if until is not None:
            raise CodesUsedUp("wrong", until)
        return number

    async def _count_sent(self, connection: Connection, card: DeviceCard) -> UUID:
        """Count a code that is to be sent. Raises `CodeTooSoon`, `CodesUsedUp`."""
        now = self._clock.now()
        number = await self._check_wrong(connection, card, now)
        sent = await count_codes(connection, "sent", card.person_id, number, now)
        if sent.last is not None and sent.last + SEND_AGAIN > now:
            raise CodeTooSoon(sent.last + SEND_AGAIN)
        until = sent.until(MAX_SENT)
        if until is not None:
            raise CodesUsedUp("sent", until)
        return await self._note(connection, card, "sent", number, now)

    async def _note(
        self,
        connection: Connection,
        card: DeviceCard,
        kind: Kind,
        number: bytes | None,
        now: datetime,
    ) -> UUID:
        code = CardCode(self._ids.new(), card.id, card.person_id, number, kind, now)
        await note_code(connection, code)
        return code.id

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

    async def _locked(
        self,
        connection: Connection,
        card_id: UUID,
        person_id: UUID | None = None,
        device_id: UUID | None = None,
    ) -> DeviceCard:
        cards = await lock_cards(connection, card_id)
        return of_owner(cards.get(card_id), card_id, person_id, device_id)

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


def of_owner(
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
