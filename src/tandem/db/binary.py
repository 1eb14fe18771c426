"""Rows in PostgreSQL's binary format: an array of them is one argument of a statement.

The driver can make the same of a list of tuples; here it takes little more than half the time,
because what is known beforehand (the order of the columns, their types and lengths) is put together
once for each table. The format is that of `array_recv`, `record_recv` and each type's receive
function (PostgreSQL, src/backend/utils/adt). PostgreSQL checks what it receives, as it does the
driver's.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple, cast

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAY_ZERO: Final = date(2000, 1, 1).toordinal()
_LENGTH: Final = struct.Struct(">i").pack
_HEADER: Final = struct.Struct(">Ii").pack
_ARRAY: Final = struct.Struct(">iiIii").pack


class Column(NamedTuple):
    """A column to pack: its SQL type, whether it may be empty, and the expression of its value.

    The expression is Python, of `row` and of the further arguments that the packer is given. A
    text that is `repeated` is one that comes again and again: a state, a currency, a name.
    """

    type: str
    nullable: bool
    value: str
    repeated: bool = False


class _Fixed(NamedTuple):
    """A type of one length: its OID, that length, how struct calls it, and what it is made from."""

    oid: int
    length: int
    format: str
    value: str


_FIXED: Final = {
    "boolean": _Fixed(16, 1, "?", "{}"),
    "bigint": _Fixed(20, 8, "q", "{}"),
    "smallint": _Fixed(21, 2, "h", "{}"),
    "integer": _Fixed(23, 4, "i", "{}"),
    "date": _Fixed(1082, 4, "i", f"{{}}.toordinal() - {_DAY_ZERO}"),
    "timestamptz": _Fixed(1184, 8, "q", "microseconds({})"),
    "uuid": _Fixed(2950, 16, "16s", "{}.bytes"),
}
_VARIABLE: Final = {"bytea": (17, "{}"), "text": (25, "{}.encode()"), "json": (114, "{}.encode()")}

REMEMBERED_TEXTS: Final = 10_000

Packer = Callable[..., bytes]


class _Texts(dict[str | None, bytes]):
    """Texts as they are packed, header and all; begun anew when there are too many."""

    def __missing__(self, text: str) -> bytes:
        value = text.encode()
        if len(self) > REMEMBERED_TEXTS:
            self.clear()
            self[None] = _NO_TEXT
        self[text] = packed = _HEADER(25, len(value)) + value
        return packed


_NO_TEXT: Final = _HEADER(25, -1)
_TEXTS: Final = _Texts({None: _NO_TEXT})


def row_packer(columns: Sequence[Column], arguments: Sequence[str] = ()) -> Packer:
    """A function from a row (and further `arguments`) to an element of an array of rows.

    It raises what Python raises (`AttributeError`, `struct.error`, …) for a value that does not
    fit its column.
    """
    names: dict[str, Any] = {
        "count": _LENGTH(len(columns)),
        "head": _HEADER,
        "join": b"".join,
        "microseconds": _microseconds,
        "texts": _TEXTS,
    }
    parts = ["count"]
    run: list[tuple[_Fixed, str]] = []
    for number, column in enumerate(columns):
        fixed = _FIXED.get(column.type)
        if fixed is not None and not column.nullable:
            run.append((fixed, column.value))
            continue
        _end_run(run, parts, names)
        if column.repeated:
            assert column.type == "text", "only texts are remembered"
            parts.append(f"texts[{column.value}]")
        elif fixed is not None:
            names[f"one{fixed.oid}"] = struct.Struct(f">8s{fixed.format}").pack
            given = f"one{fixed.oid}({_word(fixed)!r}, {fixed.value.format(column.value)})"
            empty = _HEADER(fixed.oid, -1)
            parts.append(f"({empty!r} if {column.value} is None else {given})")
        else:
            parts += _variable(column, f"v{number}")
    _end_run(run, parts, names)
    source = f"lambda {', '.join(('row', *arguments))}: join(({', '.join(parts)},))"
    return cast("Packer", eval(source, names))  # noqa: S307 - made of the columns that the code names, of nothing that comes from outside


def packed_array(elements: Iterable[bytes], count: int) -> bytes:
    """`count` elements that a packer made, as an array of one dimension.

    An element type of 0 stands for the one that the argument is declared with.
    """
    kept = list(elements)
    sized = zip(map(_LENGTH, map(len, kept)), kept, strict=True)
    return b"".join((_ARRAY(1, 0, 0, count, 1), *chain.from_iterable(sized)))


def _variable(column: Column, name: str) -> list[str]:
    """The expressions of a value of any length: its header and itself, in one if it may be empty.

    `name` is free for what the first of them makes.
    """
    oid, made = _VARIABLE[column.type]
    if not column.nullable:
        return [f"head({oid}, len({name} := {made.format(column.value)}))", name]
    empty, given = _HEADER(oid, -1), f"head({oid}, len({name} := {made.format(name)})) + {name}"
    return [f"({empty!r} if ({name} := {column.value}) is None else {given})"]


def _end_run(run: list[tuple[_Fixed, str]], parts: list[str], names: dict[str, Any]) -> None:
    """Pack columns of fixed lengths that follow one another by one call."""
    if run:
        name = f"run{len(parts)}"
        names[name] = struct.Struct(">" + "".join(f"8s{fixed.format}" for fixed, _ in run)).pack
        values = (f"{_word(fixed)!r}, {fixed.value.format(value)}" for fixed, value in run)
        parts.append(f"{name}({', '.join(values)})")
        run.clear()


def _word(fixed: _Fixed) -> bytes:
    """The header of a value, OID and length: bytes, since a number takes longer to pack."""
    return _HEADER(fixed.oid, fixed.length)


@lru_cache(maxsize=1024)
def _microseconds(moment: datetime) -> int:
    """A moment as timestamptz has it. The rows of a group are of the same few moments."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
