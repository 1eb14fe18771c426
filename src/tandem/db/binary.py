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
from typing import Any, Final, NamedTuple, cast

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAY_ZERO: Final = date(2000, 1, 1).toordinal()
_LENGTH: Final = struct.Struct(">i").pack
_HEADER: Final = struct.Struct(">Ii").pack
_ARRAY: Final = struct.Struct(">iiIii").pack


class Column(NamedTuple):
    """A column to pack: its SQL type, whether it may be empty, and the expression of its value.

    The expression is Python, of `row` and of the further arguments that the packer is given.
    """

    type: str
    nullable: bool
    value: str


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

Packer = Callable[..., bytes]


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
    }
    parts = ["count"]
    run: list[tuple[_Fixed, str]] = []
    for number, (kind, nullable, value) in enumerate(columns):
        fixed = _FIXED.get(kind)
        if fixed is not None and not nullable:
            run.append((fixed, value))
            continue
        _end_run(run, parts, names)
        oid = _VARIABLE[kind][0] if fixed is None else fixed.oid
        given = _given(kind, fixed, value, f"v{number}", names)
        if nullable:
            empty = [_HEADER(oid, -1), b""][: len(given)]
            both = zip(empty, given, strict=True)
            given = [f"({nothing!r} if {value} is None else {it})" for nothing, it in both]
        parts += given
    _end_run(run, parts, names)
    source = f"lambda {', '.join(('row', *arguments))}: join(({', '.join(parts)},))"
    return cast("Packer", eval(source, names))  # noqa: S307 - made of the columns that the code names, of nothing that comes from outside


def packed_array(elements: Iterable[bytes], count: int) -> bytes:
    """`count` elements that a packer made, as an array of one dimension.

    An element type of 0 stands for the one that the argument is declared with.
    """
    parts = [_ARRAY(1, 0, 0, count, 1)]
    for element in elements:
        parts += (_LENGTH(len(element)), element)
    return b"".join(parts)


def _given(
    kind: str, fixed: _Fixed | None, value: str, name: str, names: dict[str, Any]
) -> list[str]:
    """The expressions of a value that is there: its header and itself, or both in one.

    `name` is free for what the first of them makes for the second.
    """
    if fixed is None:
        oid, made = _VARIABLE[kind]
        return [f"head({oid}, len({name} := {made.format(value)}))", name]
    names[f"one{fixed.oid}"] = struct.Struct(f">8s{fixed.format}").pack
    return [f"one{fixed.oid}({_word(fixed)!r}, {fixed.value.format(value)})"]


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
