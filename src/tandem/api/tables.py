"""Lists as files: CSV (RFC 4180) and JSON, a row at a time. Pure.

A cell of a spreadsheet that begins with one of `FORMULAS` may be read as a formula and run; a text
that does gets an apostrophe before it (OWASP, CSV Injection). Numbers are not texts and stay.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeVar

import msgspec

Format = Literal["csv", "json"]
R = TypeVar("R")

TYPES: Final = {"csv": "text/csv; charset=utf-8; header=present", "json": "application/json"}
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MARK: Final = "\ufeff".encode()
"""What lets spreadsheets read UTF-8 as such."""
_PART: Final = 64 * 1024


def cell(value: object) -> str:
    """A value as a cell: a moment as RFC 3339 has it, nothing as nothing, no text as a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value)
    return f"'{text}" if text.startswith(FORMULAS) else text


def csv_line(values: Sequence[object]) -> str:
    """A record, with its CRLF (RFC 4180 §2)."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([cell(value) for value in values])
    return out.getvalue()


async def as_csv(
    names: Sequence[str],
    rows: AsyncIterator[R],
    values: Callable[[R], Sequence[object]],
    *,
    mark: bool,
) -> AsyncIterator[bytes]:
    """A table in parts of some size: a line of names, then a line for each row."""
    part = bytearray(MARK if mark else b"")
    part += csv_line(names).encode()
    async for row in rows:
        part += csv_line(values(row)).encode()
        if len(part) >= _PART:
            yield bytes(part)
            part.clear()
    yield bytes(part)


async def as_json(rows: AsyncIterator[R], show: Callable[[R], Any]) -> AsyncIterator[bytes]:
    """An array in parts of some size, an object on each line, as the API shows it."""
    encode, part, first = msgspec.json.Encoder().encode, bytearray(b"["), True
    async for row in rows:
        part += (b"\n" if first else b",\n") + encode(show(row))
        first = False
        if len(part) >= _PART:
            yield bytes(part)
            part.clear()
    yield bytes(part) + b"\n]\n"
