"""Last uses are written some at a time, and what could not be written is written later."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from tandem.access.uses import MOST, Uses
from tandem.db import Connection

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Rows:
    """A connection that remembers what was written, and does not do it while it is `down`."""

    def __init__(self) -> None:
        self.written: list[list[UUID]] = []
        self.down = False

    async def execute(self, _: str, ids: Sequence[UUID], *__: Any, timeout: float) -> None:  # noqa: ANN401, ASYNC109 - as the driver has it
        assert timeout < 1
        if self.down:
            raise TimeoutError
        self.written.append(list(ids))


async def test_what_was_not_written_is_written_later_and_some_at_a_time() -> None:
    uses, rows = Uses(), Rows()
    connection = cast("Connection", rows)
    used = {UUID(int=number) for number in range(MOST + 1)}
    uses.note.update(used)
    rows.down = True
    with pytest.raises(TimeoutError):
        await uses.write(connection, NOON)
    rows.down = False
    for _ in range(3):
        uses.note.add(UUID(int=0))
        await uses.write(connection, NOON)
    assert sorted(map(len, rows.written)) == [1, MOST]
    assert {key for keys in rows.written for key in keys} == used
    uses.note.add(UUID(int=0))
    await uses.write(connection, NOON + timedelta(minutes=1))
    assert rows.written[-1] == [UUID(int=0)]
