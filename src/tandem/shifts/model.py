"""Shifts: rows and shapes. Pure. Amounts in minor units."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.kernel import MAX_AMOUNT, show_id
from tandem.merchants import Way

Money = Annotated[int, Meta(ge=0, le=MAX_AMOUNT, description="Minor units")]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, examples=["CNY"])]
Float = Annotated[
    dict[CurrencyCode, Money],
    Meta(
        max_length=20,
        description="The cash that was put into the drawer, by currency; it is only noted",
        examples=[{"CNY": 50_000}],
    ),
]
Marks = dict[str, int]
"""Places in the order of a merchant's transfers, by the ledger's number (ISO 4217) as text."""


class WayTotals(msgspec.Struct, frozen=True):
    """What came in one way."""

    way: Annotated[Way, Meta(examples=["scan"])]
    payments: Annotated[int, Meta(description="How many", examples=[41])]
    amount: Annotated[int, Meta(description="Minor units, tips included", examples=[155_800])]


class ShiftTotals(msgspec.Struct, frozen=True):
    """What a till took and gave back in one currency, as the ledger has it. Minor units.

    `paid` less `refunded` is `net`. `tips` are in `paid`. What a terminal took back that had no
    answer counts as refunded; of refunds that were taken back, `refunded` is less.
    """

    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    payments: Annotated[int, Meta(description="How many were paid", examples=[41])]
    paid: Annotated[int, Meta(examples=[155_800])]
    tips: Annotated[int, Meta(description="What of it are tips", examples=[4200])]
    refunds: Annotated[int, Meta(description="How often something was given back", examples=[1])]
    refunded: Annotated[int, Meta(examples=[3800])]
    net: Annotated[int, Meta(examples=[152_000])]
    fees: Annotated[int, Meta(description="What the operator kept of it", examples=[1345])]
    ways: list[WayTotals]


class Shift(msgspec.Struct, frozen=True):
    """A row of `shifts`. `began` and `ended` say which transfers of the merchant are in it.

    `opener_id` is the member of staff who opened it, if one did.
    A transfer is in exactly one shift of its till: the next one begins where this one ended.
    """

    id: UUID
    merchant_id: UUID
    shop_id: UUID
    till_id: UUID
    number: int
    float: dict[str, int]
    opened_by: str
    opened_at: datetime
    began: Marks
    opener_id: UUID | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    ended: Marks | None = None
    report: list[ShiftTotals] | None = None


class OpenShift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A till's day begins."""

    float: Float = {}


class ShiftView(msgspec.Struct, frozen=True):
    """A shift with its totals: as they are now (X report), or as it was closed (Z report)."""

    id: Annotated[str, Meta(examples=["shf_0199f0a4c0de70008000000000000041"])]
    shop_id: Annotated[str, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])]
    till_id: Annotated[str, Meta(examples=["til_0199f0a4c0de70008000000000000004"])]
    number: Annotated[int, Meta(description="Counts the till's shifts", examples=[12])]
    status: Literal["open", "closed"]
    float: Float
    opened_by: Annotated[str, Meta(examples=["Ana"])]
    opened_at: datetime
    closed_by: Annotated[str | None, Meta(description="Who closed it")]
    closed_at: datetime | None
    totals: Annotated[list[ShiftTotals], Meta(description="By currency")]


def shift_view(shift: Shift) -> ShiftView:
    """The shift as it is shown; an open one has its totals of now in `report`."""
    return ShiftView(
        show_id("shf", shift.id),
        show_id("shp", shift.shop_id),
        show_id("til", shift.till_id),
        shift.number,
        "open" if shift.closed_at is None else "closed",
        shift.float,
        shift.opened_by,
        shift.opened_at,
        shift.closed_by,
        shift.closed_at,
        shift.report or [],
    )
