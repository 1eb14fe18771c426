"""Public key certificates: authority → issuer → card (EMV Book 2, 5.1 to 5.3, 6.1 to 6.4).

    issuer certificate (90), signed by the authority     card certificate (9F46), by the issuer
    02                                                    04
    issuer identifier   4  3 to 8 digits of the PAN       PAN               10  F on the right
    expiry              2  MMYY                           expiry             2  MMYY
    serial number       3                                 serial number      3
    hash algorithm      1  01, SHA-1                      hash algorithm     1
    key algorithm       1  01, RSA                        key algorithm      1
    length of the key   1                                 length of the key  1
    length of exponent  1                                 length of exponent 1
    key, or its left    N of the authority - 36           N of the issuer - 42
                        BB on the right
    remainder (92)      what did not fit                  (9F48)
    exponent (9F32)     03 or 010001                      (9F47)
                                                          static data: records, then the AIP

All of it is hashed; the last rows are not in the signature but beside it. A card certificate so
also vouches for the card's records, and for the AIP if 9F4A says so: a terminal sees whether a card
was made to look as if it could do less (a downgrade).

Keys may have 248 bytes, but what carries them is shorter: a record holds 254 bytes, which leaves
247 for the issuer's key (Book 2, D1.1), and a response 256, which leaves 205 for a card's that
signs by CDA beside 32 bytes of 9F10 (D1.2.1). `ISSUER_BITS` and `CARD_BITS` fit; others are made
for whoever asks for them.

Book 2 gives no examples for RSA. The tests go by certificates of cards in the field that others
published, and by round trips.
"""

from calendar import monthrange
from datetime import date
from typing import Final, NamedTuple

from tandem.emv.errors import AuthenticationFailed, Fault, Signed
from tandem.emv.rsa import EXPONENTS, OVERHEAD, PrivateKey, PublicKey
from tandem.kernel import Invalid

AUTHORITY_BITS: Final = 1984
ISSUER_BITS: Final = 1976
"""247 bytes, for card certificates fit into a record."""
CARD_BITS: Final = 1408
"""Enough for a device card's few years, and small in a response beside 32 bytes of 9F10."""
MAX_SERIAL: Final = 0xFFFFFF

SHA_1: Final = 0x01
RSA: Final = 0x01
"""The only hash and key algorithm indicators (Book 2, B2.1, B3.1)."""
AIP_TAG: Final = b"\x82"

_ISSUER_FORMAT, _CARD_FORMAT = 0x02, 0x04
_ISSUER_ID_BYTES, _PAN_BYTES = 4, 10
_SHORTEST_ISSUER_ID, _LONGEST_ISSUER_ID = 3, 8
_SHORTEST_PAN, _LONGEST_PAN = 8, 19
_AFTER_HOLDER: Final = 9
"""Bytes between the holder and the key: expiry, serial, algorithms, lengths."""
_CENTURY: Final = 2000
_FIRST_YEAR, _LAST_YEAR = 1950, 2049
"""Two digits from 50 on are of the last century, as everywhere in EMV."""


class Certificate(NamedTuple):
    """A certificate as a card carries it: 90, 92 and 9F32, or 9F46, 9F48 and 9F47."""

    signature: bytes
    remainder: bytes
    """Empty if the whole key is in the signature; then the card does not have this object."""
    exponent: bytes


class Certified(NamedTuple):
    """What a certificate says, once it is checked."""

    key: PublicKey
    holder: str
    """The issuer identifier, or the card's PAN, in digits."""
    expires: date
    """The last day on which it is good."""
    serial: int


class _Layout(NamedTuple):
    what: Signed
    format: int
    holder_bytes: int

    @property
    def before_key(self) -> int:
        """Bytes of the signed message before the key."""
        return 1 + self.holder_bytes + _AFTER_HOLDER

    def room(self, signer: PublicKey) -> int:
        """How many bytes of a key fit into a signature: N - 36 or N - 42."""
        return len(signer.modulus) - OVERHEAD - self.before_key


_ISSUER: Final = _Layout(Signed.ISSUER_CERTIFICATE, _ISSUER_FORMAT, _ISSUER_ID_BYTES)
_CARD: Final = _Layout(Signed.CARD_CERTIFICATE, _CARD_FORMAT, _PAN_BYTES)


def certify_issuer(
    authority: PrivateKey, key: PublicKey, identifier: str, expires: date, serial: int
) -> Certificate:
    """Certify an issuer's key for the cards whose numbers begin with the identifier (table 10).

    `expires` is a day in its last month. Raises `Invalid` for an identifier that is not 3 to 8
    digits, a year beyond 2049, or a key that the authority's cannot certify.
    """
    _check_digits("identifier", identifier, _SHORTEST_ISSUER_ID, _LONGEST_ISSUER_ID)
    return _certify(_ISSUER, authority, key, identifier, expires, serial, b"")


def certify_card(
    issuer: PrivateKey, key: PublicKey, pan: str, expires: date, serial: int, static_data: bytes
) -> Certificate:
    """Certify a card's key and its static data, which `static_data` puts together (table 11).

    Raises `Invalid` for a PAN that is not 8 to 19 digits, a year beyond 2049, or a key that the
    issuer's cannot certify.
    """
    _check_digits("pan", pan, _SHORTEST_PAN, _LONGEST_PAN)
    return _certify(_CARD, issuer, key, pan, expires, serial, static_data)


def recover_issuer(
    authority: PublicKey, certificate: Certificate, pan: str, today: date
) -> Certified:
    """Read an issuer's certificate and check it (6.3), apart from whether it was revoked.

    Terminals go by `tandem.emv.authority.TrustedKeys.recover_issuer`. Raises
    `AuthenticationFailed` with the reason.
    """
    found = _recover(_ISSUER, authority, certificate, b"")
    if not (_SHORTEST_ISSUER_ID <= len(found.holder) <= _LONGEST_ISSUER_ID):
        raise AuthenticationFailed(_ISSUER.what, Fault.OTHER_ISSUER)
    if not pan.startswith(found.holder):
        raise AuthenticationFailed(_ISSUER.what, Fault.OTHER_ISSUER)
    _check_date(_ISSUER, found, today)
    return found


def recover_card(
    issuer: PublicKey, certificate: Certificate, pan: str, static_data: bytes, today: date
) -> Certified:
    """Read a card's certificate and check it and the card's static data (6.4).

    Raises `AuthenticationFailed` with the reason; HASH also if a record or the AIP was changed.
    """
    found = _recover(_CARD, issuer, certificate, static_data)
    if found.holder != pan:
        raise AuthenticationFailed(_CARD.what, Fault.OTHER_CARD)
    _check_date(_CARD, found, today)
    return found


def static_data(records: bytes, tag_list: bytes | None, aip: bytes) -> bytes:
    """What a card certificate vouches for: the records, then the AIP if 9F4A has its tag (6.1.1).

    `records` as Book 3, 10.3 puts them together, `tag_list` the value of 9F4A, None if there is
    none. Raises `AuthenticationFailed` if it lists anything else than 82.
    """
    if not tag_list:
        return records
    if tag_list != AIP_TAG:
        raise AuthenticationFailed(Signed.STATIC_DATA, Fault.TAG_LIST)
    return records + aip


def last_day(day: date) -> date:
    """The last day of a day's month, until which a certificate of that month is good."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def _certify(
    layout: _Layout,
    signer: PrivateKey,
    key: PublicKey,
    holder: str,
    expires: date,
    serial: int,
    static: bytes,
) -> Certificate:
    if not key.plausible or len(key.modulus) > len(signer.public.modulus):
        raise Invalid("key", "it is none of EMV's, or longer than the key that should sign it")
    if not _CENTURY <= expires.year <= _LAST_YEAR:
        raise Invalid("expires", f"a certificate expires between {_CENTURY} and {_LAST_YEAR}")
    if not 0 <= serial <= MAX_SERIAL:
        raise Invalid("serial", "a serial number has three bytes")
    exponent = key.exponent_bytes
    header = bytes((layout.format,)) + bytes.fromhex(holder.ljust(2 * layout.holder_bytes, "F"))
    header += bytes.fromhex(f"{expires.month:02d}{expires.year % 100:02d}")
    header += serial.to_bytes(3, "big")
    header += bytes((SHA_1, RSA, len(key.modulus), len(exponent)))
    room = layout.room(signer.public)
    left, remainder = key.modulus[:room].ljust(room, b"\xbb"), key.modulus[room:]
    signature = signer.sign(header + left + remainder + exponent + static)
    return Certificate(signature, remainder, exponent)


def _recover(
    layout: _Layout, signer: PublicKey, certificate: Certificate, static: bytes
) -> Certified:
    """The steps that both kinds have in common: the frame, the hash, then what is in it."""
    recovered = signer.recover(certificate.signature, layout.what)
    message = recovered.message
    if message[0] != layout.format:
        raise AuthenticationFailed(layout.what, Fault.FORMAT)
    holder, fields = message[1 : 1 + layout.holder_bytes], message[1 + layout.holder_bytes :]
    expiry, serial = fields[:2], int.from_bytes(fields[2:5], "big")
    hash_algorithm, key_algorithm, length, exponent_length = fields[5:_AFTER_HOLDER]
    if hash_algorithm != SHA_1:
        raise AuthenticationFailed(layout.what, Fault.HASH_ALGORITHM)
    if not recovered.covers(certificate.remainder + certificate.exponent + static):
        raise AuthenticationFailed(layout.what, Fault.HASH)
    if key_algorithm != RSA:
        raise AuthenticationFailed(layout.what, Fault.KEY_ALGORITHM)
    exponent = int.from_bytes(certificate.exponent, "big")
    if len(certificate.exponent) != exponent_length or exponent not in EXPONENTS:
        raise AuthenticationFailed(layout.what, Fault.EXPONENT)
    left = fields[_AFTER_HOLDER:][:length]
    if len(left) + len(certificate.remainder) != length or length > len(signer.modulus):
        raise AuthenticationFailed(layout.what, Fault.KEY_LENGTH)
    key = PublicKey(left + certificate.remainder, exponent)
    if not key.plausible:
        raise AuthenticationFailed(layout.what, Fault.KEY)
    return Certified(key, _digits(holder), _expiry(layout, expiry), serial)


def _check_date(layout: _Layout, found: Certified, today: date) -> None:
    if found.expires < today:
        raise AuthenticationFailed(layout.what, Fault.EXPIRED)


def _digits(packed: bytes) -> str:
    """The digits before the padding; something that is no number if they are none."""
    return packed.hex().rstrip("f")


def _expiry(layout: _Layout, expiry: bytes) -> date:
    text = expiry.hex()
    if not text.isdecimal() or not 1 <= int(text[:2]) <= 12:  # noqa: PLR2004 - months
        raise AuthenticationFailed(layout.what, Fault.DATE)
    month, year = int(text[:2]), _CENTURY + int(text[2:])
    if year > _LAST_YEAR:
        year -= 100
    return last_day(date(year, month, 1))


def _check_digits(field: str, value: str, shortest: int, longest: int) -> None:
    if not (value.isascii() and value.isdigit() and shortest <= len(value) <= longest):
        raise Invalid(field, f"it has {shortest} to {longest} digits")
