"""Live updates: nothing missed, nothing twice, whoever commits it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from hooks import House, Thing, house
from moves import journal_on
from tandem.events import Event, EventHub, Subscription
from tandem.events.live import LOOK_BACK, WAITING_MAX, first_id_at
from tandem.kernel import Ids
from tandem.ledger import Journal


@pytest.fixture
async def shop(fresh_database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house(fresh_database, tmp_path) as made:
        yield made


@pytest.fixture
async def elsewhere(shop: House, fresh_database: str) -> AsyncIterator[Journal]:
    """The journal of another process: the hub does not hear it."""
    async with journal_on(fresh_database, shop.clock) as journal:
        yield journal


@asynccontextmanager
async def listening(shop: House) -> AsyncIterator[EventHub]:
    """A hub that hears the house's own journal, and runs."""
    hub = EventHub(shop.pool, shop.clock)
    shop.journal.on_commit(hub.take)
    task = asyncio.create_task(hub.run())
    await asyncio.sleep(0)
    try:
        yield hub
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def number(event: Event) -> int:
    return msgspec.json.decode(event.data, type=Thing).number


async def take(subscription: Subscription, count: int, within: float = 15.0) -> list[int]:
    """The numbers of the next events."""
    async with asyncio.timeout(within):
        return [number(await anext(subscription)) for _ in range(count)]


async def silent(subscription: Subscription, seconds: float = 0.5) -> bool:
    """Whether nothing comes for longer than the hub takes to look."""
    try:
        async with asyncio.timeout(seconds):
            await anext(subscription)
    except TimeoutError:
        return True
    return False


async def test_own_commits_come_without_looking(shop: House) -> None:
    hub = EventHub(shop.pool, shop.clock)  # it does not run, so it never polls
    shop.journal.on_commit(hub.take)
    listener = await hub.subscribe(shop.merchant_id, None)
    for wanted in range(3):
        await shop.announce(wanted)
        assert await take(listener, 1) == [wanted]
    assert await silent(listener)
    await listener.aclose()


async def test_other_processes_commits_come_soon_and_once(shop: House, elsewhere: Journal) -> None:
    async with listening(shop) as hub:
        listeners = [await hub.subscribe(shop.merchant_id, None) for _ in range(3)]
        await shop.announce(1, journal=elsewhere)
        await shop.announce(2)
        await shop.announce(3, journal=elsewhere)
        for listener in listeners:
            assert sorted(await take(listener, 3)) == [1, 2, 3]
        assert await silent(listeners[0])


async def test_the_past_is_no_news(shop: House, elsewhere: Journal) -> None:
    async with listening(shop) as hub:
        await shop.announce(1)
        await shop.announce(2, journal=elsewhere)
        listener = await hub.subscribe(shop.merchant_id, None)
        assert await silent(listener)
        await shop.announce(3)
        assert await take(listener, 1) == [3]


async def test_a_reader_catches_up_from_where_it_was(shop: House, elsewhere: Journal) -> None:
    async with listening(shop) as hub:
        first = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(*range(5))
        events = [await anext(first) for _ in range(5)]
        await first.aclose()
        shop.clock.advance(timedelta(minutes=1))
        await shop.announce(*range(5, 250), journal=elsewhere)
        listener = await hub.subscribe(shop.merchant_id, events[1].id)
        await shop.announce(250)
        await shop.announce(251, journal=elsewhere)
        got = await take(listener, 250)
        assert sorted(got) == list(range(2, 252))
        assert got[:3] == [2, 3, 4]
        assert [one for one in got if 5 <= one < 250] == list(range(5, 250))
        assert await silent(listener)


async def test_reconnecting_misses_nothing_and_repeats_nothing(
    shop: House, elsewhere: Journal
) -> None:
    """Ids of two processes in the same millisecond are in no order at all."""

    async def commit() -> None:
        for wanted in range(150):
            await shop.announce(wanted, journal=elsewhere if wanted % 2 else None)
            await asyncio.sleep(0.005)

    got: list[Event] = []
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        committing = asyncio.create_task(commit())
        async with asyncio.timeout(10):
            while len(got) < 150:
                got.append(await anext(listener))
                if len(got) % 7 == 0:
                    before = listener
                    if len(got) % 2:
                        await before.aclose()  # else the server notices later
                    listener = await hub.subscribe(shop.merchant_id, got[-1].id)
                    await before.aclose()
        await committing
        assert await silent(listener)
    assert sorted(map(number, got)) == list(range(150))


async def test_reconnecting_again_without_news_repeats_nothing(shop: House) -> None:
    """The reader got the older one last; that stays so however often it comes back."""
    early = shop.ids.new()
    shop.clock.advance(timedelta(seconds=1))
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(2)
        assert await take(listener, 1) == [2]
        await insert(shop, early, 1)
        assert await take(listener, 1) == [1]
        for _ in range(3):
            await listener.aclose()
            listener = await hub.subscribe(shop.merchant_id, early)
        assert await silent(listener)
        await shop.announce(3)
        assert await take(listener, 1) == [3]


async def test_what_was_lost_on_the_way_comes_again(shop: House) -> None:
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(*range(10))
        events = [await anext(listener) for _ in range(10)]
        await listener.aclose()
        again = await hub.subscribe(shop.merchant_id, events[6].id)
        assert await take(again, 3) == [7, 8, 9]
        assert await silent(again)


async def test_another_process_rather_repeats_than_misses(shop: House, elsewhere: Journal) -> None:
    """The reader had 2, and 1 was committed later with an older id, while it was away."""
    early = shop.ids.new()
    shop.clock.advance(timedelta(seconds=1))
    await shop.announce(2, journal=elsewhere)
    (last,) = await shop.webhooks().events(shop.merchant_id, None, 1)
    await insert(shop, early, 1)
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, last.id)
        assert await take(listener, 1) == [1]
        await shop.announce(3)
        assert await take(listener, 1) == [3]
        assert await silent(listener)
        later = await hub.subscribe(shop.merchant_id, last.id)
        assert sorted(await take(later, 2)) == [1, 3]


async def test_one_who_commits_late_is_heard(shop: House) -> None:
    """Another process made its ids first and committed later, as its clock or luck had it."""
    early = shop.ids.new()
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(2)
        assert await take(listener, 1) == [2]
        await asyncio.sleep(0.3)
        await insert(shop, early, 1)
        assert await take(listener, 1) == [1]
        assert await silent(listener)


async def insert(shop: House, event_id: UUID, wanted: int) -> None:
    await shop.pool.execute(
        "INSERT INTO events (owner_id, id, type, object_id, data, created_at) "
        "VALUES ($1, $2, 'payment.captured', $2, $3, $4)",
        shop.merchant_id,
        event_id,
        msgspec.json.encode(Thing(wanted)).decode(),
        shop.clock.now(),
    )


async def test_a_clock_that_is_moved_loses_nothing(shop: House, elsewhere: Journal) -> None:
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        behind = Ids(shop.clock).new()
        shop.clock.advance(timedelta(days=1))
        await insert(shop, behind, 1)
        await shop.announce(2, journal=elsewhere)
        assert sorted(await take(listener, 2)) == [1, 2]


async def test_everybody_hears_only_their_own(shop: House, elsewhere: Journal) -> None:
    stranger = shop.ids.new()
    async with listening(shop) as hub:
        listener = await hub.subscribe(stranger, None)
        before = await hub.subscribe(stranger, first_id_at(shop.clock.now()))
        await shop.announce(1)
        await shop.announce(2, journal=elsewhere)
        assert await silent(listener)
        assert await silent(before, 0.01)
        await shop.announce(3, owner_id=stranger, endpoints=())
        assert await take(listener, 1) == [3]
        assert await take(before, 1) == [3]


async def test_a_slow_reader_is_ended_and_comes_back_for_the_rest(shop: House) -> None:
    async with listening(shop) as hub:
        slow = await hub.subscribe(shop.merchant_id, None)
        quick = await hub.subscribe(shop.merchant_id, None)
        reading = asyncio.create_task(take(quick, WAITING_MAX + 50))
        for wanted in range(WAITING_MAX + 50):
            await shop.announce(wanted)
        assert await reading == list(range(WAITING_MAX + 50))
        async with asyncio.timeout(15):
            got = [event async for event in slow]
        assert [number(event) for event in got] == list(range(WAITING_MAX))
        await slow.aclose()
        again = await hub.subscribe(shop.merchant_id, got[-1].id)
        assert await take(again, 50) == list(range(WAITING_MAX, WAITING_MAX + 50))
        assert await silent(again)


async def test_the_hub_rests_when_nobody_listens(shop: House) -> None:
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(1)
        assert hub.listening == 1
        await listener.aclose()
        assert hub.listening == 0
        assert not hub._passed
        await asyncio.sleep(0.3)
        await shop.announce(2)
        assert not hub._passed
        again = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(3)
        assert await take(again, 1) == [3]


async def test_the_hub_remembers_only_the_young(shop: House) -> None:
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(*range(50))
        assert len(hub._passed) == 50
        assert await take(listener, 50) == list(range(50))
        shop.clock.advance(LOOK_BACK * 2)
        async with asyncio.timeout(5):
            while hub._passed:  # noqa: ASYNC110 - it forgets as it looks
                await asyncio.sleep(0.05)
        await shop.announce(*range(50, 600))
        assert await take(listener, 200) == list(range(50, 250))
        assert len(listener.had._ids) <= 256
        assert not listener._seen


async def test_subscriptions_end_when_the_hub_does(shop: House) -> None:
    async with listening(shop) as hub:
        listener = await hub.subscribe(shop.merchant_id, None)
        await shop.announce(1)
    async with asyncio.timeout(1):
        assert [number(event) async for event in listener] == [1]
        late = await hub.subscribe(shop.merchant_id, None)
        assert [event async for event in late] == []
