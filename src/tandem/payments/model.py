"""The payment: its row, and its one life cycle as a decision table. Pure.

    created ◄─► waiting ──► authorised ──► captured ──► partially_refunded ──► refunded
       │           │            │
       └───────────┴────────────┴──► cancelled · declined · expired

An order is *created* and shows a code; it *waits* for the person who scanned it, and is open to
others again when that person lets go of it or does not pay in time (`lapsed`). An approval
*authorises* it, which reserves the amount, or captures it at once, which is the default. What is
authorised is captured in parts or in full; what was captured is refunded in parts or in full, also
while the rest is still reserved. When nothing is reserved any more, what was captured and what was
given back of it say where the payment is (`ended`).

A till that never heard the answer takes back what it asked for: all or a part of a reservation
(`reduce`), or a refund (`take_back`). Only the acquirer's host asks for these two.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from tandem.db import Json, Table, Word
from tandem.kernel import clean_note
from tandem.merchants import Way
from tandem.payments.errors import PaymentConflict


class Status(StrEnum):
    """Where a payment is in its life."""

    CREATED = "created"
    WAITING = "waiting"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    EXPIRED = "expired"


class Command(StrEnum):
    """What can be asked of a payment. Its values are part of the API: refusals carry them."""

    SCAN = "scan"
    APPROVE = "approve"
    DECLINE = "decline"
    LEAVE = "leave"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    EXPIRE = "expire"
    REDUCE = "reduce"
    TAKE_BACK = "take_back"


OURS: Final = frozenset({Command.EXPIRE, Command.REDUCE, Command.TAKE_BACK})
"""What no merchant and no person asks for over the API."""


class Source(StrEnum):
    """What the payment began with."""

    ORDER = "order"
    STATIC_CODE = "static_code"
    PAY_CODE = "pay_code"
    DEVICE_CARD = "device_card"


class Capture(StrEnum):
    """When an authorised amount is captured."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


S, C = Status, Command

_PAID: Final = (S.CAPTURED, S.PARTIALLY_REFUNDED, S.REFUNDED)
LIFE: Final[dict[tuple[str, Command], frozenset[Status]]] = {
    (S.CREATED, C.SCAN): frozenset({S.WAITING}),
    (S.CREATED, C.APPROVE): frozenset({S.AUTHORISED, S.CAPTURED}),
    (S.CREATED, C.CANCEL): frozenset({S.CANCELLED}),
    (S.CREATED, C.EXPIRE): frozenset({S.EXPIRED}),
    (S.WAITING, C.SCAN): frozenset({S.WAITING}),
    (S.WAITING, C.APPROVE): frozenset({S.AUTHORISED, S.CAPTURED}),
    (S.WAITING, C.DECLINE): frozenset({S.DECLINED}),
    # An order has a code that others may scan; what was charged to a pay code is this person's.
    (S.WAITING, C.LEAVE): frozenset({S.CREATED}),
    (S.WAITING, C.CANCEL): frozenset({S.CANCELLED}),
    (S.WAITING, C.EXPIRE): frozenset({S.CREATED, S.EXPIRED}),
    # What was captured in part stays captured when the rest is captured, released or expires, and
    # what was given back of that stays given back. The last capture takes something that was not
    # given back, so it cannot lead to refunded.
    (S.AUTHORISED, C.CAPTURE): frozenset({S.AUTHORISED, S.CAPTURED, S.PARTIALLY_REFUNDED}),
    (S.AUTHORISED, C.CANCEL): frozenset({S.CANCELLED, *_PAID}),
    (S.AUTHORISED, C.EXPIRE): frozenset({S.EXPIRED, *_PAID}),
    (S.AUTHORISED, C.REFUND): frozenset({S.AUTHORISED}),
    (S.CAPTURED, C.REFUND): frozenset({S.PARTIALLY_REFUNDED, S.REFUNDED}),
    (S.PARTIALLY_REFUNDED, C.REFUND): frozenset({S.PARTIALLY_REFUNDED, S.REFUNDED}),
    (S.AUTHORISED, C.REDUCE): frozenset({S.AUTHORISED}),
    (S.AUTHORISED, C.TAKE_BACK): frozenset({S.AUTHORISED}),
    (S.PARTIALLY_REFUNDED, C.TAKE_BACK): frozenset({S.CAPTURED, S.PARTIALLY_REFUNDED}),
    (S.REFUNDED, C.TAKE_BACK): frozenset({S.CAPTURED, S.PARTIALLY_REFUNDED}),
}
"""Which command each state allows, and where it may lead. What is not here is refused.

A payment's row has its status as text, which is equal to the `Status` and finds the same."""


class Payment(msgspec.Struct, frozen=True):
    """A row of `payments`. Amounts in minor units of `currency`.

    `way` is what an order was made for until somebody comes by its code, and then how they came.
    `authorised` is what the person agreed to, `captured` what went to the merchant, `refunded`
    what came back of that, `fee` what the merchant paid for it. `pending_id` is the ledger's
    reservation for what is authorised and not captured yet. `expires_at` is when the state that it
    is in ends by itself; while an order waits for whoever scanned it, that is when it is open to
    others again, and `order_expires_at` when the order ends. `issuer_id` is whose card paid it
    through a device card; without one the person's balance did. `tip` is a part of the amount and
    `lines` say what it is for (`payments.lines`); `order_id` is the order that a tap was taken in
    the place of.
    """

    id: UUID
    merchant_id: UUID
    shop_id: UUID
    till_id: UUID | None
    person_id: UUID | None
    way: Word
    source: Word
    status: Word
    capture: Word
    currency: Word
    amount: int
    authorised: int
    captured: int
    refunded: int
    fee: int
    pending_id: UUID | None
    decline_reason: Word | None
    order_reference: str | None
    description: str | None
    payer_name: Word | None
    merchant_name: Word
    shop_name: Word
    code_token: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    order_expires_at: datetime | None = None
    issuer_id: UUID | None = None
    tip: int = 0
    lines: Json | None = None
    order_id: UUID | None = None

    @property
    def reserved(self) -> int:
        """What is reserved and may still be captured."""
        return self.authorised - self.captured if self.pending_id is not None else 0

    @property
    def refundable(self) -> int:
        """What may still be refunded."""
        return self.captured - self.refunded


class Refunder(msgspec.Struct, frozen=True):
    """A member of staff who gives back, or who approved it: it goes by their limits.

    In hundredths of a unit: `most` of one payment, `most_a_day` in a day; None: no limit.
    """

    id: UUID
    most: int | None
    most_a_day: int | None


class StaffRefunds(msgspec.Struct, frozen=True):
    """A row of `staff_refunds`: what a member gave back on the last day on which they did."""

    staff_id: UUID
    currency: str
    day: date
    refunded: int


class Refund(msgspec.Struct, frozen=True):
    """A row of `refunds`. Amount in minor units."""

    id: UUID
    payment_id: UUID
    merchant_id: UUID
    amount: int
    currency: str
    reason: str | None
    created_at: datetime


PAYMENTS: Final = Table(
    "payments",
    Payment,
    mutable=(
        "person_id",
        "payer_name",
        "status",
        "authorised",
        "captured",
        "refunded",
        "fee",
        "pending_id",
        "decline_reason",
        "expires_at",
        "updated_at",
        "way",
        "order_expires_at",
    ),
    rank=10,
)
STAFF_REFUNDS: Final = Table(
    "staff_refunds",
    StaffRefunds,
    key=("staff_id", "currency"),
    mutable=("day", "refunded"),
    rank=28,
    shared=True,
)
REFUNDS: Final = Table("refunds", Refund, rank=12, log=True)


class RefundNow(Refund, frozen=True):
    """A refund, and what was taken back of it since."""

    reversed: int = 0


class RefundReversal(msgspec.Struct, frozen=True):
    """A row of `refund_reversals`: what was taken back of a refund, in minor units."""

    refund_id: UUID
    payment_id: UUID
    amount: int
    currency: str
    created_at: datetime


REFUND_REVERSALS: Final = Table(
    "refund_reversals", RefundReversal, key=("refund_id",), rank=13, log=True
)


def ended(payment: Payment, unpaid: Status) -> Status:
    """Where a payment is when nothing of it is reserved: `unpaid` if nothing was captured."""
    if payment.captured == 0:
        return unpaid
    if payment.refunded == 0:
        return Status.CAPTURED
    return Status.REFUNDED if payment.refundable == 0 else Status.PARTIALLY_REFUNDED


def lapsed(payment: Payment, now: datetime) -> bool:
    """Whether an order has waited too long for whoever scanned it, and can still be paid."""
    ends = payment.order_expires_at
    return ends is not None and payment.expires_at is not None and payment.expires_at <= now < ends


def allowed(payment: Payment, command: Command, now: datetime) -> None:
    """Raise `PaymentConflict` if the payment's state does not allow the command.

    What should have expired counts as expired, however late the timers are: what is reserved can
    only be released, and what was captured of it refunded. Nothing is refunded where nothing is
    left to refund, and nothing but an order is left to others.
    """
    status = payment.status
    over = payment.expires_at is not None and payment.expires_at <= now
    if over and command not in (Command.EXPIRE, Command.CANCEL):
        status = ended(payment, Status.EXPIRED)
    if (status, command) in LIFE and _possible(payment, command):
        return
    can = (c for s, c in LIFE if s == status and _possible(payment, c))
    rest = tuple(c.value for c in can if c not in OURS)
    raise PaymentConflict(str(status), command.value, rest)


def _possible(payment: Payment, command: Command) -> bool:
    """Whether a command that the state allows finds something to act on."""
    if command is Command.REFUND:
        return payment.refundable > 0
    if command is Command.TAKE_BACK:
        return payment.refunded > 0
    return command is not Command.LEAVE or payment.order_expires_at is not None


def changed(payment: Payment, command: Command, status: Status, **changes: object) -> Payment:
    """The payment after a command led it to `status`, which the table must allow."""
    assert status in LIFE[payment.status, command], "the table of life says so"
    if status is not Status.WAITING:
        changes["order_expires_at"] = None
    return msgspec.structs.replace(payment, status=status, **changes)


class NewPayment(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment is asked for with. Amount in minor units."""

    amount: int
    currency: str
    way: Way
    source: Source
    capture: Capture = Capture.AUTOMATIC
    order_reference: str | None = None
    description: str | None = None
    tip: int = 0
    lines: str | None = None
    order_id: UUID | None = None

    def cleaned(self) -> "NewPayment":
        """The same with its texts as they are kept. Raises `Invalid`."""
        if self.order_reference is None and self.description is None:
            return self
        return msgspec.structs.replace(
            self,
            order_reference=clean_note(self.order_reference, "order_reference"),
            description=clean_note(self.description, "description"),
        )
