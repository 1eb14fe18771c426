"""What the ledger tells: work lists, statements, the trial balance, and its own verification."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tandem.db import Connection
from tandem.kernel import entry_of, show_id
from tandem.ledger.chart import OBJECTS, AccountCode, TransferCode, accounts_between
from tandem.ledger.model import ACCOUNTS, TRANSFERS, Account, TransferKind, TransferRow

_COLUMNS: Final = ", ".join(TRANSFERS.columns)
_ACCOUNT: Final = f"SELECT {', '.join(ACCOUNTS.columns)} FROM accounts"
_POSTING: Final = (TransferKind.POSTED, TransferKind.POST)
_SHOWN: Final = 100


class Statement(msgspec.Struct, frozen=True):
    """A line of an account's statement: a transfer, by how much it changed the balance, and after.

    `number` is its place in the account's order. `change` is positive for a credit; zero for what
    only reserves or releases. Minor units.
    """

    number: int
    transfer: TransferRow
    change: int
    balance: int


class TrialLine(msgspec.Struct, frozen=True):
    """The posted totals of all accounts of one kind in one ledger, in minor units."""

    ledger: int
    code: int
    accounts: int
    debits: int
    credits: int
    debits_pending: int
    credits_pending: int


class Difference(msgspec.Struct, frozen=True):
    """Something that verification found: what, where, what stands there and what should."""

    kind: str
    id: UUID
    stands: str
    should: str


async def accounts_of(connection: Connection, owner_id: UUID) -> list[Account]:
    """Every account of an owner, in whatever currency, without a lock; by ledger."""
    first, last = accounts_between(owner_id)
    rows = await connection.fetch(
        f"SELECT {', '.join(ACCOUNTS.columns)} FROM accounts WHERE id BETWEEN $1 AND $2 "
        "ORDER BY ledger, code",
        first,
        last,
    )
    return [Account(*row) for row in rows]


async def due_reservations(connection: Connection, now: datetime, limit: int) -> list[TransferRow]:
    """Pending transfers whose time is over and that nothing has released yet."""
    rows = await connection.fetch(
        f"SELECT {', '.join('t.' + column for column in TRANSFERS.columns)} "
        "FROM reservations AS r JOIN transfers AS t ON t.id = r.id "
        "WHERE r.expires_at <= $1 ORDER BY r.expires_at LIMIT $2",
        now,
        limit,
    )
    return [TransferRow(*row) for row in rows]


async def entry_transfers(connection: Connection, entry_id: UUID) -> list[TransferRow]:
    """The outcome of an entry by its id: its transfers, or none if it was not committed."""
    first = entry_of(entry_id)
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM transfers WHERE id BETWEEN $1 AND $2 ORDER BY id",
        first,
        UUID(int=first.int | 0xFF),
    )
    return [TransferRow(*row) for row in rows]


async def statement(
    connection: Connection, account_id: UUID, before: int | None, limit: int, above: int = 0
) -> list[Statement]:
    """An account's transfers, newest first, with the running balance.

    Those numbered below `before` and above `above`.
    """
    sides = [
        f"(SELECT {side}_number AS number, {_COLUMNS} FROM transfers "
        f"WHERE {side}_account_id = $1 AND ($2::bigint IS NULL OR {side}_number < $2) "
        f"AND {side}_number > $4 ORDER BY {side}_number DESC LIMIT $3)"
        for side in ("debit", "credit")
    ]
    rows = await connection.fetch(
        f"SELECT * FROM ({' UNION ALL '.join(sides)}) AS lines ORDER BY number DESC LIMIT $3",
        account_id,
        before,
        limit,
        above,
    )
    return [_line(number, TransferRow(*columns), account_id) for number, *columns in rows]


async def moved_before(connection: Connection, account: Account, moment: datetime) -> int:
    """How many transfers had moved an account by a moment: they are numbered 1 to that.

    Times grow with the numbers, as far as the clocks of the processes that decided them agree. It
    is found by halving: a look-up by key for each of twenty steps, in an account of a million.
    """
    low, high = 0, account.transfers
    while low < high:
        middle = (low + high + 1) // 2
        line = await _numbered(connection, account.id, middle)
        if line is not None and line.transfer.created_at < moment:
            low = middle
        else:
            high = middle - 1
    return low


async def balance_at(connection: Connection, account_id: UUID, number: int) -> int:
    """The balance after so many transfers, in minor units; zero before the first."""
    line = await _numbered(connection, account_id, number)
    return 0 if line is None else line.balance


async def _numbered(connection: Connection, account_id: UUID, number: int) -> Statement | None:
    lines = await statement(connection, account_id, number + 1, 1, above=number - 1)
    return lines[0] if lines else None


def _line(number: int, transfer: TransferRow, account_id: UUID) -> Statement:
    posted = transfer.amount if transfer.kind in _POSTING else 0
    if transfer.debit_account_id == account_id:
        return Statement(number, transfer, -posted, transfer.debit_balance)
    return Statement(number, transfer, posted, transfer.credit_balance)


async def released_by(connection: Connection, lines: Iterable[Statement]) -> dict[UUID, int]:
    """What was reserved that a statement's lines resolved, by the reservation's id."""
    ids = [line.transfer.pending_id for line in lines if line.transfer.pending_id is not None]
    if not ids:
        return {}
    rows = await connection.fetch("SELECT id, amount FROM transfers WHERE id = ANY($1)", ids)
    return {row[0]: row[1] for row in rows}


def line_type(line: Statement, released: Mapping[UUID, int]) -> tuple[str, int]:
    """The type of a statement's line, and what it reserves (plus) or gives free (minus).

    The type is that of the transfer (`payment`, `top_up` …), or `reserved` and `released` for what
    does not change the balance. `released` is what `released_by` found.
    """
    transfer = line.transfer
    kind = TransferKind(transfer.kind)
    if kind is TransferKind.PENDING:
        return "reserved", transfer.amount
    freed = 0 if transfer.pending_id is None else released[transfer.pending_id]
    if kind in (TransferKind.VOID, TransferKind.EXPIRE):
        return "released", -freed
    return TransferCode(transfer.code).name.lower(), -freed


def object_of(transfer: TransferRow) -> str:
    """What a transfer was made for, as people see its id: `pay_…`, `top_…`."""
    return show_id(OBJECTS[TransferCode(transfer.code)], transfer.reference)


async def transfers_for(
    connection: Connection, reference: UUID, account_id: UUID
) -> list[TransferRow]:
    """The transfers of all entries that moved this account for an object, in order.

    Looks through the account's transfers: choose the one of the object's accounts that moves least.
    """
    rows = await connection.fetch(
        "SELECT id FROM transfers WHERE debit_account_id = $1 AND reference = $2 "
        "UNION ALL SELECT id FROM transfers WHERE credit_account_id = $1 AND reference = $2",
        account_id,
        reference,
    )
    entries = sorted({entry_of(row[0]) for row in rows})
    rows = await connection.fetch(
        f"SELECT {', '.join('t.' + column for column in TRANSFERS.columns)} "
        "FROM unnest($1::uuid[], $2::uuid[]) AS entry (first, last) "
        "JOIN transfers AS t ON t.id BETWEEN entry.first AND entry.last ORDER BY t.id",
        entries,
        [UUID(int=entry.int | 0xFF) for entry in entries],
    )
    return [TransferRow(*row) for row in rows]


async def account_by_id(connection: Connection, account_id: UUID) -> Account | None:
    """An account as it stands, without a lock; None if nobody opened it."""
    row = await connection.fetchrow(f"{_ACCOUNT} WHERE id = $1", account_id)
    return None if row is None else Account(*row)


async def list_accounts(
    connection: Connection,
    before: UUID | None,
    limit: int,
    code: AccountCode | None = None,
    ledger: int | None = None,
) -> list[Account]:
    """All accounts, or those of a kind and a currency, those of the newest owners first."""
    rows = await connection.fetch(
        f"{_ACCOUNT} WHERE ($1::uuid IS NULL OR id < $1) AND ($2::smallint IS NULL OR code = $2) "
        "AND ($3::smallint IS NULL OR ledger = $3) ORDER BY id DESC LIMIT $4",
        before,
        code,
        ledger,
        limit,
    )
    return [Account(*row) for row in rows]


async def trial_balance(connection: Connection) -> list[TrialLine]:
    """The totals of each kind of account; in every ledger debits and credits are equal."""
    rows = await connection.fetch(
        "SELECT ledger, code, count(*), sum(debits_posted)::bigint, "
        "sum(credits_posted)::bigint, sum(debits_pending)::bigint, sum(credits_pending)::bigint "
        "FROM accounts GROUP BY ledger, code ORDER BY ledger, code"
    )
    return [TrialLine(*row) for row in rows]


async def verify(
    connection: Connection, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> tuple[list[Difference], int, int]:
    """Recompute every balance from the transfers and say what differs.

    Reads one consistent snapshot: totals of every account, the chain of balances that the
    transfers keep, both sides' ledgers, what is reserved against what is unresolved, what each
    resolution resolves. Returns at most 100 differences of each kind, and how many accounts and
    transfers it read. `progress` is called with how many of how many steps are done.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found: list[Difference] = []
        for done, statement_text in enumerate(CHECKS):
            progress(done, len(CHECKS))
            rows = await connection.fetch(statement_text, timeout=3600)
            found.extend(Difference(*row) for row in rows)
        progress(len(CHECKS), len(CHECKS))
        accounts = await connection.fetchval("SELECT count(*) FROM accounts")
        transfers = await connection.fetchval("SELECT count(*) FROM transfers", timeout=3600)
    return found, accounts, transfers


_TOTALS: Final = f"""
    WITH resolved AS (
        SELECT t.*, p.amount AS reserved
        FROM transfers AS t LEFT JOIN transfers AS p ON p.id = t.pending_id
    ), sides AS (
        SELECT debit_account_id AS id, true AS is_debit, kind, amount, reserved FROM resolved
        UNION ALL
        SELECT credit_account_id, false, kind, amount, reserved FROM resolved
    ), sums AS (
        SELECT id, count(*) AS transfers,
            coalesce(sum(amount) FILTER (WHERE is_debit AND kind IN (0, 2)), 0) AS debits,
            coalesce(sum(amount) FILTER (WHERE NOT is_debit AND kind IN (0, 2)), 0) AS credits,
            coalesce(sum(amount) FILTER (WHERE is_debit AND kind = 1), 0)
                - coalesce(sum(reserved) FILTER (WHERE is_debit), 0) AS debits_pending,
            coalesce(sum(amount) FILTER (WHERE NOT is_debit AND kind = 1), 0)
                - coalesce(sum(reserved) FILTER (WHERE NOT is_debit), 0) AS credits_pending
        FROM sides GROUP BY id
    )
    SELECT 'account totals', coalesce(a.id, s.id),
        format('debits %s+%s credits %s+%s in %s', a.debits_posted, a.debits_pending,
               a.credits_posted, a.credits_pending, a.transfers),
        format('debits %s+%s credits %s+%s in %s', coalesce(s.debits, 0),
               coalesce(s.debits_pending, 0), coalesce(s.credits, 0),
               coalesce(s.credits_pending, 0), coalesce(s.transfers, 0))
    FROM accounts AS a FULL JOIN sums AS s ON s.id = a.id
    WHERE a.id IS NULL
        OR a.debits_posted <> coalesce(s.debits, 0)
        OR a.credits_posted <> coalesce(s.credits, 0)
        OR a.debits_pending <> coalesce(s.debits_pending, 0)
        OR a.credits_pending <> coalesce(s.credits_pending, 0)
        OR a.transfers <> coalesce(s.transfers, 0)
    LIMIT {_SHOWN}
"""

_CHAIN: Final = f"""
    SELECT 'balance after', id, format('%s at %s', balance, number),
        format('%s at %s', should, place)
    FROM (
        SELECT id, number, balance, row_number() OVER account AS place,
            sum(change) OVER account AS should
        FROM (
            SELECT id, debit_account_id AS account_id, debit_number AS number,
                debit_balance AS balance,
                CASE WHEN kind IN (0, 2) THEN -amount ELSE 0 END AS change FROM transfers
            UNION ALL
            SELECT id, credit_account_id, credit_number, credit_balance,
                CASE WHEN kind IN (0, 2) THEN amount ELSE 0 END FROM transfers
        ) AS sides
        WINDOW account AS (PARTITION BY account_id ORDER BY number)
    ) AS chain WHERE balance <> should OR number <> place LIMIT {_SHOWN}
"""

_LEDGERS: Final = f"""
    SELECT 'ledger of a transfer', t.id, format('%s to %s', d.ledger, c.ledger), t.ledger::text
    FROM transfers AS t
    LEFT JOIN accounts AS d ON d.id = t.debit_account_id
    LEFT JOIN accounts AS c ON c.id = t.credit_account_id
    WHERE d.ledger IS DISTINCT FROM t.ledger OR c.ledger IS DISTINCT FROM t.ledger
    LIMIT {_SHOWN}
"""

_RESERVATIONS: Final = f"""
    SELECT 'reservation', coalesce(r.id, p.id),
        CASE WHEN r.id IS NULL THEN 'missing' ELSE 'open' END,
        CASE WHEN r.id IS NULL THEN 'open' ELSE 'resolved' END
    FROM reservations AS r FULL JOIN (
        SELECT id FROM transfers AS t WHERE kind = 1
            AND NOT EXISTS (SELECT FROM transfers AS later WHERE later.pending_id = t.id)
    ) AS p ON p.id = r.id
    WHERE r.id IS NULL OR p.id IS NULL LIMIT {_SHOWN}
"""

_RESOLVED_ONCE: Final = f"""
    SELECT 'resolved twice', pending_id, count(*)::text, '1'
    FROM transfers WHERE pending_id IS NOT NULL
    GROUP BY pending_id HAVING count(*) > 1 LIMIT {_SHOWN}
"""

_RESOLUTIONS: Final = f"""
    SELECT 'resolution', t.id,
        format('%s from %s to %s', t.amount, t.debit_account_id, t.credit_account_id),
        coalesce(
            format('at most %s from %s to %s', p.amount, p.debit_account_id, p.credit_account_id),
            'of a pending transfer'
        )
    FROM transfers AS t LEFT JOIN transfers AS p ON p.id = t.pending_id AND p.kind = 1
    WHERE t.pending_id IS NOT NULL AND (
        p.id IS NULL OR t.amount > p.amount
        OR t.debit_account_id <> p.debit_account_id OR t.credit_account_id <> p.credit_account_id
    ) LIMIT {_SHOWN}
"""

CHECKS: Final = (_TOTALS, _CHAIN, _LEDGERS, _RESERVATIONS, _RESOLVED_ONCE, _RESOLUTIONS)
"""What is verified, in this order."""
