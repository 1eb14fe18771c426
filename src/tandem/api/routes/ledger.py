"""The ledger's books, for the operator."""

from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Page, Query, operation, page
from tandem.api.views import (
    AccountView,
    CurrencyCode,
    Kind,
    TransferView,
    account_view,
    transfer_view,
)
from tandem.db import Connection, Pool
from tandem.kernel import Invalid, NotFound, currency_by_number, read_id
from tandem.ledger import (
    AccountCode,
    account_by_id,
    accounts_of,
    entry_transfers,
    list_accounts,
    person,
    read_account,
    statement,
    trial_balance,
)
from tandem.people import find_id_by_handle
from tandem.settings import Settings

MAX_NUMBER = 2**53
Total = Annotated[int, Meta(description="Minor units", examples=[3800])]


class Services(Protocol):
    """What these operations use."""

    @property
    def settings(self) -> Settings:
        """The operator's currencies."""
        ...

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...


class StatementLine(msgspec.Struct, frozen=True):
    """A line of an account's statement."""

    number: Annotated[
        int, Meta(description="Its place in the account's order; the cursor", examples=[41])
    ]
    change: Annotated[
        int, Meta(description="Plus for a credit, minus for a debit", examples=[3800])
    ]
    balance: Annotated[
        int, Meta(description="Credits less debits posted, after it", examples=[366700])
    ]
    transfer: TransferView


class StatementPage(msgspec.Struct, frozen=True):
    """A page of an account's statement."""

    data: list[StatementLine]
    has_more: Annotated[bool, Meta(description="Whether more follow", examples=[False])]
    next: Annotated[int | None, Meta(description="The cursor to pass as `after`")]


class TrialLineView(msgspec.Struct, frozen=True):
    """All accounts of one kind in one currency. Minor units."""

    currency: CurrencyCode
    account: Kind
    accounts: Annotated[int, Meta(description="How many there are", examples=[12])]
    debits: Total
    credits: Annotated[int, Meta(examples=[10000])]
    debits_pending: Annotated[int, Meta(examples=[0])]
    credits_pending: Annotated[int, Meta(examples=[0])]


class TrialBalance(msgspec.Struct, frozen=True):
    """Every kind of account; in each currency debits and credits are equal."""

    lines: list[TrialLineView]
    balanced: bool


class AccountQuery(Query, frozen=True):
    """Which of the accounts with this name is meant."""

    currency: Annotated[
        CurrencyCode | None,
        Meta(
            description="Which balance of a person or merchant; the operator's first if not given"
        ),
    ] = None


class StatementQuery(AccountQuery, frozen=True):
    """Which lines of a statement to read."""

    limit: Annotated[int, Meta(ge=1, le=100, description="The most lines", examples=[20])] = 20
    after: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_NUMBER)] | None,
        Meta(description="The `next` of the page before"),
    ] = None


class AccountsQuery(ListQuery, frozen=True):
    """Which accounts to list."""

    owner: Annotated[
        str | None,
        Meta(
            description="Only those of this person (ppl_…) or merchant (mer_…)",
            examples=["ppl_0199f0a4c0de70008000000000000001"],
        ),
    ] = None


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
    "/v1/ledger/accounts",
    tag="Operator",
    summary="List accounts",
    who=("operator",),
)
async def list_all_accounts(call: Call[Services], query: AccountsQuery) -> Page[AccountView]:
    """All accounts, those of the newest owners first; or one owner's, in each currency."""
    async with call.services.pool.acquire() as connection:
        if query.owner is None:
            rows = await list_accounts(connection, query.after_id("acc"), query.limit + 1)
        else:
            rows = await accounts_of(connection, _owner(query.owner))
            after = query.after_id("acc")
            rows = [row for row in reversed(rows) if after is None or row.id < after]
    return page(rows[: query.limit + 1], query.limit, account_view)


@operation(
    "GET",
    "/v1/ledger/accounts/{account}",
    tag="Operator",
    summary="Get an account",
    who=("operator",),
    errors=(NotFound,),
)
async def get_account(call: Call[Services], account: str, query: AccountQuery) -> AccountView:
    """Whose it is, and its running totals.

    `account` is an id (acc_…), a person (@handle or ppl_…), a merchant (mer_…), an
    issuer (iss_…), `bank` or `fees`.
    """
    async with call.services.pool.acquire() as connection:
        account_id = await _account(call, connection, account, query.currency)
        found = await account_by_id(connection, account_id)
    if found is None:
        raise NotFound("account", account)
    return account_view(found)


@operation(
    "GET",
    "/v1/ledger/accounts/{account}/statement",
    tag="Operator",
    summary="Read an account's statement",
    who=("operator",),
    errors=(NotFound,),
    noted=True,
)
async def get_statement(call: Call[Services], account: str, query: StatementQuery) -> StatementPage:
    """An account's transfers, newest first, with the balance after each.

    `account` is an id (acc_…), a person (@handle or ppl_…), a merchant (mer_…), an
    issuer (iss_…), `bank` or `fees`.
    """
    async with call.services.pool.acquire() as connection:
        account_id = await _account(call, connection, account, query.currency)
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
    """The transfers of a journal entry: the outcome for one who lost the answer.

    `entry_id` is an entry's id (ent_…), or that of one of its transfers (trf_…).
    """
    try:
        wanted = read_id("trf" if entry_id.startswith("trf_") else "ent", entry_id)
    except Invalid:
        raise NotFound("entry", entry_id[:40]) from None
    async with call.services.pool.acquire() as connection:
        rows = await entry_transfers(connection, wanted)
    if not rows:
        raise NotFound("entry", entry_id)
    return [transfer_view(row) for row in rows]


async def _account(
    call: Call[Services], connection: Connection, text: str, code: str | None
) -> UUID:
    """The account that the path names. Raises `NotFound`; `Invalid` for a currency not used."""
    settings = call.services.settings
    unit = settings.currencies[0] if code is None else settings.unit(code)
    if text.startswith("@"):
        return person(await find_id_by_handle(connection, text), unit).id
    try:
        return read_account(text, unit)
    except Invalid:
        raise NotFound("account", text) from None


def _owner(text: str) -> UUID:
    return read_id("mer" if text.startswith("mer_") else "ppl", text, "owner")


OPERATIONS = (
    get_trial_balance,
    list_all_accounts,
    get_account,
    get_statement,
    get_entry,
)
