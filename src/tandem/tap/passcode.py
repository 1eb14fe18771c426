"""The passcode of a device: stretched by scrypt (RFC 7914), and few tries. Pure.

A wrong try is counted, and the count saved, before the passcode is compared: whoever ends the
process in between has lost the try and learnt nothing.
"""

import hmac
import re
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from tandem.kernel import Entropy, Invalid
from tandem.tap.errors import PasscodeLocked

MAX_TRIES: Final = 6
"""Wrong tries one after another until the device locks itself."""
_COST, _BLOCK, _PARALLEL = 2**15, 8, 1
"""RFC 7914's N, r and p: 32 MiB and about a tenth of a second for each try."""
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_SHAPE: Final = re.compile(r"[0-9]{6,12}", re.ASCII)


class Passcode(msgspec.Struct, frozen=True, kw_only=True):
    """A passcode as it is kept. `wrong` counts the wrong tries since the last right one."""

    salt: Annotated[bytes, msgspec.Meta(min_length=_SALT_BYTES, max_length=_SALT_BYTES)]
    hash: Annotated[bytes, msgspec.Meta(min_length=_HASH_BYTES, max_length=_HASH_BYTES)]
    wrong: Annotated[int, msgspec.Meta(ge=0)] = 0

    def __repr__(self) -> str:
        return f"Passcode(wrong={self.wrong})"

    @property
    def tries_left(self) -> int:
        """How many tries are left."""
        return max(0, MAX_TRIES - self.wrong)


def new_passcode(digits: str, entropy: Entropy) -> Passcode:
    """Set a passcode. Raises `Invalid` for what is not six to twelve digits, or one repeated."""
    if _SHAPE.fullmatch(digits) is None or len(set(digits)) == 1:
        raise Invalid("passcode", "must be six to twelve digits, not all the same")
    salt = entropy(_SALT_BYTES)
    return Passcode(salt=salt, hash=_stretched(digits, salt))


def counted(passcode: Passcode) -> Passcode:
    """The same with one more try counted: to be saved before `right` is asked.

    Raises `PasscodeLocked` if no try is left.
    """
    if not passcode.tries_left:
        raise PasscodeLocked
    return msgspec.structs.replace(passcode, wrong=passcode.wrong + 1)


def right(passcode: Passcode, digits: str) -> bool:
    """Whether these are its digits, compared in constant time."""
    return hmac.compare_digest(passcode.hash, _stretched(digits, passcode.salt))


def cleared(passcode: Passcode) -> Passcode:
    """The same after a right try."""
    return msgspec.structs.replace(passcode, wrong=0)


def _stretched(digits: str, salt: bytes) -> bytes:
    stretch = Scrypt(salt=salt, length=_HASH_BYTES, n=_COST, r=_BLOCK, p=_PARALLEL)
    return stretch.derive(digits.encode())
