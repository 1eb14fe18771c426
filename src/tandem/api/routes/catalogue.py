"""What shops sell, for the keys of their tills."""

from typing import Protocol
from uuid import UUID

from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.catalogue import (
    Catalogue,
    CreateItem,
    GtinTaken,
    ItemView,
    TooManyItems,
    UpdateItem,
    item_view,
)


class Services(Protocol):
    """What these operations use."""

    @property
    def catalogue(self) -> Catalogue:
        """The use cases of catalogues."""
        ...


@operation(
    "POST",
    "/v1/shops/{shop_id}/items",
    tag="Catalogue",
    summary="Add an item",
    who=("merchant",),
    scope="shops:write",
    status=201,
    idempotency="required",
    errors=(GtinTaken, TooManyItems),
)
async def create_item(call: Call[Services], shop_id: UUID, body: CreateItem) -> ItemView:
    """Something that the shop sells, at its price: a key on its tills."""
    made = await call.services.catalogue.create(
        call.principal.owner_id, shop_id, body, call.idempotency
    )
    return item_view(made)


@operation(
    "GET",
    "/v1/shops/{shop_id}/items",
    tag="Catalogue",
    summary="List a shop's items",
    who=("merchant",),
    scope="shops:read",
)
async def list_items(call: Call[Services], shop_id: UUID, query: ListQuery) -> Page[ItemView]:
    """What the shop sells, newest first. Tills show them by `position`, then by name."""
    rows = await call.services.catalogue.items(
        call.principal.owner_id, shop_id, query.after_id("itm"), query.limit + 1
    )
    return page(rows, query.limit, item_view)


@operation(
    "GET",
    "/v1/items/{item_id}",
    tag="Catalogue",
    summary="Get an item",
    who=("merchant",),
    scope="shops:read",
)
async def get_item(call: Call[Services], item_id: UUID) -> ItemView:
    """One item, as it is sold now."""
    return item_view(await call.services.catalogue.get(call.principal.owner_id, item_id))


@operation(
    "PATCH",
    "/v1/items/{item_id}",
    tag="Catalogue",
    summary="Change an item",
    who=("merchant",),
    scope="shops:write",
    errors=(GtinTaken,),
)
async def update_item(call: Call[Services], item_id: UUID, body: UpdateItem) -> ItemView:
    """What is left out stays. What was paid before keeps the names and prices of then."""
    changed = await call.services.catalogue.update(call.principal.owner_id, item_id, body)
    return item_view(changed)


@operation(
    "DELETE",
    "/v1/items/{item_id}",
    tag="Catalogue",
    summary="Remove an item",
    who=("merchant",),
    scope="shops:write",
)
async def remove_item(call: Call[Services], item_id: UUID) -> None:
    """It is sold no more. What was paid keeps its lines."""
    await call.services.catalogue.remove(call.principal.owner_id, item_id)


OPERATIONS = (create_item, list_items, get_item, update_item, remove_item)
