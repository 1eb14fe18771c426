"""What is asked of the vault, and what it answers with, as the API shows and takes them."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

_BASE_64_OF_32: Final = "^[A-Za-z0-9+/]{43}=$"

CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code", examples=["CNY"])
]


SecurityCode = Annotated[
    str,
    Meta(
        pattern="^[0-9]{3,4}$",
        max_length=4,
        description="The code on its back, for its issuer; it is not kept",
        examples=["123"],
    ),
]


class IssuersCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card of an issuer, as it is printed on it. Its `repr` shows nothing of it."""

    number: Annotated[
        str,
        Meta(
            pattern="^[0-9]{12,19}$",
            max_length=19,
            description="The card's number, digits only",
            examples=["4761739001010119"],
        ),
    ]
    expiry: Annotated[
        str,
        Meta(
            pattern="^[0-9]{2}(0[1-9]|1[0-2])$",
            max_length=4,
            description="The last month in which it is good, YYMM",
            examples=["2912"],
        ),
    ]
    security_code: SecurityCode | None = None

    def __repr__(self) -> str:
        return "IssuersCard(…)"


class AddCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card for the device that asks."""

    currency: Annotated[CurrencyCode, Meta(description="In which it pays")]
    device_key: Annotated[
        str,
        Meta(
            pattern=_BASE_64_OF_32,
            max_length=44,
            description="The device's X25519 public key, 32 bytes in Base64: what belongs on the "
            "device is sealed for it (docs/cards.md)",
            examples=["3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="],
        ),
    ]
    card: Annotated[
        IssuersCard | None,
        Meta(description="The issuer's card that it pays from; without one it is the balance"),
    ] = None


class ProveCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A one-time code, as the person types it."""

    code: Annotated[
        str, Meta(pattern="^[0-9]{6}$", max_length=6, description="Six digits", examples=["402917"])
    ]


class FundCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a card pays from: the balance in a currency, or a card of an issuer."""

    currency: CurrencyCode
    card: Annotated[
        IssuersCard | None,
        Meta(description="The issuer's card that it pays from; without one it is the balance"),
    ] = None


class ShownCode(msgspec.Struct, frozen=True):
    """A one-time code, which is shown this once."""

    code: Annotated[str, Meta(examples=["402917"])]
    until: Annotated[datetime, Meta(description="When its time is over")]


class SentCode(msgspec.Struct, frozen=True):
    """A one-time code is on its way to the cardholder."""

    channel: Annotated[
        str | None,
        Meta(description="Where the issuer brings it, masked", examples=["SMS to *** 1234"]),
    ]
    until: Annotated[datetime, Meta(description="When its time is over")]


class CardPackage(msgspec.Struct, frozen=True):
    """What belongs on the device, sealed for its key."""

    card_id: Annotated[str, Meta(examples=["crd_0199f0a4c0de7000800000000000004a"])]
    sealed: Annotated[
        str,
        Meta(
            description="HPKE (RFC 9180), base mode, X25519 with HKDF-SHA256 and AES-256-GCM, in "
            "Base64 (docs/cards.md)",
            examples=["cGFja2FnZQ=="],
        ),
    ]
