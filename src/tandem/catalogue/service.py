"""The use cases of a shop's catalogue.

item = await catalogue.create(merchant_id, shop_id, CreateItem(…), idempotency)
await catalogue.items(merchant_id, shop_id, None, 100)
"""

from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tandem.catalogue.errors import GtinTaken, TooManyItems
from tandem.catalogue.model import (
    CATEGORY_LENGTH,
    MAX_ITEMS,
    NAME_LENGTH,
    CreateItem,
    Item,
    UpdateItem,
    check_gtin,
)
from tandem.catalogue.store import (
    count_items,
    insert_item,
    item_by_id,
    list_items,
    update_item,
)
from tandem.db import Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.db.audit import about
from tandem.kernel import Clock, Ids, clean_text, currency, show_id
from tandem.merchants import shop_by_id

_TEXTS: Final = (("name", NAME_LENGTH), ("category", CATEGORY_LENGTH))


class Catalogue:
    """What shops sell. Everything is scoped by the merchant."""

    def __init__(self, pool: Pool, clock: Clock, ids: Ids) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids

    async def create(
        self, merchant_id: UUID, shop_id: UUID, new: CreateItem, idempotency: Idempotency | None
    ) -> Item:
        """A new item of a shop. Raises `NotFound`, `Invalid`, `GtinTaken`, `TooManyItems`."""
        given = _checked(msgspec.structs.asdict(new))
        place, code = given.pop("position"), currency(given.pop("currency")).code
        now = self._clock.now()
        item = Item(
            id=self._ids.new(),
            merchant_id=merchant_id,
            shop_id=shop_id,
            currency=code,
            place=place,
            created_at=now,
            updated_at=now,
            **given,
        )
        try:
            async with work(self._pool) as connection:
                if idempotency is not None:
                    earlier = await earlier_answer(connection, idempotency)
                    if earlier is not None:
                        return msgspec.json.decode(earlier, type=Item)
                    await keep_answer(connection, idempotency, msgspec.json.encode(item), now)
                await shop_by_id(connection, merchant_id, shop_id)
                if await count_items(connection, shop_id) >= MAX_ITEMS:
                    raise TooManyItems(MAX_ITEMS)
                await insert_item(connection, item)
                about(show_id("itm", item.id))
        except asyncpg.UniqueViolationError:
            raise GtinTaken(item.gtin or "") from None
        return item

    async def items(
        self, merchant_id: UUID, shop_id: UUID, before: UUID | None, limit: int
    ) -> list[Item]:
        """What a shop sells, newest first. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            await shop_by_id(connection, merchant_id, shop_id)
            return await list_items(connection, shop_id, before, limit)

    async def get(self, merchant_id: UUID, item_id: UUID) -> Item:
        """An item of the merchant's. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await item_by_id(connection, merchant_id, item_id)

    async def update(self, merchant_id: UUID, item_id: UUID, change: UpdateItem) -> Item:
        """Change what is given of an item. Raises `NotFound`, `Invalid`, `GtinTaken`."""
        given = msgspec.structs.asdict(change)
        given = _checked({k: v for k, v in given.items() if v is not msgspec.UNSET})
        if "position" in given:
            given["place"] = given.pop("position")
        try:
            return await self._change(merchant_id, item_id, given)
        except asyncpg.UniqueViolationError:
            raise GtinTaken(given.get("gtin") or "") from None

    async def remove(self, merchant_id: UUID, item_id: UUID) -> None:
        """Sell an item no more. What was paid keeps its lines. Raises `NotFound`."""
        await self._change(merchant_id, item_id, {"removed_at": self._clock.now()})

    async def _change(self, merchant_id: UUID, item_id: UUID, given: dict[str, Any]) -> Item:
        async with work(self._pool) as connection:
            item = await item_by_id(connection, merchant_id, item_id, lock=True)
            changed = msgspec.structs.replace(item, updated_at=self._clock.now(), **given)
            await update_item(connection, changed)
        return changed


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """The same with its texts as they are kept. Raises `Invalid`."""
    for field, longest in _TEXTS:
        if given.get(field) is not None:
            given[field] = clean_text(given[field], field, longest)
    if "gtin" in given:
        given["gtin"] = check_gtin(given["gtin"])
    return given
