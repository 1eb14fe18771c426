"""Live updates: frames, heartbeats, and every way in which a stream ends."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import structlog
from web_fakes import KEY, Services, Wire, make_app

from tandem.api.operation import Live
from tandem.kernel import Invalid
from tandem.web.stream import MAX_STREAMS_PER_KEY, Streams

AUTH = [(b"authorization", b"Bearer tk_mer_good")]


class Source:
    """Frames that a test gives one by one; `closed` tells that the stream let go of it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def frames(self) -> AsyncIterator[bytes]:
        try:
            while (frame := await self.queue.get()) is not None:
                if isinstance(frame, Exception):
                    raise frame
                yield frame
        finally:
            self.closed.set()


async def start(wire: Wire) -> asyncio.Task[None]:
    task = asyncio.create_task(wire.request("GET", "/v1/things/live", AUTH))
    await wire.until(lambda: len(wire.sent) >= 2)
    return task


async def test_frames_go_out_as_they_come() -> None:
    services, source = Services(), Source()
    services.frames = source.frames()
    wire = Wire(make_app(services))
    source.queue.put_nowait(b"id: evt_1\ndata: {}\n\n")
    source.queue.put_nowait(None)
    await asyncio.wait_for(await start(wire), 5)
    assert wire.status == 200
    assert wire.headers[b"content-type"].startswith(b"text/event-stream")
    assert wire.headers[b"cache-control"] == b"no-store"
    assert wire.body == b"retry: 2000\n\nid: evt_1\ndata: {}\n\n"
    assert not wire.sent[-1].get("more_body", False)


async def test_the_header_reaches_the_handler() -> None:
    services, source = Services(), Source()
    services.frames = source.frames()
    source.queue.put_nowait(None)
    wire = Wire(make_app(services))
    await wire.request("GET", "/v1/things/live", [*AUTH, (b"last-event-id", b"evt_\xff")])
    assert services.calls[0][0].last_event_id == "evt_\xff"


async def test_a_stream_ends_when_the_client_goes() -> None:
    services, source = Services(), Source()
    services.frames = source.frames()
    wire = Wire(make_app(services))
    task = await start(wire)
    wire.gone.set()
    await asyncio.wait_for(task, 5)
    assert source.closed.is_set()


async def test_streams_end_when_the_server_stops() -> None:
    services, source = Services(), Source()
    services.frames = source.frames()
    app = make_app(services)
    wire = Wire(app)
    task = await start(wire)
    app.stop()
    await asyncio.wait_for(task, 5)
    assert source.closed.is_set()
    assert not wire.sent[-1].get("more_body", False)


async def test_a_stream_ends_when_its_key_is_revoked_and_not_when_another_is() -> None:
    services, source = Services(), Source()
    services.frames = source.frames()
    app = make_app(services)
    (tell,) = services.access.revoked
    wire = Wire(app)
    task = await start(wire)
    tell(UUID(int=6))
    source.queue.put_nowait(b"id: evt_1\n\n")
    await wire.until(lambda: b"evt_1" in wire.body)
    tell(KEY)
    await asyncio.wait_for(task, 5)
    assert source.closed.is_set()
    assert not wire.sent[-1].get("more_body", False)
    assert app._streams.open == 0


async def test_a_source_that_fails_ends_the_stream_and_is_logged() -> None:
    services, source = Services(), Source()
    services.frames = source.frames()
    wire = Wire(make_app(services))
    source.queue.put_nowait(RuntimeError("tk_mer_secret"))
    with structlog.testing.capture_logs() as logs:
        await asyncio.wait_for(await start(wire), 5)
    assert not wire.sent[-1].get("more_body", False)
    assert [line["error"] for line in logs] == ["RuntimeError"]
    assert "secret" not in str(logs)


async def test_a_refusal_before_the_first_frame_is_a_problem() -> None:
    services = Services()
    services.failure = Invalid("Last-Event-ID", "must be evt_…")
    wire = Wire(make_app(services))
    await wire.request("GET", "/v1/things/live", AUTH)
    assert wire.status == 422


@pytest.mark.parametrize(("every", "its_own"), [(0.005, None), (3600, 0.005)])
async def test_a_heartbeat_goes_out_when_nothing_happens(
    every: float, its_own: float | None
) -> None:
    source, streams = Source(), Streams(heartbeat_seconds=every)
    wire = Wire(make_app(Services()))
    live = Live(source.frames(), its_own)
    sending = streams._send(live, asyncio.Event(), [], wire.receive, wire.send)
    task = asyncio.create_task(sending)
    await wire.until(lambda: wire.body.count(b":\n\n") >= 2)
    streams.stop()
    await asyncio.wait_for(task, 5)


async def test_a_key_has_a_bounded_number_of_streams() -> None:
    services = Services()
    app = make_app(services)
    wires, tasks = [], []
    for _ in range(MAX_STREAMS_PER_KEY):
        services.frames = Source().frames()
        wires.append(Wire(app))
        tasks.append(await start(wires[-1]))
    services.frames = Source().frames()
    refused = Wire(app)
    await refused.request("GET", "/v1/things/live", AUTH)
    assert refused.status == 429
    assert refused.headers[b"retry-after"] == b"15"
    wires[0].gone.set()
    await asyncio.wait_for(tasks[0], 5)
    services.frames = Source().frames()
    tasks.append(await start(Wire(app)))
    app.stop()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert app._streams.open == 0
    assert isinstance(Live(Source().frames()), Live)
