"""The refusals of the emv room.

    EmvRefused                      what came over the wire, or was to go out, is not as EMV has it
    ├── CryptogramDataInvalid       a value that a cryptogram covers has the wrong length
    ├── VersionUnknown              a cryptogram version that is not in the table
    ├── ApplicationDataMalformed    Issuer Application Data (9F10) that no card of ours sends
    ├── IssuerAnswerMalformed       Issuer Authentication Data (91) that does not divide
    └── IssuerAnswerForged          its cryptogram (ARPC) is not the issuer's

None carries a card number, a key or a cryptogram.
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class EmvRefused(Refused):
    """Something is not as the EMV specifications have it."""

    code: ClassVar[str] = "emv_refused"


@dataclass(eq=False)
class CryptogramDataInvalid(EmvRefused):
    """`field` has not the length that it has in a cryptogram's data; `length` is in bytes."""

    code: ClassVar[str] = "cryptogram_data_invalid"
    field: str
    length: int

    def sentence(self) -> str:
        """Name the field and its length."""
        return f"{self.field} has {self.length} bytes, which a cryptogram cannot cover."


@dataclass(eq=False)
class VersionUnknown(EmvRefused):
    """No cryptogram version has this number. `number` as it stands in 9F10."""

    code: ClassVar[str] = "cryptogram_version_unknown"
    number: int

    def sentence(self) -> str:
        """Show the number as the specifications write it."""
        return f"Cryptogram version {self.number:02X} (hexadecimal) is not known here."


@dataclass(eq=False)
class ApplicationDataMalformed(EmvRefused):
    """Issuer Application Data that no card of ours sends; `reason` says what is wrong with it."""

    code: ClassVar[str] = "issuer_application_data_malformed"
    reason: str

    def sentence(self) -> str:
        """Say what is wrong."""
        return f"The Issuer Application Data cannot be read: {self.reason}."


@dataclass(eq=False)
class IssuerAnswerMalformed(EmvRefused):
    """Issuer Authentication Data that does not divide as its method has it."""

    code: ClassVar[str] = "issuer_answer_malformed"
    reason: str

    def sentence(self) -> str:
        """Say what is wrong."""
        return f"The Issuer Authentication Data cannot be read: {self.reason}."


@dataclass(eq=False)
class IssuerAnswerForged(EmvRefused):
    """The answer's cryptogram is not the one that the card's issuer would have made."""

    code: ClassVar[str] = "issuer_answer_forged"

    def sentence(self) -> str:
        """Say what it means."""
        return "The answer does not come from the card's issuer, or belongs to another payment."
