"""Why the ledger refuses.

Refused
├── InsufficientFunds      an account would go beyond what it may
├── ReservationNotFound    no such reservation
├── ReservationResolved    the reservation was posted, voided or expired before
├── ReservationExpired     the reservation's time is over
├── AmountExceedsReserved  more is posted than was reserved
├── ChangedMeanwhile       what was read beforehand has changed: read and decide again
│   └── TermsChanged       the owner's terms (limits, fees, acceptance) have changed
├── ReferenceBooked        this bank reference was booked before
├── JournalBusy            the queue is full: come back later
└── OutcomeUnknown         the database was lost during the commit: ask by id or by key
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from tandem.kernel import Refused


@dataclass(eq=False)
class InsufficientFunds(Refused):
    """A debit would take an account beyond what it may spend. Amounts in minor units."""

    code: ClassVar[str] = "insufficient_funds"
    account_id: UUID
    available: int
    amount: int

    def sentence(self) -> str:
        """Say that the balance does not suffice."""
        return "The balance does not cover this amount. Nothing was paid."


@dataclass(eq=False)
class ReservationNotFound(Refused):
    """There is no pending transfer with this id."""

    code: ClassVar[str] = "reservation_not_found"
    pending_id: UUID

    def sentence(self) -> str:
        """Name the id."""
        return f"There is no pending transfer {self.pending_id}."


@dataclass(eq=False)
class ReservationResolved(Refused):
    """The pending transfer has been posted, voided or has expired."""

    code: ClassVar[str] = "reservation_resolved"
    pending_id: UUID

    def sentence(self) -> str:
        """Say that it is over."""
        return f"The pending transfer {self.pending_id} was posted, voided or expired before."


@dataclass(eq=False)
class ReservationExpired(Refused):
    """The time of the pending transfer is over; it can only be released."""

    code: ClassVar[str] = "reservation_expired"
    pending_id: UUID
    expired_at: datetime

    def sentence(self) -> str:
        """Say since when."""
        return f"The reserved amount was released at {self.expired_at.isoformat()}."


@dataclass(eq=False)
class AmountExceedsReserved(Refused):
    """More would be posted than was reserved. Amounts in minor units."""

    code: ClassVar[str] = "amount_exceeds_reserved"
    pending_id: UUID
    reserved: int
    amount: int

    def sentence(self) -> str:
        """Give both amounts."""
        return f"{self.amount} is more than the {self.reserved} minor units that are reserved."


@dataclass(eq=False)
class ChangedMeanwhile(Refused):
    """It was changed by somebody else at the same moment, several times in a row."""

    code: ClassVar[str] = "changed_meanwhile"
    passing: ClassVar[bool] = True
    owner_id: UUID
    """Whose rows were read before the locks, and are to be read anew."""

    def data(self) -> dict[str, Any]:
        """None: what changed is the ledger's own affair."""
        return {}

    def sentence(self) -> str:
        """Say what to do."""
        return "This changed at the same moment. Nothing was written; send the request again."


@dataclass(eq=False)
class TermsChanged(ChangedMeanwhile):
    """The owner's terms changed after they were read."""

    read: int
    current: int


@dataclass(eq=False)
class ReferenceBooked(Refused):
    """A movement of the operator's bank account with this reference was booked before."""

    code: ClassVar[str] = "reference_already_booked"
    reference: str

    def sentence(self) -> str:
        """Say what to check."""
        return f"The bank reference {self.reference!r} was booked before. Check the bank statement."


@dataclass(eq=False)
class JournalBusy(Refused):
    """More entries wait than the journal's queue holds, or the database is away."""

    code: ClassVar[str] = "busy"
    passing: ClassVar[bool] = True
    retry_after_seconds: int

    def sentence(self) -> str:
        """Say that nothing happened and when to come back."""
        return f"Nothing was written. Try again in {self.retry_after_seconds} s."


@dataclass(eq=False)
class OutcomeUnknown(Refused):
    """The database was lost while it committed: it may have happened or not, but once at most."""

    code: ClassVar[str] = "outcome_unknown"
    passing: ClassVar[bool] = True
    entry_id: UUID

    def sentence(self) -> str:
        """Say how to find out."""
        return (
            "It is not known yet whether this was done. "
            "Send the same request with the same idempotency key to learn the outcome."
        )
