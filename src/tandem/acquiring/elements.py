"""The data elements (fields) of ISO 8583:1987: number, name and format.

Formats are written as the standard does: `n6` is six digits, `n..19` up to 19 digits behind
a length of two, `ans...999` up to 999 characters behind a length of three. `a` letters, `n` digits,
`s` other printable characters, `b` bytes, `z` track data, `x+n` a sign (C or D) and digits.

Of elements that the standard leaves to networks (46 to 48, 56 to 63, 104 to 127) a link may set
another format; so it may of any other.
"""

import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from tandem.kernel import Invalid

LAST: Final = 128
_FORMAT: Final = re.compile(r"(a|n|an|ns|ans|b|z|x\+n)(\.\.\.|\.\.)?([1-9][0-9]{0,2})", re.ASCII)
_PREFIX: Final = {"": 0, "..": 2, "...": 3}


class Kind(StrEnum):
    """What an element is made of."""

    LETTERS = "a"
    DIGITS = "n"
    ALPHANUMERIC = "an"
    NUMERIC_SPECIAL = "ns"
    PRINTABLE = "ans"
    BYTES = "b"
    TRACK = "z"
    SIGNED = "x+n"


_ALLOWED: Final = {
    Kind.LETTERS: "[A-Za-z ]",
    Kind.DIGITS: "[0-9]",
    # Spaces fill fixed alphanumeric elements, so they are let pass.
    Kind.ALPHANUMERIC: "[0-9A-Za-z ]",
    Kind.NUMERIC_SPECIAL: r"[ -@\[-`{-~]",
    Kind.PRINTABLE: "[ -~]",
    Kind.BYTES: "[0-9A-F]{2}",
    Kind.TRACK: "[0-9=]",
    Kind.SIGNED: "[CD]?[0-9]",
}
"""One character of each kind, or one byte."""


class Form(NamedTuple):
    """A format, read: the kind, how many digits of length stand before it, the longest length.

    `prefix` is 0 for an element of fixed length. `size` counts characters, for `b` bytes; the sign
    of `x+n` is counted.
    """

    kind: Kind
    prefix: int
    size: int

    def fault(self, value: str) -> str | None:
        """What is wrong with a value (bytes are hexadecimal digits in capitals), or None."""
        length = len(value) // 2 if self.kind is Kind.BYTES else len(value)
        if length > self.size or (self.prefix == 0 and length != self.size):
            wanted = f"{self.size}" if self.prefix == 0 else f"at most {self.size}"
            return f"is {length} long and must be {wanted}"
        if re.fullmatch(f"(?:{_ALLOWED[self.kind]})*", value) is None:
            return f"has characters that {self.kind} does not allow"
        return None

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a value must match as a whole to have no fault."""
        least = 0 if self.prefix else self.size
        if self.kind is Kind.SIGNED:
            return re.compile(f"[CD][0-9]{{{least - 1},{self.size - 1}}}", re.ASCII)
        return re.compile(f"(?:{_ALLOWED[self.kind]}){{{least},{self.size}}}", re.ASCII)


@lru_cache(maxsize=1024)
def read_form(text: str) -> Form:
    """Read a format such as `n..19`. Raises `Invalid` if it is none."""
    match = _FORMAT.fullmatch(text)
    if match is None:
        raise Invalid("format", f"{text[:20]!r} is not a format such as n6, n..19 or ans...999")
    kind, size = Kind(match[1]), int(match[3]) + (match[1] == "x+n")
    prefix = _PREFIX[match[2] or ""]
    if prefix and size >= 10**prefix:
        raise Invalid("format", f"{text}: a length of {prefix} digits cannot say {size}")
    return Form(kind, prefix, size)


class De(IntEnum):
    """The elements that this host reads or writes, by name."""

    PAN = 2
    PROCESSING_CODE = 3
    AMOUNT = 4
    TRANSMITTED_AT = 7
    STAN = 11
    LOCAL_TIME = 12
    LOCAL_DATE = 13
    EXPIRY = 14
    SETTLEMENT_DATE = 15
    CATEGORY = 18
    ENTRY_MODE = 22
    SEQUENCE_NUMBER = 23
    NETWORK = 24
    CONDITION = 25
    ACQUIRER = 32
    TRACK2 = 35
    RRN = 37
    AUTHORISATION_CODE = 38
    RESPONSE_CODE = 39
    TERMINAL = 41
    MERCHANT = 42
    LOCATION = 43
    TRACK1 = 45
    PRIVATE = 48
    CURRENCY = 49
    SETTLEMENT_CURRENCY = 50
    PIN = 52
    SECURITY = 53
    ICC = 55
    MAC = 64
    SETTLEMENT_CODE = 66
    NETWORK_CODE = 70
    CREDITS_NUMBER = 74
    CREDITS_REVERSED_NUMBER = 75
    DEBITS_NUMBER = 76
    DEBITS_REVERSED_NUMBER = 77
    AUTHORISATIONS_NUMBER = 81
    CREDITS_AMOUNT = 86
    CREDITS_REVERSED_AMOUNT = 87
    DEBITS_AMOUNT = 88
    DEBITS_REVERSED_AMOUNT = 89
    ORIGINAL = 90
    REPLACEMENT_AMOUNTS = 95
    NET_AMOUNT = 97
    MAC2 = 128


class Element(NamedTuple):
    """A data element: its name and its format as text."""

    name: str
    form: str


def _reserved(first: int, last: int, name: str) -> dict[int, Element]:
    return {number: Element(name, "ans...999") for number in range(first, last + 1)}


ELEMENTS: Final[Mapping[int, Element]] = {
    2: Element("Primary account number", "n..19"),
    3: Element("Processing code", "n6"),
    4: Element("Amount, transaction", "n12"),
    5: Element("Amount, settlement", "n12"),
    6: Element("Amount, cardholder billing", "n12"),
    7: Element("Transmission date and time", "n10"),
    8: Element("Amount, cardholder billing fee", "n8"),
    9: Element("Conversion rate, settlement", "n8"),
    10: Element("Conversion rate, cardholder billing", "n8"),
    11: Element("Systems trace audit number", "n6"),
    12: Element("Time, local transaction", "n6"),
    13: Element("Date, local transaction", "n4"),
    14: Element("Date, expiration", "n4"),
    15: Element("Date, settlement", "n4"),
    16: Element("Date, conversion", "n4"),
    17: Element("Date, capture", "n4"),
    18: Element("Merchant's type", "n4"),
    19: Element("Acquiring institution country code", "n3"),
    20: Element("PAN extended country code", "n3"),
    21: Element("Forwarding institution country code", "n3"),
    22: Element("Point of service entry mode", "n3"),
    23: Element("Card sequence number", "n3"),
    24: Element("Network international identifier", "n3"),
    25: Element("Point of service condition code", "n2"),
    26: Element("Point of service PIN capture code", "n2"),
    27: Element("Authorisation identification response length", "n1"),
    28: Element("Amount, transaction fee", "x+n8"),
    29: Element("Amount, settlement fee", "x+n8"),
    30: Element("Amount, transaction processing fee", "x+n8"),
    31: Element("Amount, settlement processing fee", "x+n8"),
    32: Element("Acquiring institution identification code", "n..11"),
    33: Element("Forwarding institution identification code", "n..11"),
    34: Element("Primary account number, extended", "ns..28"),
    35: Element("Track 2 data", "z..37"),
    36: Element("Track 3 data", "z...104"),
    37: Element("Retrieval reference number", "an12"),
    38: Element("Authorisation identification response", "an6"),
    39: Element("Response code", "an2"),
    40: Element("Service restriction code", "an3"),
    41: Element("Card acceptor terminal identification", "ans8"),
    42: Element("Card acceptor identification code", "ans15"),
    43: Element("Card acceptor name and location", "ans40"),
    44: Element("Additional response data", "ans..25"),
    45: Element("Track 1 data", "ans..76"),
    46: Element("Additional data, ISO", "ans...999"),
    47: Element("Additional data, national", "ans...999"),
    48: Element("Additional data, private", "ans...999"),
    49: Element("Currency code, transaction", "n3"),
    50: Element("Currency code, settlement", "n3"),
    51: Element("Currency code, cardholder billing", "n3"),
    52: Element("Personal identification number data", "b8"),
    53: Element("Security related control information", "n16"),
    54: Element("Additional amounts", "an...120"),
    55: Element("Integrated circuit card data", "b...255"),
    **_reserved(56, 56, "Reserved, ISO"),
    **_reserved(57, 60, "Reserved, national"),
    **_reserved(61, 63, "Reserved, private"),
    64: Element("Message authentication code", "b8"),
    66: Element("Settlement code", "n1"),
    67: Element("Extended payment code", "n2"),
    68: Element("Receiving institution country code", "n3"),
    69: Element("Settlement institution country code", "n3"),
    70: Element("Network management information code", "n3"),
    71: Element("Message number", "n4"),
    72: Element("Message number, last", "n4"),
    73: Element("Date, action", "n6"),
    74: Element("Credits, number", "n10"),
    75: Element("Credits, reversal number", "n10"),
    76: Element("Debits, number", "n10"),
    77: Element("Debits, reversal number", "n10"),
    78: Element("Transfer, number", "n10"),
    79: Element("Transfer, reversal number", "n10"),
    80: Element("Inquiries, number", "n10"),
    81: Element("Authorisations, number", "n10"),
    82: Element("Credits, processing fee amount", "n12"),
    83: Element("Credits, transaction fee amount", "n12"),
    84: Element("Debits, processing fee amount", "n12"),
    85: Element("Debits, transaction fee amount", "n12"),
    86: Element("Credits, amount", "n16"),
    87: Element("Credits, reversal amount", "n16"),
    88: Element("Debits, amount", "n16"),
    89: Element("Debits, reversal amount", "n16"),
    90: Element("Original data elements", "n42"),
    91: Element("File update code", "an1"),
    92: Element("File security code", "an2"),
    93: Element("Response indicator", "n5"),
    94: Element("Service indicator", "an7"),
    95: Element("Replacement amounts", "an42"),
    96: Element("Message security code", "b8"),
    97: Element("Amount, net settlement", "x+n16"),
    98: Element("Payee", "ans25"),
    99: Element("Settlement institution identification code", "n..11"),
    100: Element("Receiving institution identification code", "n..11"),
    101: Element("File name", "ans..17"),
    102: Element("Account identification 1", "ans..28"),
    103: Element("Account identification 2", "ans..28"),
    104: Element("Transaction description", "ans...100"),
    **_reserved(105, 111, "Reserved, ISO"),
    **_reserved(112, 119, "Reserved, national"),
    **_reserved(120, 127, "Reserved, private"),
    128: Element("Message authentication code", "b8"),
}
"""All elements; 1 is the second bitmap, and 65 would announce a third, which 1987 does not have."""
