"""The database as second witness: it refuses what code must never do, and `verify` sees the rest.

What `verify` must find is planted by the owner of the tables, for the application's role cannot.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from faults import owner_of

from moves import CNY, Move, account, hold, journal_on, new_ids, once, pay, resolve
from tandem.cards import DEVICE_CARDS
from tandem.db import Connection, Table, open_journal_connection, open_pool
from tandem.db.rights import RIGHTS
from tandem.events import DELIVERIES, EVENTS
from tandem.kernel import transfer_id
from tandem.ledger import (
    ACCOUNTS,
    RESERVATIONS,
    TRANSFERS,
    AccountCode,
    TransferKind,
    trial_balance,
    verify,
)
from tandem.ledger import store as store_module
from tandem.ledger.entry import ANSWERS
from tandem.payments.model import PAYMENTS, REFUNDS
from tandem.people import DEVICES
from tandem.settlement.corrections import CORRECTIONS
from tandem.settlement.payouts import PAYOUTS
from tandem.settlement.withdrawals import WITHDRAWALS
from tandem.wallet.model import REQUESTS, SENDS, TOP_UPS

BANK: Final = account(0, AccountCode.BANK)
ANN, BEN = account(1), account(2)
IDS: Final = new_ids()
HELD: Final = hold(ANN, BEN, 30)
TABLES: Final = (
    *(ACCOUNTS, TRANSFERS, RESERVATIONS, ANSWERS, PAYMENTS, REFUNDS, EVENTS, DELIVERIES, DEVICES),
    *(SENDS, REQUESTS, TOP_UPS, PAYOUTS, WITHDRAWALS, CORRECTIONS),
)
"""All whose rows a journal writes."""
GUARDED: Final[dict[Table[Any], set[str]]] = {
    # The overdraft is part of its owner's terms.
    ACCOUNTS: {"overdraft"} | set(ACCOUNTS.mutable),
    DEVICES: {"name", "code_seed", "wrong_codes"},
    DEVICE_CARDS: {
        *("funding_kind", "funding_last_four", "code_hash", "code_until", "code_tries"),
        *("pan_sealed", "updated_at"),
    },
}
"""Those that it remembers, and what of them may change without their guards: nothing that an entry
decides on, or what never changes without one of the guards."""


async def _live(url: str) -> str:
    """Let money move in every way: Ann's balance ends at 60, of which 10 are reserved."""
    key = once(ANN.owner_id, "k")
    make = Move(id=IDS.entry(), transfers=(pay(BANK, ANN, 100), HELD), idempotency=key)
    async with journal_on(url) as journal:
        await journal.submit(make)
        post = resolve(TransferKind.POST, transfer_id(make.id, 2), HELD, 20)
        await journal.submit(Move(id=IDS.entry(), transfers=(post, pay(ANN, BEN, 20))))
        await journal.submit(Move(id=IDS.entry(), transfers=(hold(ANN, BEN, 10),)))
    return url


@pytest.fixture(scope="module")
async def house(module_database: str) -> str:
    """A database that is lived in, for tests in which everything is refused."""
    return await _live(module_database)


@pytest.fixture
async def tables(house: str) -> AsyncIterator[Connection]:
    """Its tables, for their owner."""
    async with owner_of(house) as connection:
        yield connection
        assert await found(connection) == {}


@pytest.fixture
async def owner(fresh_database: str) -> AsyncIterator[Connection]:
    """The owner of tables of a database that may be spoiled."""
    async with owner_of(await _live(fresh_database)) as connection:
        yield connection


@pytest.fixture
async def application(house: str) -> AsyncIterator[Connection]:
    pool = await open_pool(house, size=1)
    try:
        async with pool.acquire() as connection:
            yield connection
    finally:
        await pool.close()


# -- what the application's role may not do ------------------------------------------------------

NEVER: Final = [
    f"{verb} {table}{rest}"
    for table in (
        *("transfers", "events", "sends", "refunds"),
        *("top_ups", "payouts", "withdrawals", "corrections"),
    )
    for verb, rest in (
        ("DELETE FROM", ""),
        ("TRUNCATE", ""),
        ("UPDATE", " SET id = id"),
        ("UPDATE", " SET created_at = now()"),
        ("DROP TABLE", ""),
        ("ALTER TABLE", " ADD COLUMN x int"),
    )
]


@pytest.mark.parametrize(
    "statement",
    [
        *NEVER,
        "UPDATE transfers SET amount = 1",
        "DELETE FROM accounts",
        "TRUNCATE accounts CASCADE",
        "UPDATE accounts SET owner_id = owner_id",
        "UPDATE accounts SET flags = 0",
        "UPDATE accounts SET id = id",
        "UPDATE accounts SET ledger = 978",
        "UPDATE reservations SET expires_at = now()",
        "UPDATE idempotency SET answer = ''",
        "TRUNCATE idempotency",
        "DELETE FROM payments",
        "UPDATE payments SET amount = 1",
        "UPDATE payments SET merchant_id = id",
        "UPDATE installation SET mode = 'sandbox'",
        "CREATE TABLE mine (id int)",
        "ALTER ROLE tandem_app SUPERUSER",
        "SET session_replication_role = replica",
    ],
)
async def test_the_application_may_not(application: Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(statement)


async def test_a_journals_connection_works_as_the_application(house: str) -> None:
    connection = await open_journal_connection(house)
    try:
        assert await connection.fetchval("SELECT current_user") == "tandem_app"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM transfers")
    finally:
        await connection.close()


# -- what the database refuses whoever asks ------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "debits_posted = credits_posted + overdraft + 1",
        "debits_pending = credits_posted - debits_posted + 1",
        "debits_pending = -1",
        "debits_posted = -1",
        "credits_pending = -1",
        "credits_posted = -1",
        "transfers = -1",
        "overdraft = -1",
        "spent = -1",
        "terms = -1",
        "ledger = 0",
        "code = 64",
        "flags = 4",
    ],
)
async def test_an_account_beyond_its_bounds_is_refused(tables: Connection, change: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await tables.execute(f"UPDATE accounts SET {change} WHERE id = $1", ANN.id)  # noqa: S608 - our own table of cases


async def test_the_bank_cannot_be_overdrawn(tables: Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await tables.execute(
            "UPDATE accounts SET credits_posted = debits_posted + 1 WHERE id = $1", BANK.id
        )


WRONG_TRANSFERS: Final[Sequence[tuple[dict[str, Any], type[Exception]]]] = [
    ({"amount": 0}, asyncpg.CheckViolationError),
    ({"amount": -5}, asyncpg.CheckViolationError),
    ({"kind": 5}, asyncpg.CheckViolationError),
    ({"kind": 2}, asyncpg.CheckViolationError),
    ({"kind": 0, "pending_id": UUID(int=9)}, asyncpg.CheckViolationError),
    ({"kind": 1, "pending_id": UUID(int=9)}, asyncpg.CheckViolationError),
    ({"debit_account_id": BEN.id}, asyncpg.CheckViolationError),
    ({"debit_number": 0}, asyncpg.CheckViolationError),
    ({"credit_number": 0}, asyncpg.CheckViolationError),
    ({"debit_number": 2}, asyncpg.UniqueViolationError),
    ({"credit_number": 1}, asyncpg.UniqueViolationError),
    ({"id": None}, asyncpg.NotNullViolationError),
]


async def plant(connection: Connection, **changes: Any) -> UUID:  # noqa: ANN401 - columns
    """Insert a copy of Ann's last transfer with these columns changed."""
    row = await connection.fetchrow(
        "SELECT * FROM transfers WHERE debit_account_id = $1 AND kind = 0 LIMIT 1", ANN.id
    )
    assert row is not None
    values = dict(row) | {"id": IDS.new(), "debit_number": 90, "credit_number": 90} | changes
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await connection.execute(
        f"INSERT INTO transfers ({', '.join(values)}) VALUES ({marks})",  # noqa: S608 - the table's own columns
        *values.values(),
    )
    planted: UUID = values["id"]
    return planted


@pytest.mark.parametrize(("changes", "refusal"), WRONG_TRANSFERS)
async def test_a_transfer_that_cannot_be_is_refused(
    tables: Connection, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await plant(tables, **changes)


async def test_a_reservation_is_resolved_once_whoever_tries(tables: Connection) -> None:
    pending = await tables.fetchval("SELECT pending_id FROM transfers WHERE kind = 2")
    with pytest.raises(asyncpg.UniqueViolationError):
        await plant(tables, kind=3, pending_id=pending)


async def test_an_account_is_there_once(tables: Connection) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await tables.execute("INSERT INTO accounts SELECT * FROM accounts LIMIT 1")


# -- what verification finds ---------------------------------------------------------------------


async def found(connection: Connection) -> dict[str, set[UUID]]:
    differences, _, _ = await verify(connection)
    kinds: dict[str, set[UUID]] = {}
    for one in differences:
        assert one.stands != one.should
        kinds.setdefault(one.kind, set()).add(one.id)
    return kinds


async def test_a_sound_house_has_no_differences(owner: Connection) -> None:
    steps: list[tuple[int, int]] = []
    differences, accounts, transfers = await verify(owner, lambda *step: steps.append(step))
    assert (differences, accounts, transfers) == ([], 3, 5)
    assert steps == [(n, steps[-1][1]) for n in range(len(steps))]
    assert steps[-1][0] == steps[-1][1] > 3
    lines = await trial_balance(owner)
    assert sum(line.debits for line in lines) == sum(line.credits for line in lines) == 140
    assert sum(line.debits_pending - line.credits_pending for line in lines) == 0
    assert {line.ledger for line in lines} == {CNY.number}


@pytest.mark.parametrize(
    "column",
    ["debits_posted", "credits_posted", "debits_pending", "credits_pending", "transfers"],
)
async def test_a_wrong_total_is_found(owner: Connection, column: str) -> None:
    change = f"UPDATE accounts SET {column} = {column} + 1 WHERE id = $1"  # noqa: S608 - our own table of cases
    await owner.execute(change, ANN.id)
    assert await found(owner) == {"account totals": {ANN.id}}


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("amount = amount + 1", {"account totals", "balance after"}),
        ("debit_balance = debit_balance + 1", {"balance after"}),
        ("credit_balance = 0", {"balance after"}),
        ("debit_number = 50", {"balance after"}),
        ("ledger = 978", {"ledger of a transfer"}),
    ],
)
async def test_a_changed_transfer_is_found(owner: Connection, change: str, kinds: set[str]) -> None:
    await owner.execute(
        f"UPDATE transfers SET {change} WHERE kind = 0 AND debit_account_id = $1",  # noqa: S608 - our own table of cases
        ANN.id,
    )
    assert set(await found(owner)) == kinds


async def test_a_transfer_that_was_taken_away_is_found(owner: Connection) -> None:
    await owner.execute("DELETE FROM transfers WHERE kind = 0 AND debit_account_id = $1", ANN.id)
    kinds = await found(owner)
    assert kinds["account totals"] == {ANN.id, BEN.id}
    assert "balance after" in kinds


async def test_a_transfer_that_nobody_booked_is_found(owner: Connection) -> None:
    await plant(owner)
    kinds = await found(owner)
    assert kinds["account totals"] == {ANN.id, BEN.id}
    assert "balance after" in kinds


async def test_a_missing_account_is_found(owner: Connection) -> None:
    await owner.execute("DELETE FROM accounts WHERE id = $1", BEN.id)
    kinds = await found(owner)
    assert kinds["account totals"] == {BEN.id}
    assert "ledger of a transfer" in kinds


async def test_a_reservation_that_is_missing_or_too_many_is_found(owner: Connection) -> None:
    gone = await owner.fetchval("DELETE FROM reservations RETURNING id")
    resolved = await owner.fetchval("SELECT pending_id FROM transfers WHERE kind = 2")
    await owner.execute("INSERT INTO reservations (id) VALUES ($1)", resolved)
    assert await found(owner) == {"reservation": {gone, resolved}}


async def test_a_reservation_resolved_twice_is_found(owner: Connection) -> None:
    await owner.execute("DROP INDEX transfers_resolve_once")
    pending = await owner.fetchval("SELECT pending_id FROM transfers WHERE kind = 2")
    await plant(owner, kind=3, pending_id=pending)
    assert (await found(owner))["resolved twice"] == {pending}


@pytest.mark.parametrize(
    "change",
    [
        "pending_id = '00000000-0000-0000-0000-000000000009'",
        "pending_id = (SELECT id FROM transfers WHERE kind = 0 LIMIT 1)",
    ],
)
async def test_what_resolves_nothing_that_was_reserved_is_found(
    owner: Connection, change: str
) -> None:
    post = await owner.fetchval(f"UPDATE transfers SET {change} WHERE kind = 2 RETURNING id")  # noqa: S608 - our own table of cases
    assert (await found(owner))["resolution"] == {post}


async def test_more_posted_than_was_reserved_is_found(owner: Connection) -> None:
    await owner.execute("UPDATE transfers SET amount = 31 WHERE kind = 2")
    assert "resolution" in await found(owner)


async def test_a_resolution_between_other_accounts_is_found(owner: Connection) -> None:
    await owner.execute("UPDATE transfers SET debit_account_id = $1 WHERE kind = 2", BANK.id)
    assert "resolution" in await found(owner)


# -- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES, ids=repr)
async def test_rows_are_those_of_the_table(tables: Connection, table: Table[Any]) -> None:
    """Of its row type, in its order: rows go to the database whole."""
    assert await columns_of(tables, f"{table.name}_row") == list(table.types.items())


@pytest.mark.parametrize("table", [*(t for t in TABLES if t.mutable), DEVICE_CARDS], ids=repr)
async def test_changes_are_those_of_the_table(tables: Connection, table: Table[Any]) -> None:
    """Its key, what its guards were, and what an update writes."""
    guards = [(f"was_{name}", table.types[name]) for name in table.guards]
    named = [(name, table.types[name]) for name in (*table.key, *table.mutable)]
    wanted = [*named[: len(table.key)], *guards, *named[len(table.key) :]]
    assert await columns_of(tables, f"{table.name}_change") == wanted


@pytest.mark.parametrize("table", GUARDED, ids=repr)
def test_a_guard_sees_all_that_may_change(table: Table[Any]) -> None:
    """What the application may update and no guard sees is named here, with its reason."""
    unseen = set(RIGHTS[table.name].update) - set(table.guards)
    assert unseen == GUARDED[table] - set(table.guards)


async def columns_of(connection: Connection, kind: str) -> list[tuple[str, str]]:
    """The columns of a row type, and their types as a table of ours names them."""
    columns = await connection.fetch(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        kind,
    )
    short = {"timestamp with time zone": "timestamptz"}
    return [(name, short.get(given, given)) for name, given in columns]


# -- how the statements are planned --------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
async def test_the_journals_statements_use_the_indexes(fresh_database: str, full: bool) -> None:  # noqa: FBT001 - a column of the table
    """Also on empty, never analysed tables: such a plan stays while the table grows."""
    if full:
        async with journal_on(fresh_database) as journal:
            await journal.submit(
                Move(id=IDS.entry(), transfers=[pay(BANK, account(n), 1) for n in range(1, 200)])
            )
    connection = await open_journal_connection(fresh_database)
    statements = [
        *(table.lock_statement for table in (ACCOUNTS, PAYMENTS)),
        *(table.update_statement(1) for table in (ACCOUNTS, PAYMENTS)),
        *(table.read_statement for table in GUARDED),
        *(table.hold_statement(1) for table in GUARDED),
        RESERVATIONS.delete_statement(1),
        store_module._PENDING_STATEMENT,
        store_module._ANSWERS_STATEMENT,
    ]
    try:
        for statement in statements:
            plan = await explain(connection, statement)
            assert "Seq Scan" not in plan, plan
            assert "Index" in plan, plan
    finally:
        await connection.close()


async def explain(connection: Connection, statement: str) -> str:
    """The generic plan of a statement, for whatever its parameters are."""
    await connection.execute(f"PREPARE explained AS {statement}")
    count = await connection.fetchval(
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'explained'"
    )
    nulls = ", ".join(["NULL"] * count)
    lines = await connection.fetch(f"EXPLAIN EXECUTE explained({nulls})")
    await connection.execute("DEALLOCATE explained")
    return "\n".join(line[0] for line in lines)
