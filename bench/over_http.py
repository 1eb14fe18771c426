"""Measuring over HTTP: the servers and the load generator as child processes."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.database import NotMeasurableError
from bench.load import Job, Loaded
from bench.names import PUBLIC_URL
from tandem.keyring import KeyringName
from tandem.serve.http import BACKLOG
from tandem.serve.logs import Logs
from tandem.serve.order import READY, Order
from tandem.settings import read_settings

ENVIRONMENT: Final = {
    "TANDEM_MODE": "production",
    "TANDEM_PUBLIC_URL": PUBLIC_URL,
    # Counted as ever, but one merchant's key may make all the requests.
    "TANDEM_RATE_PER_SECOND": "1000000",
}
"""What the servers go by: all else as it comes."""
SETTINGS: Final = read_settings(ENVIRONMENT)
WORKERS: Final = {"tandem": "tandem.serve.worker", "usual": "bench.usual_server"}
"""The module that serves each way: for Tandem, the one that `tandem up` runs."""

_START_SECONDS: Final = 30
_STOP_SECONDS: Final = 30
_PATIENCE_SECONDS: Final = 90


@asynccontextmanager
async def serving(
    way: str, url: str, key_file: Path, profile: Path | None = None
) -> AsyncIterator[int]:
    """A server of one way, for as long as the block lasts: its port.

    `profile`: a file that gets a cProfile of it at the end.
    """
    profiler = () if profile is None else ("-m", "cProfile", "-o", str(profile))
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(*profiler, "-m", WORKERS[way]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(listener.fileno(),),
        )
        order = Order(
            url,
            ENVIRONMENT,
            KeyringName(None, str(key_file)),
            listener.fileno(),
            Logs(json=False, level="warning"),
        )
        port: int = listener.getsockname()[1]
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "it was asked for"
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        try:
            async with asyncio.timeout(_START_SECONDS):
                line = await process.stdout.readline()
            if line != READY:
                raise NotMeasurableError(f"the server of the way {way!r} did not start")
            yield port
            process.terminate()  # as `tandem up` stops its workers
            async with asyncio.timeout(_STOP_SECONDS):
                status = await process.wait()
            if status != 0:
                raise NotMeasurableError(f"the server of the way {way!r} ended with {status}")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def load(job: Job) -> Loaded:
    """Let the load generator do a job. Raises `NotMeasurableError` if it meets a wrong answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(job.warm_seconds + job.seconds + _PATIENCE_SECONDS):
            out, said = await process.communicate(msgspec.json.encode(job))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise NotMeasurableError(f"the load generator gave up: {' '.join(last)}")
    return msgspec.json.decode(out, type=Loaded)
