"""Which currencies are used: those that the operator takes, and those that somebody still has.

A currency that is taken out of the settings takes nothing more in. What is there is shown, spent,
sent and paid out as before, until it is gone.
"""

from uuid import UUID

from tandem.db import Connection, Pool
from tandem.kernel import Currency, Invalid, currency, currency_by_number
from tandem.ledger.chart import OPERATOR_ID, AccountCode
from tandem.ledger.reports import accounts_of
from tandem.settings import Settings


async def currency_of(pool: Pool, settings: Settings, code: str, owner_id: UUID) -> Currency:
    """The currency of this code, for money of this owner's that is there.

    Raises `Invalid` for one that the operator does not take and the owner never had.
    """
    try:
        return settings.unit(code)
    except Invalid:
        unit = currency(code)
        async with pool.acquire() as connection:
            found = await accounts_of(connection, owner_id)
        if any(account.ledger == unit.number and account.transfers for account in found):
            return unit
        raise


async def money_left_out(connection: Connection, settings: Settings) -> list[tuple[Currency, int]]:
    """What is here in currencies that the operator does not take (any more), in minor units."""
    taken = {unit.number for unit in settings.currencies}
    return [
        (currency_by_number(account.ledger), -account.balance)
        for account in await accounts_of(connection, OPERATOR_ID)
        if account.code == AccountCode.BANK and account.balance and account.ledger not in taken
    ]
