"""The key ring that the environment names: a file's, an HSM's, or on the way from one to the other.

With both named the token seals and opens, and what the file's keys sealed still opens with them:
so secrets are moved into an HSM while Tandem runs, by `tandem keys rotate`.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tandem.kernel import Entropy
from tandem.keyring.file import FileKeyRing, key_file
from tandem.keyring.hsm import HsmKeyRing
from tandem.keyring.seal import RotatingRing, key_id_of
from tandem.keyring.uri import VARIABLE, read_uri


class KeyringName(msgspec.Struct, frozen=True):
    """What names the keys: the URI of a token, the path of a key file, or both."""

    uri: str | None
    file: str | None


class MovingRing:
    """A token's key ring, which opens also what the keys of a file sealed."""

    def __init__(self, token: HsmKeyRing, file: FileKeyRing) -> None:
        self._token = token
        self._file = file

    def __repr__(self) -> str:
        return f"MovingRing({self._token!r}, {self._file!r})"

    @property
    def place(self) -> str:
        """Where the keys are, as people say it."""
        return self._token.place

    @property
    def of_file(self) -> FileKeyRing:
        """The ring that is moved away from."""
        return self._file

    @property
    def primary(self) -> str:
        """The id of the key that seals now: one of the token's."""
        return self._token.primary

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the primary one first, the file's last."""
        return (*self._token.ids, *self._file.ids)

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt in the token, bound to the context."""
        return self._token.seal(plaintext, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt with whichever has the key. Raises `SealBroken`, `KeyUnknown`, `HsmGone`."""
        of_file = key_id_of(sealed).hex() in self._file.ids
        return (self._file if of_file else self._token).open(sealed, context)

    def rotate(self) -> str:
        """Make a key in the token that seals from now on, and return its id."""
        return self._token.rotate()

    def add(self) -> str:
        """Make a key in the token that does not seal yet, and return its id."""
        return self._token.add()

    def promote(self, key_id: str) -> None:
        """Seal under this key of the token's from now on. Raises `KeyNotInRing`."""
        self._token.promote(key_id)


def keyring_name(env: Mapping[str, str], data: Path) -> KeyringName:
    """What the environment names: `TANDEM_KEYRING`, `TANDEM_KEY_FILE`, else the data folder's file.

    Raises `Invalid`.
    """
    uri = env.get(VARIABLE) or None
    if uri is None:
        return KeyringName(None, str(key_file(env, data)))
    read_uri(uri)
    return KeyringName(uri, str(key_file(env, data)) if env.get("TANDEM_KEY_FILE") else None)


def load_keyring(name: KeyringName, entropy: Entropy) -> RotatingRing:
    """The key ring of this name, which is there. Raises a `KeyRingRefused`."""
    if name.uri is None:
        return FileKeyRing.load(Path(name.file or ""), entropy)
    if name.file is None:
        return HsmKeyRing.load(read_uri(name.uri), entropy)
    return _moving(name.uri, name.file, entropy)


def open_or_create_keyring(name: KeyringName, entropy: Entropy) -> RotatingRing:
    """The key ring of this name, with a first key if it has none. Raises a `KeyRingRefused`."""
    if name.uri is None:
        return FileKeyRing.open_or_create(Path(name.file or ""), entropy)
    if name.file is None:
        return HsmKeyRing.open_or_create(read_uri(name.uri), entropy)
    return _moving(name.uri, name.file, entropy)


def _moving(uri: str, file: str, entropy: Entropy) -> MovingRing:
    """The file says that the secrets are ours, so an empty token gets its first key."""
    ring = FileKeyRing.load(Path(file), entropy)
    return MovingRing(HsmKeyRing.open_or_create(read_uri(uri), entropy), ring)


def folder_of(ring: RotatingRing) -> Path | None:
    """The folder of the ring's file, if it has one: by default the data folder."""
    file = ring.of_file if isinstance(ring, MovingRing) else ring
    return file.path.parent if isinstance(file, FileKeyRing) else None
