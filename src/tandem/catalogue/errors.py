"""Why an item is not made or changed.

Refused
├── GtinTaken       another item of the shop has this number
└── TooManyItems    the catalogue is full
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class GtinTaken(Refused):
    """Another item of the shop has this number: a scanner could not tell which is meant."""

    code: ClassVar[str] = "gtin_taken"
    gtin: str

    def sentence(self) -> str:
        """Say what to do."""
        return f"Another item of this shop has the number {self.gtin}. Change or remove that one."


@dataclass(eq=False)
class TooManyItems(Refused):
    """A shop's catalogue is small: what fits a till's screen."""

    code: ClassVar[str] = "too_many_items"
    most: int

    def sentence(self) -> str:
        """Say how many there can be."""
        return f"A shop has at most {self.most} items. Remove some that are not sold any more."
