"""Device cards: for the person whose device has one, and for the operator."""

import base64
from typing import Annotated, Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Access, SessionOver
from tandem.api.operation import Call, ListQuery, Page, Query, operation, page
from tandem.cards import (
    AddCard,
    CardBeingChecked,
    CardCommand,
    CardConflict,
    CardDelivered,
    CardDetails,
    CardFilter,
    CardNotEligible,
    CardOfNoIssuer,
    CardPackage,
    CardRefused,
    Cards,
    CardView,
    CodeOver,
    CodesUsedUp,
    CodeTooSoon,
    CodeWrong,
    FundCard,
    IssuerAway,
    IssuersCard,
    IssuerSilent,
    ProveCard,
    SentCode,
    ShownCode,
    card_view,
)
from tandem.payments import CardPayments, CardTapView
from tandem.signin import DeviceNeeded, SignIn, SignInStale

_TAPS_SHOWN: Final = 20


class Services(Protocol):
    """What these operations use."""

    @property
    def cards(self) -> Cards:
        """The token vault."""
        ...

    @property
    def access(self) -> Access:
        """Knows which device a session belongs to."""
        ...

    @property
    def sign_in(self) -> SignIn:
        """Knows whether a session is fresh enough."""
        ...

    @property
    def payments(self) -> CardPayments:
        """Payments, for what became of a card's taps."""
        ...


_OF_ISSUERS: Final = (CardBeingChecked, CardOfNoIssuer, CardRefused, IssuerAway, IssuerSilent)


class TapQuery(Query, frozen=True):
    """Which taps of a card to see."""

    counter: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)] | None,
        Meta(description="Only the one with this number", examples=[17]),
    ] = None


class TapList(msgspec.Struct, frozen=True):
    """The last taps of a card, up to 20."""

    data: Annotated[list[CardTapView], Meta(description="Newest first")]


class CardList(msgspec.Struct, frozen=True):
    """Some cards, all of them."""

    data: list[CardView]


# -- a person's own ------------------------------------------------------------------------------


@operation(
    "POST",
    "/v1/people/me/cards",
    tag="Cards",
    summary="Add a card to this device",
    who=("person",),
    status=201,
    idempotency="required",
    errors=(CardNotEligible, DeviceNeeded, SessionOver, SignInStale, *_OF_ISSUERS),
)
async def add_my_card(call: Call[Services], body: AddCard) -> CardView:
    """A card on the device that asks, which pays by tap: from a balance, or from an issuer's card.

    The issuer may want a code of its own to be typed (`proof_by` is `issuer`), or to be spoken to.
    It is `active` at once on the device that the wallet was made with. A later device waits for a
    one-time code that an earlier one shows (`waiting_code`); where there is none, for the operator
    (`waiting_operator`). Then fetch its package.
    """
    await call.services.sign_in.check_may_add_device(call.principal)  # a card lasts as a device
    key = base64.b64decode(body.device_key)
    return await call.services.cards.add(
        call.principal.owner_id,
        await _device(call),
        body.currency,
        key,
        call.idempotency,
        _details(body.card),
    )


@operation("GET", "/v1/people/me/cards", tag="Cards", summary="List your cards", who=("person",))
async def list_my_cards(call: Call[Services], query: ListQuery) -> Page[CardView]:
    """The cards on all of your devices, newest first."""
    wanted = CardFilter(person_id=call.principal.owner_id)
    rows = await call.services.cards.list(wanted, query.after_id("crd"), query.limit + 1)
    return page(rows, query.limit, card_view)


@operation(
    "GET", "/v1/people/me/cards/{card_id}", tag="Cards", summary="See a card", who=("person",)
)
async def get_my_card(call: Call[Services], card_id: UUID) -> CardView:
    """One of your cards."""
    return card_view(await call.services.cards.of_person(call.principal.owner_id, card_id))


@operation(
    "POST",
    "/v1/people/me/cards/{card_id}/code",
    tag="Cards",
    summary="Show the code for another device's card",
    who=("person",),
    errors=(CardConflict, DeviceNeeded),
)
async def show_my_code(call: Call[Services], card_id: UUID) -> ShownCode:
    """A new one-time code, to be typed on the card's device within ten minutes.

    Only a device in use that you had before that one shows it.
    """
    return await call.services.cards.show_code(
        call.principal.owner_id, await _device(call), card_id
    )


@operation(
    "POST",
    "/v1/people/me/cards/{card_id}/send-code",
    tag="Cards",
    summary="Have the issuer send a code",
    who=("person",),
    errors=(CardConflict, CodesUsedUp, CodeTooSoon, IssuerAway, IssuerSilent),
)
async def send_my_code(call: Call[Services], card_id: UUID) -> SentCode:
    """The issuer brings a new one-time code to the cardholder, as it knows them: by SMS, say.

    For a card that waits for a code with `proof_by` `issuer`; at most one in half a minute, and
    ten in a day: for you, and for the issuer's card, whoever adds it.
    """
    return await call.services.cards.send_code(call.principal.owner_id, card_id)


@operation(
    "POST",
    "/v1/people/me/cards/{card_id}/prove",
    tag="Cards",
    summary="Enter the code on the card's device",
    who=("person",),
    errors=(CardConflict, CodesUsedUp, CodeWrong, CodeOver, DeviceNeeded),
)
async def prove_my_card(call: Call[Services], card_id: UUID, body: ProveCard) -> CardView:
    """The right code makes the card active. After five wrong ones it is refused.

    After ten in a day, yours for any card or anybody's for this issuer's card, none is taken until
    the first of them is a day old.
    """
    return await call.services.cards.prove(
        call.principal.owner_id, await _device(call), card_id, body.code
    )


@operation(
    "POST",
    "/v1/people/me/cards/{card_id}/package",
    tag="Cards",
    summary="Fetch what belongs on the device",
    who=("person",),
    idempotency="required",
    errors=(CardConflict, CardDelivered, DeviceNeeded),
)
async def fetch_my_card(call: Call[Services], card_id: UUID) -> CardPackage:
    """Data, certificates, keys and limits of the card, sealed for the device's key; once.

    The same request with the same Idempotency-Key gets it again, if the answer was lost.
    """
    assert call.idempotency is not None, "the operation requires one"
    return await call.services.cards.deliver(
        call.principal.owner_id, await _device(call), card_id, call.idempotency
    )


@operation(
    "GET",
    "/v1/people/me/cards/{card_id}/taps",
    tag="Cards",
    summary="See a card's last taps",
    who=("person",),
    errors=(DeviceNeeded,),
)
async def list_my_taps(call: Call[Services], card_id: UUID, query: TapQuery) -> TapList:
    """What became of them, with the issuer's answer that each brought for the card.

    Only for the device that the card is on: it gives the answer to the card, which has left the
    reader by then, and so begins its offline counters anew.
    """
    return TapList(
        await call.services.payments.taps_of(
            call.principal.owner_id, await _device(call), card_id, query.counter, _TAPS_SHOWN
        )
    )


@operation(
    "POST",
    "/v1/people/me/cards/{card_id}/suspend",
    tag="Cards",
    summary="Suspend a card",
    who=("person",),
    errors=(CardConflict,),
)
async def suspend_my_card(call: Call[Services], card_id: UUID) -> CardView:
    """It pays no more until you resume it."""
    return await _mine(call, card_id, CardCommand.SUSPEND)


@operation(
    "POST",
    "/v1/people/me/cards/{card_id}/resume",
    tag="Cards",
    summary="Resume a card",
    who=("person",),
    errors=(CardConflict,),
)
async def resume_my_card(call: Call[Services], card_id: UUID) -> CardView:
    """A suspended card pays again. One that is lost or blocked only the operator restores."""
    return await _mine(call, card_id, CardCommand.RESUME)


@operation(
    "PUT",
    "/v1/people/me/cards/{card_id}/funding",
    tag="Cards",
    summary="Choose what a card pays from",
    who=("person",),
    errors=(CardConflict, CardNotEligible, *_OF_ISSUERS),
)
async def fund_my_card(call: Call[Services], card_id: UUID, body: FundCard) -> CardView:
    """A balance, or a card of an issuer. The device card and its number stay as they are."""
    return await call.services.cards.fund(
        call.principal.owner_id, card_id, body.currency, _details(body.card)
    )


@operation(
    "POST",
    "/v1/people/me/cards/{card_id}/renew",
    tag="Cards",
    summary="Renew a card",
    who=("person",),
    status=201,
    errors=(CardConflict,),
)
async def renew_my_card(call: Call[Services], card_id: UUID) -> CardView:
    """In its last three months: the same number for some more years.

    Fetch the new card's package; until then the old one pays, and what is done to one of the two
    is done to both. While the old one does not pay, the package is refused (`card_state`).
    """
    return await call.services.cards.renew(card_id, "person", call.principal.owner_id)


@operation(
    "DELETE",
    "/v1/people/me/cards/{card_id}",
    tag="Cards",
    summary="Remove a card",
    who=("person",),
    errors=(CardConflict,),
)
async def remove_my_card(call: Call[Services], card_id: UUID) -> CardView:
    """It never pays again. Payments that it made stay, and can be refunded."""
    return await _mine(call, card_id, CardCommand.REMOVE)


@operation(
    "POST",
    "/v1/people/me/devices/{device_id}/lost",
    tag="Cards",
    summary="Say that a device is lost",
    who=("person",),
)
async def lose_my_device(call: Call[Services], device_id: UUID) -> CardList:
    """Its cards pay no more from the next tap on, and whoever has it cannot undo that.

    Its API key still works: take the device out of use to end that, too.
    """
    lost = await call.services.cards.lose_device(call.principal.owner_id, device_id)
    return CardList(lost)


def _details(card: IssuersCard | None) -> CardDetails | None:
    return None if card is None else CardDetails(card.number, card.expiry, card.security_code)


async def _device(call: Call[Services]) -> UUID:
    """The device that asks: of its key, or of the session. Raises `DeviceNeeded`."""
    device_id = await call.services.access.sessions.device_of(call.principal)
    if device_id is None:
        raise DeviceNeeded
    return device_id


async def _mine(call: Call[Services], card_id: UUID, command: CardCommand) -> CardView:
    return await call.services.cards.by_person(call.principal.owner_id, card_id, command)


OPERATIONS = (
    add_my_card,
    list_my_cards,
    get_my_card,
    show_my_code,
    send_my_code,
    prove_my_card,
    fetch_my_card,
    list_my_taps,
    suspend_my_card,
    resume_my_card,
    fund_my_card,
    renew_my_card,
    remove_my_card,
    lose_my_device,
)
