"""Payouts: the operator sent a merchant its money by bank and books that, with the reference."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Idempotency, Pool, Table
from tandem.events import Endpoint, announce, load_endpoints
from tandem.kernel import Currency, Ids, check_amount, show_id
from tandem.ledger import (
    Decision,
    Entry,
    Journal,
    Outcome,
    Touches,
    Transfer,
    TransferCode,
    View,
    Write,
    bank,
    bank_reference,
    currency_of,
    merchant,
    replaced,
    submit_fresh,
)
from tandem.merchants import merchant_terms
from tandem.settings import Settings
from tandem.settlement.errors import PayoutNotCovered


class Payout(msgspec.Struct, frozen=True):
    """A row of `payouts`. Amount in minor units.

    `replaces` is the payout with this reference that was taken back before, if there was one.
    """

    id: UUID
    merchant_id: UUID
    amount: int
    currency: str
    reference: str
    created_at: datetime
    replaces: UUID | None


class PayoutView(msgspec.Struct, frozen=True):
    """A payout as the merchant and the operator see it."""

    id: Annotated[str, Meta(examples=["pyt_0199f0a4c0de7000800000000000002f"])]
    merchant_id: str
    amount: Annotated[int, Meta(description="Minor units of the currency", examples=[250000])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    reference: Annotated[str, Meta(description="The bank's reference", examples=["OUT-2026-12"])]
    created_at: datetime
    corrected: Annotated[
        int, Meta(description="What was taken back of it, since it was booked wrongly")
    ]


PAYOUTS: Final = Table("payouts", Payout, log=True)


class MakePayout(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of a payout: the merchant's balance goes down, and so does the bank's.

    `terms` is the version of the merchant's terms that `endpoints` were read under, `replaces` the
    payout with this reference that was taken back before.
    """

    id: UUID
    idempotency: Idempotency | None
    merchant_id: UUID
    terms: int
    endpoints: tuple[Endpoint, ...]
    amount: int
    unit: Currency
    reference: str
    replaces: UUID | None = None

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
            raise PayoutNotCovered(available, self.amount, self.unit.code)
        payout = Payout(
            view.new_id(),
            self.merchant_id,
            self.amount,
            self.unit.code,
            self.reference,
            view.now,
            self.replaces,
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
                before = await replaced(connection, PAYOUTS, reference)
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
                replaces=before,
            )

        return await submit_fresh(self._journal, self._pool, entry, idempotency)

    async def of_merchant(self, merchant_id: UUID, before: UUID | None, limit: int) -> list[Payout]:
        """A merchant's payouts, newest first."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                f"SELECT {', '.join(PAYOUTS.columns)} FROM payouts "
                "WHERE merchant_id = $1 AND ($2::uuid IS NULL OR id < $2) "
                "ORDER BY id DESC LIMIT $3",
                merchant_id,
                before,
                limit,
            )
        return [Payout(*row) for row in rows]


def payout_view(payout: Payout, corrected: int = 0) -> PayoutView:
    """The payout as it is shown; `corrected` was taken back of it."""
    return PayoutView(
        show_id("pyt", payout.id),
        show_id("mer", payout.merchant_id),
        payout.amount,
        payout.currency,
        payout.reference,
        payout.created_at,
        corrected,
    )
