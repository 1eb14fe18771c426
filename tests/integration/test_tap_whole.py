"""The whole way of a tap with real processes: phone, terminal, Tandem; and what goes wrong."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tapping import Counter, Phone, counter_at, free_port, lines_until, phone_of, types

from conftest import open_folder
from living import Living, living
from tandem.tap.passcode import MAX_TRIES

_NUMBER = itertools.count(1)
START = 50_000


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data", TANDEM_MODE="sandbox") as server:
            yield server


@pytest.fixture
async def operator(house: Living) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(house.operator_key) as client:
        yield client


@pytest.fixture
async def lin(house: Living, operator: httpx.AsyncClient, tmp_path: Path) -> Phone:
    handle = f"lin{next(_NUMBER)}"
    return await phone_of(house, operator, tmp_path / "phone", handle, yuan=START // 100)


@pytest.fixture
async def counter(
    house: Living,
    operator: httpx.AsyncClient,
    tmp_path: Path,
    lin: Phone,  # noqa: ARG001 - there are no authorities before the first card
) -> Counter:
    return await counter_at(house, operator, tmp_path / "shop")


async def test_payments_at_a_till_one_after_another(counter: Counter, lin: Phone) -> None:
    """Approved online, refused, approved offline and sent on, given back; then the till closes."""
    till = await counter.terminal("run")
    await lines_until(till, "> ")

    await types(till, "80.00")
    assert "Present card  80.00 CNY" in await lines_until(till, "Present card")
    status, said = await lin.tap(counter.port, "--verify")
    assert status == 0, said
    assert "Tapped for 80.00 CNY at Blue Door, the issuer is asked." in said
    assert "Paid 80.00 CNY at Blue Door" in said
    shown = await lines_until(till, "> ")
    assert "Approved" in shown
    assert "APPROVED" in shown
    assert "Verified on the device" in shown
    with lin.device() as device:
        (card,) = device._store.cards()
    assert card.state.last_online_atc == card.state.atc == 1, "the issuer's answer came to the card"

    await types(till, "15.00")
    status, said = await lin.tap(counter.port, "--verify")
    assert "approved offline" in said
    shown = await lines_until(till, "> ")
    assert "APPROVED OFFLINE" in shown

    await types(till, "900.00")
    status, said = await lin.tap(counter.port, "--verify")
    assert status == 1
    assert "Declined: insufficient funds. Nothing was paid." in said
    assert "DECLINED 05" in await lines_until(till, "> ")

    await types(till, "a lot")
    assert "amount" in await lines_until(till, "> ")

    await types(till, "refund 1 30.00")
    status, said = await lin.tap(counter.port)
    shown = await lines_until(till, "> ")
    assert "REFUND" in shown
    assert "Refund of                 000001" in shown
    assert "APPROVED" in shown

    await types(till, "quit")
    left, _ = await till.communicate()
    assert till.returncode == 0, left
    assert await lin.balance() == START - 8000 - 1500 + 3000
    found = await counter.payments()
    assert [(p["status"], p["amount"]) for p in found] == [
        ("declined", 90_000),
        ("captured", 1500),
        ("partially_refunded", 8000),
    ]


async def test_an_approval_offline_outlives_a_crash_and_an_outage(
    house: Living, counter: Counter, lin: Phone
) -> None:
    till = await counter.terminal("run")
    await lines_until(till, "> ")
    await house.stop()
    try:
        await types(till, "12.00")
        status, said = await lin.tap(counter.port, "--verify")
        assert status == 0, said
        assert "did not answer" in said
        assert "approved offline" in said
        assert "APPROVED OFFLINE" in await lines_until(till, "> ")
        till.kill()
        await till.wait()
        sent = await counter.terminal("send")
        said_, _ = await sent.communicate()
        assert (sent.returncode, b"0 sent on; 1 left." in said_) == (1, True), said_
    finally:
        await house.start()
    assert await lin.balance() == START
    counter.write()
    sent = await counter.terminal("send")
    said_, _ = await sent.communicate()
    assert (sent.returncode, b"1 sent on; 0 left." in said_) == (0, True), said_
    assert await lin.balance() == START - 1200
    again = await counter.terminal("send")
    assert b"0 sent on; 0 left." in (await again.communicate())[0]


async def test_a_request_without_an_answer_is_taken_back(
    house: Living, counter: Counter, lin: Phone
) -> None:
    async with muffled(house.port) as (port, gag):
        counter.write(url=f"http://127.0.0.1:{port}", answer=2)
        till = await counter.terminal("run")
        await lines_until(till, "> ")
        gag.set()
        await types(till, "80.00")
        status, said = await lin.tap(counter.port, "--verify")
        assert (status, "Paid 80.00 CNY" in said) == (0, True), said
        assert "DECLINED" in await lines_until(till, "DECLINED")
        assert await lin.balance() == START - 8000, "the answer was lost, not the payment"
        till.kill()
        await till.wait()
        gag.clear()
        sent = await counter.terminal("send")
        said_, _ = await sent.communicate()
        assert b"1 sent on; 0 left." in said_, said_
    assert await lin.balance() == START
    (payment,) = await counter.payments()
    assert payment["status"] == "refunded"


async def test_a_phone_that_is_taken_away_pays_nothing_and_can_be_tapped_again(
    counter: Counter, lin: Phone
) -> None:
    till = await counter.terminal("take", "80.00")
    await lines_until(till, "Present card")
    for answers in (b"", b"\0\x05" + bytes.fromhex("3B80800101")):
        reader, writer = await asyncio.open_connection("127.0.0.1", counter.port)
        await reader.readexactly(len(b"\0\x01\x01\0\x01\x04"))  # power on; which ATR?
        if answers:
            writer.write(answers)
            await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        writer.close()
        await writer.wait_closed()
    status, said = await lin.tap(counter.port, "--verify")
    assert status == 0, said
    shown, _ = await till.communicate()
    assert till.returncode == 0, shown.decode()
    assert await lin.balance() == START - 8000


async def test_tap_is_switched_off_while_a_payment_waits(counter: Counter, lin: Phone) -> None:
    till = await counter.terminal("run")
    await lines_until(till, "> ")
    await types(till, "80.00")
    await lines_until(till, "Present card")
    await counter.accepts({"ways": {"tap": {"enabled": False}}})
    shown = await lines_until(till, "tap")
    assert "does not take" in shown or "switched off" in shown or "not taken" in shown, shown
    await counter.accepts({})
    await asyncio.sleep(1)
    await types(till, "80.00")
    status, said = await lin.tap(counter.port, "--verify")
    assert status == 0, said
    await lines_until(till, "APPROVED")
    till.kill()
    await till.wait()


async def test_six_wrong_passcodes_lock_the_phone(counter: Counter, lin: Phone) -> None:
    for left in range(MAX_TRIES - 1, 0, -1):
        status, said = await lin.tap(counter.port, "--verify", passcode="000001")
        assert status == 1
        assert f"{left} tries are left" in said or "One try is left" in said
    await lin.tap(counter.port, "--verify", passcode="000001")
    status, said = await lin.tap(counter.port, "--verify")
    assert (status, "this device is locked" in said) == (1, True), said


async def test_a_suspended_card_does_not_even_approve_offline(
    house: Living, counter: Counter, lin: Phone
) -> None:
    async with house.client(lin.key) as client:
        answer = await client.post(f"/v1/people/me/cards/{lin.card_id}/suspend")
        assert answer.status_code == 200
    till = await counter.terminal("take", "12.00")
    status, said = await lin.tap(counter.port, "--verify")
    assert (status, "nothing was paid" in said) == (1, True), said
    shown, _ = await till.communicate()
    assert (till.returncode, b"try another card" in shown) == (1, True), shown
    assert await lin.balance() == START


@asynccontextmanager
async def muffled(upstream: int) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A way to a server on which, once the event is set, requests go through and no answers."""
    gag = asyncio.Event()
    joined = set[asyncio.Task[None]]()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", upstream)
        ways = {
            asyncio.create_task(_pump(reader, back, asyncio.Event())),
            asyncio.create_task(_pump(there, writer, gag)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (back, writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        joined.add(asyncio.create_task(join(reader, writer)))

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield port, gag
    finally:
        server.close()
        for task in joined:
            task.cancel()
        await asyncio.gather(*joined, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gag: asyncio.Event
) -> None:
    while data := await reader.read(65_536):
        if not gag.is_set():
            writer.write(data)
            await writer.drain()
