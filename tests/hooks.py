"""What the tests of webhooks and live updates share: a house with a merchant, a receiver."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest

from moves import journal_on
from tandem.db import Pool, open_pool
from tandem.events import (
    CreateEndpoint,
    Dispatcher,
    Endpoint,
    NewEndpoint,
    Sender,
    Webhooks,
    announce,
)
from tandem.events.send import Resolve, resolve
from tandem.kernel import Ids, ManualClock, read_id, system_entropy
from tandem.keyring import FileKeyRing
from tandem.ledger import Decision, Journal, Touches, View
from tandem.settings import Settings

START = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Thing(msgspec.Struct, frozen=True):
    """What is announced."""

    number: int
    note: str = "é\u2028"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An entry that moves nothing and announces things, to one owner."""

    id: UUID
    owner_id: UUID
    endpoints: tuple[Endpoint, ...]
    things: Sequence[tuple[UUID, int]]
    type: str = "payment.captured"
    idempotency: None = None

    def touches(self) -> Touches:
        """Nothing."""
        return Touches()

    def decide(self, view: View) -> Decision:
        """Announce each thing."""
        writes = [
            write
            for object_id, number in self.things
            for write in announce(
                view, self.owner_id, self.type, object_id, Thing(number), self.endpoints
            )
        ]
        return Decision(Thing(0), (), writes)


@dataclass
class House:
    """A database with one merchant, and what a process has."""

    pool: Pool
    journal: Journal
    clock: ManualClock
    ids: Ids
    keyring: FileKeyRing
    settings: Settings
    merchant_id: UUID

    def webhooks(self, find: Resolve = resolve) -> Webhooks:
        """The use cases."""
        return Webhooks(
            self.pool,
            self.clock,
            self.ids,
            system_entropy,
            self.keyring,
            self.settings,
            find=find,
        )

    async def announce(
        self,
        *numbers: int,
        object_id: UUID | None = None,
        endpoints: tuple[Endpoint, ...] | None = None,
        owner_id: UUID | None = None,
        journal: Journal | None = None,
    ) -> None:
        """Commit events: of one object if `object_id` is given, else each of its own."""
        if endpoints is None:
            endpoints = tuple(await self.webhooks().list(self.merchant_id))
        things = [(object_id or self.ids.new(), number) for number in numbers]
        entry = Announcement(
            id=self.ids.entry(),
            owner_id=owner_id or self.merchant_id,
            endpoints=endpoints,
            things=things,
        )
        await (journal or self.journal).submit(entry)


@asynccontextmanager
async def house(url: str, folder: Path, *, mode: Any = "sandbox") -> AsyncIterator[House]:  # noqa: ANN401 - a Mode
    """A house on the database of `url`; its clock stands still."""
    clock = ManualClock(START)
    ids = Ids(clock)
    keyring = FileKeyRing.open_or_create(folder / "keys", system_entropy)
    pool = await open_pool(url, size=5)
    try:
        async with journal_on(url, clock) as journal:
            merchant_id = ids.new()
            await pool.execute(
                "INSERT INTO merchants (id, name, status, terms, created_at) "
                "VALUES ($1, 'Blue Door', 'active', 1, $2)",
                merchant_id,
                START,
            )
            settings = Settings(mode=mode)
            yield House(pool, journal, clock, ids, keyring, settings, merchant_id)
    finally:
        await pool.close()


class Request(NamedTuple):
    """What the receiver got."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def number(self) -> int:
        """The thing's number."""
        return int(json.loads(self.body)["data"]["number"])


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    """An answer."""
    lines = [f"HTTP/1.1 {code} Some", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


Reply = Callable[[Request], Awaitable[bytes]]


@dataclass
class Receiver:
    """A merchant's server. `reply` answers each request; by default 200."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    connections: int = 0
    under_way: int = 0
    most_at_once: int = 0
    reply: Reply | None = None
    open: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def numbers(self) -> list[int]:
        """The numbers of the things, in the order of arrival."""
        return [request.number for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value for name, value in (h.split(": ", 1) for h in head[1:-2])
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Request(head[0], headers, body)
                self.requests.append(request)
                self.under_way += 1
                self.most_at_once = max(self.most_at_once, self.under_way)
                try:
                    answer = await self._answer(request)
                finally:
                    self.under_way -= 1
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, request: Request) -> bytes:
        if self.reply is not None:
            return await self.reply(request)
        return self.answers.pop(0) if self.answers else OK


@asynccontextmanager
async def receiver(**options: Any) -> AsyncIterator[Receiver]:  # noqa: ANN401 - start_server's own
    """A receiver on loopback."""
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, **options)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in made.open:
            task.cancel()
        await asyncio.gather(*made.open, return_exceptions=True)


async def endpoint(shop: House, url: str, *types: str) -> NewEndpoint:
    """A new endpoint of the house's merchant."""
    new = CreateEndpoint(url=url, types=types)
    outcome = await shop.webhooks().create(shop.merchant_id, new, None)
    return msgspec.json.decode(outcome.body, type=NewEndpoint)


@asynccontextmanager
async def dispatching(shop: House, sender: Sender | None = None) -> AsyncIterator[Dispatcher]:
    """A dispatcher that is led by hand. No jitter, so that gaps are exact."""
    made = Dispatcher(
        shop.pool, shop.clock, shop.keyring, shop.settings, entropy=bytes, sender=sender
    )
    async with made._sender:
        yield made


async def settle(dispatcher: Dispatcher) -> None:
    """Send until nothing is due."""
    while await dispatcher.round() or dispatcher._tasks:
        await asyncio.gather(*dispatcher._tasks)


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[None]:
    """The dispatcher runs by itself meanwhile."""
    task = asyncio.create_task(dispatcher.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(what: str, true: object, within: float = 15.0) -> None:
    """Wait until something is true; fail if it does not come true."""
    assert callable(true)
    try:
        async with asyncio.timeout(within):
            while not true():  # noqa: ASYNC110 - what we wait for happens elsewhere
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"never: {what}")


async def deliveries(shop: House, made: NewEndpoint) -> list[tuple[str, int, int | None]]:
    """Status, attempts and last HTTP status, oldest first."""
    endpoint_id = read_id("whe", made.id)
    found = await shop.webhooks().deliveries(shop.merchant_id, endpoint_id, None, 100)
    return [(d.status, d.attempts, d.last_status) for d, *_ in reversed(found)]


async def only_delivery(shop: House, made: NewEndpoint) -> UUID:
    """The id of the only delivery."""
    endpoint_id = read_id("whe", made.id)
    ((found, *_),) = await shop.webhooks().deliveries(shop.merchant_id, endpoint_id, None, 2)
    return found.id
