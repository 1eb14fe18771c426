"""Measuring over HTTP: the servers and the load generator as child processes."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bench.database import NotMeasurableError
from bench.load import Job, Loaded
from bench.names import PUBLIC_URL
from tandem.keyring import KeyringName
from tandem.logs import Logs
from tandem.serve.acquirer import Acquirer
from tandem.serve.http import BACKLOG
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

L = TypeVar("L", bound=msgspec.Struct)
_START_SECONDS: Final = 30
_STOP_SECONDS: Final = 30
_PATIENCE_SECONDS: Final = 90


@asynccontextmanager
async def serving(
    way: str,
    url: str,
    key_file: Path,
    profile: Path | None = None,
    acquirer: Acquirer | None = None,
) -> AsyncIterator[int]:
    """A server of one way, for as long as the block lasts: its port.

    It is also the host of the `acquirer`'s links. `profile`: a file that gets a cProfile of it at
    the end.
    """
    profiler = () if profile is None else ("-m", "cProfile", "-o", str(profile))
    sockets = () if acquirer is None else acquirer.order.sockets
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(*profiler, "-m", WORKERS[way]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(listener.fileno(), *sockets),
        )
        order = Order(
            url,
            ENVIRONMENT,
            KeyringName(None, str(key_file)),
            listener.fileno(),
            Logs(json=False, level="warning"),
            None if acquirer is None else acquirer.order,
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
    """Let the load generator do a job. Raises as `generate` does."""
    return await generate("bench.load", job, job.warm_seconds + job.seconds, Loaded)


async def generate(module: str, job: msgspec.Struct, seconds: float, kind: type[L]) -> L:
    """Let a load generator do a job that takes so long; what came of it.

    Raises `NotMeasurableError` if it meets a wrong answer.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
            out, said = await process.communicate(msgspec.json.encode(job))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise NotMeasurableError(f"the load generator gave up: {' '.join(last)}")
    return msgspec.json.decode(out, type=kind)
