"""Timers: what happens because time passes. One process of an installation runs them."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg
import structlog

from tandem.kernel import Clock

log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 0.25
LOCK: Final = 0x7A11_0001
"""The advisory lock of the process that runs the timers."""

PURGE_SECONDS: Final = 3600
KEEP_ANSWERS_DAYS: Final = 30

Due = Callable[[], Awaitable[int]]
"""Does what is due, at most a page of it, and says how much that was."""


async def run_timers(dsn: str, due: Sequence[Due], clock: Clock) -> None:
    """Do what is due, four times a second, while this process is the one that does.

    The lock belongs to a connection of its own: when the process dies, another takes over.
    """
    connection = await asyncpg.connect(dsn, server_settings={"application_name": "tandem timers"})
    try:
        while True:
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                break
            await asyncio.sleep(TICK_SECONDS * 4)
        purged = -math.inf
        while True:
            for act in due:
                await _exhaust(act)
            now = asyncio.get_running_loop().time()
            if now - purged > PURGE_SECONDS:
                purged = now
                await connection.execute(
                    "DELETE FROM idempotency "
                    "WHERE created_at < $1::timestamptz - $2 * interval '1 day'",
                    clock.now(),
                    KEEP_ANSWERS_DAYS,
                )
            await connection.execute("SELECT 1")  # still ours
            await asyncio.sleep(TICK_SECONDS)
    finally:
        await connection.close(timeout=1)


async def _exhaust(act: Due) -> None:
    """Do a job until nothing of it is due; one that fails does not keep the others waiting."""
    try:
        while await act() > 0:
            pass
    except Exception:
        log.exception("a timer failed", job=getattr(act, "__qualname__", repr(act)))
