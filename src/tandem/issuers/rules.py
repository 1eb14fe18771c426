"""By which rules the simulated issuer answers. Pure; read from TOML.

    limit = 1000000

    [[rules]]
    amount_ends = "51"
    do = "decline"
    code = "51"

    [[rules]]
    messages = ["advice"]
    do = "silent"
    times = 2

The first rule that fits decides; where none does, it approves what the account's limit covers.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from tandem.issuers.errors import IssuersUnusable

_LARGEST: Final = 1 << 20
Kind = Literal["check", "code", "payment", "advice", "reversal"]
Digits = Annotated[str, Meta(pattern="^[0-9]{0,12}$", max_length=12)]


class Deed(StrEnum):
    """What the issuer does. All but `decline` book what is asked for first."""

    APPROVE = "approve"
    DECLINE = "decline"
    SLOW = "slow"
    """Answers after `seconds`."""
    SILENT = "silent"
    """Never answers: the worst, since it did what it was asked."""
    DROP = "drop"
    """Closes the connection instead of an answer."""
    GARBLE = "garble"
    """Answers with something that is no message."""
    OTHER_AMOUNT = "other_amount"
    """Answers to another amount than was asked for."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done with messages that fit, at most `times` times (0: always).

    `messages`: `check` asks whether a card may be added, `code` brings a one-time code, `payment`
    asks for money (0100, 0200), `advice` tells of it (0220), `reversal` undoes (0420). `card_ends`
    and `amount_ends` are the last digits, the amount's in minor units. `code` is element 39 of a
    `decline`, `seconds` the time of `slow`.
    """

    do: Deed
    messages: tuple[Kind, ...] = ("payment",)
    card_ends: Digits = ""
    amount_ends: Digits = ""
    code: Annotated[str, Meta(pattern="^[0-9A-Z]{2}$")] = "05"
    seconds: Annotated[int, Meta(ge=0, le=3600)] = 3
    times: Annotated[int, Meta(ge=0)] = 0

    def fits(self, kind: Kind, pan: str, amount: int) -> bool:
        """Whether this rule is about such a message."""
        return (
            kind in self.messages
            and pan.endswith(self.card_ends)
            and f"{amount:012d}".endswith(self.amount_ends)
        )


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rules, and what each account may spend in a currency, in minor units."""

    limit: Annotated[int, Meta(ge=0)] = 10_000_000
    rules: tuple[Rule, ...] = ()


DEFAULT: Final = Rules(
    rules=(
        Rule(messages=("check",), card_ends="0085", do=Deed.DECLINE, code="85"),
        Rule(messages=("check",), card_ends="0001", do=Deed.DECLINE, code="01"),
        Rule(messages=("check",), card_ends="0005", do=Deed.DECLINE, code="05"),
        Rule(amount_ends="51", do=Deed.DECLINE, code="51"),
        Rule(amount_ends="05", do=Deed.DECLINE, code="05"),
        Rule(amount_ends="54", do=Deed.DECLINE, code="54"),
        Rule(amount_ends="91", do=Deed.SILENT),
        Rule(amount_ends="92", do=Deed.SLOW),
        Rule(amount_ends="93", do=Deed.DECLINE, code="ZZ"),
        Rule(amount_ends="94", do=Deed.DROP),
        Rule(amount_ends="95", do=Deed.OTHER_AMOUNT),
        Rule(amount_ends="96", do=Deed.GARBLE),
    )
)
"""What it does unless rules are given (docs/issuers.md)."""


def read_rules(path: Path) -> Rules:
    """Read rules from TOML. Raises `IssuersUnusable` saying where and why they cannot be."""
    try:
        with path.open("rb") as file:
            return msgspec.toml.decode(file.read(_LARGEST), type=Rules, strict=True)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise IssuersUnusable(str(path), reason) from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise IssuersUnusable(str(path), str(error)) from error
