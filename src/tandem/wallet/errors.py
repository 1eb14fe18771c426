"""Why the wallet refuses.

Refused
├── SendsToSelf         sender and receiver are one
├── RequestClosed       the request was answered, withdrawn or has expired
├── PersonNotActive     one of the two is suspended
└── AccountsUnusable    the file of TANDEM_TOP_UP_ACCOUNTS
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class SendsToSelf(Refused):
    """Sender and receiver are the same person."""

    code: ClassVar[str] = "sends_to_self"

    def sentence(self) -> str:
        """Say so."""
        return "You cannot send money to yourself or ask yourself for it."


@dataclass(eq=False)
class RequestClosed(Refused):
    """The request for money is not open."""

    code: ClassVar[str] = "request_closed"
    status: str

    def sentence(self) -> str:
        """Say what became of it."""
        return f"This request was {self.status} and cannot be answered any more."


@dataclass(eq=False)
class PersonNotActive(Refused):
    """One of the two people is suspended."""

    code: ClassVar[str] = "person_not_active"

    def sentence(self) -> str:
        """Say that nothing moved."""
        return "One of the two wallets cannot send or receive at the moment. Nothing was moved."


@dataclass(eq=False)
class AccountsUnusable(Refused):
    """The operator's bank accounts cannot be used. `reason` says where and why."""

    code: ClassVar[str] = "accounts_unusable"
    path: str
    reason: str

    def sentence(self) -> str:
        """Name the file and what is wrong."""
        return f"The bank accounts in {self.path} cannot be used: {self.reason}."
