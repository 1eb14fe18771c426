"""From anything that money was moved for to what the ledger booked for it."""

from typing import Final
from uuid import UUID

from tandem.db import Connection
from tandem.kernel import Invalid, NotFound, currency, read_id
from tandem.ledger import (
    OPERATOR_ID,
    AccountCode,
    AccountKey,
    TransferRow,
    fees,
    transfers_for,
)

_ACCOUNTS: Final = {
    "top": ("SELECT person_id, currency FROM top_ups WHERE id = $1", AccountCode.PERSON),
    "wdr": ("SELECT person_id, currency FROM withdrawals WHERE id = $1", AccountCode.PERSON),
    "snd": ("SELECT sender_id, currency FROM sends WHERE id = $1", AccountCode.PERSON),
    "pyt": ("SELECT merchant_id, currency FROM payouts WHERE id = $1", AccountCode.MERCHANT),
    "ist": (
        "SELECT issuer_id, currency FROM issuer_settlements WHERE id = $1",
        AccountCode.ISSUER,
    ),
}
"""The account that each kind of object moves least: a person's rather than the bank's."""
OBJECT_PREFIXES: Final = (*_ACCOUNTS, "cor")


async def booked_for(connection: Connection, shown: str) -> list[TransferRow]:
    """The transfers of all entries of a top-up, send, payout, withdrawal, correction …, in order.

    `shown` is its id. Raises `NotFound`.
    """
    prefix = shown.partition("_")[0]
    if prefix not in OBJECT_PREFIXES:
        raise NotFound("object", shown[:64])
    try:
        object_id = read_id(prefix, shown)
    except Invalid:
        raise NotFound("object", shown[:64]) from None
    account = await (_of_correction if prefix == "cor" else _of)(connection, prefix, object_id)
    if account is None:
        raise NotFound("object", shown)
    return await transfers_for(connection, object_id, account.id)


async def _of(connection: Connection, prefix: str, object_id: UUID) -> AccountKey | None:
    query, code = _ACCOUNTS[prefix]
    row = await connection.fetchrow(query, object_id)
    if row is None:
        return None
    unit = currency(row[1])
    # A withdrawal without a person is of the operator's income.
    return fees(unit) if row[0] is None else AccountKey.of(row[0], unit, code)


async def _of_correction(
    connection: Connection, _prefix: str, object_id: UUID
) -> AccountKey | None:
    row = await connection.fetchrow(
        "SELECT owner_id, currency, booking FROM corrections WHERE id = $1", object_id
    )
    if row is None:
        return None
    owner_id, code, booking = row
    if owner_id == OPERATOR_ID:
        return fees(currency(code))
    kind = AccountCode.MERCHANT if booking == "payout" else AccountCode.PERSON
    return AccountKey.of(owner_id, currency(code), kind)
