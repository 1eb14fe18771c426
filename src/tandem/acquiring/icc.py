"""Element 55 for people: the data objects of the chip (BER-TLV, EMV Book 3 Annex B), one a line.

Only what is known to be harmless is shown with its value. Everything else may hold a card number,
so it is shown by its length, also where the bytes do not divide into data objects.
"""

from collections.abc import Iterator
from typing import Final

from tandem.emv.errors import TlvMalformed
from tandem.emv.tlv import read_flat

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


def describe_icc(data: bytes) -> Iterator[tuple[str, str, str]]:
    """Tag, name and what may be shown of each data object on the first level."""
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 1  # bytes between data objects that mean nothing
            continue
        try:
            number, value, end = read_flat(data, at)
        except TlvMalformed:
            yield "", "Unread", f"{len(data) - at} bytes that do not divide into data objects"
            return
        tag, at = f"{number:02X}", end
        if tag in _SHOWN:
            yield tag, _SHOWN[tag], value.hex().upper()
        else:
            yield tag, "Other data", f"{len(value)} bytes"
