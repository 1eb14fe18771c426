"""Keys and certificates that the tests of the emv room share: always the same, made once a run."""

import hashlib
import itertools
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Final

from hypothesis import strategies as st

from tandem.emv.authority import Authority
from tandem.emv.certificates import Certificate, certify_card, certify_issuer
from tandem.emv.rsa import PrivateKey

RID: Final = bytes.fromhex("F074616E64")
PAN: Final = "9801234567890126"
IDENTIFIER: Final = "980123"
LAST_DAY: Final = date(2031, 12, 31)
TODAY: Final = date(2029, 6, 15)
RECORDS: Final = bytes.fromhex("5A089801234567890126" + "5F2403311231" + "8C159F02069F03069F1A02")
AIP: Final = b"\x19\x80"


def entropy(name: str) -> Callable[[int], bytes]:
    """Bytes that look random and are the same in each run."""
    calls = itertools.count()
    return lambda length: hashlib.shake_256(f"{name} {next(calls)}".encode()).digest(length)


@cache
def key(bits: int, name: str = "", exponent: int = 65537) -> PrivateKey:
    """A private key of this length."""
    return PrivateKey.generate(bits, entropy(f"{name} {bits}"), exponent)


@cache
def authority() -> Authority:
    """An authority with one key of 1,984 bits."""
    return Authority.create(RID, LAST_DAY, entropy("authority"))


@cache
def chain(
    signer_bits: int = 1984, issuer_bits: int = 1976, card_bits: int = 1408, exponent: int = 65537
) -> tuple[Certificate, Certificate]:
    """The certificates of an issuer and of a card, under keys of these lengths."""
    ca, issuer = key(signer_bits, "ca", exponent), key(issuer_bits, "issuer", exponent)
    card = key(card_bits, "card", exponent)
    return (
        certify_issuer(ca, issuer.public, IDENTIFIER, LAST_DAY, 0x0102FF),
        certify_card(issuer, card.public, PAN, LAST_DAY, 7, RECORDS + AIP),
    )


def changed(value: bytes, draw: st.DataObject) -> bytes:
    """The same with one byte changed, anywhere."""
    at = draw.draw(st.integers(0, len(value) - 1))
    byte = draw.draw(st.integers(1, 255))
    return value[:at] + bytes((value[at] ^ byte,)) + value[at + 1 :]
