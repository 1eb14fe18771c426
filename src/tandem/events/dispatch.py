"""The dispatcher: takes deliveries that are due, sends them, and writes down how it went.

Deliveries of one object go to one endpoint in the order in which its events were decided: the next
starts when the one before was delivered or has failed for good. Different objects do not wait for
each other, and neither do endpoints: each has a few places, one that did not answer in time has a
single place until it answers again, and there are many more places than that in all.

Several processes may dispatch. Each claims what it sends by moving `next_attempt_at` to the moment
when the claim runs out, so what a killed process held is tried again. A delivery can therefore
arrive twice (its `webhook-id` is the same), but is never lost.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from tandem.db import Pool, work
from tandem.events.model import DELIVERIES, TEST_TYPE, DeliveryStatus, gap
from tandem.events.secrets import open_secrets
from tandem.events.send import Answer, Message, Sender
from tandem.events.shapes import payload
from tandem.events.store import (
    Claimed,
    Due,
    bump_terms,
    claim,
    due_deliveries,
    finish,
    park,
    retry_at,
    switch_off,
    wake_next,
)
from tandem.kernel import Clock, Entropy, SystemClock, show_id, system_entropy
from tandem.keyring import KeyRing
from tandem.ledger import View
from tandem.settings import Settings

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
SWITCHED_OFF: Final = "the endpoint is switched off or deleted"
PLACES: Final = 128
PLACES_PER_ENDPOINT: Final = 8
LEASE: Final = timedelta(seconds=60)
"""How long a claim holds: much longer than a try may take."""
PARKED: Final = timedelta(seconds=60)
_STOP_SECONDS: Final = 5.0
_LOOKED_AT: Final = 4


class Dispatcher:
    """Sends what is due, until it is cancelled. Tell the journal about `wake`.

    `clock` says what is due; `wire_clock` the time that receivers compare with theirs, which stays
    the machine's when a sandbox moves its own.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        keyring: KeyRing,
        settings: Settings,
        *,
        entropy: Entropy = system_entropy,
        sender: Sender | None = None,
        wire_clock: Clock | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._keyring = keyring
        self._entropy = entropy
        self._sender = sender or Sender(sandbox=settings.sandbox)
        self._wire_clock = wire_clock or SystemClock()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight: Counter[UUID] = Counter()
        self._slow: set[UUID] = set()
        self._sending: set[UUID] = set()

    def wake(self, view: View) -> None:
        """A listener of the journal: looks at once if a commit has deliveries."""
        if view.inserted.get(DELIVERIES):
            self._wake.set()

    async def run(self) -> None:
        """Send until cancelled; then give the tries under way a moment to end."""
        async with self._sender:
            try:
                await self._run()
            finally:
                await self._stop()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                again = await self.round()
            except Exception:
                log.exception("looking for deliveries failed")
                again = False
            if not again:
                await self._pause()

    async def round(self) -> bool:
        """Claim what is due and begin to send it. Whether there is more to look at right away."""
        free = PLACES - len(self._tasks)
        if free <= 0:
            return False
        now = self._clock.now()
        busy = [endpoint for endpoint in self._in_flight if self._places(endpoint) <= 0]
        each, limit = PLACES_PER_ENDPOINT * _LOOKED_AT, PLACES * _LOOKED_AT
        async with work(self._pool) as connection:
            due = await due_deliveries(connection, now, each, busy, limit)
            blocked = [delivery for delivery in due if delivery.blocked]
            if blocked:
                await park(connection, blocked, now + PARKED)
            picked = self._pick(due, free)
            claimed = await claim(connection, picked, now, now + LEASE) if picked else []
        for delivery in claimed:
            self._begin(delivery)
        return bool(blocked) or len(due) == limit

    def _places(self, endpoint_id: UUID) -> int:
        """How many more tries an endpoint may have under way."""
        places = 1 if endpoint_id in self._slow else PLACES_PER_ENDPOINT
        return places - self._in_flight[endpoint_id]

    def _pick(self, due: Sequence[Due], free: int) -> list[UUID]:
        """The oldest that have a place."""
        picked: list[UUID] = []
        taken: Counter[UUID] = Counter()
        for delivery in due:
            if len(picked) == free:
                break
            endpoint_id = delivery.endpoint_id
            # A clock that jumps can let our own claim run out while we still send.
            free_to_go = not delivery.blocked and delivery.id not in self._sending
            if free_to_go and taken[endpoint_id] < self._places(endpoint_id):
                taken[endpoint_id] += 1
                picked.append(delivery.id)
        return picked

    def _begin(self, delivery: Claimed) -> None:
        self._in_flight[delivery.endpoint_id] += 1
        self._sending.add(delivery.id)
        task = asyncio.create_task(self._try(delivery), name="webhook")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, delivery: Claimed) -> None:
        endpoint_id = delivery.endpoint_id
        try:
            answer = await self._send(delivery)
            self._note_speed(endpoint_id, answer)
            await self._write_down(delivery, answer)
        except Exception:
            # The claim runs out, and the delivery is tried again.
            log.exception("a delivery failed", delivery=show_id("whd", delivery.id))
        finally:
            self._sending.discard(delivery.id)
            self._in_flight[endpoint_id] -= 1
            if not self._in_flight[endpoint_id]:
                del self._in_flight[endpoint_id]
            self._wake.set()  # there is a place, and perhaps a next one in order

    async def _send(self, delivery: Claimed) -> Answer:
        if not delivery.open:
            return Answer(None, SWITCHED_OFF)
        secrets = open_secrets(self._keyring, delivery.endpoint_id, delivery.sealed)
        message = Message(
            show_id("evt", delivery.event.id),
            payload(delivery.event),
            secrets.at(self._clock.now()),
        )
        return await self._sender.send(delivery.url, message, self._wire_clock.now())

    def _note_speed(self, endpoint_id: UUID, answer: Answer) -> None:
        if answer.timed_out:
            self._slow.add(endpoint_id)
        else:
            self._slow.discard(endpoint_id)

    async def _write_down(self, delivery: Claimed, answer: Answer) -> None:
        now = self._clock.now()
        once = delivery.event.type == TEST_TYPE  # somebody looks at what comes of it
        wait = None if once else gap(delivery.attempts, self._entropy(1)[0])
        over = answer.delivered or answer.gone or not delivery.open or wait is None
        end = DeliveryStatus.DELIVERED if answer.delivered else DeliveryStatus.FAILED
        async with work(self._pool) as connection:
            if answer.gone:
                await bump_terms(connection, delivery.event.owner_id, now)
                await switch_off(connection, delivery.endpoint_id)
            if not over and wait is not None:
                await retry_at(connection, delivery, answer, now + wait)
            elif await finish(connection, delivery, end.value, answer):
                await wake_next(connection, delivery, now)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _stop(self) -> None:
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
