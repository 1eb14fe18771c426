"""Contactless cards after EMV: pure protocol code, a library of its own. No I/O.

Time and randomness are passed in. Each module says which book and section it follows:

    keys           from the issuer's key to a card's and to that of one payment
    cryptograms    application cryptograms, and the issuer's answers to them
"""

from tandem.emv import cryptograms, keys

__all__ = [
    "cryptograms",
    "keys",
]
