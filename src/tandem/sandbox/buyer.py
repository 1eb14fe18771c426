"""A buyer who pays, declines or is slow by rule, so that an integration runs without a phone."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Pool, work
from tandem.kernel import MAX_AMOUNT, Clock, NotFound, Refused
from tandem.ledger import ReferenceBooked
from tandem.payments import Command, Payment, Payments, Status, open_orders
from tandem.people import HandleTaken, People
from tandem.settings import Settings
from tandem.wallet import Wallet

HANDLE: Final = "sandbox.buyer"
_PURSE: Final = 10**12
_LOOKED_AT: Final = 500


class BuyerRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the buyer does with a payment of this amount or this name; both if both are given.

    `name` is looked for in the payment's description, your reference and the payer's name.
    """

    amount: (
        Annotated[int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units", examples=[1300])] | None
    ) = None
    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["slow"])] | None = None
    action: Annotated[Literal["pay", "decline", "ignore"], Meta(description="What the buyer does")]
    after_seconds: Annotated[
        int, Meta(ge=0, le=30 * 86_400, description="How slow the buyer is", examples=[90])
    ] = 0

    def matches(self, payment: Payment) -> bool:
        """Whether the rule is about this payment."""
        if self.amount is not None and self.amount != payment.amount:
            return False
        if self.name is None:
            return True
        texts = (payment.description, payment.order_reference, payment.payer_name)
        return any(self.name.casefold() in text.casefold() for text in texts if text)


class BuyerRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The buyer's rules: the first that matches holds; without one the buyer does nothing."""

    rules: Annotated[tuple[BuyerRule, ...], Meta(max_length=100)] = ()


class Buyer:
    """Looks at open payments and does what the rules say."""

    def __init__(
        self,
        pool: Pool,
        people: People,
        wallet: Wallet,
        payments: Payments,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._pool = pool
        self._people = people
        self._wallet = wallet
        self._payments = payments
        self._clock = clock
        self._settings = settings
        self._ready: UUID | None = None
        self._after: tuple[datetime, UUID] | None = None
        """Where the page ended that was looked at last; None begins anew."""

    async def rules(self) -> BuyerRules:
        """The rules that hold now."""
        async with self._pool.acquire() as connection:
            text = await connection.fetchval("SELECT buyer_rules FROM installation")
        return BuyerRules() if text is None else msgspec.json.decode(text, type=BuyerRules)

    async def set_rules(self, rules: BuyerRules) -> BuyerRules:
        """Set other rules, and see that the buyer exists and has money."""
        await self._person()
        async with work(self._pool) as connection:
            await connection.execute(
                "UPDATE installation SET buyer_rules = $1", msgspec.json.encode(rules).decode()
            )
        return rules

    async def act(self) -> int:
        """Do what is due on the next page that has something; returns how much that was.

        0 says that all open payments were looked at and nothing was to be done.
        """
        rules = (await self.rules()).rules
        if not rules:
            return 0
        while True:
            acted = await self._act_on_page(rules)
            if acted or self._after is None:
                return acted

    async def _act_on_page(self, rules: Sequence[BuyerRule]) -> int:
        now, acted = self._clock.now(), 0
        async with self._pool.acquire() as connection:
            found = await open_orders(connection, now, self._after, _LOOKED_AT)
        self._after = None
        if len(found) == _LOOKED_AT:
            last = found[-1]
            assert last.expires_at is not None, "who waits for something waits until then"
            self._after = (last.expires_at, last.id)
        for payment in found:
            rule = next((rule for rule in rules if rule.matches(payment)), None)
            if rule is not None and _due(rule, payment, now):
                acted += await self._do(rule, payment)
        return acted

    async def _do(self, rule: BuyerRule, payment: Payment) -> int:
        person_id = payment.person_id or await self._person()
        commands = [Command.APPROVE]
        if rule.action == "decline":
            commands = [Command.SCAN, Command.DECLINE]
            if payment.status == Status.WAITING.value:
                commands = [Command.DECLINE]
        try:
            for command in commands:
                await self._payments.by_person(person_id, payment.id, command, None)
        except Refused:
            return 0  # no money, a limit, or somebody was quicker: it stays as it is
        return 1

    async def _person(self) -> UUID:
        """The buyer, made and given money when this process first needs one."""
        assert self._settings.sandbox, "play money stays in the sandbox"
        if self._ready is None:
            person_id = await self._known()
            await self._fund(person_id)
            self._ready = person_id
        return self._ready

    async def _known(self) -> UUID:
        try:
            return await self._wallet.person_by_handle(HANDLE)
        except NotFound:
            with contextlib.suppress(HandleTaken):  # another process was quicker
                await self._people.sign_up(HANDLE, "Sandbox Buyer", "sandbox", None)
            return await self._wallet.person_by_handle(HANDLE)

    async def _fund(self, person_id: UUID) -> None:
        """Give the buyer what is missing: who made the buyer may have stopped before that.

        The references are fixed, so that each purse is filled once, whoever comes.
        """
        limits = (await self._people.terms(person_id)).limits
        for unit in self._settings.currencies:
            if unit.code not in limits:
                await self._people.set_limits(person_id, unit.code, MAX_AMOUNT, MAX_AMOUNT)
            with contextlib.suppress(ReferenceBooked):
                await self._wallet.top_up(
                    person_id, _PURSE, unit.code, f"sandbox buyer {unit.code}", None
                )


def _due(rule: BuyerRule, payment: Payment, now: datetime) -> bool:
    if rule.action == "ignore":
        return False
    return payment.created_at + timedelta(seconds=rule.after_seconds) <= now
