"""A payment as a terminal keeps it, and what may become of it. Pure.

    waiting ──tap──► asking ──answer──► done
       │               ├──no answer, or a crash──► reversal_due ──acknowledged──► reversed
       │               ├──at a gate, no answer──► deferred_due ──acknowledged──► done
       │               └──a refund without answer, or a crash──► deferred_due ──answer──► done
       ├──approved offline──► advice_due ──acknowledged──► done
       └──no card, declined──► done

Whatever is due is on disk before anything that follows from it happens, and is sent until it is
acknowledged. A refund that nobody answered is asked for again instead of being taken back: money
that was given is not taken away from a person by a doubt. What is secret of the card goes when
nothing is due any more.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from tandem.emv.tags import Tag
from tandem.emv.terminal import CardRead, Cvm, Outcome
from tandem.kernel import Currency, currency

PURCHASE: Final = 0x00
REFUND: Final = 0x20
_NOT_REFUSED: Final = frozenset({"", "00"})
_LAST_STAN: Final = 999_999
_SHOWN: Final = 4


class State(StrEnum):
    """Where a payment stands."""

    WAITING = "waiting"
    ASKING = "asking"
    ADVICE_DUE = "advice_due"
    REVERSAL_DUE = "reversal_due"
    DEFERRED_DUE = "deferred_due"
    DONE = "done"
    REVERSED = "reversed"


DUE: Final = (State.REVERSAL_DUE, State.ADVICE_DUE, State.DEFERRED_DUE)
"""What is sent on, the most urgent first."""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What a host needs of the card: sealed while it is kept, and in no `repr`."""

    pan: str
    track_2: str
    sequence: str | None
    icc: bytes

    def __repr__(self) -> str:
        return "Secret()"

    @staticmethod
    def of(outcome: Outcome) -> "Secret":
        """That of a tap in which a card was read (`ValueError` otherwise)."""
        card = _card(outcome)
        return Secret(
            pan=card.pan,
            track_2=card.track_2,
            sequence=card.sequence,
            icc=outcome.online_data,
        )


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment. `amount` in minor units of `currency` (ISO code), `at` the terminal's local time.

    `number` counts the terminal's payments. `card` is the number with all but its end masked,
    `original` the `rrn` of the payment that a refund gives back, `order` the till's order that it
    pays, `languages` those that the card prefers. `host_approved` is what the host said of it
    last. What is not known yet, or never will be, is empty.
    """

    number: int
    at: datetime
    amount: int
    currency: str
    type: int = PURCHASE
    approved: bool = False
    why: str = ""
    card: str = ""
    label: str = ""
    aid: str = ""
    atc: int | None = None
    cvm: Cvm = Cvm.NOT_APPLICABLE
    offline: bool = False
    authorisation_code: str = ""
    response_code: str = ""
    host_approved: bool | None = None
    original: str = ""
    order: str = ""
    languages: tuple[str, ...] = ()

    @property
    def is_refund(self) -> bool:
        """Whether it gives money back."""
        return self.type == REFUND

    @property
    def unpaid(self) -> bool:
        """Whether it was approved here and the host, told of it afterwards, refused to pay."""
        if self.host_approved is None:  # not answered, or stored before that was kept
            refused = self.response_code not in _NOT_REFUSED
        else:
            refused = not self.host_approved
        return self.approved and self.offline and refused

    @property
    def stan(self) -> str:
        """The trace number of its messages (ISO 8583, element 11)."""
        return f"{(self.number - 1) % _LAST_STAN + 1:06d}"

    @property
    def rrn(self) -> str:
        """Its retrieval reference number (element 37): last digit of the year, day, hour, trace."""
        day = self.at.timetuple().tm_yday
        return f"{self.at.year % 10}{day:03d}{self.at.hour:02d}{self.stan}"

    @property
    def unit(self) -> Currency:
        """Its currency."""
        return currency(self.currency)

    def after(self, outcome: Outcome) -> "Payment":
        """The same with what a tap told."""
        known = msgspec.structs.replace(self, why=outcome.why.value, cvm=outcome.cvm)
        card = outcome.card
        if card is None:
            return known
        atc = card.values.get(Tag.ATC)
        label = card.values.get(Tag.APPLICATION_LABEL, b"")
        return msgspec.structs.replace(
            known,
            card=mask(card.pan),
            label="".join(c for c in label.decode("latin-1") if c.isprintable()),
            aid=card.values.get(Tag.DF_NAME, b"").hex().upper(),
            atc=None if atc is None else int.from_bytes(atc, "big"),
            languages=outcome.ui.languages,
        )


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A host's answer. `code` is ISO 8583's element 39, `icc` element 55.

    Codes differ by network: `approved` is what the way to the host makes of them. `undo`: the host
    took what this terminal does not, a part or under a condition, and is to take it back.
    """

    approved: bool
    code: str
    authorisation_code: str = ""
    icc: bytes = b""
    undo: bool = False


class Unreachable(Exception):
    """The host was not reached: nothing was sent."""


class Unsendable(Unreachable):
    """Nothing was sent, and never can be: what a card said fits no message to this host."""


class Unanswered(Exception):
    """The request was sent, and nobody knows what became of it."""


class Online(Protocol):
    """The way to who decides: ISO 8583, or whatever else.

    Each raises `Unreachable`, `Unsendable`, `Unanswered`. `repeat` says that it was sent before.
    """

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Ask for a payment or a refund."""
        ...

    async def advise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Tell of an approval offline, or of somebody whom a gate let through without an answer."""
        ...

    async def reverse(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Take a request back that was not answered."""
        ...


def mask(pan: str) -> str:
    """A card number for people: its last four digits."""
    return "*" * (len(pan) - _SHOWN) + pan[-_SHOWN:] if len(pan) > _SHOWN else ""


def _card(outcome: Outcome) -> CardRead:
    if outcome.card is None:
        raise ValueError(f"no card was read: {outcome.why}")
    return outcome.card
