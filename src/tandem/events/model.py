"""Events, webhook endpoints and deliveries: what they are, and the decisions about them. Pure.

An event is addressed to one owner (a merchant or a person) and holds the object as that owner may
see it. For each of the owner's endpoints that wants it there is one delivery, which is tried again
with growing gaps until the endpoint takes it or the last try has failed.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import msgspec

from tandem.db import Integer, Json, Table, Word
from tandem.ledger import Write

PAYMENT_TYPES: Final = tuple(
    f"payment.{what}"
    for what in (
        "created",
        "waiting",
        "reopened",
        "authorised",
        "captured",
        "refunded",
        "reduced",
        "refund_reversed",
        "cancelled",
        "declined",
        "expired",
        "released",
    )
)
INVOICE_TYPES: Final = tuple(f"invoice.{what}" for what in ("opened", "paid", "overdue", "voided"))
TEST_TYPE: Final = "webhook.test"
"""What a merchant has sent to an endpoint to try it: it goes there whatever the endpoint wants, is
tried once, and is about the endpoint."""

MERCHANT_TYPES: Final = (
    *PAYMENT_TYPES,
    *INVOICE_TYPES,
    "payout.made",
    "payout.corrected",
    "tag.blocked",
    TEST_TYPE,
)
"""The types of events of merchants: those that an endpoint can ask for."""

PERSON_TYPES: Final = (
    *PAYMENT_TYPES[1:],  # an order that nobody has scanned is nobody's
    "send.sent",
    "send.received",
    "packet.made",
    "packet.received",
    "packet.opened",
    "packet.emptied",
    "packet.expired",
    "packet.cancelled",
    "request.received",
    "request.accepted",
    "request.declined",
    "request.cancelled",
    "request.expired",
    "request.reminded",
    *("message.held", "message.released", "message.rejected"),
    "top_up.received",
    "top_up.corrected",
    "withdrawal.made",
    "withdrawal.corrected",
    *(
        f"card.{what}"
        for what in (
            "added",
            "active",
            "suspended",
            "lost",
            "blocked",
            "removed",
            "refused",
            "replaced",
            "funded",
        )
    ),
)
"""The types of events of people."""

TYPES: Final = frozenset((*MERCHANT_TYPES, *PERSON_TYPES))
"""Every type of event."""

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)

GAPS: Final = (
    5 * _SECOND,
    30 * _SECOND,
    2 * _MINUTE,
    10 * _MINUTE,
    30 * _MINUTE,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    *(12 * _HOUR for _ in range(4)),
)
"""How long the next try waits after the first failed one, the second, and so on: in all, with the
jitter at its largest, less than three days."""

MAX_SPREAD: Final = 255
_SPREAD_DIVISOR: Final = 10 * MAX_SPREAD


class Event(msgspec.Struct, frozen=True):
    """A row of `events`: what happened, for one owner. `data` is the object as JSON."""

    owner_id: UUID
    id: UUID
    type: Word
    object_id: UUID
    data: Json
    created_at: datetime


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Delivery(msgspec.Struct, frozen=True):
    """A row of `webhook_deliveries`: one event on its way to one endpoint.

    `next_attempt_at` is set while it is pending; while a try is under way it is when the try is
    given up for lost. `last_status` is the HTTP status of the last answer, `last_error` why there
    was none or why it did not do.
    """

    id: UUID
    endpoint_id: UUID
    merchant_id: UUID
    event_id: UUID
    object_id: UUID
    status: str
    attempts: Integer
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status: Integer | None
    last_error: str | None
    created_at: datetime


class Sent(NamedTuple):
    """A delivery with its event's type, and the beginning of what its endpoint answered last.

    `body` is plain text; None: nothing was answered, or nothing was in it.
    """

    delivery: Delivery
    event_type: str
    body: str | None


EVENTS: Final = Table("events", Event, key=("owner_id", "id"), log=True)
DELIVERIES: Final = Table("webhook_deliveries", Delivery)


class Endpoint(msgspec.Struct, frozen=True):
    """Where a merchant wants its events sent. No `types` means all of them. Holds no secret."""

    id: UUID
    merchant_id: UUID
    url: str
    types: tuple[str, ...]
    enabled: bool
    created_at: datetime

    def wants(self, event_type: str) -> bool:
        """Whether events of this type go there."""
        asked = not self.types or event_type in self.types
        return self.enabled and (asked or event_type == TEST_TYPE)


class Moment(Protocol):
    """When something happens, and the ids of what follows from it: a journal's view, or `Now`."""

    @property
    def now(self) -> datetime:
        """The moment."""
        ...

    @property
    def new_id(self) -> Callable[[], UUID]:
        """Makes ids."""
        ...


class Now(NamedTuple):
    """The moment of a unit of work, for what moves no money."""

    now: datetime
    new_id: Callable[[], UUID]


def announce(
    view: Moment,
    owner_id: UUID,
    event_type: str,
    object_id: UUID,
    data: msgspec.Struct | bytes,
    endpoints: Sequence[Endpoint] = (),
) -> list[Write]:
    """The rows that tell an owner what happened: the event, and a delivery for each endpoint.

    `data` is the object as the owner may see it, or its JSON; `endpoints` are the owner's. Ids come
    from the view, so an object's events are numbered in the order in which they were decided.
    """
    assert event_type in TYPES, f"{event_type} is no type of event"
    body = (data if isinstance(data, bytes) else msgspec.json.encode(data)).decode()
    event = Event(owner_id, view.new_id(), event_type, object_id, body, view.now)
    writes = [Write(EVENTS, event)]
    for endpoint in endpoints:
        if endpoint.wants(event_type):
            assert endpoint.merchant_id == owner_id, "an endpoint hears its owner's events only"
            writes.append(Write(DELIVERIES, _delivery(view, event, endpoint)))
    return writes


def _delivery(view: Moment, event: Event, endpoint: Endpoint) -> Delivery:
    return Delivery(
        id=view.new_id(),
        endpoint_id=endpoint.id,
        merchant_id=event.owner_id,
        event_id=event.id,
        object_id=event.object_id,
        status=DeliveryStatus.PENDING.value,
        attempts=0,
        next_attempt_at=view.now,
        last_attempt_at=None,
        last_status=None,
        last_error=None,
        created_at=view.now,
    )


def gap(attempts: int, spread: int) -> timedelta | None:
    """How long to wait after `attempts` failed tries; None if that was the last.

    `spread` (0 to 255, random) lengthens it by up to a tenth, so that deliveries that failed
    together do not come back together.
    """
    assert attempts >= 1, "there was a try"
    assert 0 <= spread <= MAX_SPREAD, "a byte of randomness"
    if attempts > len(GAPS):
        return None
    length = GAPS[attempts - 1]
    return length + length * spread // _SPREAD_DIVISOR
