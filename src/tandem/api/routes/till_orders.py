"""The order of a till that waits to be paid, live: what a terminal follows that serves the till."""

from collections.abc import AsyncIterator
from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, Live, operation
from tandem.api.routes.taps import BeatQuery
from tandem.events import EventHub
from tandem.events.live import Subscription
from tandem.kernel import Clock, show_id
from tandem.merchants import Merchants
from tandem.payments import CardPayments, PaymentFilter, PaymentView, Source, Status, merchant_view


class Services(Protocol):
    """What this operation uses."""

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def hub(self) -> EventHub:
        """Live updates."""
        ...

    @property
    def merchants(self) -> Merchants:
        """Shops and tills."""
        ...

    @property
    def payments(self) -> CardPayments:
        """Payments."""
        ...


class TillOrder(msgspec.Struct, frozen=True):
    """An order that waits to be paid: all that a reader has to know of it."""

    id: Annotated[str, Meta(examples=["pay_0199f0a4c0de7000800000000000002a"])]
    amount: Annotated[int, Meta(description="Minor units", examples=[3800])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]


class WaitingOrder(msgspec.Struct, frozen=True):
    """The newest order of a till that nobody is paying yet; null if there is none."""

    till_id: Annotated[str, Meta(examples=["til_0199f0a4c0de70008000000000000004"])]
    order: TillOrder | None


@operation(
    "GET",
    "/v1/tills/{till_id}/orders/stream",
    tag="Terminals",
    summary="Follow the order that waits at a till",
    who=("merchant",),
    scope="taps:write",
)
async def stream_till_orders(call: Call[Services], till_id: UUID, query: BeatQuery) -> Live:
    """Server-sent events `order`: the order that waits at the till now, and whenever it changes.

    A terminal takes a tap for it and names it (`order_id`). Its data is `{"till_id", "order"}`; an
    order has `id`, `amount` and `currency`. It is null when the order is paid, cancelled or over,
    and while somebody who scanned its code is paying it. A comment comes every 15 seconds when
    nothing happens, or as often as `beat_seconds` says.
    """
    services, merchant_id = call.services, call.principal.owner_id
    await services.merchants.till(merchant_id, till_id)
    subscription = await services.hub.subscribe(merchant_id, None)
    wanted = PaymentFilter(till_id=till_id, status=Status.CREATED.value)
    found = await services.payments.list_of_merchant(merchant_id, wanted, None, 1)
    now = services.clock.now()
    open_ = [p for p in found if p.source == Source.ORDER and (p.expires_at or now) > now]
    first = merchant_view(open_[0]) if open_ else None
    return Live(_frames(show_id("til", till_id), first, subscription), query.beat_seconds)


async def _frames(
    till: str, current: PaymentView | None, events: Subscription
) -> AsyncIterator[bytes]:
    """What waits, in the stream's form, whenever it is another order than before."""
    try:
        yield _frame(till, current)
        async for event in events:
            if not event.type.startswith("payment."):
                continue
            told = msgspec.json.decode(event.data, type=PaymentView)
            if told.till_id != till or told.source != Source.ORDER:
                continue
            before = current
            if told.status == Status.CREATED:
                current = told if current is None or told.id >= current.id else current
            elif current is not None and told.id == current.id:
                current = None
            if current != before:
                yield _frame(till, current)
    finally:
        await events.aclose()


def _frame(till: str, view: PaymentView | None) -> bytes:
    order = None if view is None else TillOrder(view.id, view.amount, view.currency)
    return b"event: order\ndata: " + msgspec.json.encode(WaitingOrder(till, order)) + b"\n\n"


OPERATIONS = (stream_till_orders,)
