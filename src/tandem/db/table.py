"""Tables as the journal sees them: a row type, and the set-based statements over it.

Each statement takes its rows as one array, so one round trip reads or writes a whole group. Its
type is a domain, `accounts_rows` over an array of `accounts_row` for `accounts`, that the driver
exchanges as bytes: they are packed here (`tandem.db.binary`). A row type has the columns that the
code knows: one added to the table disturbs no running process. The statements stay within what
distributed PostgreSQL accepts (docs/decisions/0005).
"""

import datetime as dt
import types
from collections.abc import Collection, Iterable, Sequence
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

from tandem.db.binary import Column, Packer, packed_array, row_packer

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
Word = Annotated[str, "text", "repeated"]
"""A text that comes again and again, as states, currencies and names do: packed once."""


class Table(Generic[R]):
    """A table whose rows are `row` structs: its fields are those of the row type, in its order.

    `key` names the primary key's columns; `mutable` the columns that an update writes (none: the
    table is append-only); `guards` those that must still be as they were read for it to happen: all
    that may change of what is decided on, so that such rows may be remembered instead of locked;
    `rank` orders the tables that are locked or filled together, low first, so that no two
    processes lock them the other way round and no row comes before one that it refers to. Of a
    `shared` table two processes may insert the same key at once: its rows are inserted in order of
    their key, unless present. Rows of a `log` are appended and never read back by those who write
    it.
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
        self._columns = {column: _column(hints[column], f"row.{column}") for column in self.columns}
        self.types = {name: column.type for name, column in self._columns.items()}
        assert len(guards) != 1, "one guard by itself would come without its tuple"
        self._guards = attrgetter(*guards) if guards else None
        self._pack_row = row_packer(list(self._columns.values()))
        self._pack_change: Packer = row_packer(
            [
                *map(self._columns.__getitem__, key),
                *(
                    self._columns[guard]._replace(value=f"was[{number}]")
                    for number, guard in enumerate(guards)
                ),
                *map(self._columns.__getitem__, mutable),
            ],
            ("was",) if guards else (),
        )
        self._key = attrgetter(*key)
        # comparing UUIDs as integers takes a tenth of the time
        self._order = attrgetter(*(f"{c}.int" if self.types[c] == "uuid" else c for c in key))
        columns = ", ".join(self.columns)
        self.read_statement = f"SELECT {columns} FROM {name} WHERE {self._matches()}"
        """Read the rows of the keys $1…"""
        self.lock_statement = f"{self.read_statement} ORDER BY {', '.join(key)} FOR NO KEY UPDATE"
        """Lock the rows of the keys $1… and read them, in order of their key."""
        marks = ", ".join(f"${number}" for number in range(1, len(self.columns) + 1))
        self.one_row_statement = f"INSERT INTO {name} ({columns}) VALUES ({marks})"
        """Insert one row, by any connection, its columns as $1…"""

    def __repr__(self) -> str:
        return f"Table({self.name})"

    def key_of(self, row: R) -> Any:  # noqa: ANN401 - a value, or a tuple of values
        """The primary key of a row: its column's value, or a tuple of its columns' values."""
        return self._key(row)

    def guards_of(self, row: R) -> tuple[Any, ...]:
        """What the guards are in a row."""
        assert self._guards is not None, f"{self} has no guards"
        was: tuple[Any, ...] = self._guards(row)
        return was

    def insert_statement(self, first: int) -> str:
        """Insert the rows that `$first` has: see `row_arguments`."""
        columns = ", ".join(self.columns)
        conflict = f" ON CONFLICT ({', '.join(self.key)}) DO NOTHING RETURNING 1"
        return (
            f"INSERT INTO {self.name} ({columns}) SELECT {columns} "
            f"FROM unnest(${first}::{self.name}_rows){conflict if self.shared else ''}"
        )

    def update_statement(self, first: int) -> str:
        """Write the mutable columns that `$first` has, where the guards are what they were."""
        settings = ", ".join(f"{column} = new.{column}" for column in self.mutable)
        return (
            f"UPDATE {self.name} AS old SET {settings} "
            f"FROM unnest(${first}::{self.name}_changes) AS new "
            f"WHERE {self._as_they_were()} RETURNING 1"
        )

    def hold_statement(self, first: int) -> str:
        """Keep the rows that `$first` has from being changed, where the guards are what they were.

        A row that another is changing is passed over and not waited for: whoever holds rows never
        makes a circle of those who wait for each other.
        """
        return (
            f"SELECT 1 FROM unnest(${first}::{self.name}_changes) AS new "
            f"JOIN {self.name} AS old ON {self._as_they_were()} FOR SHARE OF old SKIP LOCKED"
        )

    def delete_statement(self, first: int) -> str:
        """Delete the rows of the keys given as arrays."""
        return f"DELETE FROM {self.name} WHERE {self._matches(first)} RETURNING 1"

    def in_order(self, rows: Collection[R]) -> list[R]:
        """The rows in order of key: the order in which several processes lock or insert them."""
        return sorted(rows, key=self._order)

    def row_arguments(self, rows: Collection[R]) -> list[bytes]:
        """What `insert_statement` takes."""
        if self.shared and len(rows) > 1:
            rows = self.in_order(rows)
        return [packed_array(map(self._pack_row, rows), len(rows))]

    def change_arguments(
        self, rows: Collection[R], was: Iterable[tuple[Any, ...]] = ()
    ) -> list[bytes]:
        """What `update_statement` and `hold_statement` take: rows, and what guards each had."""
        given = (rows, was) if self.guards else (rows,)
        return [packed_array(map(self._pack_change, *given), len(rows))]

    def key_arguments(self, keys: Collection[Any]) -> list[Sequence[Any]]:
        """The arrays that `lock_statement` and `delete_statement` take."""
        if len(self.key) == 1:
            return [list(keys)]
        return list(zip(*keys, strict=True))

    def _as_they_were(self) -> str:
        """Whether a row `old` has the key of `new`, and the guards that it was decided on."""
        same = [f"old.{column} = new.{column}" for column in self.key]
        for guard in self.guards:
            equals = "IS NOT DISTINCT FROM" if self._columns[guard].nullable else "="
            same.append(f"old.{guard} {equals} new.was_{guard}")
        return " AND ".join(same)

    def _matches(self, first: int = 1) -> str:
        if len(self.key) == 1:
            return f"{self.key[0]} = ANY(${first}::{self.types[self.key[0]]}[])"
        names = ", ".join(self.key)
        arrays = ", ".join(f"${n}::{self.types[c]}[]" for n, c in enumerate(self.key, first))
        return f"({names}) IN (SELECT * FROM unnest({arrays}))"


def _column(hint: object, value: str) -> Column:
    """The column of a struct field's annotation, where `X | None` may be empty."""
    nullable = get_origin(hint) in (Union, types.UnionType)
    if nullable:
        (hint,) = [part for part in get_args(hint) if part is not types.NoneType]
    if get_origin(hint) is Annotated:
        _, kind, *further = get_args(hint)
        return Column(kind, nullable, value, repeated=bool(further))
    return Column(_SQL_TYPES[hint], nullable, value)
