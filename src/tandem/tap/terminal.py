"""The till's reader: takes a payment by tap, asks the host, and owes it nothing for long.

What a payment leads to is on disk first: a request before it is sent, an approval before it is
shown. After a crash, or without an answer, a request is reversed. Only at a gate, where a person
was let through, the host is told of it as of an approval offline, and a refund is asked for again.
A tap that tears before the card decided costs nothing: the card is tapped again, and its earlier
cryptogram is worth nothing.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

import msgspec
import structlog

from tandem.emv.errors import Malformed
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    CardRead,
    HostAnswer,
    Knowledge,
    Message,
    Outcome,
    Result,
    Terminal,
    Transaction,
    UiRequest,
    UiStatus,
    Why,
    complete,
    prepare,
    run,
)
from tandem.emv.tlv import read
from tandem.kernel import Clock, Entropy, Invalid, currency
from tandem.merchants import Acceptance, Choice
from tandem.tap.errors import NoCard, PolicyUnknown, TapCancelled
from tandem.tap.payment import (
    PURCHASE,
    REFUND,
    Online,
    Payment,
    Reply,
    Secret,
    State,
    Unanswered,
    Unreachable,
    Unsendable,
)
from tandem.tap.terminal_settings import TerminalSettings
from tandem.tap.terminal_store import Due, TerminalStore
from tandem.tap.transport import Field, InTime

log = structlog.get_logger(__name__)

Show = Callable[[UiRequest], None]
_SLICE_SECONDS: Final = 0.5
"""How long the reader waits before it looks whether the shop's policy has changed."""
_REMOVAL_SECONDS: Final = 3.0
_WHOLE_TAP_SECONDS: Final = 10.0
"""Twenty times what the industry allows for a tap."""
_ORDER_REPEATS: Final = 5
_REPEAT_SECONDS: Final = 1.0
_ISSUER_DATA: Final = 0x91
_REQUESTOR_DIGITS: Final = 11
_LATER: Final = frozenset({"91", "96"})
"""Answers of a host that is not able now: what is due stays due."""
_KNOWN: Final = "94"
"""Its answer to a number that came with something else before."""


class Policy(Protocol):
    """What the shop accepts, as it is now."""

    def current(self) -> Acceptance | None:
        """The policy; None if it was never known."""
        ...

    def wallet(self, requestor: str) -> str | None:
        """The policy's name for the wallet with this token requestor; None if it has none."""
        ...


class Open:
    """A policy for a terminal that asks nobody what its shop accepts: everything."""

    def current(self) -> Acceptance:
        """Everything."""
        return Acceptance()

    def wallet(self, requestor: str) -> None:
        """No policy names any."""


class Till:
    """A terminal with a reader, a host and a store. One payment at a time.

    `show` is told what the reader shows, as it shows it.
    """

    def __init__(
        self,
        settings: TerminalSettings,
        knowledge: Knowledge,
        store: TerminalStore,
        field: Field,
        online: Online,
        policy: Policy,
        clock: Clock,
        entropy: Entropy,
        show: Show = lambda _: None,
    ) -> None:
        self._settings = settings
        self._terminal = settings.terminal()
        self._knowledge = knowledge
        self._store = store
        self._field = field
        self._online = online
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._show = show
        self._unit = currency(settings.currency)
        self._held = clock.now(), timedelta(0)
        self._cancelled = threading.Event()

    async def take(self, amount: int, order: str = "") -> Payment:
        """Take a payment by tap, to its end. With `order` it pays that order of the till, online.

        Raises `WayRefused` if the shop takes no tap for it, `PolicyUnknown`, `NoCard`,
        `TapCancelled`, `Invalid` for an amount that cannot be, and `ReaderUnusable`.
        """
        return await self._begin(amount, PURCHASE, "", order)

    async def refund(self, number: int, amount: int | None = None) -> Payment:
        """Give back what payment `number` of this terminal took, or a part of it.

        The card that paid is tapped: who decides looks for what this card paid under that number.
        Raises `NotFound`, `Invalid` if it took nothing or not so much, and as `take` does.
        """
        paid = self._store.payment(number)
        if not paid.approved or paid.unpaid or paid.is_refund:
            raise Invalid("number", f"payment {number} took nothing that could be given back")
        amount = paid.amount if amount is None else amount
        if not 1 <= amount <= paid.amount:
            raise Invalid("amount", f"payment {number} took less")
        return await self._begin(amount, REFUND, paid.rrn)

    def cancel(self) -> None:
        """Wait for no card any more: the payment that waits for one raises `TapCancelled`."""
        self._cancelled.set()

    async def let_go(self) -> None:
        """Wait until the card has left the field, a few seconds at most."""
        await asyncio.to_thread(self._field.gone, _REMOVAL_SECONDS)

    async def _begin(self, amount: int, kind: int, original: str, order: str = "") -> Payment:
        self._cancelled.clear()
        self._allowed(amount)
        at = self._clock.now().astimezone(self._settings.time_zone)
        code = self._unit.code
        payment = self._store.new(
            Payment(
                number=0,
                at=at,
                amount=amount,
                currency=code,
                type=kind,
                original=original,
                order=order,
            )
        )
        try:
            outcome = await self._tapped(payment)
        except BaseException:
            self._store.save(payment, State.DONE)
            raise
        payment = payment.after(outcome)
        refused = None if outcome.card is None else self._refuses(outcome.card, amount)
        if outcome.card is not None and self._doubts(outcome.card):
            outcome = replace(outcome, deferrable=False)
            if outcome.result is Result.APPROVED:
                refused = refused or "wallet_unknown"
        if order:  # it may be paid otherwise meanwhile: who decides must say
            outcome = replace(outcome, deferrable=False)
            if outcome.result is Result.APPROVED:
                refused = "order_offline"
        if refused is not None:
            outcome = _refused(outcome)
            payment = msgspec.structs.replace(payment, why=refused)
        if outcome.result is Result.ONLINE_REQUEST:
            return await self._ask(payment, outcome)
        if outcome.result is Result.APPROVED:
            payment = msgspec.structs.replace(payment, approved=True, offline=True)
            self._store.save(payment, State.ADVICE_DUE, Secret.of(outcome))
        else:
            self._store.save(payment, State.DONE)
        await self._say(outcome.ui)
        return payment

    async def send_due(self) -> list[Payment]:
        """Send on what is due, as far as the host can be reached. Returns what is settled by it."""
        settled: list[Payment] = []
        for due in self._store.due():
            try:
                sent = await self._send(due)
            except Unsendable as error:
                # It stays due, for somebody to look at, and in nobody's way.
                log.error("this cannot be sent", payment=due.payment.number, reason=str(error))  # noqa: TRY400 -- the reason is all there is to say
            except Unreachable:
                break
            except Unanswered:
                continue  # it stays due, and is a repeat from now on
            else:
                if sent is not None:
                    settled.append(sent)
        return settled

    # -- the tap ---------------------------------------------------------------------------------

    async def _tapped(self, payment: Payment) -> Outcome:
        """The outcome of a card that was presented, however often it had to be."""
        transaction = Transaction(
            amount=payment.amount,
            currency=self._unit,
            at=payment.at,
            sequence=payment.number,
            type=payment.type,
            forced_online=bool(payment.order),
        )
        ready = prepare(self._taking(), transaction, self._knowledge)
        if isinstance(ready, Outcome):
            return ready
        await self._say(ready.ui)
        until = self._clock.now() + timedelta(seconds=float(self._settings.wait_seconds))
        while self._clock.now() < until:
            self._allowed(payment.amount)
            if self._cancelled.is_set():
                raise TapCancelled
            transport = await asyncio.to_thread(self._field.wait, _SLICE_SECONDS)
            if transport is None:
                continue
            await self._say(
                replace(ready.ui, message=Message.PROCESSING, status=UiStatus.PROCESSING)
            )
            card = InTime(transport, self._clock, _WHOLE_TAP_SECONDS)
            outcome = await asyncio.to_thread(run, ready, self._entropy, card.transmit)
            if outcome.result is not Result.TRY_AGAIN:
                return outcome
            await self._say(outcome.ui, outcome.field_off_ms or 0)
            await asyncio.to_thread(self._field.gone, _REMOVAL_SECONDS)
            if outcome.ui_on_restart is not None:
                await self._say(outcome.ui_on_restart)
        raise NoCard

    async def _say(self, ui: UiRequest, field_off_ms: int = 0) -> None:
        """Show this, once what is shown before has been there as long as it is to be (`hold_ms`).

        Until then no card is looked for either: so long the field is as good as off.
        """
        since, hold = self._held
        left = min(hold, since + hold - self._clock.now())  # a clock may have been set back
        if left > timedelta(0):
            await asyncio.sleep(left.total_seconds())
        self._show(ui)
        hold_ms = max(ui.hold_ms, field_off_ms)
        self._held = self._clock.now(), timedelta(milliseconds=hold_ms)

    def _allowed(self, amount: int) -> None:
        """Raise `WayRefused` or `PolicyUnknown` if the shop takes no such payment by tap now."""
        policy = self._policy.current()
        if policy is None:
            raise PolicyUnknown
        # Whose wallet it is will be known when the card was read.
        anybody = msgspec.structs.replace(policy, wallets=Choice())
        anybody.check("tap", "", self._unit.code, amount)

    def _taking(self) -> Terminal:
        """The terminal with the applications that the shop takes now."""
        policy = self._policy.current() or Acceptance()
        taken = (c for c in self._terminal.combinations if policy.takes_aid(c.aid.hex()))
        return msgspec.structs.replace(self._terminal, combinations=tuple(taken))

    def _refuses(self, card: CardRead, amount: int) -> str | None:
        """Why the shop does not take this card, as its policy is now; None if it does."""
        policy = self._policy.current()
        if policy is None:
            return PolicyUnknown.code
        if not policy.takes_aid(card.values.get(Tag.DF_NAME, b"").hex()):
            return "aid_refused"
        wallet = self._wallet(card) or _requestor(card)
        return policy.objection("tap", wallet, self._unit.code, amount)

    def _doubts(self, card: CardRead) -> bool:
        """Whether this may be a wallet that the policy refuses: it refuses some, this has no name.

        Who decides must say then: without being asked, nobody approves.
        """
        policy = self._policy.current()
        return policy is None or (bool(policy.wallets.refused) and self._wallet(card) is None)

    def _wallet(self, card: CardRead) -> str | None:
        """The policy's name for the card's wallet: the operator's word, then the settings'."""
        requestor = _requestor(card)
        return self._policy.wallet(requestor) or self._settings.wallets.get(requestor)

    # -- the host --------------------------------------------------------------------------------

    async def _ask(self, payment: Payment, outcome: Outcome) -> Payment:
        """Ask the host, and take up what it answers, or that it does not."""
        secret = Secret.of(outcome)
        self._store.save(payment, State.ASKING, secret)
        try:
            await self._say(outcome.ui)
            reply = await self._answer(payment, secret)
        except Unreachable:
            return await self._unanswered(payment, outcome, sent=False)
        except Unanswered:
            return await self._unanswered(payment, outcome, sent=True)
        except BaseException:
            self._owe(payment)
            raise
        final = complete(outcome, HostAnswer(reply.approved, issuer_data(reply.icc)))
        payment = _answered(payment, reply, final)
        self._store.save(payment, State.REVERSAL_DUE if reply.undo else State.DONE)
        await self._say(final.ui)
        return payment

    async def _answer(self, payment: Payment, secret: Secret) -> Reply:
        """What the host says. For an order a lost answer is asked for again, a few times.

        The till's screen shows the outcome as soon as it is one: better to learn it here, too, than
        to take back what somebody has seen as paid.
        """
        lost: Unanswered | None = None
        unreached = Unreachable()
        for repeat in range(1 + (_ORDER_REPEATS if payment.order else 0)):
            if repeat:
                await asyncio.sleep(_REPEAT_SECONDS)
            try:
                return await self._online.authorise(payment, secret, repeat=lost is not None)
            except Unanswered as error:
                lost = error
            except Unreachable as error:
                unreached = error
        raise lost or unreached

    async def _unanswered(self, payment: Payment, outcome: Outcome, *, sent: bool) -> Payment:
        final = complete(outcome, None)
        approved = final.result is Result.APPROVED
        payment = msgspec.structs.replace(
            payment, approved=approved, offline=approved, why=final.why.value
        )
        if sent:
            self._owe(payment)
        else:
            self._store.save(payment, State.DEFERRED_DUE if approved else State.DONE)
        await self._say(final.ui)
        return payment

    def _owe(self, payment: Payment) -> None:
        """Note what a request that was sent and not answered leads to."""
        if payment.approved or payment.is_refund:
            self._store.save(payment, State.DEFERRED_DUE)
            self._store.mark_sent(payment)
        else:
            self._store.save(payment, State.REVERSAL_DUE)

    async def _send(self, due: Due) -> Payment | None:
        """Send one thing. Returns the payment as the host left it; None if it stays due."""
        self._store.mark_sent(due.payment)
        if due.state is State.REVERSAL_DUE:
            reply = await self._online.reverse(due.payment, due.secret, repeat=due.sent)
        elif due.payment.is_refund:
            reply = await self._online.authorise(due.payment, due.secret, repeat=due.sent)
        else:
            reply = await self._told(due)
        if reply.code in _LATER:
            return None
        if not reply.approved:
            log.warning(
                "the host refused what it was told",
                payment=due.payment.number,
                state=due.state.value,
                code=reply.code,
            )
        reversed_ = due.state is State.REVERSAL_DUE and reply.approved
        payment = msgspec.structs.replace(
            due.payment,
            approved=reply.approved if due.payment.is_refund else due.payment.approved,
            host_approved=reply.approved,
            response_code=reply.code,
            authorisation_code=reply.authorisation_code or due.payment.authorisation_code,
        )
        self._store.save(payment, State.REVERSED if reversed_ else State.DONE)
        return payment

    async def _told(self, due: Due) -> Reply:
        """What the host says to an approval that it hears of afterwards.

        A gate's request may have arrived, though its answer did not: then that answer holds.
        """
        reply = await self._online.advise(due.payment, due.secret, repeat=due.sent)
        if due.state is State.DEFERRED_DUE and reply.code == _KNOWN:
            return await self._online.authorise(due.payment, due.secret, repeat=True)
        return reply


def issuer_data(icc: bytes) -> bytes:
    """Issuer Authentication Data (91) of an answer's element 55, empty if there is none."""
    try:
        found = [entry.value for entry in read(icc) if entry.tag == _ISSUER_DATA]
    except Malformed:
        return b""
    return found[0] if found else b""


def _requestor(card: CardRead) -> str:
    """The card's token requestor (9F19), 11 digits; empty if it has none."""
    return card.values.get(Tag.TOKEN_REQUESTOR, b"").hex()[-_REQUESTOR_DIGITS:]


def _answered(payment: Payment, reply: Reply, final: Outcome) -> Payment:
    return msgspec.structs.replace(
        payment,
        approved=reply.approved,
        host_approved=reply.approved,
        why=final.why.value,
        response_code=reply.code,
        authorisation_code=reply.authorisation_code,
    )


def _refused(outcome: Outcome) -> Outcome:
    """The outcome of a card that the shop does not take."""
    ui = replace(outcome.ui, message=Message.NOT_AUTHORISED, status=UiStatus.PROCESSING_ERROR)
    return replace(outcome, result=Result.DECLINED, why=Why.NOT_ALLOWED, ui=ui, receipt=True)
