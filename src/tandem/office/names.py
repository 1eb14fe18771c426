"""The names of accounts and of their owners."""

from collections.abc import Collection
from uuid import UUID

from tandem.db import Connection


async def owner_names(connection: Connection, owners: Collection[UUID]) -> dict[UUID, str]:
    """What people, merchants and issuers with these ids are called."""
    rows = await connection.fetch(
        "SELECT id, name FROM people WHERE id = ANY($1) "
        "UNION ALL SELECT id, name FROM merchants WHERE id = ANY($1) "
        "UNION ALL SELECT id, name FROM issuers WHERE id = ANY($1)",
        list(owners),
    )
    return {row[0]: row[1] for row in rows}


async def owners_of_accounts(connection: Connection, accounts: Collection[UUID]) -> dict[UUID, str]:
    """What the owners of these accounts are called; the operator's own and packets have no name."""
    rows = await connection.fetch(
        "SELECT id, owner_id FROM accounts WHERE id = ANY($1)", list(accounts)
    )
    names = await owner_names(connection, {owner for _, owner in rows})
    return {account: names[owner] for account, owner in rows if owner in names}
