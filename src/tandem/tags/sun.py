"""The message that a rolling tag signs: who it is, and how often it was read. Pure.

NTAG 424 DNA calls it SUN, secure unique NFC, and the mechanism SDM, secure dynamic messaging
(NXP AN12196, 3.3 and 3.4; NT4H2421Gx, 9.3). The tag puts two values into its URL each time that it
is read, in hexadecimal digits:

    picc_data   16 bytes, AES-CBC under the meta key with an IV of zeros:
                C7 · UID, 7 bytes · counter, 3 bytes, low byte first · 5 random bytes
    cmac        8 bytes, the odd ones of AES-CMAC over nothing, under a key of this reading:
                AES-CMAC(MAC key, 3C C3 00 01 00 80 · UID · counter)

AES only: tags that were changed to LRP mode are not read here.
"""

import re
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tandem.emv.ciphers import cmac
from tandem.kernel import Entropy

KEY_BYTES: Final = 16
UID_BYTES: Final = 7
COUNTER_BYTES: Final = 3
LAST_COUNTER: Final = 2 ** (8 * COUNTER_BYTES) - 1
PICC_BYTES: Final = 16
MAC_BYTES: Final = 8
FORM: Final = 0xC7
"""Both are there, UID and counter, and the UID has seven bytes."""

_RANDOM_BYTES: Final = 5
_SESSION: Final = bytes.fromhex("3CC300010080")
_FROM_ZERO: Final = CBC(bytes(PICC_BYTES))
_LINK: Final = re.compile(
    r"([A-Za-z0-9_-]{16,32})\?picc_data=([0-9A-Fa-f]{32})&cmac=([0-9A-Fa-f]{16})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tag said of itself: its UID, and which reading of it this was."""

    uid: bytes
    counter: int


@dataclass(frozen=True, slots=True)
class SunLink:
    """The link of one reading: which tag it claims to be of, and what that tag would have said."""

    token: str
    picc_data: bytes
    mac: bytes


def read_link(text: str, public_url: str) -> SunLink | None:
    """The link of a rolling tag of ours, None if the text is none.

    One form only, as tags write it: parameters in another order, or more of them, are none.
    """
    before, text = f"{public_url}/t/", text.strip()
    if not text.startswith(before):
        return None  # of most payments, and without another look
    found = _LINK.fullmatch(text, len(before))
    if found is None:
        return None
    return SunLink(found[1], bytes.fromhex(found[2]), bytes.fromhex(found[3]))


def template(public_url: str, token: str) -> str:
    """The link that is written on a tag: it puts its values where the zeros are."""
    return f"{public_url}/t/{token}?picc_data={'0' * 2 * PICC_BYTES}&cmac={'0' * 2 * MAC_BYTES}"


def read_message(meta_key: bytes, mac_key: bytes, picc_data: bytes, mac: bytes) -> Reading | None:
    """What the tag with these keys said, None if it was not that tag (AN12196, 3.4)."""
    opened = Cipher(AES(meta_key), _FROM_ZERO).decryptor().update(picc_data)
    uid = opened[1 : 1 + UID_BYTES]
    counter = int.from_bytes(opened[1 + UID_BYTES :][:COUNTER_BYTES], "little")
    genuine = compare_digest(sign(mac_key, uid, counter), mac)
    return Reading(uid, counter) if genuine and opened[0] == FORM else None


def encrypt(meta_key: bytes, uid: bytes, counter: int, entropy: Entropy) -> bytes:
    """`picc_data`, as a tag makes it."""
    plain = bytes((FORM,)) + uid + _low_first(counter) + entropy(_RANDOM_BYTES)
    return Cipher(AES(meta_key), _FROM_ZERO).encryptor().update(plain)


def sign(mac_key: bytes, uid: bytes, counter: int) -> bytes:
    """`cmac`, as a tag makes it."""
    return short(cmac(cmac(mac_key, _SESSION + uid + _low_first(counter)), b""))


def short(mac: bytes) -> bytes:
    """The eight odd bytes of a MAC of sixteen, as these tags send it (NT4H2421Gx, 9.1.3)."""
    return mac[1::2]


def _low_first(counter: int) -> bytes:
    return counter.to_bytes(COUNTER_BYTES, "little")
