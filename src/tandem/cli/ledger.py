"""`tandem ledger`: read and verify the books."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar
from uuid import UUID

import asyncpg
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.text import Text

from tandem.cli.beside import account_name, database
from tandem.cli.errors import BooksDiffer
from tandem.cli.run import run, waiting
from tandem.cli.show import cells, console, done, money, say, show, table
from tandem.db import Connection
from tandem.kernel import (
    Currency,
    Ids,
    NotFound,
    SystemClock,
    currency,
    currency_by_number,
    entry_of,
    format_amount,
    read_id,
    show_id,
)
from tandem.ledger import (
    CHECKS,
    AccountCode,
    Difference,
    Statement,
    TransferCode,
    TransferKind,
    TransferRow,
    TrialLine,
    Verification,
    entry_transfers,
    keep_verification,
    object_of,
    person,
    read_account,
    shown_differences,
)
from tandem.ledger import statement as read_statement
from tandem.ledger import trial_balance as read_trial_balance
from tandem.ledger import verify as verify_books
from tandem.people import find_id_by_handle

T = TypeVar("T")

_OWNERS: Final = {
    AccountCode.PERSON: "ppl",
    AccountCode.MERCHANT: "mer",
    AccountCode.ISSUER: "iss",
    AccountCode.PACKET: "pkt",
}

app = App(name="ledger", help="Read and verify the books.", help_format="markdown")


@app.command
def verify() -> None:
    """Recompute every balance from the transfers and say what differs.

    Reads one snapshot, so that it can run while payments are made. Exit status 1 if anything
    differs.

    Example: `tandem ledger verify`
    """
    run(_verify())


async def _verify() -> None:
    async with database() as dsn:
        await verify_database(dsn, keep=True)


async def verify_database(dsn: str, *, keep: bool = False) -> None:
    """Verify a database's books and say how they are. Raises `BooksDiffer`.

    `keep` writes what was found for the console, unless the database takes no writes.
    """
    clock = SystemClock()
    started_at = clock.now()
    connection = await asyncpg.connect(dsn)
    try:
        with waiting("Verifying the books") as progress:

            def tell(ready: int, steps: int) -> None:
                progress(f"Verifying the books: {ready} of {steps} checks done")

            found, accounts, transfers = await verify_books(connection, tell)
        # on a replica, too: each of its transactions is read only
        if keep and await connection.fetchval("SHOW transaction_read_only") == "off":
            kept = Verification(
                Ids(clock).new(),
                "command",
                account_name(),
                "differs" if found else "right",
                len(CHECKS),
                len(CHECKS),
                accounts,
                transfers,
                shown_differences(found),
                started_at,
                clock.now(),
            )
            await keep_verification(connection, kept)
    finally:
        await connection.close()
    if found:
        _differences(found)
        raise BooksDiffer(len(found))
    done(f"The books are right: {accounts} accounts, {transfers} transfers, nothing differs.")


def _differences(found: list[Difference]) -> None:
    made = table("What", "Id", "Stands", "Should be")
    for difference in found:
        made.add_row(*cells(difference.kind, difference.id, difference.stands, difference.should))
    show(made)


@app.command
def trial_balance() -> None:
    """Show the totals of every kind of account. In each currency they sum to zero.

    Example: `tandem ledger trial-balance`
    """
    lines = run(_read(read_trial_balance))
    if not any(line.debits or any(_pending(line)) for line in lines):
        say("Nothing is booked yet.")
    trial_table(lines)


def trial_table(lines: list[TrialLine]) -> None:
    """Print a trial balance: a table for each currency, with its sum."""
    used = {line.ledger for line in lines if any((line.debits, line.credits, *_pending(line)))}
    for number in sorted(used):
        unit = currency_by_number(number)
        made = table("Account", "How many", "Debits", "Credits", "Balance", right=_NUMBERS)
        made.title = f"Trial balance in {unit.code}"
        made.title_justify, made.show_footer = "left", True
        mine = [line for line in lines if line.ledger == number]
        for line in mine:
            made.add_row(
                *cells(AccountCode(line.code).name.lower(), line.accounts, *_sums([line], unit))
            )
        made.columns[0].footer = "Sum"
        for column, text in zip(made.columns[2:], _sums(mine, unit), strict=True):
            column.footer = text
        show(made)


def _pending(line: TrialLine) -> tuple[int, int]:
    return line.debits_pending, line.credits_pending


def _sums(lines: list[TrialLine], unit: Currency) -> tuple[str, str, str]:
    """Debits, credits, and credits less debits."""
    debits, credited = sum(line.debits for line in lines), sum(line.credits for line in lines)
    return (
        format_amount(debits, unit),
        format_amount(credited, unit),
        format_amount(credited - debits, unit),
    )


async def _read(question: Callable[[Connection], Awaitable[T]]) -> T:
    """Ask the database one thing."""
    async with database() as dsn:
        connection = await asyncpg.connect(dsn)
        try:
            return await question(connection)
        finally:
            await connection.close()


_NUMBERS = ("How many", "Debits", "Credits", "Balance", "Change", "Amount", "Number")


@app.command
def statement(
    account: str,
    /,
    *,
    unit: Annotated[str, Parameter(name="--currency")] = "CNY",
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=1000))] = 20,
) -> None:
    """Show an account's movements, newest first, with the balance after each.

    Example: `tandem ledger statement @lin --currency CNY`

    Parameters
    ----------
    account
        A person (`@handle` or ppl_…), a merchant (mer_…), an account (acc_…), or `bank` or
        `fees`.
    unit
        The currency of a person's, a merchant's or our own account.
    limit
        The most movements to show.
    """
    known = currency(unit)
    # Checked before the database is opened; who is behind a handle only the database knows.
    account_id = None if account.startswith("@") else read_account(account, known)
    lines = run(_read(lambda opened: _lines(opened, account_id, account, known, limit)))
    if not lines:
        say("Nothing was booked on this account.")
        return
    ledger = currency_by_number(lines[0].transfer.ledger)
    made = table("Number", "Change", "Balance", "What", "For", "Entry", right=_NUMBERS)
    for line in lines:
        made.add_row(*_statement_cells(line, ledger))
    show(made)


async def _lines(
    connection: Connection, account_id: UUID | None, handle: str, unit: Currency, limit: int
) -> list[Statement]:
    """The movements of the account, or of the person with the handle. Raises `NotFound`."""
    if account_id is None:
        account_id = person(await find_id_by_handle(connection, handle), unit).id
    return await read_statement(connection, account_id, None, limit)


def _statement_cells(line: Statement, ledger: Currency) -> list[Text]:
    transfer = line.transfer
    change = f"{'+' if line.change > 0 else ''}{format_amount(line.change, ledger)}"
    what = _what(transfer)
    if not line.change:
        what = f"{what} of {money(transfer.amount, ledger)}"
    entry = show_id("ent", entry_of(transfer.id))
    balance = format_amount(line.balance, ledger)
    return cells(line.number, change, balance, what, object_of(transfer), entry)


def _what(transfer: TransferRow) -> str:
    kind = TransferKind(transfer.kind)
    name = TransferCode(transfer.code).name.lower().replace("_", "-")
    return name if kind is TransferKind.POSTED else f"{name} ({kind.name.lower()})"


@app.command
def entry(entry_id: Annotated[str, Parameter(name="entry")], /) -> None:
    """Show a journal entry: its transfers, all of which were booked or none.

    Example: `tandem ledger entry ent_0199…`

    Parameters
    ----------
    entry_id
        An entry (ent_…) or one of its transfers (trf_…).
    """
    prefix = "trf" if entry_id.startswith("trf_") else "ent"
    wanted = entry_of(read_id(prefix, entry_id, "entry"))
    rows, names = run(_read(lambda connection: _entry(connection, wanted)))
    if not rows:
        raise NotFound("entry", entry_id)
    console().print(f"Booked {rows[0].created_at:%Y-%m-%d %H:%M:%S} UTC", soft_wrap=True)
    transfer_table(rows, names)


def transfer_table(rows: list[TransferRow], names: dict[UUID, str]) -> None:
    """Print transfers; `names` tells whose each account is (`account_names`)."""
    made = table("What", "Amount", "Debit", "Credit", "For", right=_NUMBERS)
    for row in rows:
        made.add_row(
            *cells(
                _what(row),
                money(row.amount, currency_by_number(row.ledger)),
                names[row.debit_account_id],
                names[row.credit_account_id],
                object_of(row),
            )
        )
    show(made)


async def _entry(connection: Connection, wanted: UUID) -> tuple[list[TransferRow], dict[UUID, str]]:
    rows = await entry_transfers(connection, wanted)
    return rows, await account_names(connection, rows)


async def account_names(connection: Connection, rows: list[TransferRow]) -> dict[UUID, str]:
    """Whose the accounts of these transfers are, in words."""
    ids = {account for row in rows for account in (row.debit_account_id, row.credit_account_id)}
    found = await connection.fetch(
        "SELECT id, code, owner_id FROM accounts WHERE id = ANY($1)", list(ids)
    )
    return {row["id"]: _account_name(row["code"], row["owner_id"]) for row in found}


def _account_name(code: int, owner_id: UUID) -> str:
    kind = AccountCode(code)
    prefix = _OWNERS.get(kind)
    name = kind.name.lower()
    return name if prefix is None else f"{name} {show_id(prefix, owner_id)}"
