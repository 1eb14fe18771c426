"""Settling with issuers: what they pay for their cards' payments, or are paid for refunds."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Idempotency, Pool, Table
from tandem.kernel import Currency, Ids, NotFound, check_amount, currency_by_number, show_id
from tandem.ledger import (
    AccountCode,
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
    accounts_of,
    bank,
    bank_reference,
    currency_of,
    issuer,
    submit_fresh,
)
from tandem.settings import Settings
from tandem.settlement.errors import SettlementNotCovered

Direction = Literal["received", "paid"]


class IssuerSettlement(msgspec.Struct, frozen=True):
    """A row of `issuer_settlements`. Amount in minor units."""

    id: UUID
    issuer_id: UUID
    direction: str
    amount: int
    currency: str
    reference: str
    created_at: datetime


class IssuerSettlementView(msgspec.Struct, frozen=True):
    """What an issuer paid, or was paid."""

    id: Annotated[str, Meta(examples=["ist_0199f0a4c0de70008000000000000051"])]
    issuer_id: Annotated[str, Meta(examples=["iss_0199f0a4c0de70008000000000000050"])]
    direction: Annotated[
        str,
        Meta(
            description="received from the issuer, or paid to it",
            examples=["received"],
            extra_json_schema={"enum": ["received", "paid"]},
        ),
    ]
    amount: Annotated[int, Meta(description="Minor units of the currency", examples=[250000])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    reference: Annotated[str, Meta(description="The bank's reference", examples=["ISS-2026-12"])]
    created_at: datetime


class OwedByIssuer(msgspec.Struct, frozen=True):
    """What an issuer owes in a currency, in minor units."""

    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    owed: Annotated[
        int, Meta(description="For payments less refunds; negative is owed to it", examples=[3800])
    ]
    reserved: Annotated[
        int, Meta(description="Authorised by it and not captured yet", examples=[0])
    ]


class RefusedAdvice(msgspec.Struct, frozen=True):
    """What has happened and an issuer refused. Amount in minor units; of a reversal what is left.

    `number` is that of the payment's own message, from which element 37 follows in all about it.
    """

    payment_id: UUID
    number: int
    kind: str
    amount: int
    currency: str
    response: str
    refused_at: datetime


class IssuerView(msgspec.Struct, frozen=True):
    """An issuer whose cards fund device cards, and how things stand with it."""

    id: Annotated[str, Meta(examples=["iss_0199f0a4c0de70008000000000000050"])]
    name: Annotated[str, Meta(description="As the settings name it", examples=["harbour-bank"])]
    owes: list[OwedByIssuer]
    advices_due: Annotated[
        int, Meta(description="Messages that it has not answered yet", examples=[0])
    ]
    advices_refused: Annotated[
        int,
        Meta(description="Messages of what has happened that it refused: clear them with it"),
    ]


SETTLEMENTS: Final = Table("issuer_settlements", IssuerSettlement, log=True)


class BookSettlement(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of a settlement: the bank and what the issuer owes."""

    id: UUID
    idempotency: Idempotency | None
    issuer_id: UUID
    direction: Direction
    amount: int
    unit: Currency
    reference: str

    def touches(self) -> Touches:
        """Both accounts."""
        return Touches((bank(self.unit), issuer(self.issuer_id, self.unit)))

    def decide(self, view: View) -> Decision:
        """Book it if so much is owed."""
        check_amount(self.amount)
        at_bank, account = bank(self.unit), issuer(self.issuer_id, self.unit)
        owed = -view.account(account).balance
        if self.direction == "received":
            most, debit, credit = owed, at_bank, account
        else:
            most, debit, credit = min(-owed, -view.account(at_bank).balance), account, at_bank
        if self.amount > most:
            raise SettlementNotCovered(max(0, most), self.amount, self.unit.code, self.direction)
        row = IssuerSettlement(
            view.new_id(),
            self.issuer_id,
            self.direction,
            self.amount,
            self.unit.code,
            self.reference,
            view.now,
        )
        transfer = Transfer(debit, credit, self.amount, TransferCode.SETTLEMENT, row.id)
        return Decision(settlement_view(row), (transfer,), (Write(SETTLEMENTS, row),))


class IssuerSettlements:
    """Books settlements with issuers, and says how things stand with each."""

    def __init__(self, pool: Pool, journal: Journal, ids: Ids, settings: Settings) -> None:
        self._pool = pool
        self._journal = journal
        self._ids = ids
        self._settings = settings

    async def make(
        self,
        name: str,
        direction: Direction,
        amount: int,
        code: str,
        reference: str,
        idempotency: Idempotency | None,
    ) -> Outcome:
        """Book what an issuer paid or was paid; the outcome is an IssuerSettlementView.

        Raises `NotFound`, `SettlementNotCovered`, `ReferenceBooked`, `Invalid`.
        """
        reference = bank_reference(reference)

        async def entry() -> Entry:
            issuer_id: UUID | None = await self._pool.fetchval(
                "SELECT id FROM issuers WHERE name = $1", name
            )
            if issuer_id is None:
                raise NotFound("issuer", name)
            if await self._pool.fetchval(
                "SELECT EXISTS (SELECT FROM issuer_settlements WHERE reference = $1)", reference
            ):
                raise ReferenceBooked(reference)
            return BookSettlement(
                id=self._ids.entry(),
                idempotency=idempotency,
                issuer_id=issuer_id,
                direction=direction,
                amount=amount,
                unit=await currency_of(self._pool, self._settings, code, issuer_id),
                reference=reference,
            )

        return await submit_fresh(self._journal, self._pool, entry, idempotency)

    async def all(self) -> list[IssuerView]:
        """All issuers that were ever connected, by name."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT i.id, i.name, count(a.id) FILTER (WHERE a.status = 'due'), "
                "count(a.id) FILTER (WHERE a.status = 'refused') FROM issuers AS i "
                "LEFT JOIN issuer_advices AS a ON a.issuer_id = i.id "
                "GROUP BY i.id ORDER BY i.name"
            )
            made: list[IssuerView] = []
            for issuer_id, name, due, refused in rows:
                owes = [
                    OwedByIssuer(
                        currency_by_number(account.ledger).code,
                        -account.balance,
                        account.debits_pending,
                    )
                    for account in await accounts_of(connection, issuer_id)
                    if account.code == AccountCode.ISSUER
                ]
                made.append(IssuerView(show_id("iss", issuer_id), name, owes, due, refused))
        return made

    async def refused(self, name: str, limit: int) -> list[RefusedAdvice]:
        """What an issuer refused of what has happened, newest first. Raises `NotFound`."""
        issuer_id: UUID | None = await self._pool.fetchval(
            "SELECT id FROM issuers WHERE name = $1", name
        )
        if issuer_id is None:
            raise NotFound("issuer", name)
        rows = await self._pool.fetch(
            "SELECT a.payment_id, q.number, a.kind, a.amount, a.currency, a.response, a.updated_at "
            "FROM issuer_advices AS a JOIN issuer_authorisations AS q USING (payment_id) "
            "WHERE a.issuer_id = $1 AND a.status = 'refused' ORDER BY a.id DESC LIMIT $2",
            issuer_id,
            limit,
        )
        return [RefusedAdvice(*row) for row in rows]


def settlement_view(row: IssuerSettlement) -> IssuerSettlementView:
    """The settlement as it is shown."""
    return IssuerSettlementView(
        show_id("ist", row.id),
        show_id("iss", row.issuer_id),
        row.direction,
        row.amount,
        row.currency,
        row.reference,
        row.created_at,
    )
