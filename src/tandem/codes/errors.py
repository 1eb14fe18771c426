"""The refusals of the codes room.

Refused
├── NotEmvco          the text is no EMVCo merchant-presented payload
├── CodeDamaged       it is one, but torn, changed, or not as the specification has it
├── CodeTooLong       what should go into a code does not fit
├── PayCodeMalformed  not 18 digits that begin with 28
├── PayCodeInvalid    wrong: guessed, mistyped, or of a device that does not exist
├── PayCodeExpired    it was right a few minutes ago
├── PayCodeUsed       it was used, or a newer one of the same device was
└── UnreadableImage   the bytes are no picture that is read here
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class NotEmvco(Refused):
    """What was scanned is no code that a shop shows: no EMVCo payload, and no link."""

    code: ClassVar[str] = "code_not_emvco"
    reason: str

    def sentence(self) -> str:
        """Say why it cannot be one, and what to do."""
        return (
            f"This is no shop's code to pay by: {self.reason}. Scan the code that the shop shows."
        )


@dataclass(eq=False)
class CodeDamaged(Refused):
    """A shop's code that is not to be acted on; `faults` says all that is wrong with it."""

    code: ClassVar[str] = "code_damaged"
    faults: tuple[str, ...]

    def sentence(self) -> str:
        """Name the first faults and say what to do."""
        wrong = "; ".join(self.faults[:3])
        return f"This code is damaged ({wrong}). Scan it again, or ask the shop for a new one."


@dataclass(eq=False)
class CodeTooLong(Refused):
    """`length` of something is above the `limit` of the code that should carry it."""

    code: ClassVar[str] = "code_too_long"
    what: str
    length: int
    limit: int

    def sentence(self) -> str:
        """Say what is too long and how long it may be."""
        return f"{self.what} takes {self.length}, and at most {self.limit} fit. Make it shorter."


@dataclass(eq=False)
class PayCodeMalformed(Refused):
    """Not a pay code at all. It carries no data, so that no mistyped code lands in a log."""

    code: ClassVar[str] = "pay_code_malformed"

    def sentence(self) -> str:
        """Say what a pay code looks like."""
        return "A pay code is 18 digits beginning with 28. Scan or type it again."


@dataclass(eq=False)
class PayCodeInvalid(Refused):
    """Wrong, or of a device that does not exist: the two are not told apart."""

    code: ClassVar[str] = "pay_code_invalid"

    def sentence(self) -> str:
        """Say what to do."""
        return "This pay code is not right. Ask for a new one and scan it again."


@dataclass(eq=False)
class PayCodeExpired(Refused):
    """It was right, but `age_s` seconds ago (the start of its step) is too long."""

    code: ClassVar[str] = "pay_code_expired"
    age_s: int

    def sentence(self) -> str:
        """Say how long codes live and what to do."""
        return "This pay code has expired: one is good for a minute. Ask for a new one."


@dataclass(eq=False)
class PayCodeUsed(Refused):
    """It was used already, or a newer one of the same device was."""

    code: ClassVar[str] = "pay_code_used"

    def sentence(self) -> str:
        """Say what to do."""
        return "This pay code, or a newer one, has been used already. Ask for a new one."


@dataclass(eq=False)
class UnreadableImage(Refused):
    """The bytes cannot be read as a picture here; `reason` says why."""

    code: ClassVar[str] = "image_unreadable"
    reason: str

    def sentence(self) -> str:
        """Say why and which pictures are read."""
        return f"This picture cannot be read: {self.reason}. Send a PNG, JPEG, GIF, WebP or BMP."
