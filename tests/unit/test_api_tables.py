"""Lists as files: CSV that no spreadsheet runs, JSON that is whole."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api.tables import FORMULAS, MARK, as_csv, as_json, cell, csv_line


async def each(rows: list[Any]) -> AsyncIterator[Any]:
    for row in rows:
        yield row


async def whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (-3800, "-3800"),
        (Decimal("-38.00"), "-38.00"),
        (datetime(2026, 5, 4, 9, 30, tzinfo=UTC), "2026-05-04T09:30:00Z"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_cells(value: object, shown: str) -> None:
    assert cell(value) == shown


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_what_is_written_is_read_again(values: list[str]) -> None:
    (read,) = list(csv.reader(io.StringIO(csv_line(values), newline="")))
    assert read == [cell(value) for value in values]
    assert not any(one.startswith(FORMULAS) for one in read)


async def test_csv_has_names_and_a_mark_if_it_is_wanted() -> None:
    rows = [("a,b", 1), ('say "hi"\r\n', None)]
    for mark in (True, False):
        made = await whole(as_csv(["text", "number"], each(rows), lambda row: row, mark=mark))
        assert made.startswith(MARK) is mark
        text = made.decode("utf-8-sig")
        assert text == 'text,number\r\n"a,b",1\r\n"say ""hi""\r\n",\r\n'


@pytest.mark.parametrize("count", [0, 1, 5000])
async def test_json_is_whole_with_a_row_on_each_line(count: int) -> None:
    made = await whole(as_json(each([{"n": n, "text": "x" * 50} for n in range(count)]), dict))
    assert [one["n"] for one in json.loads(made)] == list(range(count))
    assert made.count(b"\n") == count + 2 - (count == 0)
