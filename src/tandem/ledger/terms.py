"""What other rooms do to accounts: open them, set their overdraft, note that terms changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tandem.db import Connection
from tandem.kernel import Refused
from tandem.ledger.chart import AccountKey
from tandem.ledger.model import ACCOUNTS, new_account


@dataclass(eq=False)
class OverdraftInUse(Refused):
    """The account already owes more than the overdraft asked for. Amounts in minor units."""

    code: ClassVar[str] = "overdraft_in_use"
    used: int
    asked: int

    def sentence(self) -> str:
        """Say how low it can be."""
        return f"{self.used} minor units of the overdraft are in use; it cannot be {self.asked}."


async def open_accounts(connection: Connection, keys: Sequence[AccountKey], now: datetime) -> None:
    """Open the accounts that nobody opened yet."""
    ordered = sorted(keys, key=lambda key: key.id.int)
    rows = [new_account(key, now, now.date()) for key in ordered]
    if rows:
        await connection.execute(ACCOUNTS.insert_statement(1), *ACCOUNTS.insert_arguments(rows))


async def set_terms(
    connection: Connection, keys: Sequence[AccountKey], version: int, now: datetime
) -> None:
    """Refuse from now on every entry for these accounts that was made under older terms.

    Opens those that are not open yet, so that their first entry is held to it too. Waits for the
    entries that are being committed; the accounts are locked in the journal's order.
    """
    await open_accounts(connection, keys, now)
    account_ids = [key.id for key in keys]
    await connection.execute(ACCOUNTS.lock_statement, account_ids)
    await connection.execute(
        "UPDATE accounts SET terms = $2 WHERE id = ANY($1)", account_ids, version
    )


async def set_overdraft(
    connection: Connection, key: AccountKey, overdraft: int, now: datetime
) -> None:
    """Set by how much an account may go below zero. Raises `OverdraftInUse`."""
    await open_accounts(connection, (key,), now)
    used: int = await connection.fetchval(
        "SELECT greatest(0, debits_posted + debits_pending - credits_posted) FROM accounts "
        "WHERE id = $1 FOR NO KEY UPDATE",
        key.id,
    )
    if used > overdraft:
        raise OverdraftInUse(used, overdraft)
    await connection.execute("UPDATE accounts SET overdraft = $2 WHERE id = $1", key.id, overdraft)
