"""`tandem up` as processes: stopping, workers that die, a parent that dies, ports."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest
from servers import gone, wait_gone

from living import Living, living, sign_up

SOON_SECONDS = 20
"""A machine that is busy with other things takes longer than the second or two that it should."""


def report(measured: str) -> None:
    """What was measured: `pytest -s` shows it."""
    sys.stdout.write(f"{measured}\n")


def of_process(pid: int, name: str) -> bytes:
    """What everybody on the machine (`cmdline`), or every process of the user, may read."""
    return Path(f"/proc/{pid}/{name}").read_bytes()


async def ready(server: Living) -> float:
    """Wait until requests are answered; how long that took in seconds."""
    began = time.perf_counter()
    async with server.client() as client, asyncio.timeout(SOON_SECONDS):
        while True:
            try:
                if (await client.get("/readyz")).is_success:
                    return time.perf_counter() - began
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)


async def run_up(data: Path, *options: str) -> tuple[int, str, str]:
    """`tandem up` that has to end by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", "up", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TANDEM_DATA": str(data)},
    )
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_it_stops_when_told_and_leaves_nothing(
    new_data: Path, number: signal.Signals
) -> None:
    async with living(new_data, workers=2) as server:
        assert server.process is not None
        pids = [*server.worker_pids(), server.postmaster_pid()]
        assert len(pids) == 3
        server.process.send_signal(number)
        async with asyncio.timeout(SOON_SECONDS):
            assert await server.process.wait() == 0
        assert all(gone(pid) for pid in pids)
        assert not (new_data / "postgres" / "postmaster.pid").exists()
        assert server.faults() == []


async def test_what_is_under_way_is_finished_and_live_updates_end(new_data: Path) -> None:
    async with living(new_data) as server:
        async with server.client(server.operator_key) as operator:
            lin = await sign_up(operator, "lin")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        body = b'{"handle": "mei", "name": "Mei"}'
        writer.write(
            b"POST /v1/people HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body[:5]
        )
        await writer.drain()
        async with (
            server.client(lin.key) as phone,
            phone.stream("GET", "/v1/events/stream") as stream,
        ):
            lines = stream.aiter_lines()
            assert await anext(lines)
            assert server.process is not None
            server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(SOON_SECONDS):
                assert all([line in {"", ":"} async for line in lines])  # it ends by itself
        writer.write(body[5:])
        async with asyncio.timeout(SOON_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 201 ")
            assert await server.process.wait() == 0
        writer.close()


async def test_a_worker_that_dies_is_replaced(new_data: Path) -> None:
    async with living(new_data) as server:
        for _ in range(3):
            (pid,) = server.worker_pids()
            os.kill(pid, signal.SIGKILL)
            await wait_gone(pid)
            took = await ready(server)
            report(f"served again {took:.2f} s after a worker was killed")
            assert server.worker_pids() != [pid]
        assert server.log.read_text().count("worker_ended") == 3


async def test_one_of_two_dies_and_no_connection_is_refused(new_data: Path) -> None:
    async with living(new_data, workers=2) as server:
        victim, other = server.worker_pids()
        os.kill(victim, signal.SIGKILL)
        for _ in range(20):
            async with server.client() as client:
                assert (await client.get("/healthz")).is_success
        assert other in server.worker_pids()


async def test_a_killed_parent_leaves_nothing_and_is_soon_replaced(new_data: Path) -> None:
    async with living(new_data, workers=2) as server:
        pids = [*server.worker_pids(), server.postmaster_pid()]
        await server.kill()
        began = time.perf_counter()
        await server.start()
        took = time.perf_counter() - began + await ready(server)
        report(f"ready again {took:.2f} s after kill -9 of the parent")
        assert took < SOON_SECONDS
        for pid in pids:
            await wait_gone(pid)


async def test_two_do_not_share_a_port_or_a_folder(new_data: Path, tmp_path: Path) -> None:
    async with living(new_data, workers=2) as server:
        for workers in ("1", "2"):
            options = ("--port", str(server.port), "--workers", workers)
            status, out, err = await run_up(tmp_path / "other", *options)
            assert (status, out) == (1, "")
            assert f"✗ Another program listens on port {server.port}" in err
        status, out, err = await run_up(new_data, "--port", "0")
        assert (status, out) == (1, "")
        assert "✗ The data folder" in err
        assert f"in use by process {server.pid}" in err


async def test_money_and_play_money_do_not_mix(new_data: Path) -> None:
    async with living(new_data):
        pass
    status, out, err = await run_up(new_data, "--port", "0")
    assert (status, out) == (1, "")
    assert "✗ This database was made for sandbox" in err


@pytest.mark.parametrize(
    ("name", "text"),
    [("TANDEM_TIMEZONE", "Mars/Olympus"), ("TANDEM_DATABSE_URL", "postgresql://db/money")],
)
def test_a_wrong_setting_is_a_sentence(
    new_data: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    status, out, err = asyncio.run(run_up(new_data, "--port", "0"))
    assert (status, out) == (2, "")
    assert err.startswith(f"✗ {name}: ")
    assert not new_data.exists()


async def test_no_secret_is_where_others_can_read_it(new_data: Path) -> None:
    async with living(new_data) as server:
        for pid in (server.pid, *server.worker_pids()):
            shown = of_process(pid, "cmdline")
            assert server.operator_key.encode() not in shown
            assert b"postgresql" not in shown
        (worker,) = server.worker_pids()
        assert b"TANDEM_" not in of_process(worker, "environ")
        assert server.operator_key not in server.log.read_text()


async def test_where_what_is_printed_is_kept_no_key_is_printed(new_data: Path) -> None:
    """A journal or a container's log keeps what is printed, and shows it to whoever reads it."""
    async with living(new_data) as server:
        key = ("-m", "tandem", "operator", "key")
        env = os.environ | {"TANDEM_DATA": str(new_data)}
        async with server.database() as connection:
            await connection.execute("DELETE FROM api_keys")
        assert await server.stop() == 0
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tandem", "up", "--sandbox", "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
        )
        assert process.stdout is not None
        printed = b""
        async with asyncio.timeout(60):
            while b"operator key add" not in printed:
                printed += await process.stdout.readline()
            made = await asyncio.create_subprocess_exec(
                sys.executable, *key, "add", stdout=asyncio.subprocess.PIPE, env=env
            )
            assert b"tk_op_" in (await made.communicate())[0]
            process.send_signal(signal.SIGINT)
            printed += await process.stdout.read()
            assert await process.wait() == 0
        assert b"tk_op_" not in printed
        assert b"tk_op_" not in server.log.read_bytes()


async def in_a_terminal(data: Path, *options: str) -> tuple[str, str]:
    """Start `tandem up` in a terminal, press Ctrl-C when it is up; what it said, and complained."""
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", "up", "--port", "0", *options),
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TANDEM_DATA": str(data), "TERM": "dumb"},
    )
    os.close(theirs)
    said = b""
    async with asyncio.timeout(60):
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            while part := await asyncio.to_thread(os.read, ours, 4096):
                if b"Data " in said + part and b"Data " not in said:
                    process.send_signal(signal.SIGINT)
                said += part
        os.close(ours)
        _, complained = await process.communicate()
    assert process.returncode == 0, complained
    return said.decode(), complained.decode()


async def test_a_terminal_gets_the_first_key_once(new_data: Path) -> None:
    printed = [await in_a_terminal(new_data) for _ in range(2)]
    assert [len(re.findall(r"tk_op_[\w-]+", said)) for said, _ in printed] == [1, 0]
    for _, complained in printed:
        assert "✗ The codes that shops show lead to http://127.0.0.1:" in complained


async def test_a_sandbox_for_this_machine_alone_needs_no_public_address(new_data: Path) -> None:
    _, complained = await in_a_terminal(new_data, "--sandbox")
    assert "✗" not in complained
    _, complained = await in_a_terminal(new_data, "--sandbox", "--host", "0.0.0.0")  # noqa: S104 - that is what is tried
    assert "Set TANDEM_PUBLIC_URL" in complained


async def test_money_in_a_currency_that_was_taken_out_is_told_at_the_start(
    new_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(new_data) as server, server.client(server.operator_key) as operator:
        bob = await sign_up(operator, "bob", yuan=50)
    monkeypatch.setenv("TANDEM_CURRENCIES", "EUR,SEK")
    _, complained = await in_a_terminal(new_data, "--sandbox")
    assert "50.00 CNY" in complained
    assert "TANDEM_CURRENCIES" in complained
    async with living(new_data, TANDEM_CURRENCIES="EUR") as server, server.client(bob.key) as phone:
        shown = (await phone.get("/v1/wallet")).json()["balances"]
        assert [(line["currency"], line["balance"]) for line in shown] == [("CNY", 5000)]


async def test_a_lost_key_file_is_not_replaced_in_silence(new_data: Path) -> None:
    async with living(new_data) as server, server.client(server.operator_key) as operator:
        await sign_up(operator, "lin")
    (new_data / "keys").rename(new_data / "lost")
    status, out, err = await run_up(new_data, "--port", "0", "--sandbox")
    assert (status, out) == (1, "")
    assert "✗ " in err
    assert "keys" in err
    (new_data / "lost").rename(new_data / "keys")
    await server.start()
    assert await server.stop() == 0
