"""Refusals of screening: each says what to do."""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class NotHeld(Refused):
    """A message that is not held is appealed or decided."""

    code: ClassVar[str] = "message_not_held"
    state: str

    def sentence(self) -> str:
        """Say where it stands."""
        told = {
            "clear": "This message is shown to its receiver already; there is nothing to do.",
            "checking": "This message is being checked. Wait a moment and look again.",
            "rejected": "The operator decided that this message stays hidden.",
        }
        return told.get(self.state, "This message is not held.")


@dataclass(eq=False)
class AlreadyAppealed(Refused):
    """A held message is appealed a second time."""

    code: ClassVar[str] = "already_appealed"

    def sentence(self) -> str:
        """Say that somebody looks at it."""
        return "You asked for this message to be looked at. The operator decides, and tells you."
