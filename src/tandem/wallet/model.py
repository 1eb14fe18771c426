"""The wallet's rows: sends, requests for money, top-ups. Pure. Amounts in minor units."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tandem.db import Table


class Send(msgspec.Struct, frozen=True):
    """A row of `sends`: money from one person to another."""

    id: UUID
    sender_id: UUID
    receiver_id: UUID
    amount: int
    currency: str
    message: str | None
    request_id: UUID | None
    sender_name: str
    receiver_name: str
    created_at: datetime

    @property
    def author_id(self) -> UUID:
        """Who wrote the message: the sender, or who had asked for the money."""
        return self.sender_id if self.request_id is None else self.receiver_id

    @property
    def screened_by(self) -> UUID:
        """The id by which its message was screened: its own, or that of the request."""
        return self.request_id or self.id


REQUEST_STATES: Final = ("open", "accepted", "declined", "cancelled", "expired")
"""Where a request for money can be."""


class MoneyRequest(msgspec.Struct, frozen=True):
    """A row of `money_requests`: one person asks another for money.

    `status` is one of `REQUEST_STATES`.
    """

    id: UUID
    requester_id: UUID
    payer_id: UUID
    requester_name: str
    payer_name: str
    amount: int
    currency: str
    message: str | None
    status: str
    send_id: UUID | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class TopUp(msgspec.Struct, frozen=True):
    """A row of `top_ups`: money that came from outside, with the bank's reference.

    `replaces` is the top-up with this reference that was taken back before, if there was one.
    """

    id: UUID
    person_id: UUID
    amount: int
    currency: str
    reference: str
    created_at: datetime
    replaces: UUID | None


SENDS: Final = Table("sends", Send, log=True)
REQUESTS: Final = Table(
    "money_requests",
    MoneyRequest,
    mutable=("status", "send_id", "expires_at", "updated_at"),
    rank=11,
)
TOP_UPS: Final = Table("top_ups", TopUp, log=True)
