"""What other rooms do to accounts: open them, set their overdraft, note that terms changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

import msgspec

from tandem.db import Connection
from tandem.kernel import Refused, currency_by_number, show_money
from tandem.ledger.chart import AccountKey
from tandem.ledger.model import ACCOUNTS, new_account
from tandem.ledger.reports import accounts_of


@dataclass(eq=False)
class OverdraftInUse(Refused):
    """The account already owes more than the overdraft asked for. Amounts in minor units."""

    code: ClassVar[str] = "overdraft_in_use"
    used: int
    asked: int
    currency: str

    def sentence(self) -> str:
        """Say how low it can be."""
        used, asked = (show_money(minor, self.currency) for minor in (self.used, self.asked))
        return f"{used} of the overdraft are in use; it cannot be {asked}."


async def open_accounts(connection: Connection, keys: Sequence[AccountKey], now: datetime) -> None:
    """Open the accounts that nobody opened yet."""
    # Nothing was spent: a day that is over wherever the operator lives counts against no limit.
    past = (now - timedelta(days=2)).date()
    rows = ACCOUNTS.in_order([new_account(key, now, past) for key in keys])
    await connection.executemany(
        f"{ACCOUNTS.one_row_statement} ON CONFLICT (id) DO NOTHING",
        list(map(msgspec.structs.astuple, rows)),
    )


async def set_terms(
    connection: Connection, keys: Sequence[AccountKey], version: int, now: datetime
) -> None:
    """Refuse from now on every entry for these accounts that was made under older terms.

    Opens those that are not open yet, so that their first entry is held to it too, and takes in
    what else their owners have, in currencies that nobody names any more. Waits for the entries
    that are being committed. As a journal does it locks what is there, in order of id, before it
    opens what is not.
    """
    named = {key.id for key in keys}
    held = await _lock(connection, named | await _accounts_of(connection, keys))
    if not named <= held:
        await open_accounts(connection, keys, now)
        held = await _lock(connection, named | held)  # a rival may have opened some
    await connection.execute(
        "UPDATE accounts SET terms = $2 WHERE id = ANY($1)", list(held), version
    )


async def _lock(connection: Connection, account_ids: set[UUID]) -> set[UUID]:
    rows = await connection.fetch(ACCOUNTS.lock_statement, list(account_ids))
    return {row["id"] for row in rows}


async def _accounts_of(connection: Connection, keys: Sequence[AccountKey]) -> set[UUID]:
    """The ids of every account of the keys' owners."""
    owners = {key.owner_id for key in keys}
    return {account.id for owner in owners for account in await accounts_of(connection, owner)}


async def set_overdraft(
    connection: Connection, key: AccountKey, overdraft: int, now: datetime
) -> None:
    """Set by how much an account may go below zero; opens it if need be. Raises `OverdraftInUse`.

    Who changes several accounts calls `set_terms` for all of them first: it locks them in order.
    """
    await open_accounts(connection, (key,), now)
    used: int = await connection.fetchval(
        "SELECT greatest(0, debits_posted + debits_pending - credits_posted) FROM accounts "
        "WHERE id = $1 FOR NO KEY UPDATE",
        key.id,
    )
    if used > overdraft:
        raise OverdraftInUse(used, overdraft, currency_by_number(key.ledger).code)
    await connection.execute("UPDATE accounts SET overdraft = $2 WHERE id = $1", key.id, overdraft)
