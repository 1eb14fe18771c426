"""The door to the issuers of the cards that fund device cards. Types only.

A device card pays from a balance, which is the operator's own account and needs no question, or
from a card of an issuer: then the issuer is asked. Whoever speaks to its host implements `Issuers`
(tandem.issuers does, over ISO 8583) and is joined in tandem.app. The merchant never learns of it.

Two things may go wrong, and they are not alike: of what was not sent (`IssuerAway`) nothing was
done; what was sent and not answered (`IssuerSilent`) may have been done, and must be reversed.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

import msgspec

from tandem.kernel import Refused


class Issuer(msgspec.Struct, frozen=True):
    """An issuer that this Tandem is connected to."""

    id: UUID
    name: str
    answer_seconds: int


class Eligibility(StrEnum):
    """What an issuer says of a card that somebody wants to add."""

    APPROVED = "approved"
    PROVE = "prove"
    """Yes, once the cardholder has typed the code that the issuer brings."""
    CALL = "call"
    """Somebody is to speak to the issuer first: the operator confirms."""
    REFUSED = "refused"


class AskKind(StrEnum):
    """What an issuer is asked for, or told."""

    AUTHORISATION = "authorisation"
    """Reserve the amount."""
    PURCHASE = "purchase"
    """Take it."""
    COMPLETION = "completion"
    """It has happened: this much of an authorisation was taken."""
    REFUND = "refund"
    """It has happened: this much was given back."""
    REVERSAL = "reversal"
    """Let the original have no effect beyond `amount`."""


class CardDetails(msgspec.Struct, frozen=True):
    """A funding card in the clear, on its way to its issuer. Its `repr` shows nothing of it.

    `expiry` is YYMM. `security_code` is what is printed on the card; it is never kept.
    """

    pan: str
    expiry: str
    security_code: str | None = None

    def __repr__(self) -> str:
        return "CardDetails(…)"


class Original(msgspec.Struct, frozen=True):
    """The message that a later one is about. `number` is what its trace number follows from."""

    kind: AskKind
    number: int
    sent_at: datetime
    amount: int
    authorisation_code: str | None


class Acceptor(msgspec.Struct, frozen=True):
    """Where a card pays, as its issuer and the cardholder's statement have it.

    `place` is the id of the till or shop; `category` by ISO 18245, `country` by ISO 3166-1.
    """

    merchant_id: UUID
    place: UUID
    category: str
    name: str
    city: str
    country: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A message to an issuer about a payment. Amount in minor units, `currency` an ISO 4217 code.

    `number` is its place in the order of all messages to this issuer and names it: a repeat has the
    same. `attempts` counts those before. `sent_at` is when it was first sent. Of a reversal
    `amount` is what is left of the original.
    """

    kind: AskKind
    number: int
    card: CardDetails
    amount: int
    currency: str
    acceptor: Acceptor
    sent_at: datetime
    attempts: int = 0
    original: Original | None = None


class IssuerAnswer(msgspec.Struct, frozen=True):
    """What an issuer answered: element 39 as it stands, and its approval code."""

    response: str
    authorisation_code: str | None = None

    @property
    def approved(self) -> bool:
        """Whether it agreed."""
        return self.response == "00"


class Checked(msgspec.Struct, frozen=True):
    """An issuer's word on a card that is to be added; `channel` is where it would bring a code."""

    eligibility: Eligibility
    channel: str | None = None


class Issuers(Protocol):
    """The issuers that this Tandem is connected to."""

    def of(self, pan: str) -> Issuer | None:
        """Whose card has this number, by the operator's settings; None: nobody's that we know."""
        ...

    def by_id(self, issuer_id: UUID) -> Issuer | None:
        """The issuer; None if it is in the settings no more."""
        ...

    def connected(self) -> dict[str, bool]:
        """Whether this process could ask each of them now, by name."""
        ...

    async def number(self, issuer_id: UUID) -> int:
        """The next number of a message to this issuer. Each is given out once, in any process."""
        ...

    async def check(self, issuer_id: UUID, card: CardDetails) -> Checked:
        """Ask whether a card may be added. Raises `IssuerAway`, `IssuerSilent`."""
        ...

    async def bring_code(self, issuer_id: UUID, card: CardDetails, code: str) -> str | None:
        """Have the issuer bring a code to its cardholder; returns where to, masked.

        Raises `IssuerAway`, `IssuerSilent`.
        """
        ...

    async def ask(self, issuer_id: UUID, asked: Asked) -> IssuerAnswer:
        """Ask or tell about a payment. Raises `IssuerAway`, `IssuerSilent`."""
        ...


@dataclass(eq=False)
class IssuerAway(Refused):
    """The issuer's host cannot be reached: nothing was asked."""

    code: ClassVar[str] = "issuer_away"
    passing: ClassVar[bool] = True
    issuer: str

    def sentence(self) -> str:
        """Say that nothing happened."""
        return f"The card's issuer ({self.issuer}) cannot be reached now. Nothing was done."


@dataclass(eq=False)
class IssuerSilent(Refused):
    """The issuer was asked and did not answer in time."""

    code: ClassVar[str] = "issuer_silent"
    passing: ClassVar[bool] = True
    issuer: str

    def sentence(self) -> str:
        """Say what to do."""
        return f"The card's issuer ({self.issuer}) did not answer in time. Try again."


class NoIssuers:
    """A Tandem that is connected to no issuer."""

    def of(self, pan: str) -> Issuer | None:
        """Nobody's."""
        del pan
        return None

    def by_id(self, issuer_id: UUID) -> Issuer | None:
        """None."""
        del issuer_id
        return None

    def connected(self) -> dict[str, bool]:
        """None."""
        return {}

    async def number(self, issuer_id: UUID) -> int:
        """There is none. Raises `IssuerAway`, as all that follows."""
        raise IssuerAway(str(issuer_id))

    async def check(self, issuer_id: UUID, card: CardDetails) -> Checked:
        """Nobody can be asked."""
        del card
        raise IssuerAway(str(issuer_id))

    async def bring_code(self, issuer_id: UUID, card: CardDetails, code: str) -> str | None:
        """Nobody can bring it."""
        del card, code
        raise IssuerAway(str(issuer_id))

    async def ask(self, issuer_id: UUID, asked: Asked) -> IssuerAnswer:
        """Nobody can be asked."""
        del asked
        raise IssuerAway(str(issuer_id))
