"""Contactless cards after EMV: what terminal and card say to each other, and how each proves it.

Pure protocol code, a library of its own: no I/O; it imports nothing of Tandem but values. Time and
randomness are passed in. Each module says which book and section it follows:

    tlv, dol, apdu    what is on the wire, read and written
    tags, bits        what it means
    show              messages, printed for people
    keys              from the issuer's key to a card's and to that of one payment
    cryptograms       application cryptograms, and the issuer's answers to them
    application_data  what the card tells its issuer, such as who verified the person
"""

from tandem.emv import apdu, application_data, bits, cryptograms, dol, keys, show, tags, tlv
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
    "application_data",
    "bits",
    "cryptograms",
    "dol",
    "keys",
    "show",
    "tags",
    "tlv",
]
