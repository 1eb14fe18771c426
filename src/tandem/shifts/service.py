"""The use cases of shifts.

shift = await shifts.open(merchant_id, till_id, {"CNY": 50_000}, "Ana", idempotency)
await shifts.get(merchant_id, shift.id)       the totals until now (X report)
await shifts.close(merchant_id, shift.id, "Ana", idempotency)       and for good (Z report)
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from tandem.db import Connection, Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.db.audit import about
from tandem.kernel import Clock, Ids, currency, show_id
from tandem.merchants import till_by_id
from tandem.shifts.errors import ShiftClosed, ShiftOfAnother, ShiftOpen
from tandem.shifts.model import Shift
from tandem.shifts.store import (
    close_shift,
    insert_shift,
    last_shift,
    list_shifts,
    marks_of,
    shift_by_id,
    totals_of,
)


class Shifts:
    """Opens and closes the shifts of tills. Everything is scoped by the merchant."""

    def __init__(self, pool: Pool, clock: Clock, ids: Ids) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids

    async def open(
        self,
        merchant_id: UUID,
        till_id: UUID,
        cash: Mapping[str, int],
        by: str,
        idempotency: Idempotency | None,
        *,
        opener_id: UUID | None = None,
    ) -> Shift:
        """Open a shift. Raises `NotFound`, `Invalid`, `ShiftOpen`.

        `opener_id` is the member of staff who does, if one does. It begins where the one before it
        ended: what was paid in between is in it.
        """
        counted = {currency(code, "float").code: minor for code, minor in cash.items()}
        now = self._clock.now()
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await earlier_answer(connection, idempotency)
                if earlier is not None:
                    made = msgspec.json.decode(earlier, type=UUID)
                    return await self._shown(connection, merchant_id, made)
            till = await till_by_id(connection, merchant_id, till_id)
            last = await last_shift(connection, till_id)
            if last is not None and last.closed_at is None:
                raise ShiftOpen(last.id, last.opened_by)
            began = None if last is None else last.ended
            shift = Shift(
                id=self._ids.new(),
                merchant_id=merchant_id,
                shop_id=till.shop_id,
                till_id=till_id,
                number=1 if last is None else last.number + 1,
                float=counted,
                opened_by=by,
                opened_at=now,
                began=await marks_of(connection, merchant_id) if began is None else began,
                opener_id=opener_id,
            )
            await insert_shift(connection, shift)
            if idempotency is not None:
                kept = msgspec.json.encode(shift.id)
                await keep_answer(connection, idempotency, kept, now)
            about(show_id("shf", shift.id))
            return await self._shown(connection, merchant_id, shift.id)

    async def close(
        self,
        merchant_id: UUID,
        shift_id: UUID,
        by: str,
        idempotency: Idempotency | None,
        *,
        only_of: UUID | None = None,
    ) -> Shift:
        """Close a shift, and keep what it came to.

        `only_of` is the member of staff who closes none that another one opened; None: whoever
        closes any. Raises `NotFound`, `ShiftClosed`, `ShiftOfAnother`.

        Every transfer has a number in its account, given when it is committed. What is committed
        before this looks is in the shift, and what is committed later is in the next one.
        """
        now = self._clock.now()
        async with work(self._pool) as connection:
            if idempotency is not None and await earlier_answer(connection, idempotency):
                return await shift_by_id(connection, merchant_id, shift_id)
            shift = await shift_by_id(connection, merchant_id, shift_id, lock=True)
            if shift.closed_by is not None:
                raise ShiftClosed(shift.closed_by)
            if only_of is not None and shift.opener_id not in {None, only_of}:
                raise ShiftOfAnother(shift.id, shift.opened_by)
            ended = await marks_of(connection, merchant_id)
            report = await totals_of(connection, merchant_id, shift.till_id, shift.began, ended)
            closed = msgspec.structs.replace(
                shift, closed_by=by, closed_at=now, ended=ended, report=report
            )
            await close_shift(connection, closed)
            if idempotency is not None:
                kept = msgspec.json.encode(shift_id)
                await keep_answer(connection, idempotency, kept, now)
        return closed

    async def get(self, merchant_id: UUID, shift_id: UUID) -> Shift:
        """A shift with its totals. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await self._shown(connection, merchant_id, shift_id)

    async def of_till(
        self, merchant_id: UUID, till_id: UUID, before: UUID | None, limit: int
    ) -> list[Shift]:
        """A till's shifts with their totals, newest first. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            await till_by_id(connection, merchant_id, till_id)
            found = await list_shifts(connection, till_id, before, limit)
            return [await self._counted(connection, shift) for shift in found]

    async def _shown(self, connection: Connection, merchant_id: UUID, shift_id: UUID) -> Shift:
        return await self._counted(connection, await shift_by_id(connection, merchant_id, shift_id))

    async def _counted(self, connection: Connection, shift: Shift) -> Shift:
        """The shift with its totals of now, if it is open."""
        if shift.report is not None:
            return shift
        now = await marks_of(connection, shift.merchant_id)
        report = await totals_of(connection, shift.merchant_id, shift.till_id, shift.began, now)
        return msgspec.structs.replace(shift, report=report)
