"""What a device keeps: its cards, where they come from, and the passcode, stretched.

A card is what the vault's package held (`cards.package`), beside the state that the card
application makes of it. Of cards with the same AID one is presented: the one that was chosen, or
the oldest.

**What protects it.** The keys that seal cards and the API key lie in the same folder, mode 0600:
cards pay at gates without a passcode, so the passcode cannot be what seals them. A copy of the
database file alone, in a backup for instance, tells nothing. Whoever can read the folder as its
owner has the keys, as on a phone without a secure element; what that can cost is bounded by the
card's own limits, and ended by reporting the device lost.
"""

import sqlite3
from pathlib import Path
from typing import Final, Self

import msgspec

from tandem.emv.card import CardState, Profile
from tandem.kernel import Entropy
from tandem.tap.errors import CardHeld, StoreUnusable
from tandem.tap.folder import Folder
from tandem.tap.passcode import Passcode

ACTIVE: Final = "active"
_FILE: Final = "device.db"
_FORMAT: Final = 2
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cards (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, chosen INTEGER NOT NULL DEFAULT 0,
    sealed BLOB NOT NULL, state BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS passcode (
    one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS vault (
    one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL
) STRICT;
"""
_VAULT: Final = b"device.vault"


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """A card on a device. `id` is the vault's (crd_…), `status` what the vault last said of it."""

    id: str
    profile: Profile
    state: CardState = CardState()
    status: str = ACTIVE

    @property
    def last_four(self) -> str:
        """The end of its number."""
        return self.profile.data.pan[-4:]


class Adding(msgspec.Struct, frozen=True):
    """A card that was asked for, until the vault has answered: `key` makes it happen once."""

    currency: str
    key: str


class VaultLink(msgspec.Struct, frozen=True, kw_only=True):
    """Where the vault is, and what this device is there.

    `key` is the device's API key, `secret` the X25519 key that packages are sealed for, `device_id`
    its own (dev_…), known from its first card on.
    """

    url: str
    key: str
    secret: bytes
    device_id: str = ""
    adding: Adding | None = None

    def __repr__(self) -> str:
        return f"VaultLink({self.url}, {self.device_id})"


class DeviceStore:
    """A device's folder. Raises as `Folder` does, here and in every use."""

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self._folder = Folder(path, _FILE, _SCHEMA, _FORMAT, entropy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    def add(self, card: Provisioned) -> None:
        """Keep a card. Raises `CardHeld` if it is there: its counters must not begin again."""
        sealed = self._folder.seal(card.profile, _context(card.id))
        state = msgspec.json.encode(card.state)
        try:
            self._folder.execute(
                "INSERT INTO cards (id, status, sealed, state) VALUES (?, ?, ?, ?)",
                *(card.id, card.status, sealed, state),
            )
        except sqlite3.IntegrityError:
            raise CardHeld(card.id) from None

    def remove(self, card_id: str) -> bool:
        """Forget a card, its keys and its state. False if there is none."""
        return self._folder.execute("DELETE FROM cards WHERE id = ?", card_id).rowcount == 1

    def choose(self, card_id: str) -> None:
        """Present this card from now on, of those with its AID."""
        self._folder.execute("UPDATE cards SET chosen = (id = ?)", card_id)

    def set_status(self, card_id: str, status: str) -> None:
        """Note what the vault says of a card."""
        self._folder.execute("UPDATE cards SET status = ? WHERE id = ?", status, card_id)

    def cards(self) -> tuple[Provisioned, ...]:
        """All cards with their states, the chosen one first, then as they came.

        Raises `SealBroken`.
        """
        rows = self._folder.rows(
            "SELECT id, status, sealed, state FROM cards ORDER BY chosen DESC, rowid"
        )
        return tuple(
            Provisioned(
                id=card_id,
                status=status,
                profile=self._folder.opened(sealed, _context(card_id), Profile),
                state=self._folder.decoded(state, CardState),
            )
            for card_id, status, sealed, state in rows
        )

    def save_state(self, card_id: str, state: CardState) -> None:
        """Write a card's state to the disk. Raises `StoreUnusable` if it is not there for sure.

        A transaction counter never goes back, whoever asks for it.
        """
        done = self._folder.execute(
            "UPDATE cards SET state = ?1 WHERE id = ?2 "
            "AND json_extract(CAST(state AS TEXT), '$.atc') <= ?3",
            msgspec.json.encode(state),
            card_id,
            state.atc,
        )
        if done.rowcount != 1:
            raise StoreUnusable(str(self._folder.path), "a card was removed, or used elsewhere")

    def vault(self) -> VaultLink | None:
        """Where the vault is; None if the device was not connected to one."""
        rows = self._folder.rows("SELECT sealed FROM vault")
        return self._folder.opened(rows[0][0], _VAULT, VaultLink) if rows else None

    def save_vault(self, link: VaultLink) -> None:
        """Write where the vault is to the disk."""
        self._folder.execute(
            "INSERT INTO vault VALUES (1, ?) ON CONFLICT DO UPDATE SET sealed = excluded.sealed",
            self._folder.seal(link, _VAULT),
        )

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


def _context(card_id: str) -> bytes:
    return b"device.card:" + card_id.encode()
