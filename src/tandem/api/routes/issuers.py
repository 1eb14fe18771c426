"""Issuers whose cards fund device cards, for the operator."""

from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from tandem.api.operation import Body, Call, operation
from tandem.api.routes.bookings import Amount, CurrencyCode, Reference
from tandem.kernel import NotFound
from tandem.ledger import Outcome, ReferenceBooked
from tandem.settlement import (
    IssuerSettlements,
    IssuerSettlementView,
    IssuerView,
    SettlementNotCovered,
)


class Services(Protocol):
    """What these operations use."""

    @property
    def issuer_settlements(self) -> IssuerSettlements:
        """The use cases of settling with issuers."""
        ...


class CreateSettlement(Body, frozen=True, kw_only=True):
    """Money that an issuer paid for its cards' payments, or was paid for refunds."""

    direction: Annotated[
        Literal["received", "paid"],
        Meta(description="received from the issuer, or paid to it", examples=["received"]),
    ]
    amount: Amount
    currency: CurrencyCode
    reference: Reference


class IssuerList(msgspec.Struct, frozen=True):
    """All issuers."""

    data: list[IssuerView]


@operation("GET", "/v1/issuers", tag="Operator", summary="List issuers of cards", who=("operator",))
async def list_issuers(call: Call[Services]) -> IssuerList:
    """Those that this Tandem is or was connected to, what each owes, and what it has to hear."""
    return IssuerList(await call.services.issuer_settlements.all())


@operation(
    "POST",
    "/v1/issuers/{issuer}/settlements",
    tag="Operator",
    summary="Book a settlement with an issuer",
    who=("operator",),
    office="money",
    status=201,
    idempotency="required",
    answer=IssuerSettlementView,
    errors=(NotFound, SettlementNotCovered, ReferenceBooked),
)
async def create_settlement(call: Call[Services], issuer: str, body: CreateSettlement) -> Outcome:
    """Book money that came from an issuer's bank or went there; never more than is owed.

    `issuer` is its name, as the settings have it.
    """
    return await call.services.issuer_settlements.make(
        issuer, body.direction, body.amount, body.currency, body.reference, call.idempotency
    )


OPERATIONS = (list_issuers, create_settlement)
