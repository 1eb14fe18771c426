"""The beat: a worker says every second that its event loop turns, and its parent listens.

A worker that hangs keeps its connections and its share of the new ones, and answers none. When
nothing is heard for `HUNG_SECONDS`, it is asked where it hangs, for the log, and killed; another
takes its place. That is as safe as any kill: what it had not committed did not happen, and what it
had is found by the same idempotency key.

The beats come over the worker's standard output, and so does where it hangs.
"""

import asyncio
import contextlib
import faulthandler
import os
import signal
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

BEAT: Final = b"."
BEAT_SECONDS: Final = 1.0
HUNG_SECONDS: Final = 10.0
"""Nothing that a worker does between two turns of its loop takes a tenth of this."""
LATE_SECONDS: Final = 1.0
"""By how much we may look later than we meant to before we think that the machine has no time."""
_TELL: Final = signal.SIGUSR2
_TELL_SECONDS: Final = 1.0
_LONGEST: Final = 1 << 16
_FRAMES: Final = 40


class Silence:
    """Decides when a worker has been silent for too long. Times in seconds, of any clock.

    Time counts only while we look in time ourselves: a machine that slept, or has no time for us,
    has none for a worker either.
    """

    def __init__(self, now: float) -> None:
        self._since = self._looked = now

    def too_long(self, now: float, *, heard: bool) -> bool:
        """Look: whether nothing was heard for `HUNG_SECONDS`."""
        late = now - self._looked > BEAT_SECONDS + LATE_SECONDS
        self._looked = now
        if heard or late:
            self._since = now
        return now - self._since >= HUNG_SECONDS


async def beat(output: int = 1) -> None:
    """Say that the loop turns, until cancelled. Also lets the process tell where it hangs."""
    os.set_blocking(output, False)
    faulthandler.register(_TELL, file=output, all_threads=True)
    while True:
        with contextlib.suppress(OSError):  # nobody listens for now, or any more
            os.write(output, BEAT)
        await asyncio.sleep(BEAT_SECONDS)


async def replace_hung(
    process: asyncio.subprocess.Process, worker: int, clock: Callable[[], float]
) -> None:
    """Listen to a worker until it ends; kill it if it hangs."""
    assert process.stdout is not None, "it was started with pipes"
    silence = Silence(clock())
    while True:
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                heard = await process.stdout.read(_LONGEST)
        except TimeoutError:
            heard = None
        if heard == b"":
            return  # it ends
        if silence.too_long(clock(), heard=heard is not None):
            where = await _ask(process)
            log.error(
                "worker_hung",
                worker=worker,
                pid=process.pid,
                silent_seconds=HUNG_SECONDS,
                where=where,
            )
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return


async def _ask(process: asyncio.subprocess.Process) -> list[str]:
    """Where its threads stand: files, lines and functions, no values. Nothing if it cannot tell."""
    assert process.stdout is not None, "as above"
    told = b""
    with contextlib.suppress(TimeoutError, ProcessLookupError):
        process.send_signal(_TELL)
        async with asyncio.timeout(_TELL_SECONDS):
            while part := await process.stdout.read(_LONGEST):
                told += part
    lines = told.decode(errors="replace").lstrip(BEAT.decode()).splitlines()
    return [line.strip() for line in lines if line.strip()][:_FRAMES]
