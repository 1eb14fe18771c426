"""Contactless cards after EMV: pure protocol code, a library of its own. No I/O.

Time and randomness are passed in. Each module says which book and section it follows:

    keys               from the issuer's key to a card's and to that of one payment
    cryptograms        application cryptograms, and the issuer's answers to them
    application_data   what a card tells its issuer: who verified the person, and how
"""

from tandem.emv import application_data, cryptograms, keys

__all__ = [
    "application_data",
    "cryptograms",
    "keys",
]
