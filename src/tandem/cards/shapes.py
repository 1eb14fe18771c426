"""What is asked of the vault, and what it answers with, as the API shows and takes them."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

_BASE_64_OF_32: Final = "^[A-Za-z0-9+/]{43}=$"

CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code", examples=["CNY"])
]


class AddCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card for the device that asks."""

    currency: Annotated[CurrencyCode, Meta(description="Of the balance that it pays from")]
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


class ProveCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A one-time code, as the person types it."""

    code: Annotated[
        str, Meta(pattern="^[0-9]{6}$", max_length=6, description="Six digits", examples=["402917"])
    ]


class FundCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which balance a card pays from."""

    currency: CurrencyCode


class ShownCode(msgspec.Struct, frozen=True):
    """A one-time code, which is shown this once."""

    code: Annotated[str, Meta(examples=["402917"])]
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
