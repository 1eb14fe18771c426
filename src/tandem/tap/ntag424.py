"""The secure messaging of NTAG 424 DNA, as both sides of it need it. Pure.

AuthenticateEV2First agrees on two session keys; from then on a command in full mode carries its
data enciphered and a MAC of eight bytes, and so does its answer (NXP AN12196, 4 and 5; NT4H2421Gx,
9.1). AES mode only.

    90 INS 00 00 Lc · header · E(data) · MAC · 00      →      E(answer) · MAC · 91 00
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tandem.emv.ciphers import Algorithm, cmac, encipher, xor
from tandem.tags.sun import KEY_BYTES, MAC_BYTES, short

CLA: Final = 0x90
KEYS: Final = 5
NDEF_FILE: Final = 2
NDEF_BYTES: Final = 256
FACTORY_KEY: Final = bytes(KEY_BYTES)
BLOCK: Final = 16
TI_BYTES: Final = 4

_ZERO_IV: Final = CBC(bytes(BLOCK))
_ENC: Final = bytes.fromhex("A55A00010080")
_MAC: Final = bytes.fromhex("5AA500010080")
_COMMAND_IV: Final = bytes.fromhex("A55A")
_ANSWER_IV: Final = bytes.fromhex("5AA5")
_PAD: Final = b"\x80"
_CRC_BITS: Final = 0xFFFFFFFF


class Ins(IntEnum):
    """The chip's own commands that are used here (NT4H2421Gx, 10.2)."""

    CHANGE_FILE_SETTINGS = 0x5F
    GET_VERSION = 0x60
    GET_KEY_VERSION = 0x64
    AUTHENTICATE = 0x71
    WRITE_DATA = 0x8D
    MORE = 0xAF
    CHANGE_KEY = 0xC4


class Sw(IntEnum):
    """Its status words."""

    OK = 0x9100
    MORE = 0x91AF
    ILLEGAL = 0x911C
    INTEGRITY = 0x911E
    NO_SUCH_KEY = 0x9140
    LENGTH = 0x917E
    PERMISSION = 0x919D
    PARAMETER = 0x919E
    AUTHENTICATION = 0x91AE
    BOUNDARY = 0x91BE
    ABORTED = 0x91CA


@dataclass(slots=True)
class Channel:
    """An authenticated channel; `counter` counts its commands. No key appears in its repr."""

    enc: bytes
    mac: bytes
    ti: bytes
    counter: int = 0

    def __repr__(self) -> str:
        return f"Channel({self.ti.hex()}, {self.counter})"

    def seal(self, ins: int, header: bytes, data: bytes) -> bytes:
        """What a command in full mode carries after its `Lc`; an empty `data` adds nothing."""
        hidden = self._encipher(_COMMAND_IV, data) if data else b""
        return header + hidden + self._sign(ins, header + hidden)

    def open(self, ins: int, body: bytes, header_bytes: int) -> tuple[bytes, bytes] | None:
        """The header and data of a command in full mode, None if it is not the other side's."""
        signed, mac = body[:-MAC_BYTES], body[-MAC_BYTES:]
        header, hidden = signed[:header_bytes], signed[header_bytes:]
        if not compare_digest(self._sign(ins, signed), mac):
            return None
        data = self._decipher(_COMMAND_IV, hidden)
        return None if data is None else (header, data)

    def answer(self, data: bytes = b"") -> bytes:
        """What the chip answers with before its status word, `counter` being that after it."""
        hidden = self._encipher(_ANSWER_IV, data) if data else b""
        return hidden + self._sign(0, hidden)

    def read_answer(self, body: bytes) -> bytes | None:
        """The data of an answer; None if the chip did not make it for this command."""
        hidden, mac = body[:-MAC_BYTES], body[-MAC_BYTES:]
        if not compare_digest(self._sign(0, hidden), mac):
            return None
        return self._decipher(_ANSWER_IV, hidden)

    def _sign(self, first: int, rest: bytes) -> bytes:
        return short(cmac(self.mac, bytes((first,)) + self._place() + rest))

    def _place(self) -> bytes:
        return self.counter.to_bytes(2, "little") + self.ti

    def _iv(self, label: bytes) -> CBC:
        plain = label + self.ti + self.counter.to_bytes(2, "little") + bytes(8)
        return CBC(encipher(Algorithm.AES, self.enc, plain))

    def _encipher(self, label: bytes, data: bytes) -> bytes:
        padded = data + _PAD + bytes(-(len(data) + 1) % BLOCK)
        return Cipher(AES(self.enc), self._iv(label)).encryptor().update(padded)

    def _decipher(self, label: bytes, hidden: bytes) -> bytes | None:
        if not hidden:
            return b""
        if len(hidden) % BLOCK:
            return None
        padded = Cipher(AES(self.enc), self._iv(label)).decryptor().update(hidden)
        data, pad, rest = padded.rpartition(_PAD)
        return data if pad and not any(rest) and len(rest) < BLOCK else None


def channel(key: bytes, rnd_a: bytes, rnd_b: bytes, ti: bytes) -> Channel:
    """The channel that both random numbers and the key agree on (NT4H2421Gx, 9.1.7)."""
    mixed = rnd_a[:2] + xor(rnd_a[2:8], rnd_b[:6]) + rnd_b[6:] + rnd_a[8:]
    return Channel(cmac(key, _ENC + mixed), cmac(key, _MAC + mixed), ti)


def chained(key: bytes, blocks: bytes) -> bytes:
    """Encipher whole blocks for authentication: CBC from an IV of zeros."""
    return Cipher(AES(key), _ZERO_IV).encryptor().update(blocks)


def unchained(key: bytes, blocks: bytes) -> bytes:
    """The reverse of `chained`."""
    return Cipher(AES(key), _ZERO_IV).decryptor().update(blocks)


def turned(random: bytes) -> bytes:
    """A random number as the other side proves that it knows it: turned left by a byte."""
    return random[1:] + random[:1]


def key_change(number: int, new: bytes, old: bytes, version: int) -> bytes:
    """The data of ChangeKey under key 0 (NT4H2421Gx, 10.6.1)."""
    if number == 0:
        return new + bytes((version,))
    return xor(new, old) + bytes((version,)) + checksum(new)


def checksum(key: bytes) -> bytes:
    """The chip's CRC-32 of a key: IEEE 802.3 without the last inversion, low byte first."""
    return (zlib.crc32(key) ^ _CRC_BITS).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class FileSettings:
    """How the NDEF file is protected: who reads, writes and changes it (NT4H2421Gx, 10.7.1).

    `read` and so on are a key's number, or `FREE`. `full`: writing is enciphered. `mirror`: where
    in the file the chip puts `picc_data` and the MAC, whose input is then nothing.
    """

    read: int
    write: int
    change: int
    full: bool = False
    mirror: tuple[int, int] | None = None

    def write_out(self) -> bytes:
        """The data of ChangeFileSettings."""
        option = (_FULL if self.full else 0) | (_SDM if self.mirror else 0)
        rights = bytes((self.write << 4 | self.change, self.read << 4 | self.write))
        if self.mirror is None:
            return bytes((option,)) + rights
        picc, mac = (place.to_bytes(_PLACE, "little") for place in self.mirror)
        return bytes((option,)) + rights + _SDM_OPTIONS + picc + mac + mac

    @staticmethod
    def read_in(data: bytes) -> "FileSettings | None":
        """What ChangeFileSettings asks for; None if it is anything that is not used here."""
        if len(data) not in (_PLAIN_BYTES, _SDM_BYTES):
            return None
        option, first, second = data[:_PLAIN_BYTES]
        mirror = None
        if option & _SDM:
            picc, mac_from, mac = (
                int.from_bytes(data[at : at + _PLACE], "little")
                for at in range(_SDM_BYTES - 3 * _PLACE, len(data), _PLACE)
            )
            mirror = (picc, mac) if mac_from == mac else None
        found = FileSettings(second >> 4, second & 0xF, first & 0xF, option & 3 == _FULL, mirror)
        return found if found.write_out() == data else None


FREE: Final = 0xE
_FULL: Final = 0x03
_SDM: Final = 0x40
_PLACE: Final = 3
_PLAIN_BYTES: Final = 3
# UID and counter in one value, in ASCII; nobody may ask for the counter; key 1 for the value, key 2
# for the MAC
_SDM_OPTIONS: Final = bytes.fromhex("C1FF12")
_SDM_BYTES: Final = _PLAIN_BYTES + len(_SDM_OPTIONS) + 3 * _PLACE

FACTORY: Final = FileSettings(read=FREE, write=FREE, change=0)
"""How the NDEF file comes."""
CLOSED: Final = FileSettings(read=FREE, write=0, change=0, full=True)
"""While it is written: only by who has key 0."""
