"""What tills accept, followed: whoever waits is woken when their merchant's terms have changed.

Every change of a shop, a till or a merchant counts the merchant's terms up, in whatever process. So
one look at that number for all merchants that are followed says who has to read anew.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from tandem.db import Pool
from tandem.merchants.model import Place
from tandem.merchants.service import Merchants

_POLL: Final = timedelta(milliseconds=250)


class TermsWatch:
    """Follows merchants' terms, while somebody asks for them. `run` runs beside it."""

    def __init__(self, pool: Pool, merchants: Merchants) -> None:
        self._pool = pool
        self._merchants = merchants
        self._followers: dict[UUID, set[asyncio.Event]] = {}
        self._known: dict[UUID, int] = {}
        self._listened_to = asyncio.Event()

    async def follow(self, merchant_id: UUID, till_id: UUID) -> AsyncIterator[Place]:
        """What holds at a till: now, and whenever something about its merchant has changed.

        Raises `NotFound` if the merchant has no such till.
        """
        changed = asyncio.Event()
        self._followers.setdefault(merchant_id, set()).add(changed)
        self._listened_to.set()
        try:
            while True:
                changed.clear()
                yield await self._merchants.place(merchant_id, till_id=till_id)
                await changed.wait()
        finally:
            self._leave(merchant_id, changed)

    async def run(self) -> None:
        """Look whose terms have changed, while somebody follows; runs until cancelled.

        A merchant that was not looked at before is taken for changed: between its follower's
        reading and the first look here something may have happened.
        """
        self._known.clear()
        while True:
            await self._listened_to.wait()
            async with self._pool.acquire() as connection:
                rows = await connection.fetch(
                    "SELECT id, terms FROM merchants WHERE id = ANY($1::uuid[])",
                    list(self._followers),
                )
            for merchant_id, terms in rows:
                if self._known.get(merchant_id) != terms:
                    self._known[merchant_id] = terms
                    for changed in self._followers.get(merchant_id, ()):
                        changed.set()
            await asyncio.sleep(_POLL.total_seconds())

    def _leave(self, merchant_id: UUID, changed: asyncio.Event) -> None:
        followers = self._followers[merchant_id]
        followers.remove(changed)
        if not followers:
            del self._followers[merchant_id]
            self._known.pop(merchant_id, None)
        if not self._followers:
            self._listened_to.clear()
