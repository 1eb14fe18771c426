"""Items in SQL."""

from typing import Final
from uuid import UUID

import msgspec

from tandem.catalogue.model import Item
from tandem.db import Connection
from tandem.kernel import NotFound, show_id

_COLUMNS: Final = Item.__struct_fields__
_ITEM: Final = f"SELECT {', '.join(_COLUMNS)} FROM items"


async def item_by_id(
    connection: Connection, merchant_id: UUID, item_id: UUID, *, lock: bool = False
) -> Item:
    """An item of the merchant's that is sold. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_ITEM} WHERE id = $1 AND merchant_id = $2 AND removed_at IS NULL"
        f"{' FOR NO KEY UPDATE' if lock else ''}",
        item_id,
        merchant_id,
    )
    if row is None:
        raise NotFound("item", show_id("itm", item_id))
    return Item(*row)


async def list_items(
    connection: Connection, shop_id: UUID, before: UUID | None, limit: int
) -> list[Item]:
    """What a shop sells, newest first."""
    rows = await connection.fetch(
        f"{_ITEM} WHERE shop_id = $1 AND removed_at IS NULL "
        "AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        shop_id,
        before,
        limit,
    )
    return [Item(*row) for row in rows]


async def count_items(connection: Connection, shop_id: UUID) -> int:
    """How many items a shop sells. The shop is locked, so that two do not fill it over."""
    await connection.execute("SELECT FROM shops WHERE id = $1 FOR NO KEY UPDATE", shop_id)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM items WHERE shop_id = $1 AND removed_at IS NULL", shop_id
    )
    return count


async def insert_item(connection: Connection, item: Item) -> None:
    """Insert an item."""
    places = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
    await connection.execute(
        f"INSERT INTO items ({', '.join(_COLUMNS)}) VALUES ({places})",
        *msgspec.structs.astuple(item),
    )


async def update_item(connection: Connection, item: Item) -> None:
    """Write what may change of an item."""
    await connection.execute(
        "UPDATE items SET name = $2, price = $3, category = $4, colour = $5, gtin = $6, "
        "place = $7, updated_at = $8, removed_at = $9 WHERE id = $1",
        item.id,
        item.name,
        item.price,
        item.category,
        item.colour,
        item.gtin,
        item.place,
        item.updated_at,
        item.removed_at,
    )
