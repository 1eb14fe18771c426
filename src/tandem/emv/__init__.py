"""Contactless cards after EMV: what terminal and card say to each other, and how each proves it.

Pure protocol code, a library of its own: no I/O; it imports nothing of Tandem but values. Time and
randomness are passed in. Each module says which book and section it follows:

    tlv, dol, apdu     what is on the wire, read and written
    tags, bits         what it means
    show, values       messages, printed for people
    keys               from the issuer's key to a card's and to that of one payment
    cryptograms        application cryptograms, and the issuer's answers to them
    application_data   what a card tells its issuer: who verified the person, and how
    rsa                keys and the signature that gives back what was signed
    certificates       authority → issuer → card, made and checked
    authority          the operator's authority, and what a terminal holds of it
    issuer             an issuer under an authority, which certifies cards
    dynamic            a card's signatures: DDA and CDA
    card               the card application: what a device answers in a reader's field
    terminal           the kernel: what a till's reader does with a card, up to the outcome
"""

from tandem.emv import (
    apdu,
    application_data,
    authority,
    bits,
    card,
    certificates,
    cryptograms,
    dol,
    dynamic,
    errors,
    issuer,
    keys,
    rsa,
    show,
    tags,
    terminal,
    tlv,
    values,
)

__all__ = [
    "apdu",
    "application_data",
    "authority",
    "bits",
    "card",
    "certificates",
    "cryptograms",
    "dol",
    "dynamic",
    "errors",
    "issuer",
    "keys",
    "rsa",
    "show",
    "tags",
    "terminal",
    "tlv",
    "values",
]
