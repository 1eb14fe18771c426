"""The journal's statements.

The lock statement is the one that distributed PostgreSQL needs written otherwise
(docs/decisions/0005), so it stands in one place: `Table.lock_statement`.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tandem.db import Connection, Idempotency, Table
from tandem.ledger.entry import ANSWERS, Answer, Key, Touches, View
from tandem.ledger.model import ACCOUNTS, RESERVATIONS, TRANSFERS, Account, TransferRow

Shape = tuple[tuple[str, Table[Any], int], ...]
"""What a group writes: insert, update or delete, the table, and how many rows if they are few."""

Asked = tuple[Touches, Idempotency | None]
"""What an entry touches, and its idempotency key."""


FEW: Final = 16
"""Up to how many rows in all each value is a parameter of its own: a lone payment's."""

COPY_FROM: Final = 16
"""From how many new rows on COPY takes less time than one more round trip."""


class RivalError(Exception):
    """Another journal wrote the same row meanwhile: decide again on what it wrote."""


_ANSWERS_STATEMENT: Final = (
    "SELECT owner_id, key, fingerprint, answer, created_at FROM idempotency "
    "WHERE (owner_id, key) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))"
)
_PENDING_STATEMENT: Final = (
    f"SELECT {', '.join('t.' + c for c in TRANSFERS.columns)}, r.id IS NOT NULL "
    "FROM transfers AS t LEFT JOIN reservations AS r ON r.id = t.id "
    "WHERE t.id = ANY($1::uuid[]) AND t.kind = 1"
)
_LOOK_STATEMENT: Final = (
    f"SELECT {', '.join(ACCOUNTS.columns)} FROM accounts WHERE id = ANY($1::uuid[])"
)


async def read_view(
    connection: Connection, view: View, asked: Sequence[Asked], *, careful: bool
) -> None:
    """Read everything that a group's entries touch and the view does not know yet, into the view.

    Rows are locked, in order of rank and key. Accounts are only if the group is `careful`: else
    the write finds out if they changed. A careful group also looks up, after the locks, what its
    idempotency keys were answered before.
    """
    wanted: dict[Table[Any], dict[Key, None]] = defaultdict(dict)
    pending: dict[UUID, None] = {}
    for touches, _ in asked:
        for table, key in touches.rows:
            wanted[table][key] = None
        for pending_id in touches.pending:
            pending[pending_id] = None
    known = view.rows[ACCOUNTS]
    accounts = [key.id for touches, _ in asked for key in touches.accounts if key.id not in known]
    view.looked_up.update(accounts)
    if careful:
        wanted[ACCOUNTS] = dict.fromkeys(accounts)
    elif accounts:
        await _read(connection, view, ACCOUNTS, _LOOK_STATEMENT, [list(set(accounts))])
    for table in sorted(wanted, key=lambda table: table.rank):
        arguments = table.key_arguments(wanted[table])
        await _read(connection, view, table, table.lock_statement, arguments)
    if pending:
        await _read_pending(connection, view, list(pending))
    if careful:
        await _read_answers(connection, view, asked)


async def _read(
    connection: Connection, view: View, table: Table[Any], statement: str, arguments: Sequence[Any]
) -> None:
    rows = view.rows[table]
    for record in await connection.fetch(statement, *arguments):
        row = table.row(*record)
        rows[table.key_of(row)] = row


async def _read_pending(connection: Connection, view: View, ids: list[UUID]) -> None:
    """Read pending transfers and whether they are open: whoever resolves one moves its accounts."""
    for record in await connection.fetch(_PENDING_STATEMENT, ids):
        *columns, is_open = record
        view.pending[columns[0]] = TransferRow(*columns)
        if is_open:
            view.open_pending.add(columns[0])


async def _read_answers(connection: Connection, view: View, asked: Sequence[Asked]) -> None:
    """Read the answers that the entries' idempotency keys got before."""
    keys = {(key.owner_id, key.key) for _, key in asked if key is not None}
    if keys:
        answers = view.rows[ANSWERS]
        for record in await connection.fetch(_ANSWERS_STATEMENT, *zip(*keys, strict=True)):
            answer = Answer(*record)
            answers[answer.owner_id, answer.key] = answer


class Changes(NamedTuple):
    """What a view writes: one statement, and rows that follow it by COPY.

    The values stand in it as they are when it is made; the view's accounts may move on.
    """

    statement: str
    arguments: list[Any]
    copies: tuple[tuple[Table[Any], Collection[Any]], ...]


def changes_of(view: View) -> Changes | None:
    """All the changes of a view, or None if there are none.

    One statement writes everything; of a large group the new rows of tables that no rival inserts
    into go by COPY instead, which takes the server half the time.
    """
    inserted: dict[Table[Any], Collection[Any]] = {
        table: rows.values() for table, rows in view.inserted.items() if rows
    }
    inserted.update((table, rows) for table, rows in view.appended.items() if rows)
    own = [table for table in inserted if not table.shared]
    copied = own if sum(len(inserted[table]) for table in own) >= COPY_FROM else []
    parts: list[tuple[str, Table[Any], Collection[Any]]]
    parts = [("update", table, rows.values()) for table, rows in view.updated.items() if rows]
    parts += [("insert", table, inserted[table]) for table in inserted if table not in copied]
    parts.sort(key=_turn)
    if view.released:
        parts.append(("delete", RESERVATIONS, view.released))
    if not parts and not copied:
        return None
    few = sum(len(rows) for _, _, rows in parts) <= FEW
    arguments: list[Any] = []
    for verb, table, rows in parts:
        arguments += _arguments(view, verb, table, rows, few=few)
    shape = tuple((verb, table, len(rows) if few else 0) for verb, table, rows in parts)
    if not few:
        arguments.append([len(rows) for _, _, rows in parts])
    copied.sort(key=lambda table: table.rank)
    return Changes(
        _write_statement(shape), arguments, tuple((table, inserted[table]) for table in copied)
    )


def _turn(part: tuple[str, Table[Any], Collection[Any]]) -> tuple[bool, int]:
    """What is locked comes first, in the order in which a careful group locks it."""
    verb, table, _ = part
    return verb == "insert", table.rank


def _arguments(
    view: View, verb: str, table: Table[Any], rows: Collection[Any], *, few: bool
) -> list[Any]:
    if verb == "insert":
        return table.insert_arguments(rows, few=few)
    if verb == "delete":
        return table.key_arguments(rows)
    if table is not ACCOUNTS:
        return table.update_arguments(rows, few=few)

    def was(account: Account) -> tuple[int, int]:
        return view.before[account.id], account.terms

    return table.update_arguments(rows, was, few=few)


async def write_changes(connection: Connection, changes: Changes) -> None:
    """Write a view's changes. Raises `RivalError` if a rival wrote one of its rows meanwhile."""
    try:
        await connection.fetchval(changes.statement, *changes.arguments)
    except asyncpg.DivisionByZeroError as error:
        raise RivalError from error
    for table, rows in changes.copies:
        await connection.copy_records_to_table(
            table.name,
            records=map(msgspec.structs.astuple, rows),
            columns=table.columns,
        )


@lru_cache(maxsize=256)
def _write_statement(shape: Shape) -> str:
    """One data-modifying CTE for each part of the shape.

    It fails, by dividing by zero, unless each part that a rival may have come before wrote all of
    its rows. So it is a whole transaction: nothing between it and its commit needs to look.
    """
    steps: list[str] = []
    checks: list[str] = []
    first, counts = 1, 1
    for verb, table, few in shape:
        counts += _width(verb, table, few)
    for number, (verb, table, few) in enumerate(shape):
        if verb == "insert":
            statement = table.insert_statement(first, few)
        elif verb == "update":
            statement = table.update_statement(first, few)
        else:
            statement = table.delete_statement(first)
        first += _width(verb, table, few)
        steps.append(f"w{number} AS ({statement})")
        if verb != "insert" or table.shared:
            expected = str(few) if few else f"(${counts}::bigint[])[{number + 1}]"
            checks.append(f"(SELECT count(*) FROM w{number}) = {expected}")
    begins = f"WITH {', '.join(steps)} " if steps else ""
    return f"{begins}SELECT 1 / (CASE WHEN {' AND '.join(checks) or 'true'} THEN 1 ELSE 0 END)"


def _width(verb: str, table: Table[Any], few: int) -> int:
    """How many parameters a part takes."""
    if verb == "delete":
        return len(table.key)
    return len(table.columns if verb == "insert" else table.changed) * (few or 1)


_GONE_STATEMENT: Final = "SELECT pg_try_advisory_xact_lock_shared($1)"


async def mark_session(connection: Connection, session: int) -> None:
    """Hold a lock of this number for as long as the connection's session lives."""
    await connection.execute("SELECT pg_advisory_lock($1)", session)


async def fate_of(connection: Connection, session: int, view: View) -> str | None:
    """What became of a view whose session was lost: committed, aborted, in progress, or None.

    In progress: the server still has the session, and may yet carry out what it was sent. After
    that a row tells which only this view could have inserted: a new one of its own, or an answer
    of its moment. None: it has no such row.
    """
    if not await connection.fetchval(_GONE_STATEMENT, session):
        return "in progress"
    own = [(table, table.key_of(rows[0])) for table, rows in view.appended.items() if rows]
    own += [(t, next(iter(rows))) for t, rows in view.inserted.items() if rows and not t.shared]
    own += [(ANSWERS, key) for key in view.inserted[ANSWERS]]
    for table, key in own[:1]:
        names, values = table.key, key if len(table.key) > 1 else (key,)
        if table is ANSWERS:
            names, values = (*names, "created_at"), (*values, view.now)
        marks = ", ".join(f"${n}::{table.types[c]}" for n, c in enumerate(names, 1))
        statement = f"SELECT true FROM {table.name} WHERE ({', '.join(names)}) = ({marks})"
        return "committed" if await connection.fetchval(statement, *values) else "aborted"
    return None
