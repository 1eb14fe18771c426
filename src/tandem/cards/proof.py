"""What adding a card to a device asks for: the four decisions, and one-time codes. Pure.

    green    the device that the wallet was made with: nothing more, its key is the wallet's
    yellow   a later device, while an earlier one is in use: a one-time code shown there
    orange   a later device without an earlier one, or codes were typed wrong lately, by the person
             or for the number: the operator confirms
    red      refused: nothing is made

An operator may ask for more than that of every card (`TANDEM_CARD_PROOF`). A code never travels
with a request of the device that it is for: another device of the person shows it, or the operator,
who may send it on in a message of its own.
"""

import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from tandem.cards.errors import CardNotEligible
from tandem.cards.model import CardStatus
from tandem.kernel import Entropy

CODE_DIGITS: Final = 6
CODE_TIME: Final = timedelta(minutes=10)
CODE_TRIES: Final = 5
"""For a card in all, however many codes it was given."""
MAX_CARDS: Final = 8
"""Cards in use on one device."""
MAX_REFUSED: Final = 3
REFUSED_TIME: Final = timedelta(days=1)
MAX_WRONG: Final = 10
"""Wrong codes that are judged in a day: of a person, and for a number of an issuer's card whoever
types them. A person who used them up adds no card. A number that was used up can be added, and the
operator confirms it: its owner is not whom others' guesses speak against."""
MAX_SENT: Final = 10
"""Codes that issuers send for a person, or for a number, in a day: each is a message."""
CODES_TIME: Final = timedelta(days=1)
"""How long codes are counted."""

_WORD_BYTES: Final = 8


class Proof(StrEnum):
    """What is asked for before a card works."""

    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"

    @property
    def status(self) -> CardStatus:
        """The state that a new card begins in."""
        return _BEGINS[self]


_BEGINS: Final = {
    Proof.GREEN: CardStatus.ACTIVE,
    Proof.YELLOW: CardStatus.WAITING_CODE,
    Proof.ORANGE: CardStatus.WAITING_OPERATOR,
}
_ORDER: Final = tuple(Proof)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of who wants a card, and of the issuer's number that it is to pay from.

    Of the last day: `refused` are cards of the person's, `wrong_codes` those that the person typed,
    `wrong_for_number` those that anybody typed for the number.
    """

    person_active: bool
    device_in_use: bool
    first_device: bool
    earlier_in_use: bool
    cards: int
    refused: int
    wrong_codes: int
    wrong_for_number: int

    @property
    def doubtful(self) -> bool:
        """Whether somebody guessed, or was refused, of late: the operator is to see it."""
        wrong = max(self.wrong_codes, self.wrong_for_number)
        return self.refused > 0 or wrong >= CODE_TRIES


def decide_proof(facts: Facts, least: Proof = Proof.GREEN) -> Proof:
    """What is to be proved, at `least` so much. Raises `CardNotEligible` if it is red."""
    for wrong, reason in (
        (not facts.person_active, "person_not_active"),
        (not facts.device_in_use, "device_out_of_use"),
        (facts.cards >= MAX_CARDS, "too_many_cards"),
        (facts.refused >= MAX_REFUSED, "too_many_refused"),
        (facts.wrong_codes >= MAX_WRONG, "too_many_wrong_codes"),
    ):
        if wrong:
            raise CardNotEligible(reason)
    if facts.doubtful or not (facts.first_device or facts.earlier_in_use):
        return Proof.ORANGE
    found = Proof.GREEN if facts.first_device else Proof.YELLOW
    return max(found, least, key=_ORDER.index)


def new_code(entropy: Entropy) -> str:
    """Six random digits. The modulus favours none by more than one in 10^13."""
    return f"{int.from_bytes(entropy(_WORD_BYTES), 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def code_hash(secret: bytes, card_id: UUID, code: str) -> bytes:
    """What a code is stored as. Keyed: a plain hash of six digits is found by trying them."""
    return hmac.digest(secret, b"card code\0" + card_id.bytes + code.encode(), "sha256")


def code_right(stored: bytes, secret: bytes, card_id: UUID, code: str) -> bool:
    """Whether this is the code. In constant time."""
    return hmac.compare_digest(stored, code_hash(secret, card_id, code))


def code_over(until: datetime | None, now: datetime) -> bool:
    """Whether there is no code, or its time is over."""
    return until is None or until <= now
