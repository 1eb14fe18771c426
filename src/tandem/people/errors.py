"""Why the people's room refuses.

Refused
├── HandleTaken      somebody has this handle
└── SignUpClosed     only the operator makes wallets here
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class HandleTaken(Refused):
    """Another person has this handle."""

    code: ClassVar[str] = "handle_taken"
    handle: str

    def sentence(self) -> str:
        """Say what to do."""
        return f"The handle @{self.handle} is taken. Choose another one."


@dataclass(eq=False)
class SignUpClosed(Refused):
    """Only the operator makes wallets here."""

    code: ClassVar[str] = "sign_up_closed"

    def sentence(self) -> str:
        """Say whom to ask."""
        return "Wallets are made by the operator here. Ask the operator for one."
