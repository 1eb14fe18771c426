"""The sealed form of a secret: AES-256-GCM (NIST SP 800-38D) with the key's id in front.

    version    1 byte, 1
    key id     8 bytes
    nonce      12 bytes, random for each seal
    the rest   ciphertext, then the tag of 16 bytes

The header and the **context** are authenticated with it (AAD), so a sealed value opens only where
it was sealed for: a context names the row and the column, for example
`b"people.code_seed:" + person_id.bytes`. With random nonces one key seals at most 2^32 times
(SP 800-38D §8.3); rotate long before that.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tandem.kernel import Entropy
from tandem.keyring.errors import SealBroken

VERSION: Final = 1
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
_HEADER_BYTES: Final = 1 + KEY_ID_BYTES
_DOMAIN: Final = b"tandem seal\0"


class KeyRing(Protocol):
    """Seals secrets for storage and opens them again: a file's keys, or an HSM's."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt under the primary key, bound to the context."""
        ...

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what was sealed for the same context. Raises `SealBroken`, `KeyUnknown`."""
        ...


class RotatingRing(KeyRing, Protocol):
    """A key ring whose keys can be changed. Ids are hexadecimal digits."""

    @property
    def place(self) -> str:
        """Where the keys are, as people say it."""
        ...

    @property
    def primary(self) -> str:
        """The id of the key that seals now."""
        ...

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the primary one first."""
        ...

    def rotate(self) -> str:
        """Add a new primary key and return its id; the older ones still open what they sealed."""
        ...

    def add(self) -> str:
        """Add a new key that does not seal yet, and return its id."""
        ...

    def promote(self, key_id: str) -> None:
        """Seal under this key from now on. Raises `KeyNotInRing`."""
        ...


@dataclass(frozen=True)
class Key:
    """One key of a ring. Its secret appears in no repr."""

    id: bytes
    secret: bytes = field(repr=False)


def new_key(entropy: Entropy) -> Key:
    """A new random key with a random id."""
    return Key(entropy(KEY_ID_BYTES), entropy(KEY_BYTES))


def seal(key: Key, plaintext: bytes, context: bytes, entropy: Entropy) -> bytes:
    """Seal under one key. The same plaintext never gives the same bytes twice."""
    front, nonce = header(key.id), entropy(NONCE_BYTES)
    return front + nonce + AESGCM(key.secret).encrypt(nonce, plaintext, aad(front, context))


def key_id_of(sealed: bytes) -> bytes:
    """The id of the key that it was sealed under. Raises `SealBroken` for what is no seal."""
    if len(sealed) < _HEADER_BYTES + NONCE_BYTES + TAG_BYTES or sealed[0] != VERSION:
        raise SealBroken
    return sealed[1:_HEADER_BYTES]


def unseal(key: Key, sealed: bytes, context: bytes) -> bytes:
    """Open with the key that `key_id_of` names. Raises `SealBroken`.

    The tag is compared in constant time by the library, before any plaintext is given out.
    """
    front, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
    nonce, ciphertext = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
    try:
        return AESGCM(key.secret).decrypt(nonce, ciphertext, aad(front, context))
    except InvalidTag:
        raise SealBroken from None


def sealed_anew(
    keyring: RotatingRing, context: Callable[[UUID], bytes]
) -> Callable[[UUID, bytes], bytes | None]:
    """What makes a row's sealed value one of the primary key; None for one that is that already.

    It raises `SealBroken`, `KeyUnknown` for a value that cannot be opened.
    """
    primary = bytes.fromhex(keyring.primary)

    def anew(row_id: UUID, sealed: bytes) -> bytes | None:
        if key_id_of(sealed) == primary:
            return None
        bound = context(row_id)
        return keyring.seal(keyring.open(sealed, bound), bound)

    return anew


def header(key_id: bytes) -> bytes:
    """What stands in front of a seal."""
    return bytes([VERSION]) + key_id


def aad(front: bytes, context: bytes) -> bytes:
    """What is authenticated with a seal: its header and its context."""
    # The header has a fixed length, so the parts cannot be shifted against each other.
    return _DOMAIN + front + context
