"""The catalogue: what a shop sells, for the keys of its tills."""

from tandem.catalogue.errors import GtinTaken, TooManyItems
from tandem.catalogue.model import CreateItem, Item, ItemView, UpdateItem, item_view
from tandem.catalogue.service import Catalogue

__all__ = [
    "Catalogue",
    "CreateItem",
    "GtinTaken",
    "Item",
    "ItemView",
    "TooManyItems",
    "UpdateItem",
    "item_view",
]
