"""A payment on its way: where it stands in the books, and where a command leads from there."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from moves import NOON
from tandem.codes.paycode import Mark
from tandem.events.model import EVENTS
from tandem.payments import Command, Payment, Source, Status
from tandem.payments.entries import (
    ByMerchant,
    ByPerson,
    CreateOrder,
    GiveBack,
    PayWithCode,
    TakeBack,
)
from tandem.payments.model import PAYMENTS, REFUND_REVERSALS, REFUNDS, Refund
from tandem.people import PersonTerms
from tandem.wallet.entries import MakeTopUp
from tills import DEVICE_IDS, RULES, Books, asked, lin, mei, shop

AMOUNT: Final = 450
ORDER_SECONDS: Final = 1500
WAIT: Final = timedelta(seconds=RULES.confirm_seconds)
BY_PERSON: Final = (Command.SCAN, Command.APPROVE, Command.DECLINE, Command.LEAVE)


class Move(NamedTuple):
    """A command as a walk gives it: `part` takes a third of what is left, else all of it."""

    command: Command
    part: bool = False
    final: bool = False
    who: PersonTerms = lin


@dataclass(frozen=True)
class Stand:
    """Where a walk stands: the books, the payment, the time."""

    books: Books
    payment: Payment
    now: datetime

    def after(self, move: Move) -> "Stand":
        """Where the move leads. Raises its refusal."""
        books, now = self.books.copy(), self.now
        if move.command is Command.EXPIRE:
            now = max(now, self.payment.expires_at or now)
        books.decide(self.entry(move), now)
        return Stand(books, books.tables[PAYMENTS][self.payment.id], now)

    def later(self, by: timedelta) -> "Stand":
        """The same after a while."""
        return replace(self, now=self.now + by)

    def told(self) -> list[str]:
        """The types of the last two events: the merchant's and the person's."""
        return [event.type for event in self.books.tables[EVENTS].values()][-2:]

    def heard(self) -> list[tuple[str, UUID]]:
        """Who was told what of the payment, in order."""
        events = list(self.books.tables[EVENTS].values())
        return [(e.type, e.owner_id) for e in events if e.object_id == self.payment.id]

    def shown(self, kind: str, owner_id: UUID) -> Any:  # noqa: ANN401 - any JSON
        """The payment as the last such event showed it."""
        events = self.books.tables[EVENTS].values()
        found = [e.data for e in events if (e.type, e.owner_id) == (kind, owner_id)]
        return msgspec.json.decode(found[-1])

    def given_back(self) -> Refund | None:
        """The last refund that was not taken back."""
        tables = self.books.tables
        open_ones = [r for r in tables[REFUNDS].values() if r.id not in tables[REFUND_REVERSALS]]
        return open_ones[-1] if open_ones else None

    def can(self, move: Move) -> bool:
        """Whether there can be such an entry: the service takes a refund back only once."""
        over = self.payment.refunded > 0 and self.given_back() is None
        return move.command is not Command.TAKE_BACK or not over

    def entry(self, move: Move) -> Any:  # noqa: ANN401 - an Entry of its kind
        """The entry that the service would make."""
        payment = self.payment
        common: dict[str, Any] = {"id": self.books.ids.entry(), "idempotency": None}
        if move.command is Command.REFUND:
            amount = -(-payment.refundable // 3) if move.part else None
            return GiveBack(**common, shop=shop, payment=payment, amount=amount, reason=None)
        if move.command is Command.TAKE_BACK:
            nobodys = Refund(payment.id, payment.id, shop.merchant_id, 1, "CNY", None, NOON)
            given = self.given_back() or nobodys
            amount = -(-given.amount // 3) if move.part else given.amount
            return TakeBack(**common, shop=shop, payment=payment, given=given, amount=amount)
        if move.command in BY_PERSON:
            return ByPerson(
                **common,
                shop=shop,
                rules=RULES,
                payment=payment,
                payer=move.who,
                command=move.command,
            )
        amount = -(-payment.reserved // 3) or 1 if move.part else None
        if move.command is Command.REDUCE:
            amount = payment.reserved // 2
        return ByMerchant(
            **common,
            shop=shop,
            payment=payment,
            command=move.command,
            amount=amount if move.command in {Command.CAPTURE, Command.REDUCE} else None,
            final=move.final,
        )


def begin(status: Status, *, manual: bool) -> Stand:
    """A payment in its first state, and people with money."""
    books = Books()
    for number, who in enumerate((lin, mei)):
        top_up = MakeTopUp(
            id=books.ids.entry(),
            idempotency=None,
            receiver=who,
            amount=5000,
            currency="CNY",
            reference=str(number),
        )
        books.decide(top_up, NOON)
    common: dict[str, Any] = {"id": books.ids.entry(), "idempotency": None}
    common |= {"shop": shop, "rules": RULES}
    if status is Status.CREATED:
        common |= {"code_token": "t" * 20, "expires_seconds": ORDER_SECONDS}
        books.decide(CreateOrder(**common, new=asked(AMOUNT, manual=manual)), NOON)
    else:
        # above `confirm_above`, so it waits for the person
        code = PayWithCode(
            **common,
            new=asked(AMOUNT, manual=manual, source=Source.PAY_CODE),
            payer=lin,
            device_id=DEVICE_IDS[0],
            mark=Mark(7, 0),
        )
        books.decide(code, NOON)
    (payment,) = books.tables[PAYMENTS].values()
    assert payment.status == status
    return Stand(books, payment, NOON)
