"""What the operator does over the API: top-ups, payouts, the ledger's books."""

from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Body, Call, ListQuery, Page, Query, operation, page
from tandem.db import Pool
from tandem.kernel import (
    MAX_AMOUNT,
    Invalid,
    NotFound,
    currency_by_number,
    entry_of,
    read_id,
    show_id,
)
from tandem.ledger import (
    REFERENCE_LENGTH,
    AccountCode,
    Outcome,
    ReferenceBooked,
    TransferCode,
    TransferKind,
    TransferRow,
    entry_transfers,
    statement,
    trial_balance,
)
from tandem.settlement import PayoutNotCovered, Payouts, PayoutView, payout_view
from tandem.wallet import TopUpView, Wallet, top_up_view

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the currency", examples=[10000])
]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=REFERENCE_LENGTH,
        description="The bank's reference; it is booked once",
        examples=["BANK-2026-11-23-77"],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def wallet(self) -> Wallet:
        """The use cases of the wallet."""
        ...

    @property
    def payouts(self) -> Payouts:
        """The use cases of payouts."""
        ...

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...


class CreateTopUp(Body, frozen=True, kw_only=True):
    """Money that came in at the operator's bank for a person."""

    amount: Amount
    currency: CurrencyCode
    reference: Reference


class CreatePayout(Body, frozen=True, kw_only=True):
    """Money that the operator sent to a merchant by bank."""

    amount: Amount
    currency: CurrencyCode
    reference: Reference


class TransferView(msgspec.Struct, frozen=True):
    """A transfer of the ledger."""

    id: Annotated[str, Meta(examples=["trf_0199f0a4c0de70008000000000000101"])]
    entry_id: Annotated[str, Meta(description="The journal entry that it is part of")]
    debit_account_id: str
    credit_account_id: str
    amount: Amount
    currency: CurrencyCode
    code: Annotated[
        str,
        Meta(description="top_up, payout, payment, fee, refund or send", examples=["payment"]),
    ]
    kind: Annotated[
        str, Meta(description="posted, pending, post, void or expire", examples=["posted"])
    ]
    pending_id: Annotated[str | None, Meta(description="The pending transfer that it resolves")]
    created_at: Annotated[datetime, Meta(description="RFC 3339, UTC")]


class StatementLine(msgspec.Struct, frozen=True):
    """A line of an account's statement."""

    number: Annotated[int, Meta(description="Its place in the account's order; the cursor")]
    change: Annotated[int, Meta(description="Plus for a credit, minus for a debit")]
    balance: Annotated[int, Meta(description="Credits less debits posted, after it")]
    transfer: TransferView


class StatementPage(msgspec.Struct, frozen=True):
    """A page of an account's statement."""

    data: list[StatementLine]
    has_more: bool
    next: int | None


class TrialLineView(msgspec.Struct, frozen=True):
    """All accounts of one kind in one currency."""

    currency: CurrencyCode
    account: Annotated[str, Meta(description="bank, person, merchant or fees")]
    accounts: Annotated[int, Meta(description="How many there are")]
    debits: int
    credits: int
    debits_pending: int
    credits_pending: int


class TrialBalance(msgspec.Struct, frozen=True):
    """Every kind of account; in each currency debits and credits are equal."""

    lines: list[TrialLineView]
    balanced: bool


class StatementQuery(Query, frozen=True):
    """Which lines of a statement to read."""

    limit: Annotated[int, Meta(ge=1, le=100, examples=[20])] = 20
    after: Annotated[int, Meta(ge=1, le=2**53)] | None = None


@operation(
    "POST",
    "/v1/people/{person_id}/top-ups",
    tag="Operator",
    summary="Book a top-up",
    who=("operator",),
    status=201,
    idempotency="required",
    answer=TopUpView,
    errors=(NotFound, ReferenceBooked),
)
async def create_top_up(call: Call[Services], person_id: UUID, body: CreateTopUp) -> Outcome:
    """Book money that came in at the bank into a person's wallet."""
    return await call.services.wallet.top_up(
        person_id, body.amount, body.currency, body.reference, call.idempotency
    )


@operation(
    "GET",
    "/v1/people/{person_id}/top-ups",
    tag="Operator",
    summary="List a person's top-ups",
    who=("operator",),
)
async def list_top_ups(call: Call[Services], person_id: UUID, query: ListQuery) -> Page[TopUpView]:
    """A person's top-ups, newest first."""
    rows = await call.services.wallet.top_ups(person_id, query.after_id("top"), query.limit + 1)
    return page(rows, query.limit, top_up_view)


@operation(
    "POST",
    "/v1/merchants/{merchant_id}/payouts",
    tag="Operator",
    summary="Book a payout",
    who=("operator",),
    status=201,
    idempotency="required",
    answer=PayoutView,
    errors=(NotFound, PayoutNotCovered, ReferenceBooked),
)
async def create_payout(call: Call[Services], merchant_id: UUID, body: CreatePayout) -> Outcome:
    """Book money that was sent to a merchant by bank. Its balance must cover it."""
    return await call.services.payouts.make(
        merchant_id, body.amount, body.currency, body.reference, call.idempotency
    )


@operation(
    "GET",
    "/v1/payouts",
    tag="Merchants",
    summary="List payouts",
    who=("merchant",),
    scope="payouts:read",
)
async def list_payouts(call: Call[Services], query: ListQuery) -> Page[PayoutView]:
    """The merchant's payouts, newest first."""
    rows = await call.services.payouts.of_merchant(
        call.principal.owner_id, query.after_id("pyt"), query.limit + 1
    )
    return page(rows, query.limit, payout_view)


@operation(
    "GET",
    "/v1/ledger/trial-balance",
    tag="Operator",
    summary="Read the trial balance",
    who=("operator",),
)
async def get_trial_balance(call: Call[Services]) -> TrialBalance:
    """The totals of every kind of account; debits and credits are equal in each currency."""
    async with call.services.pool.acquire() as connection:
        lines = await trial_balance(connection)
    sums: dict[int, int] = {}
    for line in lines:
        sums[line.ledger] = sums.get(line.ledger, 0) + line.debits - line.credits
    shown = [
        TrialLineView(
            currency_by_number(line.ledger).code,
            AccountCode(line.code).name.lower(),
            line.accounts,
            line.debits,
            line.credits,
            line.debits_pending,
            line.credits_pending,
        )
        for line in lines
    ]
    return TrialBalance(shown, not any(sums.values()))


@operation(
    "GET",
    "/v1/ledger/accounts/{account_id}/statement",
    tag="Operator",
    summary="Read an account's statement",
    who=("operator",),
)
async def get_statement(
    call: Call[Services], account_id: UUID, query: StatementQuery
) -> StatementPage:
    """An account's transfers, newest first, with the balance after each."""
    async with call.services.pool.acquire() as connection:
        lines = await statement(connection, account_id, query.after, query.limit + 1)
    shown = [
        StatementLine(line.number, line.change, line.balance, transfer_view(line.transfer))
        for line in lines[: query.limit]
    ]
    more = len(lines) > query.limit
    return StatementPage(shown, more, shown[-1].number if more else None)


@operation(
    "GET",
    "/v1/ledger/entries/{entry_id}",
    tag="Operator",
    summary="Read a journal entry",
    who=("operator",),
    errors=(NotFound,),
)
async def get_entry(call: Call[Services], entry_id: str) -> list[TransferView]:
    """The transfers of a journal entry: the outcome for one who lost the answer."""
    try:
        wanted = read_id("ent", entry_id)
    except Invalid:
        raise NotFound("entry", entry_id[:40]) from None
    async with call.services.pool.acquire() as connection:
        rows = await entry_transfers(connection, wanted)
    if not rows:
        raise NotFound("entry", entry_id)
    return [transfer_view(row) for row in rows]


def transfer_view(row: TransferRow) -> TransferView:
    """A transfer as it is shown."""
    return TransferView(
        id=show_id("trf", row.id),
        entry_id=show_id("ent", entry_of(row.id)),
        debit_account_id=show_id("acc", row.debit_account_id),
        credit_account_id=show_id("acc", row.credit_account_id),
        amount=row.amount,
        currency=currency_by_number(row.ledger).code,
        code=TransferCode(row.code).name.lower(),
        kind=TransferKind(row.kind).name.lower(),
        pending_id=None if row.pending_id is None else show_id("trf", row.pending_id),
        created_at=row.created_at,
    )


OPERATIONS = (
    create_top_up,
    list_top_ups,
    create_payout,
    list_payouts,
    get_trial_balance,
    get_statement,
    get_entry,
)
