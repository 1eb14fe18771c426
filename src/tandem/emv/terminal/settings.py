"""What a terminal is and takes: its data, and one combination for each AID.

After EMV Book 4, Annex A and Contactless Book A, 5.7; limits as Book B, 3.1.1 uses them. Settings
serialise with msgspec.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

import msgspec

from tandem.emv.authority import TrustedKeys
from tandem.kernel import Currency, Invalid

MAX_AMOUNT_FIELD: Final = 10**12 - 1
"""The largest amount in twelve digits."""

_Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT_FIELD)]
_Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
_MIN_AID, _MAX_AID = 5, 16
_OFFLINE_ONLY: Final = frozenset({0x13, 0x16, 0x23, 0x26, 0x36})
_ONLINE_ONLY: Final = frozenset({0x11, 0x14, 0x21, 0x24, 0x34})
_WITH_ONLINE: Final = frozenset({0x12, 0x15, 0x22, 0x25, 0x35})
_UNATTENDED: Final = frozenset({4, 5, 6})


class RandomSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Which payments under the floor limit go online all the same (Book 3, 10.6.2).

    `percent` of those below `threshold` (minor units); above it more and more, up to `most` percent
    at the floor limit.
    """

    threshold: _Amount = 0
    percent: _Percent = 0
    most: _Percent = 0

    def __post_init__(self) -> None:
        if self.percent > self.most:
            raise Invalid("percent", "must not be more than the most")


class Combination(msgspec.Struct, frozen=True, kw_only=True):
    """An AID that is taken, and how. Limits in minor units of the payment's currency; None: none.

    An amount at `transaction_limit` or above is not taken by tap, one at `cvm_limit` or above needs
    a verified person, one above `floor_limit` goes online.
    """

    aid: bytes
    kernel_id: bytes = b""
    """The kernel that a card has to ask for by 9F2A; none takes whatever it asks for."""
    partial: bool = True
    """Take longer AIDs that begin with this one."""
    extended_selection: bool = False
    transaction_limit: _Amount | None = None
    floor_limit: _Amount | None = 0
    cvm_limit: _Amount | None = None
    status_check: bool = False
    """An amount of one unit of the currency asks the issuer only whether the card is good."""
    zero_amount: bool = False
    """An amount of zero is taken, and goes online."""
    transit: bool = False
    """This is a gate of public transport: cards may answer at once, without verification."""
    deferred_limit: _Amount = 0
    """At a gate: up to this amount a person is let through if the host does not answer."""
    version: bytes = b"\x00\x01"
    ttq: bytes = bytes.fromhex("21004000")
    tac_denial: bytes = bytes.fromhex("8400000000")
    """Decline what did not prove itself to the terminal, whatever the reason."""
    tac_online: bytes = bytes.fromhex("30F880F800")
    tac_default: bytes = bytes.fromhex("30F880A800")
    selection: RandomSelection = RandomSelection()

    def __post_init__(self) -> None:
        if not _MIN_AID <= len(self.aid) <= _MAX_AID:
            raise Invalid("aid", f"must have {_MIN_AID} to {_MAX_AID} bytes")
        for name, size in (("version", 2), ("ttq", 4), ("tac_denial", 5), ("tac_online", 5)):
            if len(getattr(self, name)) != size:
                raise Invalid(name, f"must have {size} bytes")
        if len(self.tac_default) != 5:  # noqa: PLR2004 -- as the other two
            raise Invalid("tac_default", "must have 5 bytes")


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal. `country` is an ISO 3166-1 number, `type` as in Book 4, Annex A1."""

    combinations: tuple[Combination, ...]
    country: int
    merchant_name: str
    merchant_category: int
    merchant_id: str = ""
    terminal_id: str = ""
    type: int = 0x22
    """Attended, operated by a merchant, offline with online capability."""
    capabilities: bytes = bytes.fromhex("000808")
    """No other interface; no CVM of its own; CDA."""
    additional_capabilities: bytes = bytes.fromhex("6000F0A001")
    contact_chip: bool = False
    """There is a contact interface beside this one, so that another way can be tried."""

    def __post_init__(self) -> None:
        if self.type not in _OFFLINE_ONLY | _ONLINE_ONLY | _WITH_ONLINE:
            raise Invalid("type", "is no terminal type")
        if len(self.capabilities) != 3:  # noqa: PLR2004 -- Book 4, Annex A2
            raise Invalid("capabilities", "must have 3 bytes")
        if len(self.additional_capabilities) != 5:  # noqa: PLR2004 -- Book 4, Annex A3
            raise Invalid("additional_capabilities", "must have 5 bytes")
        if not 0 < self.country <= 999:  # noqa: PLR2004 -- three digits
            raise Invalid("country", "is an ISO 3166-1 number")
        if not 0 <= self.merchant_category <= 9999:  # noqa: PLR2004 -- four digits
            raise Invalid("merchant_category", "has four digits")

    @property
    def online_only(self) -> bool:
        """Whether it asks the issuer about every payment."""
        return self.type in _ONLINE_ONLY

    @property
    def offline_only(self) -> bool:
        """Whether it can ask nobody."""
        return self.type in _OFFLINE_ONLY

    @property
    def unattended(self) -> bool:
        """Whether nobody of the merchant's is there."""
        return self.type & 0x0F in _UNATTENDED


@dataclass(frozen=True, slots=True)
class Transaction:
    """A payment to be taken. Amounts in minor units of `currency`; `other` is cashback in `amount`.

    `at` is the terminal's local time; `sequence` counts its payments.
    """

    amount: int
    currency: Currency
    at: datetime
    sequence: int
    type: int = 0x00
    other: int = 0
    forced_online: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.other <= self.amount <= MAX_AMOUNT_FIELD:
            raise Invalid("amount", "must have twelve digits at most, the other amount within it")
        if self.sequence < 0:
            raise Invalid("sequence", "must not be negative")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a terminal knows of the world: whose cards it trusts, and which cards it does not.

    `exceptions` are card numbers on the exception file (Book 4, 6.3.5).
    """

    trusted: TrustedKeys = field(default_factory=TrustedKeys)
    exceptions: Container[str] = ()
