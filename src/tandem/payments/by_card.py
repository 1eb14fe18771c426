"""The use cases of payments by a device card: take, complete, reverse, refund.

    taps = CardPayments(…, cards=cards, tags=tags, issuers=issuers)
    await taps.pay_by_card(at, amount, currency, tap, …)

Whoever calls (the acquirer's host) has read the message; what the chip said stays bytes until here.
"""

from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.cards import (
    TRANSIT_CATEGORIES,
    Asked,
    DeviceCard,
    IssuerAway,
    MasterKey,
    card_by_number,
    card_limits,
    funding_by_id,
    pan_hash,
    read_tap,
)
from tandem.db import Idempotency, IdempotencyConflict
from tandem.kernel import Invalid, NotFound, currency, read_id, show_id
from tandem.ledger import Entry, Outcome
from tandem.payments.by_issuer import AskIssuer
from tandem.payments.errors import CardUnknown
from tandem.payments.model import Capture, NewPayment, Payment, Source
from tandem.payments.service import At
from tandem.payments.store import BY_CARD, REVERSAL, answer_to, payment_by_tap
from tandem.payments.taps import Forestall, PayByCard, TapTrace
from tandem.payments.with_issuers import IssuerPayments, asking

UNDONE: Final = bytes(32)
"""The fingerprint of what a reversal forestalled: no SHA-256 of a request is known to be zero."""


class NewTap(msgspec.Struct, frozen=True, kw_only=True):
    """A tap as a host has it. Amount in minor units.

    `pan` and `sequence` are the card's (elements 2 or 35, and 23), `icc` element 55, `day` the
    terminal's date. `capture` is manual for an authorisation. `offline`: the terminal approved it.
    """

    amount: int
    currency: str
    pan: str
    sequence: int | None
    icc: bytes
    day: date
    trace: TapTrace
    capture: Capture = Capture.AUTOMATIC
    offline: bool = False

    def __repr__(self) -> str:
        return f"NewTap({self.amount} {self.currency}, …{self.pan[-4:]})"


class CardPayments(IssuerPayments):
    """All payments, those by device cards among them."""

    async def pay_by_card(self, at: At, new: NewTap, idempotency: Idempotency) -> Outcome:
        """Pay by a tap; the outcome is a `TapAnswer`, also of a payment that is declined.

        Raises `CardUnknown`, `Invalid` for element 55 that is none of a card of ours, and what
        payments in any way do: `WayRefused`, `CurrencyNotTaken`, `MerchantNotActive`.
        """
        try:
            first: _Found | None = await self._card(new.pan, new.sequence)
        except CardUnknown:
            first = None  # said below, so that it is kept as the request's answer
        if first is not None and first.card.funding_id is not None:
            return await self._by_issuer(at, new, first, first.card.funding_id, idempotency)
        found = [] if first is None else [first]

        async def entry() -> Entry:
            card = found.pop() if found else await self._card(new.pan, new.sequence)
            return PayByCard(**await self._tapped(at, new, card), idempotency=idempotency)

        return await self._submit(entry, idempotency)

    async def _by_issuer(
        self, at: At, new: NewTap, first: "_Found", funding_id: UUID, idempotency: Idempotency
    ) -> Outcome:
        async with self._pool.acquire() as connection:
            funding = await funding_by_id(connection, funding_id)
        found = [first]

        async def build(number: int, answer_seconds: int) -> AskIssuer:
            card = found.pop() if found else await self._card(new.pan, new.sequence)
            if card.card.funding_id != funding_id:
                # What it pays from was changed at this moment: the terminal is to ask again.
                raise IssuerAway(show_id("iss", funding.issuer_id))
            return AskIssuer(
                **await self._tapped(at, new, card),
                idempotency=asking(idempotency),
                funding=funding,
                number=number,
                answer_seconds=answer_seconds,
            )

        return await self._pay_by_issuer(build, funding, idempotency)

    async def _tapped(self, at: At, new: NewTap, found: "_Found") -> dict[str, Any]:
        """What an entry is made of. Raises `NotFound`, `Invalid`."""
        shop = await self._shop_of(at)
        unit = currency(new.currency)
        return {
            "id": self._ids.entry(),
            "shop": shop,
            "rules": self._rules,
            "new": NewPayment(
                amount=new.amount,
                currency=unit.code,
                way="tap",
                source=Source.DEVICE_CARD,
                capture=new.capture,
            ),
            "payer": await self._payer(found.card.person_id),
            "card": found.card,
            "master": found.master,
            "key": found.key,
            "tap": read_tap(new.icc),
            "asked": Asked(
                amount=new.amount,
                currency=unit.number,
                day=new.day,
                limits=card_limits(unit.code, self._settings),
                offline=new.offline,
                transit=shop.place.shop_category in TRANSIT_CATEGORIES,
            ),
            "trace": new.trace,
        }

    async def complete(
        self, merchant_id: UUID, original: str, amount: int, idempotency: Idempotency
    ) -> Outcome:
        """Capture what the request with the key `original` authorised, and release the rest.

        The outcome is a PaymentView. Raises `NotFound` if there was none, and what `capture` does.
        """
        found = await self._made_by(merchant_id, original)
        if found is None:
            raise NotFound("payment", original)
        return await self.capture(merchant_id, found.id, amount, idempotency, final=True)

    async def reverse(
        self,
        merchant_id: UUID,
        originals: tuple[str, ...],
        final_amount: int,
        idempotency: Idempotency,
    ) -> None:
        """Undo the request with one of these keys, down to `final_amount`.

        What is reserved goes free, what was captured goes back. A request that was never seen does
        nothing any more when it comes. Once is as good as often. Raises `Invalid` if an
        authorisation is to be undone in part, and what `cancel` and `refund` do.
        """
        for number, original in enumerate(originals):
            if await self._forestalled(merchant_id, original):
                continue
            found = await self._made_by(merchant_id, original)
            if found is not None:
                key = idempotency._replace(key=f"{idempotency.key}/{number}")
                await self._undo(found, final_amount, key)

    async def refund_by_card(
        self,
        merchant_id: UUID,
        pan: str,
        rrn: str,
        amount: int,
        code: str,
        idempotency: Idempotency,
    ) -> Outcome:
        """Refund the payment that this card made under this retrieval reference number.

        The outcome is a RefundView. No cryptogram of a purchase makes a refund: it goes back to
        where the named payment came from, and never above it. Raises `NotFound`, also for another
        currency, and what `refund` does.
        """
        card = (await self._card(pan, None)).card
        async with self._pool.acquire() as connection:
            found = await payment_by_tap(connection, merchant_id, card.pan_hash, rrn)
        if found is None or found.currency != code:
            raise NotFound("payment", rrn)
        return await self.refund(merchant_id, found.id, amount, BY_CARD, idempotency)

    async def _card(self, pan: str, sequence: int | None) -> "_Found":
        """The card with this number, and its key. Raises `CardUnknown`."""
        hashed = pan_hash((await self._cards.vault.keys()).lookup, pan)
        async with self._pool.acquire() as connection:
            card = await card_by_number(connection, hashed, sequence)
        if card is None:
            raise CardUnknown
        master = await self._cards.vault.known(card.key_index)
        assert master is not None, "a card's key is never taken away"
        return _Found(card, master, master.card_key(pan, card.sequence))

    async def _forestalled(self, merchant_id: UUID, original: str) -> bool:
        """Let the request do nothing when it comes; False if it was here."""
        key = Idempotency(merchant_id, original, UNDONE)
        try:
            await self._journal.submit(Forestall(id=self._ids.entry(), idempotency=key))
        except IdempotencyConflict:
            return False
        return True

    async def _made_by(self, merchant_id: UUID, original: str) -> Payment | None:
        """The payment that a request with this key made; None if it was refused, or never came.

        Raises `Invalid` if it was a refund: what was given back is not taken again.
        """
        async with self._pool.acquire() as connection:
            body = await answer_to(connection, merchant_id, original)
        try:
            answer = msgspec.json.decode(body or b"", type=_Answered)
        except msgspec.MsgspecError:
            return None  # a refusal that was kept
        shown = answer.id if answer.payment is None else answer.payment.id
        if shown is None:
            return None  # it was forestalled
        if not shown.startswith("pay_"):
            raise Invalid("original", "a refund cannot be reversed: the money was given back")
        return await self.of_merchant(merchant_id, read_id("pay", shown))

    async def _undo(self, payment: Payment, final_amount: int, key: Idempotency) -> None:
        """Leave no more of a payment than `final_amount`."""
        merchant_id = payment.merchant_id
        if payment.pending_id is not None:
            if final_amount:
                raise Invalid("final_amount", "an authorisation is reversed in full")
            await self.cancel(merchant_id, payment.id, key)
        back = payment.refundable - final_amount
        if back > 0:
            key = key._replace(key=f"{key.key}/refund")
            await self.refund(merchant_id, payment.id, back, REVERSAL, key)


class _Found(NamedTuple):
    """A card, and the key that its cryptograms are made with."""

    card: DeviceCard
    master: MasterKey
    key: bytes


class _Id(msgspec.Struct):
    id: str


class _Answered(msgspec.Struct):
    """The answer to a tap, to what completes one (a payment itself), or to a refund."""

    payment: _Id | None = None
    id: str | None = None
