"""The refusals of the tags room.

Refused
├── TagWrong         the shop's tag did not make this link
├── TagTapUsed       it did, and somebody used it, or tapped after it
├── TagTapOver       it did, and too much time has passed since it was opened
├── TagOff           the tag is switched off: revoked, or blocked after wrong links
├── TagKeysWithheld  keys are not given out of a tag that people pay at
└── TagRevoked       the tag is revoked for good
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused

_AGAIN = "Hold your phone to the tag again."


@dataclass(eq=False)
class TagWrong(Refused):
    """The link names a tag of ours, and that tag did not make it: changed, torn or made up."""

    code: ClassVar[str] = "tag_link_wrong"

    def sentence(self) -> str:
        """Say what to do."""
        return f"This link was not made by the shop's tag. {_AGAIN}"


@dataclass(eq=False)
class TagTapUsed(Refused):
    """The link was made by the tag, and used already, or the tag was tapped after it."""

    code: ClassVar[str] = "tag_tap_used"

    def sentence(self) -> str:
        """Say what to do."""
        return f"This tap was used already, or somebody tapped after it. {_AGAIN}"


@dataclass(eq=False)
class TagTapOver(Refused):
    """The link was opened too long ago to pay by it."""

    code: ClassVar[str] = "tag_tap_over"

    def sentence(self) -> str:
        """Say what to do."""
        return f"It is too long since this tap. Nothing was paid. {_AGAIN}"


@dataclass(eq=False)
class TagOff(Refused):
    """The shop switched the tag off, or it is blocked because of many wrong links."""

    code: ClassVar[str] = "tag_off"

    def sentence(self) -> str:
        """Say what to do."""
        return "This tag is switched off. Ask the shop for another way to pay."


@dataclass(eq=False)
class TagKeysWithheld(Refused):
    """The keys of a tag that was tapped are not given out while it is in use."""

    code: ClassVar[str] = "tag_keys_withheld"

    def sentence(self) -> str:
        """Say when they are."""
        return (
            "People pay at this tag, so its keys are not given out: with them it could be copied. "
            "Revoke it first; a new tag is made for the shop in a moment."
        )


@dataclass(eq=False)
class TagRevoked(Refused):
    """The tag is revoked, which is for good."""

    code: ClassVar[str] = "tag_revoked"

    def sentence(self) -> str:
        """Say what to do."""
        return "This tag is revoked for good. Make a new one; the same chip can be written again."
