"""The journal's statements.

The lock statement is the one that distributed PostgreSQL needs written otherwise
(docs/decisions/0005), so it stands in one place: `Table.lock_statement`.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tandem.db import Connection, Idempotency, Table
from tandem.ledger.entry import ANSWERS, Answer, Key, Touches, View
from tandem.ledger.model import ACCOUNTS, RESERVATIONS, TRANSFERS, TransferRow

Shape = tuple[tuple[str, Table[Any], int], ...]
"""What a group writes: insert, update or delete, the table, and of a few rows how many."""

Asked = tuple[Touches, Idempotency | None]
"""What an entry touches, and its idempotency key."""


FEW: Final = 16
"""Up to how many rows in all each value is a parameter of its own: a lone payment's."""

COPY_FROM: Final = 16
"""From how many new rows on COPY takes less time than one more round trip."""


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


async def read_view(
    connection: Connection, view: View, asked: Sequence[Asked], *, repeats: bool
) -> None:
    """Lock and read everything that a group's entries touch, into the view.

    `repeats`: also look up what their idempotency keys were answered before, a round trip more.
    """
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
    if repeats:
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
    """Write all the changes of a view.

    One statement writes everything; of a large group the new rows of tables that no rival inserts
    into go by COPY instead, which takes the server half the time. Returns the transaction's id, or
    None if there is nothing to write. Raises `RivalError` if a rival inserted the same key.
    """
    inserted: dict[Table[Any], Collection[Any]] = {
        table: rows.values() for table, rows in view.inserted.items() if rows
    }
    inserted.update(view.appended)
    own = [table for table in inserted if not table.shared]
    copied = own if sum(len(inserted[table]) for table in own) >= COPY_FROM else []
    parts = [("insert", table, inserted[table]) for table in inserted if table not in copied]
    parts += [("update", table, rows.values()) for table, rows in view.updated.items() if rows]
    parts.sort(key=lambda part: part[1].rank)  # as they are locked, and the same shape each time
    if view.released:
        parts.append(("delete", RESERVATIONS, view.released))
    if not parts and not copied:
        return None
    few = sum(len(rows) for _, _, rows in parts) <= FEW
    arguments: list[Any] = []
    for verb, table, rows in parts:
        arguments += _arguments(verb, table, rows, few=few)
    shape = tuple((verb, table, len(rows) if few else 0) for verb, table, rows in parts)
    record = await connection.fetchrow(_write_statement(shape), *arguments)
    assert record is not None, "the statement selects one row"
    transaction_id, *counts = record
    expected = [len(rows) for _, _, rows in parts]
    if counts != expected:
        raise RivalError(f"wrote {counts} of {expected} rows")
    for table in sorted(copied, key=lambda table: table.rank):
        await connection.copy_records_to_table(
            table.name,
            records=map(msgspec.structs.astuple, inserted[table]),
            columns=table.columns,
        )
    return str(transaction_id)


def _arguments(verb: str, table: Table[Any], rows: Collection[Any], *, few: bool) -> list[Any]:
    if verb == "insert":
        return table.insert_arguments(rows, few=few)
    if verb == "update":
        return table.update_arguments(rows, few=few)
    return table.key_arguments(rows)


async def fate_of(connection: Connection, transaction_id: str, view: View) -> str | None:
    """What became of the transaction that wrote a view: committed, aborted, in progress, or None.

    None: nobody can tell. A server that crashes gives out again the ids of transactions that it
    had not flushed. So one that it does not know yet was lost, and one that it says is committed
    may be another's: only a row of the view that nobody else could have inserted proves it.
    """
    try:
        status: str | None = await connection.fetchval(
            "SELECT pg_xact_status($1::text::xid8)", transaction_id
        )
    except asyncpg.InvalidParameterValueError:
        return "aborted"
    if status != "committed":
        return status
    own = [(table, table.key_of(rows[0])) for table, rows in view.appended.items() if rows]
    own += [(t, next(iter(rows))) for t, rows in view.inserted.items() if rows and not t.shared]
    for table, key in own[:1]:
        values = key if len(table.key) > 1 else (key,)
        marks = ", ".join(f"${n}::{table.types[c]}" for n, c in enumerate(table.key, 1))
        statement = f"SELECT true FROM {table.name} WHERE ({', '.join(table.key)}) = ({marks})"
        return "committed" if await connection.fetchval(statement, *values) else "aborted"
    return None


@lru_cache(maxsize=256)
def _write_statement(shape: Shape) -> str:
    """One data-modifying CTE for each part of the shape, and the counts of what they wrote."""
    steps: list[str] = []
    first = 1
    for number, (verb, table, few) in enumerate(shape):
        if verb == "insert":
            statement, taken = table.insert_statement(first, few), len(table.columns) * (few or 1)
        elif verb == "update":
            statement, taken = table.update_statement(first, few), len(table.changed) * (few or 1)
        else:
            statement, taken = table.delete_statement(first), len(table.key)
        steps.append(f"w{number} AS ({statement})")
        first += taken
    counts = [f"(SELECT count(*) FROM w{n})" for n in range(len(shape))]
    begins = f"WITH {', '.join(steps)} " if steps else ""
    return f"{begins}SELECT {', '.join(['pg_current_xact_id()::text', *counts])}"
