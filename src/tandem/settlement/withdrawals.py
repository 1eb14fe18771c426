"""Withdrawals: the operator sent a person their money by bank, or took out its own income.

The operator books what it did, with the bank's reference, as it does with top-ups and payouts.
"""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection, Idempotency, Pool, Table
from tandem.events import announce
from tandem.kernel import Currency, Ids, check_amount, show_id
from tandem.ledger import (
    OPERATOR_ID,
    AccountKey,
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
    fees,
    person,
    replaced,
    submit_fresh,
)
from tandem.people import load_terms
from tandem.settings import Settings
from tandem.settlement.errors import WithdrawalNotCovered


class Withdrawal(msgspec.Struct, frozen=True):
    """A row of `withdrawals`. Amount in minor units.

    Without a person it is of the operator's income. `replaces` is the withdrawal with this
    reference that was taken back before, if there was one.
    """

    id: UUID
    person_id: UUID | None
    amount: int
    currency: str
    reference: str
    created_at: datetime
    replaces: UUID | None


WITHDRAWALS: Final = Table("withdrawals", Withdrawal, log=True)


class WithdrawalView(msgspec.Struct, frozen=True):
    """Money that went to a bank: a person's, or the operator's income from fees."""

    id: Annotated[str, Meta(examples=["wdr_0199f0a4c0de70008000000000000030"])]
    person_id: Annotated[
        str | None,
        Meta(
            description="Whose wallet; null for the operator's income from fees",
            examples=["ppl_0199f0a4c0de70008000000000000001"],
        ),
    ]
    amount: Annotated[int, Meta(description="Minor units of the currency", examples=[5000])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    reference: Annotated[str, Meta(description="The bank's reference", examples=["OUT-2026-13"])]
    created_at: datetime
    corrected: Annotated[
        int, Meta(description="What was taken back of it, since it was booked wrongly")
    ]


class MakeWithdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of a withdrawal: the wallet's balance, or the income, and the bank's go down."""

    id: UUID
    idempotency: Idempotency | None
    person_id: UUID | None
    amount: int
    unit: Currency
    reference: str
    replaces: UUID | None = None

    @property
    def source(self) -> AccountKey:
        """Whose money it is."""
        return fees(self.unit) if self.person_id is None else person(self.person_id, self.unit)

    def touches(self) -> Touches:
        """Both accounts. Neither limits nor a suspension matter: the operator is asked for it."""
        return Touches((self.source, bank(self.unit)))

    def decide(self, view: View) -> Decision:
        """Book it if both balances cover it, what is reserved counted."""
        check_amount(self.amount)
        source, at_bank = self.source, bank(self.unit)
        available = min(view.account(source).available, -view.account(at_bank).balance)
        if self.amount > available:
            raise WithdrawalNotCovered(max(0, available), self.amount, self.unit.code)
        withdrawal = Withdrawal(
            view.new_id(),
            self.person_id,
            self.amount,
            self.unit.code,
            self.reference,
            view.now,
            self.replaces,
        )
        shown = withdrawal_view(withdrawal)
        told = (
            ()
            if self.person_id is None
            else announce(view, self.person_id, "withdrawal.made", withdrawal.id, shown)
        )
        transfer = Transfer(source, at_bank, self.amount, TransferCode.WITHDRAWAL, withdrawal.id)
        return Decision(shown, (transfer,), (Write(WITHDRAWALS, withdrawal), *told))


class Withdrawals:
    """Books withdrawals and lists them."""

    def __init__(self, pool: Pool, journal: Journal, ids: Ids, settings: Settings) -> None:
        self._pool = pool
        self._journal = journal
        self._ids = ids
        self._settings = settings

    async def make(
        self,
        person_id: UUID | None,
        amount: int,
        code: str,
        reference: str,
        idempotency: Idempotency | None,
    ) -> Outcome:
        """Book a withdrawal of a person's, or of the operator's income if there is no person.

        The outcome is a WithdrawalView. Raises `NotFound`, `WithdrawalNotCovered`,
        `ReferenceBooked`; `Invalid` for a currency that the operator does not take and whose money
        it never had, and for a reference that cannot be shown.
        """
        reference = bank_reference(reference)
        owner_id = OPERATOR_ID if person_id is None else person_id

        async def entry() -> Entry:
            unit = await currency_of(self._pool, self._settings, code, owner_id)
            async with self._pool.acquire() as connection:
                if person_id is not None:
                    await load_terms(connection, person_id)  # there is such a person
                before = await replaced(connection, WITHDRAWALS, reference)
            return MakeWithdrawal(
                id=self._ids.entry(),
                idempotency=idempotency,
                person_id=person_id,
                amount=amount,
                unit=unit,
                reference=reference,
                replaces=before,
            )

        return await submit_fresh(self._journal, self._pool, entry, idempotency)

    async def all(self, before: UUID | None, limit: int) -> list[Withdrawal]:
        """All withdrawals, people's and the operator's own, newest first."""
        async with self._pool.acquire() as connection:
            return await _page(connection, "$3::uuid IS NULL", None, before, limit)

    async def of_person(self, person_id: UUID, before: UUID | None, limit: int) -> list[Withdrawal]:
        """A person's withdrawals, newest first."""
        async with self._pool.acquire() as connection:
            return await _page(connection, "person_id = $3", person_id, before, limit)


async def _page(
    connection: Connection, which: str, person_id: UUID | None, before: UUID | None, limit: int
) -> list[Withdrawal]:
    rows = await connection.fetch(
        f"SELECT {', '.join(WITHDRAWALS.columns)} FROM withdrawals "
        f"WHERE {which} AND ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
        before,
        limit,
        person_id,
    )
    return [Withdrawal(*row) for row in rows]


def withdrawal_view(withdrawal: Withdrawal, corrected: int = 0) -> WithdrawalView:
    """The withdrawal as it is shown; `corrected` was taken back of it."""
    person_id = withdrawal.person_id
    return WithdrawalView(
        show_id("wdr", withdrawal.id),
        None if person_id is None else show_id("ppl", person_id),
        withdrawal.amount,
        withdrawal.currency,
        withdrawal.reference,
        withdrawal.created_at,
        corrected,
    )
