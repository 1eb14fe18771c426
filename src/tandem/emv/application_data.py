"""The Issuer Application Data (9F10) of Tandem's cards: what the card tells its issuer.

Its cryptogram covers it, so that neither a terminal nor an acquirer can change what the card says
about **who** verified the person, and **how**. Two forms, by cryptogram version:

    CVN 10, CVN 18: 7 bytes               CVN 22, CCD 6: 32 bytes
    1    06, the length of what follows   1      1F (CVN 22) or 0F (CCD 6)
    2    key index                        2      version number
    3    version number                   3      key index
    4    03, the length of the CVR        4-8    CVR as in CCD
    5    byte 1 of the CVR as in CCD      9-16   counters: zeros
    6    transit and tries                17     0F, the length of what follows
    7    who and how                      18     01, the layout of what follows
                                          19     who and how
                                          20     transit (bit 8)
                                          21     tries
                                          22-32  zeros

The long form is that of the Common Core Definitions (EMV Book 3 C9.2, 4.4; C7.2 in 4.3), of which
bytes 18 to 32 are the issuer's own. The short one has the place that CVN 10 covers, bytes 4 to 7.

    CVR byte 1   bits 8-7  10: there is no second GENERATE AC in a tap
                 bits 6-5  the cryptogram: 00 AAC, 01 TC, 10 ARQC
                 bit 4     the card signed with it (CDA)
                 bit 3     the card signed before it (DDA)
    who and how  bits 8-5  0 nobody, 1 secure element, 2 operating system, 3 cloud
                 bits 4-1  0 not at all, 1 passcode, 2 finger, 3 face
    tries        bits 4-1  wrong ones before this payment, since the last right one; 15: 15 or more
    transit      bit 8     at a transit gate, by the rules for payments without verification

Every other bit is zero, and nothing else is read: these are our own cards, and a bit that they do
not set comes from something else. CCD's bits for PIN stay zero: a passcode is verified by the
device, not by the card.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Final

import msgspec

from tandem.emv.cryptograms import MAX_APPLICATION_DATA, SHORT_FORM, Version, version_of
from tandem.emv.errors import ApplicationDataMalformed

MAX_TRIES: Final = 15
MAX_KEY_INDEX: Final = 255

_NO_SECOND: Final = 0x80
_TYPE_SHIFT: Final = 4
_CDA, _DDA = 0x08, 0x04
_TRANSIT: Final = 0x80
_SHORT_CVR_LENGTH: Final = 3
_COUNTERS: Final = bytes(8)
_OWN_LENGTH: Final = 15
_OWN_LAYOUT: Final = 1


class CryptogramType(IntEnum):
    """What a card decided (Book 3, 6.5.5). The values are those of its two bits."""

    AAC = 0
    """Declined."""
    TC = 1
    """Approved without asking."""
    ARQC = 2
    """The issuer is to decide."""

    @property
    def information(self) -> int:
        """The Cryptogram Information Data (9F27) that says so."""
        return self << 6


class Verifier(IntEnum):
    """Who verified that the person at the device is the one that it belongs to."""

    NOBODY = 0
    SECURE_ELEMENT = 1
    OPERATING_SYSTEM = 2
    CLOUD = 3


class Method(IntEnum):
    """How it was verified."""

    NONE = 0
    PASSCODE = 1
    FINGER = 2
    FACE = 3


class CardVerificationResults(msgspec.Struct, frozen=True, kw_only=True):
    """What the card found and decided. Raises `ValueError` for what contradicts itself."""

    cryptogram: CryptogramType
    verifier: Verifier = Verifier.NOBODY
    method: Method = Method.NONE
    failed_tries: int = 0
    """Wrong tries before this payment, since the last right one: 0 to 15."""
    transit: bool = False
    """Taken at a transit gate, by the rules for payments without verification."""
    cda: bool = False
    """The card signed the cryptogram: offline data authentication by CDA."""
    dda: bool = False
    """The card signed the terminal's number beforehand: offline data authentication by DDA."""

    def __post_init__(self) -> None:
        if not 0 <= self.failed_tries <= MAX_TRIES:
            raise ValueError(f"failed tries are 0 to {MAX_TRIES}, not {self.failed_tries}")
        if (self.verifier is Verifier.NOBODY) != (self.method is Method.NONE):
            raise ValueError("nobody verified by a method, or somebody by none")

    @property
    def verified(self) -> bool:
        """Whether anybody verified the person."""
        return self.verifier is not Verifier.NOBODY


class IssuerApplicationData(msgspec.Struct, frozen=True, kw_only=True):
    """Issuer Application Data. `key_index` (0 to 255) says which of the issuer's keys is meant."""

    version: Version
    key_index: int
    results: CardVerificationResults

    def __post_init__(self) -> None:
        if not 0 <= self.key_index <= MAX_KEY_INDEX:
            raise ValueError(f"a key index is 0 to {MAX_KEY_INDEX}, not {self.key_index}")

    def write(self) -> bytes:
        """The value of 9F10."""
        return self._short() if self.version.form == SHORT_FORM else self._long()

    @staticmethod
    @lru_cache(maxsize=256)
    def parse(value: bytes) -> "IssuerApplicationData":
        """Read a value of 9F10, only if one of our cards can have written it.

        Raises `ApplicationDataMalformed`, and `VersionUnknown` for a version that is not known.
        There are few values, and no secret in them, so those that were read are kept.
        """
        version = version_of(value)
        read = _read_short if version.form == SHORT_FORM else _read_long
        try:
            data = read(version, value)
        except ValueError as error:
            raise ApplicationDataMalformed(str(error)) from None
        # What is written back is what was read, or a bit was set that we give no meaning to.
        if data.write() != value:
            raise ApplicationDataMalformed("it sets what none of our cards sets")
        return data

    def _short(self) -> bytes:
        results = self.results
        second = (_TRANSIT if results.transit else 0) | results.failed_tries
        return bytes(
            (
                self.version.form,
                self.key_index,
                self.version.number,
                _SHORT_CVR_LENGTH,
                _first(results),
                second,
                _who_and_how(results),
            )
        )

    def _long(self) -> bytes:
        results = self.results
        version = self.version
        header = bytes((version.form, version.number, self.key_index, _first(results), 0, 0, 0, 0))
        own = bytes(
            (
                _OWN_LENGTH,
                _OWN_LAYOUT,
                _who_and_how(results),
                _TRANSIT if results.transit else 0,
                results.failed_tries,
            )
        )
        return (header + _COUNTERS + own).ljust(MAX_APPLICATION_DATA, b"\0")


def _first(results: CardVerificationResults) -> int:
    flags = (_CDA if results.cda else 0) | (_DDA if results.dda else 0)
    return _NO_SECOND | results.cryptogram << _TYPE_SHIFT | flags


def _who_and_how(results: CardVerificationResults) -> int:
    return results.verifier << 4 | results.method


def _read_short(version: Version, value: bytes) -> IssuerApplicationData:
    first, second, third = value[4:7]
    results = _results(first, third, second & _TRANSIT, second & MAX_TRIES)
    return IssuerApplicationData(version=version, key_index=value[1], results=results)


def _read_long(version: Version, value: bytes) -> IssuerApplicationData:
    results = _results(value[3], value[18], value[19], value[20])
    return IssuerApplicationData(version=version, key_index=value[2], results=results)


def _results(first: int, who_and_how: int, transit: int, tries: int) -> CardVerificationResults:
    return CardVerificationResults(
        cryptogram=CryptogramType(first >> _TYPE_SHIFT & 0x03),
        verifier=Verifier(who_and_how >> 4),
        method=Method(who_and_how & 0x0F),
        failed_tries=tries,
        transit=bool(transit),
        cda=bool(first & _CDA),
        dda=bool(first & _DDA),
    )
