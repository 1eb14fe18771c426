"""The refusals of the key ring.

    KeyRingRefused        a secret was neither sealed nor opened
    ├── SealBroken        what was sealed was changed, or belongs to another place
    ├── KeyUnknown        sealed under a key that this ring does not have
    ├── KeyNotInRing      no key has this id
    ├── KeyFileExposed    others may read the key file
    ├── KeyFileMissing    there is no key file
    └── KeyFileUnusable   the key file cannot be read or written

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
        """Ask for the right key file."""
        return (
            f"A secret is sealed under key {self.key_id}, which is not in the key file. Use the "
            "key file that belongs to this database (TANDEM_KEY_FILE)."
        )


@dataclass(eq=False)
class KeyNotInRing(KeyRingRefused):
    """No key of the ring has this id."""

    code: ClassVar[str] = "key_not_in_ring"
    key_id: str

    def sentence(self) -> str:
        """Point to the list."""
        return f"There is no key {self.key_id} in the key file. `tandem keys list` shows them."


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
