"""A message of ISO 8583:1987: its type and its data elements, with names for people.

The message type indicator has four digits: the version (0 is 1987), the class (1 authorisation,
2 financial, 4 reversal, 5 reconciliation, 8 network management), the function (0 request,
1 its answer, 2 advice, 3 its answer) and the origin (0 the acquirer's side; 1 the same, repeated).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tandem.acquiring.elements import De

VERSION: Final = "0"
_CLASSES: Final = {
    "1": "authorisation",
    "2": "financial transaction",
    "3": "file action",
    "4": "reversal",
    "5": "reconciliation",
    "6": "administrative",
    "8": "network management",
}
_FUNCTIONS: Final = {"0": "request", "1": "response", "2": "advice", "3": "advice response"}
_REQUESTS: Final = frozenset("02")
_ORIGINS: Final = frozenset("01")


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `fields` holds text as it is and bytes as hexadecimal digits in capitals.

    Bitmaps are no fields: they follow from what there is. Neither values nor numbers show in
    `repr`, which ends in logs; `tandem.acquiring.trace` shows a message with what is secret masked.
    """

    mti: str
    fields: Mapping[int, str] = field(repr=False)

    def text(self, number: De) -> str | None:
        """The element as it stands, or None."""
        return self.fields.get(number)

    def binary(self, number: De) -> bytes | None:
        """The element's bytes, or None."""
        value = self.fields.get(number)
        return None if value is None else bytes.fromhex(value)

    @property
    def repeat(self) -> bool:
        """Whether the sender says that it sent this before (0201, 0221, 0401, 0421)."""
        return self.mti[3] == "1"

    @property
    def kind(self) -> str:
        """The type without the mark of a repeat: 0421 is 0420 again."""
        return self.mti[:3] + ("0" if self.repeat else self.mti[3])

    @property
    def asks(self) -> bool:
        """Whether it is a request or an advice of the acquirer's side, which is to be answered."""
        return self.mti[0] == VERSION and self.mti[2] in _REQUESTS and self.mti[3] in _ORIGINS


def response_mti(mti: str) -> str:
    """The type of the answer to a request or advice: 0200 and 0201 are answered by 0210."""
    return f"{mti[:2]}{int(mti[2]) + 1}0"


def mti_name(mti: str) -> str:
    """The type in words: `0421` is `reversal advice, repeated`."""
    words = f"{_CLASSES.get(mti[1], 'unknown class')} {_FUNCTIONS.get(mti[2], 'unknown function')}"
    return f"{words}, repeated" if mti[3] == "1" else words
