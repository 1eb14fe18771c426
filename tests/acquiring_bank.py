"""An authoriser for tests: does what the door asks for, in memory, and fails when it is told to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from acquiring_play import DAY, PAN
from tandem.acquiring import (
    Advice,
    Authorisation,
    CardRequest,
    Outcome,
    Purchase,
    Reconciliation,
    Refund,
    ResponseCode,
    Reversal,
    Totals,
)  # fmt: skip
from tandem.db import IdempotencyConflict
from tandem.kernel import NotFound, Refused

ARPC: Final = bytes.fromhex("910A11223344556677883030")
Hook = Callable[[object], Awaitable[None]]


class Declined(Refused):
    """Nothing was booked."""


async def at_once(_: object) -> None:
    """Nothing in the way."""


class Bank:
    """Cards with balances; every request has its effect once, and what is undone stays so.

    `before` and `after` are awaited around what is booked: to be slow, or to fail, there.
    """

    def __init__(self, balance: int = 1_000_000) -> None:
        self.balances = {PAN: balance}
        self.start = balance
        self.booked: dict[str, int] = {}
        self.undone: set[str] = set()
        self.asked: list[CardRequest] = []
        self.before: Hook = at_once
        self.after: Hook = at_once
        self.totals_before: Hook = at_once
        self._answers: dict[str, tuple[bytes, asyncio.Future[Outcome]]] = {}
        self._totals = Totals(authorisations=0)

    @property
    def taken(self) -> int:
        """What all payments came to; the balances agree."""
        taken = sum(self.booked.values())
        assert sum(self.balances.values()) == self.start - taken
        return taken

    async def authorise(self, request: Authorisation) -> Outcome:
        return await self._once(request, lambda: self._book(request, 0, authorisations=1))

    async def purchase(self, request: Purchase) -> Outcome:
        amount = request.amount
        return await self._once(
            request, lambda: self._book(request, amount, debits=1, debits_amount=amount)
        )

    async def refund(self, request: Refund) -> Outcome:
        amount = request.amount
        return await self._once(
            request, lambda: self._book(request, -amount, credits=1, credits_amount=amount)
        )

    async def advise(self, request: Advice) -> Outcome:
        amount = request.amount
        return await self._once(
            request, lambda: self._book(request, amount, debits=1, debits_amount=amount)
        )

    async def reverse(self, request: Reversal) -> Outcome:
        return await self._once(request, lambda: self._undo(request))

    async def totals(self, request: Reconciliation) -> Totals:
        await self.totals_before(request)
        assert request.day == DAY
        return self._totals

    async def _once(self, request: CardRequest, effect: Callable[[], Outcome]) -> Outcome:
        self.asked.append(request)
        known = self._answers.get(request.key)
        if known is not None:
            fingerprint, future = known
            if fingerprint != request.fingerprint:
                raise IdempotencyConflict(request.key)
            return await asyncio.shield(future)
        future = asyncio.get_running_loop().create_future()
        self._answers[request.key] = request.fingerprint, future
        try:
            await self.before(request)
            outcome = effect()
        except BaseException:
            del self._answers[request.key]
            future.cancel()
            raise
        future.set_result(outcome)
        await self.after(request)
        return outcome

    def _book(self, request: CardRequest, amount: int, **counts: int) -> Outcome:
        if request.key in self.undone:
            raise NotFound("payment", request.key)
        pan = request.card.pan or PAN
        if pan not in self.balances:
            return Outcome(code=ResponseCode.INVALID_CARD)
        if amount > self.balances[pan]:
            return Outcome(code=ResponseCode.INSUFFICIENT_FUNDS)
        self.balances[pan] -= amount
        self.booked[request.key] = amount
        self._count(**counts)
        return Outcome(
            code=ResponseCode.APPROVED,
            authorisation_code=f"A{request.stan[-5:]}",
            icc=ARPC if request.card.icc else b"",
            settlement_date=DAY,
        )

    def _undo(self, request: Reversal) -> Outcome:
        for key in request.original.keys:
            self.undone.add(key)
            if key in self.booked:
                back = self.booked[key] - (request.final_amount or 0)
                self.booked[key] -= back
                self.balances[request.card.pan or PAN] += back
                self._count(debits_reversed=1, debits_reversed_amount=back)
        return Outcome(code=ResponseCode.APPROVED, settlement_date=DAY)

    def _count(self, **counts: int) -> None:
        before = msgspec.structs.asdict(self._totals)
        changed = {name: before[name] + count for name, count in counts.items()}
        self._totals = msgspec.structs.replace(self._totals, **changed)
