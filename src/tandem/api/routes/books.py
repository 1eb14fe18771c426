"""Merchants' books: what a merchant has, and every movement of it."""

from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, Query, operation
from tandem.api.views import CurrencyCode
from tandem.settlement import MerchantBalance, MerchantBooks, MerchantLine


class Services(Protocol):
    """What these operations use."""

    @property
    def books(self) -> MerchantBooks:
        """Merchants' balances and statements."""
        ...


class Balances(msgspec.Struct, frozen=True):
    """A merchant's balance in each currency that it takes or took."""

    data: list[MerchantBalance]


class MerchantStatement(msgspec.Struct, frozen=True):
    """A page of a merchant's statement."""

    data: list[MerchantLine]
    has_more: Annotated[bool, Meta(description="Whether more follow", examples=[False])]
    next: Annotated[int | None, Meta(description="The cursor to pass as `after`")]


class MyStatementQuery(Query, frozen=True):
    """Which lines of a merchant's own statement to read."""

    currency: Annotated[
        CurrencyCode | None, Meta(description="Needed only by a merchant that has several")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="The most lines", examples=[20])] = 20
    after: Annotated[
        Annotated[int, Meta(ge=1, le=2**53)] | None,
        Meta(description="The `next` of the page before"),
    ] = None


@operation(
    "GET",
    "/v1/merchants/me/balances",
    tag="Merchants",
    summary="See your balances",
    who=("merchant",),
    scope="balance:read",
)
async def get_my_balances(call: Call[Services]) -> Balances:
    """What the merchant has in each currency, what of it can be paid out, and what is reserved."""
    return Balances(await call.services.books.balances(call.principal.owner_id))


@operation(
    "GET",
    "/v1/merchants/me/statement",
    tag="Merchants",
    summary="Read your statement",
    who=("merchant",),
    scope="balance:read",
)
async def get_my_statement(call: Call[Services], query: MyStatementQuery) -> MerchantStatement:
    """Every movement of a balance, newest first, with the balance after each.

    Payments, their fees (of the same entry), refunds, payouts and corrections, each with the id of
    what is behind it and your own reference of the order.
    """
    lines = await call.services.books.statement(
        call.principal.owner_id, query.currency, query.after, query.limit + 1
    )
    shown, more = lines[: query.limit], len(lines) > query.limit
    return MerchantStatement(shown, more, shown[-1].number if more else None)


@operation(
    "GET",
    "/v1/merchants/{merchant_id}/balances",
    tag="Operator",
    summary="See a merchant's balances",
    who=("operator",),
)
async def get_balances(call: Call[Services], merchant_id: UUID) -> Balances:
    """What the operator owes a merchant in each currency, and what of it can be paid out."""
    return Balances(await call.services.books.balances(merchant_id))


OPERATIONS = (
    get_my_balances,
    get_my_statement,
    get_balances,
)
