"""The unit of work: one command, one transaction, for everything that moves no money.

Money goes through the journal. The rest (a new shop, a switched policy) opens `work`, reads and
writes on its connection, and leaves the block: that commits. An exception rolls everything back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tandem.db.pool import Connection, Pool


@asynccontextmanager
async def work(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction on a connection of the pool; commits when the block ends well."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection
