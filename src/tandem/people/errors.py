"""Why the people's room refuses.

Refused
├── HandleTaken      somebody has this handle
├── PersonNotActive  one of two people between whom money would move is suspended
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
class PersonNotActive(Refused):
    """One of the two people is suspended."""

    code: ClassVar[str] = "person_not_active"

    def sentence(self) -> str:
        """Say that nothing moved."""
        return "One of the two wallets cannot send or receive at the moment. Nothing was moved."


@dataclass(eq=False)
class SignUpClosed(Refused):
    """Only the operator makes wallets here."""

    code: ClassVar[str] = "sign_up_closed"

    def sentence(self) -> str:
        """Say whom to ask."""
        return "Wallets are made by the operator here. Ask the operator for one."
