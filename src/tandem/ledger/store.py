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

from tandem.db import Connection, Idempotency, Table
from tandem.ledger.entry import ANSWERS, Answer, Key, Touches, View
from tandem.ledger.model import ACCOUNTS, RESERVATIONS, TRANSFERS, TransferRow

Part = tuple[str, Table[Any], Collection[Any]]
"""What a group does to a table: insert, update, hold or delete, and the rows, or the keys of it."""

Shape = tuple[tuple[str, Table[Any]], ...]
"""The parts of a group, without their rows."""

Asked = tuple[Touches, Idempotency | None]
"""What an entry touches, and its idempotency key."""


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


async def read_view(
    connection: Connection, view: View, asked: Sequence[Asked], *, careful: bool
) -> None:
    """Read everything that a group's entries touch and the view does not know yet, into the view.

    Rows are locked, in order of rank and key. Those of tables with guards are only if the group is
    `careful`: else the write finds out if they changed. A careful group also looks up, after the
    locks, what its idempotency keys were answered before.
    """
    wanted: dict[Table[Any], dict[Key, None]] = defaultdict(dict)
    pending: dict[UUID, None] = {}
    known = view.rows[ACCOUNTS]
    for touches, _ in asked:
        for table, key in touches.rows:
            if key not in view.rows[table]:
                wanted[table][key] = None
        for account in touches.accounts:
            if account.id not in known:
                wanted[ACCOUNTS][account.id] = None
        for pending_id in touches.pending:
            pending[pending_id] = None
    view.looked_up.update(wanted.get(ACCOUNTS, ()))
    for table in sorted(wanted, key=lambda table: table.rank):
        locks = careful or not table.guards
        statement = table.lock_statement if locks else table.read_statement
        await _read(connection, view, table, statement, table.key_arguments(wanted[table]))
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
    """What a view writes, as one statement; its values stay, though the accounts move on."""

    statement: str
    arguments: list[Any]


def changes_of(view: View) -> Changes | None:
    """All the changes of a view, or None if there are none."""
    parts: list[Part]
    parts = [("update", table, rows.values()) for table, rows in view.updated.items() if rows]
    for table, held in view.held.items():
        before, now = view.before[table], view.rows[table]
        looked_at = [now[key] for key in held if key not in before]
        if looked_at:
            parts.append(("hold", table, looked_at))
    parts += [("insert", table, rows.values()) for table, rows in view.inserted.items() if rows]
    parts += [("insert", table, rows) for table, rows in view.appended.items() if rows]
    parts.sort(key=_turn)
    if view.released:
        parts.append(("delete", RESERVATIONS, view.released))
    if not parts:
        return None
    arguments: list[Any] = [[len(rows) for _, _, rows in parts]]
    for verb, table, rows in parts:
        if verb == "delete":
            arguments += table.key_arguments(rows)
        elif verb == "insert":
            arguments += table.row_arguments(rows)
        else:
            was = view.before if verb == "update" else view.held
            arguments += _changed(table, rows, was[table])
    return Changes(_write_statement(tuple((verb, table) for verb, table, _ in parts)), arguments)


def _changed(table: Table[Any], rows: Collection[Any], was: dict[Key, Any]) -> list[bytes]:
    """Rows that a view changes or holds, and what their guards were."""
    if not table.guards:
        return table.change_arguments(rows)
    changed = table.in_order(rows)
    return table.change_arguments(changed, [was[table.key_of(row)] for row in changed])


_TURNS: Final = {"update": 0, "hold": 1, "insert": 2}


def _turn(part: Part) -> tuple[int, int]:
    """What is locked comes first, in the order in which a careful group locks it."""
    verb, table, _ = part
    return _TURNS[verb], table.rank


async def write_changes(connection: Connection, changes: Changes) -> None:
    """Write a view's changes. Raises `RivalError` if a rival wrote one of its rows meanwhile."""
    try:
        await connection.fetchval(changes.statement, *changes.arguments)
    except asyncpg.DivisionByZeroError as error:
        raise RivalError from error


@lru_cache(maxsize=256)
def _write_statement(shape: Shape) -> str:
    """One data-modifying CTE for each part of the shape; `$1` has their numbers of rows.

    It fails, by dividing by zero, unless each part that a rival may have come before wrote all of
    its rows. So it is a whole transaction: nothing between it and its commit needs to look.
    """
    steps: list[str] = []
    checks: list[str] = []
    first = 2
    for number, (verb, table) in enumerate(shape):
        if verb == "insert":
            statement = table.insert_statement(first)
        elif verb == "update":
            statement = table.update_statement(first)
        elif verb == "hold":
            statement = table.hold_statement(first)
        else:
            statement = table.delete_statement(first)
        first += len(table.key) if verb == "delete" else 1
        steps.append(f"w{number} AS ({statement})")
        if verb != "insert" or table.shared:
            checks.append(f"(SELECT count(*) FROM w{number}) = ($1::bigint[])[{number + 1}]")
    checks = checks or ["$1::bigint[] IS NOT NULL"]
    return (
        f"WITH {', '.join(steps)} SELECT 1 / (CASE WHEN {' AND '.join(checks)} THEN 1 ELSE 0 END)"
    )


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
