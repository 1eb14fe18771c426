"""Application cryptograms and the issuer's answers to them (EMV Book 2, chapter 8).

The card proves a payment with a MAC of eight bytes under a key of that payment: an ARQC when it
asks the issuer, a TC when it approves by itself, an AAC when it declines, all made alike. The
issuer makes the same one and compares, and proves its answer with an ARPC.

A **version** says how, and its number stands in the Issuer Application Data (9F10):

    number  name    card key  session key          padding  covers             answer
    0A      CVN 10  option A  the card key itself  zeros    data, CVR          method 1
    12      CVN 18  option B  common derivation    80       data, whole 9F10   method 2
    22      CVN 22  option B  common derivation    80       data, whole 9F10   method 2
    A6      CCD 6   option C  common derivation    (CMAC)   data, whole 9F10   method 2

`data` is the recommended minimum set in its order (8.1.1). The first three are 3DES and those of
Visa's integrated circuit card specification, for hosts that know no other. New cards get the last
one, `DEFAULT_VERSION`: AES with a CMAC cut to eight bytes. It is no invention of ours: it is
cryptogram version '6' of the Common Core Definitions (4.4: Book 2 part IV; A6 is its Common Core
Identifier, Book 3 C9.1), so that another issuer's host or HSM can check Tandem's cards by the book.
CCD's other rules for cards (scripts, counters, offline PIN) are not claimed.

Both sides hold a **card key**: the card its own, the issuer the one that `card_key` makes from
the issuer key, which the caller keeps (made anew for each payment it would double the work).
"""

import hmac
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from tandem.emv.ciphers import (
    Algorithm,
    cmac,
    encipher,
    mac_algorithm_3,
    pad_with_bit,
    pad_with_zeros,
    xor,
)
from tandem.emv.errors import (
    ApplicationDataMalformed,
    CryptogramDataInvalid,
    IssuerAnswerForged,
    IssuerAnswerMalformed,
    VersionUnknown,
)
from tandem.emv.keys import Derivation, card_master_key, check_key, session_key

CRYPTOGRAM_BYTES: Final = 8
MAX_APPLICATION_DATA: Final = 32
SHORT_FORM: Final = 0x06
"""What 9F10 begins with where its third byte is the version, and not its second."""

_ARC_BYTES: Final = 2
_CSU_BYTES: Final = 4
_SHORT_ARPC_BYTES: Final = 4
_MAX_PROPRIETARY: Final = 8
_PROPRIETARY_INCLUDED: Final = 0x80

_SHORT_CVR: Final = slice(3, 7)


class SessionKey(Enum):
    """Which key a cryptogram is made under."""

    CARD_KEY = 1
    """The card's own, the same for each payment."""
    COMMON = 2
    """One of this payment, by EMV common session key derivation (A1.3.1)."""


class Covers(Enum):
    """What of the Issuer Application Data a cryptogram covers, after everything else."""

    VERIFICATION_RESULTS = 1
    WHOLE = 2


class Padding(Enum):
    """How the data of a MAC is filled up to whole blocks."""

    ZEROS = 1
    """ISO/IEC 9797-1 method 1."""
    BIT = 2
    """ISO/IEC 9797-1 method 2."""
    CMAC = 3
    """As CMAC does it by itself."""


class ArpcMethod(Enum):
    """How an issuer's answer is proved (8.2)."""

    ONE = 1
    """Eight bytes over the cryptogram and the two of the response code (8.2.1)."""
    TWO = 2
    """Four bytes over the cryptogram, the card status update and proprietary data (8.2.2)."""


class Version(NamedTuple):
    """A cryptogram version: a row of the table above.

    `number` as it stands in 9F10, `form` the byte that such a 9F10 begins with.
    """

    number: int
    form: int
    name: str
    derivation: Derivation
    session_key: SessionKey
    padding: Padding
    covers: Covers
    arpc: ArpcMethod

    @property
    def algorithm(self) -> Algorithm:
        """Its block cipher."""
        return self.derivation.algorithm


_A, _B, _C = Derivation
_CARD, _COMMON = SessionKey
_ZEROS, _BIT, _CMAC = Padding
_CVR, _WHOLE = Covers
_ONE, _TWO = ArpcMethod

CVN_10: Final = Version(0x0A, SHORT_FORM, "CVN 10", _A, _CARD, _ZEROS, _CVR, _ONE)
CVN_18: Final = Version(0x12, SHORT_FORM, "CVN 18", _B, _COMMON, _BIT, _WHOLE, _TWO)
CVN_22: Final = Version(0x22, 0x1F, "CVN 22", _B, _COMMON, _BIT, _WHOLE, _TWO)
CCD_6: Final = Version(0xA6, 0x0F, "CCD 6", _C, _COMMON, _CMAC, _WHOLE, _TWO)
VERSIONS: Final = MappingProxyType({v.number: v for v in (CVN_10, CVN_18, CVN_22, CCD_6)})
DEFAULT_VERSION: Final = CCD_6


class CryptogramData(msgspec.Struct, frozen=True, kw_only=True):
    """What a cryptogram covers: values of the terminal and of the card, as on the wire.

    They stay bytes: a MAC is over what was sent, not over what it was taken to mean. Raises
    `CryptogramDataInvalid` for a value whose length is not its own.
    """

    amount: bytes
    """Amount, Authorised (9F02), six bytes."""
    amount_other: bytes
    """Amount, Other (9F03), six bytes."""
    country: bytes
    """Terminal Country Code (9F1A), two bytes."""
    tvr: bytes
    """Terminal Verification Results (95), five bytes."""
    currency: bytes
    """Transaction Currency Code (5F2A), two bytes."""
    date: bytes
    """Transaction Date (9A), three bytes."""
    type: bytes
    """Transaction Type (9C), one byte."""
    unpredictable_number: bytes
    """Unpredictable Number (9F37), four bytes."""
    aip: bytes
    """Application Interchange Profile (82), two bytes."""
    atc: bytes
    """Application Transaction Counter (9F36), two bytes."""
    application_data: bytes
    """Issuer Application Data (9F10), up to 32 bytes."""

    def __post_init__(self) -> None:
        if tuple(map(len, self._fixed())) != _LENGTHS:
            field, value = next(
                (name, value)
                for name, value, length in zip(
                    self.__struct_fields__, self._fixed(), _LENGTHS, strict=False
                )
                if len(value) != length
            )
            raise CryptogramDataInvalid(field, len(value))
        if not 0 < len(self.application_data) <= MAX_APPLICATION_DATA:
            raise CryptogramDataInvalid("application_data", len(self.application_data))

    def write(self, version: Version) -> bytes:
        """The bytes that a cryptogram of this version is made over, without padding."""
        covered = self.application_data
        if version.covers is Covers.VERIFICATION_RESULTS:
            covered = covered[_SHORT_CVR]
        return b"".join((*self._fixed(), covered))

    def _fixed(self) -> tuple[bytes, ...]:
        return (
            self.amount,
            self.amount_other,
            self.country,
            self.tvr,
            self.currency,
            self.date,
            self.type,
            self.unpredictable_number,
            self.aip,
            self.atc,
        )


_LENGTHS: Final = (6, 6, 2, 5, 2, 3, 1, 4, 2, 2)


class IssuerAnswer(NamedTuple):
    """What an issuer answered, once its cryptogram is checked.

    `answer` is the response code (8A, two bytes) by method 1, the card status update (four bytes)
    by method 2.
    """

    answer: bytes
    proprietary: bytes


def version_of(application_data: bytes) -> Version:
    """The version that Issuer Application Data names.

    Raises `ApplicationDataMalformed` for a form that is not known, `VersionUnknown` for a number
    that is not. An issuer compares it with the version that it gave the card: a card's own word
    must not choose a weaker one.
    """
    short = application_data[:1] == bytes((SHORT_FORM,))
    shortest = 1 + SHORT_FORM if short else MAX_APPLICATION_DATA
    if len(application_data) < shortest:
        raise ApplicationDataMalformed(f"it has {len(application_data)} bytes")
    number = application_data[2 if short else 1]
    version = VERSIONS.get(number)
    if version is None:
        raise VersionUnknown(number)
    if application_data[0] != version.form or len(application_data) > MAX_APPLICATION_DATA:
        raise ApplicationDataMalformed(f"it has not the form of {version.name}")
    return version


def card_key(version: Version, issuer_key: bytes, pan: str, sequence: str = "00") -> bytes:
    """The key for cryptograms of one card, which its issuer can make at any time.

    Raises `Invalid` and `ValueError` as `tandem.emv.keys.card_master_key` does.
    """
    return card_master_key(version.derivation, issuer_key, pan, sequence)


def application_cryptogram(version: Version, key: bytes, data: CryptogramData) -> bytes:
    """The cryptogram of a payment, eight bytes (8.1.2). `key` is the card's.

    Raises `ApplicationDataMalformed` if 9F10 names another version, `ValueError` for a key of
    the wrong length.
    """
    if version_of(data.application_data) != version:
        raise ApplicationDataMalformed(f"it is not that of {version.name}")
    return cryptogram_over(version, key, data.atc, data.write(version))


def cryptogram_matches(
    version: Version, key: bytes, data: CryptogramData, cryptogram: bytes
) -> bool:
    """Whether the card with this key made the cryptogram over this data. In constant time.

    Raises as `application_cryptogram` does.
    """
    return hmac.compare_digest(application_cryptogram(version, key, data), cryptogram)


def cryptogram_over(version: Version, key: bytes, atc: bytes, message: bytes) -> bytes:
    """The same over any message: for cards whose data is another's. `atc` is two bytes."""
    return _mac(version, _session_key(version, key, atc), message)[:CRYPTOGRAM_BYTES]


def issuer_authentication_data(
    version: Version,
    key: bytes,
    atc: bytes,
    cryptogram: bytes,
    answer: bytes,
    proprietary: bytes = b"",
) -> bytes:
    """The issuer's proved answer (91) to a cryptogram that was right. `key` is the card's.

    `answer` is the response code (8A) by method 1, the card status update by method 2, whose
    first bit must say whether there is `proprietary` data, of at most eight bytes (Book 3 C10).
    Raises `IssuerAnswerMalformed` if they do not fit together.
    """
    _check_answer(version, answer, proprietary)
    session = _session_key(version, key, atc)
    if version.arpc is ArpcMethod.ONE:
        return arpc_method_1(version.algorithm, session, cryptogram, answer) + answer
    arpc = arpc_method_2(version.algorithm, session, cryptogram, answer, proprietary)
    return arpc + answer + proprietary


def check_issuer_authentication_data(
    version: Version, key: bytes, atc: bytes, cryptogram: bytes, received: bytes
) -> IssuerAnswer:
    """Read the issuer's answer (91) and check its proof, in constant time. For the card.

    Raises `IssuerAnswerMalformed` if it does not divide, `IssuerAnswerForged` if the proof is not
    that of this card's issuer for this cryptogram.
    """
    if version.arpc is ArpcMethod.ONE:
        answer, proprietary = received[CRYPTOGRAM_BYTES:], b""
    else:
        rest = received[_SHORT_ARPC_BYTES:]
        answer, proprietary = rest[:_CSU_BYTES], rest[_CSU_BYTES:]
    expected = issuer_authentication_data(version, key, atc, cryptogram, answer, proprietary)
    if not hmac.compare_digest(expected, received):
        raise IssuerAnswerForged
    return IssuerAnswer(answer, proprietary)


def arpc_method_1(algorithm: Algorithm, session: bytes, cryptogram: bytes, arc: bytes) -> bytes:
    """The ARPC of eight bytes over a cryptogram and a response code of two (8.2.1)."""
    check_key(algorithm, session)
    y = xor(_eight(cryptogram), arc + bytes(CRYPTOGRAM_BYTES - _ARC_BYTES))
    block = y + bytes(algorithm.block_bytes - len(y))
    return encipher(algorithm, session, block)[:CRYPTOGRAM_BYTES]


def arpc_method_2(
    algorithm: Algorithm, session: bytes, cryptogram: bytes, csu: bytes, proprietary: bytes = b""
) -> bytes:
    """The ARPC of four bytes over a cryptogram, a card status update and more (8.2.2)."""
    check_key(algorithm, session)
    message = _eight(cryptogram) + csu + proprietary
    if algorithm is Algorithm.AES:
        return cmac(session, message)[:_SHORT_ARPC_BYTES]
    return mac_algorithm_3(session, pad_with_bit(message))[:_SHORT_ARPC_BYTES]


@lru_cache(maxsize=1)
def _session_key(version: Version, key: bytes, atc: bytes) -> bytes:
    """The key of one payment, kept until the next one's.

    A cryptogram and the answer to it, one right after the other, are under the same. The card's
    key, from which anybody could make it, is in memory no shorter.
    """
    if version.session_key is SessionKey.COMMON:
        return session_key(version.algorithm, key, atc)
    check_key(version.algorithm, key)
    return key


def _mac(version: Version, session: bytes, message: bytes) -> bytes:
    if version.padding is Padding.CMAC:
        return cmac(session, message)
    padded = pad_with_bit if version.padding is Padding.BIT else pad_with_zeros
    return mac_algorithm_3(session, padded(message))


def _check_answer(version: Version, answer: bytes, proprietary: bytes) -> None:
    expected = _ARC_BYTES if version.arpc is ArpcMethod.ONE else _CSU_BYTES
    if len(answer) != expected:
        raise IssuerAnswerMalformed(f"the answer has {len(answer)} bytes, not {expected}")
    if version.arpc is ArpcMethod.ONE:
        if proprietary:
            raise IssuerAnswerMalformed("there is no proprietary data in method 1")
        return
    if len(proprietary) > _MAX_PROPRIETARY:
        raise IssuerAnswerMalformed(f"it has more than {_MAX_PROPRIETARY} bytes of its own")
    # What the card status update does not own up to would stand outside its proof in CCD.
    if bool(answer[0] & _PROPRIETARY_INCLUDED) != bool(proprietary):
        raise IssuerAnswerMalformed("it does not say rightly whether more follows")


def _eight(cryptogram: bytes) -> bytes:
    if len(cryptogram) != CRYPTOGRAM_BYTES:
        raise CryptogramDataInvalid("cryptogram", len(cryptogram))
    return cryptogram
