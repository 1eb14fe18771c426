"""Why the token vault refuses.

Refused
├── CardNotEligible    this device can have no card now
├── CardConflict       not in this state, or not for whoever asks
├── CodeWrong          the one-time code is not the right one
├── CodeOver           there is no code that is still good: ask for another
├── CardDelivered      what belongs on the device was handed out before
├── CardOfNoIssuer     no issuer that we are connected to has cards with this number
├── CardRefused        its issuer does not let this card be added
├── CardBeingChecked   its issuer is being asked about it, or about others of this person's
├── CodeTooSoon        a code was sent a moment ago
└── CodesUsedUp        too many were typed wrong, or sent, in a day
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class CardNotEligible(Refused):
    """This device can have no card now.

    `reason` is `person_not_active`, `device_out_of_use`, `too_many_cards`, `too_many_refused`,
    `too_many_asked` or `too_many_wrong_codes`.
    """

    code: ClassVar[str] = "card_not_eligible"
    reason: str

    def sentence(self) -> str:
        """Say why and what to do."""
        why = {
            "person_not_active": "This wallet is suspended.",
            "device_out_of_use": "This device was taken out of use.",
            "too_many_cards": "This device has as many cards as it can have: remove one first.",
            "too_many_refused": "Too many cards were refused lately: try again tomorrow.",
            "too_many_asked": "Issuers were asked too often lately: try again tomorrow.",
            "too_many_wrong_codes": "Too many codes were wrong lately: try again tomorrow.",
        }.get(self.reason, "It is not eligible.")
        return f"{why} No card was added."


@dataclass(eq=False)
class CardConflict(Refused):
    """The card's state does not allow this, or not to whoever asks.

    `command` is what was asked for, `allowed` what the same caller can ask for now.
    """

    code: ClassVar[str] = "card_state"
    status: str
    command: str
    allowed: tuple[str, ...]

    def sentence(self) -> str:
        """Say the state and what it allows."""
        can = f"it allows: {', '.join(self.allowed)}" if self.allowed else "nothing can be done"
        status = self.status.replace("_", " ")
        return f"The card is {status}, which does not allow {self.command}; {can}."


@dataclass(eq=False)
class CodeWrong(Refused):
    """The one-time code is not the right one. After the last try the card is refused."""

    code: ClassVar[str] = "card_code_wrong"
    tries_left: int

    def sentence(self) -> str:
        """Say how many tries are left."""
        if self.tries_left == 0:
            return "The code is wrong, and it was the last try: the card is refused. Add it anew."
        return f"The code is wrong. Tries left: {self.tries_left}."


@dataclass(eq=False)
class CodeOver(Refused):
    """There is no code that is still good."""

    code: ClassVar[str] = "card_code_over"

    def sentence(self) -> str:
        """Say where to get another."""
        return (
            "There is no code for this card, or its time is over. "
            "Get one on a device that you had before, or from the operator."
        )


@dataclass(eq=False)
class CardDelivered(Refused):
    """What belongs on the device was handed out before; that happens once."""

    code: ClassVar[str] = "card_delivered"

    def sentence(self) -> str:
        """Say what to do."""
        return (
            "This card's keys were handed out before. If the device lost them, remove the card and "
            "add one anew."
        )


@dataclass(eq=False)
class CardOfNoIssuer(Refused):
    """No issuer that this Tandem is connected to has cards with such a number."""

    code: ClassVar[str] = "card_of_no_issuer"

    def sentence(self) -> str:
        """Say what to do."""
        return (
            "This wallet is not connected to the issuer of this card. Use a card of another bank, "
            "or pay from your balance."
        )


@dataclass(eq=False)
class CardRefused(Refused):
    """The issuer does not let this card be added."""

    code: ClassVar[str] = "card_refused_by_issuer"

    def sentence(self) -> str:
        """Say whom to ask; why, the issuer does not tell us."""
        return (
            "The card's issuer does not let it be added. Check number, date and security code, or "
            "ask the bank that it is from."
        )


@dataclass(eq=False)
class CardBeingChecked(Refused):
    """Issuers are being asked about cards of this person's, or somebody's with this number.

    They are a few at once. `until` is when it goes on at the latest, mostly it is sooner.
    """

    code: ClassVar[str] = "card_being_checked"
    passing: ClassVar[bool] = True
    until: datetime

    def sentence(self) -> str:
        """Say until when to wait."""
        when = self.until.isoformat(timespec="seconds")
        return (
            "The issuer is being asked about this card, or about others of yours. Try again in a "
            f"moment, at {when} at the latest."
        )


@dataclass(eq=False)
class CodeTooSoon(Refused):
    """A code was sent a moment ago. `until` is when the next one can be."""

    code: ClassVar[str] = "card_code_too_soon"
    passing: ClassVar[bool] = True
    until: datetime

    def sentence(self) -> str:
        """Say until when to wait."""
        when = self.until.isoformat(timespec="seconds")
        return f"A code is on its way. The next one can be sent at {when}."


@dataclass(eq=False)
class CodesUsedUp(Refused):
    """Too many codes were typed wrong, or sent, in a day: by this person or for this card's number.

    `reason` is `wrong` or `sent`. `until` is when it goes on; the operator can confirm the card
    before.
    """

    code: ClassVar[str] = "card_codes_used_up"
    passing: ClassVar[bool] = True
    reason: str
    until: datetime

    def sentence(self) -> str:
        """Say why, until when, and who else can help."""
        why = {"wrong": "were wrong", "sent": "were sent"}[self.reason]
        when = self.until.isoformat(timespec="seconds")
        return (
            f"Too many codes {why} in the last day. It goes on at {when}, or the operator confirms "
            "the card."
        )
