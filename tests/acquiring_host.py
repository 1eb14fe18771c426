"""A host on loopback for tests, and terminals that talk to it byte by byte or by the client."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from acquiring_bank import Bank
from acquiring_play import Keys, Terminal, make_context, make_link, network
from tandem.acquiring import (
    Client,
    ClientSettings,
    Context,
    De,
    Host,
    HostSettings,
    Link,
    Listener,
    Message,
)  # fmt: skip
from tandem.kernel import SystemClock, system_entropy

SOON: Final = 60.0
"""Long enough for anything that should happen, in seconds."""


@asynccontextmanager
async def open_host(
    *links: Link, bank: Bank | None = None, context: Context | None = None, **settings: object
) -> AsyncIterator[Host]:
    """A host that listens on a free port of loopback."""
    given = {"listeners": (Listener(port=0),), "links": links or (make_link(),), **settings}
    host_settings = HostSettings(**given)  # type: ignore[arg-type]  # each test gives what fits
    async with Host(host_settings, bank or Bank(), Keys(), context or make_context()) as host:
        yield host


class Wire:
    """A terminal's raw connection."""

    def __init__(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.terminal = Terminal(link)
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, host: Host, link: Link | None = None) -> "Wire":
        reader, writer = await asyncio.open_connection("127.0.0.1", host.ports[0])
        return cls(link or make_link(), reader, writer)

    async def send(self, *messages: Message) -> None:
        self.writer.write(b"".join(self.terminal.write(message) for message in messages))
        await self.writer.drain()

    async def answers(self, count: int) -> list[Message]:
        """So many answers, in the order in which they come."""
        found: list[Message] = []
        async with asyncio.timeout(SOON):
            while len(found) < count:
                size = await self.reader.readexactly(2)
                body = await self.reader.readexactly(int.from_bytes(size, "big"))
                found += self.terminal.read(size + body)
        return found

    async def ask(self, message: Message) -> Message:
        await self.send(message)
        (answer,) = await self.answers(1)
        return answer

    async def sign_on(self) -> None:
        assert code(await self.ask(network("001"))) == "00"

    async def ended(self) -> bool:
        """Whether the host closed the connection, within reason."""
        try:
            async with asyncio.timeout(SOON):
                while await self.reader.read(65_536):
                    pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True

    def reset(self) -> None:
        """Cut the connection without a word, as a terminal does whose power fails."""
        cut = struct.pack("ii", 1, 0)
        connected = self.writer.get_extra_info("socket")
        with suppress(OSError):  # the host was faster
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, cut)
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@asynccontextmanager
async def open_wire(host: Host, link: Link | None = None) -> AsyncIterator[Wire]:
    """A raw connection, closed in the end."""
    wire = await Wire.open(host, link)
    try:
        yield wire
    finally:
        await wire.close()


@asynccontextmanager
async def open_client(
    host: Host, link: Link | None = None, **settings: object
) -> AsyncIterator[Client]:
    """A client that is signed on."""
    link = link or make_link()
    given: dict[str, object] = {
        "port": host.ports[0],
        "wire": link.wire,
        "mac": link.mac,
        "sign_on": link.sign_on,
        **settings,
    }
    client_settings = ClientSettings(**given)  # type: ignore[arg-type]  # each test gives what fits
    async with Client(client_settings, Keys(), SystemClock(), system_entropy) as client:
        await client.ready(SOON)
        yield client


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so, within reason."""
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - any condition, and not all have an event
            await asyncio.sleep(0.01)


def code(message: Message) -> str | None:
    """How it ended."""
    return message.text(De.RESPONSE_CODE)


def codes(messages: Iterable[Message]) -> list[str | None]:
    """How they ended."""
    return [code(message) for message in messages]


def stans(messages: Iterable[Message]) -> list[int]:
    """Their trace numbers."""
    return [int(message.text(De.STAN) or 0) for message in messages]
