"""What the tests of the embedded server share: statements, waiting, and a process to kill.

Only processes that a test started are signalled, each by its own number.
"""

# ruff: noqa: S603 - a test runs only programs that it names

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tandem.db.embedded.account import Account

SUPERVISOR = Path(__file__).with_name("supervisor.py")
IS_ROOT = os.geteuid() == 0
DIED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root drops to another user")


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def value(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def eventually(url: str, statement: str) -> object:
    """The value, as soon as the server is back."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(*DIED):
                return await value(url, statement)
            await asyncio.sleep(0.05)


def gone(pid: int) -> bool:
    """Whether the process has ended (a zombie has, whoever reaps it)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def wait_gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while not gone(pid):  # noqa: ASYNC110 - another process's end has no event
            await asyncio.sleep(0.02)


class Supervisor:
    """A process of ours that runs the server of a folder."""

    def __init__(self, data: Path, *options: str, command: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*(command or (sys.executable,)), str(SUPERVISOR), str(data), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.server_pid = 0
        self.url = ""

    async def ready(self) -> None:
        assert self.process.stdout is not None
        while True:
            line = await asyncio.to_thread(self.process.stdout.readline)
            if line.startswith("ready "):
                _, pid, self.url = line.split()
                self.server_pid = int(pid)
                return
            assert line, self.process.communicate()[1]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def supervised(data: Path, *options: str, command: tuple[str, ...] = ()) -> Iterator[Supervisor]:
    supervisor = Supervisor(data, *options, command=command)
    try:
        yield supervisor
    finally:
        if supervisor.process.poll() is None:
            supervisor.process.send_signal(signal.SIGINT)
            supervisor.process.communicate(timeout=30)
        deadline = time.monotonic() + 20
        while supervisor.server_pid and not gone(supervisor.server_pid):
            assert time.monotonic() < deadline, "the server was left behind"
            time.sleep(0.02)


def start_as(account: Account, *command: str) -> "subprocess.Popen[bytes]":
    """Start a program as the account that the server runs as."""
    if account.ours:
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/")
    return subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )


def ordinary_command() -> tuple[str, ...] | None:
    """How root runs our Python as an ordinary user, if that user can reach one."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    paths = os.pathsep.join(path for path in sys.path if path)
    for python in (sys.executable, f"/usr/bin/python{version}"):
        command = (
            "/usr/bin/setpriv",
            "--reuid=nobody",
            "--regid=nogroup",
            "--clear-groups",
            "/usr/bin/env",
            f"PYTHONPATH={paths}",
            "HOME=/nonexistent",
            python,
        )
        probe = [*command, "-c", "import asyncpg, uvloop, tandem.db.embedded"]
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode == 0:
                return command
    return None
