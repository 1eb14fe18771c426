"""What waits for the one before it is told the moment that one is over, however they meet."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hooks import START, House, endpoint, house
from tandem.db import Connection
from tandem.events import store
from tandem.events.send import Answer
from tandem.events.store import Claimed, Due

LATER = START + timedelta(seconds=60)


@pytest.fixture
async def shop(fresh_database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house(fresh_database, tmp_path) as made:
        await endpoint(made, "http://127.0.0.1:9/hook")
        yield made


async def due(connection: Connection) -> list[Due]:
    return await store.due_deliveries(connection, START, 10, [], 10)


async def under_way(connection: Connection) -> Claimed:
    """The only delivery, claimed: a process is sending it."""
    (first,) = await due(connection)
    (claimed,) = await store.claim(connection, [first.id], START, LATER)
    return claimed


async def finish(connection: Connection, first: Claimed) -> bool:
    """As the dispatcher writes down that it was delivered; whether there was a next one."""
    assert await store.finish(connection, first, "delivered", Answer(200, None))
    return await store.wake_next(connection, first, START)


@pytest.mark.parametrize("commits", ["before it is looked at again", "after it"])
async def test_one_that_came_while_the_one_before_was_finished_is_not_put_off(
    shop: House, commits: str
) -> None:
    of_one = shop.ids.new()
    await shop.announce(1, object_id=of_one)
    async with shop.pool.acquire() as looking, shop.pool.acquire() as finishing:
        first = await under_way(looking)
        transaction = finishing.transaction()
        await transaction.start()
        assert not await finish(finishing, first)
        await shop.announce(2, object_id=of_one)
        (second,) = await due(looking)
        assert second.blocked
        if commits.startswith("before"):
            await transaction.commit()
        await store.park(looking, [second], LATER)
        if commits.startswith("after"):
            await transaction.commit()
        # nobody will wake it any more
        assert [(one.id, one.blocked) for one in await due(looking)] == [(second.id, False)]


async def test_one_that_is_put_off_is_woken_by_the_one_before(shop: House) -> None:
    of_one = shop.ids.new()
    await shop.announce(1, object_id=of_one)
    async with shop.pool.acquire() as connection:
        first = await under_way(connection)
        await shop.announce(2, 3, object_id=of_one)
        waiting = await due(connection)
        assert [one.blocked for one in waiting] == [True, True]
        await store.park(connection, waiting, LATER)
        assert await due(connection) == []
        assert await finish(connection, first)
        assert [one.id for one in await due(connection)] == [waiting[0].id]
