"""Commit an entry that is built on reads made before the locks."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tandem.db import Idempotency, Pool, earlier_answer, keep_first_answer, work
from tandem.kernel import Refused
from tandem.ledger.entry import Entry
from tandem.ledger.errors import ChangedMeanwhile
from tandem.ledger.journal import Journal
from tandem.ledger.outcome import Outcome, answered, kept

ATTEMPTS: Final = 6


async def submit_fresh(
    journal: Journal,
    pool: Pool,
    build: Callable[[], Awaitable[Entry]],
    idempotency: Idempotency | None,
    forget: Callable[[UUID], None] = lambda _owner_id: None,
) -> Outcome:
    """Build an entry and commit it; build it anew when what it was built on has changed.

    So what may be made only once is looked for in `build`, and the database's constraint finds
    whoever makes it at the same moment.

    A repeat gets its first answer even where building it would be refused by now. `forget` is told
    whose cached rows were stale. Raises the refusals of `build` and of the entry's decision.
    """
    for attempt in range(ATTEMPTS):
        try:
            entry = await build()
        except Refused as refused:
            earlier = await _earlier(pool, idempotency, refused, journal.now())
            if earlier is None:
                raise
            return earlier
        try:
            return await journal.submit(entry)
        except ChangedMeanwhile as stale:
            forget(stale.owner_id)
            if attempt == ATTEMPTS - 1:
                raise
        except asyncpg.UniqueViolationError:
            # A rival came first; built anew, the entry is refused for what is there now.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


async def _earlier(
    pool: Pool, idempotency: Idempotency | None, refused: Refused, now: datetime
) -> Outcome | None:
    """What the key was answered before; if nothing, it is refused for good (`keep_refusal`)."""
    if idempotency is None:
        return None
    async with work(pool) as connection:
        body = await earlier_answer(connection, idempotency)
        if body is None and not refused.passing:
            body = await keep_first_answer(connection, idempotency, kept(refused), now)
    return None if body is None else answered(body)
