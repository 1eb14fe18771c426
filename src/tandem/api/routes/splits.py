"""Splitting an amount, as people do it."""

from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import Body, Call, ListQuery, Page, operation, page
from tandem.api.routes.wallet import Amount, CurrencyCode, Handle, Message
from tandem.kernel import Invalid, NotFound, read_id
from tandem.ledger import Outcome
from tandem.people import PersonNotActive
from tandem.wallet import (
    MAX_PARTS,
    Asked,
    Parted,
    RemindedLately,
    SendsToSelf,
    SplitClosed,
    Splits,
    SplitView,
    split_view,
)


class Services(Protocol):
    """What these operations use."""

    @property
    def splits(self) -> Splits:
        """The use cases of splits."""
        ...


class PartOf(Body, frozen=True, kw_only=True):
    """Somebody who is asked for a part."""

    of: Handle
    amount: (
        Annotated[
            Amount,
            Meta(description="Their part; if nobody has one, all bear as much as each other"),
        ]
        | None
    ) = None


class MakeSplit(Body, frozen=True, kw_only=True):
    """What is split and among whom: an amount with its currency, or one of one's payments."""

    people: Annotated[
        tuple[PartOf, ...],
        Meta(
            min_length=1,
            max_length=MAX_PARTS,
            description="The others; what they are not asked for is one's own",
            examples=[[{"of": "@mei"}, {"of": "@noor"}]],
        ),
    ]
    amount: Annotated[Amount, Meta(description="All of it, in minor units")] | None = None
    currency: CurrencyCode | None = None
    payment_id: (
        Annotated[
            str,
            Meta(
                description="What was paid by it, less what came back",
                examples=["pay_0199f0a4c0de7000800000000000002a"],
            ),
        ]
        | None
    ) = None
    message: Message | None = None


@operation(
    "POST",
    "/v1/wallet/splits",
    tag="Splits",
    summary="Split an amount",
    who=("person",),
    status=201,
    idempotency="required",
    in_volume=True,
    answer=SplitView,
    errors=(NotFound, SendsToSelf, PersonNotActive),
)
async def make_split(call: Call[Services], body: MakeSplit) -> Outcome:
    """Ask several people for their parts of an amount, or of what one has paid for.

    Each gets a request for money, which they accept, decline or let expire. Of equal parts the
    one who splits bears what is left over, less than a minor unit for each.
    """
    splits, maker_id = call.services.splits, call.principal.owner_id
    people = [Asked(part.of, part.amount) for part in body.people]
    if body.payment_id is not None:
        if body.amount is not None or body.currency is not None:
            raise Invalid("payment_id", "must stand alone: its amount and currency are known")
        payment_id = read_id("pay", body.payment_id, "payment_id")
        return await splits.make_of_payment(
            maker_id, payment_id, people, body.message, call.idempotency, client=call.client
        )
    if body.amount is None or body.currency is None:
        raise Invalid("amount", "must be there with its currency, or a payment_id")
    return await splits.make(
        maker_id,
        body.amount,
        body.currency,
        people,
        body.message,
        call.idempotency,
        client=call.client,
    )


@operation("GET", "/v1/wallet/splits", tag="Splits", summary="List splits", who=("person",))
async def list_splits(call: Call[Services], query: ListQuery) -> Page[SplitView]:
    """The splits that the person made, newest first."""
    rows = await call.services.splits.list(
        call.principal.owner_id, query.after_id("spl"), query.limit + 1
    )

    def show(found: Parted) -> SplitView:
        return split_view(found.split, found.parts)

    return page(rows, query.limit, show)


@operation(
    "GET",
    "/v1/wallet/splits/{split_id}",
    tag="Splits",
    summary="Get a split",
    who=("person",),
    errors=(NotFound,),
)
async def get_split(call: Call[Services], split_id: UUID) -> SplitView:
    """A split that the person made, with who has paid."""
    return await call.services.splits.view(call.principal.owner_id, split_id)


@operation(
    "POST",
    "/v1/wallet/splits/{split_id}/remind",
    tag="Splits",
    summary="Remind those who have not answered",
    who=("person",),
    idempotency="required",
    in_volume=True,
    answer=SplitView,
    errors=(NotFound, SplitClosed, RemindedLately),
)
async def remind_split(call: Call[Services], split_id: UUID) -> Outcome:
    """Tell those who have not answered once more; after that not again for eight hours."""
    return await call.services.splits.remind(call.principal.owner_id, split_id, call.idempotency)


@operation(
    "POST",
    "/v1/wallet/splits/{split_id}/cancel",
    tag="Splits",
    summary="Withdraw what is still asked for",
    who=("person",),
    idempotency="required",
    in_volume=True,
    answer=SplitView,
    errors=(NotFound, SplitClosed),
)
async def cancel_split(call: Call[Services], split_id: UUID) -> Outcome:
    """Withdraw the requests that nobody has answered; what was paid stays paid."""
    return await call.services.splits.cancel(call.principal.owner_id, split_id, call.idempotency)


OPERATIONS = (make_split, list_splits, get_split, remind_split, cancel_split)
