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
    Cards,
    DeviceCard,
    Issuers,
    MasterKey,
    card_by_number,
    card_limits,
    funding_by_id,
    no_card,
    pan_hash,
    read_tap,
)
from tandem.db import Idempotency, IdempotencyConflict, Pool
from tandem.kernel import Clock, Entropy, Ids, Invalid, Lru, NotFound, currency, read_id, show_id
from tandem.keyring import KeyRing
from tandem.ledger import ChangedMeanwhile, Entry, Journal, Outcome
from tandem.payments.by_issuer import AskIssuer
from tandem.payments.decisions import Shop
from tandem.payments.entries import ByMerchant, TakeBack
from tandem.payments.errors import CardUnknown
from tandem.payments.model import Capture, Command, NewPayment, Payment, Refunder, Source
from tandem.payments.orders import of_order
from tandem.payments.service import At
from tandem.payments.shapes import CardTapView, person_view
from tandem.payments.store import (
    BY_CARD,
    REVERSAL,
    answer_to,
    payment_by_tap,
    payments_of_card,
    refund_by_id,
    taps_of_card,
)
from tandem.payments.taps import Forestall, PayByCard, TapTrace
from tandem.payments.with_issuers import IssuerPayments, asking
from tandem.settings import Settings
from tandem.tags import Tags

UNDONE: Final = bytes(32)
"""The fingerprint of what a reversal forestalled: no SHA-256 of a request is known to be zero."""


CACHED_CARDS: Final = 100_000


class KnownCard(NamedTuple):
    """A card, what its key is made of, and the key."""

    card: DeviceCard
    master: MasterKey
    key: bytes

    def __repr__(self) -> str:
        return f"KnownCard({self.card!r})"


class NewTap(msgspec.Struct, frozen=True, kw_only=True):
    """A tap as a host has it. Amount in minor units.

    `pan` and `sequence` are the card's (elements 2 or 35, and 23), `icc` element 55, `day` the
    terminal's date. `capture` is manual for an authorisation. `offline`: the terminal approved it,
    or let somebody through a gate.
    `only_asks`: no money is to move, whatever the amount that the card was shown. `order_id` is the
    order of the till that the tap pays.
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
    only_asks: bool = False
    order_id: UUID | None = None

    def __repr__(self) -> str:
        return f"NewTap({self.amount} {self.currency}, …{self.pan[-4:]})"


class CardPayments(IssuerPayments):
    """All payments, those by device cards among them."""

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        cards: Cards,
        tags: Tags,
        issuers: Issuers,
    ) -> None:
        super().__init__(
            pool, journal, clock, ids, entropy, keyring, settings, cards, tags, issuers
        )
        self._known: Lru[tuple[bytes, int], KnownCard] = Lru(CACHED_CARDS)

    async def pay_by_card(self, at: At, new: NewTap, idempotency: Idempotency) -> Outcome:
        """Pay by a tap; the outcome is a `TapAnswer`, also of a payment that is declined.

        What only asks about the card makes no payment, and no issuer hears of it.

        Raises `CardUnknown`, `Invalid` for element 55 that is none of a card of ours, and what
        payments in any way do: `WayRefused`, `CurrencyNotTaken`, `MerchantNotActive`.
        """
        try:
            return await self._by_card(at, new, idempotency)
        except ChangedMeanwhile:  # what it pays from is not what is remembered of it
            return await self._by_card(at, new, idempotency, anew=True)

    async def _by_card(
        self, at: At, new: NewTap, idempotency: Idempotency, *, anew: bool = False
    ) -> Outcome:
        try:
            first: KnownCard | None = await self._card(new.pan, new.sequence, anew=anew)
        except CardUnknown:
            first = None  # said below, so that it is kept as the request's answer
        if first is not None and first.card.funding_id is not None and not new.only_asks:
            return await self._by_issuer(at, new, first, first.card.funding_id, idempotency)
        found = [] if first is None else [first]

        async def entry() -> Entry:
            shop = await self._shop_of(at)
            known = found.pop() if found else await self._card(new.pan, new.sequence, anew=True)
            if known.card.funding_id is not None and not new.only_asks:
                raise ChangedMeanwhile(known.card.person_id)
            tapped = await self._tapped(at, shop, new, known)
            return PayByCard(**tapped, idempotency=idempotency, only_asks=new.only_asks)

        return await self._submit(entry, idempotency)

    async def _by_issuer(
        self, at: At, new: NewTap, first: KnownCard, funding_id: UUID, idempotency: Idempotency
    ) -> Outcome:
        async with self._pool.acquire() as connection:
            funding = await funding_by_id(connection, funding_id)
        found = [first]

        async def build(number: int, answer_seconds: int) -> AskIssuer:
            shop = await self._shop_of(at)
            known = found.pop() if found else await self._card(new.pan, new.sequence, anew=True)
            if known.card.funding_id != funding_id:
                raise ChangedMeanwhile(known.card.person_id)
            return AskIssuer(
                **await self._tapped(at, shop, new, known),
                idempotency=asking(idempotency),
                funding=funding,
                number=number,
                answer_seconds=answer_seconds,
            )

        return await self._pay_by_issuer(build, funding, idempotency)

    async def _tapped(self, at: At, shop: Shop, new: NewTap, known: KnownCard) -> dict[str, Any]:
        """What an entry is made of. Raises `Invalid`, and `NotFound` for no order of the till."""
        unit = currency(new.currency)
        order = await self._order(at, new)
        return {
            "id": self._ids.entry(),
            "shop": shop,
            "rules": self._rules,
            "new": of_order(
                NewPayment(
                    amount=new.amount,
                    currency=unit.code,
                    way="tap",
                    source=Source.DEVICE_CARD,
                    capture=new.capture,
                ),
                order,
            ),
            "order": order,
            "payer": await self._payer(known.card.person_id),
            "card": known.card,
            "master": known.master,
            "key": known.key,
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

    async def _order(self, at: At, new: NewTap) -> Payment | None:
        """The order that a tap pays: of this till, and for this amount."""
        if new.order_id is None:
            return None
        order = await self.of_merchant(at.merchant_id, new.order_id)
        if order.till_id != at.till_id or order.source != Source.ORDER:
            raise NotFound("payment", show_id("pay", new.order_id))
        if (order.amount, order.currency) != (new.amount, new.currency):
            raise Invalid("amount", "is not that of the order")
        return order

    async def complete(
        self, merchant_id: UUID, original: str, amount: int, idempotency: Idempotency
    ) -> Outcome:
        """Capture what the request with the key `original` authorised, and release the rest.

        The outcome is a PaymentView. Raises `NotFound` if there was none, and what `capture` does.
        """
        made = await self._made(merchant_id, original)
        if made is None or not made.startswith("pay_"):
            raise NotFound("payment", original)
        payment_id = read_id("pay", made)
        return await self.capture(merchant_id, payment_id, amount, idempotency, final=True)

    async def reverse(
        self,
        merchant_id: UUID,
        originals: tuple[str, ...],
        final_amount: int,
        idempotency: Idempotency,
    ) -> None:
        """Undo the request with one of these keys, down to `final_amount`.

        What is reserved goes free, what was captured goes back, a refund is taken back. A request
        that was never seen does nothing any more when it comes. Once is as good as often. Raises
        `InsufficientFunds` if a person does not have a refund any more, `Invalid` if it went to a
        card of an issuer, and what `cancel` and `refund` do.
        """
        for number, original in enumerate(originals):
            if await self._forestalled(merchant_id, original):
                continue
            made = await self._made(merchant_id, original)
            key = idempotency._replace(key=f"{idempotency.key}/{number}")
            if made is not None and made.startswith("ref_"):
                await self._take_back(merchant_id, read_id("ref", made), final_amount, key)
            elif made is not None:
                payment = await self.of_merchant(merchant_id, read_id("pay", made))
                await self._undo(payment, final_amount, key)

    async def refund_by_card(
        self,
        merchant_id: UUID,
        pan: str,
        rrn: str,
        amount: int,
        code: str,
        idempotency: Idempotency,
        *,
        by: Refunder | None = None,
    ) -> Outcome:
        """Refund the payment that this card made under this retrieval reference number.

        The outcome is a RefundView; `by` as `refund` takes it. No cryptogram of a purchase makes
        a refund: it goes back to where the named payment came from, and never above it. Raises
        `NotFound`, also for another currency, and what `refund` does.
        """
        card = (await self._card(pan, None)).card
        async with self._pool.acquire() as connection:
            found = await payment_by_tap(connection, merchant_id, card.pan_hash, rrn)
        if found is None or found.currency != code:
            raise NotFound("payment", rrn)
        return await self.refund(merchant_id, found.id, amount, BY_CARD, idempotency, by=by)

    async def taps_of(
        self, person_id: UUID, device_id: UUID, card_id: UUID, atc: int | None, limit: int
    ) -> list[CardTapView]:
        """What became of a card's taps, newest first: for the device that made them.

        Raises `NotFound` for a card that is another's, or on another device: the issuer's answer
        is for that card alone.
        """
        card = await self._cards.of_person(person_id, card_id)
        if card.device_id != device_id:
            raise no_card(card_id)
        async with self._pool.acquire() as connection:
            found = await taps_of_card(connection, card_id, atc, limit)
        return [
            CardTapView(tap.atc, person_view(tap.payment), _answer_in(tap.answer)) for tap in found
        ]

    async def of_card(
        self, person_id: UUID, card_id: UUID, before: UUID | None, limit: int
    ) -> list[Payment]:
        """What a person's card was tapped for, newest first, whichever device it is on.

        Raises `NotFound` for a card that is another's.
        """
        await self._cards.of_person(person_id, card_id)
        async with self._pool.acquire() as connection:
            return await payments_of_card(connection, card_id, before, limit)

    async def _card(self, pan: str, sequence: int | None, *, anew: bool = False) -> KnownCard:
        """The card with this number, and its key. Raises `CardUnknown`.

        One that was seen is remembered. Whose it is and under which key never changes for a number
        with its sequence number; what it pays from does, so that is compared under the journal's
        lock, where all else is read. `anew` looks again all the same.
        """
        keys = await self._cards.vault.present()
        if keys is None:
            raise CardUnknown  # no card was ever added
        hashed = pan_hash(keys.lookup, pan)
        known = None if sequence is None or anew else self._known.get((hashed, sequence))
        if known is not None:
            return known
        async with self._pool.acquire() as connection:
            card = await card_by_number(connection, hashed, sequence)
        if card is None:
            raise CardUnknown
        master = await self._cards.vault.known(card.key_index)
        assert master is not None, "a card's key is never taken away"
        found = KnownCard(card, master, master.card_key(pan, card.sequence))
        if sequence is not None:
            self._known.put((hashed, sequence), found)
        return found

    async def _forestalled(self, merchant_id: UUID, original: str) -> bool:
        """Let the request do nothing when it comes; False if it was here."""
        key = Idempotency(merchant_id, original, UNDONE)
        try:
            await self._journal.submit(Forestall(id=self._ids.entry(), idempotency=key))
        except IdempotencyConflict:
            return False
        return True

    async def _made(self, merchant_id: UUID, original: str) -> str | None:
        """The id of the payment or refund that a request with this key made.

        None if it was refused or forestalled, never came, or only asked about a card.
        """
        async with self._pool.acquire() as connection:
            body = await answer_to(connection, merchant_id, original)
        try:
            answer = msgspec.json.decode(body or b"", type=_Answered)
        except msgspec.MsgspecError:
            return None  # a refusal that was kept
        return answer.id if answer.payment is None else answer.payment.id

    async def _undo(self, payment: Payment, final_amount: int, key: Idempotency) -> None:
        """Leave no more of a payment than `final_amount`."""
        merchant_id = payment.merchant_id
        kept = max(0, final_amount - payment.captured)
        if payment.reserved and not kept:
            await self.cancel(merchant_id, payment.id, key)
        elif payment.reserved > kept:
            await self._reduce(payment, kept, key)
        back = payment.refundable - final_amount
        if back > 0:
            key = key._replace(key=f"{key.key}/refund")
            await self.refund(merchant_id, payment.id, back, REVERSAL, key, reversal=True)

    async def _reduce(self, payment: Payment, kept: int, idempotency: Idempotency) -> None:
        async def entry() -> Entry:
            now, shop = await self._merchants_payment(payment.merchant_id, payment.id)
            return ByMerchant(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=shop,
                payment=now,
                command=Command.REDUCE,
                amount=kept,
            )

        await self._submit(entry, idempotency)

    async def _take_back(
        self, merchant_id: UUID, refund_id: UUID, final_amount: int, idempotency: Idempotency
    ) -> None:
        """Leave no more given back by a refund than `final_amount`; once, whoever asks again."""
        async with self._pool.acquire() as connection:
            given = await refund_by_id(connection, refund_id)
        if given is None or given.merchant_id != merchant_id:
            raise NotFound("refund", show_id("ref", refund_id))
        amount = given.amount - final_amount
        if given.reversed or amount <= 0:
            return

        async def entry() -> Entry:
            payment, shop = await self._merchants_payment(merchant_id, given.payment_id)
            if payment.issuer_id is not None:
                raise Invalid(
                    "original",
                    "a refund to a card of an issuer is not taken back: the money was given back",
                )
            return TakeBack(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=shop,
                payment=payment,
                given=given,
                amount=amount,
            )

        await self._submit(entry, idempotency)


class _Proof(msgspec.Struct):
    """Of a `TapAnswer`, what is for the card."""

    issuer_answer: str | None


def _answer_in(body: bytes | None) -> str | None:
    """The issuer's answer in what a tap's request was answered; none in a refusal that was kept."""
    try:
        return msgspec.json.decode(body or b"", type=_Proof).issuer_answer
    except msgspec.MsgspecError:
        return None


class _Id(msgspec.Struct):
    id: str


class _Answered(msgspec.Struct):
    """The answer to a tap, to what completes one (a payment itself), or to a refund."""

    payment: _Id | None = None
    id: str | None = None
