"""Why the wallet refuses.

Refused
├── SendsToSelf         sender and receiver are one
├── RequestClosed       the request was answered, withdrawn or has expired
├── SplitClosed         nothing of the split is open any more
├── RemindedLately      its people were reminded a while ago
└── AccountsUnusable    the file of TANDEM_TOP_UP_ACCOUNTS
"""

from dataclasses import dataclass
from datetime import datetime
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
class SplitClosed(Refused):
    """Nobody of the split is asked any more: each has answered, or the time is over."""

    code: ClassVar[str] = "split_closed"

    def sentence(self) -> str:
        """Say so."""
        return "Nobody of this split is still asked: each has paid or declined, or it is over."


@dataclass(eq=False)
class RemindedLately(Refused):
    """The people of the split were reminded a short while ago."""

    code: ClassVar[str] = "reminded_lately"
    passing: ClassVar[bool] = True
    until: datetime

    def sentence(self) -> str:
        """Say when it can be done again."""
        return f"They were reminded a while ago. Remind them again at {self.until:%d %B %H:%M} UTC."


@dataclass(eq=False)
class AccountsUnusable(Refused):
    """The operator's bank accounts cannot be used. `reason` says where and why."""

    code: ClassVar[str] = "accounts_unusable"
    path: str
    reason: str

    def sentence(self) -> str:
        """Name the file and what is wrong."""
        return f"The bank accounts in {self.path} cannot be used: {self.reason}."
