"""Key blocks of ANSI X9.143 (TR-31): a key travels encrypted, bound to what it may be used for.

    D0112M3TC00N0000 <encrypted: length, key, filling> <MAC>
    │ │   │ ││ │ └ optional blocks, none here; two reserved zeros
    │ │   │ ││ └ N: may not be exported again
    │ │   │ │└ C: makes and checks MACs, B: wraps keys; then the key's version, 00
    │ │   │ └ T: for triple DES, A: for AES
    │ │   └ usage: M3 a MAC of ISO/IEC 9797-1 algorithm 3, M6 a CMAC, K1 a key that wraps
    │ └ length of the whole, in characters
    └ D: wrapped under an AES key, B: under a triple DES key

The keys that encrypt and authenticate the block are derived from the wrapping key by CMAC over a
counter; the MAC is a CMAC over the header and what is encrypted, and is the CBC's starting value.
"""

import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from tandem.acquiring.errors import KeyBlockBroken
from tandem.kernel import Entropy

_HEADER: Final = 16
_LONGEST: Final = 9999
_LENGTH_BYTES: Final = 2
_ENCRYPTION, _AUTHENTICATION = b"\x00\x00", b"\x00\x01"
_BLOCK: Final = re.compile(r"([BD])([0-9]{4})([A-Z][0-9A-Z])([A-Z])([A-Z])00([A-Z])0000([0-9A-F]+)")
# The algorithm that a derived key is for, by the wrapping key: two or three keys of DES, AES.
_DERIVED: Final = {("B", 16): 0, ("B", 24): 1, ("D", 16): 2, ("D", 24): 3, ("D", 32): 4}


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """A key that wraps others: AES of 16, 24 or 32 bytes, or triple DES of 16 or 24.

    Raises `ValueError` for any other length: keys are checked where they are stored.
    """

    kind: Literal["aes", "tdes"]
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if (self.version, len(self.secret)) not in _DERIVED:
            raise ValueError(f"a wrapping key of {self.kind} cannot have {len(self.secret)} bytes")

    @property
    def version(self) -> str:
        """The version of the key blocks that it makes."""
        return "D" if self.kind == "aes" else "B"

    @property
    def block_bytes(self) -> int:
        """The cipher's block, which is also the MAC's length."""
        return 16 if self.kind == "aes" else 8

    def cipher(self, secret: bytes) -> AES | TripleDES:
        """The cipher of a key derived from this one."""
        return AES(secret) if self.kind == "aes" else TripleDES(three_keys(secret))


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """What a key block holds: the key, and what it is for.

    `mode` is C for a key that makes and checks MACs, B for one that wraps and unwraps others.
    """

    usage: str
    algorithm: str
    secret: bytes = field(repr=False)
    mode: str = "C"


def three_keys(secret: bytes) -> bytes:
    """A DES key of one or two parts as the three that the cipher wants."""
    return secret if len(secret) == 24 else (secret * 3)[:24]  # noqa: PLR2004 - three keys of eight bytes


def wrap(wrapping: WrappingKey, key: WrappedKey, entropy: Entropy) -> str:
    """The key block of a key. `entropy` fills it up to whole blocks of the cipher."""
    size = wrapping.block_bytes
    clear = (len(key.secret) * 8).to_bytes(_LENGTH_BYTES, "big") + key.secret
    clear += entropy(-len(clear) % size)
    length = _HEADER + 2 * (len(clear) + size)
    header = f"{wrapping.version}{length:04d}{key.usage}{key.algorithm}{key.mode}00N0000".encode()
    mac = _cmac(wrapping, _derive(wrapping, _AUTHENTICATION), header + clear)
    cipher = Cipher(wrapping.cipher(_derive(wrapping, _ENCRYPTION)), modes.CBC(mac)).encryptor()
    return header.decode() + (cipher.update(clear) + cipher.finalize() + mac).hex().upper()


def unwrap(wrapping: WrappingKey, block: str) -> WrappedKey:
    """Open a key block. Raises `KeyBlockBroken`: the MAC is checked before the key is looked at."""
    match = _BLOCK.fullmatch(block)
    if match is None or len(block) > _LONGEST:
        raise KeyBlockBroken("it does not have the form of one, or has optional blocks")
    version, length, usage, algorithm, mode, _, digits = match.groups()
    if version != wrapping.version:
        raise KeyBlockBroken(
            f"its version is {version}, and that of this key is {wrapping.version}"
        )
    size = wrapping.block_bytes
    if int(length) != len(block) or len(digits) % (2 * size) or len(digits) <= 2 * size:
        raise KeyBlockBroken("its length is not what it says")
    sealed = bytes.fromhex(digits)
    encrypted, mac = sealed[:-size], sealed[-size:]
    cipher = Cipher(wrapping.cipher(_derive(wrapping, _ENCRYPTION)), modes.CBC(mac)).decryptor()
    clear = cipher.update(encrypted) + cipher.finalize()
    covered = block[:_HEADER].encode() + clear
    if not hmac.compare_digest(_cmac(wrapping, _derive(wrapping, _AUTHENTICATION), covered), mac):
        raise KeyBlockBroken("it was not made under this key, or was changed")
    bits = int.from_bytes(clear[:_LENGTH_BYTES], "big")
    if bits % 8 or bits // 8 > len(clear) - _LENGTH_BYTES:
        raise KeyBlockBroken("the key in it has no length that can be")
    return WrappedKey(usage, algorithm, clear[_LENGTH_BYTES : _LENGTH_BYTES + bits // 8], mode)


def _derive(wrapping: WrappingKey, purpose: bytes) -> bytes:
    size = len(wrapping.secret)
    kind = _DERIVED[wrapping.version, size].to_bytes(2, "big")
    bits = (size * 8).to_bytes(2, "big")
    found = b""
    for counter in range(1, -(-size // wrapping.block_bytes) + 1):
        found += _cmac(
            wrapping, wrapping.secret, bytes((counter,)) + purpose + b"\x00" + kind + bits
        )
    return found[:size]


def _cmac(wrapping: WrappingKey, secret: bytes, data: bytes) -> bytes:
    cmac = CMAC(wrapping.cipher(secret))
    cmac.update(data)
    return cmac.finalize()
