"""What the simulated issuer books: its cards' accounts, in memory. No I/O.

It does what an issuer's host does: an authorisation holds an amount, a completion takes a part of
what is held, a purchase takes at once, a refund gives back, a reversal leaves no more than its
element 95 says, also when it comes before its original. A message that comes again is answered as
before and does nothing.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from tandem.acquiring import De, Message
from tandem.issuers.rules import Kind

_KINDS: Final[dict[str, Kind]] = {
    "0100": "payment",
    "0200": "payment",
    "0220": "advice",
    "0420": "reversal",
    "0620": "code",
}
_APPROVED, _UNKNOWN, _NO_FUNDS, _FORMAT = "00", "25", "51", "30"
_PASSING: Final = frozenset({"91", "96"})
_AMOUNT_DIGITS: Final = 12
Name = tuple[str, str, str]
"""What a message is known by: type, trace number, time of transmission."""


@dataclass(slots=True)
class Taken:
    """What one authorisation or purchase holds and took, in minor units of its currency."""

    pan: str
    currency: str
    held: int = 0
    taken: int = 0
    refunded: int = 0


@dataclass(slots=True)
class Accounts:
    """The accounts of all cards. `limit` is what each may spend in a currency, in minor units."""

    limit: int
    made: dict[Name, Taken] = field(default_factory=dict)
    forestalled: set[Name] = field(default_factory=set)
    codes: list[tuple[str, str]] = field(default_factory=list)
    """Last four digits, and the one-time code that was brought to whoever has that card."""
    _answered: dict[Name, str] = field(default_factory=dict)

    def owed(self) -> dict[str, int]:
        """What the issuer owes for payments, by the currency's number; without what is held."""
        found: defaultdict[str, int] = defaultdict(int)
        for one in self.made.values():
            found[one.currency] += one.taken - one.refunded
        return dict(found)

    def held(self) -> int:
        """What is held and not taken, in all currencies together."""
        return sum(one.held for one in self.made.values())

    def book(self, message: Message) -> str:
        """Do what a message asks for, once; element 39 of the answer."""
        name = name_of(message)
        if name not in self._answered:
            self._answered[name] = self._book(name, message)
        return self._answered[name]

    def decline(self, message: Message, code: str) -> str:
        """Decline a message, and every repeat of it; one that may be asked again, only this time.

        What was answered before is answered as before.
        """
        if code in _PASSING:
            return self._answered.get(name_of(message), code)
        return self._answered.setdefault(name_of(message), code)

    def _book(self, name: Name, message: Message) -> str:
        kind = kind_of(message)
        pan, amount = message.text(De.PAN) or "", int(message.text(De.AMOUNT) or 0)
        if kind == "payment":
            return self._pay(name, message, pan, amount)
        if kind in {"advice", "reversal"}:
            return self._about(kind, message, amount)
        return _APPROVED if kind in {"check", "code"} else _FORMAT

    def _pay(self, name: Name, message: Message, pan: str, amount: int) -> str:
        currency = message.text(De.CURRENCY) or ""
        spent = sum(
            one.held + one.taken - one.refunded
            for one in self.made.values()
            if (one.pan, one.currency) == (pan, currency)
        )
        if name in self.forestalled:
            return _UNKNOWN
        if spent + amount > self.limit:
            return _NO_FUNDS
        one = self.made[name] = Taken(pan, currency)
        if message.kind == "0100":
            one.held = amount
        else:
            one.taken = amount
        return _APPROVED

    def _about(self, kind: Kind, message: Message, amount: int) -> str:
        """A message about an earlier one, which element 90 names."""
        text = message.text(De.ORIGINAL) or ""
        name = text[:4], text[4:10], text[10:20]
        one = self.made.get(name)
        if one is None:
            self.forestalled.add(name)
            return _UNKNOWN
        if kind == "reversal":
            replaced = message.text(De.REPLACEMENT_AMOUNTS) or "0" * _AMOUNT_DIGITS
            left = int(replaced[:_AMOUNT_DIGITS])
            if name[0] == "0100":  # what was completed stays, the rest of what is left is held
                one.held = max(0, left - one.taken)
            else:
                one.taken = left
        elif (message.text(De.PROCESSING_CODE) or "").startswith("20"):
            one.refunded += amount
        else:
            one.held, one.taken = max(0, one.held - amount), one.taken + amount
        return _APPROVED


def kind_of(message: Message) -> Kind | None:
    """What a message is, in the words of the rules; None if the issuer does not know such."""
    kind = _KINDS.get(message.kind)
    if kind == "payment" and not int(message.text(De.AMOUNT) or 0):
        return "check"
    return kind


def name_of(message: Message) -> Name:
    """What a message is known by; a repeat has the same."""
    return (
        message.kind,
        message.text(De.STAN) or "",
        message.text(De.TRANSMITTED_AT) or "",
    )
