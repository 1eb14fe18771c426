"""Payouts: the operator sent a merchant its money by bank and books that, with the reference."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Meta

from tandem.db import Idempotency, Pool, Table
from tandem.events import Endpoint, announce, load_endpoints
from tandem.kernel import Currency, Ids, Refused, check_amount, show_id
from tandem.ledger import (
    Decision,
    Entry,
    Journal,
    Outcome,
    ReferenceBooked,
    Touches,
    Transfer,
    TransferCode,
    View,
    Write,
    bank,
    bank_reference,
    currency_of,
    merchant,
    submit_fresh,
)
from tandem.merchants import merchant_terms
from tandem.settings import Settings


@dataclass(eq=False)
class PayoutNotCovered(Refused):
    """The merchant's balance, or the bank's, does not cover the payout. Amounts in minor units."""

    code: ClassVar[str] = "payout_not_covered"
    available: int
    amount: int

    def sentence(self) -> str:
        """Give both amounts."""
        return f"{self.available} minor units can be paid out, not {self.amount}."


class Payout(msgspec.Struct, frozen=True):
    """A row of `payouts`. Amount in minor units."""

    id: UUID
    merchant_id: UUID
    amount: int
    currency: str
    reference: str
    created_at: datetime


class PayoutView(msgspec.Struct, frozen=True):
    """A payout as the merchant and the operator see it."""

    id: Annotated[str, Meta(examples=["pyt_0199f0a4c0de7000800000000000002f"])]
    merchant_id: str
    amount: Annotated[int, Meta(description="Minor units of the currency", examples=[250000])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    reference: Annotated[str, Meta(description="The bank's reference", examples=["OUT-2026-12"])]
    created_at: datetime


PAYOUTS: Final = Table("payouts", Payout, log=True)


class MakePayout(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of a payout: the merchant's balance goes down, and so does the bank's.

    `terms` is the version of the merchant's terms that `endpoints` were read under.
    """

    id: UUID
    idempotency: Idempotency | None
    merchant_id: UUID
    terms: int
    endpoints: tuple[Endpoint, ...]
    amount: int
    unit: Currency
    reference: str

    def touches(self) -> Touches:
        """Both accounts; under the merchant's terms, which say who is told about it."""
        payer = merchant(self.merchant_id, self.unit)
        return Touches((payer, bank(self.unit)), terms=((payer, self.terms),))

    def decide(self, view: View) -> Decision:
        """Book it if both balances cover it; an overdraft is for refunds, not for payouts."""
        check_amount(self.amount)
        payer, at_bank = merchant(self.merchant_id, self.unit), bank(self.unit)
        own, ours = view.account(payer), view.account(at_bank)
        available = max(0, min(own.balance - own.debits_pending, -ours.balance))
        if self.amount > available:
            raise PayoutNotCovered(available, self.amount)
        payout = Payout(
            view.new_id(),
            self.merchant_id,
            self.amount,
            self.unit.code,
            self.reference,
            view.now,
        )
        transfer = Transfer(payer, at_bank, self.amount, TransferCode.PAYOUT, payout.id)
        shown = payout_view(payout)
        told = announce(view, self.merchant_id, "payout.made", payout.id, shown, self.endpoints)
        return Decision(shown, (transfer,), (Write(PAYOUTS, payout), *told))


class Payouts:
    """Books payouts and lists them."""

    def __init__(self, pool: Pool, journal: Journal, ids: Ids, settings: Settings) -> None:
        self._pool = pool
        self._journal = journal
        self._ids = ids
        self._settings = settings

    async def make(
        self,
        merchant_id: UUID,
        amount: int,
        code: str,
        reference: str,
        idempotency: Idempotency | None,
    ) -> Outcome:
        """Book a payout; the outcome is a PayoutView.

        Raises `NotFound`, `PayoutNotCovered`, `ReferenceBooked`; `Invalid` for a currency that the
        operator does not take and the merchant never had, and for a reference that cannot be shown.
        """
        reference = bank_reference(reference)

        async def entry() -> Entry:
            async with self._pool.acquire() as connection:
                # first: endpoints that change after this make the entry stale
                terms = await merchant_terms(connection, merchant_id)
                booked = await connection.fetchval(
                    "SELECT EXISTS (SELECT FROM payouts WHERE reference = $1)", reference
                )
                if booked:
                    raise ReferenceBooked(reference)
                endpoints = await load_endpoints(connection, merchant_id)
            return MakePayout(
                id=self._ids.entry(),
                idempotency=idempotency,
                merchant_id=merchant_id,
                terms=terms,
                endpoints=endpoints,
                amount=amount,
                unit=await currency_of(self._pool, self._settings, code, merchant_id),
                reference=reference,
            )

        try:
            return await submit_fresh(self._journal, self._pool, entry, idempotency)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "payouts_reference_key":
                raise
            # a rival booked it at this moment
            raise ReferenceBooked(reference) from error

    async def of_merchant(self, merchant_id: UUID, before: UUID | None, limit: int) -> list[Payout]:
        """A merchant's payouts, newest first."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT id, merchant_id, amount, currency, reference, created_at FROM payouts "
                "WHERE merchant_id = $1 AND ($2::uuid IS NULL OR id < $2) "
                "ORDER BY id DESC LIMIT $3",
                merchant_id,
                before,
                limit,
            )
        return [Payout(*row) for row in rows]


def payout_view(payout: Payout) -> PayoutView:
    """The payout as it is shown."""
    return PayoutView(
        show_id("pyt", payout.id),
        show_id("mer", payout.merchant_id),
        payout.amount,
        payout.currency,
        payout.reference,
        payout.created_at,
    )
