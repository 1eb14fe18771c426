"""Payments and wallets against a plain model of them.

`pay_model.Model` is written from what the house promises. `Play` gives a system the real
entries and compares every outcome, every amount and every balance with the model. Unit tests let
Hypothesis play it on `Books` in memory; integration tests play it on PostgreSQL.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from moves import CNY, NOON, new_ids, utc_day
from pay_model import Facts, Model, code_of, no_amount
from tandem.codes.paycode import Mark
from tandem.kernel import read_id
from tandem.ledger import AccountKey, bank, fees
from tandem.ledger import merchant as merchant_account
from tandem.ledger import person as person_account
from tandem.payments import Command, Shop, Source
from tandem.payments.decisions import Rules
from tandem.payments.entries import (
    ByMerchant,
    ByPerson,
    CreateOrder,
    GiveBack,
    PayStatic,
    PayWithCode,
)
from tandem.payments.model import PAYMENTS
from tandem.people import PersonTerms
from tandem.screening import CLEAR
from tandem.settlement import Booking
from tandem.settlement.corrections import MakeCorrection
from tandem.settlement.payouts import MakePayout
from tandem.settlement.withdrawals import MakeWithdrawal
from tandem.wallet.entries import Accept, Ask, Close, MakeSend, MakeTopUp
from tandem.wallet.model import REQUESTS
from tills import (
    DEVICE_IDS,
    MOST_BY_SCAN,
    RULES,
    SPENDING,
    TERMS,
    Runs,
    asked,
    lin,
    mei,
    shop,
)

ORDER_SECONDS: Final = 1100
REQUEST_SECONDS: Final = 1500
OPEN: Final = ("created", "waiting", "authorised")


class Play:
    """Commands for the model and for a system, compared after each."""

    def __init__(
        self,
        system: Runs,
        *,
        start: datetime = NOON,
        people: tuple[PersonTerms, PersonTerms] = (lin, mei),
        at: Shop = shop,
        rules: Rules = RULES,
        devices: tuple[UUID, UUID] = DEVICE_IDS,
    ) -> None:
        self.system, self.start, self.people = system, start, people
        self.at, self.rules, self.devices = at, rules, devices
        self.model, self.ids = Model(), new_ids()
        self.marks = [0, 0]
        self.said: list[str] = []
        self.references = 0

    @property
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.model.at)

    def common(self) -> dict[str, Any]:
        return {"id": self.ids.entry(), "idempotency": None}

    async def give(self, entry: Any, expected: str) -> Facts:  # noqa: ANN401 - an Entry
        """Let the system decide; the outcome must be what the model expects."""
        outcome, body = await self.system.run(entry, self.now)
        self.said.append(f"{type(entry).__name__}: {outcome}")
        assert outcome == expected, f"{outcome}, not {expected}; so far: {self.said}"
        answer: Facts = msgspec.json.decode(body) if body else {}
        return answer

    # -- the operator ----------------------------------------------------------------------------

    async def top_up(self, who: int, amount: int) -> None:
        self.references += 1
        entry = MakeTopUp(
            **self.common(),
            receiver=self.people[who],
            amount=amount,
            currency="CNY",
            reference=f"play {self.ids.new().hex}",
        )
        answer = await self.give(entry, "invalid_request" if no_amount(amount) else "done")
        if not no_amount(amount):
            self.booked("top_up", self.people[who].id, "bank", f"p{who}", answer)

    def booked(
        self, kind: str, owner_id: UUID | None, source: str, target: str, answer: Facts
    ) -> None:
        """Note what was booked by hand: it may be corrected."""
        amount = answer["amount"]
        self.model.move(source, target, amount)
        booking = Booking(
            kind,  # type: ignore[arg-type]  # one of three
            read_id(answer["id"][:3], answer["id"]),
            owner_id,
            amount,
            CNY,
            answer["reference"],
        )
        made = {"booking": booking, "source": source, "target": target}
        self.model.bookings.append(made)

    async def withdraw(self, who: int | None, amount: int) -> None:
        """A person's money goes to their bank; without a person, the operator's income."""
        source = "fees" if who is None else f"p{who}"
        held = 0 if who is None else self.model.held(who)
        there = min(self.model.balance[source] - held, -self.model.balance["bank"])
        expected = "withdrawal_not_covered" if amount > there else "done"
        expected = "invalid_request" if no_amount(amount) else expected
        person_id = None if who is None else self.people[who].id
        entry = MakeWithdrawal(
            **self.common(),
            person_id=person_id,
            amount=amount,
            unit=CNY,
            reference=f"play {self.ids.new().hex}",
        )
        answer = await self.give(entry, expected)
        if expected == "done":
            self.booked("withdrawal", person_id, source, "bank", answer)

    async def correct(self, place: int, amount: int | None) -> None:
        """Take a booking back; on the model's list it is there until then."""
        made = self.model.bookings[-1 - place % len(self.model.bookings)]
        booking, whose = made["booking"], made["target"]
        part = booking.amount if amount is None else amount
        if no_amount(part) or part > booking.amount:
            expected = "invalid_request"
        elif made["source"] == "bank" and part > min(
            self.model.balance[whose] - self.model.held(int(whose[1])), -self.model.balance["bank"]
        ):
            expected = "correction_not_covered"
        else:
            expected = "done"
        entry = MakeCorrection(
            **self.common(),
            booking=booking,
            amount=amount,
            reason="play",
            terms=self.at.place.terms if booking.kind == "payout" else None,
        )
        await self.give(entry, expected)
        if expected == "done":
            self.model.move(made["target"], made["source"], part)
            self.model.bookings.remove(made)

    async def pay_out(self, amount: int) -> None:
        there = min(self.model.balance["door"], -self.model.balance["bank"])
        expected = "payout_not_covered" if amount > there else "done"
        entry = MakePayout(
            **self.common(),
            merchant_id=self.at.merchant_id,
            terms=self.at.place.terms,
            endpoints=(),
            amount=amount,
            unit=CNY,
            reference=f"play {self.ids.new().hex}",
        )
        expected = "invalid_request" if no_amount(amount) else expected
        answer = await self.give(entry, expected)
        if expected == "done":
            self.booked("payout", self.at.merchant_id, "door", "bank", answer)

    # -- payments --------------------------------------------------------------------------------

    def new(self, amount: int, *, manual: bool, **more: Any) -> Facts:  # noqa: ANN401 - facts
        made = {"amount": amount, "manual": manual, "who": None, "status": "created"}
        made |= {"until": None, "ends": None, "day": None}
        return made | {"authorised": 0, "captured": 0, "refunded": 0, "fee": 0} | more

    def shop_says(self, amount: int) -> str:
        if no_amount(amount):
            return "invalid_request"
        return "way_refused" if amount > MOST_BY_SCAN else "done"

    async def order(self, amount: int, *, manual: bool) -> None:
        entry = CreateOrder(
            **self.common(),
            shop=self.at,
            rules=self.rules,
            new=asked(amount, manual=manual),
            code_token=self.ids.new().hex,
            expires_seconds=ORDER_SECONDS,
        )
        expected = self.shop_says(amount)
        answer = await self.give(entry, expected)
        if expected == "done":
            made = self.new(amount, manual=manual, until=self.model.at + ORDER_SECONDS)
            self.model.payments[answer["id"]] = made

    async def pay_code(self, who: int, amount: int, *, manual: bool, again: bool) -> None:
        again = again and self.marks[who] > 0
        self.marks[who] += not again
        expected = self.shop_says(amount)
        expected = "pay_code_used" if again and expected == "done" else expected
        entry = PayWithCode(
            **self.common(),
            shop=self.at,
            rules=self.rules,
            new=asked(amount, manual=manual, source=Source.PAY_CODE),
            payer=self.people[who],
            device_id=self.devices[who],
            mark=Mark(self.marks[who], 1),
        )
        answer = await self.give(entry, expected)
        if expected != "done":
            self.marks[who] -= not again  # a refused code stays good
            return
        made = self.new(amount, manual=manual, who=who)
        self.model.payments[answer["id"]] = made
        wrong = self.model.may_spend(who, amount)
        if wrong is not None:
            made["status"] = "declined"
        elif amount > self.rules.confirm_above:
            made.update(status="waiting", until=self.model.at + self.rules.confirm_seconds)
        else:
            self.model.agree(made, who)
        assert answer["decline_reason"] == (None if wrong is None else "payer_cannot_pay")

    async def static(self, who: int, amount: int, *, manual: bool) -> None:
        expected = self.shop_says(amount)
        if expected == "done":
            expected = code_of(self.model.may_spend(who, amount))
        entry = PayStatic(
            **self.common(),
            shop=self.at,
            rules=self.rules,
            new=asked(amount, manual=manual, source=Source.STATIC_CODE),
            payer=self.people[who],
        )
        answer = await self.give(entry, expected)
        if expected == "done":
            made = self.model.payments[answer["id"]] = self.new(amount, manual=manual, who=who)
            self.model.agree(made, who)

    async def by_person(self, name: str, who: int, command: Command) -> None:
        row = self.model.payments[name]
        p = self.model.settled(row)
        waits = command in (Command.DECLINE, Command.LEAVE)
        states = ("waiting",) if waits else ("created", "waiting")
        if self.model.over(p) or p["status"] not in states:
            expected = "payment_state"
        elif command is Command.LEAVE and p["ends"] is None:
            expected = "payment_state"  # it waits for nobody else
        elif p["who"] not in (None, who):
            expected = "payment_taken"
        elif command is Command.APPROVE:
            expected = code_of(self.model.may_spend(who, p["amount"]))
        else:
            expected = "done"
        entry = ByPerson(
            **self.common(),
            shop=self.at,
            rules=self.rules,
            payment=await self.system.row(PAYMENTS, read_id("pay", name)),
            payer=self.people[who],
            command=command,
        )
        await self.give(entry, expected)
        if expected == "done":
            row.update(p)
            self._done(row, who, command)

    def _done(self, p: Facts, who: int, command: Command) -> None:
        """What a person's command changes."""
        if command is Command.APPROVE:
            self.model.agree(p, who)
        elif command is Command.DECLINE:
            p.update(status="declined", until=None, ends=None)
        elif command is Command.LEAVE:
            p.update(status="created", who=None, until=p["ends"], ends=None)
        elif p["status"] == "created":
            wait = self.model.at + self.rules.confirm_seconds
            p.update(status="waiting", who=who, until=min(wait, p["until"]), ends=p["until"])

    async def by_merchant(
        self, name: str, command: Command, amount: int | None = None, *, final: bool = False
    ) -> None:
        row, now = self.model.payments[name], self.model.at
        p = self.model.settled(row)
        left = p["amount"] - p["captured"]
        states = ("authorised",) if command is Command.CAPTURE else OPEN
        late = self.model.over(p) and command is Command.CAPTURE
        reopens = p is not row and command is Command.EXPIRE
        if late or p["status"] not in states:
            expected = "payment_state"
        elif reopens:
            expected = "done"
        elif command is Command.EXPIRE and now < p["until"]:
            expected = "changed_meanwhile"
        elif amount is not None and no_amount(amount):
            expected = "invalid_request"
        else:
            expected = "done" if amount is None or amount <= left else "capture_exceeds_authorised"
        entry = ByMerchant(
            **self.common(),
            shop=self.at,
            payment=await self.system.row(PAYMENTS, read_id("pay", name)),
            command=command,
            amount=amount,
            final=final,
        )
        await self.give(entry, expected)
        if expected != "done":
            return
        row.update(p)
        if command is not Command.CAPTURE:
            if not reopens:
                self.model.free(row, "expired" if command is Command.EXPIRE else "cancelled")
            return
        part = left if amount is None else amount
        self.model.take(row, part)
        if final or part == left:
            self.model.free(row, "captured")

    async def refund(self, name: str, amount: int | None) -> None:
        p = self.model.payments[name]
        left = p["captured"] - p["refunded"]
        part = left if amount is None else amount
        if left == 0:
            expected = "payment_state"
        elif no_amount(part):
            expected = "invalid_request"
        elif part > left:
            expected = "refund_exceeds_captured"
        elif part > self.model.balance["door"] + TERMS.overdraft:
            expected = "refund_not_covered"
        else:
            expected = "done"
        entry = GiveBack(
            **self.common(),
            shop=self.at,
            payment=await self.system.row(PAYMENTS, read_id("pay", name)),
            amount=amount,
            reason=None,
        )
        await self.give(entry, expected)
        if expected == "done":
            self.model.move("door", f"p{p['who']}", part)
            p["refunded"] += part
            if p["status"] != "authorised":
                p["status"] = self.model.stands(p)

    # -- between people --------------------------------------------------------------------------

    async def send(self, who: int, to: int, amount: int) -> None:
        if no_amount(amount):
            expected = "invalid_request"
        elif who == to:
            expected = "sends_to_self"
        else:
            expected = code_of(self.model.may_spend(who, amount))
        entry = MakeSend(
            **self.common(),
            spending=SPENDING,
            sender=self.people[who],
            receiver=self.people[to],
            amount=amount,
            currency="CNY",
            message=None,
            screened=CLEAR,
        )
        await self.give(entry, expected)
        if expected == "done":
            self._sent(who, to, amount)

    async def ask(self, who: int, to: int, amount: int) -> None:
        expected = "sends_to_self" if who == to else "done"
        expected = "invalid_request" if no_amount(amount) else expected
        entry = Ask(
            **self.common(),
            requester=self.people[who],
            payer=self.people[to],
            amount=amount,
            currency="CNY",
            message="please",
            screened=CLEAR,
            expires_seconds=REQUEST_SECONDS,
        )
        answer = await self.give(entry, expected)
        if expected == "done":
            made = {"who": who, "to": to, "amount": amount, "status": "open"}
            made["until"] = self.model.at + REQUEST_SECONDS
            self.model.requests[answer["id"]] = made

    async def answer(self, name: str, status: str) -> None:
        """Accept, decline, cancel or expire a request."""
        r = self.model.requests[name]
        over = self.model.at >= r["until"]
        if r["status"] != "open" or (over and status != "expired"):
            expected = "request_closed"
        elif status == "expired" and not over:
            expected = "changed_meanwhile"
        elif status == "accepted":
            expected = code_of(self.model.may_spend(r["to"], r["amount"]))
        else:
            expected = "done"
        common = self.common() | {"request_id": read_id("req", name), "message_state": "clear"}
        entry: Any = Close(**common, status=status, by=self.people[r["to"]].id)
        if status == "accepted":
            entry = Accept(
                **common,
                spending=SPENDING,
                sender=self.people[r["to"]],
                receiver=self.people[r["who"]],
                amount=r["amount"],
                currency="CNY",
                message=None,
            )
        await self.give(entry, expected)
        if expected == "done":
            r["status"] = status
            if status == "accepted":
                self._sent(r["to"], r["who"], r["amount"])

    def _sent(self, who: int, to: int, amount: int) -> None:
        self.model.move(f"p{who}", f"p{to}", amount)
        self.model.spent[who, self.model.day] += amount

    def wait(self, seconds: int) -> None:
        self.model.at += seconds

    # -- what must hold --------------------------------------------------------------------------

    async def check(self) -> None:
        """Every balance, payment, request and reservation is as the model has it."""
        keys: dict[str, AccountKey] = {"bank": bank(CNY), "fees": fees(CNY)}
        keys["door"] = merchant_account(self.at.merchant_id, CNY)
        keys |= {f"p{who}": person_account(p.id, CNY) for who, p in enumerate(self.people)}
        for name, key in keys.items():
            row = await self.system.account(key)
            assert row.balance == self.model.balance[name], (name, self.said)
            if name[0] == "p":
                who = int(name[1])
                assert row.debits_pending == self.model.held(who)
                assert row.spent_on(utc_day(self.now)) == self.model.spent[who, self.model.day]
                assert row.balance - row.debits_pending >= 0
        assert sum(self.model.balance.values()) == 0
        assert self.model.balance["door"] >= -TERMS.overdraft
        pending = set()
        for name, p in self.model.payments.items():
            row = await self.system.row(PAYMENTS, read_id("pay", name))
            for column in ("status", "authorised", "captured", "refunded", "fee"):
                assert getattr(row, column) == p[column], (name, column, self.said)
            for column, second in (("expires_at", p["until"]), ("order_expires_at", p["ends"])):
                moment = None if second is None else self.start + timedelta(seconds=second)
                assert getattr(row, column) == moment, (name, column, self.said)
            assert row.person_id == (None if p["who"] is None else self.people[p["who"]].id)
            assert row.reserved == (
                p["amount"] - p["captured"] if p["status"] == "authorised" else 0
            )
            pending |= {row.pending_id} - {None}
        assert await self.system.reservations() == pending
        for name, r in self.model.requests.items():
            row = await self.system.row(REQUESTS, read_id("req", name))
            assert row.status == r["status"]
