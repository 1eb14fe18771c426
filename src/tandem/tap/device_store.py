"""What a device keeps: its cards sealed, their states, and the passcode, stretched.

One SQLite file of mode 0600 in a folder of mode 0700, beside the key ring that seals the cards.
One program at a time has it open. SQLite writes through to the disk before a statement returns
(`synchronous=FULL`), so what was saved is there after a crash. Every change is one statement.

A card arrives as a `Provisioned`: the vault's profile and the state to begin with. `read_card`
reads one from JSON, as the vault hands it out; nothing else of the vault is known here.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from tandem.emv.card import CardState, Profile
from tandem.kernel import Entropy, Invalid
from tandem.keyring import FileKeyRing
from tandem.tap.errors import CardHeld, DeviceUnusable
from tandem.tap.passcode import Passcode

T = TypeVar("T")

_FILE: Final = "device.db"
_KEYS: Final = "keys"
_LOCK: Final = "lock"
_FORMAT: Final = 1
_WAIT_SECONDS: Final = 2.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cards (
    aid BLOB PRIMARY KEY, sealed BLOB NOT NULL, state BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS passcode (
    one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB NOT NULL
) STRICT;
"""


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """A card for a device: its profile, and the state to begin with."""

    profile: Profile
    state: CardState = CardState()


def read_card(text: bytes) -> Provisioned:
    """Read a card from JSON. Raises `Invalid`, without a word of what it holds: keys are in it."""
    try:
        return msgspec.json.decode(text, type=Provisioned)
    except (msgspec.MsgspecError, ValueError, Invalid):
        raise Invalid("card", "is no card for a device, or it is damaged") from None


class DeviceStore:
    """A device's folder, made if there is none. Raises `DeviceUnusable`, and as key rings do."""

    def __init__(self, folder: Path, entropy: Entropy) -> None:
        self._folder = folder
        with self._faults():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._keys = FileKeyRing.open_or_create(folder / _KEYS, entropy)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            self._only_us()
            path = folder / _FILE
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            if path.stat().st_mode & 0o077:
                raise DeviceUnusable(str(folder), "others may read it; close it with chmod 600")
            self._db = sqlite3.connect(
                path, isolation_level=None, timeout=_WAIT_SECONDS, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in {0, _FORMAT}:
                raise DeviceUnusable(str(folder), f"its format {version} is not known here")
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version={_FORMAT}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and let others have it."""
        self._db.close()
        os.close(self._lock)

    def add(self, card: Provisioned) -> None:
        """Keep a card. Raises `CardHeld` if there is one with its AID."""
        aid = card.profile.data.aid
        sealed = self._keys.seal(msgspec.json.encode(card.profile), _context(aid))
        try:
            with self._faults():
                self._db.execute(
                    "INSERT INTO cards VALUES (?, ?, ?)",
                    (aid, sealed, msgspec.json.encode(card.state)),
                )
        except sqlite3.IntegrityError:
            raise CardHeld(aid.hex().upper()) from None

    def remove(self, aid: bytes) -> bool:
        """Forget a card, its keys and its state. False if there is none."""
        with self._faults():
            return self._db.execute("DELETE FROM cards WHERE aid = ?", (aid,)).rowcount == 1

    def cards(self) -> tuple[Provisioned, ...]:
        """All cards with their states, in the order in which they came. Raises `SealBroken`."""
        with self._faults():
            rows = self._db.execute(
                "SELECT aid, sealed, state FROM cards ORDER BY rowid"
            ).fetchall()
        return tuple(self._card(*row) for row in rows)

    def save_state(self, aid: bytes, state: CardState) -> None:
        """Write a card's state to the disk. Raises `DeviceUnusable` if it is not there for sure.

        A transaction counter never goes back, whoever asks for it.
        """
        with self._faults():
            done = self._db.execute(
                "UPDATE cards SET state = ?1 WHERE aid = ?2 "
                "AND json_extract(CAST(state AS TEXT), '$.atc') <= ?3",
                (msgspec.json.encode(state), aid, state.atc),
            )
        if done.rowcount != 1:
            raise DeviceUnusable(str(self._folder), "a card was removed, or used elsewhere")

    def passcode(self) -> Passcode | None:
        """The passcode as it is kept, None if none was set."""
        with self._faults():
            row = self._db.execute("SELECT value FROM passcode").fetchone()
        return None if row is None else self._decoded(row[0], Passcode)

    def save_passcode(self, passcode: Passcode) -> None:
        """Write the passcode and its count of wrong tries to the disk."""
        with self._faults():
            self._db.execute(
                "INSERT INTO passcode VALUES (1, ?) "
                "ON CONFLICT DO UPDATE SET value = excluded.value",
                (msgspec.json.encode(passcode),),
            )

    def _only_us(self) -> None:
        """Two programs with the same cards would use a transaction counter twice."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise DeviceUnusable(str(self._folder), "another program has it open") from None

    def _card(self, aid: bytes, sealed: bytes, state: bytes) -> Provisioned:
        profile = self._decoded(self._keys.open(sealed, _context(aid)), Profile)
        return Provisioned(profile=profile, state=self._decoded(state, CardState))

    def _decoded(self, stored: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(stored, type=kind)
        except (msgspec.MsgspecError, ValueError, Invalid):
            raise DeviceUnusable(str(self._folder), "it is damaged") from None

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DeviceUnusable(str(self._folder), reason.lower()) from error


def _context(aid: bytes) -> bytes:
    return b"device.card:" + aid
