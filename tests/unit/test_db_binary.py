"""Rows in PostgreSQL's binary format, byte by byte; tests/integration asks PostgreSQL itself."""

import struct
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from tandem.db.binary import Column, packed_array, row_packer

ID = UUID("0199f0a4-c0de-7000-8000-000000000001")


def element(*fields: bytes) -> bytes:
    return struct.pack(">i", len(fields)) + b"".join(fields)


def field(oid: int, value: bytes | None) -> bytes:
    if value is None:
        return struct.pack(">Ii", oid, -1)
    return struct.pack(">Ii", oid, len(value)) + value


def packed(kind: str, value: Any, *, nullable: bool = False) -> bytes:  # noqa: ANN401 - of any type
    return row_packer([Column(kind, nullable, "row.x")])(SimpleNamespace(x=value))


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize(
    ("kind", "value", "oid", "wire"),
    [
        ("boolean", True, 16, b"\1"),
        ("boolean", False, 16, b"\0"),
        ("bigint", -2, 20, b"\xff" * 7 + b"\xfe"),
        ("bigint", 2**63 - 1, 20, b"\x7f" + b"\xff" * 7),
        ("smallint", 156, 21, b"\0\x9c"),
        ("integer", -1, 23, b"\xff" * 4),
        ("date", date(2000, 1, 1), 1082, b"\0" * 4),
        ("date", date(1999, 12, 31), 1082, b"\xff" * 4),
        ("timestamptz", datetime(2000, 1, 1, tzinfo=UTC), 1184, b"\0" * 8),
        ("timestamptz", datetime(2000, 1, 2, tzinfo=UTC), 1184, struct.pack(">q", 86_400_000_000)),
        ("uuid", ID, 2950, ID.bytes),
        ("text", "林é", 25, "林é".encode()),
        ("text", "", 25, b""),
        ("json", '{"a":1}', 114, b'{"a":1}'),
        ("bytea", b"\0\xff", 17, b"\0\xff"),
    ],
)
def test_a_value_is_packed_as_its_type_is_received(
    kind: str,
    value: object,
    oid: int,
    wire: bytes,
    nullable: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert packed(kind, value, nullable=nullable) == element(field(oid, wire))
    if nullable:
        assert packed(kind, None, nullable=True) == element(field(oid, None))


def test_a_moment_is_the_same_in_every_zone() -> None:
    moment = datetime(2026, 11, 27, 13, 24, 1, 234567, tzinfo=UTC)
    there = moment.astimezone(timezone(timedelta(hours=8)))
    assert packed("timestamptz", there) == packed("timestamptz", moment)


def test_a_row_has_its_columns_in_order_and_what_the_guards_were() -> None:
    columns = [
        Column("uuid", nullable=False, value="row.id"),
        Column("bigint", nullable=False, value="was_count"),
        Column("text", nullable=True, value="row.note"),
        Column("smallint", nullable=False, value="row.code"),
        Column("uuid", nullable=True, value="row.other"),
    ]
    row = SimpleNamespace(id=ID, note="n", code=3, other=None)
    assert row_packer(columns, ["was_count"])(row, 7) == element(
        field(2950, ID.bytes),
        field(20, struct.pack(">q", 7)),
        field(25, b"n"),
        field(21, b"\0\3"),
        field(2950, None),
    )


def test_an_array_says_how_many_it_has_and_how_long_each_is() -> None:
    head = struct.pack(">iiIii", 1, 0, 0, 2, 1)
    assert packed_array([b"one", b""], 2) == head + b"\0\0\0\3one\0\0\0\0"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", 2**63),
        ("smallint", 2**15),
        ("bigint", None),
        ("uuid", None),
        ("text", None),
        ("text", "\ud800"),
        ("timestamptz", datetime(2026, 1, 1)),  # noqa: DTZ001 - what is refused
        ("timestamptz", None),
    ],
)
def test_what_does_not_fit_is_no_row(kind: str, value: object) -> None:
    with pytest.raises((struct.error, AttributeError, TypeError, UnicodeEncodeError)):
        packed(kind, value)
