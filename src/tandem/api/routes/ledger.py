"""The ledger's books, for the operator."""

from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, Query, operation
from tandem.db import Pool
from tandem.kernel import (
    Invalid,
    NotFound,
    currency_by_number,
    entry_of,
    read_id,
    show_id,
)
from tandem.ledger import (
    AccountCode,
    TransferCode,
    TransferKind,
    TransferRow,
    entry_transfers,
    statement,
    trial_balance,
)

Amount = Annotated[int, Meta(description="Minor units of the currency", examples=[10000])]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]


class Services(Protocol):
    """What these operations use."""

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...


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
    get_trial_balance,
    get_statement,
    get_entry,
)
