"""The embedded server under its supervisor: started, killed, shared, never lost."""

# ruff: noqa: ASYNC240 - a test may block

import asyncio
import os
import signal
from pathlib import Path

import pytest
from servers import (
    DIED,
    IS_ROOT,
    eventually,
    execute,
    gone,
    needs_root,
    start_as,
    supervised,
    value,
    wait_gone,
)

from tandem.db.embedded import EmbeddedPostgres, attach, server, software
from tandem.db.embedded.account import server_account
from tandem.db.embedded.folder import socket_folder
from tandem.db.embedded.log import ServerLog
from tandem.db.embedded.process import run
from tandem.db.errors import (
    DataFolderInUse,
    ServerFailed,
)

# --- the ordinary life


async def test_it_serves_durably_and_keeps_what_it_was_given(new_data: Path) -> None:
    said: list[str] = []
    async with EmbeddedPostgres(new_data, progress=said.append) as embedded:
        pid = embedded.pid
        assert pid is not None
        for setting, expected in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
            "is_superuser": "off",
            "jit": "off",
            "min_wal_size": "1GB",
        }.items():
            assert await value(embedded.dsn, f"SHOW {setting}") == expected, setting
        locale = "SELECT datlocale FROM pg_database WHERE datname = current_database()"
        assert await value(embedded.dsn, locale) == "C.UTF-8"
        assert await value(embedded.dsn, "SELECT current_user::text") == "tandem"
        await execute(embedded.dsn, "CREATE TABLE t AS SELECT 38 AS n")
    assert any("new database" in line for line in said)
    assert gone(pid)
    async with EmbeddedPostgres(new_data) as again:
        assert await value(again.dsn, "SELECT n FROM t") == 38
    log = (new_data / "log" / "postgres.log").read_text()
    assert log.count("database system is shut down") == 2
    assert "recovery" not in log


async def test_only_what_must_be_is_open_to_others(data: Path) -> None:
    async with EmbeddedPostgres(data):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (data, *data.iterdir())}
    assert modes["data"] == (0o711 if IS_ROOT else 0o700)
    assert modes["conf"] == (0o711 if IS_ROOT else 0o700)
    assert modes["lock"] == 0o600
    assert {modes[name] for name in ("postgres", "run", "log")} == {0o700}


@needs_root
async def test_not_even_the_account_that_the_server_runs_as_gets_in(data: Path) -> None:
    psql = str(software.installed()[0].program("psql"))
    async with EmbeddedPostgres(data):
        account = server_account(data)
        assert account.uid != 0
        assert (data / "postgres").stat().st_uid == account.uid
        for role in ("tandem", "postgres"):
            command = [psql, "-h", str(socket_folder(data)), "-U", role, "-c", "SELECT 1", role]
            status, said = await run(command, account)
            assert status != 0
            assert "Peer authentication failed" in said


async def test_ctrl_c_stops_it_cleanly(data: Path) -> None:
    with supervised(data, "uvloop") as supervisor:
        await supervisor.ready()
        os.killpg(supervisor.process.pid, signal.SIGINT)  # as a terminal does
        output, errors = await asyncio.to_thread(supervisor.process.communicate)
        assert "stopped" in output, errors
        assert gone(supervisor.server_pid)
    assert "database system is shut down" in (data / "log" / "postgres.log").read_text()


async def test_starting_twice_is_our_mistake_and_stopping_twice_is_none(data: Path) -> None:
    async with EmbeddedPostgres(data) as embedded:
        with pytest.raises(RuntimeError):
            await embedded.start()
        assert await value(embedded.dsn, "SELECT 1") == 1
        await embedded.stop()


# --- kill -9


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_killed_server_is_started_again_with_what_was_committed(
    data: Path, loop: str
) -> None:
    with supervised(data, loop) as supervisor:
        await supervisor.ready()
        await execute(supervisor.url, "CREATE TABLE t AS SELECT 1 AS n")
        for n in (2, 3):
            pid_file = (data / "postgres" / "postmaster.pid").read_text()
            await execute(supervisor.url, f"INSERT INTO t VALUES ({n})")  # noqa: S608 - a number
            os.kill(int(pid_file.split()[0]), signal.SIGKILL)
            await wait_gone(int(pid_file.split()[0]))
            assert await eventually(supervisor.url, "SELECT max(n) FROM t") == n
        supervisor.process.send_signal(signal.SIGINT)
        await asyncio.to_thread(supervisor.process.communicate)
        assert gone(int((data / "lock").read_text()))


async def test_after_a_kill_of_the_parent_nothing_stays_and_nothing_is_lost(data: Path) -> None:
    with supervised(data) as supervisor:
        await supervisor.ready()
        await execute(supervisor.url, "CREATE TABLE t AS SELECT 1 AS n")
        supervisor.kill()
        await wait_gone(supervisor.server_pid)  # the kernel told it
    async with EmbeddedPostgres(data) as embedded:
        assert await value(embedded.dsn, "SELECT n FROM t") == 1


async def test_after_a_kill_of_the_parent_one_can_start_again_at_once(data: Path) -> None:
    with supervised(data) as supervisor:
        await supervisor.ready()
        await execute(supervisor.url, "CREATE TABLE t AS SELECT 1 AS n")
        supervisor.kill()
        async with EmbeddedPostgres(data) as embedded:
            assert await value(embedded.dsn, "SELECT n FROM t") == 1
            assert embedded.pid != supervisor.server_pid
        assert gone(supervisor.server_pid)


async def test_after_a_kill_of_both_it_recovers(data: Path) -> None:
    with supervised(data) as supervisor:
        await supervisor.ready()
        await execute(supervisor.url, "CREATE TABLE t AS SELECT 1 AS n")
        busy = asyncio.create_task(execute(supervisor.url, "SELECT pg_sleep(30)"))
        await asyncio.sleep(0.2)
        os.kill(supervisor.server_pid, signal.SIGSTOP)  # so that it cannot stop by itself first
        supervisor.kill()
        os.kill(supervisor.server_pid, signal.SIGKILL)
        async with EmbeddedPostgres(data) as embedded:
            assert await value(embedded.dsn, "SELECT n FROM t") == 1
        with pytest.raises(DIED):
            await busy
    assert "redo done" in (data / "log" / "postgres.log").read_text()


async def test_a_living_server_of_an_earlier_run_is_stopped_first(data: Path) -> None:
    async with EmbeddedPostgres(data) as embedded:
        await execute(embedded.dsn, "CREATE TABLE t AS SELECT 1 AS n")
    program = str(software.installed()[0].program("postgres"))
    account = server_account(data)
    # As if the kernel had not told it that its parent died.
    left = start_as(
        account, program, "-D", f"{data}/postgres", f"--config_file={data}/conf/postgresql.conf"
    )
    try:
        assert await eventually(embedded.dsn, "SELECT n FROM t") == 1
        said: list[str] = []
        async with EmbeddedPostgres(data, progress=said.append) as again:
            assert again.pid != left.pid
            assert await value(again.dsn, "SELECT n FROM t") == 1
        assert left.wait(5) == 0  # a clean shutdown
        assert any("earlier run" in line for line in said)
    finally:
        left.kill()
        left.wait()


async def test_a_pid_file_that_names_a_stranger_harms_nobody(data: Path) -> None:
    async with EmbeddedPostgres(data):
        pass
    account = server_account(data)
    # Of the same user, as after a reboot: PostgreSQL by itself would refuse to start.
    stranger = start_as(account, "/bin/sleep", "60")
    try:
        (data / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{data}/postgres\n")
        (data / "run" / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n{data}/postgres\n")
        async with EmbeddedPostgres(data) as embedded:
            assert await value(embedded.dsn, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_server_that_is_killed_again_and_again_always_comes_back(data: Path) -> None:
    """Killed the moment that it answers, often while the supervisor is still looking at it."""
    async with EmbeddedPostgres(data) as embedded:
        for _ in range(server.RESTARTS + 1):
            pid = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
            await wait_gone(pid)
            assert await eventually(embedded.dsn, "SELECT 1") == 1
        assert embedded._failure is not None
        assert not embedded._failure.done()


async def test_a_supervisor_that_fails_by_our_mistake_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EmbeddedPostgres(data) as embedded:

        async def mistaken() -> None:
            raise LookupError("ours")

        monkeypatch.setattr(embedded, "_bring_up", mistaken)
        assert embedded.pid is not None
        os.kill(embedded.pid, signal.SIGKILL)
        failure = await asyncio.wait_for(embedded.failure(), 20)
        assert "ours" in failure.sentence()


async def test_a_server_that_cannot_come_back_is_given_up_and_said_so(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RESTARTS", 2)
    async with EmbeddedPostgres(data) as embedded:
        with (data / "conf" / "postgresql.conf").open("a") as file:
            file.write("shared_buffers = nonsense\n")
        assert embedded.pid is not None
        os.kill(embedded.pid, signal.SIGKILL)
        failure = await asyncio.wait_for(embedded.failure(), 20)
        assert isinstance(failure, ServerFailed)
        assert "postgresql.conf" in failure.reason
        assert embedded._process is not None
        assert not embedded._process.running
    async with EmbeddedPostgres(data) as again:  # the configuration is written anew
        assert await value(again.dsn, "SELECT 1") == 1


async def test_a_start_that_fails_says_why_at_once_and_frees_the_folder(data: Path) -> None:
    async with EmbeddedPostgres(data):
        pass
    tuned = data / "postgres" / "postgresql.auto.conf"
    tuned.write_text("shared_buffers = 'nonsense'\n")
    for _ in range(2):
        with pytest.raises(ServerFailed) as refusal:
            await EmbeddedPostgres(data).start()
        assert "postgresql.auto.conf" in refusal.value.reason
        assert refusal.value.log.exists()
    tuned.write_text("")
    async with EmbeddedPostgres(data) as embedded:
        assert await value(embedded.dsn, "SELECT 1") == 1


# --- one owner


async def test_a_second_owner_is_refused_and_a_guest_is_let_in(data: Path) -> None:
    assert await attach(data) is None
    with supervised(data) as supervisor:
        await supervisor.ready()
        with pytest.raises(DataFolderInUse) as refusal:
            await EmbeddedPostgres(data).start()
        assert refusal.value.pid == supervisor.process.pid
        assert "tandem operator" in refusal.value.sentence()
        url = await attach(data)
        assert url == supervisor.url
        assert await value(url, "SELECT 1") == 1
        supervisor.process.send_signal(signal.SIGINT)
        await asyncio.to_thread(supervisor.process.communicate)
    assert await attach(data) is None


async def test_a_guest_waits_for_an_owner_that_is_just_starting(data: Path) -> None:
    with supervised(data) as supervisor:
        async with asyncio.timeout(20):
            while (url := await attach(data)) is None:  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(0.01)
        assert await value(url, "SELECT 1") == 1
        await supervisor.ready()
        assert url == supervisor.url


# --- the log


def test_the_log_is_bounded_and_tells_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tandem.db.embedded.log.LARGEST_BYTES", 1000)
    log = ServerLog(tmp_path / "log")
    log.open()
    assert log.last_word() == "it ended and said nothing"
    os.write(log.descriptor, b"FATAL: old\n" * 200)
    log.mark()
    os.write(log.descriptor, b"LOG: starting\nFATAL: new\nLOG: stopping\n")
    assert log.last_word() == "FATAL: new"
    log.bound()
    assert log.path.stat().st_size == 0
    assert log.path.with_suffix(".log.1").stat().st_size > 2000
    os.write(log.descriptor, b"after\n")  # the server's descriptor still works
    assert log.path.read_text() == "after\n"
    log.close()
