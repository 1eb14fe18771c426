"""Why a shift is not opened or closed.

Refused
├── ShiftOpen      the till has an open one
├── ShiftClosed    it is closed already
└── ShiftOfAnother somebody else opened it, and a manager must approve
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from tandem.kernel import Refused, show_id
from tandem.signin import Deed, Limits, NeedsApproval


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


@dataclass(eq=False)
class ShiftOfAnother(NeedsApproval):
    """A cashier closes the shift that they opened; another's with a manager's approval."""

    code: ClassVar[str] = "shift_of_another"
    shift_id: UUID
    opened_by: str
    approval: dict[str, Any] | None = None

    def deed(self) -> Deed:
        """Closing this shift."""
        return Deed("close_shift", show_id("shf", self.shift_id))

    def within(self, limits: Limits) -> bool:  # noqa: ARG002 - no money is given back
        """Whoever approves may."""
        return True

    def sentence(self) -> str:
        """Say whose it is and who may approve it."""
        return (
            f"{self.opened_by} opened this shift and closes it. "
            "A manager or an owner may approve that you do."
        )
