"""Why a key or a session is refused.

Refused
├── KeyUnknown     no such key, or it was revoked
├── SessionOver    no such session, or it is over
└── NoSuchScope    a scope that does not exist is asked for
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class KeyUnknown(Refused):
    """There is no such key, or it was revoked."""

    code: ClassVar[str] = "key_unknown"

    def sentence(self) -> str:
        """Say how a key is sent."""
        return "This key is unknown or was revoked. Send a valid one: Authorization: Bearer tk_…"


@dataclass(eq=False)
class SessionOver(Refused):
    """The session is not known, was ended, or was not used for too long."""

    code: ClassVar[str] = "session_over"

    def sentence(self) -> str:
        """Say what to do."""
        return "You are signed out. Sign in again; nothing was done."


@dataclass(eq=False)
class NoSuchScope(Refused):
    """A scope does not exist, or this owner cannot have it."""

    code: ClassVar[str] = "no_such_scope"
    scope: str
    known: tuple[str, ...]

    def sentence(self) -> str:
        """Name those that exist."""
        return f"There is no scope {self.scope!r} here; there are {', '.join(self.known)}."
