"""The payment commands, as entries for the journal.

Each holds what was read beforehand (the shop with its terms, the payer's terms, who the
parties are) and decides on the rows as the journal has them. What has changed in between makes
it stale, and the service builds it anew.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec

from tandem.codes import PayCodeInvalid, PayCodeUsed
from tandem.codes.paycode import Mark
from tandem.db import Idempotency, Table
from tandem.kernel import NotFound, currency, of_hundredths, show_id
from tandem.ledger import (
    AccountKey,
    ChangedMeanwhile,
    Decision,
    Touches,
    View,
    Write,
    fees,
    merchant,
    person,
)
from tandem.merchants import CurrencyTerms, Way
from tandem.payments.decisions import (
    Rules,
    Shop,
    Step,
    approve,
    capture,
    check_shop,
    decline,
    obstacle,
    open_payment,
    paying_account,
    reduce,
    release,
    reopen,
    scan,
    told,
    written,
)
from tandem.payments.errors import CodePaused, PaymentTaken
from tandem.payments.model import (
    PAYMENTS,
    STAFF_REFUNDS,
    Command,
    NewPayment,
    Payment,
    Refund,
    Refunder,
    Status,
    allowed,
    lapsed,
)
from tandem.payments.refunds import count_refund, refund, take_back
from tandem.payments.shapes import BY_PERSON, refund_view
from tandem.people import DEVICES, Confirmed, PersonTerms, unconfirmed
from tandem.tags import TAG_TAPS, TagTap, check_tap


class Beside(Protocol):
    """What another room makes together with an order, in the same entry: all of it, or nothing."""

    def rows(self) -> Sequence[tuple[Table[Any], UUID]]:
        """The rows to lock and read."""
        ...

    def made(self, view: View, payment: Payment) -> tuple[msgspec.Struct, Sequence[Write]]:
        """The answer in place of the order's own, and what is written. Raises why not."""
        ...


class CreateOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant makes an order whose code a person will scan."""

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    rules: Rules
    new: NewPayment
    code_token: str
    expires_seconds: int
    beside: Beside | None = None

    def touches(self) -> Touches:
        """The merchant's account, so that the terms are those of this moment."""
        payee = merchant(self.shop.place.merchant_id, currency(self.new.currency))
        rows = () if self.beside is None else self.beside.rows()
        return Touches((payee,), rows, terms=((payee, self.shop.place.terms),))

    def decide(self, view: View) -> Decision:
        """Create it if the shop takes such a payment."""
        new = self.new
        check_shop(self.shop, self.rules, new.way, new.currency, new.amount)
        payment = open_payment(
            view,
            self.shop,
            new,
            code_token=self.code_token,
            expires_at=view.now + timedelta(seconds=self.expires_seconds),
        )
        step, shown = Step(payment, event="payment.created"), told(payment)
        writes = written(view, self.shop.endpoints, step, shown)
        if self.beside is None:
            return Decision(shown.merchant, (), writes)
        answer, more = self.beside.made(view, payment)
        return Decision(answer, (), (*writes, *more))


class PayStatic(msgspec.Struct, frozen=True, kw_only=True):
    """A person pays the amount they typed at a shop's static code, or at a tag that they tapped."""

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    rules: Rules
    new: NewPayment
    payer: PersonTerms
    tap_id: UUID | None = None
    confirmed: Confirmed | None = None

    def touches(self) -> Touches:
        """The three accounts of a payment, and the tap, which is paid by once."""
        paying = _paying(self.shop, self.payer, self.new.currency)
        if self.tap_id is None:
            return paying
        return Touches(paying.accounts, ((TAG_TAPS, self.tap_id),), terms=paying.terms)

    def decide(self, view: View) -> Decision:
        """Pay at once, or raise why not: nothing exists yet that could be declined."""
        new = self.new
        tap = self._tap(view)
        terms = check_shop(self.shop, self.rules, new.way, new.currency, new.amount)
        wrong = obstacle(view, self.rules, self.payer, new.amount, new.currency)
        wrong = wrong or unconfirmed(
            self.payer, self.shop.merchant_id, new.amount, new.currency, self.confirmed
        )
        if wrong is not None:
            raise wrong
        payment = open_payment(view, self.shop, new, payer=self.payer)
        step = approve(view, self.rules, payment, self.payer, terms, self.id)
        shown = told(step.payment)
        writes = written(view, self.shop.endpoints, step, shown)
        if tap is not None:
            used = msgspec.structs.replace(tap, payment_id=payment.id)
            writes = (*writes, Write(TAG_TAPS, used))
        return Decision(shown.person, step.transfers, writes)

    def _tap(self, view: View) -> TagTap | None:
        """The tap of a rolling tag, if it was one and this person may still pay by it."""
        if self.tap_id is None:
            return None
        tap = view.row(TAG_TAPS, self.tap_id)
        assert tap is not None, "taps are never taken away"
        check_tap(tap, self.payer.id, view.now)
        return tap


class PayWithCode(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant has read a person's pay code. `mark` is the code's place in its device's order."""

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    rules: Rules
    new: NewPayment
    payer: PersonTerms
    device_id: UUID
    mark: Mark

    def touches(self) -> Touches:
        """The device, whose codes work once, and the three accounts of a payment."""
        paying = _paying(self.shop, self.payer, self.new.currency)
        return Touches(paying.accounts, ((DEVICES, self.device_id),), terms=paying.terms)

    def decide(self, view: View) -> Decision:
        """Use the code up; then pay, wait for the person, or decline."""
        new = self.new
        terms = check_shop(self.shop, self.rules, new.way, new.currency, new.amount)
        used = self._use_code(view)
        payment = open_payment(
            view,
            self.shop,
            new,
            status=Status.WAITING,
            expires_at=view.now + timedelta(seconds=self.rules.confirm_seconds),
            payer=self.payer,
        )
        wrong = obstacle(view, self.rules, self.payer, new.amount, new.currency)
        if wrong is not None:
            reason = getattr(wrong, "limit", None)
            step = decline(view, payment, wrong.code if reason is None else f"limit_{reason}")
        elif new.amount > self._confirm_above():
            step = Step(payment, event="payment.waiting")
        else:
            step = approve(view, self.rules, payment, self.payer, terms, self.id)
        shown = told(step.payment)
        writes = (used, *written(view, self.shop.endpoints, step, shown))
        return Decision(shown.merchant, step.transfers, writes)

    def _confirm_above(self) -> int:
        """The amount above which the person is asked: by the operator's rule, or their own."""
        code = self.new.currency
        most = of_hundredths(self.rules.confirm_above, currency(code))
        return min(most, self.payer.passkey_above.get(code, most))

    def _use_code(self, view: View) -> Write:
        device = view.row(DEVICES, self.device_id)
        if device is None or device.revoked_at is not None:
            raise PayCodeInvalid
        if device.paused_until is not None and device.paused_until > view.now:
            raise CodePaused(device.paused_until)
        if self.mark <= Mark(device.code_step, device.code_counter):
            raise PayCodeUsed
        used = msgspec.structs.replace(
            device,
            code_step=self.mark.step,
            code_counter=self.mark.counter,
            wrong_codes=0,
            paused_until=None,
        )
        return Write(DEVICES, used)


class ByPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person scans, leaves, approves or declines an order or a payment that waits for them.

    `way` is how they came by it: their phone read a code, or opened a link. None: neither, and the
    payment stays in the way that it is in.
    """

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    rules: Rules
    payment: Payment
    payer: PersonTerms
    command: Command
    way: Way | None = None
    confirmed: Confirmed | None = None

    def touches(self) -> Touches:
        """The payment and the three accounts, under the person's and the merchant's terms."""
        paying = _paying(self.shop, self.payer, self.payment.currency)
        return Touches(paying.accounts, ((PAYMENTS, self.payment.id),), terms=paying.terms)

    def decide(self, view: View) -> Decision:
        """Do it, if the payment is for this person."""
        payment, before = _current(view, self.payment, self.shop)
        allowed(payment, self.command, view.now)
        if payment.person_id not in (None, self.payer.id):
            raise PaymentTaken(payment.expires_at)
        if self.command is Command.DECLINE:
            step = decline(view, payment, BY_PERSON)
        elif self.command is Command.LEAVE:
            step = reopen(view, payment, Command.LEAVE)
        else:
            step = self._scan_or_approve(view, payment)
        shown = told(step.payment)
        writes = (*before, *written(view, self.shop.endpoints, step, shown))
        return Decision(shown.person, step.transfers, writes)

    def _scan_or_approve(self, view: View, payment: Payment) -> Step:
        """Whichever it is, if the shop takes this payment in the way that the person came."""
        if self.way not in (None, payment.way):
            payment = msgspec.structs.replace(payment, way=self.way, updated_at=view.now)
        code, amount = payment.currency, payment.amount
        terms = check_shop(self.shop, self.rules, payment.way, code, amount)
        if self.command is Command.SCAN:
            return scan(view, self.rules, payment, self.payer)
        wrong = obstacle(view, self.rules, self.payer, amount, code)
        wrong = wrong or unconfirmed(self.payer, payment.merchant_id, amount, code, self.confirmed)
        if wrong is not None:
            raise wrong
        return approve(view, self.rules, payment, self.payer, terms, self.id)


class ByMerchant(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant captures or cancels a payment, a till reduces it, or its time is over.

    `amount` is what to capture (None: all that is left), or what stays reserved; `final` releases
    the rest.
    """

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    payment: Payment
    command: Command
    amount: int | None = None
    final: bool = False

    def touches(self) -> Touches:
        """The payment, its parties' accounts and its reservation."""
        return _touched(self.shop, self.payment)

    def decide(self, view: View) -> Decision:
        """Do it, if the state allows it."""
        payment, before = _current(view, self.payment, self.shop)
        if before and self.command is Command.EXPIRE:
            return Decision(told(payment).merchant, (), before)
        if self.command is Command.CAPTURE:
            terms = _terms(self.shop, payment)
            step = capture(view, payment, terms, self.amount, self.id, final=self.final)
        elif self.command is Command.REDUCE:
            assert self.amount is not None, "it says what stays"
            step = reduce(view, payment, self.amount, self.id)
        else:
            step = release(view, payment, self.command)
        shown = told(step.payment)
        writes = (*before, *written(view, self.shop.endpoints, step, shown))
        return Decision(shown.merchant, step.transfers, writes)


class GiveBack(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant refunds what was captured. `amount` None: all that is left.

    `by` is the member of staff who does, and goes by limits; None: a key, which has none.
    `reversal`: no merchant gives it back, its till takes back what had no answer.
    """

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    payment: Payment
    amount: int | None
    reason: str | None
    by: Refunder | None = None
    reversal: bool = False

    def touches(self) -> Touches:
        """The payment and its parties' accounts; what the member gave back today."""
        touched = _touched(self.shop, self.payment)
        if self.by is None:
            return touched
        counted = (STAFF_REFUNDS, (self.by.id, self.payment.currency))
        return msgspec.structs.replace(touched, rows=(*touched.rows, counted))

    def decide(self, view: View) -> Decision:
        """Refund it, if the state, the merchant's balance and the member's limits allow it."""
        payment, _ = _current(view, self.payment, self.shop)
        step, given = refund(view, payment, self.amount, self.reason, reversal=self.reversal)
        counted: tuple[Write, ...] = ()
        if self.by is not None:
            counted = (count_refund(view, self.by, step.payment, given.amount),)
        writes = written(view, self.shop.endpoints, step, told(step.payment))
        return Decision(refund_view(given), step.transfers, (*writes, *counted))


class TakeBack(msgspec.Struct, frozen=True, kw_only=True):
    """A till takes a refund back whose answer it never heard; `amount` of it."""

    id: UUID
    idempotency: Idempotency | None
    shop: Shop
    payment: Payment
    given: Refund
    amount: int

    def touches(self) -> Touches:
        """The payment and its parties' accounts."""
        return _touched(self.shop, self.payment)

    def decide(self, view: View) -> Decision:
        """Take it back, if the person still has it."""
        payment, _ = _current(view, self.payment, self.shop)
        step = take_back(view, payment, self.given, self.amount)
        shown = told(step.payment)
        return Decision(
            shown.merchant, step.transfers, written(view, self.shop.endpoints, step, shown)
        )


def _paying(shop: Shop, payer: PersonTerms, code: str) -> Touches:
    unit = currency(code)
    payer_account, payee = person(payer.id, unit), merchant(shop.place.merchant_id, unit)
    terms = ((payer_account, payer.terms), (payee, shop.place.terms))
    return Touches((payer_account, payee, fees(unit)), terms=terms)


def _touched(shop: Shop, payment: Payment) -> Touches:
    """The payment and its parties; under the merchant's terms, which say who is told about it."""
    unit = currency(payment.currency)
    payee = merchant(payment.merchant_id, unit)
    accounts: tuple[AccountKey, ...] = (payee,)
    if payment.person_id is not None:
        accounts = (paying_account(payment, payment.person_id, unit), payee, fees(unit))
    return Touches(
        accounts,
        ((PAYMENTS, payment.id),),
        () if payment.pending_id is None else (payment.pending_id,),
        ((payee, shop.place.terms),),
    )


def _current(view: View, read: Payment, shop: Shop) -> tuple[Payment, tuple[Write, ...]]:
    """The payment under the lock, as time has left it, and the rows that tell what time has done.

    An order that waited too long for somebody is open again, however late the timers are. Stale if
    the payment's parties or reservation are not those read before.
    """
    payment = view.row(PAYMENTS, read.id)
    if payment is None:
        raise NotFound("payment", show_id("pay", read.id))
    known = (read.person_id, read.pending_id)
    if (payment.person_id, payment.pending_id) != known:
        raise ChangedMeanwhile(payment.merchant_id)
    if not lapsed(payment, view.now):
        return payment, ()
    step = reopen(view, payment, Command.EXPIRE)
    return step.payment, written(view, shop.endpoints, step, told(step.payment))


def _terms(shop: Shop, payment: Payment) -> CurrencyTerms:
    """The fee terms of a payment that was authorised, even if its currency is no longer taken."""
    return shop.place.currencies.get(payment.currency) or CurrencyTerms(0, 0, 0)
