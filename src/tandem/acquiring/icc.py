"""Element 55 for people: the data objects of the chip (BER-TLV, EMV Book 3 Annex B), one a line.

Only what is known to be harmless is shown with its value. Everything else may hold a card number,
so it is shown by its length, also where the bytes do not divide into data objects.
"""

from collections.abc import Iterator
from typing import Final

_SHOWN: Final = {
    "82": "Application interchange profile",
    "84": "Dedicated file name",
    "8A": "Authorisation response code",
    "91": "Issuer authentication data",
    "95": "Terminal verification results",
    "9A": "Transaction date",
    "9C": "Transaction type",
    "4F": "Application identifier",
    "5F2A": "Transaction currency code",
    "5F34": "Card sequence number",
    "9F02": "Amount, authorised",
    "9F03": "Amount, other",
    "9F06": "Application identifier, terminal",
    "9F09": "Application version number",
    "9F10": "Issuer application data",
    "9F1A": "Terminal country code",
    "9F26": "Application cryptogram",
    "9F27": "Cryptogram information data",
    "9F33": "Terminal capabilities",
    "9F34": "CVM results",
    "9F35": "Terminal type",
    "9F36": "Application transaction counter",
    "9F37": "Unpredictable number",
    "9F41": "Transaction sequence counter",
    "9F66": "Terminal transaction qualifiers",
    "9F6C": "Card transaction qualifiers",
    "9F6E": "Form factor indicator",
}
"""What may be shown, with its name."""

_MORE: Final = 0x1F
_LONG: Final = 0x80
_LENGTHS: Final = 2


def describe_icc(data: bytes) -> Iterator[tuple[str, str, str]]:
    """Tag, name and what may be shown of each data object on the first level."""
    at = 0
    while at < len(data):
        divided = _object(data, at)
        if divided is None:
            yield "", "Unread", f"{len(data) - at} bytes that do not divide into data objects"
            return
        tag, value, at = divided
        if tag in _SHOWN:
            yield tag, _SHOWN[tag], value.hex().upper()
        else:
            yield tag, "Other data", f"{len(value)} bytes"


def _object(data: bytes, at: int) -> tuple[str, bytes, int] | None:
    """Tag, value and where the next one begins; None where the bytes do not hold what they say."""
    start = at
    more = data[at] & _MORE == _MORE
    at += 1
    while more and at < len(data):
        more = bool(data[at] & _LONG)
        at += 1
    if more or at >= len(data):
        return None
    tag, length = data[start:at].hex().upper(), data[at]
    at += 1
    if length & _LONG:
        size = length & ~_LONG
        if not 1 <= size <= _LENGTHS or at + size > len(data):
            return None
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        return None
    return tag, data[at : at + length], at + length
