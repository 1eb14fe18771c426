"""Device account numbers: drawn from the operator's range, found by a keyed hash. Pure.

A DPAN has 16 digits: the operator's range, random digits, and the check digit of ISO/IEC 7812-1,
Annex B. A PAR has 29 characters: four of whoever assigns it and 25 for the account (EMV Payment
Tokenisation Framework); here it follows from the account that pays, the person's wallet or the
issuer's card, so that every device card of that account has the same one, and nobody learns it.
"""

import base64
import hmac
from typing import Final
from uuid import UUID

from tandem.db.rewrite import SealedColumn
from tandem.emv.card.profile import luhn
from tandem.kernel import Entropy

PAN_DIGITS: Final = 16
_WORD_BYTES: Final = 16
_PAR_BYTES: Final = 25
_REQUESTOR_DIGITS: Final = 8


def new_pan(card_range: str, entropy: Entropy) -> str:
    """A random number of the range, Luhn-valid. Whether it is taken, its hash tells."""
    count = PAN_DIGITS - len(card_range) - 1
    drawn = int.from_bytes(entropy(_WORD_BYTES), "big") % 10**count
    body = f"{card_range}{drawn:0{count}d}"
    return next(pan for pan in (f"{body}{digit}" for digit in range(10)) if luhn(pan))


def pan_hash(secret: bytes, pan: str) -> bytes:
    """What a number is found by, 32 bytes. Keyed: there are too few numbers for a plain hash."""
    return hmac.digest(secret, b"card number\0" + pan.encode(), "sha256")


def account_reference(secret: bytes, card_range: str, account: bytes) -> str:
    """The PAR of an account (a person's id, an issuer's card's hash): 29 digits and letters."""
    drawn = hmac.digest(secret, b"account reference\0" + account, "sha256")
    return card_range[:4].rjust(4, "0") + base64.b32encode(drawn).decode()[:_PAR_BYTES]


def own_requestor(card_range: str) -> str:
    """The token requestor id of Tandem's own wallet: three digits of who assigns it, then 8."""
    return card_range[:3] + "1".zfill(_REQUESTOR_DIGITS)


def pan_context(card_id: UUID) -> bytes:
    """What a card's sealed number is bound to."""
    return b"device card number " + card_id.bytes


PAN_SEALS: Final = SealedColumn("device_cards", "pan_sealed", "crd", pan_context)
"""Where card numbers are kept, sealed."""
