"""The relay between a device and the virtual reader's driver, with a driver of our own."""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from tandem.tap import virtual
from tandem.tap.vpcd import LOOPBACK, WHICH_ATR

POWER_ON, POWER_OFF = b"\x01", b"\x00"
SELECT = b"\x00\xa4\x04\x00\x0e2PAY.SYS.DDF01\x00"
ATR = b"\x3b\x80\x80\x01\x01"


class Driver:
    """Takes the connections of a relay, as the driver in pcscd does."""

    def __init__(self) -> None:
        self.joined: asyncio.Queue[Joined] = asyncio.Queue()
        self._all: list[Joined] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(Joined(reader, writer))
        await self.joined.put(self._all[-1])

    def leave(self) -> None:
        for each in self._all:
            each.leave()


class Joined:
    """One end of a connection that speaks in frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    def say(self, message: bytes) -> None:
        self._writer.write(struct.pack(">H", len(message)) + message)

    async def hear(self) -> bytes:
        (length,) = struct.unpack(">H", await self.reader.readexactly(2))
        return await self.reader.readexactly(length)

    def leave(self) -> None:
        self._writer.transport.abort()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "_NOTICE_SECONDS", 0.0)


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Joined, Driver]]:
    """A device that came to a relay, and the driver that the relay leads it to."""
    async with asyncio.timeout(20), _joined() as both:
        yield both


@asynccontextmanager
async def _joined() -> AsyncIterator[tuple[Joined, Driver]]:
    driver = Driver()
    inside = await asyncio.start_server(driver.take, LOOPBACK, 0)
    relay = virtual._Relay(inside.sockets[0].getsockname()[1])
    outside = await asyncio.start_server(relay.serve, LOOPBACK, 0)
    device = Joined(*await asyncio.open_connection(*outside.sockets[0].getsockname()))
    try:
        yield device, driver
    finally:
        device.leave()
        driver.leave()
        outside.close()
        inside.close()
        await asyncio.sleep(0.05)  # the relay's own ends


@contextmanager
def ended() -> Iterator[None]:
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        yield


async def look(driver: Joined, device: Joined) -> None:
    """The driver looks whether the card is there, and the device answers."""
    driver.say(WHICH_ATR)
    assert await device.hear() == WHICH_ATR
    device.say(ATR)
    assert await driver.hear() == ATR


async def test_a_device_that_the_driver_looks_at_in_vain_leaves_and_comes_again() -> None:
    """pcscd looks and powers nothing on: it missed that the device before this one had left."""
    async with joined() as (device, relayed):
        driver = await relayed.joined.get()
        for _ in range(virtual._LOOKS - 1):
            await look(driver, device)
        driver.say(WHICH_ATR)
        with ended():
            await driver.hear()
        driver = await relayed.joined.get()
        driver.say(POWER_ON)
        assert await device.hear() == POWER_ON, "the question before it was answered by nobody"
        for _ in range(virtual._LOOKS + 1):
            await look(driver, device)
        assert relayed.joined.empty()


@pytest.mark.parametrize("known", [POWER_OFF, SELECT])
async def test_a_device_that_the_driver_knows_stays(known: bytes) -> None:
    """pcscd takes it for the one before it, which it had powered on: a terminal may use it."""
    async with joined() as (device, relayed):
        driver = await relayed.joined.get()
        await look(driver, device)
        driver.say(known)
        assert await device.hear() == known
        for _ in range(virtual._LOOKS + 1):
            await look(driver, device)
        assert relayed.joined.empty()


async def test_a_driver_that_never_powers_on_gets_a_device_ten_times() -> None:
    async with joined() as (device, relayed):
        for _ in range(virtual._TRIES):
            driver = await relayed.joined.get()
            for _ in range(virtual._LOOKS - 1):
                await look(driver, device)
            driver.say(WHICH_ATR)
        with ended():
            await device.hear()
        assert relayed.joined.empty()


async def test_a_device_that_leaves_does_not_come_again() -> None:
    async with joined() as (device, relayed):
        driver = await relayed.joined.get()
        await look(driver, device)
        device.leave()
        with ended():
            await driver.hear()
        await asyncio.sleep(0.05)
        assert relayed.joined.empty()
