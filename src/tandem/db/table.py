"""Tables as the journal sees them: a row type, and the set-based statements over it.

Each statement takes one array a column, so one round trip reads or writes a whole group. The
statements stay within what distributed PostgreSQL accepts (docs/decisions/0005).
"""

import datetime as dt
import types
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

import msgspec

R = TypeVar("R", bound=msgspec.Struct)

_SQL_TYPES: Final[dict[object, str]] = {
    UUID: "uuid",
    int: "bigint",
    str: "text",
    bytes: "bytea",
    bool: "boolean",
    dt.datetime: "timestamptz",
    dt.date: "date",
}

SmallInt = Annotated[int, "smallint"]
Integer = Annotated[int, "integer"]
Json = Annotated[str, "json"]
"""JSON as text: written and read as it stands, never parsed on the way to the database."""


class Table(Generic[R]):
    """A table whose rows are `row` structs: its fields are the columns, in order.

    `key` names the primary key's columns; `mutable` the columns that an update writes (none: the
    table is append-only); `guards` those that must still be as they were read for it to happen;
    `rank` orders the tables that are locked or filled together, low first,
    so that no two processes lock them the other way round and no row comes before one that it
    refers to. Of a `shared` table two processes may insert the same key at once: its rows are
    inserted in order of their key, unless present. Rows of a `log` are appended and never read
    back by those who write it.
    """

    def __init__(
        self,
        name: str,
        row: type[R],
        *,
        key: tuple[str, ...] = ("id",),
        mutable: tuple[str, ...] = (),
        guards: tuple[str, ...] = (),
        rank: int = 0,
        shared: bool = False,
        log: bool = False,
    ) -> None:
        self.name = name
        self.row = row
        self.key = key
        self.mutable = mutable
        self.guards = guards
        self.rank = rank
        self.shared = shared
        self.log = log
        self.columns = row.__struct_fields__
        hints = get_type_hints(row, include_extras=True)
        self.types = {column: _sql_type(hints[column]) for column in self.columns}
        self.types |= {f"was_{column}": self.types[column] for column in guards}
        self._key = attrgetter(*key)
        self.changed = (*key, *mutable, *(f"was_{column}" for column in guards))
        self._changes = attrgetter(*key, *mutable)
        self.lock_statement = (
            f"SELECT {', '.join(self.columns)} FROM {name} "
            f"WHERE {self._matches()} ORDER BY {', '.join(key)} FOR NO KEY UPDATE"
        )
        """Lock the rows of the keys $1… and read them, in order of their key."""

    def __repr__(self) -> str:
        return f"Table({self.name})"

    def key_of(self, row: R) -> Any:  # noqa: ANN401 - a value, or a tuple of values
        """The primary key of a row: its column's value, or a tuple of its columns' values."""
        return self._key(row)

    def insert_statement(self, first: int, few: int = 0) -> str:
        """Insert rows given as one array a column, numbered from `$first`.

        Of a `few` rows each value is a parameter instead: one row saves a third of the time so.
        """
        conflict = f" ON CONFLICT ({', '.join(self.key)}) DO NOTHING RETURNING 1"
        return (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) "
            f"SELECT * FROM {self._rows(self.columns, first, few)}{conflict if self.shared else ''}"
        )

    def update_statement(self, first: int, few: int = 0) -> str:
        """Write the mutable columns of rows given by key, mutable columns and what guards were."""
        settings = ", ".join(f"{column} = new.{column}" for column in self.mutable)
        same = " AND ".join(
            (
                *(f"old.{column} = new.{column}" for column in self.key),
                *(f"old.{column} = new.was_{column}" for column in self.guards),
            )
        )
        return (
            f"UPDATE {self.name} AS old SET {settings} "
            f"FROM {self._rows(self.changed, first, few)} WHERE {same} RETURNING 1"
        )

    def delete_statement(self, first: int) -> str:
        """Delete the rows of the keys given as arrays."""
        return f"DELETE FROM {self.name} WHERE {self._matches(first)} RETURNING 1"

    def insert_arguments(self, rows: Collection[R], *, few: bool = False) -> list[Any]:
        """What `insert_statement` takes: an array for each column, or of a few rows each value."""
        if self.shared and len(rows) > 1:
            rows = sorted(rows, key=self._order)
        tuples = map(msgspec.structs.astuple, rows)
        return list(chain.from_iterable(tuples)) if few else list(zip(*tuples, strict=True))

    def update_arguments(
        self,
        rows: Collection[R],
        was: Callable[[R], tuple[Any, ...]] | None = None,
        *,
        few: bool = False,
    ) -> list[Any]:
        """What `update_statement` takes: an array for each column, or of a few rows each value.

        `was` tells the guards of a row as they were read; such rows are locked in order of key.
        """
        tuples: Iterable[tuple[Any, ...]] = map(self._changes, rows)
        if was is not None:
            rows = sorted(rows, key=self._order)
            tuples = (self._changes(row) + was(row) for row in rows)
        return list(chain.from_iterable(tuples)) if few else list(zip(*tuples, strict=True))

    def key_arguments(self, keys: Collection[Any]) -> list[Sequence[Any]]:
        """The arrays that `lock_statement` and `delete_statement` take."""
        if len(self.key) == 1:
            return [list(keys)]
        return list(zip(*keys, strict=True))

    def _order(self, row: R) -> tuple[Any, ...]:
        # comparing UUIDs as integers takes a tenth of the time
        values = (getattr(row, column) for column in self.key)
        return tuple(value.int if isinstance(value, UUID) else value for value in values)

    def _rows(self, columns: Collection[str], first: int, few: int) -> str:
        """A row source named `new` with these columns, from arrays or from a few rows' values."""
        names = ", ".join(columns)
        if not few:
            return f"unnest({self._arrays(columns, first)}) AS new({names})"
        width = len(columns)
        rows = (
            ", ".join(f"${n}::{self.types[c]}" for n, c in enumerate(columns, first + row * width))
            for row in range(few)
        )
        return f"(VALUES {', '.join(f'({row})' for row in rows)}) AS new({names})"

    def _arrays(self, columns: Collection[str], first: int) -> str:
        return ", ".join(f"${n}::{self.types[c]}[]" for n, c in enumerate(columns, first))

    def _matches(self, first: int = 1) -> str:
        if len(self.key) == 1:
            return f"{self.key[0]} = ANY(${first}::{self.types[self.key[0]]}[])"
        names = ", ".join(self.key)
        return f"({names}) IN (SELECT * FROM unnest({self._arrays(self.key, first)}))"


def _sql_type(hint: object) -> str:
    """The SQL type of a struct field's annotation; `X | None` is X."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = [part for part in get_args(hint) if part is not types.NoneType]
    if get_origin(hint) is Annotated:
        return str(get_args(hint)[1])
    return _SQL_TYPES[hint]
