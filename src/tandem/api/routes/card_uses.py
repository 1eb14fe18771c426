"""What a person's cards can pay from, and what each of them paid."""

from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.payments import CardPayments, PersonPaymentView, person_view
from tandem.settings import Settings


class Services(Protocol):
    """What these operations use."""

    @property
    def payments(self) -> CardPayments:
        """Payments."""
        ...

    @property
    def settings(self) -> Settings:
        """The operator's currencies, and whether banks are connected."""
        ...


class CardOptions(msgspec.Struct, frozen=True):
    """What a card can pay from here."""

    currencies: Annotated[
        list[str], Meta(description="Of balances, as ISO 4217 codes", examples=[["CNY", "EUR"]])
    ]
    issuers: Annotated[
        bool, Meta(description="Whether it can pay from a card of a bank, too", examples=[False])
    ]


@operation(
    "GET",
    "/v1/card-options",
    tag="Cards",
    summary="See what a card can pay from",
    who=("person",),
)
async def get_card_options(call: Call[Services]) -> CardOptions:
    """The currencies of balances, and whether this operator is connected to banks."""
    settings = call.services.settings
    return CardOptions([unit.code for unit in settings.currencies], settings.issuers is not None)


@operation(
    "GET",
    "/v1/people/me/cards/{card_id}/payments",
    tag="Cards",
    summary="List what a card paid",
    who=("person",),
)
async def list_card_payments(
    call: Call[Services], card_id: UUID, query: ListQuery
) -> Page[PersonPaymentView]:
    """What one of your cards was held to a reader for, newest first, whichever device it is on."""
    rows = await call.services.payments.of_card(
        call.principal.owner_id, card_id, query.after_id("pay"), query.limit + 1
    )
    return page(rows, query.limit, person_view)


OPERATIONS = (get_card_options, list_card_payments)
