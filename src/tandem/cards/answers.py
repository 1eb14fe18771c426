"""Answers that are kept for repeats, sealed: packages and cards are in them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from tandem.db import Connection, Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.kernel import Clock
from tandem.keyring import KeyRing

T = TypeVar("T", bound=msgspec.Struct)


class SealedAnswers:
    """Does a thing once for an idempotency key, and keeps its answer under seal."""

    def __init__(self, pool: Pool, clock: Clock, keyring: KeyRing) -> None:
        self._pool = pool
        self._clock = clock
        self._keyring = keyring

    async def earlier(self, idempotency: Idempotency | None, shape: type[T]) -> T | None:
        """What the key was answered before, None if nothing: nobody is asked for a repeat.

        Raises `IdempotencyConflict`.
        """
        if idempotency is None:
            return None
        async with work(self._pool, changes=False) as connection:
            return await self._found(connection, idempotency, shape)

    async def once(
        self,
        idempotency: Idempotency | None,
        shape: type[T],
        act: Callable[[Connection], Awaitable[T]],
    ) -> T:
        """Do it once for a key, in one transaction with its answer. Raises as `act` does."""
        async with work(self._pool) as connection:
            if idempotency is None:
                return await act(connection)
            earlier = await self._found(connection, idempotency, shape)
            if earlier is not None:
                return earlier
            made = await act(connection)
            sealed = self._keyring.seal(msgspec.json.encode(made), _context(idempotency))
            await keep_answer(connection, idempotency, sealed, self._clock.now())
            return made

    async def _found(
        self, connection: Connection, idempotency: Idempotency, shape: type[T]
    ) -> T | None:
        sealed = await earlier_answer(connection, idempotency)
        if sealed is None:
            return None
        return msgspec.json.decode(self._keyring.open(sealed, _context(idempotency)), type=shape)


def _context(idempotency: Idempotency) -> bytes:
    """What a sealed answer is bound to."""
    return b"card answer " + idempotency.owner_id.bytes + idempotency.key.encode()
