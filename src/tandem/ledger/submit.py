"""Commit an entry that is built on reads made before the locks."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from tandem.db import Idempotency, Pool, earlier_answer, work
from tandem.kernel import Refused
from tandem.ledger.entry import Entry
from tandem.ledger.errors import ChangedMeanwhile
from tandem.ledger.journal import Journal
from tandem.ledger.outcome import Outcome, answered

ATTEMPTS: Final = 6


async def submit_fresh(
    journal: Journal,
    pool: Pool,
    build: Callable[[], Awaitable[Entry]],
    idempotency: Idempotency | None,
    forget: Callable[[UUID], None] = lambda _owner_id: None,
) -> Outcome:
    """Build an entry and commit it; build it anew when what it was built on has changed.

    A repeat gets its first answer even where building it would be refused by now. `forget` is told
    whose cached rows were stale. Raises the refusals of `build` and of the entry's decision.
    """
    for attempt in range(ATTEMPTS):
        try:
            entry = await build()
        except Refused:
            earlier = await _earlier(pool, idempotency)
            if earlier is None:
                raise
            return earlier
        try:
            return await journal.submit(entry)
        except ChangedMeanwhile as stale:
            forget(stale.owner_id)
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


async def _earlier(pool: Pool, idempotency: Idempotency | None) -> Outcome | None:
    if idempotency is None:
        return None
    async with work(pool) as connection:
        body = await earlier_answer(connection, idempotency)
    return None if body is None else answered(body)
