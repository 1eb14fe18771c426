"""Commit an entry that is built on reads made before the locks."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tandem.db import Idempotency, Pool, earlier_answer, keep_first_answer, work
from tandem.db.audit import AUDIT, Act, current_act
from tandem.kernel import Refused
from tandem.ledger.entry import Decision, Entry, Touches, View, Write
from tandem.ledger.errors import ChangedMeanwhile
from tandem.ledger.journal import Journal
from tandem.ledger.outcome import Outcome, answered, kept

ATTEMPTS: Final = 6


class _Recorded(msgspec.Struct, frozen=True):
    """An entry with the record of who asked for it (tandem.db.audit)."""

    entry: Entry
    act: Act

    @property
    def id(self) -> UUID:
        """The entry's own."""
        return self.entry.id

    @property
    def idempotency(self) -> Idempotency | None:
        """The entry's own."""
        return self.entry.idempotency

    def touches(self) -> Touches:
        """What the entry does."""
        return self.entry.touches()

    def decide(self, view: View) -> Decision:
        """Decide the entry, and write the record with what it comes to."""
        decision = self.entry.decide(view)
        row = self.act.row(made=_id_of(decision.answer))
        return msgspec.structs.replace(decision, writes=(*decision.writes, Write(AUDIT, row)))


class _Made(msgspec.Struct):
    id: str | None = None


def _id_of(answer: msgspec.Struct | bytes) -> str | None:
    """The id in an answer: of what the entry made or changed."""
    if isinstance(answer, bytes):
        return msgspec.json.decode(answer, type=_Made).id
    found: str | None = getattr(answer, "id", None)
    return found


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
        act = current_act()
        try:
            outcome = await journal.submit(entry if act is None else _Recorded(entry, act))
        except ChangedMeanwhile as stale:
            forget(stale.owner_id)
            if attempt == ATTEMPTS - 1:
                raise
        except asyncpg.UniqueViolationError:
            # A rival came first; built anew, the entry is refused for what is there now.
            if attempt == ATTEMPTS - 1:
                raise
        else:
            if act is not None:
                act.recorded = True  # a repeat's was, when it was first done
            return outcome
    raise AssertionError("the loop returns or raises")


async def _earlier(
    pool: Pool, idempotency: Idempotency | None, refused: Refused, now: datetime
) -> Outcome | None:
    """What the key was answered before; if nothing, it is refused for good (`keep_refusal`)."""
    if idempotency is None:
        return None
    async with work(pool, changes=False) as connection:
        body = await earlier_answer(connection, idempotency)
        if body is None and not refused.passing:
            body = await keep_first_answer(connection, idempotency, kept(refused), now)
    return None if body is None else answered(body)
