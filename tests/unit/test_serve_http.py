import asyncio
from typing import Any, Final

import pytest
from uvicorn.server import ServerState

from tandem.serve.http import Server, configuration
from tandem.serve.protocol import (
    BODY_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    MAX_AHEAD,
    MAX_BESIDE_BODY_BYTES,
    READ_BYTES,
    WRITE_SECONDS,
    BoundedHttp,
)


class Wire(asyncio.Transport):
    """A transport that notes what is written, and where it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.unread = 0

    def get_write_buffer_size(self) -> int:
        return self.unread

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 1) if name in {"sockname", "peername"} else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.is_closing():
            self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append(b"closed")

    def abort(self) -> None:
        self.written.append(b"aborted")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.written[-1:] in ([b"closed"], [b"aborted"])


Message = dict[str, Any]
OK: Message = {"type": "http.response.start", "status": 200, "headers": []}


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def of_length(length: int, *headers: tuple[bytes, bytes]) -> Message:
    given = [(b"content-length", str(length).encode()), *headers]
    return {"type": "http.response.start", "status": 201, "headers": given}


def protocol_of(*messages: Message, limit: int = 10) -> tuple[BoundedHttp, Wire, list[Message]]:
    """A connection to an application that answers by these messages, and what it was asked."""
    asked: list[Message] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
        body = await receive()
        asked.append({**scope, "body": body["body"]})
        for message in messages:
            await send(message)

    config = configuration(app, limit=limit)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"now")]
    protocol = BoundedHttp(config, state, {}, asyncio.get_running_loop())
    wire = Wire()
    protocol.connection_made(wire)
    return protocol, wire, asked


async def answers(protocol: BoundedHttp, *data: bytes) -> None:
    for bytes_ in data:
        protocol.data_received(bytes_)
    while protocol.tasks:
        await asyncio.gather(*protocol.tasks)


GET: Final = b"GET /v1/a%20b?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_head_and_body_are_written_at_once() -> None:
    protocol, wire, asked = protocol_of(of_length(4), part(b"body"))
    await answers(protocol, b"POST / HTTP/1.1\r\nX-Y: z\r\nContent-Length: 3\r\n\r\n", b"abc", GET)
    head = b"HTTP/1.1 201 Created\r\ndate: now\r\ncontent-length: 4\r\n\r\n"
    assert wire.written == [head + b"body"] * 2
    assert [one["body"] for one in asked] == [b"abc", b""]
    assert asked[0]["headers"] == [(b"x-y", b"z"), (b"content-length", b"3")]
    said = ("method", "path", "raw_path", "query_string", "http_version", "scheme", "client")
    assert [asked[1][name] for name in said] == [
        *("GET", "/v1/a b", b"/v1/a%20b", b"x=1", "1.1", "http", ("127.0.0.1", 1))
    ]


async def test_an_answer_without_a_length_goes_out_in_chunks() -> None:
    protocol, wire, _ = protocol_of(OK, part(b"one", more=True), part(b"", more=True), part(b"two"))
    await answers(protocol, GET)
    head = b"HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n"
    assert wire.written == [head + b"3\r\none\r\n", b"", b"3\r\ntwo\r\n0\r\n\r\n"]


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
async def test_no_body_where_there_is_none(method: bytes) -> None:
    status = {**OK, "status": 204} if method == b"GET" else of_length(4)
    protocol, wire, _ = protocol_of(status, part(b"" if method == b"GET" else b"body"))
    await answers(protocol, GET.replace(b"GET", method))
    assert b"chunked" not in wire.written[0]
    assert wire.written[0].endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "version"), [([(b"connection", b"close")], b"1.1"), ([], b"1.0"), ([], b"1.1 close")]
)
async def test_a_connection_that_is_not_kept_is_closed(
    sent: list[tuple[bytes, bytes]], version: bytes
) -> None:
    protocol, wire, _ = protocol_of(of_length(2, *sent), part(b"ok"))
    asked = GET.replace(b"1.1", version.removesuffix(b" close"))
    if b"close" in version:
        asked = asked.replace(b"Host: a", b"Connection: close")
    await answers(protocol, asked)
    assert wire.written[0].count(b"connection: close\r\n") == 1
    assert wire.written[1:] == [b"closed"]


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b"])
async def test_no_header_becomes_two(value: bytes) -> None:
    protocol, wire, _ = protocol_of(of_length(2, (b"x-a", value)), part(b"ok"))
    await answers(protocol, GET)
    assert wire.written == [b"closed"]


@pytest.mark.parametrize(
    "messages",
    [
        (of_length(2), part(b"too long")),
        (of_length(9), part(b"short")),
        (OK, OK),
        (of_length(1), part(b"a"), part(b"b")),
        (OK, part(b"never", more=True)),
    ],
)
async def test_an_answer_that_is_not_whole_ends_the_connection(messages: list[Message]) -> None:
    protocol, wire, _ = protocol_of(*messages)
    await answers(protocol, GET)
    assert wire.is_closing()


async def test_an_application_that_fails_is_an_answer() -> None:
    protocol, wire, _ = protocol_of()
    await answers(protocol, GET)
    assert wire.written[0].startswith(b"HTTP/1.1 500 ")
    assert wire.is_closing()


async def test_one_connection_too_many_is_turned_away() -> None:
    protocol, wire, _ = protocol_of(OK, part(b""), limit=1)
    await answers(protocol, GET)
    assert wire.written[0].startswith(b"HTTP/1.1 503 ")
    assert wire.is_closing()


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    protocol, wire, asked = protocol_of(of_length(2), part(b"ok"))
    await answers(protocol, GET + GET.replace(b"x=1", b"x=2") + GET.replace(b"x=1", b"x=3")[:20])
    assert [one["query_string"] for one in asked] == [b"x=1", b"x=2"]
    assert len(wire.written) == 2
    now = protocol.loop.time()
    assert not protocol.late(now + HEAD_SECONDS - 1)
    assert protocol.late(now + HEAD_SECONDS + 1), "the head of the third"


async def test_a_head_is_bounded() -> None:
    protocol, wire, _ = protocol_of(OK, part(b""))
    await answers(protocol, GET[:-2], *[b"X-A: %b\r\n" % (b"a" * 8000)] * 5)
    assert wire.written[0].startswith(b"HTTP/1.1 431 ")


async def test_each_phase_has_its_time() -> None:
    protocol, _, _ = protocol_of(of_length(2), part(b"ok"))

    def late_after(seconds: float) -> bool:
        now = protocol.loop.time()
        return not protocol.late(now + seconds - 1) and protocol.late(now + seconds + 1)

    assert late_after(HEAD_SECONDS), "nobody asks anything"
    await answers(protocol, GET)
    assert late_after(IDLE_SECONDS), "the next request"
    protocol.data_received(b"POST / HTTP/1.1\r\n")
    assert late_after(HEAD_SECONDS)
    protocol.data_received(b"Content-Length: 2\r\n\r\n")
    assert late_after(BODY_SECONDS)
    protocol.data_received(b"ab")
    assert not protocol.late(protocol.loop.time() + 1e6), "the application has the time it needs"
    await answers(protocol)
    assert late_after(IDLE_SECONDS)
    await answers(protocol, b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na")
    assert late_after(BODY_SECONDS), "it was answered before its body was whole"


CHUNKED: Final = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
OFFER: Final = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


async def test_a_trailer_is_no_header() -> None:
    protocol, _, asked = protocol_of(of_length(2), part(b"ok"))
    ended = b"2\r\nab\r\n0\r\nAuthorization: Bearer x\r\nIdempotency-Key: y\r\n\r\n"
    await answers(protocol, CHUNKED + ended, GET)
    assert [one["body"] for one in asked] == [b"ab", b""]
    assert [one["headers"] for one in asked] == [
        [(b"transfer-encoding", b"chunked")],
        [(b"host", b"a")],
    ]


@pytest.mark.parametrize("beside", [b"X-A: %b\r\n" % (b"a" * 8000), b";" + b"a" * 8000])
async def test_what_comes_beside_a_body_is_bounded(beside: bytes) -> None:
    protocol, wire, _ = protocol_of(of_length(2), part(b"ok"))
    protocol.data_received(CHUNKED + (b"0" if beside.startswith(b";") else b"0\r\n"))
    for _ in range(MAX_BESIDE_BODY_BYTES // len(beside) + 1):
        protocol.data_received(beside)
    assert wire.written[0].startswith(b"HTTP/1.1 400 ")
    await asyncio.gather(*protocol.tasks)


async def test_a_body_in_the_smallest_chunks_is_read() -> None:
    protocol, wire, asked = protocol_of(of_length(2), part(b"ok"))
    await answers(protocol, CHUNKED, *[b"1\r\na\r\n" * 1024] * 64, b"0\r\n\r\n")
    assert not wire.is_closing()
    assert len(asked) == 1


async def test_requests_sent_ahead_are_bounded() -> None:
    protocol, wire, asked = protocol_of(of_length(2), part(b"ok"))
    protocol.data_received(GET)
    protocol.data_received(GET)
    assert not wire.reading, "nothing is read while one waits"
    protocol.data_received(GET * MAX_AHEAD)
    assert len(protocol.pipeline) == MAX_AHEAD
    assert wire.written == [b"aborted"], "no refusal is taken for the answer of the first"
    await asyncio.gather(*protocol.tasks)
    assert len(asked) == 1


async def test_reading_goes_on_when_all_that_was_sent_ahead_is_answered() -> None:
    protocol, wire, asked = protocol_of(of_length(2), part(b"ok"))
    await answers(protocol, GET * MAX_AHEAD, GET)
    assert len(asked) == MAX_AHEAD + 1
    assert wire.reading


async def test_whoever_is_gone_is_gone_for_each_of_his_requests() -> None:
    heard: list[str] = []

    async def app(_: Message, receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
        await send(OK)
        while heard[-1:] != ["http.disconnect"]:
            heard.append((await receive())["type"])

    protocol, _, _ = protocol_of()
    protocol.app = app
    protocol.data_received(GET * 2)
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    await asyncio.gather(*protocol.tasks)
    assert heard == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("cut", range(0, 60, 7))
async def test_the_body_of_an_offer_is_no_request(cut: int) -> None:
    """Whoever stands before us counts it as the body; as a request it would be smuggled in."""
    protocol, wire, asked = protocol_of(of_length(2), part(b"ok"))
    head = b"POST / HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (OFFER, len(GET))
    after = GET + GET.replace(b"x=1", b"x=2")
    await answers(protocol, head + after[:cut], after[cut:])
    assert [(one["method"], one["body"]) for one in asked] == [("POST", GET), ("GET", b"")]
    assert asked[1]["query_string"] == b"x=2"
    assert len(wire.written) == 2


async def test_an_offer_with_chunks_is_refused() -> None:
    protocol, wire, asked = protocol_of(of_length(2), part(b"ok"))
    await answers(protocol, CHUNKED[:-2] + OFFER + b"\r\n0\r\n\r\n" + GET)
    assert asked == []
    assert wire.written[0].startswith(b"HTTP/1.1 400 ")


async def test_what_is_no_request_gets_no_answer_before_those_that_are() -> None:
    protocol, wire, _ = protocol_of(of_length(2), part(b"ok"))
    protocol.data_received(GET + b"no request\r\n\r\n")
    assert wire.written == [b"aborted"]
    await asyncio.gather(*protocol.tasks)
    protocol, wire, _ = protocol_of(of_length(2), part(b"ok"))
    await answers(protocol, GET)
    await answers(protocol, b"no request\r\n\r\n")
    assert [one[:12] for one in wire.written] == [b"HTTP/1.1 201", b"HTTP/1.1 400", b"closed"]


async def test_old_clients_get_no_chunks() -> None:
    protocol, wire, _ = protocol_of(OK, part(b"one", more=True), part(b"two"))
    await answers(protocol, GET.replace(b"1.1", b"1.0"))
    assert wire.written == [
        b"HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\n\r\none",
        b"two",
        b"closed",
    ]


async def test_whoever_does_not_read_is_late() -> None:
    protocol, _, _ = protocol_of(of_length(2), part(b"ok"))
    now = protocol.loop.time()
    await answers(protocol, GET)
    protocol.pause_writing()
    assert not protocol.late(now + WRITE_SECONDS - 1)
    assert protocol.late(now + WRITE_SECONDS + 1)
    protocol.resume_writing()
    assert not protocol.late(now + WRITE_SECONDS + 1)
    await answers(protocol, GET.replace(b"1.1", b"1.0"))
    assert protocol.late(protocol.loop.time() + WRITE_SECONDS + 1), "it is closed when it has read"


async def test_whoever_reads_slowly_is_not_late() -> None:
    protocol, wire, _ = protocol_of(of_length(2), part(b"ok"))
    await answers(protocol, GET)
    wire.unread = 10 * READ_BYTES
    protocol.pause_writing()
    now = protocol.loop.time()
    for _ in range(9):
        now += WRITE_SECONDS + 1
        wire.unread -= READ_BYTES
        assert not protocol.late(now)
        assert not protocol.late(now + WRITE_SECONDS - 1)
    assert protocol.late(now + WRITE_SECONDS + 1), "it reads no more"
    wire.unread -= 1
    assert protocol.late(now + WRITE_SECONDS + 1), "or as good as nothing"


async def test_who_is_late_is_not_waited_for() -> None:
    protocol, wire, _ = protocol_of(of_length(2), part(b"ok"))
    server = Server(protocol.config, on_ready=lambda: None, on_stop=lambda: None)
    server.server_state.connections.add(protocol)
    await server.on_tick(0)
    assert wire.written == []
    protocol._late_at = 0
    await server.on_tick(0)
    assert wire.written == [b"aborted"]


async def test_who_waits_for_a_sign_to_go_on_gets_it_or_the_end() -> None:
    expects = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    protocol, wire, asked = protocol_of(of_length(2), part(b"ok"))
    protocol.data_received(expects)
    await asyncio.sleep(0)
    assert wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    await answers(protocol, b"ab")
    assert asked[0]["body"] == b"ab"
    assert not wire.is_closing()

    async def refuses(_: Message, _receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
        await send(of_length(2))
        await send(part(b"no"))

    protocol, wire, _ = protocol_of()
    protocol.app = refuses
    await answers(protocol, expects)
    assert b"connection: close" in wire.written[0]
    assert wire.is_closing(), "what comes next may be the body, or a request"


async def test_who_asks_no_more_gets_his_answers() -> None:
    protocol, wire, _ = protocol_of(of_length(2), part(b"ok"))
    assert not protocol.eof_received(), "nothing was asked"
    protocol.data_received(GET * 2)
    assert protocol.eof_received()
    await answers(protocol)
    assert [one[:12] for one in wire.written] == [b"HTTP/1.1 201"] * 2 + [b"closed"]


@pytest.mark.parametrize("asked", [b"", GET[:9], b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na"])
async def test_who_asks_no_more_and_asked_nothing_whole_is_gone(asked: bytes) -> None:
    protocol, _, _ = protocol_of(of_length(2), part(b"ok"))
    protocol.data_received(asked)
    assert not protocol.eof_received()
    protocol.connection_lost(None)
    await asyncio.gather(*protocol.tasks)


async def test_a_stream_ends_when_its_client_asks_no_more() -> None:
    protocol, _, _ = protocol_of(OK, part(b"event", more=True))
    protocol.data_received(GET)
    await asyncio.gather(*protocol.tasks)  # the application leaves it there
    assert protocol.cycle.response_started
    assert not protocol.eof_received()
    await asyncio.gather(*protocol.tasks)
