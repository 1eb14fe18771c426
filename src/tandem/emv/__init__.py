"""Contactless cards: what terminal and card say to each other. Pure protocol code, no I/O.

A library of its own: it imports nothing of Tandem but values. Time and randomness are passed in.

`tlv`, `dol` and `apdu` read and write what is on the wire, `tags` and `bits` know what it means,
`show` prints it for people.
"""

from tandem.emv import apdu, bits, dol, show, tags, tlv
from tandem.emv.apdu import Command, Response, Status
from tandem.emv.dol import Dol
from tandem.emv.errors import ApduMalformed, DolMalformed, Malformed, TlvMalformed, TooLong
from tandem.emv.tags import Tag
from tandem.emv.tlv import Tlv

__all__ = [
    "ApduMalformed",
    "Command",
    "Dol",
    "DolMalformed",
    "Malformed",
    "Response",
    "Status",
    "Tag",
    "Tlv",
    "TlvMalformed",
    "TooLong",
    "apdu",
    "bits",
    "dol",
    "show",
    "tags",
    "tlv",
]
