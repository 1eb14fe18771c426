"""HTTP/1.1 for uvicorn: its httptools protocol with bounds, and with answers of one system call.

uvicorn's protocol keeps whatever comes before the end of the headers, and waits for that end, and
for the body's, for ever (a "slowloris"). It also sets a timer after each answer, looks each header
of an answer over by itself, and writes an answer's head and its body one after the other. How long
a body may be is limited where it is read (tandem.web.reading).
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGISendEvent, HTTPScope
from uvicorn.protocols.http.flow_control import service_unavailable
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

_NEVER: Final = float("inf")
_WITHOUT_BODY: Final = frozenset({204, 304})
_TOO_LONG: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


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
        """The head, and how the body will be framed (RFC 9112 §6)."""
        self.waiting_for_100_continue = False
        all_headers = (*self.default_headers, *headers)
        lines = [b"%b: %b\r\n" % header for header in all_headers]
        fields = dict(all_headers)
        length = fields.get(b"content-length")
        self.chunked_encoding = False
        if length is not None:
            self.expected_content_length = int(length)
        elif status not in _WITHOUT_BODY and self.scope["method"] != "HEAD":
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        connection = fields.get(b"connection")
        if connection is not None and b"close" in connection.lower():
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        # What is to be one header must not become two, or the end of the head.
        if not head.count(b"\r") == head.count(b"\n") == len(lines) or head.count(b"\0"):
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
        else:
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
    """HTTP/1.1 whose heads are bounded in size; `late` says whether a request takes too long.

    uvicorn's timers are left alone: each phase of a connection has a moment at which it is late.
    """

    _reading: Literal["head", "body"] | None = "head"
    _head_bytes = 0
    _late_at = _NEVER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._late_at = self.loop.time() + HEAD_SECONDS

    def data_received(self, data: bytes) -> None:
        """Take bytes; refuse a head that goes on for too long."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._reading == "head" and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins: its head is counted from here."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._reading, self._head_bytes = "head", 0
        self._late_at = self.loop.time() + HEAD_SECONDS

    def on_headers_complete(self) -> None:
        """The head is whole: let the application answer, after what was asked before."""
        self._reading = "body"
        self._late_at = self.loop.time() + BODY_SECONDS
        version = self.parser.get_http_version()
        before: RequestResponseCycle | None = self.cycle
        limit: int | None = self.limit_concurrency
        full = limit is not None and max(len(self.connections), len(self.tasks)) >= limit
        app = service_unavailable if full else self.app
        self.scope = self._scope(version)
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        self.cycle = Cycle(self, self.scope, keep_alive=keep_alive)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))

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

    def on_message_complete(self) -> None:
        """The body is whole, or there is none."""
        super().on_message_complete()
        self._reading = None
        self._late_at = _NEVER
        if self.cycle.response_complete:
            self._late_at = self.loop.time() + IDLE_SECONDS

    def on_response_complete(self) -> None:
        """An answer is sent: go on with what was asked after it, or wait."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._reading is None:
            self._late_at = self.loop.time() + IDLE_SECONDS

    def late(self, now: float) -> bool:
        """Whether a head, a body or the next request has been awaited for longer than it may."""
        return now > self._late_at
