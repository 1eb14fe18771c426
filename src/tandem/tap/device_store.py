"""What a device keeps: its cards sealed, their states, and the passcode, stretched.

A card arrives as a `Provisioned`: the vault's profile and the state to begin with. `read_card`
reads one from JSON, as the vault hands it out; nothing else of the vault is known here.
"""

import sqlite3
from pathlib import Path
from typing import Final, Self

import msgspec

from tandem.emv.card import CardState, Profile
from tandem.kernel import Entropy, Invalid
from tandem.tap.errors import CardHeld, StoreUnusable
from tandem.tap.folder import Folder
from tandem.tap.passcode import Passcode

_FILE: Final = "device.db"
_FORMAT: Final = 1
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
    """A device's folder. Raises as `Folder` does, here and in every use."""

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self._folder = Folder(path, _FILE, _SCHEMA, _FORMAT, entropy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    def add(self, card: Provisioned) -> None:
        """Keep a card. Raises `CardHeld` if there is one with its AID."""
        aid = card.profile.data.aid
        sealed = self._folder.seal(card.profile, _context(aid))
        state = msgspec.json.encode(card.state)
        try:
            self._folder.execute("INSERT INTO cards VALUES (?, ?, ?)", aid, sealed, state)
        except sqlite3.IntegrityError:
            raise CardHeld(aid.hex().upper()) from None

    def remove(self, aid: bytes) -> bool:
        """Forget a card, its keys and its state. False if there is none."""
        return self._folder.execute("DELETE FROM cards WHERE aid = ?", aid).rowcount == 1

    def cards(self) -> tuple[Provisioned, ...]:
        """All cards with their states, in the order in which they came. Raises `SealBroken`."""
        rows = self._folder.rows("SELECT aid, sealed, state FROM cards ORDER BY rowid")
        return tuple(
            Provisioned(
                profile=self._folder.opened(sealed, _context(aid), Profile),
                state=self._folder.decoded(state, CardState),
            )
            for aid, sealed, state in rows
        )

    def save_state(self, aid: bytes, state: CardState) -> None:
        """Write a card's state to the disk. Raises `StoreUnusable` if it is not there for sure.

        A transaction counter never goes back, whoever asks for it.
        """
        done = self._folder.execute(
            "UPDATE cards SET state = ?1 WHERE aid = ?2 "
            "AND json_extract(CAST(state AS TEXT), '$.atc') <= ?3",
            msgspec.json.encode(state),
            aid,
            state.atc,
        )
        if done.rowcount != 1:
            raise StoreUnusable(str(self._folder.path), "a card was removed, or used elsewhere")

    def passcode(self) -> Passcode | None:
        """The passcode as it is kept, None if none was set."""
        rows = self._folder.rows("SELECT value FROM passcode")
        return self._folder.decoded(rows[0][0], Passcode) if rows else None

    def save_passcode(self, passcode: Passcode) -> None:
        """Write the passcode and its count of wrong tries to the disk."""
        self._folder.execute(
            "INSERT INTO passcode VALUES (1, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            msgspec.json.encode(passcode),
        )


def _context(aid: bytes) -> bytes:
    return b"device.card:" + aid
