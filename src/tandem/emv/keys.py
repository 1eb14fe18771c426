"""From the issuer's key to a card's, and from a card's to that of one payment.

    issuer master key ──► ICC master key ──► session key
      of a range of cards   of one card        of one payment
                (A1.4, PAN and sequence)   (A1.3.1, transaction counter)

EMV Book 2 (4.3, 4.4), Annex A1.3 and A1.4. The issuer can make every card's key anew at any time; a
device holds only its own. Keys are plain bytes here: 16 for 3DES, 16, 24 or 32 for AES. They are
never part of an error.
"""

import hashlib
import re
from enum import Enum
from typing import Final

from tandem.emv.ciphers import Algorithm, cmac, encipher, xor
from tandem.kernel import Invalid

CHECK_VALUE_BYTES: Final = 3

_PAN = re.compile(r"[0-9]{8,19}", re.ASCII)
_SEQUENCE = re.compile(r"[0-9]{2}", re.ASCII)
_ATC_BYTES = 2
_MARK_AT = 2
_LEFT_MARK, _RIGHT_MARK = b"\xf0", b"\x0f"
_MAX_OPTION_A_PAN = 16
_DIGITS_OF_Y = 16
_DECIMALISED = str.maketrans("abcdef", "012345")
_ODD: Final = bytes(value ^ (value.bit_count() + 1) % 2 for value in range(256))


class Derivation(Enum):
    """How a card's master key is made from its issuer's (Annex A1.4)."""

    A = "A"
    """3DES, from the 16 rightmost digits of PAN and sequence (A1.4.1)."""
    B = "B"
    """3DES, from a hash for a PAN above 16 digits, else as option A (A1.4.2)."""
    C = "C"
    """AES, from all digits of PAN and sequence (A1.4.3)."""

    @property
    def algorithm(self) -> Algorithm:
        """The cipher that it uses, and that the card's key is for."""
        return Algorithm.AES if self is Derivation.C else Algorithm.TDES


def card_master_key(option: Derivation, issuer_key: bytes, pan: str, sequence: str = "00") -> bytes:
    """The master key of one card, as long as the issuer's. 3DES keys have odd parity.

    `sequence` is the PAN sequence number (5F34), two digits; 00 if the card has none. Raises
    `Invalid` for a PAN that is not 8 to 19 digits or a sequence that is not two, `ValueError` for
    a key of the wrong length: the one may come from outside, the other is a fault of the program.
    """
    check_key(option.algorithm, issuer_key)
    if _PAN.fullmatch(pan) is None:
        raise Invalid("pan", "a card number has 8 to 19 digits")
    if _SEQUENCE.fullmatch(sequence) is None:
        raise Invalid("sequence", "a PAN sequence number has two digits")
    if option is Derivation.C:
        return _option_c(issuer_key, pan + sequence)
    if option is Derivation.B and len(pan) > _MAX_OPTION_A_PAN:
        digits = _hashed_digits(pan + sequence)
    else:
        digits = (pan + sequence)[-_DIGITS_OF_Y:].zfill(_DIGITS_OF_Y)
    y = bytes.fromhex(digits)
    return odd_parity(encipher(Algorithm.TDES, issuer_key, y + _inverted(y)))


def session_key(algorithm: Algorithm, card_key: bytes, atc: bytes) -> bytes:
    """The key for the cryptograms of one payment: EMV common session key derivation (A1.3.1).

    `atc` is the Application Transaction Counter (9F36), two bytes. As long as the card's key.
    Raises `ValueError` if either has the wrong length.
    """
    check_key(algorithm, card_key)
    if len(atc) != _ATC_BYTES:
        raise ValueError(f"an ATC has {_ATC_BYTES} bytes, not {len(atc)}")
    r = atc + bytes(algorithm.block_bytes - _ATC_BYTES)
    if len(card_key) == len(r):
        return encipher(algorithm, card_key, r)
    head, tail = r[:_MARK_AT], r[_MARK_AT + 1 :]
    blocks = head + _LEFT_MARK + tail + head + _RIGHT_MARK + tail
    key = encipher(algorithm, card_key, blocks)[: len(card_key)]
    return odd_parity(key) if algorithm is Algorithm.TDES else key


def key_check_value(algorithm: Algorithm, key: bytes) -> bytes:
    """Three bytes by which two people see that they hold the same key, without showing it.

    3DES: the first bytes of a block of zeros enciphered. AES: of the CMAC over a block of zeros,
    as ANSI X9.24-1 has it for AES keys. Parity bits make no difference.
    """
    check_key(algorithm, key)
    zeros = bytes(algorithm.block_bytes)
    whole = cmac(key, zeros) if algorithm is Algorithm.AES else encipher(algorithm, key, zeros)
    return whole[:CHECK_VALUE_BYTES]


def odd_parity(key: bytes) -> bytes:
    """The DES key with the last bit of each byte set so that its number of ones is odd."""
    return key.translate(_ODD)


def has_odd_parity(key: bytes) -> bool:
    """Whether each byte of a DES key has an odd number of ones, as it should have at rest."""
    return odd_parity(key) == key


def check_key(algorithm: Algorithm, key: bytes) -> None:
    """Raise `ValueError` for a key whose length is not one of the algorithm's."""
    if len(key) not in algorithm.key_bytes:
        raise ValueError(f"a key of {len(key)} bytes is none of {algorithm.label}")


def _option_c(issuer_key: bytes, digits: str) -> bytes:
    y = bytes.fromhex(digits.zfill(2 * Algorithm.AES.block_bytes))
    blocks = y if len(issuer_key) == len(y) else y + _inverted(y)
    return encipher(Algorithm.AES, issuer_key, blocks)[: len(issuer_key)]


def _hashed_digits(digits: str) -> str:
    """16 digits of the SHA-1 hash: its decimal digits in order, then its letters as 0 to 5."""
    even = digits.zfill(len(digits) + len(digits) % 2)
    hashed = hashlib.sha1(bytes.fromhex(even)).hexdigest()  # noqa: S324 - A1.4.2 says SHA-1
    numbers = "".join(nibble for nibble in hashed if nibble.isdigit())
    letters = "".join(nibble for nibble in hashed if nibble.isalpha())
    return (numbers + letters.translate(_DECIMALISED))[:_DIGITS_OF_Y]


def _inverted(block: bytes) -> bytes:
    return xor(block, b"\xff" * len(block))
