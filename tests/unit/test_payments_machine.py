"""Payments and wallets, played by Hypothesis against a plain model (tests/pay_play.py)."""

from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packet_play import PacketPlay
from tandem.payments import Command
from tills import Books

amounts = st.one_of(
    st.integers(1, 520),
    st.integers(1, 60),
    st.sampled_from([0, -1, 400, 401, 500, 501, 901, 2**63]),
)
people = st.integers(0, 1)
which = st.integers(0, 4)
# parts of what was authorised, more often than not, or there would be little to see
parts = st.one_of(st.none(), st.integers(1, 30), st.integers(1, 60), amounts)
manuals = st.sampled_from([True, True, False])


def now(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("nothing in memory waits")


class Payments(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.play = PacketPlay(Books())

    def payment(self, place: int) -> str:
        names = list(self.play.model.payments)
        return names[-1 - place % len(names)]

    def request(self, place: int) -> str:
        names = list(self.play.model.requests)
        return names[-1 - place % len(names)]

    def some_payment(self) -> bool:
        return bool(self.play.model.payments)

    def some_request(self) -> bool:
        return bool(self.play.model.requests)

    @initialize(first=st.integers(100, 1500), second=st.integers(100, 3000))
    def begin(self, first: int, second: int) -> None:
        now(self.play.top_up(0, first))
        now(self.play.top_up(1, second))

    @rule(who=people, amount=amounts)
    def top_up(self, who: int, amount: int) -> None:
        now(self.play.top_up(who, amount))

    @rule(amount=amounts)
    def pay_out(self, amount: int) -> None:
        now(self.play.pay_out(amount))

    @rule(who=st.sampled_from([0, 1, None]), amount=amounts)
    def withdraw(self, who: int | None, amount: int) -> None:
        now(self.play.withdraw(who, amount))

    @precondition(lambda self: bool(self.play.model.bookings))
    @rule(place=which, amount=parts)
    def correct(self, place: int, amount: int | None) -> None:
        now(self.play.correct(place, amount))

    @rule(amount=amounts, manual=manuals)
    def order(self, *, amount: int, manual: bool) -> None:
        now(self.play.order(amount, manual=manual))

    @rule(
        who=people,
        amount=amounts,
        manual=manuals,
        again=st.sampled_from([False] * 4 + [True]),
    )
    def pay_code(self, *, who: int, amount: int, manual: bool, again: bool) -> None:
        now(self.play.pay_code(who, amount, manual=manual, again=again))

    @rule(who=people, amount=amounts, manual=manuals)
    def static(self, *, who: int, amount: int, manual: bool) -> None:
        now(self.play.static(who, amount, manual=manual))

    @precondition(some_payment)
    @rule(
        place=which,
        who=people,
        command=st.sampled_from(
            [Command.SCAN, Command.APPROVE, Command.APPROVE, Command.DECLINE, Command.LEAVE]
        ),
    )
    def by_person(self, place: int, who: int, command: Command) -> None:
        now(self.play.by_person(self.payment(place), who, command))

    @precondition(some_payment)
    @rule(place=st.integers(0, 2), amount=parts, final=st.sampled_from([False, False, True]))
    def capture(self, *, place: int, amount: int | None, final: bool) -> None:
        now(self.play.by_merchant(self.payment(place), Command.CAPTURE, amount, final=final))

    @precondition(some_payment)
    @rule(place=which, command=st.sampled_from([Command.CANCEL, Command.EXPIRE]))
    def end(self, place: int, command: Command) -> None:
        now(self.play.by_merchant(self.payment(place), command))

    @precondition(some_payment)
    @rule(place=which, amount=parts)
    def refund(self, place: int, amount: int | None) -> None:
        now(self.play.refund(self.payment(place), amount))

    @rule(who=people, to=people, amount=amounts)
    def send(self, who: int, to: int, amount: int) -> None:
        now(self.play.send(who, to, amount))

    @rule(who=people, to=people, amount=amounts)
    def ask(self, who: int, to: int, amount: int) -> None:
        now(self.play.ask(who, to, amount))

    @precondition(some_request)
    @rule(place=which, status=st.sampled_from(["accepted", "declined", "cancelled", "expired"]))
    def answer(self, place: int, status: str) -> None:
        now(self.play.answer(self.request(place), status))

    def some_packet(self) -> bool:
        return bool(self.play.model.packets)

    def packet(self, place: int) -> str:
        names = list(self.play.model.packets)
        return names[-1 - place % len(names)]

    @rule(
        who=people,
        amount=amounts,
        shares=st.sampled_from([1, 2, 2, 3, 0, 101]),
        luck=st.booleans(),
        named=st.booleans(),
        own=st.booleans(),
    )
    def make_packet(
        self, *, who: int, amount: int, shares: int, luck: bool, named: bool, own: bool
    ) -> None:
        now(self.play.make_packet(who, amount, shares, luck=luck, named=named, own=own))

    @precondition(some_packet)
    @rule(place=st.integers(0, 2), who=people, luck=st.binary(min_size=32, max_size=32))
    def open_packet(self, place: int, who: int, luck: bytes) -> None:
        now(self.play.open_packet(self.packet(place), who, luck))

    @precondition(some_packet)
    @rule(place=which, status=st.sampled_from(["cancelled", "expired"]))
    def end_packet(self, place: int, status: str) -> None:
        now(self.play.end_packet(self.packet(place), status))

    @rule(seconds=st.sampled_from([1, 699, 700, 1100, 1500, 43_200, 86_400]))
    def wait(self, seconds: int) -> None:
        self.play.wait(seconds)

    @invariant()
    def everything_agrees(self) -> None:
        now(self.play.check())


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
