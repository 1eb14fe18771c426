"""Live updates: server-sent events (WHATWG HTML §9.2) that end when they should.

A stream ends when the client goes away, when the server stops, or when its source does. While
nothing happens a comment goes out every 15 seconds, or as often as the stream says, so that proxies
keep the connection and both sides notice when the other is gone.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, MutableMapping
from typing import Any, Final
from uuid import UUID

import structlog

from tandem.access import Principal
from tandem.api.errors import TooManyRequests
from tandem.api.operation import Live
from tandem.web.faults import describe
from tandem.web.limits import site

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS: Final = 15.0
RETRY_MS: Final = 2000
MAX_STREAMS_PER_KEY: Final = 10
MAX_STREAMS_PER_ADDRESS: Final = 50
"""Of strangers who follow what they have the link of: an address may be a whole office's."""
MAX_STREAMS: Final = 5000
_AHEAD: Final = 100
_RETRY_AFTER_SECONDS: Final = 15

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Streams:
    """The open streams of this process. `stop` ends them all, and every later one at once."""

    def __init__(self, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._heartbeat_seconds = heartbeat_seconds
        self._stopping = asyncio.Event()
        self._open: Counter[Hashable] = Counter()
        self._ended: dict[Hashable, asyncio.Event] = {}

    def end(self, key_id: UUID) -> None:
        """End the streams of a key that was revoked."""
        if key_id in self._ended:
            self._ended[key_id].set()

    def stop(self) -> None:
        """End every stream after the event that it is sending. Call it before the server waits."""
        self._stopping.set()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._open.total()

    async def send(
        self,
        live: Live,
        caller: Principal | None,
        client: str,
        headers: list[tuple[bytes, bytes]],
        receive: Receive,
        send: Send,
    ) -> None:
        """Send a stream until its end.

        It belongs to its key, or without one to the address that it goes to. Raises
        `TooManyRequests` if that has too many open.
        """
        key: Hashable = site(client) if caller is None else caller.key_id
        most = MAX_STREAMS_PER_ADDRESS if caller is None else MAX_STREAMS_PER_KEY
        if self._open[key] >= most or self.open >= MAX_STREAMS:
            whose = "network address" if caller is None else "key"
            raise TooManyRequests(whose, _RETRY_AFTER_SECONDS)
        self._open[key] += 1
        ended = self._ended.setdefault(key, asyncio.Event())
        try:
            await self._send(live, ended, headers, receive, send)
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key], self._ended[key]

    async def _send(
        self,
        live: Live,
        ended: asyncio.Event,
        headers: list[tuple[bytes, bytes]],
        receive: Receive,
        send: Send,
    ) -> None:
        headers += [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(_part(f"retry: {RETRY_MS}\n\n".encode()))
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        tasks = [
            asyncio.create_task(_pump(live.frames, queue), name="stream source"),
            asyncio.create_task(_gone(receive), name="stream client"),
            asyncio.create_task(self._stopping.wait(), name="stream stop"),
            asyncio.create_task(ended.wait(), name="stream key"),
        ]
        beat = live.beat_seconds or self._heartbeat_seconds
        sender = asyncio.create_task(_forward(queue, send, beat), name="stream")
        try:
            await asyncio.wait([sender, *tasks[1:]], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, *tasks):
                task.cancel()
            await asyncio.gather(sender, *tasks, return_exceptions=True)
        with contextlib.suppress(OSError):  # the client may be gone
            await send({"type": "http.response.body", "body": b""})


async def _forward(queue: asyncio.Queue[bytes | None], send: Send, beat_seconds: float) -> None:
    while True:
        try:
            async with asyncio.timeout(beat_seconds):
                frame = await queue.get()
        except TimeoutError:
            frame = b":\n\n"
        if frame is None:
            return
        await send(_part(frame))


async def _pump(frames: AsyncIterator[bytes], queue: asyncio.Queue[bytes | None]) -> None:
    """Bring frames into the queue, and None at their end. A client that is slow slows it."""
    try:
        async for frame in frames:
            await queue.put(frame)
    except Exception as error:  # noqa: BLE001 - the status went out: the log is all that is left
        log.error("stream failed", **describe(error))  # noqa: TRY400 - a traceback shows values
    finally:
        close = getattr(frames, "aclose", None)
        if close is not None:
            await close()
    await queue.put(None)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _part(body: bytes) -> MutableMapping[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}
