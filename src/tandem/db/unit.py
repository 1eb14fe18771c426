"""The unit of work: one command, one transaction, for everything that moves no money.

Money goes through the journal. The rest (a new shop, a switched policy) opens `work`, reads and
writes on its connection, and leaves the block: that commits. An exception rolls everything back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tandem.db.audit import current_act, record
from tandem.db.pool import Connection, Pool


@asynccontextmanager
async def work(pool: Pool, *, changes: bool = True) -> AsyncIterator[Connection]:
    """One transaction on a connection of the pool; commits when the block ends well.

    It writes who did it, if somebody acts (tandem.db.audit) and it `changes` what they asked for.
    """
    async with pool.acquire() as connection:
        async with connection.transaction():
            yield connection
            act = current_act() if changes else None
            if act is not None:
                await record(connection, act)
        if act is not None:
            act.recorded = True
