"""Contactless cards after EMV: pure protocol code, a library of its own. No I/O.

Time and randomness are passed in. Each module says which book and section it follows:

    keys               from the issuer's key to a card's and to that of one payment
    cryptograms        application cryptograms, and the issuer's answers to them
    application_data   what a card tells its issuer: who verified the person, and how
    rsa                keys and the signature that gives back what was signed
    certificates       authority → issuer → card, made and checked
    authority          the operator's authority, and what a terminal holds of it
    issuer             an issuer under an authority, which certifies cards
    dynamic            a card's signatures: DDA and CDA
"""

from tandem.emv import (
    application_data,
    authority,
    certificates,
    cryptograms,
    dynamic,
    errors,
    issuer,
    keys,
    rsa,
)

__all__ = [
    "application_data",
    "authority",
    "certificates",
    "cryptograms",
    "dynamic",
    "errors",
    "issuer",
    "keys",
    "rsa",
]
