"""What becomes of a payment: pure functions from the rows that were read to the rows to write.

Each takes the journal's `View` of this moment. A refusal is raised; a decline is a result.
"""

from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import msgspec

from tandem.cards import AskKind
from tandem.events import Endpoint, announce
from tandem.kernel import (
    Currency,
    Refused,
    check_amount,
    currency,
    transfer_id,
)
from tandem.ledger import (
    AccountKey,
    ChangedMeanwhile,
    InsufficientFunds,
    Transfer,
    TransferCode,
    TransferKind,
    View,
    Write,
    fees,
    issuer,
    merchant,
    person,
)
from tandem.merchants import CurrencyTerms, Place, Way, fee
from tandem.payments.errors import (
    CaptureExceedsAuthorised,
    CurrencyNotTaken,
    MerchantNotActive,
)
from tandem.payments.issuers import ADVICES, new_advice
from tandem.payments.model import (
    PAYMENTS,
    Capture,
    Command,
    NewPayment,
    Payment,
    Status,
    allowed,
    changed,
    ended,
)
from tandem.payments.shapes import merchant_view, person_view
from tandem.people import PayerNotActive, PersonTerms, Spending, objection


class Shop(msgspec.Struct, frozen=True):
    """Where a payment is taken: the place with its terms, and who is told about it."""

    place: Place
    endpoints: tuple[Endpoint, ...]

    @property
    def merchant_id(self) -> UUID:
        """Whose shop it is."""
        return self.place.merchant_id


class Rules(msgspec.Struct, frozen=True):
    """The operator's settings that decide payments. Times in seconds.

    `confirm_above` is in hundredths of a currency's unit, the same for every currency.
    """

    wallet: str
    spending: Spending
    confirm_above: int
    confirm_seconds: int
    authorisation_seconds: int


class Step(msgspec.Struct, frozen=True):
    """What a decision comes to: the payment as it is now, and what the ledger books for it.

    `left_by` is who it waited for and does no more: they are told of this step, too.
    """

    payment: Payment
    transfers: tuple[Transfer, ...] = ()
    event: str | None = None
    writes: tuple[Write, ...] = ()
    left_by: UUID | None = None


def check_shop(shop: Shop, rules: Rules, way: str, code: str, amount: int) -> CurrencyTerms:
    """The merchant's terms for this payment. Raises why the shop does not take it."""
    return check_place(shop, rules, way, code, check_amount(amount))


def check_place(shop: Shop, rules: Rules, way: str, code: str, amount: int) -> CurrencyTerms:
    """The same for a question about a card, whose amount may be 0."""
    terms = check_merchant(shop, code)
    shop.place.acceptance.check(cast("Way", way), rules.wallet, code, amount)
    return terms


def check_merchant(shop: Shop, code: str) -> CurrencyTerms:
    """The merchant's terms, whatever its shop accepts now. Raises why it takes no such payment."""
    place = shop.place
    if place.merchant_status != "active":
        raise MerchantNotActive
    terms = place.currencies.get(code)
    if terms is None:
        raise CurrencyNotTaken(code, tuple(sorted(place.currencies)))
    return terms


def obstacle(
    view: View, rules: Rules, payer: PersonTerms, amount: int, code: str
) -> Refused | None:
    """Why this person cannot pay the amount now, if so: status, limits, balance."""
    account = view.account(person(payer.id, currency(code)))
    wrong = objection(rules.spending, payer, amount, code, account.spent_on(view.day))
    if wrong is None and amount > account.available:
        return InsufficientFunds(account.id, max(0, account.available), amount)
    return wrong


def open_payment(
    view: View,
    shop: Shop,
    new: NewPayment,
    *,
    status: Status = Status.CREATED,
    code_token: str | None = None,
    expires_at: datetime | None = None,
    payer: PersonTerms | None = None,
) -> Payment:
    """A new payment's row."""
    place = shop.place
    return Payment(
        id=view.new_id(),
        merchant_id=place.merchant_id,
        shop_id=place.shop_id,
        till_id=place.till_id,
        person_id=None if payer is None else payer.id,
        way=new.way,
        source=new.source,
        status=status,
        capture=new.capture,
        currency=new.currency,
        amount=new.amount,
        authorised=0,
        captured=0,
        refunded=0,
        fee=0,
        pending_id=None,
        decline_reason=None,
        order_reference=new.order_reference,
        description=new.description,
        payer_name=None if payer is None else payer.name,
        merchant_name=place.merchant_name,
        shop_name=place.shop_name,
        code_token=code_token,
        expires_at=expires_at,
        created_at=view.now,
        updated_at=view.now,
        tip=new.tip,
        lines=new.lines,
        order_id=new.order_id,
    )


def approve(
    view: View,
    rules: Rules,
    payment: Payment,
    payer: PersonTerms,
    terms: CurrencyTerms,
    entry: UUID,
) -> Step:
    """The person agrees: capture at once, or reserve the amount for later.

    What the issuer of a card pays does not count against the limits of the person's balance.
    """
    allowed(payment, Command.APPROVE, view.now)
    unit = currency(payment.currency)
    payer_account = paying_account(payment, payer.id, unit)
    payee = merchant(payment.merchant_id, unit)
    counts = payment.issuer_id is None
    amount = payment.amount
    if payment.capture == Capture.MANUAL:
        until = view.now + timedelta(seconds=rules.authorisation_seconds)
        reserve = _pending(payment, payer_account, payee, amount, until, spends=counts)
        authorised = changed(
            payment,
            Command.APPROVE,
            Status.AUTHORISED,
            person_id=payer.id,
            payer_name=payer.name,
            authorised=amount,
            pending_id=transfer_id(entry, 1),
            expires_at=until,
            updated_at=view.now,
        )
        return Step(authorised, (reserve,), "payment.authorised")
    charge = fee(terms, amount, first=True)
    pay = Transfer(payer_account, payee, amount, TransferCode.PAYMENT, payment.id, spends=counts)
    captured = changed(
        payment,
        Command.APPROVE,
        Status.CAPTURED,
        person_id=payer.id,
        payer_name=payer.name,
        authorised=amount,
        captured=amount,
        fee=charge,
        expires_at=None,
        updated_at=view.now,
    )
    return Step(captured, (pay, *_fee(payment, payee, charge, unit)), "payment.captured")


def decline(view: View, payment: Payment, reason: str) -> Step:
    """It will not be paid; `reason` is a stable code."""
    allowed(payment, Command.DECLINE, view.now)
    declined = changed(
        payment,
        Command.DECLINE,
        Status.DECLINED,
        decline_reason=reason,
        expires_at=None,
        updated_at=view.now,
    )
    return Step(declined, event="payment.declined")


def scan(view: View, rules: Rules, payment: Payment, payer: PersonTerms) -> Step:
    """A person scanned the order's code: it waits for this person, for a while.

    Who scans it again does not hold it longer.
    """
    allowed(payment, Command.SCAN, view.now)
    if payment.person_id is not None:
        return Step(payment)
    if payer.status != "active":
        raise PayerNotActive
    assert payment.expires_at is not None, "an order's time ends"
    wait = view.now + timedelta(seconds=rules.confirm_seconds)
    waiting = changed(
        payment,
        Command.SCAN,
        Status.WAITING,
        person_id=payer.id,
        payer_name=payer.name,
        expires_at=min(wait, payment.expires_at),
        order_expires_at=payment.expires_at,
        updated_at=view.now,
    )
    return Step(waiting, event="payment.waiting")


def reopen(view: View, payment: Payment, command: Command) -> Step:
    """An order waits for nobody any more: the person let go of it (leave) or took too long."""
    opened = changed(
        payment,
        command,
        Status.CREATED,
        person_id=None,
        payer_name=None,
        expires_at=payment.order_expires_at,
        updated_at=view.now,
    )
    return Step(opened, event="payment.reopened", left_by=payment.person_id)


def capture(
    view: View,
    payment: Payment,
    terms: CurrencyTerms,
    amount: int | None,
    entry: UUID,
    *,
    final: bool,
) -> Step:
    """Take an authorised amount, in full or in part.

    A part posts the reservation for that much and, unless `final`, reserves the rest anew in the
    same entry, so that at no moment the rest is free.
    """
    allowed(payment, Command.CAPTURE, view.now)
    assert payment.pending_id is not None, "what is authorised is reserved"
    unit = currency(payment.currency)
    amount = payment.reserved if amount is None else check_amount(amount)
    if amount > payment.reserved:
        raise CaptureExceedsAuthorised(payment.reserved, amount, unit.code)
    rest = payment.reserved - amount
    payer, payee = parties(payment, unit)
    charge = fee(terms, amount, first=payment.captured == 0)
    post = Transfer(
        payer,
        payee,
        amount,
        TransferCode.PAYMENT,
        payment.id,
        TransferKind.POST,
        payment.pending_id,
    )
    taken = msgspec.structs.replace(
        payment,
        captured=payment.captured + amount,
        fee=payment.fee + charge,
        updated_at=view.now,
    )
    if rest == 0 or final:
        captured = changed(
            taken,
            Command.CAPTURE,
            ended(taken, Status.CAPTURED),
            pending_id=None,
            expires_at=None,
        )
        writes = advise(view, payment, AskKind.COMPLETION, amount)
        if rest:
            writes += advise(view, payment, AskKind.REVERSAL, captured.captured)
        transfers = (post, *_fee(payment, payee, charge, unit))
        return Step(captured, transfers, "payment.captured", writes)
    reserve = _again(view, payment, rest)
    partly = changed(taken, Command.CAPTURE, Status.AUTHORISED, pending_id=transfer_id(entry, 2))
    writes = advise(view, payment, AskKind.COMPLETION, amount)
    transfers = (post, reserve, *_fee(payment, payee, charge, unit))
    return Step(partly, transfers, "payment.captured", writes)


def release(view: View, payment: Payment, command: Command) -> Step:
    """Cancel or expire: what is reserved goes free, what was captured stays captured.

    Whoever hears of a payment that was captured in part hears that the rest went free, and not
    that it was cancelled: money was paid.
    """
    allowed(payment, command, view.now)
    if command is Command.EXPIRE and (payment.expires_at or view.now) > view.now:
        raise ChangedMeanwhile(payment.merchant_id)  # it was given more time at this moment
    unpaid = Status.EXPIRED if command is Command.EXPIRE else Status.CANCELLED
    transfers: tuple[Transfer, ...] = ()
    writes: tuple[Write, ...] = ()
    if payment.pending_id is not None:
        writes = advise(view, payment, AskKind.REVERSAL, payment.captured)
        kind = TransferKind.EXPIRE if command is Command.EXPIRE else TransferKind.VOID
        payer, payee = parties(payment, currency(payment.currency))
        transfers = (
            Transfer(
                payer,
                payee,
                payment.reserved,
                TransferCode.PAYMENT,
                payment.id,
                kind,
                payment.pending_id,
            ),
        )
    status = ended(payment, unpaid)
    over = changed(payment, command, status, pending_id=None, expires_at=None, updated_at=view.now)
    told = unpaid.value if status is unpaid else "released"
    return Step(over, transfers, f"payment.{told}", writes)


def reduce(view: View, payment: Payment, kept: int, entry: UUID) -> Step:
    """Leave no more than `kept` reserved: the rest goes free in the same entry."""
    allowed(payment, Command.REDUCE, view.now)
    assert payment.pending_id is not None, "what is authorised is reserved"
    if not 0 < kept < payment.reserved:
        raise CaptureExceedsAuthorised(payment.reserved, kept, payment.currency)
    payer, payee = parties(payment, currency(payment.currency))
    free = Transfer(
        payer,
        payee,
        payment.reserved,
        TransferCode.PAYMENT,
        payment.id,
        TransferKind.VOID,
        payment.pending_id,
    )
    reduced = changed(
        payment,
        Command.REDUCE,
        Status.AUTHORISED,
        authorised=payment.captured + kept,
        pending_id=transfer_id(entry, 2),
        updated_at=view.now,
    )
    writes = advise(view, payment, AskKind.REVERSAL, reduced.authorised)
    return Step(reduced, (free, _again(view, payment, kept)), "payment.reduced", writes)


def advise(view: View, payment: Payment, kind: AskKind, amount: int) -> tuple[Write, ...]:
    """What the issuer whose card paid is to be told, if one did; of a reversal what is left."""
    if payment.issuer_id is None:
        return ()
    advice = new_advice(
        view.new_id(),
        view.now,
        payment_id=payment.id,
        issuer_id=payment.issuer_id,
        kind=kind,
        amount=amount,
        currency=payment.currency,
    )
    return (Write(ADVICES, advice),)


def parties(payment: Payment, unit: Currency) -> tuple[AccountKey, AccountKey]:
    """The accounts that pay and that are paid."""
    assert payment.person_id is not None, "money moved, so a person paid"
    return paying_account(payment, payment.person_id, unit), merchant(payment.merchant_id, unit)


def paying_account(payment: Payment, person_id: UUID, unit: Currency) -> AccountKey:
    """The account that pays: the person's, or the one of what the card's issuer owes."""
    if payment.issuer_id is not None:
        return issuer(payment.issuer_id, unit)
    return person(person_id, unit)


class Told(msgspec.Struct, frozen=True):
    """A payment in JSON, as its merchant and the person who pays are told of it."""

    merchant: bytes
    person: bytes


def told(payment: Payment) -> Told:
    """What both sides are told."""
    encode = msgspec.json.encode
    return Told(encode(merchant_view(payment)), encode(person_view(payment)))


def written(
    view: View, endpoints: tuple[Endpoint, ...], step: Step, shown: Told
) -> tuple[Write, ...]:
    """The rows of a step: the payment, what comes with it, and both sides' events."""
    payment, event = step.payment, step.event
    writes: list[Write] = [Write(PAYMENTS, payment), *step.writes]
    if event is not None:
        writes += announce(view, payment.merchant_id, event, payment.id, shown.merchant, endpoints)
        person_id = payment.person_id or step.left_by
        if person_id is not None:
            writes += announce(view, person_id, event, payment.id, shown.person)
    return tuple(writes)


def _fee(payment: Payment, payee: AccountKey, charge: int, unit: Currency) -> tuple[Transfer, ...]:
    if charge == 0:
        return ()
    return (Transfer(payee, fees(unit), charge, TransferCode.FEE, payment.id),)


def _again(view: View, payment: Payment, amount: int) -> Transfer:
    """A reservation in place of the payment's own; it counts to the same day's spending."""
    assert payment.pending_id is not None, "there is one already"
    before = view.pending.get(payment.pending_id)
    spends = before is not None and before.spends and view.day_of(before.created_at) == view.day
    payer, payee = parties(payment, currency(payment.currency))
    return _pending(payment, payer, payee, amount, payment.expires_at, spends=spends)


def _pending(
    payment: Payment,
    payer: AccountKey,
    payee: AccountKey,
    amount: int,
    until: datetime | None,
    *,
    spends: bool,
) -> Transfer:
    return Transfer(
        payer,
        payee,
        amount,
        TransferCode.PAYMENT,
        payment.id,
        TransferKind.PENDING,
        expires_at=until,
        spends=spends,
    )
