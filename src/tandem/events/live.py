"""Live updates: the hub passes an owner's events on to whoever listens.

What this process commits arrives at once, from the journal. What other processes commit is found
by polling, only while somebody listens; since their clocks differ a little and their transactions
end in any order, each poll looks some seconds back and passes on what it has not seen.

A reader that comes back says which event it had last. The hub remembers what each reader got, in
order, so it gives exactly what this one does not have. Where it does not remember (the reader was
with another process, or this one has started again) it repeats the seconds before that event rather
than miss one that was committed late: events have ids.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

import asyncpg
import structlog

from tandem.db import Pool
from tandem.events.model import EVENTS, Event
from tandem.events.store import event_ids_after, event_ids_between, events_after, events_by_key
from tandem.kernel import Clock, Lru
from tandem.ledger import View

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.2
LOOK_BACK: Final = timedelta(seconds=5)
"""How much later than a younger event an older one may be committed and still be passed on."""
WAITING_MAX: Final = 256
REMEMBERED: Final = 256
_OWNERS_REMEMBERED: Final = 2048
_READERS_REMEMBERED: Final = 2
_PAGE: Final = 100
_MOMENTS: Final = 10
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_FIRST: Final = UUID(int=0)


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment: no id made at or after it is smaller."""
    return UUID(int=max(0, (moment - _EPOCH) // _MILLISECOND) << 80)


def look_back_from(event_id: UUID) -> UUID:
    """The smallest UUIDv7 that may be committed after this one and still be passed on."""
    milliseconds = (event_id.int >> 80) - LOOK_BACK // _MILLISECOND
    return UUID(int=max(0, milliseconds) << 80)


class Had:
    """The latest events that a reader got, in order, by id."""

    def __init__(self) -> None:
        self._ids: dict[UUID, None] = {}
        self._forgotten = _FIRST

    def __contains__(self, event_id: UUID) -> bool:
        return event_id in self._ids

    def add(self, event_id: UUID) -> None:
        """Note that the reader gets an event; forget the oldest if there are many."""
        self._ids[event_id] = None
        if len(self._ids) > REMEMBERED:
            oldest = next(iter(self._ids))
            del self._ids[oldest]
            self._forgotten = max(self._forgotten, oldest)

    def up_to(self, last: UUID) -> tuple[set[UUID], UUID]:
        """What it had when it got this one, and the id from which on that is all it had."""
        known: set[UUID] = set()
        for event_id in self._ids:
            known.add(event_id)
            if event_id == last:
                break
        return known, max(self._forgotten, look_back_from(last))


class Subscription:
    """One listener's events: an async iterator. Close it with `aclose`.

    It ends by itself when its reader is too slow or the hub stops: the reader then subscribes
    again, after the last event that it has.
    """

    def __init__(self, hub: "EventHub", owner_id: UUID, after: UUID | None) -> None:
        self.owner_id = owner_id
        self.had = Had()
        self._hub = hub
        self._after = after
        self._late: deque[UUID] = deque()
        self._page: deque[Event] = deque()
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._seen: set[UUID] = set()
        self._floor = _FIRST
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event: first those that were missed, then what happens."""
        event = await self._missed() or await self._live()
        if event is None:
            self._hub.leave(self)
            raise StopAsyncIteration
        self.had.add(event.id)
        return event

    async def aclose(self) -> None:
        """Listen no more."""
        self.end()
        self._hub.leave(self)

    def begin(self, seen: set[UUID], late: Sequence[UUID], floor: UUID) -> None:
        """What the reader has, what it lacks that is older than its last, what can still come."""
        self._seen = seen
        self._late.extend(late)
        self._floor = floor
        for event_id in sorted(seen - {self._after}):
            self.had.add(event_id)
        if self._after is not None:
            self.had.add(self._after)  # last, as the reader had it

    def put(self, event: Event) -> None:
        """Give the listener an event, or end it if it is too slow."""
        if len(self._waiting) >= WAITING_MAX:
            self.end()
        if not self._ended:
            self._waiting.append(event)
            self._arrived.set()

    def end(self) -> None:
        """End after what waits already."""
        self._ended = True
        self._arrived.set()

    async def _missed(self) -> Event | None:
        """The next of the events that the reader lacks; None when it has caught up."""
        while True:
            while self._page:
                event = self._page.popleft()
                if event.id not in self._seen:
                    if event.id >= self._floor:  # only a young one can also come live
                        self._seen.add(event.id)
                    return event
            if self._late:
                keys = [self._late.popleft() for _ in range(min(_PAGE, len(self._late)))]
                self._page.extend(await self._hub.pick(self.owner_id, keys))
            elif self._after is None:
                return None
            else:
                self._page.extend(await self._hub.page(self.owner_id, self._after))
                self._after = self._page[-1].id if self._page else None

    async def _live(self) -> Event | None:
        while True:
            while not self._waiting and not self._ended:
                self._arrived.clear()
                await self._arrived.wait()
            if not self._waiting:
                return None
            event = self._waiting.popleft()
            if event.id not in self._seen:
                return event


class EventHub:
    """Passes events on. Tell the journal about `take`, and let `run` run beside it."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._listeners: dict[UUID, set[Subscription]] = {}
        self._left: Lru[UUID, deque[Had]] = Lru(_OWNERS_REMEMBERED)
        self._passed: set[UUID] = set()
        self._moments: deque[datetime] = deque(maxlen=_MOMENTS)
        self._listened_to = asyncio.Event()
        self._stopped = False

    @property
    def listening(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    def take(self, view: View) -> None:
        """A listener of the journal: passes on what a commit announced."""
        if self._listeners:
            for event in view.appended.get(EVENTS, ()):
                self._pass_on(event)

    async def subscribe(self, owner_id: UUID, after: UUID | None) -> Subscription:
        """An owner's events from now on; with `after`, first those that the reader lacks.

        When this returns, no later event is missed. No event comes twice on one subscription.
        """
        subscription = Subscription(self, owner_id, after)
        if self._stopped:
            subscription.end()
            return subscription
        known, since = (set[UUID](), _FIRST) if after is None else self._known(owner_id, after)
        self._join(subscription)
        floor = self._floor()
        try:
            past = await self._look((owner_id,), floor)
            if after is None:
                subscription.begin(set(past), (), floor)
            else:
                async with self._pool.acquire() as connection:
                    older = await event_ids_between(connection, owner_id, since, after)
                late = [event_id for event_id in older if event_id not in known]
                subscription.begin(known, late, floor)
        except BaseException:
            self.leave(subscription)
            raise
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a listener, but not what it had: it may come back."""
        owner_id = subscription.owner_id
        listeners = self._listeners.get(owner_id, set())
        if subscription not in listeners:
            return
        listeners.remove(subscription)
        left = self._left.get(owner_id) or deque(maxlen=_READERS_REMEMBERED)
        left.appendleft(subscription.had)
        self._left.put(owner_id, left)
        if not listeners:
            del self._listeners[owner_id]
        if not self._listeners:
            self._listened_to.clear()
            self._passed.clear()

    async def page(self, owner_id: UUID, after: UUID) -> list[Event]:
        """Some of an owner's events after one, oldest first."""
        async with self._pool.acquire() as connection:
            return await events_after(connection, owner_id, after, _PAGE)

    async def pick(self, owner_id: UUID, ids: Sequence[UUID]) -> list[Event]:
        """These events of an owner, oldest first."""
        async with self._pool.acquire() as connection:
            return await events_by_key(connection, [(owner_id, event_id) for event_id in ids])

    async def run(self) -> None:
        """Find what other processes commit, while somebody listens; runs until cancelled.

        Then it ends every subscription, and every later one at once.
        """
        self._stopped = False
        try:
            while True:
                await self._listened_to.wait()
                await asyncio.sleep(POLL_SECONDS)
                floor = self._floor()
                try:
                    await self._look(tuple(self._listeners), floor)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    log.warning("live updates cannot read the database", error=repr(error))
                self._forget(floor)
        finally:
            self._stopped = True
            for listeners in self._listeners.values():
                for subscription in listeners:
                    subscription.end()

    def _join(self, subscription: Subscription) -> None:
        if not self._listeners:
            self._moments.clear()  # how the clock was moved before does not matter any more
            self._listened_to.set()
        self._listeners.setdefault(subscription.owner_id, set()).add(subscription)

    def _known(self, owner_id: UUID, last: UUID) -> tuple[set[UUID], UUID]:
        """What a reader has whose last event this is, and from which id on that is all it has."""
        # The server may not have noticed yet that the reader's first connection is gone.
        readers = list(self._left.get(owner_id) or deque[Had]())
        readers += [subscription.had for subscription in self._listeners.get(owner_id, ())]
        for had in readers:
            if last in had:
                return had.up_to(last)
        return {last}, look_back_from(last)

    def _pass_on(self, event: Event) -> None:
        listeners = self._listeners.get(event.owner_id)
        if listeners and event.id not in self._passed:
            self._passed.add(event.id)
            for subscription in listeners:
                subscription.put(event)

    def _floor(self) -> UUID:
        """Ids below it are too old to be news, also if a clock was moved a moment ago."""
        self._moments.append(self._clock.now())
        return first_id_at(min(self._moments) - LOOK_BACK)

    async def _look(self, owners: Sequence[UUID], floor: UUID) -> list[UUID]:
        """Pass on what other processes have committed. All ids from the floor on."""
        async with self._pool.acquire() as connection:
            found = await event_ids_after(connection, owners, floor)
            news = [key for key in found if key[1] not in self._passed]
            for event in await events_by_key(connection, news) if news else ():
                self._pass_on(event)
        return [event_id for _, event_id in found]

    def _forget(self, floor: UUID) -> None:
        """Forget what was passed on and is too old to be found again."""
        self._passed = {event_id for event_id in self._passed if event_id >= floor}
