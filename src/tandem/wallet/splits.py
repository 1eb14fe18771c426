"""The use cases of splits: ask several people for their parts of an amount, and follow who paid."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from tandem.db import Idempotency, Pool
from tandem.kernel import Ids, Invalid, NotFound, clean_note, show_id
from tandem.ledger import Entry, Journal, Outcome, submit_fresh
from tandem.people import PersonTerms, find_id_by_handle, load_terms
from tandem.screening import MessageScreening, Screened, states_of
from tandem.settings import Settings
from tandem.wallet.model import MoneyRequest, Split
from tandem.wallet.shapes import SplitView, split_view
from tandem.wallet.splitting import CancelSplit, MakeSplit, RemindSplit
from tandem.wallet.store import paid_for, parts_of, split_by_id, splits_of


class Asked(NamedTuple):
    """Somebody who is to pay a part: their handle, and how much if it is not an equal one."""

    handle: str
    amount: int | None


class Parted(NamedTuple):
    """A split and its requests."""

    split: Split
    parts: list[MoneyRequest]


class Splits:
    """Amounts that people split among several."""

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        ids: Ids,
        settings: Settings,
        screening: MessageScreening,
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._ids = ids
        self._settings = settings
        self._screening = screening

    async def make(
        self,
        maker_id: UUID,
        amount: int,
        code: str,
        people: Sequence[Asked],
        message: str | None,
        idempotency: Idempotency | None,
        *,
        client: str | None = None,
    ) -> Outcome:
        """Split an amount; the outcome is a SplitView. Raises `Invalid`, `NotFound`.

        `client` is the address that it was asked from.
        """
        return await self._make(maker_id, amount, code, people, message, None, idempotency, client)

    async def make_of_payment(
        self,
        maker_id: UUID,
        payment_id: UUID,
        people: Sequence[Asked],
        message: str | None,
        idempotency: Idempotency | None,
        *,
        client: str | None = None,
    ) -> Outcome:
        """Split what the person has paid by one of their payments; the outcome is a SplitView.

        Raises `Invalid`, `NotFound`.
        """
        async with self._pool.acquire() as connection:
            paid = await paid_for(connection, maker_id, payment_id)
        if paid is None:
            raise NotFound("payment", show_id("pay", payment_id))
        if paid.amount == 0:
            raise Invalid("payment_id", "must be a payment of which something was paid")
        return await self._make(
            maker_id, paid.amount, paid.currency, people, message, payment_id, idempotency, client
        )

    async def remind(
        self, person_id: UUID, split_id: UUID, idempotency: Idempotency | None
    ) -> Outcome:
        """Remind those who have not answered; the outcome is a SplitView.

        Raises `NotFound`, `SplitClosed`, `RemindedLately`.
        """

        async def entry() -> Entry:
            found = await self._parted(person_id, split_id)
            return RemindSplit(
                id=self._ids.entry(),
                idempotency=idempotency,
                split_id=split_id,
                request_ids=tuple(part.id for part in found.parts),
                states=await self._states(found),
            )

        return await self._submit(entry, idempotency)

    async def cancel(
        self, person_id: UUID, split_id: UUID, idempotency: Idempotency | None
    ) -> Outcome:
        """Withdraw what is still asked for; the outcome is a SplitView.

        Raises `NotFound`, `SplitClosed`.
        """

        async def entry() -> Entry:
            found = await self._parted(person_id, split_id)
            return CancelSplit(
                id=self._ids.entry(),
                idempotency=idempotency,
                split_id=split_id,
                request_ids=tuple(part.id for part in found.parts),
                states=await self._states(found),
            )

        return await self._submit(entry, idempotency)

    async def view(self, person_id: UUID, split_id: UUID) -> SplitView:
        """A split that the person made. Raises `NotFound`."""
        found = await self._parted(person_id, split_id)
        return split_view(found.split, found.parts)

    async def list(self, person_id: UUID, before: UUID | None, limit: int) -> list[Parted]:
        """The splits that the person made, newest first."""
        async with self._pool.acquire() as connection:
            found = await splits_of(connection, person_id, before, limit)
            parts = await parts_of(connection, [split.id for split in found])
        return [Parted(split, parts[split.id]) for split in found]

    async def _make(
        self,
        maker_id: UUID,
        amount: int,
        code: str,
        people: Sequence[Asked],
        message: str | None,
        payment_id: UUID | None,
        idempotency: Idempotency | None,
        client: str | None,
    ) -> Outcome:
        note = clean_note(message, "message")
        given = [one.amount for one in people if one.amount is not None]
        if given and len(given) < len(people):
            raise Invalid("people", "must all have an amount, or none of them")

        async def entry() -> Entry:
            asked = await self._people(people)
            return MakeSplit(
                id=self._ids.entry(),
                idempotency=idempotency,
                maker=await self._terms(maker_id),
                people=asked,
                parts=tuple(given) if given else None,
                amount=amount,
                currency=self._settings.unit(code).code,
                message=note,
                screened=await self._looked(note, maker_id, asked, client),
                payment_id=payment_id,
                expires_seconds=self._settings.request_seconds,
            )

        return await self._submit(entry, idempotency)

    async def _submit(
        self, build: Callable[[], Awaitable[Entry]], idempotency: Idempotency | None
    ) -> Outcome:
        return await submit_fresh(self._journal, self._pool, build, idempotency)

    async def _terms(self, person_id: UUID) -> PersonTerms:
        async with self._pool.acquire() as connection:
            return await load_terms(connection, person_id)

    async def _people(self, people: Sequence[Asked]) -> tuple[PersonTerms, ...]:
        async with self._pool.acquire() as connection:
            ids = [await find_id_by_handle(connection, one.handle) for one in people]
            return tuple([await load_terms(connection, person_id) for person_id in ids])

    async def _looked(
        self,
        note: str | None,
        maker_id: UUID,
        people: Sequence[PersonTerms],
        client: str | None,
    ) -> tuple[Screened, ...]:
        """What becomes of the message for each of those who are asked."""
        look = self._screening.look
        return tuple([await look(note, maker_id, payer.id, client) for payer in people])

    async def _states(self, found: Parted) -> dict[UUID, str]:
        async with self._pool.acquire() as connection:
            return await states_of(connection, [part.id for part in found.parts])

    async def _parted(self, person_id: UUID, split_id: UUID) -> Parted:
        async with self._pool.acquire() as connection:
            split = await split_by_id(connection, split_id)
            if split is None or split.maker_id != person_id:
                raise NotFound("split", show_id("spl", split_id))
            return Parted(split, (await parts_of(connection, [split_id]))[split_id])
