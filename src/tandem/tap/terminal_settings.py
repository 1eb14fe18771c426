"""What a terminal is set to: a TOML file.

    currency = "CNY"
    zone = "Asia/Shanghai"
    reader = "virtual"            # or a part of a PC/SC reader's name, or "socket:35963"
    trusted = "trusted.json"      # the authorities' public keys, beside this file
    exceptions = "exceptions.txt" # cards that it does not approve by itself, beside this file

    [shop]
    name = "Blue Door"
    country = 156
    category = 5814
    merchant = "M1"               # ISO 8583, element 42
    terminal = "T1"               # element 41
    printed_name = "蓝门"         # on receipts, if not the name

    [[aids]]
    aid = "F074616E6401"
    transaction_limit = 100000    # minor units; at or above: not by tap
    floor_limit = 5000            # above: the host is asked
    cvm_limit = 10000             # at or above: a verified person

    [wallets]
    50110000007 = "harbour"       # another's token requestor, by its name in acceptance policies

`[tandem]` and `[host]` are read by whoever joins the terminal to them.
"""

import re
from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from tandem.emv.authority import TrustedKeys
from tandem.emv.errors import KeyMalformed
from tandem.emv.terminal import Combination, Terminal
from tandem.emv.terminal.settings import RandomSelection
from tandem.kernel import Invalid, currency
from tandem.tap.errors import TerminalMisset
from tandem.tap.exceptions import ExceptionFile

_Amount = Annotated[int, Meta(ge=0, le=10**12 - 1)]
_Seconds = Annotated[float, Meta(gt=0, le=3600)]
_AID: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){5,16}", re.ASCII)
_TAC: Final = re.compile(r"[0-9A-Fa-f]{10}", re.ASCII)
_HEX: Final = {
    "aid": (_AID, "5 to 16 bytes"),
    **dict.fromkeys(("tac_denial", "tac_online", "tac_default"), (_TAC, "5 bytes")),
}
_Printed = Annotated[str, Meta(max_length=40, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]
_Text40 = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[ -~]+$")]


class Shop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose terminal it is. `country` is an ISO 3166-1 number, `category` the ISO 18245 code.

    `name` is what cards are told (9F4E), in ASCII; receipts have `printed_name` in its place.
    """

    name: _Text40
    country: Annotated[int, Meta(ge=1, le=999)]
    category: Annotated[int, Meta(ge=0, le=9999)]
    merchant: Annotated[str, Meta(min_length=1, max_length=15, pattern="^[ -~]+$")]
    terminal: Annotated[str, Meta(min_length=1, max_length=8, pattern="^[ -~]+$")]
    printed_name: _Printed = ""


class Aid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An AID that is taken, with its limits in minor units (`emv.terminal.Combination`).

    Action codes are five bytes in hexadecimal digits; None leaves the kernel's own.
    """

    aid: str
    transaction_limit: _Amount | None = None
    floor_limit: _Amount | None = 0
    cvm_limit: _Amount | None = None
    partial: bool = True
    status_check: bool = False
    zero_amount: bool = False
    transit: bool = False
    deferred_limit: _Amount = 0
    selection: RandomSelection = RandomSelection()
    tac_denial: str | None = None
    tac_online: str | None = None
    tac_default: str | None = None

    def takes(self, name: str) -> bool:
        """Whether this is the entry for a card's application, named in hexadecimal digits."""
        known, asked = self.aid.upper(), name.upper()
        return asked.startswith(known) if self.partial else asked == known

    def combination(self) -> Combination:
        """As the kernel takes it. Raises `Invalid` for an AID or action code that cannot be one."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        for name, (pattern, size) in _HEX.items():
            text = fields.pop(name)
            if text is None:
                continue
            if pattern.fullmatch(text) is None:
                raise Invalid(name, f"must be {size} in hexadecimal digits")
            fields[name] = bytes.fromhex(text)
        return Combination(**fields)


class TerminalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `wait_seconds` is how long it waits for a card.

    `kind` says whether the host is asked at all: `both` decides under the floor limit by itself.
    `language` is the reader's own: a card may prefer another.
    """

    shop: Shop
    aids: Annotated[tuple[Aid, ...], Meta(min_length=1, max_length=32)]
    currency: str
    trusted: str
    exceptions: str = ""
    zone: str = "UTC"
    language: Literal["en", "zh"] = "en"
    reader: str = ""
    kind: Literal["both", "online", "offline"] = "both"
    wait_seconds: _Seconds = 60
    wallets: dict[str, str] = {}
    tandem: dict[str, Any] = {}
    host: dict[str, Any] = {}

    def __post_init__(self) -> None:
        currency(self.currency)
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Invalid("zone", "is no time zone such as Asia/Shanghai") from None

    @property
    def time_zone(self) -> ZoneInfo:
        """The terminal's time zone."""
        return ZoneInfo(self.zone)

    def terminal(self) -> Terminal:
        """As the kernel takes it. Raises `Invalid`."""
        return Terminal(
            combinations=tuple(aid.combination() for aid in self.aids),
            country=self.shop.country,
            merchant_name=self.shop.name,
            merchant_category=self.shop.category,
            merchant_id=self.shop.merchant,
            terminal_id=self.shop.terminal,
            type={"both": 0x22, "online": 0x21, "offline": 0x23}[self.kind],
        )


def read_terminal_settings(text: bytes) -> TerminalSettings:
    """Read the file's text. Raises `TerminalMisset` saying where and why it cannot be."""
    try:
        settings = msgspec.toml.decode(text, type=TerminalSettings)
        settings.terminal()
    except (msgspec.MsgspecError, ValueError, Invalid) as error:
        raise TerminalMisset(str(error)) from error
    except RecursionError as error:
        raise TerminalMisset("it is nested too deeply") from error
    return settings


def read_exceptions(settings: TerminalSettings, folder: Path) -> Container[str]:
    """The exception file that the settings name, beside them; none if they name none.

    Raises `TerminalMisset`.
    """
    return ExceptionFile(folder / settings.exceptions) if settings.exceptions else ()


def read_trusted(settings: TerminalSettings, folder: Path) -> TrustedKeys:
    """The keys that the file names, beside it. Raises `TerminalMisset`."""
    path = folder / settings.trusted
    try:
        return TrustedKeys.from_bytes(path.read_bytes())
    except OSError as error:
        raise TerminalMisset(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    except ValueError as error:  # a name with NUL in it
        raise TerminalMisset(f"{str(path)!r} cannot be a file's name") from error
    except KeyMalformed as error:
        raise TerminalMisset(f"{path}: {error.sentence()}") from error
