"""When keys were used last, to the minute, without a payment waiting for it.

A request only puts its key's id into a set. `Access.follow`, which runs anyway, writes what came
together: of each key once a minute, however many requests and processes there are, and some keys at
a time. What could not be written is written later; what a process has not written when it is killed
is lost.
"""

from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from tandem.db import Connection

MOST: Final = 1000
"""Keys that are written at a time: twice a second, 120,000 in a minute."""
SECONDS: Final = 0.5
"""How long that may take: revocations are looked for in between."""

# Another process that writes one of them at this moment says the same, so nobody waits.
_WRITE: Final = """
    UPDATE api_keys SET last_used_at = $2 WHERE id IN (
        SELECT id FROM api_keys WHERE id = ANY($1::uuid[])
        AND (last_used_at IS NULL OR last_used_at < $2) FOR NO KEY UPDATE SKIP LOCKED
    )
"""


class Uses:
    """The keys that were used in this process and are not yet written down."""

    def __init__(self) -> None:
        self.note: Final = set[UUID]()
        self._minute: datetime | None = None
        self._written: set[UUID] = set()

    async def write(self, connection: Connection, now: datetime) -> None:
        """Write down some of who was used, each once in a minute of the clock.

        Raises what the database raises; nothing is lost by that.
        """
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._written = minute, set()
        self.note.difference_update(self._written)
        used = list(islice(self.note, MOST))
        if not used:
            return
        self.note.difference_update(used)
        try:
            await connection.execute(_WRITE, used, minute, timeout=SECONDS)
        except BaseException:
            self.note.update(used)
            raise
        self._written.update(used)
