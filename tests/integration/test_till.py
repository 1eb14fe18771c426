"""Till and device joined to the world: a real ISO 8583 host, a policy over HTTP, two processes."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from acquiring_bank import Bank
from acquiring_host import open_client, open_host
from acquiring_play import make_link
from emv_tap import DATA, NOW, PAN, WIDE, knowledge, profile
from hooks import Request, receiver, status, until
from tandem.acquiring import (
    VERIFICATION,
    Advice,
    Authorisation,
    Host,
    Mac,
    Purchase,
    Refund,
    Reversal,
)
from tandem.kernel import Clock, ManualClock, SystemClock
from tandem.tap import Device, DirectField, TerminalMisset, Till
from tandem.tap.radio import missing
from tandem.till import (
    HostOnline,
    PolicyWatch,
    Tandem,
    TandemSettings,
    host_client,
    open_tandem,
    orders_watched,
    watched,
)
from tandem.till.policy import _LOOK_SECONDS
from tandem.till.stream import BEAT_SECONDS, FIRST_SECONDS, SILENT_SECONDS
from tap_play import PASSCODE, device_in
from tap_shop import SETTINGS, SETTINGS_TEXT, FakeHost, till_in


@pytest.fixture
def bank() -> Bank:
    made = Bank()
    made.balances = {PAN: made.start}
    return made


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    clock = ManualClock(NOW)
    with device_in(tmp_path / "device", clock, profile(limits=WIDE), passcode=PASSCODE) as made:
        made.verify(PASSCODE)
        yield made


@asynccontextmanager
async def till_at(
    host: Host, folder: Path, device: Device, clock: Clock, **settings: object
) -> AsyncIterator[Till]:
    """A till that is signed on to the host."""
    async with open_client(host, make_link(mac=Mac(key="master")), **settings) as client:
        online = HostOnline(client, SETTINGS, clock)
        with till_in(folder, DirectField(device), online, clock) as (till, _):
            yield till


async def test_a_tap_goes_over_iso_8583_and_moves_money(
    tmp_path: Path, bank: Bank, device: Device
) -> None:
    clock = ManualClock(NOW)
    async with (
        open_host(make_link(mac=Mac(key="master")), bank=bank) as host,
        till_at(host, tmp_path / "till", device, clock) as till,
    ):
        payment = await till.take(8000)
        assert payment.approved
        assert bank.taken == 8000
        (asked,) = bank.asked
        assert isinstance(asked, Purchase)
        assert (asked.terminal, asked.merchant, asked.entry_mode) == ("T1", "M1", "071")
        assert asked.card.pan == PAN
        assert b"\x9f\x26\x08" in asked.card.icc
        refund = await till.refund(payment.number, 3000)
        assert refund.approved
        assert isinstance(bank.asked[-1], Refund)
        assert bank.asked[-1].rrn == asked.rrn, "it names the payment"
        assert bank.taken == 5000


async def test_an_approval_offline_becomes_an_advice(
    tmp_path: Path, bank: Bank, device: Device
) -> None:
    clock = ManualClock(NOW)
    async with (
        open_host(make_link(mac=Mac(key="master")), bank=bank) as host,
        till_at(host, tmp_path / "till", device, clock) as till,
    ):
        assert (await till.take(3800)).offline
        assert bank.taken == 0
        assert len(await till.send_due()) == 1
    (asked,) = bank.asked
    assert isinstance(asked, Advice)
    assert (asked.response_code, asked.amount, bank.taken) == ("Y1", 3800, 3800)


@pytest.mark.parametrize("amount", [0, 100])
async def test_a_question_about_the_card_is_an_authorisation_of_nothing(
    tmp_path: Path, bank: Bank, device: Device, amount: int
) -> None:
    clock = ManualClock(NOW)
    (aid,) = SETTINGS.aids
    asking = msgspec.structs.replace(
        SETTINGS, aids=(msgspec.structs.replace(aid, zero_amount=True, status_check=True),)
    )
    link = make_link(mac=Mac(key="master"))
    async with open_host(link, bank=bank) as host, open_client(host, link) as client:
        online = HostOnline(client, asking, clock)
        field = DirectField(device)
        with till_in(tmp_path / "till", field, online, clock, settings=asking) as (till, _):
            assert (await till.take(amount)).approved
            device.verify(PASSCODE)
            assert (await till.take(8000)).approved
    asked, paid = bank.asked
    assert isinstance(asked, Authorisation)
    assert (asked.amount, asked.condition) == (amount, VERIFICATION)
    assert isinstance(paid, Purchase)
    assert (paid.condition, bank.taken) == ("00", 8000)


async def test_no_answer_in_time_is_reversed_and_no_money_is_gone(
    tmp_path: Path, bank: Bank, device: Device
) -> None:
    clock = ManualClock(NOW)

    async def slow(request: object) -> None:
        if isinstance(request, Purchase):
            await asyncio.sleep(1)

    bank.after = slow
    async with open_host(make_link(mac=Mac(key="master")), bank=bank) as host:
        folder = tmp_path / "till"
        async with till_at(host, folder, device, clock, answer_seconds=0.3) as till:
            payment = await till.take(8000)
            assert not payment.approved
            assert len(await till.send_due()) == 1
    reversals = [asked for asked in bank.asked if isinstance(asked, Reversal)]
    purchases = [asked for asked in bank.asked if isinstance(asked, Purchase)]
    assert purchases[0].key in reversals[-1].original.keys
    assert bank.taken == 0


async def test_a_host_that_goes_away_leaves_no_doubt(
    tmp_path: Path, bank: Bank, device: Device
) -> None:
    clock = ManualClock(NOW)
    folder = tmp_path / "till"
    async with (
        open_host(make_link(mac=Mac(key="master")), bank=bank) as host,
        open_client(host, make_link(mac=Mac(key="master"))) as client,
    ):
        online = HostOnline(client, SETTINGS, clock)
        with till_in(folder, DirectField(device), online, clock) as (till, store):
            await host.__aexit__(None, None, None)
            payment = await till.take(8000)
            assert not payment.approved
            assert {due.state.value for due in store.due()} <= {"reversal_due"}
            assert len(await till.send_due()) == 0
    assert bank.taken == 0


# -- the policy ----------------------------------------------------------------------------------

TILL = "til_" + "0" * 31 + "1"


async def test_while_the_stream_is_cut_the_policy_is_asked_for() -> None:
    assert _LOOK_SECONDS <= 0.5
    taken: dict[str, object] = {"ways": {}}
    heads: list[Request] = []

    async def reply(request: Request) -> bytes:
        heads.append(request)
        if request.headers.get("authorization") != "Bearer key":
            return status(401)
        if "/stream" in request.line:
            return status(503)
        body = {"till_id": TILL, "active": True, "acceptance": taken, "more": 1}
        return status(200, "content-type: application/json", body=json.dumps(body).encode())

    async with receiver() as server:
        server.reply = reply
        url = server.url.removesuffix("/hooks")
        settings = TandemSettings(url=url, till=TILL, key_file="key")
        headers = {"Authorization": "Bearer key"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            watch = PolicyWatch(Tandem(settings, client))
            task = asyncio.create_task(watch.run())
            try:
                assert watch.current() is None
                assert await watch.heard(5)
                assert enabled(watch)
                taken["ways"] = {"tap": {"enabled": False}}
                before = len(heads)
                await until("tap is off", lambda: not enabled(watch), within=20)
                # Two questions each half a second: the second round knows it at the latest.
                assert len(heads) - before <= 4
                server.reply = _unwell
                await asyncio.sleep(0.7)
                assert watch.current() is not None, "what was known holds without a network"
                client.headers["Authorization"] = "Bearer other"
                server.reply = reply
                with capture_logs() as logged:
                    await until("nothing is known", lambda: watch.current() is None, within=20)
                    await until("it is logged", lambda: logged, within=20)
                assert logged[0]["event"] == "this till's key is not taken, or the till is gone"
                assert not task.done()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def events(data: object) -> bytes:
    """A stream that begins with an event of this data, and does not end."""
    head, _, _ = status(200, "content-type: text/event-stream").rpartition(b"content-length")
    said = json.dumps(data).encode()
    return head + b"content-length: 100000\r\n\r\nevent: it\ndata: " + said + b"\n\n"


async def test_a_connection_that_died_without_an_end_is_left_for_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert BEAT_SECONDS < SILENT_SECONDS <= 3
    monkeypatch.setattr("tandem.till.stream.SILENT_SECONDS", 0.3)
    followed: list[str] = []

    async def reply(request: Request) -> bytes:
        tap = {"tap": {"enabled": "/stream" in request.line}}
        said = {"till_id": TILL, "active": True, "acceptance": {"ways": tap}}
        if "/stream" not in request.line:
            body = json.dumps(said).encode()
            return status(200, "content-type: application/json", body=body)
        followed.append(request.line)
        return events(said)

    async with receiver() as server:
        server.reply = reply
        url = server.url.removesuffix("/hooks")
        settings = TandemSettings(url=url, till=TILL, key_file="key")
        async with (
            httpx.AsyncClient(base_url=url) as client,
            watched(Tandem(settings, client)) as it,
        ):
            assert await it.heard(20)
            assert enabled(it)
            await until("tap is off", lambda: not enabled(it), within=20)
    assert followed[0].split()[1].endswith(f"/stream?beat_seconds={BEAT_SECONDS}")


async def test_a_server_that_is_slow_to_begin_is_not_asked_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert FIRST_SECONDS > 2 * SILENT_SECONDS
    monkeypatch.setattr("tandem.till.stream.SILENT_SECONDS", 0.2)
    heard: list[str] = []

    async def reply(request: Request) -> bytes:
        heard.append(request.line)
        if len(heard) == 1:
            await asyncio.sleep(1)
        return events({"till_id": TILL, "active": True, "acceptance": {}})

    async with receiver() as server:
        server.reply = reply
        settings = TandemSettings(url=server.url.removesuffix("/hooks"), till=TILL, key_file="key")
        async with (
            httpx.AsyncClient(base_url=settings.url) as client,
            watched(Tandem(settings, client)) as it,
        ):
            assert await it.heard(20)
            assert len(heard) == 1


async def test_a_dead_stream_of_orders_is_noticed_as_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is followed again no order is known: it may be paid otherwise meanwhile."""
    monkeypatch.setattr("tandem.till.stream.SILENT_SECONDS", 0.2)
    heard: list[str] = []

    async def reply(request: Request) -> bytes:
        heard.append(request.line)
        return events({"order": {"id": "pay_1", "amount": len(heard), "currency": "CNY"}})

    async with receiver() as server:
        server.reply = reply
        settings = TandemSettings(url=server.url.removesuffix("/hooks"), till=TILL, key_file="key")
        async with (
            httpx.AsyncClient(base_url=settings.url) as client,
            orders_watched(Tandem(settings, client)) as watch,
        ):
            seen: list[int | None] = []
            for _ in range(3):
                await watch.changed()
                seen.append(None if watch.current is None else watch.current.amount)
    assert seen == [1, None, 2]
    assert heard[0].split()[1].endswith(f"/orders/stream?beat_seconds={BEAT_SECONDS}")


def enabled(watch: PolicyWatch) -> bool:
    policy = watch.current()
    assert policy is not None
    return policy.rule("tap").enabled


async def _unwell(_: Request) -> bytes:
    return status(503)


async def test_settings_of_host_and_policy_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "open").write_text("a = 'b'")
    (tmp_path / "open").chmod(0o644)
    for given in (
        {"porrt": 1},
        {"port": -1},
        {"keys": "none"},
        {"keys": "open"},
        {"tls": {"x": 1}},
    ):
        settings = msgspec.structs.replace(SETTINGS, host=given)
        with pytest.raises(TerminalMisset):
            host_client(settings, tmp_path, SystemClock(), bytes)
    (tmp_path / "key").write_text("tk_mer_x")
    (tmp_path / "key").chmod(0o600)
    good = {"url": "https://x.example", "till": TILL, "key_file": "key"}
    async with open_tandem(good, tmp_path):
        pass
    for given in (
        {},
        good | {"url": "x"},
        good | {"url": "http://shop.example"},
        good | {"key_file": "open"},
        good | {"key_file": "none"},
        good | {"ca": "key"},
        good | {"till": "til_1"},
    ):
        with pytest.raises(TerminalMisset):
            async with open_tandem(given, tmp_path):
                pass


# -- two programs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "way",
    [
        "socket",
        pytest.param("radio", marks=pytest.mark.skipif(bool(missing()), reason=str(missing()))),
    ],
)
async def test_device_and_terminal_pay_as_programs(tmp_path: Path, bank: Bank, way: str) -> None:
    """A process each, with a socket of this machine or nfcpy's radio between them, and a host."""
    status, shown, phone = await taken_by_programs(tmp_path, bank, way, "80.00")
    assert "Present card  80.00 CNY" in shown
    assert "Approved  80.00 CNY" in shown
    assert "APPROVED" in shown
    assert "Verified on the device" in shown
    assert status == 0
    assert "Tapped for 80.00 CNY at Blue Door, the issuer is asked." in phone
    assert bank.taken == 8000


async def test_a_payment_that_was_approved_offline_and_then_refused_ends_with_status_1(
    tmp_path: Path, bank: Bank
) -> None:
    bank.start = bank.balances[PAN] = 0
    status, shown, phone = await taken_by_programs(tmp_path, bank, "socket", "38.00")
    assert "APPROVED OFFLINE" in shown
    assert "is not paid" in shown
    assert "approved offline" in phone
    assert status == 1


async def taken_by_programs(
    tmp_path: Path, bank: Bank, way: str, amount: str
) -> tuple[int | None, str, str]:
    """A payment by two programs and a host: the terminal's status, what it says, and the device."""
    clock = SystemClock()
    card = profile(msgspec.structs.replace(DATA, effective=date(2024, 1, 1)), WIDE)
    with device_in(tmp_path / "device", clock, card, passcode=PASSCODE):
        pass
    reader, presented = at_a_reader(way)
    async with open_host(make_link(), bank=bank) as host:
        folder = tmp_path / "shop"
        folder.mkdir()
        (folder / "trusted.json").write_bytes(knowledge().trusted.to_bytes())
        text = SETTINGS_TEXT.replace("wait_seconds = 2", f'wait_seconds = 30\nreader = "{reader}"')
        text += f"\n[host]\nport = {host.ports[0]}\n"
        (folder / "terminal.toml").write_text(text)
        terminal = await program(
            *("terminal", "take", amount, "--settings", str(folder / "terminal.toml")),
            *("--folder", str(tmp_path / "till")),
        )
        phone = await tapping(tmp_path / "device", *presented)
        said, _ = await terminal.communicate()
    return terminal.returncode, said.decode(), phone


async def test_an_approval_offline_that_the_host_refuses_does_not_look_paid(
    tmp_path: Path, bank: Bank, device: Device
) -> None:
    """`send` names it and ends with status 1; the list of payments shows what the host said."""
    bank.balances = {PAN: 3800}
    bank.start = 3800
    kept = tmp_path / "till"
    with till_in(kept, DirectField(device), FakeHost(), ManualClock(NOW)) as (till, _):
        for _ in range(2):
            assert (await till.take(3800)).offline
    async with open_host(make_link(), bank=bank) as host:
        settings = tmp_path / "terminal.toml"
        settings.write_text(f"{SETTINGS_TEXT}\n[host]\nport = {host.ports[0]}\n")
        words = ("terminal", "send", "--settings", str(settings), "--folder", str(kept))
        first, again = await finished(*words), await finished(*words)
    assert first[0] == 1
    assert "Payment 000002, 38.00 CNY of 2029-06-15 20:30:45, is not paid" in first[1]
    assert "51 the balance does not cover it" in first[1]
    assert "2 sent on, 1 of them refused; 0 left." in first[1]
    assert again == (0, "✓ 0 sent on; 0 left.\n")
    _, listed = await finished("terminal", "payments", "--folder", str(kept))
    refused, paid = listed.splitlines()[-2:]
    assert "not paid" in refused
    assert "51 the balance" in refused
    assert " yes " in paid
    assert "00 approved" in paid


async def finished(*arguments: str) -> tuple[int | None, str]:
    """`tandem …` to its end: its status, and what it says."""
    made = await program(*arguments)
    said, _ = await made.communicate()
    return made.returncode, said.decode()


def at_a_reader(way: str) -> tuple[str, tuple[str, str]]:
    """The terminal's setting, and how the device is held to it."""
    if way == "socket":
        port = free_port()
        return f"socket:{port}", ("--port", str(port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        path = f"udp:127.0.0.1:{probe.getsockname()[1]}"
    return f"radio:{path}", ("--radio", path)


async def tapping(folder: Path, *presented: str) -> str:
    """`tandem device tap`, as soon as the terminal listens; what it says."""
    async with asyncio.timeout(30):
        while True:
            phone = await program(
                *("device", "tap", "--verify", *presented, "--folder", str(folder))
            )
            said, _ = await phone.communicate(PASSCODE.encode() + b"\n")
            if b"cannot be used" not in said:
                return said.decode()
            await asyncio.sleep(0.2)


async def program(*arguments: str) -> asyncio.subprocess.Process:
    """`tandem …`, in a process of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
