"""Paying with a device card, as entries for the journal.

The card's row is moved in the transaction of the money, guarded or locked, as a device with its pay
codes is: of one cryptogram at many tills one pays, in whatever process they arrive. A tap that
cannot pay is a declined payment, which its merchant sees; what cannot be read as a tap makes none.
"""

import base64
from datetime import datetime
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.cards import (
    DEVICE_CARDS,
    Asked,
    DeviceCard,
    MasterKey,
    Tap,
    Verdict,
    check_tap,
    issuer_answer,
)
from tandem.db import Idempotency, Integer, SmallInt, Table
from tandem.kernel import check_amount, currency
from tandem.ledger import ChangedMeanwhile, Decision, Touches, View, Write, fees, merchant, person
from tandem.merchants import CurrencyTerms
from tandem.payments.decisions import (
    Rules,
    Shop,
    Step,
    approve,
    check_merchant,
    check_place,
    check_shop,
    decline,
    obstacle,
    open_payment,
    told,
    written,
)
from tandem.payments.model import PAYMENTS, NewPayment, Payment, Status
from tandem.payments.orders import payable, replaced
from tandem.people import DEVICES, Device, LimitExceeded, PersonTerms

_CODE_DIGITS: Final = 6


class TapTrace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tap came from, in the words of the acquirer's host; all of it at most 64 characters.

    `reference` is the message's key, `rrn` its retrieval reference number.
    """

    link: str
    terminal: str
    reference: str
    rrn: str


class CardTap(msgspec.Struct, frozen=True):
    """A row of `card_taps`: a number of a card that was used up, and the payment that it made.

    One that only asked about the card made none.
    """

    card_id: UUID
    atc: Integer
    payment_id: UUID | None
    offline: bool
    transit: bool
    verifier: SmallInt
    method: SmallInt
    link: str
    terminal: str
    reference: str
    rrn: str
    created_at: datetime


CARD_TAPS: Final = Table("card_taps", CardTap, key=("card_id", "atc"), rank=24, log=True)


class TapAnswer(msgspec.Struct, frozen=True):
    """What a tap came to, for the host that it came over.

    The payment as its merchant sees it, None if it only asked about the card; `reason` is why it
    was declined, which the host does not tell the merchant as it is (docs/decisions/0011).
    """

    payment: msgspec.Raw | None
    reason: str | None
    issuer_answer: Annotated[
        str | None,
        Meta(
            description="Issuer Authentication Data (91) as TLV, in Base64; none to a wrong "
            "cryptogram, nor to what comes late"
        ),
    ]


def authorisation_code(payment_id: str) -> str:
    """What a receipt names an approval by (ISO 8583, element 38): the end of the payment's id."""
    return payment_id[-_CODE_DIGITS:].upper()


class PayByCard(msgspec.Struct, frozen=True, kw_only=True):
    """A device was tapped at a till. `key` is its card's, made anew from `master`.

    With `only_asks` it is about the card and not about money: no payment is made. `order` is one of
    the till's that is paid by it; a tap that is declined leaves it as it was.
    What comes late has happened: neither the person's limits nor what the card pays from now are
    asked, their balance is; card and device must have paid on that day (tandem.cards.taps).
    """

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    rules: Rules
    new: NewPayment
    payer: PersonTerms
    card: DeviceCard
    master: MasterKey
    key: bytes
    tap: Tap
    asked: Asked
    trace: TapTrace
    only_asks: bool = False
    order: Payment | None = None

    def __repr__(self) -> str:
        return f"PayByCard({self.id}, {self.card!r})"

    def touches(self) -> Touches:
        """The device and its card, and the three accounts of a payment."""
        unit = currency(self.new.currency)
        payer, payee = person(self.payer.id, unit), merchant(self.shop.merchant_id, unit)
        order = () if self.order is None else ((PAYMENTS, self.order.id),)
        return Touches(
            (payer, payee, fees(unit)),
            ((DEVICES, self.card.device_id), (DEVICE_CARDS, self.card.id), *order),
            terms=((payer, self.payer.terms), (payee, self.shop.place.terms)),
        )

    def decide(self, view: View) -> Decision:
        """Use the cryptogram up; then pay, or decline."""
        terms, judged = self._judged(view)
        order = None if self.order is None else payable(view, self.order, self.payer)
        card, proved = judged.verdict.card, judged.verdict.proved
        if self.only_asks:
            return self._told(view, card, None, judged.reason, proved=proved)
        if judged.reason is None:
            step = approve(view, self.rules, judged.payment, self.payer, terms, self.id)
        else:
            step, order = decline(view, judged.payment, judged.reason), None
        decision = self._told(view, card, step, judged.reason, proved=proved)
        if order is None:
            return decision
        writes = (*decision.writes, *replaced(view, self.shop, order))
        return msgspec.structs.replace(decision, writes=writes)

    def _judged(self, view: View) -> "tuple[CurrencyTerms, _Judged]":
        """The merchant's terms, and what the tap is worth. Raises what the shop does not take."""
        new = self.new
        if self.asked.offline:
            # Goods were given under the policy of then, which the terminal has obeyed.
            check_amount(new.amount)
            terms = check_merchant(self.shop, new.currency)
        else:
            check = check_place if self.only_asks else check_shop
            terms = check(self.shop, self.rules, new.way, new.currency, new.amount)
        card = view.row(DEVICE_CARDS, self.card.id)
        if card is None or (card.key_index, card.person_id, card.funding_id) != (
            self.card.key_index,
            self.payer.id,
            self.card.funding_id,
        ):
            raise ChangedMeanwhile(self.payer.id)
        verdict = check_tap(
            card, self.master, self.key, self.tap, self.asked, view.now, view.day_of
        )
        payment = open_payment(view, self.shop, new, status=Status.WAITING, payer=self.payer)
        reason = verdict.reason or self._obstacle(view, card)
        return terms, _Judged(verdict, payment, reason)

    def _obstacle(self, view: View, card: DeviceCard) -> str | None:
        """Why the person cannot pay by this card, a stable code."""
        device = view.row(DEVICES, card.device_id)
        if device is None or not self._in_use(view, device):
            return "device_out_of_use"
        if card.funding_currency != self.new.currency and not self.asked.offline:
            return "currency_not_funded"
        return self._objection(view)

    def _in_use(self, view: View, device: Device) -> bool:
        """Whether the device pays, or if this comes late, did so on the day before it stopped."""
        revoked = device.revoked_at
        return revoked is None or (self.asked.offline and self.asked.day < view.day_of(revoked))

    def _objection(self, view: View) -> str | None:
        """What keeps the person's balance from paying."""
        new = self.new
        amount = 0 if self.only_asks else new.amount
        wrong = obstacle(view, self.rules, self.payer, amount, new.currency)
        if isinstance(wrong, LimitExceeded):
            if not self.asked.offline:
                return f"limit_{wrong.limit}"
            account = view.account(person(self.payer.id, currency(new.currency)))
            return "insufficient_funds" if new.amount > account.available else None
        return None if wrong is None else wrong.code

    def _told(
        self, view: View, card: DeviceCard, step: Step | None, reason: str | None, *, proved: bool
    ) -> Decision:
        """The rows of it, and what the host hears. No step: only the card was asked about."""
        writes: tuple[Write, ...] = (Write(DEVICE_CARDS, card),)
        answer = None
        if proved:
            payment = None if step is None else step.payment
            writes += (Write(CARD_TAPS, self._used(view, payment)),)
            # What comes late begins no counters of the card anew: it may have stopped to pay.
            if not self.asked.offline:
                approved = reason is None
                proof = issuer_answer(self.master, self.key, self.tap, approved=approved)
                answer = base64.b64encode(proof).decode()
        if step is None:
            return Decision(TapAnswer(None, reason, answer), (), writes)
        shown = told(step.payment)
        writes += written(view, self.shop.endpoints, step, shown)
        answered = TapAnswer(msgspec.Raw(shown.merchant), reason, answer)
        return Decision(answered, step.transfers, writes)

    def _used(self, view: View, payment: Payment | None) -> CardTap:
        results, trace = self.tap.card.results, self.trace
        return CardTap(
            self.card.id,
            self.tap.atc,
            None if payment is None else payment.id,
            self.asked.offline,
            results.transit,
            results.verifier,
            results.method,
            trace.link,
            trace.terminal,
            trace.reference,
            trace.rrn,
            view.now,
        )


class _Judged(NamedTuple):
    """A tap that was checked: the payment that it opens, and why it cannot pay (None: it can)."""

    verdict: Verdict
    payment: Payment
    reason: str | None


class Nothing(msgspec.Struct, frozen=True):
    """The answer of a key that is to do nothing any more."""

    undone: bool = True


class Forestall(msgspec.Struct, frozen=True, kw_only=True):
    """A reversal came for a request that was never seen: it shall do nothing when it comes.

    The key of that request is used up, under a fingerprint that no request has. If the request was
    seen, this is refused (`IdempotencyConflict`), whoever of the two comes first, in any process.
    """

    id: UUID
    idempotency: Idempotency

    def touches(self) -> Touches:
        """Nothing but the key."""
        return Touches()

    def decide(self, view: View) -> Decision:
        """Use the key up."""
        del view
        return Decision(Nothing())
