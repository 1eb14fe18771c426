"""The ledger's books, for the operator."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal, Protocol
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
    transfer_views,
)
from tandem.db import Connection, Pool
from tandem.kernel import Invalid, NotFound, currency, currency_by_number, read_id
from tandem.ledger import (
    Account,
    AccountCode,
    account_by_id,
    accounts_of,
    balance_at,
    entry_transfers,
    list_accounts,
    moved_before,
    person,
    read_account,
    statement,
    trial_balance,
)
from tandem.office import booked_for, owner_names
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


class Booked(msgspec.Struct, frozen=True):
    """What the ledger booked for something."""

    transfers: Annotated[list[TransferView], Meta(description="Of all its entries, in order")]


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
    opening: Annotated[
        int, Meta(description="The balance before the first of the days", examples=[362_900])
    ]
    closing: Annotated[
        int, Meta(description="The balance after the last of them", examples=[366_700])
    ]


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
    """Which lines of a statement to read. Days are the operator's."""

    since: Annotated[date | None, Meta(description="From this day on", examples=["2026-05-04"])] = (
        None
    )
    until: Annotated[
        date | None, Meta(description="To this day, all of it", examples=["2026-05-04"])
    ] = None
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
    kind: Annotated[
        Literal["bank", "person", "merchant", "fees", "issuer", "packet"] | None,
        Meta(description="Only those of this kind"),
    ] = None
    currency: Annotated[CurrencyCode | None, Meta(description="Only those in this currency")] = None


@operation(
    "GET",
    "/v1/ledger/trial-balance",
    tag="Operator",
    summary="Read the trial balance",
    who=("operator",),
    rows="lines",
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
    """All accounts, those of the newest owners first; or one owner's, a kind's, a currency's."""
    after = query.after_id("acc")
    code = None if query.kind is None else AccountCode[query.kind.upper()]
    unit = None if query.currency is None else currency(query.currency).number
    async with call.services.pool.acquire() as connection:
        if query.owner is None:
            rows = await list_accounts(connection, after, query.limit + 1, code, unit)
        else:
            rows = [
                row
                for row in reversed(await accounts_of(connection, _owner(query.owner)))
                if (after is None or row.id < after)
                and code in {None, row.code}
                and unit in {None, row.ledger}
            ]
        names = await owner_names(connection, {row.owner_id for row in rows})
    return page(
        rows[: query.limit + 1], query.limit, lambda row: account_view(row, names.get(row.owner_id))
    )


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
        names = await owner_names(connection, {found.owner_id})
    return account_view(found, names.get(found.owner_id))


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
    """An account's transfers, newest first, with the balance after each; of some days, or all.

    `account` is an id (acc_…), a person (@handle or ppl_…), a merchant (mer_…), an
    issuer (iss_…), `bank` or `fees`. `opening` and `closing` are the balances that the days begin
    and end with, on each page the same.
    """
    async with call.services.pool.acquire() as connection:
        account_id = await _account(call, connection, account, query.currency)
        found = await account_by_id(connection, account_id)
        first, last = 0, 0
        if found is not None:
            first, last = await _days(call, connection, found, query)
        before = last + 1 if query.after is None else min(query.after, last + 1)
        lines = await statement(connection, account_id, before, query.limit + 1, first)
        opening = await balance_at(connection, account_id, first)
        closing = await balance_at(connection, account_id, last)
        transfers = await transfer_views(connection, [line.transfer for line in lines])
    shown = [
        StatementLine(line.number, line.change, line.balance, transfer)
        for line, transfer in zip(lines[: query.limit], transfers, strict=False)
    ]
    more = len(lines) > query.limit
    return StatementPage(shown, more, shown[-1].number if more else None, opening, closing)


@operation(
    "GET",
    "/v1/ledger/objects/{object_id}",
    tag="Operator",
    summary="Follow something to its entries",
    who=("operator",),
    errors=(NotFound,),
    rows="transfers",
)
async def get_booked(call: Call[Services], object_id: str) -> Booked:
    """Every transfer that was booked for a top-up, a send, a payout, a withdrawal, a correction.

    `object_id` is top_…, snd_…, pyt_…, wdr_…, cor_… or ist_… (an issuer's settlement). Payments
    have `/v1/ledger/payments/{payment_id}`.
    """
    async with call.services.pool.acquire() as connection:
        rows = await booked_for(connection, object_id)
        return Booked(await transfer_views(connection, rows))


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
        return await transfer_views(connection, rows)


async def _days(
    call: Call[Services], connection: Connection, account: Account, query: StatementQuery
) -> tuple[int, int]:
    """The number of the last transfer before the days, and of the last within them."""
    zone = call.services.settings.timezone

    async def moved_by(day: date) -> int:
        begins = datetime.combine(day, time.min, tzinfo=zone)
        return await moved_before(connection, account, begins)

    first = 0 if query.since is None else await moved_by(query.since)
    last = account.transfers
    if query.until is not None and query.until < date.max:
        last = await moved_by(query.until + timedelta(days=1))
    return first, max(first, last)


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
    get_booked,
    get_entry,
)
