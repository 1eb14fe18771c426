"""The use cases of screening: what is written is looked at, what is held can be appealed.

    screened = await screening.look(text, author_id, receiver_id, client)     before it is written
    screened.writes("snd", send.id, …)                                        with it, unless clear

Money never waits for it: a message that is held is hidden from everybody but its author, and what
it was attached to is done (docs/decisions/0030).
"""

import asyncio
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from tandem.db import Connection, Pool, work
from tandem.db.audit import about
from tandem.events import EVENTS, Now, announce
from tandem.kernel import Clock, Ids, NotFound, clean_note, show_id
from tandem.screening.akismet import Akismet, AkismetAwayError
from tandem.screening.model import (
    CLEAR,
    LEASE,
    MessageState,
    MessageView,
    Screened,
    Screening,
    appealed,
    checked,
    decided,
    message_view,
    told,
    unanswered,
)
from tandem.screening.scorer import score, weigh
from tandem.screening.store import (
    claim_due,
    company,
    list_screenings,
    save,
    screening_of,
    screenings_of,
)
from tandem.settings import Settings

log = structlog.get_logger(__name__)

AT_ONCE: Final = 16
PAUSE_SECONDS: Final = 0.5


class MessageScreening:
    """Looks at messages; keeps, shows and decides on those that are not clear."""

    def __init__(self, pool: Pool, clock: Clock, ids: Ids, settings: Settings) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._own_host = urlsplit(settings.public_url).hostname or ""

    async def look(
        self, message: str | None, author_id: UUID, receiver_id: UUID | None, client: str | None
    ) -> Screened:
        """What becomes of a message that is about to be written.

        `client` is the author's network address. The local scorer decides at once; what it has
        nothing against is checked by Akismet afterwards, if the operator has a key for it.
        """
        if message is None:
            return CLEAR
        points: int = 0
        reasons: tuple[str, ...] = ()
        found = weigh(message, own_host=self._own_host)
        if found:
            async with self._pool.acquire() as connection:
                between = await company(
                    connection, author_id, receiver_id, message, self._clock.now()
                )
            scored = score(found, between)
            points, reasons = scored.points, scored.reasons
            if scored.held:
                return Screened(MessageState.HELD, points, reasons)
        if self._settings.akismet_key:
            return Screened(MessageState.CHECKING, points, reasons, client)
        return CLEAR

    # -- its author asks -------------------------------------------------------------------------

    async def own(self, author_id: UUID, before: UUID | None, limit: int) -> list[Screening]:
        """One's own messages that were screened out, newest first."""
        async with self._pool.acquire() as connection:
            return await screenings_of(connection, author_id, before, limit)

    async def of_author(self, author_id: UUID, object_id: UUID, shown_id: str) -> MessageView:
        """One's own message that was screened out. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            row = await screening_of(connection, object_id)
        return message_view(_own(row, author_id, shown_id))

    async def appeal(
        self, author_id: UUID, object_id: UUID, shown_id: str, text: str | None
    ) -> MessageView:
        """Ask the operator to look at one's message. Raises `NotFound`, `NotHeld`.

        Also `AlreadyAppealed`, `Invalid`.
        """
        note = clean_note(text, "text")
        async with work(self._pool) as connection:
            row = await screening_of(connection, object_id, lock=True)
            changed = appealed(_own(row, author_id, shown_id), note, self._clock.now())
            await save(connection, changed)
        return message_view(changed)

    # -- the operator asks -----------------------------------------------------------------------

    async def all(
        self, state: str | None, before: UUID | None, limit: int, *, appealed: bool
    ) -> list[Screening]:
        """Screened messages, newest first."""
        async with self._pool.acquire() as connection:
            return await list_screenings(connection, state, before, limit, appealed=appealed)

    async def decide(self, object_id: UUID, shown_id: str, *, release: bool) -> Screening:
        """Release a message to its receiver, or keep it hidden for good.

        Raises `NotFound`, `NotHeld`.
        """
        about(shown_id)
        now = self._clock.now()
        async with work(self._pool) as connection:
            row = await screening_of(connection, object_id, lock=True)
            if row is None or show_id(row.kind, object_id) != shown_id:
                raise NotFound("screened message", shown_id)
            tells = bool(self._settings.akismet_key) and "akismet" in row.reasons.split()
            changed = decided(row, now, release=release, tells=tells)
            await save(connection, changed)
            await self._tell(connection, changed)
        return changed

    # -- what runs beside requests ---------------------------------------------------------------

    async def run(self) -> None:
        """Ask Akismet, and tell it, until cancelled."""
        async with Akismet(self._settings) as akismet:
            while True:
                if await self.round(akismet) < AT_ONCE:
                    await asyncio.sleep(PAUSE_SECONDS)

    async def round(self, akismet: Akismet) -> int:
        """Ask and tell what is due; returns how much that was."""
        now = self._clock.now()
        async with work(self._pool, changes=False) as connection:
            due = await claim_due(connection, now, now + LEASE, AT_ONCE)
        await asyncio.gather(*(self._ask(akismet, row) for row in due))
        return len(due)

    async def _ask(self, akismet: Akismet, row: Screening) -> None:
        """Ask about one message, or tell what was decided on it, and write what came of it."""
        spam: bool | None = None
        try:
            if row.tell is None:
                spam = await akismet.is_spam(row.message, row.client)
            else:
                await akismet.learn(row.message, row.client, spam=row.tell == "spam")
        except AkismetAwayError as error:
            log.warning("akismet gave no answer", error=str(error), tries=row.tries + 1)
            answered = False
        else:
            answered = True
        await self._answered(row, answered=answered, spam=spam)

    async def _answered(self, asked: Screening, *, answered: bool, spam: bool | None) -> None:
        now = self._clock.now()
        async with work(self._pool, changes=False) as connection:
            row = await screening_of(connection, asked.object_id, lock=True)
            if row is None or (row.state, row.tell) != (asked.state, asked.tell):
                return  # the operator decided meanwhile, or another process had the answer
            if not answered:
                changed = unanswered(row, now)
            elif spam is None:
                changed = told(row, now)
            else:
                changed = checked(row, now, spam=spam)
            await save(connection, changed)
            if changed.state != row.state:
                await self._tell(connection, changed)

    async def _tell(self, connection: Connection, row: Screening) -> None:
        """Tell the author where the message stands, and the receiver when it is clear."""
        kind = {
            MessageState.CLEAR.value: "message.released",
            MessageState.HELD.value: "message.held",
            MessageState.REJECTED.value: "message.rejected",
        }[row.state]
        people = [row.author_id]
        if row.receiver_id is not None and row.state == MessageState.CLEAR:
            people.append(row.receiver_id)
        moment = Now(self._clock.now(), self._ids.new)
        for person_id in people:
            for write in announce(moment, person_id, kind, row.object_id, message_view(row)):
                assert write.table is EVENTS, "people have no endpoints"
                await connection.execute(
                    EVENTS.one_row_statement,
                    *(getattr(write.row, column) for column in EVENTS.columns),
                )


def _own(row: Screening | None, author_id: UUID, shown_id: str) -> Screening:
    if row is None or row.author_id != author_id or show_id(row.kind, row.object_id) != shown_id:
        raise NotFound("screened message", shown_id)
    return row
