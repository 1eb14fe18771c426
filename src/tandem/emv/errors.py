"""The refusals of the emv room.

    EmvRefused             what came over the wire, or was to go out, is not as EMV has it
    ├── Malformed          bytes that are not what they should be; says where and why
    │   ├── TlvMalformed   BER-TLV
    │   ├── DolMalformed   a data object list, or values that do not fit one
    │   └── ApduMalformed  a command or a response
    └── TooLong            what should be written does not fit where it should go

None carries a card number, a key or a cryptogram. What a card application refuses goes out as a
status word, what a card does wrong becomes an outcome of the terminal: neither is an exception.
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class EmvRefused(Refused):
    """Something is not as the EMV specifications have it."""

    code: ClassVar[str] = "emv_refused"


@dataclass(eq=False)
class Malformed(EmvRefused):
    """Bytes that cannot be read: `at` is the offset where that shows. No data is repeated here."""

    code: ClassVar[str] = "emv_malformed"
    kind: ClassVar[str] = "message"
    at: int
    reason: str

    def sentence(self) -> str:
        """Say what it should have been, where it stops being that, and why."""
        return f"This is no {self.kind}: {self.reason} (at byte {self.at})."


@dataclass(eq=False)
class TlvMalformed(Malformed):
    """Not BER-TLV as Book 3 Annex B has it, or beyond the limits of the reading."""

    code: ClassVar[str] = "emv_tlv_malformed"
    kind: ClassVar[str] = "BER-TLV"


@dataclass(eq=False)
class DolMalformed(Malformed):
    """Not a data object list as Book 3, 5.4 has it, or values that do not fit it."""

    code: ClassVar[str] = "emv_dol_malformed"
    kind: ClassVar[str] = "data object list"


@dataclass(eq=False)
class ApduMalformed(Malformed):
    """Not a command or a response as ISO/IEC 7816-4 has them."""

    code: ClassVar[str] = "emv_apdu_malformed"
    kind: ClassVar[str] = "APDU"


@dataclass(eq=False)
class TooLong(EmvRefused):
    """`length` bytes of something, where at most `limit` fit."""

    code: ClassVar[str] = "emv_too_long"
    what: str
    length: int
    limit: int

    def sentence(self) -> str:
        """Say what is too long and how long it may be."""
        return f"{self.what} takes {self.length} bytes, and at most {self.limit} fit."
