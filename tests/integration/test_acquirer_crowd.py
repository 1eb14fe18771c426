"""Ten thousand connections that mean nothing good, beside a terminal that takes payments.

As many as this machine lets a process open, if that is less. They stand open: silent, in the middle
of a message, after a length that lies, after bytes that are no message.
"""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
from card_site import Site, counter, links, site

from acquiring_play import Terminal, make_link, money
from conftest import open_folder
from tandem.tap import Payment

SPARE_FILES: Final = 1000
ADDRESSES: Final = 16
MOST_BYTES_EACH: Final = 64 * 1024
"""Of memory, for each connection; the kernel's own not counted."""
WHOLE: Final = Terminal(make_link()).write(money())
SAID: Final = (
    b"",
    WHOLE[: len(WHOLE) // 2],
    b"\xff\xff" + bytes(200),
    (len(WHOLE) - 2).to_bytes(2, "big") + b"0200" + bytes(len(WHOLE) - 6),
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
)


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[Site]:
    with open_folder() as folder:
        async with site(folder) as opened:
            yield opened


def crowded(place: Site) -> str:
    """The site's links, and one that anybody may connect to, at a port of its own."""
    text = links(place.port, place.shop.till_id).replace('name = "harbour"\n', "", 1)
    return text.replace(
        "[[links]]",
        f"""[[listeners]]
port = {place.crowd_port}

[[links]]
name = "crowd"
port = {place.crowd_port}
networks = ["127.0.0.0/8"]
limits = {{ connections = 100000, sign_on_seconds = 600, frame_seconds = 600 }}

[[links]]
name = "harbour"
port = {place.port}
""",
    )


@contextmanager
def crowd(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many connections from several addresses, each of which says something."""
    opened: list[socket.socket] = []
    try:
        for number in range(count):
            address = f"127.0.1.{number % ADDRESSES + 1}"
            one = socket.create_connection(("127.0.0.1", port), 60, source_address=(address, 0))
            opened.append(one)
            with suppress(ConnectionError):  # it was thrown out already
                one.sendall(SAID[number % len(SAID)])
        yield opened
    finally:
        for one in opened:
            one.close()


def resident_bytes(pid: int) -> int:
    """How much memory a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_ten_thousand_connections_leave_the_others_served(place: Site) -> None:
    (place.folder / "links.toml").write_text(crowded(place))
    await place.server.stop()
    await place.server.start()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, files - SPARE_FILES)
    (worker,) = place.server.worker_pids()
    before, paid = resident_bytes(worker), await place.spent()
    async with place.client() as early:
        await early.ready(60)
        with counter(place, early) as here:
            assert (await here.till.take(10_50)).approved
            stack = crowd(place.crowd_port, count)
            opened = await asyncio.to_thread(stack.__enter__)
            try:
                assert len(opened) == count
                assert (await here.till.take(11_00)).approved
                # Those whose length cannot be are closed; the others stand.
                assert descriptors(worker) > count // 2
                more = resident_bytes(worker) - before
                assert more < count * MOST_BYTES_EACH, f"{more // count} bytes each"
                taken: list[Payment] = []
                async with place.client() as late:  # who comes now is served, too
                    await late.ready(60)
                    here.online.use(late)
                    taken.append(await here.till.take(12_00))
                assert taken[0].approved
                assert await place.spent() == paid + 33_50  # over HTTP
            finally:
                await asyncio.to_thread(stack.__exit__, None, None, None)
            here.online.use(early)
            assert (await here.till.take(13_00)).approved
    assert await place.spent() == paid + 46_50
    assert place.server.worker_pids() == [worker]
    assert place.server.faults() == []
