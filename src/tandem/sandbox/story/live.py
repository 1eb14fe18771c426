"""What a party sees by itself: live updates (server-sent events), and webhooks on a receiver."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

from tandem.sandbox.story.errors import StoryBroke

PATIENCE_SECONDS: Final = 10.0
_LONGEST_HEAD: Final = 16 * 1024
_LONGEST_BODY: Final = 256 * 1024
_THANKS: Final = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Seen(NamedTuple):
    """An event, and when it came (the event loop's time, in seconds)."""

    type: str
    data: dict[str, Any]
    at_seconds: float


class Inbox:
    """Events in the order in which they came; whoever waits for one is woken."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._came = asyncio.Event()

    def put(self, event: Seen) -> None:
        """An event came."""
        self.seen.append(event)
        self._came.set()

    async def wait(self, kind: str, object_id: str) -> Seen:
        """The event of this type about this object, when it is there. Raises `StoryBroke`."""

        def is_it(event: Seen) -> bool:
            return event.type == kind and bool(event.data.get("id") == object_id)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._find(is_it)
        except TimeoutError:
            came = [event.type for event in self.seen]
            raise StoryBroke(
                f"{kind} of {object_id} comes within {PATIENCE_SECONDS:.0f} s", repr(came)
            ) from None
        return found

    async def _find(self, is_it: Callable[[Seen], bool]) -> Seen:
        while True:
            found = next(filter(is_it, self.seen), None)
            if found is not None:
                return found
            self._came.clear()
            await self._came.wait()


@asynccontextmanager
async def following(http: httpx.AsyncClient, key: str) -> AsyncIterator[Inbox]:
    """Follow a party's events for as long as the block lasts."""
    inbox = Inbox()
    listening = asyncio.Event()
    task = asyncio.create_task(_follow(http, key, inbox, listening))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await listening.wait()
        yield inbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _follow(
    http: httpx.AsyncClient, key: str, inbox: Inbox, listening: asyncio.Event
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    limits = httpx.Timeout(PATIENCE_SECONDS, read=None)
    async with http.stream("GET", "/v1/events/stream", headers=headers, timeout=limits) as answer:
        answer.raise_for_status()
        kind = ""
        async for line in answer.aiter_lines():
            listening.set()
            name, _, text = line.partition(": ")
            if name == "event":
                kind = text
            elif name == "data":
                now = asyncio.get_running_loop().time()
                inbox.put(Seen(kind, json.loads(text).get("data", {}), now))


class Hooks:
    """A shop's server as far as webhooks go: takes them, and checks who signed them."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.secret = ""
        self.port = 0
        self._raw: dict[str, tuple[bytes, dict[str, str]]] = {}

    def genuine(self, kind: str, object_id: str, *, changed: bool = False) -> bool:
        """Whether a webhook that came is signed by Tandem; `changed`: if a byte of it were not."""
        body, headers = self._raw[f"{kind} {object_id}"]
        try:
            Webhook(self.secret).verify(body.replace(b"0", b"1") if changed else body, headers)
        except WebhookVerificationError:
            return False
        return True

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and thank for it."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError, TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")[1:]
                pairs = (line.partition(":") for line in lines if line)
                headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
                length = int(headers.get("content-length", "0"))
                body = await reader.readexactly(min(length, _LONGEST_BODY))
                event = json.loads(body)
                self._raw[f"{event['type']} {event['data'].get('id')}"] = (body, headers)
                now = asyncio.get_running_loop().time()
                self.inbox.put(Seen(event["type"], event["data"], now))
                writer.write(_THANKS)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Hooks]:
    """Listen for webhooks on a free loopback port for as long as the block lasts."""
    hooks = Hooks()
    server = await asyncio.start_server(hooks.take, "127.0.0.1", 0, limit=_LONGEST_HEAD)
    hooks.port = server.sockets[0].getsockname()[1]
    try:
        yield hooks
    finally:
        server.close()
        await server.wait_closed()
