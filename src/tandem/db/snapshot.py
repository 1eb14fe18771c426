"""Long reads: a connection of their own in one snapshot, few at a time.

A read that goes on as fast as somebody takes it holds a connection all that time. So there are few
of them in a process, one for each owner, and the pool keeps connections for everything else.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Final
from uuid import UUID

from tandem.db.pool import Connection, Pool

MAX_SNAPSHOTS: Final = 2
WAIT_SECONDS: Final = 5.0


class Snapshot:
    """A connection in a transaction that sees the database as it was when that began."""

    def __init__(self, connection: Connection, stack: AsyncExitStack) -> None:
        self.connection = connection
        self._stack = stack

    async def close(self) -> None:
        """Give the connection back."""
        await self._stack.aclose()


class Snapshots:
    """Opens snapshots of one pool."""

    def __init__(self, pool: Pool, most: int = MAX_SNAPSHOTS) -> None:
        self._pool = pool
        self._room = asyncio.Semaphore(most)
        self._owners: set[UUID] = set()

    async def open(self, owner_id: UUID) -> Snapshot | None:
        """A snapshot for an owner; None if they have one, or if there is no room for a while."""
        if owner_id in self._owners:
            return None
        self._owners.add(owner_id)
        async with AsyncExitStack() as stack:
            stack.callback(self._owners.discard, owner_id)
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._room.acquire()
            except TimeoutError:
                return None
            stack.callback(self._room.release)
            connection = await stack.enter_async_context(self._pool.acquire())
            await stack.enter_async_context(
                connection.transaction(isolation="repeatable_read", readonly=True)
            )
            return Snapshot(connection, stack.pop_all())
