"""Rows as they are packed here, read by PostgreSQL."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tandem.db import Integer, Json, SmallInt, Table, speak_rows
from tandem.db.row_types import change_types, row_types

ROUNDS = 300
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Everything(msgspec.Struct, frozen=True):
    """A row with every type that a table may have, and each of them empty."""

    id: UUID
    flag: bool
    small: SmallInt
    whole: Integer
    big: int
    day: date
    moment: datetime
    text: str
    data: Json
    raw: bytes
    no_id: UUID | None
    no_flag: bool | None
    no_small: SmallInt | None
    no_whole: Integer | None
    no_big: int | None
    no_day: date | None
    no_moment: datetime | None
    no_text: str | None
    no_data: Json | None
    no_raw: bytes | None


GUARDS = ("whole", "small", "no_whole", "no_moment")
EVERYTHING = Table("everything", Everything, mutable=("big", "no_text"), guards=GUARDS)


def any_row(choose: random.Random) -> Everything:
    """A row of random values, the ends of each type's range among them."""

    def within(bits: int) -> int:
        ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, -1)
        return choose.choice((*ends, choose.randint(*ends[:2])))

    values = (
        UUID(int=choose.getrandbits(128)),
        choose.random() < 0.5,
        within(16),
        within(32),
        within(64),
        choose.choice((date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1), date(2026, 11, 27))),
        EPOCH + timedelta(microseconds=choose.randint(-(2**55), 2**57)),
        "".join(choose.choice("a林é\"'\\\n{},\U0001f600") for _ in range(choose.randint(0, 9))),
        choose.choice(("{}", '{"a": [1, null, "\\"}"]}', "null")),
        choose.randbytes(choose.randint(0, 40)),
    )
    maybe: list[Any] = [value if choose.random() < 0.5 else None for value in values]
    return Everything(*values, *maybe)


async def test_postgresql_reads_what_was_packed(empty_database: str) -> None:
    seed = random.SystemRandom().getrandbits(64)
    choose = random.Random(seed)  # noqa: S311 - no secret
    rows = [any_row(choose) for _ in range(ROUNDS)]
    connection = await asyncpg.connect(empty_database)
    try:
        columns = ", ".join(f"{name} {kind}" for name, kind in EVERYTHING.types.items())
        await connection.execute(f"CREATE TABLE everything ({columns}, PRIMARY KEY (id))")
        types = change_types("everything", guards=GUARDS, columns=("big", "no_text"))
        for statement in (*row_types("everything"), *types):
            await connection.execute(statement)
        await connection.execute("ALTER TABLE everything ADD COLUMN later text")
        await speak_rows(connection)
        statement, arguments = EVERYTHING.insert_statement(1), EVERYTHING.row_arguments(rows)
        await connection.execute(statement, *arguments)
        read = f"SELECT {', '.join(EVERYTHING.columns)} FROM everything"  # noqa: S608 - our own table
        found = {row["id"]: Everything(*row) for row in await connection.fetch(read)}
        assert found == {row.id: row for row in rows}, f"seed {seed}"

        changed = [msgspec.structs.replace(row, big=7, no_text="new", text="not") for row in rows]
        was = [
            (row.whole if n % 2 else row.whole ^ 1, row.small, row.no_whole, row.no_moment)
            for n, row in enumerate(rows)
        ]
        was[1] = (*was[1][:2], 7 if rows[1].no_whole is None else None, was[1][3])
        arguments = EVERYTHING.change_arguments(changed, was)
        held = await connection.fetch(EVERYTHING.hold_statement(1), *arguments)
        assert len(held) == ROUNDS // 2 - 1
        await connection.execute(EVERYTHING.update_statement(1), *arguments)
        found = {row["id"]: Everything(*row) for row in await connection.fetch(read)}
        for number, row in enumerate(rows):
            same = number % 2 and number != 1
            guarded = msgspec.structs.replace(row, big=7, no_text="new") if same else row
            assert found[row.id] == guarded, f"seed {seed}"
    finally:
        await connection.close()
