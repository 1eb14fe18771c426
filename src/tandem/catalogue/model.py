"""Items: rows, shapes, and what a number on a package is. Pure. Prices in minor units."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tandem.kernel import MAX_AMOUNT, Invalid, show_id

MAX_ITEMS: Final = 500
NAME_LENGTH: Final = 100
CATEGORY_LENGTH: Final = 40
_GTIN: Final = re.compile(r"[0-9]{8}|[0-9]{12,14}", re.ASCII)

Colour = Literal["jade", "blue", "amber", "ember", "violet", "grey"]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH, examples=["Flat white"])]
Price = Annotated[int, Meta(ge=0, le=MAX_AMOUNT, description="Minor units", examples=[1900])]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code", examples=["CNY"])
]
Category = Annotated[
    str, Meta(min_length=1, max_length=CATEGORY_LENGTH, description="A heading of your own")
]
Gtin = Annotated[
    str,
    Meta(
        pattern="^([0-9]{8}|[0-9]{12,14})$",
        max_length=14,
        description="GTIN-8, -12, -13 or -14 on the package (GS1 General Specifications, 2.1): "
        "a scanner at the till finds the item by it",
        examples=["4006381333931"],
    ),
]
Position = Annotated[
    int, Meta(ge=0, le=100_000, description="Its position among the others, low first")
]


class Item(msgspec.Struct, frozen=True):
    """A row of `items`. Price in minor units of `currency`. One that was removed stays."""

    id: UUID
    merchant_id: UUID
    shop_id: UUID
    name: str
    price: int
    currency: str
    category: str | None
    colour: str | None
    gtin: str | None
    place: int
    created_at: datetime
    updated_at: datetime
    removed_at: datetime | None = None


class CreateItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a shop sells."""

    name: Name
    price: Price
    currency: CurrencyCode
    category: Category | None = None
    colour: Annotated[Colour | None, Meta(description="Of its key on the till")] = None
    gtin: Gtin | None = None
    position: Position = 0


class UpdateItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of an item; what is not given stays. Null takes away what can be."""

    name: Name | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    category: Category | UnsetType | None = UNSET
    colour: Colour | UnsetType | None = UNSET
    gtin: Gtin | UnsetType | None = UNSET
    position: Position | UnsetType = UNSET


class ItemView(msgspec.Struct, frozen=True):
    """An item as it is sold now."""

    id: Annotated[str, Meta(examples=["itm_0199f0a4c0de70008000000000000040"])]
    shop_id: Annotated[str, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])]
    name: Name
    price: Price
    currency: CurrencyCode
    category: Category | None
    colour: Colour | None
    gtin: Gtin | None
    position: Position
    created_at: datetime
    updated_at: datetime


def item_view(item: Item) -> ItemView:
    """The item as it is shown."""
    return ItemView(
        show_id("itm", item.id),
        show_id("shp", item.shop_id),
        item.name,
        item.price,
        item.currency,
        item.category,
        item.colour,  # type: ignore[arg-type]  # written as one of them
        item.gtin,
        item.place,
        item.created_at,
        item.updated_at,
    )


def check_gtin(gtin: str | None) -> str | None:
    """The number, if its check digit is right (GS1 General Specifications, 7.9). Raises `Invalid`.

    A digit that was typed wrongly would make another product of it.
    """
    if gtin is None:
        return None
    if _GTIN.fullmatch(gtin) is None:
        raise Invalid("gtin", "must have 8, 12, 13 or 14 digits")
    weighed = sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(gtin[:-1])))
    if (weighed + int(gtin[-1])) % 10:
        raise Invalid("gtin", "has a wrong check digit: look at the package again")
    return gtin
