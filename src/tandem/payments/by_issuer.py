"""Paying by a device card that an issuer's card funds, as entries for the journal.

Two entries with a question between them. The first uses the cryptogram up and writes down that the
issuer is going to be asked (`AskIssuer`); the second books what it answered (`BookAnswer`). If the
process dies in between, or the answer does not come, the second is made without an answer: the
payment is declined, and the issuer is told to undo what it may have done. So a payment is there
when its issuer has agreed, and never before.
"""

import base64
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec

from tandem.cards import (
    DEVICE_CARDS,
    AskKind,
    FundingCard,
    IssuerAnswer,
    MasterKey,
    Tap,
    issuer_answer,
)
from tandem.db import Idempotency
from tandem.kernel import currency, show_id
from tandem.ledger import ChangedMeanwhile, Decision, Touches, View, Write, fees, issuer, merchant
from tandem.merchants import CurrencyTerms
from tandem.payments.decisions import (
    Rules,
    Shop,
    Step,
    advise,
    approve,
    decline,
    open_payment,
    told,
    written,
)
from tandem.payments.errors import PaymentConflict, PaymentTaken
from tandem.payments.issuers import (
    APPROVED,
    ASKING,
    AUTHORISATIONS,
    DECLINED,
    UNDONE,
    IssuerAuthorisation,
)
from tandem.payments.model import PAYMENTS, Capture, NewPayment, Payment, Source, Status
from tandem.payments.orders import of_order, payable, replaced
from tandem.payments.taps import CARD_TAPS, PayByCard, TapAnswer
from tandem.people import LimitExceeded, PersonTerms, objection

NOT_SENT: Final = IssuerAnswer("--")
"""In place of an answer: the issuer was never reached."""
MARGIN_SECONDS: Final = 15
"""How long after an answer's time it is given up, if nobody booked it."""
ASK_WITHIN_SECONDS: Final = 8
"""How long after it was written a question may still be asked: else its reversal, when it was given
up, comes before it, and not every issuer remembers what was reversed before it came."""
SILENT: Final = "issuer_silent"
REVERSED: Final = "reversed"
_DOUBTFUL: Final = frozenset({"08", "10", "11", "16", "32", "68", "87", "91", "96"})
"""Approvals of another kind (of a part, on a condition), and words of a switch on the way, which
does not know what the issuer did (ISO 8583:1987, table A.4)."""
REASONS: Final = {
    "--": "issuer_away",
    "91": "issuer_away",
    "51": "issuer_funds",
    "61": "issuer_limit",
    "65": "issuer_limit",
    "54": "issuer_card_expired",
}


class IssuerPending(msgspec.Struct, frozen=True):
    """The answer of a tap whose issuer is to be asked: the payment that it is going to be."""

    asking: str


class AskIssuer(PayByCard, frozen=True, kw_only=True):
    """A device was tapped whose card an issuer's card funds. `number` names the question."""

    funding: FundingCard
    number: int
    answer_seconds: int

    def decide(self, view: View) -> Decision:
        """Use the cryptogram up; then write down what is asked, or decline."""
        _, judged = self._judged(view)
        order = None if self.order is None else payable(view, self.order, self.payer)
        payment, verdict = judged.payment, judged.verdict
        if judged.reason is not None:
            step = decline(view, payment, judged.reason)
            return self._told(view, verdict.card, step, judged.reason, proved=verdict.proved)
        until = view.now + timedelta(seconds=self.answer_seconds + MARGIN_SECONDS)
        asked = IssuerAuthorisation(
            payment_id=payment.id,
            issuer_id=self.funding.issuer_id,
            funding_id=self.funding.id,
            person_id=self.payer.id,
            merchant_id=payment.merchant_id,
            shop_id=payment.shop_id,
            till_id=payment.till_id,
            capture=payment.capture,
            amount=payment.amount,
            currency=payment.currency,
            number=self.number,
            status=ASKING,
            response=None,
            authorisation_code=None,
            until=until,
            created_at=view.now,
            updated_at=view.now,
            order_id=None if order is None else order.id,
        )
        writes = (
            Write(DEVICE_CARDS, verdict.card),
            Write(AUTHORISATIONS, asked),
            Write(CARD_TAPS, self._used(view, payment)),
        )
        return Decision(IssuerPending(show_id("pay", payment.id)), (), writes)

    def _objection(self, view: View) -> str | None:
        """What keeps the person from paying; what they may spend in a day, the issuer says."""
        del view
        new = self.new
        wrong = objection(self.rules.spending, self.payer, new.amount, new.currency, 0)
        limited = isinstance(wrong, LimitExceeded)
        if wrong is None or (self.asked.offline and limited):
            return None
        limit = getattr(wrong, "limit", None)
        return wrong.code if limit is None else f"limit_{limit}"


class TapProof(msgspec.Struct, frozen=True):
    """What the proof in the answer to a tap is made of (tandem.cards.taps)."""

    master: MasterKey
    key: bytes
    tap: Tap

    def __repr__(self) -> str:
        return "TapProof(…)"

    def answer(self, *, approved: bool) -> str:
        """Issuer Authentication Data (91) as TLV, in Base64."""
        made = issuer_answer(self.master, self.key, self.tap, approved=approved)
        return base64.b64encode(made).decode()


class BookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a question to an issuer.

    `answer` is what it said, `NOT_SENT`, or None if nothing was heard. With `undo` the payment is
    not to be made any more, whatever was said. `proof` is there while a terminal waits.
    """

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    rules: Rules
    payer: PersonTerms
    asked: IssuerAuthorisation
    answer: IssuerAnswer | None
    undo: bool = False
    proof: TapProof | None = None

    def touches(self) -> Touches:
        """The question, the payment if it is there, and the accounts."""
        asked = self.asked
        unit = currency(asked.currency)
        payee = merchant(asked.merchant_id, unit)
        order = () if asked.order_id is None else ((PAYMENTS, asked.order_id),)
        return Touches(
            (issuer(asked.issuer_id, unit), payee, fees(unit)),
            ((AUTHORISATIONS, asked.payment_id), (PAYMENTS, asked.payment_id), *order),
            terms=((payee, self.shop.place.terms),),
        )

    def decide(self, view: View) -> Decision:
        """Book it, unless it was decided before: then say how."""
        asked = view.row(AUTHORISATIONS, self.asked.payment_id)
        if asked is None:
            raise ChangedMeanwhile(self.asked.merchant_id)
        if asked.status != ASKING:
            payment = view.row(PAYMENTS, asked.payment_id)
            assert payment is not None, "a question that is answered has its payment"
            return Decision(self._told(payment))
        order = None if asked.order_id is None else view.row(PAYMENTS, asked.order_id)
        payment, undo = self._opened(view, order), self.undo
        room: tuple[Write, ...] = ()
        approved = self.answer is not None and self.answer.approved
        if order is not None and approved and not undo:
            undo, room = self._room(view, order)
        if approved and not undo:
            terms = self.shop.place.currencies.get(asked.currency) or CurrencyTerms(0, 0, 0)
            step, status = approve(view, self.rules, payment, self.payer, terms, self.id), APPROVED
        else:
            step, status = self._declined(view, payment, undo=undo)
        answer = self.answer or IssuerAnswer("")
        after = msgspec.structs.replace(
            asked,
            status=status,
            response=answer.response or None,
            authorisation_code=answer.authorisation_code,
            updated_at=view.now,
        )
        shown = told(step.payment)
        writes = (
            Write(AUTHORISATIONS, after),
            *written(view, self.shop.endpoints, step, shown),
            *room,
        )
        return Decision(self._told(step.payment), step.transfers, writes)

    def _room(self, view: View, order: Payment) -> tuple[bool, tuple[Write, ...]]:
        """Whether it is too late for the order, or the rows by which it makes room."""
        try:
            return False, replaced(view, self.shop, payable(view, order, self.payer))
        except (PaymentConflict, PaymentTaken):
            return True, ()  # it was paid otherwise, or given up, while the issuer was asked

    def _declined(self, view: View, payment: Payment, *, undo: bool) -> tuple[Step, str]:
        answer = self.answer
        if undo:
            reason = REVERSED
        elif answer is None:
            reason = SILENT
        else:
            reason = REASONS.get(answer.response, "issuer_declined")
        step = decline(view, payment, reason)
        if answer is not None and _certain(answer):
            return step, DECLINED
        back = advise(view, payment, AskKind.REVERSAL, 0)
        return msgspec.structs.replace(step, writes=(*step.writes, *back)), UNDONE

    def _opened(self, view: View, order: Payment | None) -> Payment:
        asked = self.asked
        new = NewPayment(
            amount=asked.amount,
            currency=asked.currency,
            way="tap",
            source=Source.DEVICE_CARD,
            capture=Capture(asked.capture),
        )
        new = of_order(new, order)
        opened = open_payment(view, self.shop, new, status=Status.WAITING, payer=self.payer)
        return msgspec.structs.replace(opened, id=asked.payment_id, issuer_id=asked.issuer_id)

    def _told(self, payment: Payment) -> TapAnswer:
        reason = payment.decline_reason
        proof = None if self.proof is None else self.proof.answer(approved=reason is None)
        return TapAnswer(msgspec.Raw(told(payment).merchant), reason, proof)


def _certain(answer: IssuerAnswer) -> bool:
    """Whether an answer says that the issuer did nothing; what is no ISO code says nothing."""
    if answer == NOT_SENT:
        return True
    code = answer.response
    return code.isdigit() and not answer.approved and code not in _DOUBTFUL
