"""Messages read from bytes and written to bytes, by a link's `Wire`.

How each element stands on the link is worked out once, when the codec is made: what its length
looks like in bytes, and by which functions its value becomes bytes and comes back. PyPI's
pyiso8583, which takes more than twice the time, is the second opinion in the tests.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from tandem.acquiring.elements import De, Form, Kind
from tandem.acquiring.errors import MessageMalformed
from tandem.acquiring.message import Message
from tandem.acquiring.wire import Pad, Wire

TYPE: Final = 0
BITMAPS: Final = 1
_MTI: Final = re.compile(r"[0-9]{4}", re.ASCII)
_BITMAP: Final = re.compile(r"[0-9A-Fa-f]{16}", re.ASCII)
_HALF: Final = 64
_BITS: Final = tuple(tuple(bit for bit in range(8) if byte & 0x80 >> bit) for byte in range(256))
"""Which bits of a byte are set, the highest first."""


class _Place(NamedTuple):
    """How an element stands on a link.

    `most` is its longest length, in what its length counts: `halves` of bytes, or bytes. Before one
    of variable length stand `prefix` bytes; `counts` is which length they say, and `prefixes` what
    says a length. `read` makes the value of its bytes and its length, `write` the reverse.
    """

    fits: Callable[[str], object]
    prefix: int
    most: int
    halves: bool
    counts: Mapping[bytes, int]
    prefixes: tuple[bytes, ...]
    read: Callable[[bytes, int], str]
    write: Callable[[str], tuple[bytes, int]]


class _Unreadable(Exception):
    """An element cannot be read; its text is the end of a sentence that says why."""


class Codec:
    """Reads and writes the messages of one link. `read(write(message)) == message`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._forms = wire.forms()
        self._places = {number: _place(wire, number, form) for number, form in self._forms.items()}
        self._packed_type = wire.numeric == "bcd"
        self._raw_bitmap = wire.bitmap == "binary"

    def read(self, body: bytes) -> Message:
        """Read a message without length and header. Raises `MessageMalformed` and nothing else."""
        mti, at = self._read_type(body)
        numbers, at = self._read_bitmaps(body, at, mti)
        fields: dict[int, str] = {}
        places, number = self._places, BITMAPS
        for number in numbers:
            try:
                value, at = _read_element(places[number], body, at)
            except _Unreadable as error:
                reason = str(error)
            except KeyError:
                reason = "has no format"
            except ValueError:
                reason = "has bytes that are none of its characters"
            else:
                if places[number].fits(value) is not None:
                    fields[number] = value
                    continue
                reason = self._fault(number, value)
            raise MessageMalformed(number, reason, Message(mti, fields)) from None
        if at != len(body):
            fields.pop(number, None)
            reason = f"is the last, and {len(body) - at} bytes follow"
            raise MessageMalformed(number, reason, Message(mti, fields))
        return Message(mti, fields)

    def write(self, message: Message) -> bytes:
        """Write a message. Raises `MessageMalformed` naming the element that cannot be written."""
        if _MTI.fullmatch(message.mti) is None:
            raise MessageMalformed(TYPE, "is not a type of four digits")
        places, fields, bits = self._places, message.fields, 0
        parts: list[bytes] = []
        for number in sorted(fields):
            place, value = places.get(number), fields[number]
            if place is None:
                raise MessageMalformed(number, "has no format")
            if place.fits(value) is None:
                raise MessageMalformed(number, self._fault(number, value))
            data, count = place.write(value)
            if count > place.most:
                raise MessageMalformed(number, "is longer than its length can say")
            bits |= 1 << (2 * _HALF - number)
            if place.prefix:
                parts.append(place.prefixes[count])
            parts.append(data)
        if bits & (1 << _HALF) - 1:
            bitmap = (bits | 1 << (2 * _HALF - 1)).to_bytes(16, "big")
        else:
            bitmap = (bits >> _HALF).to_bytes(8, "big")
        text = self.wire.text
        mti = bytes.fromhex(message.mti) if self._packed_type else message.mti.encode(text)
        shown = bitmap if self._raw_bitmap else bitmap.hex().upper().encode(text)
        return b"".join((mti, shown, *parts))

    def mac_text(self, mac: bytes) -> bytes:
        """A MAC as it stands at the end of a message."""
        return mac if self.wire.binary == "binary" else mac.hex().upper().encode(self.wire.text)

    def _read_type(self, body: bytes) -> tuple[str, int]:
        at = 2 if self._packed_type else 4
        try:
            mti = body[:at].hex() if self._packed_type else body[:at].decode(self.wire.text)
        except ValueError:
            mti = ""
        if _MTI.fullmatch(mti) is None:
            raise MessageMalformed(TYPE, "is not a type of four digits")
        return mti, at

    def _read_bitmaps(self, body: bytes, at: int, mti: str) -> tuple[list[int], int]:
        """The numbers of the elements that there are, and where the first of them begins."""
        numbers: list[int] = []
        size = 8 if self._raw_bitmap else 16
        for first in (1, 1 + _HALF):
            bitmap, at = self._bitmap(body[at : at + size], size, mti), at + size
            for place, byte in enumerate(bitmap):
                if byte:
                    start = first + 8 * place
                    numbers += [start + bit for bit in _BITS[byte]]
            if not bitmap[0] & 0x80:
                return numbers, at
            numbers.remove(first)
        raise MessageMalformed(BITMAPS, "has a third one after it", Message(mti, {}))

    def _bitmap(self, raw: bytes, size: int, mti: str) -> bytes:
        if len(raw) == size:
            if self._raw_bitmap:
                return raw
            digits = raw.decode(self.wire.text, "replace")
            if _BITMAP.fullmatch(digits) is not None:
                return bytes.fromhex(digits)
        raise MessageMalformed(
            BITMAPS, "is not a bitmap of 1987: 64 bits, or twice that", Message(mti, {})
        )

    def _fault(self, number: int, value: str) -> str:
        return self._forms[number].fault(value) or "cannot be"


def _read_element(place: _Place, body: bytes, at: int) -> tuple[str, int]:
    """The value that stands at `at`, and where it ends. Raises `_Unreadable`, `ValueError`."""
    count = place.most
    if place.prefix:
        start, at = at, at + place.prefix
        said = place.counts.get(body[start:at])
        if said is None:
            raise _Unreadable(f"has a length that is no number up to {count}")
        count = said
    size = (count + 1) // 2 if place.halves else count
    end = at + size
    data = body[at:end]
    if len(data) != size:
        raise _Unreadable(f"has {len(data)} bytes where {size} are announced")
    return place.read(data, count), end


def _place(wire: Wire, number: int, form: Form) -> _Place:
    """How an element of this form stands on a link."""
    kind, digits, most = form
    halves = False
    read, write = _text(wire.text, track=kind is Kind.TRACK)
    if kind is Kind.BYTES:
        if (wire.icc if number == De.ICC else wire.binary) == "hex":
            most = min(2 * most, 10**digits - 1) if digits else 2 * most
            read = _hexadecimal(wire.text)
        else:
            read, write = _read_bytes, _write_bytes
    elif kind is Kind.DIGITS and wire.numeric == "bcd":
        halves, (read, write) = True, _packed(wire.pad_variable if digits else wire.pad_fixed)
    elif kind is Kind.TRACK and wire.track2 == "bcd":
        halves, (read, write) = True, _packed(wire.pad_track2)
    prefixes, counts = _lengths(wire.prefixes, wire.text, digits, most)
    prefix = len(prefixes[0]) if prefixes else 0
    return _Place(form.pattern.fullmatch, prefix, most, halves, counts, prefixes, read, write)


@lru_cache(maxsize=256)
def _lengths(
    form: str, encoding: str, digits: int, most: int
) -> tuple[tuple[bytes, ...], Mapping[bytes, int]]:
    """What says each length from 0 on, and the reverse; nothing without digits.

    In BCD as in binary two digits fit into one byte and three into two.
    """
    size = (digits + 1) // 2
    made: tuple[bytes, ...]
    if not digits:
        made = ()
    elif form == "text":
        made = tuple(f"{count:0{digits}d}".encode(encoding) for count in range(most + 1))
    elif form == "binary":
        made = tuple(count.to_bytes(size, "big") for count in range(most + 1))
    else:
        made = tuple(bytes.fromhex(f"{count:0{2 * size}d}") for count in range(most + 1))
    return made, {prefix: count for count, prefix in enumerate(made)}


Reader = Callable[[bytes, int], str]
Writer = Callable[[str], tuple[bytes, int]]


def _text(encoding: str, *, track: bool) -> tuple[Reader, Writer]:
    def read(data: bytes, _: int) -> str:
        value = data.decode(encoding)
        return value.replace("D", "=") if track else value

    def write(value: str) -> tuple[bytes, int]:
        return value.encode(encoding), len(value)

    return read, write


def _hexadecimal(encoding: str) -> Reader:
    def read(data: bytes, _: int) -> str:
        return data.decode(encoding).upper()

    return read


def _read_bytes(data: bytes, _: int) -> str:
    return data.hex().upper()


def _write_bytes(value: str) -> tuple[bytes, int]:
    data = bytes.fromhex(value)
    return data, len(data)


@lru_cache(maxsize=8)
def _packed(pad: Pad) -> tuple[Reader, Writer]:
    """Two digits a byte, `=` as D; an odd one has a filler before or after it."""
    side, _, digit = pad.upper().partition("-")

    def read(data: bytes, count: int) -> str:
        digits = data.hex().upper()
        if count % 2:
            digits, filler = (
                (digits[1:], digits[0]) if side == "LEFT" else (digits[:-1], digits[-1])
            )
            if filler != digit:
                raise _Unreadable(f"has not {digit} as its filler")
        return digits.replace("D", "=")

    def write(value: str) -> tuple[bytes, int]:
        count, digits = len(value), value.replace("=", "D")
        if count % 2:
            digits = digit + digits if side == "LEFT" else digits + digit
        return bytes.fromhex(digits), count

    return read, write
