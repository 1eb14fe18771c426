"""The host against whoever means it ill: floods, silence, garbage, peers that do not read."""

import asyncio
import errno
import socket
from datetime import date
from random import Random
from typing import Any

import pytest

from acquiring_bank import Bank
from acquiring_host import Wire as Raw
from acquiring_host import code, codes, open_client, open_host, open_wire, stans, until
from acquiring_play import DAY, Terminal, make_context, make_link, money, network
from tandem.acquiring import Host, Limits, Listener, Mac, Message
from tandem.acquiring.desk import Ticket

QUICK = Limits(
    sign_on_seconds=1, frame_seconds=1, idle_seconds=1, write_seconds=1, answer_seconds=1
)


async def serves(host: Host) -> None:
    """Everybody else is served as if nothing was."""
    async with open_client(host) as client:
        assert code(await client.request(network("301"))) == "00"
    assert host.counts["faults"] == 0


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"\x00", b""),
        (b"\x00\x10half", b""),
        (Terminal(make_link()).write(network("001")), b""),
        (Terminal(make_link()).write(network("001")), b"\x00\x10half"),
        (Terminal(make_link()).write(network("301")), b""),
        (b"\xff\xff", b""),
        (b"\x00\x04junk" * 10, b""),
        (b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),
    ],
)
async def test_silence_halves_and_garbage_end_the_connection(first: bytes, then: bytes) -> None:
    async with open_host(make_link(limits=QUICK)) as host, open_wire(host) as wire:
        for data in (first, then):
            wire.writer.write(data)
            await wire.writer.drain()
            await asyncio.sleep(0.05)
        assert await wire.ended()
        await until(lambda: not host.connections)
        await serves(host)


async def test_a_byte_now_and_then_does_not_keep_half_a_message_alive() -> None:
    async with open_host(make_link(limits=QUICK)) as host, open_wire(host) as wire:
        await wire.sign_on()
        message = wire.terminal.write(money())

        async def drip() -> None:
            for byte in message:
                wire.writer.write(bytes((byte,)))
                await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        assert await wire.ended()
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        assert host.link_counts()["harbour"]["messages_in"] == 1


async def test_a_peer_that_does_not_read_is_not_answered_for_ever() -> None:
    link = make_link(limits=Limits(write_seconds=1, per_second=1_000_000))
    async with open_host(link) as host, open_wire(host) as wire:
        wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await wire.sign_on()
        echo = wire.terminal.write(network("301")) * 500

        async def flood() -> None:
            while True:
                wire.writer.write(echo)
                await wire.writer.drain()

        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]  # it must not read
        flooding = asyncio.create_task(flood())
        await until(lambda: not host.connections)
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        assert host.counts["connections_overdue"] == 1
        await serves(host)


async def test_a_flood_is_slowed_down_and_its_neighbours_are_not() -> None:
    flood, calm = Listener(port=0), Listener(host="127.0.0.2", port=0)
    links = (
        make_link(name="flood", networks=("127.0.0.1/32",), limits=Limits(per_second=20)),
        make_link(name="calm", networks=("127.0.0.2/32",)),
    )
    async with open_host(*links, listeners=(flood, calm)) as host, open_wire(host) as wire:
        await wire.sign_on()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await wire.send(*(network("301", stan) for stan in range(1, 50)))
        reader, writer = await asyncio.open_connection(
            "127.0.0.2", host.ports[1], local_addr=("127.0.0.2", 0)
        )
        neighbour = Raw(links[1], reader, writer)
        for stan in range(1, 50):
            assert code(await neighbour.ask(network("301", stan))) == "00"
        assert loop.time() - began < 1
        assert stans(await wire.answers(49)) == list(range(1, 50))
        assert loop.time() - began > 1.2
        assert host.link_counts()["flood"]["throttled"] > 0
        await neighbour.close()


async def test_strangers_are_sent_away() -> None:
    async with open_host(make_link(networks=("10.0.0.0/8",))) as host:
        for _ in range(3):
            async with open_wire(host) as wire:
                assert await wire.ended()
        assert host.counts["strangers"] == 3
        assert host.connections == 0


@pytest.mark.parametrize(
    "settings", [{"connections": 3}, {"per_address": 3}, {"links": 3}], ids=lambda s: next(iter(s))
)
async def test_connections_above_a_limit_are_refused_until_there_is_room(
    settings: dict[str, Any],
) -> None:
    limit = Limits(connections=settings.pop("links", 64))
    async with open_host(make_link(limits=limit), **settings) as host:
        wires = [await Raw.open(host) for _ in range(3)]
        for wire in wires:
            await wire.sign_on()
        async with open_wire(host) as extra:
            assert await extra.ended()
        assert host.counts["connections_above_limit"] == 1
        await wires[0].close()
        await until(lambda: host.connections == 2)
        async with open_wire(host) as late:
            await late.sign_on()
        for wire in wires[1:]:
            await wire.close()


async def test_a_thousand_connections_are_one_thousand_and_no_more() -> None:
    link = make_link(limits=Limits(connections=100_000))
    async with open_host(link, connections=1000, per_address=10_000) as host:
        wires = await asyncio.gather(*(Raw.open(host) for _ in range(1200)))
        await until(lambda: host.counts["connections_gave_way"] == 200)
        assert host.connections == 1000
        for wire in wires[:1100]:
            wire.reset()
        await until(lambda: host.connections == 100)
        await serves(host)
        for wire in wires[1100:]:
            wire.reset()
        await until(lambda: host.connections == 0)


@pytest.mark.parametrize("settings", [{"connections": 5}, {"links": 5}], ids=["host", "link"])
async def test_who_says_nothing_gives_way_to_who_signs_on(settings: dict[str, Any]) -> None:
    limit = Limits(connections=settings.pop("links", 64))
    async with open_host(make_link(limits=limit), **settings) as host:
        first = await Raw.open(host)
        await first.sign_on()
        silent = [await Raw.open(host) for _ in range(20)]
        half = first.terminal.write(money())[:30]
        for wire in silent:
            wire.writer.write(half)
        await until(lambda: host.counts["connections_gave_way"] == 16)
        signed_on = [await Raw.open(host) for _ in range(4)]
        for wire in signed_on:
            await wire.sign_on()
        await until(lambda: host.connections == 5)
        async with open_wire(host) as extra:  # nobody is left who would give way
            assert await extra.ended()
        assert host.counts["connections_above_limit"] == 1
        for wire in (first, *signed_on):
            assert code(await wire.ask(network("301"))) == "00"
        assert host.link_counts()["harbour"]["connections"] == 5
        for wire in (first, *silent, *signed_on):
            await wire.close()
        await until(lambda: host.connections == 0)
        assert host.link_counts()["harbour"]["connections"] == 0


async def test_no_more_files_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [errno.EMFILE, errno.ECONNABORTED, errno.ENOBUFS]

    async def scarce(listening: socket.socket) -> tuple[socket.socket, object]:
        accepted, peer = await accept(listening)
        if failures:
            accepted.close()
            raise OSError(failures.pop(), "none left")
        return accepted, peer

    monkeypatch.setattr(loop, "sock_accept", scarce)
    async with open_host() as host:
        for _ in range(3):
            async with open_wire(host) as wire:
                assert await wire.ended()
        assert host.counts["accepts_failed"] == 3
        await serves(host)


@pytest.mark.parametrize("seed", range(8))
async def test_random_streams_hurt_nobody(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - to be repeatable
    link = make_link(limits=Limits(per_second=100_000, connections=1000))
    bank = Bank()
    async with open_host(link, bank=bank) as host:

        async def rant() -> None:
            async with open_wire(host) as wire:
                try:
                    for _ in range(random.randrange(1, 20)):
                        data = bytearray(wire.terminal.write(random.choice(MESSAGES)))
                        for _ in range(random.choice((0, 0, 0, 1, 5))):
                            data[random.randrange(len(data))] = random.randrange(256)
                        wire.writer.write(data[: random.choice((len(data), random.randrange(400)))])
                        await wire.writer.drain()
                        await asyncio.sleep(0)
                except ConnectionError:
                    pass  # it was thrown out
                wire.reset()

        await asyncio.gather(*(rant() for _ in range(20)))
        await until(lambda: not host.connections and not host.under_way)
        await serves(host)
        assert bank.taken >= 0  # the books agree with themselves


MESSAGES = (
    network("001"), network("301"), network("161"), money("0200", 1), money("0201", 1),
    money("0420", 2), money("0100", 3), money("0220", 4), money("0500", 5),
)  # fmt: skip


async def test_forged_messages_move_nothing_and_end_the_connection() -> None:
    link = make_link(mac=Mac(key="master"), limits=Limits(faults=5))
    bank = Bank()
    async with open_host(link, bank=bank) as host, open_wire(host, link) as wire:
        await wire.sign_on()
        genuine = wire.terminal.write(money("0200", 1, AMOUNT="000000000001"))
        for at in (40, 60, 80, len(genuine) - 1):
            changed = bytearray(genuine)
            changed[at] ^= 1
            wire.writer.write(changed)
        stripped = Terminal(make_link()).write(money("0200", 2))
        wire.writer.write(stripped)
        assert await wire.ended()
        assert bank.asked == []
        counts = host.link_counts()["harbour"]
        assert counts["mac_wrong"] + counts["mac_missing"] + counts.get("message_malformed", 0) == 5


async def test_a_recorded_payment_played_again_is_booked_once() -> None:
    bank = Bank()
    async with open_host(bank=bank) as host, open_wire(host) as wire:
        await wire.sign_on()
        recorded = wire.terminal.write(money("0200", 1))
        wire.writer.write(recorded * 5)
        assert codes(await wire.answers(5)) == ["00"] * 5
    assert bank.taken == 1234


async def test_a_fault_of_ours_costs_one_answer_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = make_link(order="arrival", limits=Limits(pending=2))
    async with open_host(link) as host, open_wire(host) as wire:
        await wire.sign_on()
        decide, broken = host.clerk.answer, [1, 2]

        async def breaks(ticket: Ticket) -> Message | None:
            if broken:
                broken.pop()
                raise ZeroDivisionError
            return await decide(ticket)

        monkeypatch.setattr(host.clerk, "answer", breaks)
        await wire.send(*(money("0200", stan) for stan in (1, 2, 3)))
        assert stans(await wire.answers(1)) == [3]
        assert host.counts["faults"] == 2
        assert code(await wire.ask(money("0201", 1))) == "00"


async def test_a_day_that_cannot_be_told_does_not_stop_the_watch() -> None:
    days = iter([DAY])

    def day() -> date:
        return next(days)  # and then StopIteration, as a fault would

    limits = Limits(sign_on_seconds=1)
    context = make_context(business_day=day)
    async with open_host(make_link(limits=limits), context=context) as host:
        await until(lambda: host.counts["faults"] == 2)
