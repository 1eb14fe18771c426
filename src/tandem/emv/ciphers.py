"""The block ciphers and message authentication codes of EMV Book 2, Annexes A1 and B1.

One place, because what stands here ages: 3DES is withdrawn (NIST SP 800-131A) and the library
keeps it among what is decrepit. It warns about keys of 16 bytes, whose support will go; so a
double-length key K1 || K2 is given to it as the triple-length key K1 || K2 || K1, which is the same
cipher by definition. PyPI's pyemv, which does most of this, hands over 16 bytes under a name that
the library has deprecated as well, each time with a warning; it is the second opinion in our tests
instead.

Inputs are checked by whoever calls: lengths of keys by `tandem.emv.keys`, blocks by their makers.
"""

from enum import Enum
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

_DES_BLOCK: Final = 8
_FROM_ZERO: Final = CBC(bytes(_DES_BLOCK))
_SINGLE_BLOCKS: Final = ECB()  # noqa: S305 - A1.3 and A1.4 derive keys by enciphering single blocks


class Algorithm(Enum):
    """A block cipher, with the length of its block and the lengths that its keys may have."""

    TDES = ("3DES", 8, (16,))
    AES = ("AES", 16, (16, 24, 32))

    def __init__(self, label: str, block_bytes: int, key_bytes: tuple[int, ...]) -> None:
        self.label = label
        self.block_bytes = block_bytes
        self.key_bytes = key_bytes


def encipher(algorithm: Algorithm, key: bytes, blocks: bytes) -> bytes:
    """Encipher whole blocks, each by itself (ECB, A1.1)."""
    cipher: BlockCipherAlgorithm = AES(key) if algorithm is Algorithm.AES else _tdes(key)
    return Cipher(cipher, _SINGLE_BLOCKS).encryptor().update(blocks)


def mac_algorithm_3(key: bytes, padded: bytes) -> bytes:
    """ISO/IEC 9797-1 MAC algorithm 3 with DES (A1.2.1), 8 bytes.

    Single DES under the key's left half, chained, and 3DES for the last block. `padded` is a whole
    number of blocks, at least one.
    """
    head, last = padded[:-_DES_BLOCK], padded[-_DES_BLOCK:]
    if head:
        single = TripleDES(key[:_DES_BLOCK] * 3)  # the same key three times is single DES
        chained = Cipher(single, _FROM_ZERO).encryptor().update(head)[-_DES_BLOCK:]
        last = xor(chained, last)
    return encipher(Algorithm.TDES, key, last)


def cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC (ISO/IEC 9797-1 algorithm 5, RFC 4493; A1.2.2), 16 bytes."""
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def pad_with_zeros(data: bytes) -> bytes:
    """Fill the last block of 8 bytes with zeros (ISO/IEC 9797-1 padding method 1)."""
    return data + bytes(-len(data) % _DES_BLOCK)


def pad_with_bit(data: bytes) -> bytes:
    """Add 80 and then zeros to whole blocks of 8 bytes (padding method 2, ISO/IEC 7816-4)."""
    return pad_with_zeros(data + b"\x80")


def xor(left: bytes, right: bytes) -> bytes:
    """Exclusive or of two strings of the same length."""
    number = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return number.to_bytes(len(left), "big")


def _tdes(key: bytes) -> TripleDES:
    return TripleDES(key + key[:_DES_BLOCK])
