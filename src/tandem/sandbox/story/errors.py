"""Why the story stops.

Refused
└── StoryBroke    a step did not come out as it should
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class StoryBroke(Refused):
    """A step of the story did not come out as it should."""

    code: ClassVar[str] = "story_broke"
    wanted: str
    found: str

    def sentence(self) -> str:
        """Say both."""
        return f"The story broke. It should be that {self.wanted}; found {self.found}."


def expect(condition: object, wanted: str, found: object = None) -> None:
    """Go on only if it is as it should be. Raises `StoryBroke`."""
    if not condition:
        raise StoryBroke(wanted, repr(found))
