"""A worker that hangs is replaced, and its place is told; one that is only slow is left alone."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from servers import wait_gone
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tandem.serve import Options, Server, beat, serving

PATIENCE_SECONDS = 2.0
SOON_SECONDS = 30


@pytest.fixture(autouse=True)
def _less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat, "HUNG_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
async def server(new_data: Path) -> AsyncIterator[Server]:
    environment = {"TANDEM_DATA": str(new_data), "TANDEM_MODE": "sandbox"}
    async with serving(Options(port=0, workers=2), environment) as made:
        yield made


async def test_a_worker_that_stands_still_is_replaced(server: Server) -> None:
    victim, other = server.workers.pids
    with capture_logs() as logs:
        os.kill(victim, signal.SIGSTOP)
        began = time.monotonic()
        async with asyncio.timeout(SOON_SECONDS):
            await wait_gone(victim)
        assert time.monotonic() - began >= PATIENCE_SECONDS - beat.BEAT_SECONDS
        async with asyncio.timeout(SOON_SECONDS):
            while len(server.workers.pids) < 2 or "worker_ready" not in events(logs):  # noqa: ASYNC110 - another process's start has no event
                await asyncio.sleep(0.05)
    assert other in server.workers.pids
    assert victim not in server.workers.pids
    assert events(logs).count("worker_hung") == 1
    for _ in range(10):
        async with httpx.AsyncClient(base_url=server.url, timeout=SOON_SECONDS) as client:
            assert (await client.get("/readyz")).is_success


def events(logs: list[EventDict]) -> list[str]:
    return [str(entry["event"]) for entry in logs]


async def test_workers_that_do_nothing_for_long_are_left_alone(server: Server) -> None:
    before = server.workers.pids
    with capture_logs() as logs:
        await asyncio.sleep(3 * PATIENCE_SECONDS)
    assert (server.workers.pids, events(logs)) == (before, [])


HANGS = """
import asyncio, time
from tandem.serve.beat import beat

def counts_to_infinity(secret):
    time.sleep(3600)

async def main():
    asyncio.get_running_loop().create_task(beat())
    await asyncio.sleep(0.1)
    counts_to_infinity("tk_op_secret")

asyncio.run(main())
"""


async def test_where_it_hangs_is_told_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat, "_TELL_SECONDS", 5.0)  # a busy machine is slow to tell
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HANGS, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    with capture_logs() as logs:
        async with asyncio.timeout(SOON_SECONDS):
            assert await process.stdout.readexactly(1) == beat.BEAT  # from now on it can tell
            await beat.replace_hung(process, 3, asyncio.get_running_loop().time)
            assert await process.wait() == -signal.SIGKILL
    (entry,) = logs
    assert (entry["event"], entry["worker"], entry["pid"]) == ("worker_hung", 3, process.pid)
    where = "\n".join(entry["where"])
    assert "in counts_to_infinity" in where
    assert "in main" in where
    assert "secret" not in where.replace("counts_to_infinity(secret)", "")


async def test_one_that_ends_is_no_longer_listened_to() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print('..')", stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SOON_SECONDS):
        await beat.replace_hung(process, 0, asyncio.get_running_loop().time)
        assert await process.wait() == 0
