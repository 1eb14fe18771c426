"""Cards: the token vault. Device cards, their keys, their life, and the check of what they say."""

from tandem.cards.errors import (
    CardConflict,
    CardDelivered,
    CardNotEligible,
    CardOfNoIssuer,
    CardRefused,
    CodeOver,
    CodeTooSoon,
    CodeWrong,
)
from tandem.cards.exceptions import exception_list
from tandem.cards.funding import FUNDING_SEALS, FundingCard, funding_by_id, open_details
from tandem.cards.issuers import (
    Acceptor,
    AskKind,
    CardDetails,
    Checked,
    Eligibility,
    Issuer,
    IssuerAnswer,
    IssuerAway,
    Issuers,
    IssuerSilent,
    NoIssuers,
)
from tandem.cards.issuers import Asked as IssuerAsked
from tandem.cards.issuers import Original as IssuerOriginal
from tandem.cards.keys import IssuerKeys, KeyVault, MasterKey
from tandem.cards.model import (
    DEVICE_CARDS,
    CardCommand,
    CardOfPerson,
    CardStatus,
    CardView,
    DeviceCard,
    card_of_person,
    card_view,
)
from tandem.cards.numbers import PAN_SEALS, pan_hash
from tandem.cards.package import card_limits, unwrap
from tandem.cards.service import Cards
from tandem.cards.shapes import (
    AddCard,
    CardPackage,
    FundCard,
    IssuersCard,
    ProveCard,
    SentCode,
    ShownCode,
)
from tandem.cards.store import CardFilter, card_by_number, no_card
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
    "FUNDING_SEALS",
    "PAN_SEALS",
    "TRANSIT_CATEGORIES",
    "Acceptor",
    "AddCard",
    "AskKind",
    "Asked",
    "CardCommand",
    "CardConflict",
    "CardDelivered",
    "CardDetails",
    "CardFilter",
    "CardNotEligible",
    "CardOfNoIssuer",
    "CardOfPerson",
    "CardPackage",
    "CardRefused",
    "CardStatus",
    "CardView",
    "Cards",
    "Checked",
    "CodeOver",
    "CodeTooSoon",
    "CodeWrong",
    "DeviceCard",
    "Eligibility",
    "FundCard",
    "FundingCard",
    "Issuer",
    "IssuerAnswer",
    "IssuerAsked",
    "IssuerAway",
    "IssuerKeys",
    "IssuerOriginal",
    "IssuerSilent",
    "Issuers",
    "IssuersCard",
    "KeyVault",
    "MasterKey",
    "NoIssuers",
    "ProveCard",
    "SentCode",
    "ShownCode",
    "Tap",
    "Verdict",
    "card_by_number",
    "card_limits",
    "card_of_person",
    "card_view",
    "check_tap",
    "exception_list",
    "funding_by_id",
    "issuer_answer",
    "no_card",
    "open_details",
    "pan_hash",
    "read_tap",
    "unwrap",
]
