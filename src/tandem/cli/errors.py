"""Why a command refuses, beside what the rooms refuse.

Refused
├── SchemaOld       the database is older than this Tandem
├── FileUnusable    a file cannot be read or written
├── BooksDiffer     verification found differences
├── SecretsUnopened some secrets could not be sealed anew
└── NothingRead     there is no code in the picture, or nothing on standard input
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class SchemaOld(Refused):
    """The database's schema is older than this Tandem. `pending` counts the migrations."""

    code: ClassVar[str] = "schema_old"
    pending: int

    def sentence(self) -> str:
        """Name the command."""
        return (
            f"The database is older than this Tandem by {self.pending} migration"
            f"{'' if self.pending == 1 else 's'}. Bring it up to date: tandem db upgrade"
        )


@dataclass(eq=False)
class FileUnusable(Refused):
    """A file cannot be read or written."""

    code: ClassVar[str] = "file_unusable"
    path: str
    reason: str

    def sentence(self) -> str:
        """Name the file and the reason."""
        return f"{self.path}: {self.reason}."


@dataclass(eq=False)
class BooksDiffer(Refused):
    """Verification found differences."""

    code: ClassVar[str] = "books_differ"
    differences: int

    def sentence(self) -> str:
        """Say what not to do."""
        return (
            f"The books differ in {self.differences} place{'' if self.differences == 1 else 's'}, "
            "listed above. Stop taking payments, keep a copy of the database as it is, and find "
            "out who changed it."
        )


@dataclass(eq=False)
class SecretsUnopened(Refused):
    """Some secrets could not be opened, and so not sealed anew."""

    code: ClassVar[str] = "secrets_unopened"
    count: int

    def sentence(self) -> str:
        """Say what that means and what helps."""
        several = self.count != 1
        return (
            f"{self.count} secret{'s' if several else ''} cannot be opened, listed above: changed "
            "since stored, or sealed under a key that is not in the key file. They stay as they "
            "are; restore them from a backup, or give their owners new ones."
        )


@dataclass(eq=False)
class NothingRead(Refused):
    """There is no code in the picture, or nothing on standard input."""

    code: ClassVar[str] = "nothing_read"
    where: str

    def sentence(self) -> str:
        """Say what helps."""
        return (
            f"There is no QR code or Code 128 in {self.where}. A sharper, straighter picture helps."
        )
