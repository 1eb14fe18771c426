"""The wallet's commands, as entries for the journal."""

from datetime import timedelta
from uuid import UUID

import msgspec

from tandem.db import Idempotency
from tandem.events import announce
from tandem.kernel import NotFound, Refused, check_amount, currency, show_id
from tandem.ledger import (
    ChangedMeanwhile,
    Decision,
    InsufficientFunds,
    Touches,
    Transfer,
    TransferCode,
    View,
    Write,
    bank,
    person,
)
from tandem.people import (
    Confirmed,
    PersonNotActive,
    PersonTerms,
    Spending,
    objection,
    unconfirmed,
)
from tandem.screening import Screened
from tandem.wallet.errors import RequestClosed, SendsToSelf
from tandem.wallet.model import REQUESTS, SENDS, TOP_UPS, MoneyRequest, Send, TopUp
from tandem.wallet.shapes import request_view, send_view, top_up_view


class MakeSend(msgspec.Struct, frozen=True, kw_only=True):
    """A person sends money to another. Amount in minor units."""

    id: UUID
    idempotency: Idempotency | None
    spending: Spending
    sender: PersonTerms
    receiver: PersonTerms
    amount: int
    currency: str
    message: str | None
    screened: Screened
    confirmed: Confirmed | None = None

    def touches(self) -> Touches:
        """Both accounts, under both people's terms."""
        return _between(self.sender, self.receiver, self.currency)

    def decide(self, view: View) -> Decision:
        """Send it, or raise why not."""
        send, transfer = _send(view, self.spending, self, request_id=None)
        state = self.screened.state
        writes = [Write(SENDS, send), *_told(view, send, state)]
        writes += self.screened.writes(
            "snd", send.id, send.sender_id, send.receiver_id, send.message, view.now
        )
        return Decision(send_view(send, self.sender.id, state), (transfer,), writes)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A person asks another for money."""

    id: UUID
    idempotency: Idempotency | None
    requester: PersonTerms
    payer: PersonTerms
    amount: int
    currency: str
    message: str | None
    expires_seconds: int
    screened: Screened

    def touches(self) -> Touches:
        """Nothing: no money moves."""
        return Touches()

    def decide(self, view: View) -> Decision:
        """Make the request."""
        request, writes = asked(view, self)
        answer = request_view(request, self.requester.id, self.screened.state)
        return Decision(answer, (), writes)


class Accept(msgspec.Struct, frozen=True, kw_only=True):
    """The person who was asked agrees: the money moves. Sender is who was asked."""

    id: UUID
    idempotency: Idempotency | None
    spending: Spending
    request_id: UUID
    sender: PersonTerms
    receiver: PersonTerms
    amount: int
    currency: str
    message: str | None
    message_state: str
    confirmed: Confirmed | None = None

    def touches(self) -> Touches:
        """The request and both accounts."""
        both = _between(self.sender, self.receiver, self.currency)
        return Touches(both.accounts, ((REQUESTS, self.request_id),), terms=both.terms)

    def decide(self, view: View) -> Decision:
        """Send it if the request is still open."""
        request = _open_request(view, self.request_id)
        send, transfer = _send(view, self.spending, self, request_id=request.id)
        accepted = closed(request, view, "accepted", send.id)
        writes = (
            Write(SENDS, send),
            Write(REQUESTS, accepted),
            *_told(view, send, self.message_state),
            *both_told(view, accepted, self.message_state),
        )
        answer = request_view(accepted, self.sender.id, self.message_state)
        return Decision(answer, (transfer,), writes)


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """A request is declined by who was asked, withdrawn by who asked, or its time is over."""

    id: UUID
    idempotency: Idempotency | None
    request_id: UUID
    status: str
    by: UUID
    message_state: str

    def touches(self) -> Touches:
        """The request."""
        return Touches(rows=((REQUESTS, self.request_id),))

    def decide(self, view: View) -> Decision:
        """Close it if it is open."""
        request = _open_request(view, self.request_id, expired=self.status == "expired")
        after = closed(request, view, self.status)
        writes = (Write(REQUESTS, after), *both_told(view, after, self.message_state))
        return Decision(request_view(after, self.by, self.message_state), (), writes)


class MakeTopUp(msgspec.Struct, frozen=True, kw_only=True):
    """The operator books money that came in at its bank for a person.

    `replaces` is the top-up with this reference that was taken back before, if there was one.
    """

    id: UUID
    idempotency: Idempotency | None
    receiver: PersonTerms
    amount: int
    currency: str
    reference: str
    replaces: UUID | None = None

    def touches(self) -> Touches:
        """The bank's account and the person's."""
        unit = currency(self.currency)
        return Touches((bank(unit), person(self.receiver.id, unit)))

    def decide(self, view: View) -> Decision:
        """Book it."""
        check_amount(self.amount)
        unit = currency(self.currency)
        top_up = TopUp(
            view.new_id(),
            self.receiver.id,
            self.amount,
            self.currency,
            self.reference,
            view.now,
            self.replaces,
        )
        transfer = Transfer(
            bank(unit),
            person(self.receiver.id, unit),
            self.amount,
            TransferCode.TOP_UP,
            top_up.id,
        )
        shown = top_up_view(top_up)
        told = announce(view, self.receiver.id, "top_up.received", top_up.id, shown)
        return Decision(shown, (transfer,), (Write(TOP_UPS, top_up), *told))


def asked(
    view: View, ask: Ask, split_id: UUID | None = None
) -> tuple[MoneyRequest, tuple[Write, ...]]:
    """The request that somebody makes, of a split or by itself, and what is written for it."""
    check_amount(ask.amount)
    _check_two(ask.requester, ask.payer)
    request = MoneyRequest(
        id=view.new_id(),
        requester_id=ask.requester.id,
        payer_id=ask.payer.id,
        requester_name=ask.requester.name,
        payer_name=ask.payer.name,
        amount=ask.amount,
        currency=ask.currency,
        message=ask.message,
        status="open",
        send_id=None,
        expires_at=view.now + timedelta(seconds=ask.expires_seconds),
        created_at=view.now,
        updated_at=view.now,
        split_id=split_id,
    )
    state = ask.screened.state
    shown = request_view(request, request.payer_id, state)
    told = announce(view, request.payer_id, "request.received", request.id, shown)
    writes = [Write(REQUESTS, request), *told]
    writes += ask.screened.writes(
        "req", request.id, ask.requester.id, ask.payer.id, request.message, view.now
    )
    return request, tuple(writes)


def _between(sender: PersonTerms, receiver: PersonTerms, code: str) -> Touches:
    unit = currency(code)
    debit, credit = person(sender.id, unit), person(receiver.id, unit)
    return Touches((debit, credit), terms=((debit, sender.terms), (credit, receiver.terms)))


def _check_two(one: PersonTerms, other: PersonTerms) -> None:
    if one.id == other.id:
        raise SendsToSelf
    if one.status != "active" or other.status != "active":
        raise PersonNotActive


def _send(
    view: View, spending: Spending, asked: MakeSend | Accept, *, request_id: UUID | None
) -> tuple[Send, Transfer]:
    """The row and the transfer of a send, or the refusal that stands against it."""
    check_amount(asked.amount)
    _check_two(asked.sender, asked.receiver)
    unit = currency(asked.currency)
    debit, credit = person(asked.sender.id, unit), person(asked.receiver.id, unit)
    account = view.account(debit)
    wrong: Refused | None = objection(
        spending, asked.sender, asked.amount, unit.code, account.spent_on(view.day)
    )
    if wrong is None and asked.amount > account.available:
        wrong = InsufficientFunds(account.id, max(0, account.available), asked.amount)
    wrong = wrong or unconfirmed(
        asked.sender, asked.receiver.id, asked.amount, unit.code, asked.confirmed
    )
    if wrong is not None:
        raise wrong
    send = Send(
        id=view.new_id(),
        sender_id=asked.sender.id,
        receiver_id=asked.receiver.id,
        amount=asked.amount,
        currency=asked.currency,
        message=asked.message,
        request_id=request_id,
        sender_name=asked.sender.name,
        receiver_name=asked.receiver.name,
        created_at=view.now,
    )
    return send, Transfer(debit, credit, send.amount, TransferCode.SEND, send.id, spends=True)


def _told(view: View, send: Send, state: str) -> tuple[Write, ...]:
    writes: list[Write] = []
    for owner, what in ((send.sender_id, "send.sent"), (send.receiver_id, "send.received")):
        writes += announce(view, owner, what, send.id, send_view(send, owner, state))
    return tuple(writes)


def both_told(view: View, request: MoneyRequest, state: str) -> tuple[Write, ...]:
    """Tell both people what became of the request, whose message stands so."""
    writes: list[Write] = []
    for owner in (request.requester_id, request.payer_id):
        shown = request_view(request, owner, state)
        writes += announce(view, owner, f"request.{request.status}", request.id, shown)
    return tuple(writes)


def _open_request(view: View, request_id: UUID, *, expired: bool = False) -> MoneyRequest:
    request = view.row(REQUESTS, request_id)
    if request is None:
        raise NotFound("request", show_id("req", request_id))
    if request.status != "open":
        raise RequestClosed(request.status)
    over = request.expires_at is not None and request.expires_at <= view.now
    if expired and not over:
        raise ChangedMeanwhile(request.requester_id)
    if over and not expired:
        raise RequestClosed("expired")
    return request


def closed(
    request: MoneyRequest, view: View, status: str, send_id: UUID | None = None
) -> MoneyRequest:
    """The request as it stands when it is answered, withdrawn or over."""
    return msgspec.structs.replace(
        request, status=status, send_id=send_id, expires_at=None, updated_at=view.now
    )
