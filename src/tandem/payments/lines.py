"""What a payment is for: its lines, and the tip in it. Pure. Amounts in minor units."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tandem.kernel import MAX_AMOUNT, Invalid, clean_text

NAME_LENGTH: Final = 100
MAX_LINES: Final = 100
MAX_QUANTITY: Final = 10_000


class LineItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a payment: so many of something, at so much each."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH, examples=["Flat white"])]
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY, examples=[2])] = 1
    unit_amount: Annotated[
        int, Meta(ge=0, le=MAX_AMOUNT, description="Minor units, of one of them", examples=[1900])
    ]


Lines = Annotated[
    tuple[LineItem, ...],
    Meta(max_length=MAX_LINES, description="What it is for; with the tip they come to the amount"),
]
Tip = Annotated[
    int,
    Meta(ge=0, le=MAX_AMOUNT, description="What of the amount is a tip, in minor units"),
]


def write_lines(lines: Sequence[LineItem], tip: int, amount: int) -> str | None:
    """The lines as they are kept, names cleaned; None if there are none.

    Raises `Invalid` unless lines and tip come to the amount, or the tip alone is above it.
    """
    if tip > amount:
        raise Invalid("tip", "is a part of the amount, so it cannot be more")
    if not lines:
        return None
    total = tip + sum(line.quantity * line.unit_amount for line in lines)
    if total != amount:
        raise Invalid("lines", f"come to {total} with the tip, and the amount is {amount}")
    cleaned = [
        msgspec.structs.replace(line, name=clean_text(line.name, "lines", NAME_LENGTH))
        for line in lines
    ]
    return msgspec.json.encode(cleaned).decode()


def read_lines(kept: str | None) -> tuple[LineItem, ...]:
    """The lines as they were kept."""
    return () if kept is None else msgspec.json.decode(kept, type=tuple[LineItem, ...])
