"""The client: stays connected, knows what it does not know, and believes only its host."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from acquiring_bank import Bank
from acquiring_host import SOON, code, open_client, open_host, until
from acquiring_play import FIXED, NOW, Keys, Terminal, make_context, make_link, money, network
from tandem.acquiring import (
    Client,
    ClientSettings,
    De,
    Host,
    HostSettings,
    Limits,
    LinkKeyMissing,
    LinksUnusable,
    Listener,
    Mac,
    MacKey,
    Message,
    NoAnswer,
    NotSent,
)  # fmt: skip
from tandem.acquiring.codes import ResponseCode
from tandem.acquiring.respond import answer
from tandem.kernel import SystemClock, system_entropy

FIXED_MAC = Mac(key="fixed", keys="fixed")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Terminal], Awaitable[None]]


def zeros(count: int) -> bytes:
    """No jitter: the shortest pauses."""
    return bytes(count)


@asynccontextmanager
async def odd_host(serve: Serve, mac: Mac | None = None) -> AsyncIterator[int]:
    """A host that does what a test wants; its port."""
    link = make_link(mac=mac)
    key = MacKey(mac, FIXED) if mac else None

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer, Terminal(link, key))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def read(reader: asyncio.StreamReader, terminal: Terminal) -> Message:
    size = await reader.readexactly(2)
    (message,) = terminal.read(size + await reader.readexactly(int.from_bytes(size, "big")))
    return message


@asynccontextmanager
async def client_of(port: int, **settings: object) -> AsyncIterator[Client]:
    given: dict[str, object] = {"port": port, "sign_on": False, **settings}
    client_settings = ClientSettings(**given)  # type: ignore[arg-type]  # each test gives what fits
    async with Client(client_settings, Keys(), SystemClock(), zeros) as client:
        yield client


async def test_without_a_host_nothing_is_sent_and_the_reason_is_told() -> None:
    async with odd_host(lambda *_: asyncio.sleep(0)) as port:
        pass
    async with client_of(port) as client:
        with pytest.raises(NotSent, match="not sent"):
            await client.request(money())
        with pytest.raises(NotSent, match=r"[Cc]onnect"):
            await client.ready(0.2)


async def test_it_comes_back_when_the_host_does() -> None:
    bank = Bank()
    async with open_host(bank=bank) as host, open_client(host, echo_seconds=1) as client:
        port = host.ports[0]
        assert code(await client.request(money("0200", 1))) == "00"
        await host.stop()
        await until(lambda: not client.connected)
        with pytest.raises(NotSent):
            await client.request(money("0200", 2))
        settings = HostSettings(listeners=(Listener(port=port),), links=(make_link(),))
        async with Host(settings, bank, Keys(), make_context()):
            await client.ready(SOON)
            assert code(await client.request(money("0200", 2))) == "00"
    assert bank.taken == 2 * 1234


async def test_a_loss_while_an_answer_is_waited_for_leaves_the_outcome_open() -> None:
    async def cut(reader: asyncio.StreamReader, _: object, terminal: Terminal) -> None:
        await read(reader, terminal)

    async with odd_host(cut) as port, client_of(port) as client:
        await client.ready(SOON)
        with pytest.raises(NoAnswer, match="Reverse"):
            await client.request(money())


async def test_an_answer_that_comes_too_late_is_not_taken_for_another() -> None:
    async def late(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, terminal: Terminal
    ) -> None:
        first = await read(reader, terminal)
        second = await read(reader, terminal)
        for message in (first, second):
            writer.write(terminal.write(answer(message, ResponseCode.APPROVED)))
        await reader.read()

    async with odd_host(late) as port, client_of(port) as client:
        await client.ready(SOON)
        with pytest.raises(NoAnswer, match="longer than"):
            await client.request(money("0200", 1), within_seconds=0.1)
        reply = await client.request(money("0200", 2))
        assert reply.text(De.STAN) == "000002"
        assert client.counts["late"] == 1


async def test_answers_may_come_in_any_order_and_in_any_pieces() -> None:
    async def shuffled(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, terminal: Terminal
    ) -> None:
        asked = [await read(reader, terminal) for _ in range(5)]
        data = b"".join(
            terminal.write(answer(message, ResponseCode.APPROVED)) for message in reversed(asked)
        )
        for at in range(0, len(data), 7):
            writer.write(data[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with odd_host(shuffled) as port, client_of(port) as client:
        await client.ready(SOON)
        replies = await asyncio.gather(*(client.request(money("0200", n)) for n in range(5)))
        assert [reply.text(De.STAN) for reply in replies] == [f"{n:06d}" for n in range(5)]


@pytest.mark.parametrize("lie", ["no mac", "other key", "junk"])
async def test_an_answer_that_is_not_the_host_s_is_not_believed(lie: str) -> None:
    async def forge(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, terminal: Terminal
    ) -> None:
        message = answer(await read(reader, terminal), ResponseCode.APPROVED)
        other = MacKey(FIXED_MAC, bytes(range(16)))
        writer.write(
            {
                "no mac": Terminal(make_link()).write(message),
                "other key": terminal.write(message, other),
                "junk": b"\x00\x04junk",
            }[lie]
        )
        await reader.read()

    async with odd_host(forge, FIXED_MAC) as port, client_of(port, mac=FIXED_MAC) as client:
        await client.ready(SOON)
        with pytest.raises(NoAnswer):
            await client.request(money(), within_seconds=0.2)
        names = {"no mac": "mac_missing", "other key": "mac_wrong", "junk": "message_malformed"}
        assert client.counts[names[lie]] == 1


async def test_a_stream_that_is_lost_is_left_and_begun_anew() -> None:
    async def broken(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, terminal: Terminal
    ) -> None:
        await read(reader, terminal)
        writer.write(b"\xff")
        writer.write(b"\xff" + b"x" * 70_000)
        await reader.read()

    async with odd_host(broken) as port, client_of(port) as client:
        await client.ready(SOON)
        with pytest.raises(NoAnswer):
            await client.request(money(), within_seconds=0.5)


async def test_a_refused_sign_on_is_no_connection() -> None:
    async with open_host(make_link(terminals=("TERM0001",))) as host:
        async with client_of(host.ports[0], sign_on=True, terminal="TERM0002") as client:
            with pytest.raises(NotSent, match="58 to sign-on"):
                await client.ready(0.5)
        async with client_of(host.ports[0], sign_on=True, terminal="TERM0001") as client:
            await client.ready(SOON)


async def test_a_host_that_brings_no_key_is_not_believed() -> None:
    async def keyless(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, terminal: Terminal
    ) -> None:
        message = await read(reader, terminal)
        writer.write(terminal.write(answer(message, ResponseCode.APPROVED)))
        await reader.read()

    session = {"mac": Mac(key="master"), "sign_on": True, "answer_seconds": 1}
    async with odd_host(keyless) as port, client_of(port, **session) as client:
        with pytest.raises(NotSent):
            await client.ready(1.5)
        assert client.counts["mac_missing"] >= 1


async def test_a_wrong_master_key_is_no_connection() -> None:
    link = make_link(mac=Mac(key="master"))
    async with open_host(link) as host:
        settings = ClientSettings(port=host.ports[0], mac=Mac(key="master"), answer_seconds=1)
        keys = Keys({"master": bytes(32)})
        async with Client(settings, keys, SystemClock(), system_entropy) as client:
            with pytest.raises(NotSent, match="longer than 1 second"):
                await client.ready(1.5)
            assert client.counts["key_block_broken"] >= 1


async def test_a_quiet_host_is_asked_and_a_dead_one_is_left() -> None:
    asked: list[Message] = []

    async def dead(reader: asyncio.StreamReader, _: object, terminal: Terminal) -> None:
        asked.append(await read(reader, terminal))
        await reader.read()

    quick = {"echo_seconds": 1, "answer_seconds": 1}
    async with odd_host(dead) as port, client_of(port, **quick) as client:
        await client.ready(SOON)
        await until(lambda: client.counts["connected"] == 2)
    assert [message.text(De.NETWORK_CODE) for message in asked] == ["301"]


async def test_a_key_is_changed_before_it_is_too_old() -> None:
    mac = Mac(key="master", life_seconds=4)  # a busy machine may sleep for a second
    bank = Bank()
    async with open_host(make_link(mac=mac), bank=bank) as host:
        async with open_client(host, make_link(mac=mac)) as client:
            for stan in range(1, 16):
                assert code(await client.request(money("0200", stan))) == "00"
                await asyncio.sleep(0.3)
            assert client.counts["connected"] == 1
        assert host.link_counts()["harbour"]["keys_issued"] >= 2
    assert bank.taken == 15 * 1234


async def test_what_the_host_asks_is_answered_and_a_new_day_is_told() -> None:
    days: list[str] = []
    today = [NOW.date()]
    link = make_link(cutover=True, echo_seconds=1, limits=Limits(answer_seconds=1))
    context = make_context(business_day=lambda: today[-1])
    async with open_host(link, context=context) as host:
        settings = ClientSettings(port=host.ports[0])
        async with Client(
            settings, Keys(), SystemClock(), system_entropy, on_cutover=days.append
        ) as client:
            await client.ready(SOON)
            await until(lambda: days)
            today.append(today[0].replace(day=24))
            await until(lambda: len(days) > 1)
            await asyncio.sleep(2.5)  # longer than an echo test may be unanswered
            assert client.connected
    assert days == ["1123", "1124"]


async def test_what_a_host_may_not_ask_is_refused() -> None:
    replies: list[Message] = []

    async def asking(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, terminal: Terminal
    ) -> None:
        for message in (network("161"), money("0200", 2)):
            writer.write(terminal.write(message))
            replies.append(await read(reader, terminal))
        await reader.read()

    async with odd_host(asking) as port, client_of(port) as client:
        await client.ready(SOON)
        await until(lambda: len(replies) == 2)
    assert [(reply.mti, code(reply)) for reply in replies] == [("0810", "12"), ("0210", "12")]


async def test_one_request_of_a_number_at_a_time() -> None:
    async def silent(reader: asyncio.StreamReader, *_: object) -> None:
        await reader.read()

    async with odd_host(silent) as port, client_of(port) as client:
        await client.ready(SOON)
        waiting = asyncio.create_task(client.request(money("0200", 1), 0.2))
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match="under way"):
            await client.request(money("0201", 1))
        with pytest.raises(NoAnswer):
            await waiting
        with pytest.raises(ValueError, match="no request"):
            await client.request(money("0210", 1))


async def test_a_key_that_cannot_be_is_refused_before_anything_is_sent() -> None:
    for mac in (Mac(key="nobody"), Mac(key="short"), Mac(key="short", keys="fixed")):
        keys = Keys({"short": b"short"})
        with pytest.raises((LinkKeyMissing, LinksUnusable)):
            Client(ClientSettings(mac=mac), keys, SystemClock(), zeros)


async def test_pauses_between_tries_double_up_to_a_limit() -> None:
    tries: list[float] = []
    loop = asyncio.get_running_loop()

    async def refuse(*_: object) -> None:
        tries.append(loop.time())

    async with odd_host(refuse) as port, client_of(port, sign_on=True, pause_seconds=1):
        await until(lambda: len(tries) == 4)
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses == pytest.approx([0.25, 0.5, 0.5], abs=0.2)
