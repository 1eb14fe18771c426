"""Why the settings of issuers cannot be used.

Refused
└── IssuersUnusable    the file of TANDEM_ISSUERS, or one that it names
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class IssuersUnusable(Refused):
    """The settings of issuers cannot be used. `reason` says where and why."""

    code: ClassVar[str] = "issuers_unusable"
    path: str
    reason: str

    def sentence(self) -> str:
        """Name the file and what is wrong."""
        return f"The settings of issuers in {self.path} cannot be used: {self.reason}."
