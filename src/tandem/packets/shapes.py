"""Red packets as the API and its events show them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.kernel import show_id
from tandem.packets.model import AUDIENCES, DIVISIONS, MAX_SHARES, STATES, Packet, PacketShare
from tandem.screening import State, seen

Amount = Annotated[int, Meta(description="Minor units of the currency", examples=[1288])]
CurrencyCode = Annotated[
    str, Meta(description="ISO 4217 code", pattern="^[A-Z]{3}$", examples=["CNY"])
]
Moment = Annotated[datetime, Meta(description="RFC 3339, UTC")]
PacketId = Annotated[str, Meta(examples=["pkt_0199f0a4c0de70008000000000000040"])]


class PacketView(msgspec.Struct, frozen=True):
    """A red packet, as its maker or somebody whom it is for sees it."""

    id: PacketId
    role: Annotated[
        str,
        Meta(
            description="made: by the one who asks; received: by another",
            examples=["received"],
            extra_json_schema={"enum": ["made", "received"]},
        ),
    ]
    maker: Annotated[str, Meta(description="Its maker's name", examples=["Lin Wei"])]
    amount: Annotated[
        Amount | None,
        Meta(description="All that was put in; null to who has not opened it"),
    ]
    currency: CurrencyCode
    shares: Annotated[int, Meta(ge=1, le=MAX_SHARES, description="How many there are")]
    division: Annotated[
        str,
        Meta(
            description="equal, or by luck",
            examples=["luck"],
            extra_json_schema={"enum": list(DIVISIONS)},
        ),
    ]
    audience: Annotated[
        str,
        Meta(
            description="Named people, or whoever has the link",
            examples=["link"],
            extra_json_schema={"enum": list(AUDIENCES)},
        ),
    ]
    message: str | None
    message_state: State
    status: Annotated[str, Meta(examples=["open"], extra_json_schema={"enum": list(STATES)})]
    opened: Annotated[int, Meta(description="How many shares were opened", examples=[3])]
    opened_amount: Annotated[
        Amount | None, Meta(description="Their sum; null to who has not opened it")
    ]
    mine: Annotated[
        Amount | None, Meta(description="What the one who asks has got; null: not opened")
    ]
    can_open: Annotated[
        bool, Meta(description="Whether the one who asks can open it now", examples=[True])
    ]
    expires_at: Annotated[
        datetime, Meta(description="When what is left goes back to the maker (RFC 3339, UTC)")
    ]
    created_at: Moment
    updated_at: Moment


class PacketShareView(msgspec.Struct, frozen=True):
    """Who got how much of a red packet."""

    id: Annotated[str, Meta(examples=["psh_0199f0a4c0de70008000000000000041"])]
    name: Annotated[str, Meta(description="Who opened it", examples=["Mei Chen"])]
    amount: Amount
    mine: Annotated[bool, Meta(description="Whether it is the share of the one who asks")]
    luckiest: Annotated[
        bool,
        Meta(
            description=(
                "Of shares by luck, the largest, the earliest of equal ones; known when the packet "
                "is over"
            )
        ),
    ]
    created_at: Moment


class PacketLinkView(msgspec.Struct, frozen=True):
    """The link by which whoever has it opens a red packet. Its token is secret."""

    url: Annotated[str, Meta(examples=["https://pay.example/wallet/packet#mJ0x3o5mR1mM8nq0v3XyZQ"])]


def packet_view(packet: Packet, person_id: UUID, mine: int | None, state: str) -> PacketView:
    """The packet as this person sees it, who has got `mine` of it, or not opened it.

    `state` is where its message stands.
    """
    made = packet.maker_id == person_id
    inside = made or mine is not None
    may = packet.maker_opens if made else True
    return PacketView(
        id=show_id("pkt", packet.id),
        role="made" if made else "received",
        maker=packet.maker_name,
        amount=packet.amount if inside else None,
        currency=packet.currency,
        shares=packet.shares,
        division=packet.division,
        audience=packet.audience,
        message=seen(packet.message, state, by_author=made),
        message_state=state,
        status=packet.status,
        opened=packet.opened,
        opened_amount=packet.opened_amount if inside else None,
        mine=mine,
        can_open=may and mine is None and packet.status == "open",
        expires_at=packet.expires_at,
        created_at=packet.created_at,
        updated_at=packet.updated_at,
    )


def share_view(share: PacketShare, person_id: UUID, luckiest: UUID | None) -> PacketShareView:
    """A share as this person sees it; `luckiest` is the id of the largest, if that is known."""
    return PacketShareView(
        id=show_id("psh", share.id),
        name=share.name,
        amount=share.amount,
        mine=share.person_id == person_id,
        luckiest=share.id == luckiest,
        created_at=share.created_at,
    )
