"""The key ring in a file of mode 0600: JSON, made and changed atomically.

    {"version": 1, "primary": "<id>", "keys": [{"id": "<hex>", "key": "<base64>"}, …]}

Whoever has this file and the database has every secret; back the two up apart from each other.
"""

import base64
import binascii
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeAlias

import msgspec

from tandem.kernel import Entropy
from tandem.keyring.errors import (
    KeyFileExposed,
    KeyFileMissing,
    KeyFileUnusable,
    KeyNotInRing,
    KeyRingRefused,
    KeyUnknown,
)
from tandem.keyring.seal import KEY_BYTES, KEY_ID_BYTES, Key, key_id_of, new_key, seal, unseal

_FORMAT: Final = 1
_LARGEST_BYTES: Final = 1 << 20


_Stamp: TypeAlias = tuple[int, int, int]
"""What changes when the file is replaced: inode, time of change in ns, size in bytes."""


class _StoredKey(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    key: str


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    primary: str
    keys: list[_StoredKey]


class FileKeyRing:
    """A key ring whose keys are in a file. Made by `load`, `create` or `open_or_create`."""

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self.path = path
        self._entropy = entropy
        self._reload()

    def __repr__(self) -> str:
        return f"FileKeyRing({str(self.path)!r}, {len(self._keys)} keys)"

    @classmethod
    def load(cls, path: Path, entropy: Entropy) -> Self:
        """Read the file. Raises `KeyFileMissing`, `KeyFileExposed`, `KeyFileUnusable`."""
        return cls(path, entropy)

    @classmethod
    def create(cls, path: Path, entropy: Entropy) -> Self:
        """Make the file with one new key. Raises `KeyFileUnusable` if there is one already."""
        with _file_errors(path), _written_beside(path, [new_key(entropy)]) as new:
            path.hardlink_to(new)  # fails if the name is taken; a rename would not
        return cls.load(path, entropy)

    @classmethod
    def open_or_create(cls, path: Path, entropy: Entropy) -> Self:
        """Read the file, or make it if there is none; of several at once, one makes it."""
        try:
            return cls.load(path, entropy)
        except KeyFileMissing:
            pass
        with _file_errors(path):
            # Root's data folder: the account that PostgreSQL runs as must pass, to what is its own.
            path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        try:
            return cls.create(path, entropy)
        except KeyFileUnusable:
            if path.exists():  # another process was faster
                return cls.load(path, entropy)
            raise

    @property
    def place(self) -> str:
        """Where the keys are, as people say it."""
        return "the key file"

    @property
    def primary(self) -> str:
        """The id of the key that seals now, in hexadecimal digits."""
        return self._primary.id.hex()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the primary one first."""
        return tuple(key_id.hex() for key_id in self._keys)

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt under the primary key, bound to the context.

        It is the file's primary key, so that a rotation holds for every process of the machine.
        """
        with suppress(KeyRingRefused):  # what is known goes on working without its file
            if _stamp_of(self.path) != self._stamp:
                self._reload()
        return seal(self._primary, plaintext, context, self._entropy)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what was sealed for the same context. Raises `SealBroken`, `KeyUnknown`.

        An unknown key makes it look into the file once more: another process may have rotated.
        """
        key_id = key_id_of(sealed)
        # Only if the file changed: forged key ids must not make us read it each time.
        if key_id not in self._keys and _stamp_of(self.path) != self._stamp:
            self._reload()
        key = self._keys.get(key_id)
        if key is None:
            raise KeyUnknown(key_id.hex())
        return unseal(key, sealed, context)

    def rotate(self) -> str:
        """Add a new primary key and return its id; the older ones still open what they sealed.

        Nothing is sealed anew: `sealed_anew` does that, for one value.
        """
        made = new_key(self._entropy)
        self._change(lambda keys: [made, *keys])
        return made.id.hex()

    def add(self) -> str:
        """Add a new key that does not seal yet, and return its id.

        Other machines need it before anything is sealed under it.
        """
        made = new_key(self._entropy)
        self._change(lambda keys: [*keys, made])
        return made.id.hex()

    def promote(self, key_id: str) -> None:
        """Seal under this key from now on. Raises `KeyNotInRing`."""

        def first(keys: list[Key]) -> list[Key]:
            chosen = [key for key in keys if key.id.hex() == key_id]
            if not chosen:
                raise KeyNotInRing(key_id)
            return [*chosen, *(key for key in keys if key not in chosen)]

        self._change(first)

    def _change(self, change: Callable[[list[Key]], list[Key]]) -> None:
        target = self.path.resolve()  # a symbolic link (a mounted secret) stays one
        with _file_errors(self.path), _locked(target.parent):
            keys, _ = _read(self.path)
            with _written_beside(target, change(keys)) as new:
                new.replace(target)
        self._reload()

    def _reload(self) -> None:
        keys, self._stamp = _read(self.path)
        self._primary = keys[0]
        self._keys = {key.id: key for key in keys}


def key_file(env: Mapping[str, str], data: Path) -> Path:
    """Where the keys are: `TANDEM_KEY_FILE`, else `keys` in the data folder."""
    given = env.get("TANDEM_KEY_FILE", "")
    return Path(given).absolute() if given else data / "keys"


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise KeyFileMissing(path) from None
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise KeyFileUnusable(path, reason) from error


def _read(path: Path) -> tuple[list[Key], _Stamp]:
    """The keys, the primary one first, and the stamp of the file that they were read from."""
    with _file_errors(path):
        # Non-blocking, so that a pipe in its place cannot hang us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _check(path, status)
            text = file.read(_LARGEST_BYTES + 1)
    return _parse(path, text), _stamp(status)


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileUnusable(path, "it is not a file")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyFileExposed(path, f"{stat.S_IMODE(status.st_mode):03o}")
    if status.st_uid not in (os.geteuid(), 0):
        raise KeyFileUnusable(path, f"it belongs to user id {status.st_uid}, not to you")
    if status.st_size > _LARGEST_BYTES:
        raise KeyFileUnusable(path, "it is too large for a key file")


def _parse(path: Path, text: bytes) -> list[Key]:
    # What is wrong with it is said in words of ours: a decoder's message could quote a key.
    try:
        stored = msgspec.json.decode(text, type=_Stored)
        keys = {
            item.id: Key(bytes.fromhex(item.id), base64.b64decode(item.key, validate=True))
            for item in stored.keys
        }
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise KeyFileUnusable(path, "it is not a key file, or it is damaged") from None
    if stored.version != _FORMAT:
        raise KeyFileUnusable(path, f"its format is {stored.version}; this Tandem reads {_FORMAT}")
    right = all(len(k.id) == KEY_ID_BYTES and len(k.secret) == KEY_BYTES for k in keys.values())
    if not right or stored.primary not in keys or len(keys) != len(stored.keys):
        raise KeyFileUnusable(path, "it is not a key file, or it is damaged")
    primary = keys.pop(stored.primary)
    return [primary, *keys.values()]


@contextmanager
def _written_beside(path: Path, keys: list[Key]) -> Iterator[Path]:
    """A finished file of mode 0600 beside `path`, on disk; given its name within the block."""
    stored = _Stored(
        version=_FORMAT,
        primary=keys[0].id.hex(),
        keys=[_StoredKey(key.id.hex(), base64.b64encode(key.secret).decode()) for key in keys],
    )
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(stored)) + b"\n")
            file.flush()
            os.fsync(descriptor)
        yield new
        _sync_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One rotation at a time: the folder is locked, since the file itself is replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _stamp_of(path: Path) -> _Stamp:
    with _file_errors(path):
        return _stamp(path.stat())
