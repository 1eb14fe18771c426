"""Cards: the token vault. Device cards, their keys, their life, and the check of what they say."""

from tandem.cards.errors import CardConflict, CardDelivered, CardNotEligible, CodeOver, CodeWrong
from tandem.cards.keys import IssuerKeys, KeyVault, MasterKey
from tandem.cards.model import (
    DEVICE_CARDS,
    CardCommand,
    CardStatus,
    CardView,
    DeviceCard,
    card_view,
)
from tandem.cards.numbers import PAN_SEALS, pan_hash
from tandem.cards.package import card_limits, unwrap
from tandem.cards.service import Cards
from tandem.cards.shapes import AddCard, CardPackage, FundCard, ProveCard, ShownCode
from tandem.cards.store import CardFilter, card_by_number
from tandem.cards.taps import (
    TRANSIT_CATEGORIES,
    Asked,
    Tap,
    Verdict,
    check_tap,
    issuer_answer,
    read_tap,
)

__all__ = [
    "DEVICE_CARDS",
    "PAN_SEALS",
    "TRANSIT_CATEGORIES",
    "AddCard",
    "Asked",
    "CardCommand",
    "CardConflict",
    "CardDelivered",
    "CardFilter",
    "CardNotEligible",
    "CardPackage",
    "CardStatus",
    "CardView",
    "Cards",
    "CodeOver",
    "CodeWrong",
    "DeviceCard",
    "FundCard",
    "IssuerKeys",
    "KeyVault",
    "MasterKey",
    "ProveCard",
    "ShownCode",
    "Tap",
    "Verdict",
    "card_by_number",
    "card_limits",
    "card_view",
    "check_tap",
    "issuer_answer",
    "pan_hash",
    "read_tap",
    "unwrap",
]
