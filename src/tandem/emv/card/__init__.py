"""Tandem's card application: what a device answers in a reader's field. Open, and our own.

Structures and cryptography are those of the EMV Books; the AID is the operator's own, outside of
anybody's register (first byte F0 to FF). A card is a `Profile`, which the token vault makes, and a
`CardState`, which the device keeps; `Card` answers commands with them.

One tap does it: SELECT the directory and the application, GET PROCESSING OPTIONS, READ RECORD,
GENERATE AC with a signature. At a gate of public transport GET PROCESSING OPTIONS answers at once.
"""

from tandem.emv.card.application import Application
from tandem.emv.card.environment import Card, Unsaved
from tandem.emv.card.files import signed_data
from tandem.emv.card.holder import Tap, Verification
from tandem.emv.card.profile import (
    ActionCodes,
    CardData,
    CardKeys,
    Certificates,
    Limits,
    Profile,
)
from tandem.emv.card.risk import Reason
from tandem.emv.card.state import CardState

__all__ = [
    "ActionCodes",
    "Application",
    "Card",
    "CardData",
    "CardKeys",
    "CardState",
    "Certificates",
    "Limits",
    "Profile",
    "Reason",
    "Tap",
    "Unsaved",
    "Verification",
    "signed_data",
]
