"""Rewriting a column of secrets row by row, while others use the table.

A batch is one unit of work that locks its rows in order of id, as a journal does: nothing that
others write meanwhile is lost. What is broken off is taken up by beginning anew.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from tandem.db.pool import Pool
from tandem.db.unit import work
from tandem.kernel import Refused

AT_ONCE: Final = 200
"""Rows of a batch: a lock of some milliseconds."""


class SealedColumn(NamedTuple):
    """A `bytea` column of secrets. `context` is what each is bound to, by its row's `key`."""

    table: str
    column: str
    prefix: str
    context: Callable[[UUID], bytes]
    key: str = "id"


class Rewritten(NamedTuple):
    """How many values were changed, and the rows whose value `Change` could not be made of."""

    changed: int
    unchangeable: list[UUID]


Change: TypeAlias = Callable[[UUID, bytes], bytes | None]
"""The new value of a row, None to leave it. Raises a `Refused` if there can be none."""


async def rewrite(
    pool: Pool,
    column: SealedColumn,
    change: Change,
    progress: Callable[[int], None] = lambda _: None,
    *,
    at_once: int = AT_ONCE,
) -> Rewritten:
    """Change every value of the column, in order of key. `progress` is told how many were seen."""
    changed, seen, unchangeable = 0, 0, list[UUID]()
    last: UUID | None = UUID(int=0)
    while last is not None:
        progress(seen)
        async with work(pool) as connection:
            rows = await connection.fetch(
                f"SELECT {column.key}, {column.column} FROM {column.table} "
                f"WHERE {column.key} > $1 ORDER BY {column.key} LIMIT $2 FOR NO KEY UPDATE",
                last,
                at_once,
            )
            ids, values = list[UUID](), list[bytes]()
            for row_id, before in rows:
                try:
                    after = change(row_id, before)
                except Refused:
                    unchangeable.append(row_id)
                    continue
                if after is not None:
                    ids.append(row_id)
                    values.append(after)
            await connection.execute(
                f"UPDATE {column.table} SET {column.column} = made.value "
                "FROM unnest($1::uuid[], $2::bytea[]) AS made (id, value) "
                f"WHERE {column.table}.{column.key} = made.id",
                ids,
                values,
            )
        changed, seen = changed + len(ids), seen + len(rows)
        last = rows[-1][column.key] if rows else None
    return Rewritten(changed, unchangeable)


async def count_by_key(pool: Pool, table: str, column: str) -> dict[str, int]:
    """How many of a column's values are sealed under each key, by its id in hexadecimal digits.

    A seal is a byte of version, eight of the key's id, and the rest (tandem.keyring.seal).
    """
    rows = await pool.fetch(
        f"SELECT encode(substring({column} FROM 2 FOR 8), 'hex'), count(*) FROM {table} GROUP BY 1"
    )
    return {row[0]: row[1] for row in rows}
