"""Dynamic signatures of a card: DDA and CDA (EMV Book 2, 6.5 and 6.6).

    05  01 (SHA-1)  length of the dynamic data  dynamic data  BB …  │ what the terminal sent

Up to the bar it is in the signature (9F4B), behind it only in the hash. With **DDA** the card signs
before it decides; its dynamic data is a number of its own (9F4C), the terminal's what the DDOL asks
for. With **CDA** it signs its decision: the dynamic data goes on with the Cryptogram Information
Data, the cryptogram, and the hash of all that was said, from which nothing can then be changed
between card and terminal: `transaction_hash`. The terminal's part is its Unpredictable Number.
"""

import hmac
from typing import Final, NamedTuple

from tandem.emv.certificates import SHA_1
from tandem.emv.cryptograms import CRYPTOGRAM_BYTES
from tandem.emv.errors import AuthenticationFailed, Fault, Signed
from tandem.emv.rsa import HASH_BYTES, OVERHEAD, PrivateKey, PublicKey, Recovered, sha1

FORMAT: Final = 0x05
UNPREDICTABLE_BYTES: Final = 4
_NUMBER_BYTES: Final = range(2, 9)
_BEFORE_DATA: Final = 3
_AFTER_NUMBER: Final = 1 + CRYPTOGRAM_BYTES + HASH_BYTES
_WHAT: Final = Signed.DYNAMIC_DATA


class Combined(NamedTuple):
    """What a CDA signature gave back: the card's number (9F4C) and the cryptogram (9F26)."""

    dynamic_number: bytes
    cryptogram: bytes


def sign_dynamic(key: PrivateKey, dynamic_number: bytes, terminal_data: bytes) -> bytes:
    """DDA (6.5.1): sign the card's number and what the terminal sent for the DDOL.

    `dynamic_number` has two to eight bytes and never repeats. Raises `ValueError` for another
    length.
    """
    return _sign(key, _with_length(dynamic_number), terminal_data)


def check_dynamic(key: PublicKey, signature: bytes, terminal_data: bytes) -> bytes:
    """Check a DDA signature (6.5.2): the card's number (9F4C).

    Raises `AuthenticationFailed` with the reason.
    """
    recovered, data = _recover(key, signature)
    number, _ = _divide(data)
    if not recovered.covers(terminal_data):
        raise AuthenticationFailed(_WHAT, Fault.HASH)
    return number


def transaction_hash(pdol: bytes, cdol1: bytes, response: bytes, cdol2: bytes = b"") -> bytes:
    """The Transaction Data Hash Code (6.6.1): everything that was said, 20 bytes.

    `pdol`, `cdol1` and `cdol2` are the values that the terminal sent for these lists (`cdol2` in
    a second GENERATE AC only), `response` the data objects of the card's answer, tags and lengths
    included, in their order and without 9F4B.
    """
    return sha1(pdol + cdol1 + cdol2 + response)


def sign_combined(
    key: PrivateKey,
    *,
    dynamic_number: bytes,
    information: int,
    cryptogram: bytes,
    transaction: bytes,
    unpredictable_number: bytes,
) -> bytes:
    """CDA (6.6.1): sign the card's decision. `transaction` is the `transaction_hash`.

    `information` is the Cryptogram Information Data (9F27). Raises `ValueError` for a part of
    another length.
    """
    lengths = len(cryptogram), len(transaction), len(unpredictable_number)
    if lengths != (CRYPTOGRAM_BYTES, HASH_BYTES, UNPREDICTABLE_BYTES):
        raise ValueError(f"cryptogram, hash and number have {lengths} bytes, not (8, 20, 4)")
    data = _with_length(dynamic_number) + bytes((information,)) + cryptogram + transaction
    return _sign(key, data, unpredictable_number)


def check_combined(
    key: PublicKey,
    signature: bytes,
    *,
    information: int,
    transaction: bytes,
    unpredictable_number: bytes,
) -> Combined:
    """Check a CDA signature (6.6.2), in the order of its steps.

    `information` is the 9F27 that stands in the clear in the card's answer, `transaction` the
    `transaction_hash` of what the terminal sent and got. Raises `AuthenticationFailed`.
    """
    recovered, data = _recover(key, signature)
    number, rest = _divide(data)
    if len(rest) < _AFTER_NUMBER:
        raise AuthenticationFailed(_WHAT, Fault.DYNAMIC_LENGTH)
    signed_information, cryptogram = rest[0], rest[1 : 1 + CRYPTOGRAM_BYTES]
    signed_transaction = rest[1 + CRYPTOGRAM_BYTES : _AFTER_NUMBER]
    if signed_information != information:
        raise AuthenticationFailed(_WHAT, Fault.OTHER_DECISION)
    if not recovered.covers(unpredictable_number):
        raise AuthenticationFailed(_WHAT, Fault.HASH)
    if not hmac.compare_digest(signed_transaction, transaction):
        raise AuthenticationFailed(_WHAT, Fault.TRANSACTION)
    return Combined(number, cryptogram)


def _with_length(dynamic_number: bytes) -> bytes:
    if len(dynamic_number) not in _NUMBER_BYTES:
        raise ValueError(f"a dynamic number has 2 to 8 bytes, not {len(dynamic_number)}")
    return bytes((len(dynamic_number),)) + dynamic_number


def _sign(key: PrivateKey, data: bytes, terminal_data: bytes) -> bytes:
    room = len(key.public.modulus) - OVERHEAD - _BEFORE_DATA
    assert len(data) <= room, "even the shortest key that is read here has room for it"
    header = bytes((FORMAT, SHA_1, len(data)))
    return key.sign(header + data.ljust(room, b"\xbb") + terminal_data)


def _recover(key: PublicKey, signature: bytes) -> tuple[Recovered, bytes]:
    """The frame of a signature, and the dynamic data in it."""
    recovered = key.recover(signature, _WHAT)
    form, hash_algorithm, length = recovered.message[:_BEFORE_DATA]
    if form != FORMAT:
        raise AuthenticationFailed(_WHAT, Fault.FORMAT)
    if hash_algorithm != SHA_1:
        raise AuthenticationFailed(_WHAT, Fault.HASH_ALGORITHM)
    data = recovered.message[_BEFORE_DATA:][:length]
    if len(data) != length:
        raise AuthenticationFailed(_WHAT, Fault.DYNAMIC_LENGTH)
    return recovered, data


def _divide(data: bytes) -> tuple[bytes, bytes]:
    """The dynamic number and what follows it."""
    length = data[0] if data else 0
    number = data[1 : 1 + length]
    if length not in _NUMBER_BYTES or len(number) != length:
        raise AuthenticationFailed(_WHAT, Fault.DYNAMIC_LENGTH)
    return number, data[1 + length :]
