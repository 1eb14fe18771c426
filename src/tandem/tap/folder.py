"""A folder that survives: one SQLite file, the keys that seal what is secret in it, and a lock.

Files have mode 0600, the folder 0700. One program at a time has it open. SQLite writes through to
the disk before a statement returns (`synchronous=FULL`), so what was saved is there after a crash;
every change that stores make is one statement.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from tandem.kernel import Entropy, Invalid
from tandem.keyring import FileKeyRing
from tandem.tap.errors import StoreUnusable

T = TypeVar("T")

_KEYS: Final = "keys"
_LOCK: Final = "lock"
_WAIT_SECONDS: Final = 2.0


class Folder:
    """An open folder, made if there is none. Raises `StoreUnusable`, and as key rings do.

    `name` is the file's, `schema` makes its tables, `version` is that of the schema.
    """

    def __init__(self, path: Path, name: str, schema: str, version: int, entropy: Entropy) -> None:
        self.path = path
        with self.faults():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            self._only_us()
            with self.faults():
                self._open(path / name, schema, version, entropy)
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Close the file, and let others have it."""
        self._db.close()
        os.close(self._lock)

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        """One statement, on disk when it returns. Raises `StoreUnusable`, `IntegrityError`."""
        with self.faults():
            return self._db.execute(statement, values)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises `StoreUnusable`."""
        with self.faults():
            return self._db.execute(statement, values).fetchall()

    def seal(self, value: object, context: bytes) -> bytes:
        """A value as JSON, sealed for its place."""
        return self._keys.seal(msgspec.json.encode(value), context)

    def opened(self, sealed: bytes, context: bytes, kind: type[T]) -> T:
        """What was sealed. Raises `SealBroken`, `KeyUnknown`, `StoreUnusable`."""
        return self.decoded(self._keys.open(sealed, context), kind)

    def decoded(self, stored: bytes, kind: type[T]) -> T:
        """A stored value. Raises `StoreUnusable` without a word of what it holds."""
        try:
            return msgspec.json.decode(stored, type=kind)
        except (msgspec.MsgspecError, ValueError, Invalid):
            raise StoreUnusable(str(self.path), "it is damaged") from None

    @contextlib.contextmanager
    def faults(self) -> Iterator[None]:
        """What goes wrong with disk or file is a `StoreUnusable`."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreUnusable(str(self.path), reason.lower()) from error

    def _open(self, file: Path, schema: str, version: int, entropy: Entropy) -> None:
        self._keys = FileKeyRing.open_or_create(self.path / _KEYS, entropy)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        if file.stat().st_mode & 0o077:
            raise StoreUnusable(str(self.path), "others may read it; close it with chmod 600")
        self._db = sqlite3.connect(
            file, isolation_level=None, timeout=_WAIT_SECONDS, check_same_thread=False
        )
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._migrate(schema, version)
        except BaseException:
            self._db.close()
            raise

    def _migrate(self, schema: str, version: int) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found not in {0, version}:
            raise StoreUnusable(str(self.path), f"its format {found} is not known here")
        self._db.executescript(schema)
        self._db.execute(f"PRAGMA user_version={version}")

    def _only_us(self) -> None:
        """Two programs with the same cards would use a transaction counter twice."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreUnusable(str(self.path), "another program has it open") from None
