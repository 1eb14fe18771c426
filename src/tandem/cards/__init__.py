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
from tandem.cards.package import unwrap
from tandem.cards.service import Cards
from tandem.cards.shapes import AddCard, CardPackage, FundCard, ProveCard, ShownCode
from tandem.cards.store import CardFilter

__all__ = [
    "DEVICE_CARDS",
    "AddCard",
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
    "card_view",
    "unwrap",
]
