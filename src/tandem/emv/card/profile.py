"""What is put on a device's card: data for terminals, keys, certificates, limits.

The token vault makes a profile, seals it for the device, and keeps the issuer's half. It serialises
with msgspec; `CardKeys` are secret, so a profile at rest is encrypted by whoever keeps it.

The card's certificate is over `signed_data`: everything that a terminal must be able to trust
without asking. So a vault first makes `CardData`, then the certificate over it, then the profile.
"""

import re
from datetime import date
from typing import Final

import msgspec

from tandem.emv.certificates import Certificate
from tandem.emv.cryptograms import DEFAULT_VERSION, VERSIONS
from tandem.kernel import Invalid

MIN_AID: Final = 6
"""Android routes an AID that nobody registered if it has six bytes or more and begins with F."""
MAX_AID: Final = 16
MAX_ATC: Final = 0xFFFF

_UNREGISTERED = 0xF0
_PAN = re.compile(r"[0-9]{12,19}", re.ASCII)
_SEQUENCE = re.compile(r"[0-9]{2}", re.ASCII)
_PAR = re.compile(r"[0-9A-Z]{29}", re.ASCII)
_REQUESTOR = re.compile(r"[0-9]{11}", re.ASCII)
_LABEL = re.compile(r"[0-9A-Za-z ]{1,16}", re.ASCII)
_LANGUAGES = re.compile(r"(?:[a-z]{2}){0,4}", re.ASCII)
_MAX_PRIORITY = 15
_MAX_CODE = 999
_ACTION_CODE = 5
_LAST_YEAR = 2049
"""Two digits of a year from 50 on mean the last century (Book 4)."""


class ActionCodes(msgspec.Struct, frozen=True, kw_only=True):
    """Issuer action codes: bits of the TVR that decline, go online, or decline when offline.

    The defaults decline when offline data authentication failed, when the service is not allowed or
    the card not yet valid; they let the issuer decide about everything else.
    """

    denial: bytes = bytes.fromhex("0430000000")
    online: bytes = bytes.fromhex("B4F080F800")
    default: bytes = bytes.fromhex("B4F080A000")

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if len(getattr(self, name)) != _ACTION_CODE:
                raise Invalid(name, f"an action code has {_ACTION_CODE} bytes")


class CardData(msgspec.Struct, frozen=True, kw_only=True):
    """What terminals read. Raises `Invalid` for what no card can say.

    `pan` is the device's own number, never that of the card or account behind it; `par` links it to
    those. `country` and `currency` are ISO numbers; limits are in that currency. `expiry` is the
    last day that it is valid.
    """

    aid: bytes
    label: str
    pan: str
    sequence: str
    effective: date
    expiry: date
    par: str
    token_requestor: str
    country: int
    currency: int
    currency_exponent: int
    priority: int = 1
    languages: str = ""
    """Those that the person prefers, the most first; none leaves it to the terminal."""
    kernel_id: bytes = b""
    """Kernel Identifier (9F2A) for the directory; none lets the terminal choose by the AID."""
    service_code: str = "201"
    usage_control: bytes = b"\x3d\x00"
    """Goods and services everywhere; no cash, no cashback, no ATM."""
    action_codes: ActionCodes = ActionCodes()

    def __post_init__(self) -> None:
        self._check_names()
        self._check_numbers()

    def _check_names(self) -> None:
        if not MIN_AID <= len(self.aid) <= MAX_AID or self.aid[0] < _UNREGISTERED:
            raise Invalid("aid", f"must have {MIN_AID} to {MAX_AID} bytes, the first one F0 to FF")
        for field, pattern, reason in (
            ("label", _LABEL, "must have 1 to 16 letters, digits and spaces"),
            ("languages", _LANGUAGES, "must be four languages at most, of two letters"),
            ("pan", _PAN, "must have 12 to 19 digits"),
            ("sequence", _SEQUENCE, "must have two digits"),
            ("par", _PAR, "must have 29 capital letters and digits"),
            ("token_requestor", _REQUESTOR, "must have 11 digits"),
            ("service_code", re.compile(r"[0-9]{3}", re.ASCII), "must have three digits"),
        ):
            if pattern.fullmatch(getattr(self, field)) is None:
                raise Invalid(field, reason)
        if not luhn(self.pan):
            raise Invalid("pan", "its check digit is wrong")

    def _check_numbers(self) -> None:
        if not 0 <= self.priority <= _MAX_PRIORITY:
            raise Invalid("priority", "must be 1 to 15, or 0 for none")
        if not (0 < self.country <= _MAX_CODE and 0 < self.currency <= _MAX_CODE):
            raise Invalid("country", "country and currency are ISO numbers")
        if not 0 <= self.currency_exponent <= 9:  # noqa: PLR2004 -- one digit
            raise Invalid("currency_exponent", "must be 0 to 9")
        if len(self.kernel_id) > 8:  # noqa: PLR2004 -- Book B, 3.3.2.5
            raise Invalid("kernel_id", "must have at most 8 bytes")
        if len(self.usage_control) != 2:  # noqa: PLR2004 -- Book 3, Annex C2
            raise Invalid("usage_control", "must have 2 bytes")
        if not self.effective <= self.expiry or self.expiry.year > _LAST_YEAR:
            raise Invalid("expiry", f"must be after the effective date, until {_LAST_YEAR}")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the card allows by itself, whatever a terminal says. Minor units of its currency.

    **Unverified** is a payment at a shop before which nobody verified the person: at most `amount`
    each; until the next verified one at most `count` of them and `total` in all. **Transit** is the
    same at the gates of public transport. **Offline** are payments that the card approves without
    its issuer: so many, and so much, until the issuer next answers. Zero allows none.
    """

    unverified_amount: int = 0
    unverified_total: int = 0
    unverified_count: int = 0
    transit_amount: int = 0
    transit_total: int = 0
    transit_count: int = 0
    offline_total: int = 0
    offline_count: int = 0
    verification_s: int = 60
    """How long after it was made a verification is good, in seconds."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                raise Invalid(name, "must not be negative")


class CardKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The card's secrets. `cryptogram_key` is the one that `tandem.emv.cryptograms` asks for.

    `version` is the number of the cryptogram version and `index` says to the issuer from which of
    its keys this one was made; `private_key` signs (RSA, PKCS #8, DER).
    """

    cryptogram_key: bytes
    private_key: bytes
    version: int = DEFAULT_VERSION.number
    index: int = 1

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            raise Invalid("version", "is no cryptogram version that is known")
        if not 0 <= self.index <= 0xFF:  # noqa: PLR2004 -- one byte
            raise Invalid("index", "must be 0 to 255")

    def __repr__(self) -> str:
        return f"CardKeys(version={self.version}, index={self.index})"


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """What proves the card's public key: the authority's index (8F) and two certificates."""

    ca_index: int
    issuer: Certificate
    card: Certificate

    def __post_init__(self) -> None:
        if not 0 <= self.ca_index <= 0xFF:  # noqa: PLR2004 -- one byte
            raise Invalid("ca_index", "must be 0 to 255")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """All that a card application works with, apart from its state."""

    data: CardData
    certificates: Certificates
    keys: CardKeys
    limits: Limits = Limits()


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, Annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 -- the sum of two digits
    return total % 10 == 0
