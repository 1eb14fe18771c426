"""People with money, merchants and keys, made by a few set-based statements.

The books are whole from the start: every balance has its top-up from the bank, numbered on both
sides, so that `verify` can be asked afterwards. For the usual way each merchant has an account for
its fees: one account for all fees, as Tandem books them, would make every payment of the usual way
wait for every other.
"""

# ruff: noqa: S608 - the statements are made of names and numbers that stand here

from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from bench import names
from bench.database import connected
from tandem.db import Connection
from tandem.keyring import KeyRing
from tandem.ledger import AccountCode, TransferCode, bank, fees, open_accounts
from tandem.people import DEVICES, Device
from tandem.people.store import seed_context

_FIRST: Final = names.FIRST
_LEDGER: Final = names.UNIT.number


def _id(kind: str, end: str = "0000") -> str:
    """SQL for the id of thing number n."""
    return f"('{kind}' || ({_FIRST} + n) || '{end}')::uuid"


def _insert(into: str, values: str) -> str:
    """SQL that makes things number 0 to $1 - 1."""
    return f"INSERT INTO {into} SELECT {values} FROM generate_series(0, $1::int - 1) AS n"


def _hash(prefix: str) -> str:
    """SQL for the hash of key number n."""
    return f"sha256(convert_to('{prefix}' || lpad(n::text, 43, '0'), 'UTF8'))"


def _accounts(kind: str, code: AccountCode, credited: int) -> str:
    """SQL that opens an account of this code for each thing of the kind, with money or none."""
    return _insert(
        "accounts (id, owner_id, ledger, code, flags, overdraft, terms, debits_pending, "
        "debits_posted, credits_pending, credits_posted, transfers, spent_day, spent, created_at)",
        f"{_id(kind, names.tail(code))}, {_id(kind)}, {_LEDGER}, {int(code)}, {code.flags}, 0, 0, "
        f"0, 0, 0, {credited}, {int(credited > 0)}, current_date, 0, now()",
    )


_KEY_COLUMNS: Final = "id, hash, owner_kind, owner_id, device_id, name, hint, scopes, created_at"
_ACCEPTANCE: Final = """'{"ways":{"scan":{"enabled":true,"max_amount":{"CNY":5000000}}}}'"""

PEOPLE: Final = (
    _insert(
        "people (id, handle, name, status, terms, created_at)",
        f"{_id(names.PERSON)}, 'person' || n, 'Person ' || n, 'active', 1, now()",
    ),
    _insert(
        "person_limits (person_id, currency, per_payment, per_day)",
        f"{_id(names.PERSON)}, '{names.UNIT.code}', {names.LIMIT}, {names.LIMIT}",
    ),
    _insert(
        f"api_keys ({_KEY_COLUMNS})",
        f"{_id(names.PERSON_KEY)}, {_hash('tk_dev_')}, 'person', {_id(names.PERSON)}, "
        f"{_id(names.DEVICE)}, 'Phone', '0000', ARRAY['wallet'], now()",
    ),
    _accounts(names.PERSON, AccountCode.PERSON, names.TOPPED_UP),
)
"""Statements that make people; $1 is how many. Each of them has the money of one top-up."""

MERCHANTS: Final = (
    _insert(
        "merchants (id, name, status, terms, created_at)",
        f"{_id(names.MERCHANT)}, 'Merchant ' || n, 'active', 1, now()",
    ),
    _insert(
        "merchant_currencies (merchant_id, currency, fee_basis_points, fee_fixed, overdraft)",
        f"{_id(names.MERCHANT)}, '{names.UNIT.code}', {names.FEE_BASIS_POINTS}, 0, 0",
    ),
    _insert(
        "shops (id, merchant_id, name, city, country, category, acceptance, code_token, "
        "created_at)",
        f"{_id(names.SHOP)}, {_id(names.MERCHANT)}, 'Shop ' || n, 'Hangzhou', 'CN', '5814', "
        f"{_ACCEPTANCE}, 'bench' || lpad(n::text, 15, '0'), now()",
    ),
    _insert(
        f"api_keys ({_KEY_COLUMNS})",
        f"{_id(names.MERCHANT_KEY)}, {_hash('tk_mer_')}, 'merchant', {_id(names.MERCHANT)}, "
        "NULL, 'Till', '0000', ARRAY['payments:write'], now()",
    ),
    _accounts(names.MERCHANT, AccountCode.MERCHANT, 0),
    _accounts(names.MERCHANT, AccountCode.FEES, 0),
)
"""Statements that make merchants with a shop each; $1 is how many."""

TOP_UPS: Final = _insert(
    "transfers (id, debit_account_id, credit_account_id, amount, ledger, code, kind, pending_id, "
    "reference, spends, expires_at, created_at, debit_number, credit_number, debit_balance, "
    "credit_balance)",
    f"{_id(names.TOP_UP)}, $2::uuid, {_id(names.PERSON, names.tail(AccountCode.PERSON))}, "
    f"{names.TOPPED_UP}, {_LEDGER}, {int(TransferCode.TOP_UP)}, 0, NULL, {_id(names.TOP_UP)}, "
    f"false, NULL, now(), n + 1, 1, -(n + 1)::bigint * {names.TOPPED_UP}, {names.TOPPED_UP}",
)
BANK: Final = (
    f"UPDATE accounts SET debits_posted = $1::bigint * {names.TOPPED_UP}, transfers = $1 "
    "WHERE id = $2::uuid"
)


async def fill(url: str, people: int, merchants: int, keyring: KeyRing) -> None:
    """Fill an empty, migrated database. The seeds of devices are sealed by `keyring`."""
    bank_id = bank(names.UNIT).id
    async with connected(url) as connection:
        async with connection.transaction():
            now = datetime.now(UTC)
            await open_accounts(connection, (bank(names.UNIT), fees(names.UNIT)), now)
            for statement in PEOPLE:
                await connection.execute(statement, people)
            for statement in MERCHANTS:
                await connection.execute(statement, merchants)
            await connection.execute(TOP_UPS, people, bank_id)
            await connection.execute(BANK, people, bank_id)
            await _devices(connection, people, keyring, now)
        await connection.execute("VACUUM ANALYZE")


async def _devices(connection: Connection, people: int, keyring: KeyRing, now: datetime) -> None:
    devices = [
        Device(
            id=device_id,
            person_id=names.uuid_of_number(names.PERSON, number),
            name="Phone",
            code_index=int(names.code_index(number)),
            code_seed=keyring.seal(names.seed(number), seed_context(device_id)),
            code_step=0,
            code_counter=0,
            wrong_codes=0,
            paused_until=None,
            created_at=now,
            revoked_at=None,
        )
        for number in range(people)
        for device_id in (names.uuid_of_number(names.DEVICE, number),)
    ]
    rows = list(map(msgspec.structs.astuple, devices))
    await connection.executemany(DEVICES.one_row_statement, rows)


UUIDV7: Final = """
    CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
        SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
            substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
    $$
"""
"""Ids that grow with time, for the usual way on a server older than PostgreSQL 18, which has it."""


async def ensure_uuidv7(url: str) -> None:
    """Make `uuidv7()` if the server has none."""
    async with connected(url) as connection:
        try:
            await connection.fetchval("SELECT uuidv7()")
        except asyncpg.UndefinedFunctionError:
            await connection.execute(UUIDV7)
