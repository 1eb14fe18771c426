"""What an issuer of cards was asked, and what it is to be told: rows, and reads of them.

An *authorisation* is written before its issuer is asked, and says afterwards how that ended:

    asking ──► approved      the issuer agreed, and the payment was booked
       ├─────► declined      it did not, or was never reached: nothing happened there
       └─────► undone        nobody knows what it did, or nobody waits for it: it is reversed

An *advice* says that something has happened: a part was taken or given back, or an authorisation
is to have no effect. It is sent until the issuer has answered, those of one payment in order.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tandem.cards import AskKind, IssuerOriginal
from tandem.db import Connection, Integer, Table
from tandem.payments.model import Capture

ASKING: Final = "asking"
APPROVED: Final = "approved"
DECLINED: Final = "declined"
UNDONE: Final = "undone"
DUE: Final = "due"
DONE: Final = "done"
REFUSED: Final = "refused"


class IssuerAuthorisation(msgspec.Struct, frozen=True):
    """A row of `issuer_authorisations`. Amount in minor units.

    `number` names the message; `created_at` is when it was sent, and after `until` nobody waits
    for its answer any more. `response` is element 39 of the answer. `order_id` is the order that
    is to be paid, if it is one.
    """

    payment_id: UUID
    issuer_id: UUID
    funding_id: UUID
    person_id: UUID
    merchant_id: UUID
    shop_id: UUID
    till_id: UUID | None
    capture: str
    amount: int
    currency: str
    number: int
    status: str
    response: str | None
    authorisation_code: str | None
    until: datetime
    created_at: datetime
    updated_at: datetime
    order_id: UUID | None = None

    @property
    def kind(self) -> AskKind:
        """What the issuer was asked for."""
        manual = self.capture == Capture.MANUAL
        return AskKind.AUTHORISATION if manual else AskKind.PURCHASE

    @property
    def original(self) -> IssuerOriginal:
        """This message, for those that are about it."""
        return IssuerOriginal(
            self.kind, self.number, self.created_at, self.amount, self.authorisation_code
        )


class IssuerAdvice(msgspec.Struct, frozen=True):
    """A row of `issuer_advices`. Amount in minor units; of a reversal, what is left.

    `number` and `sent_at` are those of its first sending, `attempts` counts all.
    """

    id: UUID
    payment_id: UUID
    issuer_id: UUID
    kind: str
    amount: int
    currency: str
    status: str
    number: int | None
    attempts: Integer
    sent_at: datetime | None
    next_at: datetime
    response: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def asks(self) -> AskKind:
        """What the issuer is told."""
        return AskKind(self.kind)


AUTHORISATIONS: Final = Table(
    "issuer_authorisations",
    IssuerAuthorisation,
    key=("payment_id",),
    mutable=("status", "response", "authorisation_code", "updated_at"),
    rank=11,
)
ADVICES: Final = Table("issuer_advices", IssuerAdvice, rank=13, log=True)
_AUTHORISATION: Final = f"SELECT {', '.join(AUTHORISATIONS.columns)} FROM issuer_authorisations"
_ADVICE: Final = ", ".join(f"a.{column}" for column in ADVICES.columns)


def new_advice(
    advice_id: UUID,
    now: datetime,
    *,
    payment_id: UUID,
    issuer_id: UUID,
    kind: AskKind,
    amount: int,
    currency: str,
) -> IssuerAdvice:
    """An advice that is due."""
    return IssuerAdvice(
        id=advice_id,
        payment_id=payment_id,
        issuer_id=issuer_id,
        kind=kind.value,
        amount=amount,
        currency=currency,
        status=DUE,
        number=None,
        attempts=0,
        sent_at=None,
        next_at=now,
        response=None,
        created_at=now,
        updated_at=now,
    )


async def authorisation_of(connection: Connection, payment_id: UUID) -> IssuerAuthorisation | None:
    """What an issuer was asked for a payment."""
    row = await connection.fetchrow(f"{_AUTHORISATION} WHERE payment_id = $1", payment_id)
    return None if row is None else IssuerAuthorisation(*row)


async def open_authorisations(
    connection: Connection, now: datetime, limit: int
) -> list[IssuerAuthorisation]:
    """Those that nobody waits for any more, and of which nothing was heard."""
    rows = await connection.fetch(
        f"{_AUTHORISATION} WHERE status = 'asking' AND until <= $1 ORDER BY until LIMIT $2",
        now,
        limit,
    )
    return [IssuerAuthorisation(*row) for row in rows]


async def claim_advices(
    connection: Connection,
    now: datetime,
    lease_until: datetime,
    limit: int,
    but: Collection[UUID] = (),
) -> list[IssuerAdvice]:
    """Of each issuer's payments the oldest advice that is due; nobody else sends them meanwhile.

    At most `limit` of each issuer, and none of those in `but`. Within a unit of work.
    """
    rows = await connection.fetch(
        "WITH mine AS (SELECT due.id FROM issuers AS i CROSS JOIN LATERAL ("
        "SELECT o.id FROM issuer_advices AS o WHERE o.issuer_id = i.id "
        "AND o.status = 'due' AND o.next_at <= $1 "
        "AND NOT EXISTS (SELECT FROM issuer_advices AS e WHERE e.payment_id = o.payment_id "
        "AND e.status = 'due' AND e.id < o.id) "
        "ORDER BY o.next_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) AS due "
        "WHERE i.id <> ALL($4::uuid[])) "
        "UPDATE issuer_advices AS a SET next_at = $2, attempts = a.attempts + 1, "
        "sent_at = coalesce(a.sent_at, $1), updated_at = $1 FROM mine WHERE a.id = mine.id "
        f"RETURNING {_ADVICE}",
        now,
        lease_until,
        limit,
        list(but),
    )
    return [IssuerAdvice(*row) for row in rows]


async def number_advice(connection: Connection, advice_id: UUID, number: int) -> None:
    """Give an advice its number, before it is sent for the first time."""
    await connection.execute(
        "UPDATE issuer_advices SET number = $2 WHERE id = $1 AND number IS NULL", advice_id, number
    )


async def end_advice(
    connection: Connection, advice_id: UUID, status: str, response: str, now: datetime
) -> None:
    """The issuer answered an advice."""
    await connection.execute(
        "UPDATE issuer_advices SET status = $2, response = $3, updated_at = $4 WHERE id = $1",
        advice_id,
        status,
        response,
        now,
    )


async def put_off(
    connection: Connection, advice_id: UUID, next_at: datetime, response: str | None
) -> None:
    """Send an advice again later."""
    await connection.execute(
        "UPDATE issuer_advices SET next_at = $2, response = $3 WHERE id = $1",
        advice_id,
        next_at,
        response,
    )
