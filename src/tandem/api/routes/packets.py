"""Red packets, as people make and open them."""

from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import Body, Call, ListQuery, Page, operation, page, page_of
from tandem.api.routes.confirm import ConfirmedBy
from tandem.api.routes.wallet import Amount, CurrencyCode, Handle, Message
from tandem.kernel import NotFound
from tandem.ledger import InsufficientFunds, Outcome
from tandem.packets import (
    MAX_SECONDS,
    MAX_SHARES,
    PacketKept,
    PacketLinksPaused,
    PacketLinkView,
    PacketOpened,
    PacketOver,
    PacketOwn,
    Packets,
    PacketShareView,
    PacketUnopened,
    PacketView,
    Seen,
    packet_view,
)
from tandem.people import (
    Confirmed,
    LimitExceeded,
    PasskeyNeeded,
    PayerNotActive,
    PersonNotActive,
)
from tandem.signin import Consents, PasskeyRefused

Token = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="What stands behind the # of the packet's link",
        examples=["mJ0x3o5mR1mM8nq0v3XyZQ"],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def packets(self) -> Packets:
        """The use cases of red packets."""
        ...

    @property
    def consents(self) -> Consents:
        """Asks for passkeys."""
        ...


class MakePacket(Body, frozen=True, kw_only=True):
    """Money for a red packet."""

    amount: Amount
    currency: CurrencyCode
    shares: Annotated[int, Meta(ge=1, le=MAX_SHARES, description="How many shares", examples=[5])]
    division: Annotated[
        Literal["equal", "luck"],
        Meta(description="Equal shares, or shares by luck", examples=["luck"]),
    ]
    to: Annotated[
        tuple[Handle, ...],
        Meta(
            max_length=MAX_SHARES,
            description="Whom it is for; nobody named: whoever has its link",
            examples=[[]],
        ),
    ] = ()
    maker_opens: Annotated[
        bool, Meta(description="Whether its maker may open it too", examples=[False])
    ] = False
    message: Message | None = None
    expires_seconds: (
        Annotated[
            int,
            Meta(
                ge=60,
                le=MAX_SECONDS,
                description="For how long it can be opened; if left out, as the operator set it",
                examples=[86400],
            ),
        ]
        | None
    ) = None
    assertion: ConfirmedBy = None


class FindPacket(Body, frozen=True, kw_only=True):
    """The token of a link."""

    token: Token


class OpenPacket(Body, frozen=True, kw_only=True):
    """The token of the packet's link; of a packet for named people there is none."""

    token: Token | None = None


@operation(
    "POST",
    "/v1/wallet/packets",
    tag="Red packets",
    summary="Make a red packet",
    who=("person",),
    status=201,
    idempotency="required",
    in_volume=True,
    answer=PacketView,
    errors=(
        NotFound,
        PayerNotActive,
        LimitExceeded,
        InsufficientFunds,
        PasskeyNeeded,
        PasskeyRefused,
    ),
)
async def make_packet(call: Call[Services], body: MakePacket) -> Outcome:
    """Put money into a red packet, for named people or for whoever has its link.

    The money leaves the balance at once, counts against the limits, and is kept for those who
    open the packet. What nobody has opened when its time is over comes back by itself.
    """
    person_id = call.principal.owner_id

    async def make(confirmed: Confirmed | None) -> Outcome:
        return await call.services.packets.make(
            person_id,
            body.amount,
            body.currency,
            body.shares,
            body.division,
            call.idempotency,
            to=body.to,
            maker_opens=body.maker_opens,
            message=body.message,
            expires_seconds=body.expires_seconds,
            confirmed=confirmed,
            client=call.client,
        )

    return await call.services.consents.paying(person_id, body.assertion, make)


@operation(
    "GET",
    "/v1/wallet/packets",
    tag="Red packets",
    summary="List red packets",
    who=("person",),
)
async def list_packets(call: Call[Services], query: ListQuery) -> Page[PacketView]:
    """The red packets that the person made, is named in or has opened, newest first."""
    person_id = call.principal.owner_id
    rows = await call.services.packets.list(person_id, query.after_id("pkt"), query.limit + 1)

    def show(seen: Seen) -> PacketView:
        return packet_view(seen.packet, person_id, seen.mine, seen.state)

    return page(rows, query.limit, show)


@operation(
    "POST",
    "/v1/wallet/packets/find",
    tag="Red packets",
    summary="Look at a red packet's link",
    who=("person",),
    in_volume=True,
    errors=(NotFound, PacketLinksPaused),
)
async def find_packet(call: Call[Services], body: FindPacket) -> PacketView:
    """The red packet behind a link, before it is opened.

    After five wrong links one after another none is looked at for fifteen minutes.
    """
    return await call.services.packets.find(call.principal.owner_id, body.token)


@operation(
    "GET",
    "/v1/wallet/packets/{packet_id}",
    tag="Red packets",
    summary="Get a red packet",
    who=("person",),
    errors=(NotFound,),
)
async def get_packet(call: Call[Services], packet_id: UUID) -> PacketView:
    """A red packet that the person made, is named in or has opened."""
    return await call.services.packets.view(call.principal.owner_id, packet_id)


@operation(
    "GET",
    "/v1/wallet/packets/{packet_id}/shares",
    tag="Red packets",
    summary="List who got how much",
    who=("person",),
    errors=(NotFound, PacketUnopened),
)
async def list_packet_shares(
    call: Call[Services], packet_id: UUID, query: ListQuery
) -> Page[PacketShareView]:
    """What was opened of a red packet, the last first; for its maker and those who opened it."""
    rows = await call.services.packets.shares(
        call.principal.owner_id, packet_id, query.after_id("psh"), query.limit + 1
    )
    return page_of(rows, query.limit)


@operation(
    "GET",
    "/v1/wallet/packets/{packet_id}/link",
    tag="Red packets",
    summary="Get a red packet's link",
    who=("person",),
    errors=(NotFound,),
)
async def get_packet_link(call: Call[Services], packet_id: UUID) -> PacketLinkView:
    """The link of a red packet that the person made: whoever has it can open a share."""
    return await call.services.packets.link(call.principal.owner_id, packet_id)


@operation(
    "POST",
    "/v1/wallet/packets/{packet_id}/open",
    tag="Red packets",
    summary="Open a red packet",
    who=("person",),
    idempotency="required",
    in_volume=True,
    answer=PacketView,
    errors=(
        NotFound,
        PacketOver,
        PacketOpened,
        PacketOwn,
        PersonNotActive,
        PacketLinksPaused,
    ),
)
async def open_packet(call: Call[Services], packet_id: UUID, body: OpenPacket) -> Outcome:
    """Take one share of a red packet: `mine` is how much it was. The money is there at once."""
    return await call.services.packets.open(
        call.principal.owner_id, packet_id, body.token, call.idempotency
    )


@operation(
    "POST",
    "/v1/wallet/packets/{packet_id}/cancel",
    tag="Red packets",
    summary="Take a red packet back",
    who=("person",),
    idempotency="required",
    in_volume=True,
    answer=PacketView,
    errors=(NotFound, PacketOver, PacketKept),
)
async def cancel_packet(call: Call[Services], packet_id: UUID) -> Outcome:
    """Take back a red packet that has a link and that nobody has opened yet."""
    return await call.services.packets.cancel(call.principal.owner_id, packet_id, call.idempotency)


OPERATIONS = (
    make_packet,
    list_packets,
    find_packet,
    get_packet,
    list_packet_shares,
    get_packet_link,
    open_packet,
    cancel_packet,
)
