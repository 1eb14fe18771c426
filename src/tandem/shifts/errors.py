"""Why a shift is not opened or closed.

Refused
├── ShiftOpen      the till has an open one
└── ShiftClosed    it is closed already
"""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from tandem.kernel import Refused


@dataclass(eq=False)
class ShiftOpen(Refused):
    """A till has one open shift at most."""

    code: ClassVar[str] = "shift_open"
    shift_id: UUID
    opened_by: str

    def sentence(self) -> str:
        """Say what to do."""
        return f"{self.opened_by} has opened a shift at this till. Close it before the next one."


@dataclass(eq=False)
class ShiftClosed(Refused):
    """A closed shift stays as it was closed."""

    code: ClassVar[str] = "shift_closed"
    closed_by: str

    def sentence(self) -> str:
        """Say who closed it."""
        return f"{self.closed_by} has closed this shift. Its report is kept."
