"""The journal's statements.

The lock statement is the one that distributed PostgreSQL needs written otherwise
(docs/decisions/0005), so it stands in one place: `Table.lock_statement`.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from tandem.db import Connection, Idempotency, Table
from tandem.ledger.entry import ANSWERS, Answer, Key, Touches, View
from tandem.ledger.model import ACCOUNTS, RESERVATIONS, TRANSFERS, TransferRow

Shape = tuple[tuple[str, Table[Any]], ...]
"""What a group writes: pairs of insert, update or delete and the table."""

Asked = tuple[Touches, Idempotency | None]
"""What an entry touches, and its idempotency key."""


class RivalError(Exception):
    """Another journal inserted the same key meanwhile: decide again on what it wrote."""


_ANSWERS_STATEMENT: Final = (
    "SELECT owner_id, key, fingerprint, answer, created_at FROM idempotency "
    "WHERE (owner_id, key) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))"
)
_PENDING_STATEMENT: Final = (
    f"SELECT {', '.join('t.' + c for c in TRANSFERS.columns)}, r.id IS NOT NULL "
    "FROM transfers AS t LEFT JOIN reservations AS r ON r.id = t.id "
    "WHERE t.id = ANY($1::uuid[]) AND t.kind = 1"
)


async def read_view(connection: Connection, view: View, asked: Sequence[Asked]) -> None:
    """Lock and read everything that a group's entries touch, into the view."""
    wanted: dict[Table[Any], dict[Key, None]] = defaultdict(dict)
    pending: dict[UUID, None] = {}
    for touches, _ in asked:
        for account in touches.accounts:
            wanted[ACCOUNTS][account.id] = None
        for table, key in touches.rows:
            wanted[table][key] = None
        for pending_id in touches.pending:
            pending[pending_id] = None
    view.locked.update(wanted[ACCOUNTS])
    for table in sorted(wanted, key=lambda table: table.rank):
        arguments = table.key_arguments(wanted[table])
        rows = view.rows[table]
        for record in await connection.fetch(table.lock_statement, *arguments):
            row = table.row(*record)
            rows[table.key_of(row)] = row
    if pending:
        await _read_pending(connection, view, list(pending))
    await _read_answers(connection, view, asked)


async def _read_pending(connection: Connection, view: View, ids: list[UUID]) -> None:
    """Read pending transfers and whether they are open; their accounts are locked by now."""
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


async def write_view(connection: Connection, view: View) -> str | None:
    """Write all the changes of a view by one statement.

    Returns the transaction's id, or None if there is nothing to write. Raises `RivalError` if a
    rival inserted the same key.
    """
    parts: list[tuple[str, Table[Any]]] = []
    arguments: list[Any] = []
    expected: list[int] = []
    for verb, changes in (("insert", view.inserted), ("update", view.updated)):
        for table, rows in changes.items():
            if rows:
                parts.append((verb, table))
                arguments += (
                    table.insert_arguments(rows.values())
                    if verb == "insert"
                    else table.update_arguments(rows.values())
                )
                expected.append(len(rows))
    if view.released:
        parts.append(("delete", RESERVATIONS))
        arguments += RESERVATIONS.key_arguments(view.released)
        expected.append(len(view.released))
    if not parts:
        return None
    record = await connection.fetchrow(_write_statement(tuple(parts)), *arguments)
    assert record is not None, "the statement selects one row"
    transaction_id, *counts = record
    if counts != expected:
        raise RivalError(f"wrote {counts} of {expected} rows")
    return str(transaction_id)


async def fate_of(connection: Connection, transaction_id: str) -> str | None:
    """What became of a transaction: committed, aborted, in progress, or None if too long ago."""
    status: str | None = await connection.fetchval(
        "SELECT pg_xact_status($1::text::xid8)", transaction_id
    )
    return status


@lru_cache(maxsize=256)
def _write_statement(shape: Shape) -> str:
    """One data-modifying CTE for each part of the shape, and the counts of what they wrote."""
    steps: list[str] = []
    first = 1
    for number, (verb, table) in enumerate(shape):
        if verb == "insert":
            statement, taken = table.insert_statement(first), len(table.columns)
        elif verb == "update":
            statement, taken = table.update_statement(first), len(table.key) + len(table.mutable)
        else:
            statement, taken = table.delete_statement(first), len(table.key)
        steps.append(f"w{number} AS ({statement})")
        first += taken
    counts = ", ".join(f"(SELECT count(*) FROM w{n})" for n in range(len(shape)))
    return f"WITH {', '.join(steps)} SELECT pg_current_xact_id()::text, {counts}"
