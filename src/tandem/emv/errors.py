"""The refusals of the emv room.

    EmvRefused                      what came over the wire, or was to go out, is not as EMV has it
    ├── Malformed                   bytes that are not what they should be; says where and why
    │   ├── TlvMalformed            BER-TLV
    │   ├── DolMalformed            a data object list, or values that do not fit one
    │   └── ApduMalformed           a command or a response
    ├── TooLong                     what should be written does not fit where it should go
    ├── CryptogramDataInvalid       a value that a cryptogram covers has the wrong length
    ├── VersionUnknown              a cryptogram version that is not in the table
    ├── ApplicationDataMalformed    Issuer Application Data (9F10) that no card of ours sends
    ├── IssuerAnswerMalformed       Issuer Authentication Data (91) that does not divide
    ├── IssuerAnswerForged          its cryptogram (ARPC) is not the issuer's
    ├── KeyMalformed                a stored key, or a set of keys, that cannot be read
    └── AuthenticationFailed        offline data authentication: what failed, and its `Fault`

None carries a card number, a key or a cryptogram. What a card application refuses goes out as a
status word, what a card does wrong becomes an outcome of the terminal: neither is an exception.
"""

from dataclasses import dataclass
from enum import StrEnum
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


@dataclass(eq=False)
class KeyMalformed(EmvRefused):
    """A stored key, or a set of keys, that cannot be read; `reason` says why, and shows no key."""

    code: ClassVar[str] = "emv_key_malformed"
    reason: str

    def sentence(self) -> str:
        """Say why."""
        return f"The key cannot be used: {self.reason}."


class Signed(StrEnum):
    """What offline data authentication was looking at when it failed."""

    ISSUER_CERTIFICATE = "issuer certificate"
    CARD_CERTIFICATE = "card certificate"
    STATIC_DATA = "static data"
    DYNAMIC_DATA = "dynamic signature"


class Fault(StrEnum):
    """Why it failed. The values are ends of sentences about what was signed."""

    CA_UNKNOWN = "names a key of a certification authority that is not held here"
    LENGTH = "is not as long as the key that should have signed it"
    TRAILER = "does not recover: another key signed it, or it was changed"
    HEADER = "recovers to something with another header"
    FORMAT = "is of another format"
    HASH_ALGORITHM = "names a hash algorithm that is not known"
    HASH = "has another hash: it, or what belongs to it, was changed"
    KEY_ALGORITHM = "names a key algorithm that is not known"
    KEY_LENGTH = "contradicts itself about the length of its key"
    KEY = "certifies a key that cannot be one"
    EXPONENT = "goes with an exponent that is not its own"
    OTHER_ISSUER = "is for other card numbers"
    OTHER_CARD = "is for another card number"
    DATE = "has no date of expiry"
    EXPIRED = "has expired"
    REVOKED = "was revoked"
    TAG_LIST = "has a tag list with more than the interchange profile"
    DYNAMIC_LENGTH = "contradicts itself about the length of its dynamic data"
    OTHER_DECISION = "is for another decision of the card than the one it told"
    TRANSACTION = "is for other transaction data"


@dataclass(eq=False)
class AuthenticationFailed(EmvRefused):
    """Offline data authentication failed (Book 2, chapters 5 and 6)."""

    code: ClassVar[str] = "offline_authentication_failed"
    what: Signed
    fault: Fault

    def sentence(self) -> str:
        """Say what failed and why."""
        return f"The {self.what} {self.fault}."
