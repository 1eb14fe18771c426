"""Message authentication: the last element, 64 or 128, over every byte before it.

The bytes are those on the wire, from the type on, in the link's encodings; length and header are
not covered. Two algorithms: ISO/IEC 9797-1 algorithm 3 (the retail MAC of ANSI X9.19) with padding
method 1 or 2, and AES-CMAC (NIST SP 800-38B).
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from tandem.acquiring.codec import Codec
from tandem.acquiring.elements import De
from tandem.acquiring.errors import MacMissing, MacWrong
from tandem.acquiring.links import Mac
from tandem.acquiring.message import Message
from tandem.acquiring.tr31 import three_keys

_DES_BLOCK: Final = 8
_DES_KEY: Final = 16
_MAC_BYTES: Final = 8
_FIRST_HALF: Final = 64
_EMPTY: Final = "00" * _MAC_BYTES
_AES_KEYS: Final = (16, 24, 32)


@dataclass(frozen=True, slots=True)
class MacKey:
    """A key, and how a link uses it. Raises `ValueError` if it does not have the right length."""

    settings: Mac
    secret: bytes = field(repr=False)
    _scheduled: CMAC | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fits = (_DES_KEY,) if self.settings.algorithm == "retail" else _AES_KEYS
        if len(self.secret) not in fits:
            algorithm = self.settings.algorithm
            raise ValueError(f"a key of {algorithm} cannot have {len(self.secret)} bytes")
        # The key's schedule is made once; it lies in memory as long as the key itself.
        retail = self.settings.algorithm == "retail"
        object.__setattr__(self, "_scheduled", None if retail else CMAC(AES(self.secret)))

    def mac(self, data: bytes) -> bytes:
        """The MAC of these bytes, eight bytes."""
        if self._scheduled is None:
            whole = retail_mac(self.secret, data, self.settings.padding)
        else:
            mac = self._scheduled.copy()
            mac.update(data)
            whole = mac.finalize()[:_MAC_BYTES]
        return whole[: self.settings.size].ljust(_MAC_BYTES, b"\x00")

    @property
    def check_value(self) -> str:
        """What two sides compare to see that they have the same key; it does not give it away."""
        if self.settings.algorithm == "retail":
            return des_check_value(self.secret)
        return aes_check_value(self.secret)


def des_check_value(key: bytes) -> str:
    """The first three bytes of zeros encrypted (ANSI X9.24-1), in hexadecimal digits."""
    cipher = Cipher(TripleDES(three_keys(key)), modes.CBC(bytes(8))).encryptor()
    return cipher.update(bytes(8))[:3].hex().upper()


def aes_check_value(key: bytes) -> str:
    """The first five bytes of the CMAC of a block of zeros (ANSI X9.24-1)."""
    return aes_cmac(key, bytes(16))[:5].hex().upper()


def retail_mac(key: bytes, data: bytes, padding: int) -> bytes:
    """ISO/IEC 9797-1 algorithm 3 with a key of 16 bytes: eight bytes.

    Padding method 1 fills with zeros, method 2 with 80 and zeros.
    """
    if padding == 2:  # noqa: PLR2004 - the standard's number of the method
        data += b"\x80"
    data += bytes(-len(data) % _DES_BLOCK)
    start = bytes(_DES_BLOCK)
    first, last = data[:-_DES_BLOCK], data[-_DES_BLOCK:]
    if first:
        single = TripleDES(three_keys(key[:_DES_BLOCK]))
        start = Cipher(single, modes.CBC(start)).encryptor().update(first)[-_DES_BLOCK:]
    # The last block goes through triple DES: decrypted under the second half in between.
    return Cipher(TripleDES(three_keys(key)), modes.CBC(start)).encryptor().update(last)


def aes_cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, 16 bytes."""
    cmac = CMAC(AES(key))
    cmac.update(data)
    return cmac.finalize()


def seal_message(codec: Codec, message: Message, key: MacKey) -> bytes:
    """Write a message with its MAC at the end. Raises `MessageMalformed` as writing does."""
    place = De.MAC if max(message.fields, default=0) < _FIRST_HALF else De.MAC2
    fields = {**message.fields, place: _EMPTY}
    covered = codec.write(Message(message.mti, fields))[: -codec.wire.mac_size]
    return covered + codec.mac_text(key.mac(covered))


def check_mac(codec: Codec, message: Message, body: bytes, keys: Sequence[MacKey]) -> MacKey:
    """The key under which this message, read from these bytes, has its MAC.

    Every key is tried and compared in constant time. Raises `MacMissing` if the MAC is not the last
    element (what came after it would not be covered), and `MacWrong`.
    """
    last = max(message.fields, default=0)
    if last not in {De.MAC, De.MAC2}:
        raise MacMissing
    given = bytes.fromhex(message.fields[last])
    covered = body[: -codec.wire.mac_size]
    right = [key for key in keys if hmac.compare_digest(key.mac(covered), given)]
    if not right:
        raise MacWrong
    return right[0]
