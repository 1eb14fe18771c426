"""HTTP/1.1 for uvicorn: its httptools protocol with bounds, and with answers of one system call.

uvicorn's protocol keeps whatever comes before the end of the headers, and waits for that end, and
for the body's, for ever (a "slowloris"); for whoever does not read its answers, too. It keeps any
number of requests that are sent ahead, takes trailers for headers, and the body of a request that
offers another protocol for the next request. It also sets a timer after each answer, looks each
header of an answer over by itself, and writes an answer's head and its body one after the other.
How long a body may be is limited where it is read (tandem.web.reading).
"""

import asyncio
import logging
from collections.abc import Iterable, Sized
from typing import Final, Literal
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveEvent, ASGISendEvent, HTTPScope
from uvicorn.protocols.http.flow_control import (
    HIGH_WATER_LIMIT,
    FlowControl,
    service_unavailable,
)
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

MAX_HEAD_BYTES: Final = 32 * 1024
"""The request line and the headers."""
HEAD_SECONDS: Final = 10.0
"""From the first byte (or the connection) to the end of the headers."""
BODY_SECONDS: Final = 15.0
"""From there to the end of the body: 64 KiB over the worst of mobile networks."""
IDLE_SECONDS: Final = 75.0
"""How long a connection may be kept open between requests."""
WRITE_SECONDS: Final = 30.0
READ_BYTES: Final = 16 * 1024
"""What a client must read of an answer that waits for it, in so many seconds: half a KiB in one."""
MAX_BESIDE_BODY_BYTES: Final = 512 * 1024
"""What may come with a body and is none of it: sizes of chunks, their extensions, trailers."""
MAX_AHEAD: Final = 100
"""Requests of one connection that wait while another is answered."""

_NEVER: Final = float("inf")
_WITHOUT_BODY: Final = frozenset({204, 304})
_REFUSED: Final = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LONG: Final = _REFUSED % b"431 Request Header Fields Too Large"
_MALFORMED: Final = _REFUSED % b"400 Bad Request"


class Flow(FlowControl):
    """Reads nothing while requests wait that were sent ahead."""

    def __init__(self, transport: asyncio.Transport, ahead: Sized) -> None:
        super().__init__(transport)
        self._ahead = ahead

    def resume_reading(self) -> None:
        """Read on, unless there is enough to do."""
        if not self._ahead:
            super().resume_reading()


class Cycle(RequestResponseCycle):
    """A request and its answer, whose head goes out with the first part of its body.

    How each begins stands in the class: that takes a third of the time of setting it for each.
    """

    logger = logging.getLogger("uvicorn.error")
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    expected_content_length = 0
    _head = b""
    _to_the_end = False
    """The body ends with the connection."""

    def __init__(self, protocol: "BoundedHttp", scope: HTTPScope, *, keep_alive: bool) -> None:
        self.scope = scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.default_headers = protocol.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = protocol.on_response_complete
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.body = bytearray()

    async def receive(self) -> ASGIReceiveEvent:
        """A part of the body (ASGI 3, HTTP). What is here is given without a wait."""
        if (
            self.waiting_for_100_continue
            or self.disconnected
            or self.response_complete
            or self.flow.read_paused
            or not self.message_event.is_set()
        ):
            return await super().receive()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: ASGISendEvent) -> None:
        """Take the answer's head, or a part of its body (ASGI 3, HTTP)."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and not self.response_started:
            self.response_started = True
            self._head = self._begun(message["status"], message.get("headers", ()))
        elif (
            message["type"] == "http.response.body"
            and self.response_started
            and not self.response_complete
        ):
            self._write(message.get("body", b""), more=message.get("more_body", False))
        else:
            sent = f"an answer does not go on with {message['type']!r}"
            raise RuntimeError(sent)

    def _begun(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The head, and how the body will be framed (RFC 9112 §6; RFC 9110 §10.1.1)."""
        if self.waiting_for_100_continue:  # nobody knows whether the body still comes
            self.waiting_for_100_continue = self.keep_alive = False
        pairs = [*self.default_headers, *headers]
        fields = dict(pairs)
        length = fields.get(b"content-length")
        self.chunked_encoding = False
        if length is not None:
            self.expected_content_length = int(length)
        elif status not in _WITHOUT_BODY and self.scope["method"] != "HEAD":
            if self.scope["http_version"] == "1.1":
                self.chunked_encoding = True
                pairs.append((b"transfer-encoding", b"chunked"))
            else:
                self._to_the_end = True
        connection = fields.get(b"connection")
        if connection is not None and b"close" in connection.lower():
            self.keep_alive = False
        elif not self.keep_alive:
            pairs.append((b"connection", b"close"))
        head = b"\r\n".join((*map(b": ".join, pairs), b""))
        # What is to be one header must not become two, or the end of the head.
        if not head.count(b"\r") == head.count(b"\n") == len(pairs) or head.count(b"\0"):
            forged = "a header of an answer has a line break or NUL in it"
            raise RuntimeError(forged)
        return b"%b%b\r\n" % (STATUS_LINE[status], head)

    def _write(self, body: bytes, *, more: bool) -> None:
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length, body = 0, b""
        elif self.chunked_encoding:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        elif not self._to_the_end:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                wrong = "an answer is not as long as its Content-Length says"
                raise RuntimeError(wrong)
        self.transport.write(head + body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 whose requests are bounded; `late` says whether one takes too long.

    uvicorn's timers are left alone: each phase of a connection has a moment at which it is late.
    """

    _reading: Literal["head", "body"] | None = "head"
    _beside_body = 0
    """Bytes of this phase that are none of a body."""
    _body_left = 0
    """Bytes still to come of a body that the parser does not see."""
    _late_at = _NEVER
    _unread_at = _NEVER
    _unread = 0
    """Bytes that waited for the client when it was last looked at."""
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.flow = Flow(transport, self.pipeline)
        self._late_at = self.loop.time() + HEAD_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more: also for whom another request was sent ahead."""
        super().connection_lost(exc)
        self.pipeline.clear()
        running = self._answering
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's lets the answer go
        """The client asks no more, and may still read: what it asked is answered, then it ends.

        Where an answer has begun (live updates) it is more likely gone.
        """
        running = self._answering
        if running is None or running.response_started or self._reading is not None:
            return False
        self.cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Take bytes; refuse a head, or what is beside a body, that goes on for too long."""
        self._beside_body += len(data)
        try:
            while data:
                data = self._feed(data)
        except httptools.HttpParserError:
            self._refuse(_MALFORMED)
            return
        if self._reading == "head" and self._beside_body > MAX_HEAD_BYTES:
            self._refuse(_TOO_LONG)
        elif self._reading == "body" and self._beside_body > MAX_BESIDE_BODY_BYTES:
            self._refuse(_MALFORMED)

    def _feed(self, data: bytes) -> bytes:
        """Take bytes; returns those that are not taken yet.

        A request may offer another protocol, which we pass over (RFC 9110 §7.8). Its body is one
        all the same, but the parser stops before it.
        """
        if self._body_left:
            body, rest = data[: self._body_left], data[self._body_left :]
            self._body_left -= len(body)
            self.on_body(body)
            if not self._body_left:
                self.on_message_complete()
            return rest
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            return data[offer.args[0] :]
        return b""

    def _refuse(self, answer: bytes) -> None:
        """End the connection, with this answer if it is not taken for that of another request."""
        running = self._answering
        if running is None or running.response_complete:
            self.transport.write(answer)
            self.transport.close()
        elif running is self.cycle and self._reading == "body" and not running.response_started:
            running.disconnected = True
            running.message_event.set()
            self.transport.write(answer)
            self.transport.close()
        else:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins: its head is counted from here."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._reading, self._beside_body = "head", 0
        self._late_at = self.loop.time() + HEAD_SECONDS

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. A trailer is none (RFC 9110 §6.5.1): who looked at them has looked."""
        if self._reading == "head":
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: let the application answer, after what was asked before."""
        if len(self.pipeline) >= MAX_AHEAD:
            many = "more requests were sent ahead than are kept"
            raise RuntimeError(many)
        self._reading, self._beside_body = "body", 0
        if self.parser.should_upgrade():
            self._body_left = self._unseen()
        self._late_at = self.loop.time() + BODY_SECONDS
        version = self.parser.get_http_version()
        before: RequestResponseCycle | None = self.cycle
        limit: int | None = self.limit_concurrency
        full = limit is not None and max(len(self.connections), len(self.tasks)) >= limit
        app = service_unavailable if full else self.app
        self.scope = self._scope(version)
        keep_alive = version == "1.1" and self.parser.should_keep_alive()
        self.cycle = Cycle(self, self.scope, keep_alive=keep_alive)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))

    def _unseen(self) -> int:
        """How long the body is that the parser passes over. Raises `ValueError` if unknown."""
        fields = dict(self.headers)
        if b"transfer-encoding" in fields:
            chunked = "a request with chunks offers another protocol"
            raise ValueError(chunked)
        return int(fields.get(b"content-length", b"0"))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _scope(self, version: str) -> HTTPScope:
        """What is asked, as ASGI tells an application."""
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": "",
            "headers": self.headers,
            "method": self.parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
        }

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._beside_body -= len(body)
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The body is whole, or there is none."""
        if self._body_left:
            return  # the parser believes so
        self._reading = None
        cycle = self.cycle
        if cycle.response_complete:
            self._late_at = self.loop.time() + IDLE_SECONDS
        else:
            self._late_at = _NEVER
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """An answer is sent: go on with what was asked after it, or wait."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._late_at = self.loop.time() + WRITE_SECONDS
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._reading is None:
            self._late_at = self.loop.time() + IDLE_SECONDS
        self.flow.resume_reading()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._unread_at = self.loop.time() + WRITE_SECONDS

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._unread_at = _NEVER

    def late(self, now: float) -> bool:
        """Whether the client has been awaited for longer than it may: to ask, or to read."""
        if now <= min(self._late_at, self._unread_at):
            return False
        left = self.transport.get_write_buffer_size()
        if not left or self._unread - left < READ_BYTES:
            return True
        self._unread = left
        self._unread_at = now + WRITE_SECONDS
        self._late_at = max(self._late_at, self._unread_at)
        return False
