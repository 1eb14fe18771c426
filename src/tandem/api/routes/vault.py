"""Device cards as the operator looks after them: finding, confirming, blocking, restoring."""

from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.api.routes.cards import CardList
from tandem.cards import (
    CardCommand,
    CardConflict,
    CardFilter,
    CardOfPerson,
    Cards,
    CardView,
    DeviceCard,
    ShownCode,
    card_of_person,
)
from tandem.db import Pool
from tandem.kernel import read_id
from tandem.office import owner_names


class Services(Protocol):
    """What these operations use."""

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...

    @property
    def cards(self) -> Cards:
        """The token vault."""
        ...


class CardQuery(ListQuery, frozen=True):
    """Which cards to list."""

    person_id: Annotated[
        str | None,
        Meta(description="Only this person's", examples=["ppl_0199f0a4c0de70008000000000000001"]),
    ] = None
    status: Annotated[
        Literal[
            "waiting_code",
            "waiting_operator",
            "active",
            "suspended",
            "lost",
            "blocked",
            "removed",
            "refused",
            "replaced",
        ]
        | None,
        Meta(description="Only those in this state", examples=["waiting_operator"]),
    ] = None
    device_id: Annotated[
        str | None,
        Meta(description="Only this device's", examples=["dev_0199f0a4c0de70008000000000000002"]),
    ] = None
    last_four: Annotated[
        Annotated[str, Meta(pattern="^([0-9]{4})$", max_length=4)] | None,
        Meta(description="Only those whose number ends so", examples=["0126"]),
    ] = None
    par: Annotated[
        Annotated[str, Meta(pattern="^[0-9A-Z]{29}$", max_length=29)] | None,
        Meta(description="Only those with this payment account reference"),
    ] = None


@operation("GET", "/v1/cards", tag="Cards", summary="List cards", who=("operator",))
async def list_cards(call: Call[Services], query: CardQuery) -> Page[CardOfPerson]:
    """All device cards, newest first; those that wait for you with `status=waiting_operator`."""
    person = None if query.person_id is None else read_id("ppl", query.person_id, "person_id")
    device = None if query.device_id is None else read_id("dev", query.device_id, "device_id")
    wanted = CardFilter(
        person_id=person,
        device_id=device,
        status=query.status,
        last_four=query.last_four,
        par=query.par,
    )
    rows = await call.services.cards.list(wanted, query.after_id("crd"), query.limit + 1)
    names = await _names(call, rows)
    return page(rows, query.limit, lambda row: card_of_person(row, names[row.person_id]))


@operation("GET", "/v1/cards/{card_id}", tag="Cards", summary="Get a card", who=("operator",))
async def get_card(call: Call[Services], card_id: UUID) -> CardOfPerson:
    """One card."""
    card = await call.services.cards.get(card_id)
    names = await _names(call, [card])
    return card_of_person(card, names[card.person_id])


async def _names(call: Call[Services], cards: list[DeviceCard]) -> dict[UUID, str]:
    """What the people are called whose cards these are."""
    async with call.services.pool.acquire() as connection:
        return await owner_names(connection, {card.person_id for card in cards})


@operation(
    "POST",
    "/v1/cards/{card_id}/code",
    tag="Cards",
    summary="Make a one-time code for a person",
    who=("operator",),
    office="support",
    errors=(CardConflict,),
)
async def make_code(call: Call[Services], card_id: UUID) -> ShownCode:
    """For a card that waits for one: bring it to the person in a message of your own."""
    return await call.services.cards.issue_code(card_id)


@operation(
    "POST",
    "/v1/cards/{card_id}/confirm",
    tag="Cards",
    summary="Confirm a card",
    who=("operator",),
    office="support",
    errors=(CardConflict,),
    why=True,
)
async def confirm_card(call: Call[Services], card_id: UUID) -> CardView:
    """You know that the device is the person's: the card is active."""
    return await call.services.cards.by_operator(card_id, CardCommand.CONFIRM)


@operation(
    "POST",
    "/v1/cards/{card_id}/refuse",
    tag="Cards",
    summary="Refuse a card",
    who=("operator",),
    office="support",
    errors=(CardConflict,),
    why=True,
)
async def refuse_card(call: Call[Services], card_id: UUID) -> CardView:
    """A card that waits will never be active."""
    return await call.services.cards.by_operator(card_id, CardCommand.REFUSE)


@operation(
    "POST",
    "/v1/cards/{card_id}/block",
    tag="Cards",
    summary="Block a card",
    who=("operator",),
    office="support",
    errors=(CardConflict,),
    why=True,
)
async def block_card(call: Call[Services], card_id: UUID) -> CardView:
    """It pays no more until you restore it."""
    return await call.services.cards.by_operator(card_id, CardCommand.BLOCK)


@operation(
    "POST",
    "/v1/cards/{card_id}/restore",
    tag="Cards",
    summary="Restore a card",
    who=("operator",),
    office="support",
    errors=(CardConflict,),
    why=True,
)
async def restore_card(call: Call[Services], card_id: UUID) -> CardView:
    """A card that was lost or blocked pays again, also if its counter has run far ahead.

    Block one that is declined as `counter_ahead`, and restore it.
    """
    return await call.services.cards.by_operator(card_id, CardCommand.RESTORE)


@operation(
    "POST",
    "/v1/cards/{card_id}/renew",
    tag="Cards",
    summary="Renew a person's card",
    who=("operator",),
    office="support",
    status=201,
    errors=(CardConflict,),
)
async def renew_card(call: Call[Services], card_id: UUID) -> CardView:
    """The same number for some more years; the person's device fetches its package."""
    return await call.services.cards.renew(card_id, "operator")


@operation(
    "DELETE",
    "/v1/cards/{card_id}",
    tag="Cards",
    summary="Remove a person's card",
    who=("operator",),
    office="support",
    errors=(CardConflict,),
    why=True,
)
async def remove_card(call: Call[Services], card_id: UUID) -> CardView:
    """It never pays again."""
    return await call.services.cards.by_operator(card_id, CardCommand.REMOVE)


@operation(
    "POST",
    "/v1/cards/{card_id}/lost",
    tag="Cards",
    summary="Say that a card's device is lost",
    who=("operator",),
    office="support",
    errors=(CardConflict,),
    why=True,
)
async def lose_card(call: Call[Services], card_id: UUID) -> CardView:
    """It pays no more until you restore it; whoever has the phone cannot."""
    return await call.services.cards.by_operator(card_id, CardCommand.LOSE)


@operation(
    "POST",
    "/v1/people/{person_id}/devices/{device_id}/lost",
    tag="Cards",
    summary="Say that a person's device is lost",
    who=("operator",),
    office="support",
    why=True,
)
async def lose_device(call: Call[Services], person_id: UUID, device_id: UUID) -> CardList:
    """Its cards pay no more from the next tap on, and only you restore them.

    Its API key still works: take the device out of use to end that, too.
    """
    return CardList(await call.services.cards.lose_device(person_id, device_id, "operator"))


OPERATIONS = (
    list_cards,
    get_card,
    make_code,
    confirm_card,
    refuse_card,
    block_card,
    restore_card,
    lose_card,
    lose_device,
    renew_card,
    remove_card,
)
