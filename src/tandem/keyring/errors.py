"""The refusals of the key ring.

    KeyRingRefused        a secret was neither sealed nor opened
    ├── SealBroken        what was sealed was changed, or belongs to another place
    ├── KeyUnknown        sealed under a key that this ring does not have
    ├── KeyNotInRing      no key has this id
    ├── KeyFileExposed    others may read the key file
    ├── KeyFileMissing    there is no key file
    ├── KeyFileUnusable   the key file cannot be read or written
    ├── HsmUnusable       the token cannot be opened
    ├── HsmEmpty          the token has no key of ours
    └── HsmGone           the token was there, and answers no more

None carries a key, nor what was sealed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class KeyRingRefused(Refused):
    """A secret was neither sealed nor opened."""

    code: ClassVar[str] = "key_ring_refused"


@dataclass(eq=False)
class SealBroken(KeyRingRefused):
    """What was sealed was changed or cut, or was sealed for another context."""

    code: ClassVar[str] = "seal_broken"

    def sentence(self) -> str:
        """Say what it means; not what in it was wrong, which would help a forger."""
        return (
            "A sealed secret was changed since it was stored, or moved from another row. "
            "Restore that row from a backup."
        )


@dataclass(eq=False)
class KeyUnknown(KeyRingRefused):
    """Sealed under a key that this ring does not have. `key_id` is in hexadecimal digits."""

    code: ClassVar[str] = "key_unknown"
    key_id: str

    def sentence(self) -> str:
        """Ask for the right key ring."""
        return (
            f"A secret is sealed under key {self.key_id}, which is not in the key ring. Use the "
            "key file (TANDEM_KEY_FILE) or token (TANDEM_KEYRING) that belongs to this database."
        )


@dataclass(eq=False)
class KeyNotInRing(KeyRingRefused):
    """No key of the ring has this id."""

    code: ClassVar[str] = "key_not_in_ring"
    key_id: str

    def sentence(self) -> str:
        """Point to the list."""
        return f"There is no key {self.key_id} in the key ring. `tandem keys list` shows them."


@dataclass(eq=False)
class KeyFileExposed(KeyRingRefused):
    """Others than its owner may read or change the key file. `mode` as chmod takes it."""

    code: ClassVar[str] = "key_file_exposed"
    path: Path
    mode: str

    def sentence(self) -> str:
        """Say how to close it, and that it may be too late."""
        return (
            f"The key file {self.path} is open to others (mode {self.mode}). Close it with "
            "chmod 600. If somebody may have read it, change what it protects: tandem keys rotate "
            "(docs/operating.md says what else)."
        )


@dataclass(eq=False)
class KeyFileMissing(KeyRingRefused):
    """There is no key file."""

    code: ClassVar[str] = "key_file_missing"
    path: Path

    def sentence(self) -> str:
        """Point to the setting."""
        return (
            f"There is no key file {self.path}. Restore it from a backup, or name the right one "
            "in TANDEM_KEY_FILE: what was sealed under its keys can't be opened without it."
        )


@dataclass(eq=False)
class KeyFileUnusable(KeyRingRefused):
    """The key file cannot be read or written, or holds no key ring."""

    code: ClassVar[str] = "key_file_unusable"
    path: Path
    reason: str

    def sentence(self) -> str:
        """Name the file and what is wrong."""
        return f"The key file {self.path} cannot be used: {self.reason}."


@dataclass(eq=False)
class HsmUnusable(KeyRingRefused):
    """The token that holds the keys cannot be opened. `reason` says why, and never a PIN."""

    code: ClassVar[str] = "hsm_unusable"
    token: str
    reason: str

    def sentence(self) -> str:
        """Name the token and what is wrong."""
        return f"The {self.token} (TANDEM_KEYRING) cannot be used: {self.reason}."


@dataclass(eq=False)
class HsmEmpty(KeyRingRefused):
    """The token has no key that seals. `label` is what its label would begin with."""

    code: ClassVar[str] = "hsm_empty"
    token: str
    label: str

    def sentence(self) -> str:
        """Say what it may be."""
        return (
            f"The {self.token} has no key labelled `{self.label} seal …`, and this database has "
            "secrets that are sealed. Use the token that belongs to it (TANDEM_KEYRING)."
        )


@dataclass(eq=False)
class HsmGone(KeyRingRefused):
    """The token was there and answers no more. What is already opened goes on working."""

    code: ClassVar[str] = "hsm_gone"
    passing: ClassVar[bool] = True
    token: str
    reason: str

    def sentence(self) -> str:
        """Say that it is tried again by itself."""
        return (
            f"The {self.token} that holds the keys does not answer ({self.reason}). Nothing was "
            "done; it is opened anew when it is back."
        )
