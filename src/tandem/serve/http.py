"""uvicorn with the limits that it leaves open: how long a request's head may be and may take.

uvicorn's httptools protocol keeps whatever comes before the end of the headers, and waits for
that end, and for the body's, for ever (a "slowloris"). How long a body may be is limited where it
is read (tandem.web.reading).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from uvicorn import Config
from uvicorn import Server as UvicornServer
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES: Final = 32 * 1024
"""The request line and the headers."""
HEAD_SECONDS: Final = 10.0
"""From the first byte (or the connection) to the end of the headers."""
BODY_SECONDS: Final = 15.0
"""From there to the end of the body: 64 KiB over the worst of mobile networks."""
IDLE_SECONDS: Final = 75
"""How long a connection may be kept open between requests."""
DRAIN_SECONDS: Final = 20
"""How long requests that are under way may take when the server stops."""
BACKLOG: Final = 2048
_SWEEP_EVERY_TICKS: Final = 10

_TOO_LONG: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class OneWrite:
    """A transport that writes an answer's head and body together.

    uvicorn writes one after the other, and uvloop makes a system call of each. What is written
    alone waits for the end of the loop's turn. All else is the transport's own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write with what is held, or hold it."""
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        elif data:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Write what is held, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        return getattr(self._transport, name)


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 whose heads are bounded in size; `late` says whether a request takes too long."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a request."""
        super().connection_made(cast("asyncio.Transport", OneWrite(transport, self.loop)))
        self._head_bytes = 0
        self._head_since: float | None = self.loop.time()
        self._body_since: float | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes; refuse a head that goes on for too long."""
        cycle: RequestResponseCycle | None = self.cycle
        if self._head_since is None and (cycle is None or cycle.response_complete):
            self._head_since = self.loop.time()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_since is not None and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins: its head is counted from here."""
        super().on_message_begin()
        self._head_bytes = 0
        self._head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_since = None
        self._body_since = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole, or there is none."""
        self._body_since = None
        super().on_message_complete()

    def late(self, now: float) -> bool:
        """Whether a head or a body has been under way for longer than it may."""
        head, body = self._head_since, self._body_since
        return (head is not None and now - head > HEAD_SECONDS) or (
            body is not None and now - body > BODY_SECONDS
        )


class Server(UvicornServer):
    """uvicorn's server; the process's signals are ours, and it says when it is up."""

    def __init__(
        self, config: Config, *, on_ready: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would end the process before the journal is closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End live updates first: uvicorn waits for open connections."""
        self._on_stop()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Once a second, close the connections whose request takes too long to come."""
        if counter % _SWEEP_EVERY_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedHttp) and connection.late(now):
                    connection.transport.close()
        return await super().on_tick(counter)


def configuration(app: Any, *, limit: int) -> Config:  # noqa: ANN401 - an ASGI application, as uvicorn takes it
    """How uvicorn serves Tandem. `limit` is how many connections one process holds.

    No access log: a line for each request costs more than deciding a payment. uvicorn believes
    nobody about a client's address, whatever its own environment says: tandem.web.proxies does.
    """
    return Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=limit,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
