"""Live updates: the hub passes an owner's events on to whoever listens.

What this process commits arrives at once, from the journal. What other processes commit is found
by polling, only while somebody listens; since their clocks differ a little and their transactions
end in any order, each poll looks some seconds back and passes on what it has not seen.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

import asyncpg
import structlog

from tandem.db import Pool
from tandem.events.model import EVENTS, Event
from tandem.events.store import event_ids_after, events_after, events_by_key
from tandem.kernel import Clock
from tandem.ledger import View

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.2
LOOK_BACK: Final = timedelta(seconds=5)
"""How much later than a younger event an older one may be committed and still be passed on."""
WAITING_MAX: Final = 256
_PAGE: Final = 100
_MOMENTS: Final = 10
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment: no id made at or after it is smaller."""
    milliseconds = max(0, (moment - _EPOCH) // _MILLISECOND)
    return UUID(int=milliseconds << 80)


class Subscription:
    """One listener's events: an async iterator. Close it with `aclose`.

    It ends by itself when its reader is too slow or the hub closes: the reader then subscribes
    again, after the last event that it has.
    """

    def __init__(self, hub: "EventHub", owner_id: UUID, after: UUID | None) -> None:
        self.owner_id = owner_id
        self._hub = hub
        self._after = after
        self._page: deque[Event] = deque()
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._seen: set[UUID] = set()
        self._floor = UUID(int=0)
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event: first those that were missed, then what happens."""
        event = await self._missed()
        if event is not None:
            if event.id > self._floor:  # only a young one can also come live
                self._seen.add(event.id)
            return event
        while True:
            event = await self._live()
            if event is None:
                raise StopAsyncIteration
            if event.id not in self._seen:
                return event

    async def aclose(self) -> None:
        """Listen no more."""
        self.end()
        self._hub.leave(self)

    def begin(self, floor: UUID, past: Iterable[UUID]) -> None:
        """Take note of the young events that are there already: they are no news."""
        self._floor = floor
        missed = self._after
        self._seen.update(number for number in past if missed is None or number <= missed)

    def put(self, event: Event) -> None:
        """Give the listener an event, or end it if it is too slow."""
        if self._ended:
            return
        if len(self._waiting) >= WAITING_MAX:
            self.end()
            return
        self._waiting.append(event)
        self._arrived.set()

    def end(self) -> None:
        """End after what waits already."""
        self._ended = True
        self._arrived.set()

    async def _missed(self) -> Event | None:
        """The next of the events between the last one that the listener has and now."""
        if not self._page and self._after is not None:
            self._page.extend(await self._hub.page(self.owner_id, self._after))
            self._after = self._page[-1].id if self._page else None
        return self._page.popleft() if self._page else None

    async def _live(self) -> Event | None:
        while not self._waiting and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft() if self._waiting else None


class EventHub:
    """Passes events on. Tell the journal about `take`, and let `run` run beside it."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._subscriptions: defaultdict[UUID, set[Subscription]] = defaultdict(set)
        self._passed: dict[UUID, None] = {}
        self._moments: deque[datetime] = deque([clock.now()], maxlen=_MOMENTS)
        self._listened_to = asyncio.Event()
        self._closed = False

    @property
    def listening(self) -> int:
        """How many listen."""
        return sum(map(len, self._subscriptions.values()))

    def take(self, view: View) -> None:
        """A listener of the journal: passes on what a commit announced."""
        if self._subscriptions:
            for event in view.inserted.get(EVENTS, {}).values():
                if event.owner_id in self._subscriptions:
                    self._pass_on(event)

    async def subscribe(self, owner_id: UUID, after: UUID | None) -> Subscription:
        """An owner's events from now on; with `after`, first those that came after that one.

        When this returns, no later event is missed. Each event comes once.
        """
        subscription = Subscription(self, owner_id, after)
        if self._closed:
            subscription.end()
            return subscription
        if not self._subscriptions:
            self._moments = deque([self._clock.now()], maxlen=_MOMENTS)
        self._subscriptions[owner_id].add(subscription)
        self._listened_to.set()
        try:
            floor = self._floor()
            async with self._pool.acquire() as connection:
                past = await event_ids_after(connection, [owner_id], floor)
        except BaseException:
            self.leave(subscription)
            raise
        subscription.begin(floor, (event_id for _, event_id in past))
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a listener."""
        listeners = self._subscriptions.get(subscription.owner_id, set())
        listeners.discard(subscription)
        if not listeners:
            self._subscriptions.pop(subscription.owner_id, None)
        if not self._subscriptions:
            self._listened_to.clear()
            self._passed.clear()

    async def page(self, owner_id: UUID, after: UUID) -> list[Event]:
        """Some of an owner's events after one, oldest first."""
        async with self._pool.acquire() as connection:
            return await events_after(connection, owner_id, after, _PAGE)

    async def run(self) -> None:
        """Find what other processes commit, while somebody listens; runs until cancelled.

        Then it ends every subscription, and every later one at once.
        """
        self._closed = False
        try:
            while True:
                await self._listened_to.wait()
                await asyncio.sleep(POLL_SECONDS)
                try:
                    await self._look()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    log.warning("live updates cannot read the database", error=repr(error))
        finally:
            self._closed = True
            for listeners in self._subscriptions.values():
                for subscription in listeners:
                    subscription.end()

    def _pass_on(self, event: Event) -> None:
        if event.id in self._passed:
            return
        self._passed[event.id] = None
        for subscription in self._subscriptions.get(event.owner_id, ()):
            subscription.put(event)

    def _floor(self) -> UUID:
        """Ids below it are too old to be news, also if a clock was moved a moment ago."""
        return first_id_at(min(*self._moments, self._clock.now()) - LOOK_BACK)

    async def _look(self) -> None:
        """Pass on what other processes have committed."""
        floor = self._floor()
        self._moments.append(self._clock.now())
        async with self._pool.acquire() as connection:
            found = await event_ids_after(connection, list(self._subscriptions), floor)
            news = [key for key in found if key[1] not in self._passed]
            events = await events_by_key(connection, news) if news else []
        for event in events:
            self._pass_on(event)
        for event_id in [event_id for event_id in self._passed if event_id < floor]:
            del self._passed[event_id]
