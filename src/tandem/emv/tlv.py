"""BER-TLV data objects: read strictly, written back byte for byte (EMV Book 3, Annex B).

A **data object** is a tag, a length and a value. A **primitive** one holds bytes, a **constructed**
one holds data objects. Tags are integers of the bytes as they stand: `0x9F26`. Between, before and
after data objects bytes `00` may stand, which mean nothing (Annex B1); they are passed over.

What was read keeps the form in which it stood (`Tlv.raw`), also where a length was written longer
than need be: signatures are over what the card sent, not over what we would have sent.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from tandem.emv.errors import TlvMalformed, TooLong

MAX_TAG_BYTES: Final = 3
"""ISO/IEC 7816-4: a tag has one, two or three bytes. EMV itself uses one and two."""
MAX_VALUE: Final = 0xFFFF
"""The longest value, in bytes, that is read or written: its length takes two bytes."""

_CONSTRUCTED = 0x20
_MANY_BYTES = 0x1F
_MORE = 0x80
_SHORT = 0x7F
_MAX_LENGTH_BYTES = 2


class Limits(NamedTuple):
    """How much is read before it is refused: bytes, data objects in all, levels of templates."""

    size: int = MAX_VALUE
    objects: int = 1024
    depth: int = 8


LIMITS: Final = Limits()


class Tlv(msgspec.Struct, frozen=True):
    """A data object. Make one with `primitive` or `constructed`; reading makes the others.

    `children` are the data objects of a constructed one, and empty for a primitive one. `raw` is
    all of it as it stands: tag, length, value.
    """

    tag: int
    value: bytes
    children: tuple["Tlv", ...]
    raw: bytes

    def __repr__(self) -> str:
        """Without its value, which may be a card number."""
        return f"Tlv(tag={self.tag!r}, children={self.children!r})"

    @property
    def constructed(self) -> bool:
        """Whether the value is made of data objects (bit 6 of the tag's first byte)."""
        return is_constructed(self.tag)

    def first(self, *path: int) -> "Tlv | None":
        """The first data object at this path of tags within it, or None."""
        return first(self.children, *path)


def primitive(tag: int, value: bytes) -> Tlv:
    """A primitive data object. Raises `TooLong` above `MAX_VALUE` bytes.

    Raises `ValueError` for a tag that is none or that is a constructed one: a fault of the program.
    """
    if is_constructed(tag):
        raise ValueError(f"{tag:X} is the tag of a constructed data object")
    return Tlv(tag, value, (), _header(tag, len(value)) + value)


def constructed(tag: int, *children: Tlv) -> Tlv:
    """A constructed data object. Raises `TooLong` above `MAX_VALUE` bytes.

    Raises `ValueError` for a tag that is none or that is a primitive one: a fault of the program.
    """
    if not is_constructed(tag):
        raise ValueError(f"{tag:X} is the tag of a primitive data object")
    value = write(children)
    return Tlv(tag, value, children, _header(tag, len(value)) + value)


def read(data: bytes, limits: Limits = LIMITS) -> tuple[Tlv, ...]:
    """All data objects of `data`, in order. Raises `TlvMalformed`.

    Refused are lengths beyond the end, indefinite lengths, tags of more than three bytes, and what
    is beyond the limits. Lengths that are longer than need be are read.
    """
    if len(data) > limits.size:
        raise TlvMalformed(limits.size, f"more than {limits.size} bytes")
    return _Reader(data, limits).objects(0, len(data), 1)


def read_one(data: bytes, limits: Limits = LIMITS) -> Tlv:
    """The one data object that `data` is. Raises `TlvMalformed` if it is none, or several."""
    found = read(data, limits)
    if len(found) != 1:
        raise TlvMalformed(0, f"{len(found)} data objects instead of one")
    return found[0]


def read_flat(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The tag and value of the data object at `at`, and the offset behind it.

    What is within it is not looked at: for whoever shows what can be read of broken data. Raises
    `TlvMalformed`.
    """
    tag_end, value_at, end = _Reader(data, LIMITS).bounds(at, len(data))
    return int.from_bytes(data[at:tag_end], "big"), data[value_at:end], end


def write(objects: Iterable[Tlv]) -> bytes:
    """The bytes of these data objects, one after another."""
    return b"".join(entry.raw for entry in objects)


def first(objects: Iterable[Tlv], *path: int) -> Tlv | None:
    """The first data object at this path of tags, or None: `first(found, 0x6F, 0x84)`."""
    wanted, *rest = path
    for entry in objects:
        if entry.tag == wanted:
            found = entry.first(*rest) if rest else entry
            if found is not None:
                return found
    return None


@lru_cache(maxsize=1024)
def tag_bytes(tag: int) -> bytes:
    """A tag as it is written. Raises `ValueError` if no tag is written so."""
    data = max(tag, 0).to_bytes((max(tag, 0).bit_length() + 7) // 8, "big")
    if not data or _tag_end(data, 0, len(data)) != len(data):
        raise ValueError(f"{tag:X} is not one tag")
    return data


def is_constructed(tag: int) -> bool:
    """Whether this tag's values are made of data objects. Raises `ValueError` if it is no tag."""
    return bool(tag_bytes(tag)[0] & _CONSTRUCTED)


def read_tag(data: bytes, at: int) -> tuple[int, int] | None:
    """The tag that stands at `at` and the offset behind it, or None if there is no tag."""
    end = _tag_end(data, at, len(data))
    return None if end is None else (int.from_bytes(data[at:end], "big"), end)


def _tag_end(data: bytes, at: int, end: int) -> int | None:
    """Where the tag at `at` ends, or None if there is none before `end`."""
    if at >= end or data[at] == 0:
        return None
    if data[at] & _MANY_BYTES != _MANY_BYTES:
        return at + 1
    last = at + 1
    # A first byte of 80 would be a leading zero in the tag's number (ISO/IEC 8825-1, 8.1.2.4).
    if last >= end or data[last] == _MORE:
        return None
    while last < end and data[last] & _MORE:
        last += 1
    return last + 1 if last < end and last - at < MAX_TAG_BYTES else None


def _header(tag: int, length: int) -> bytes:
    name = tag_bytes(tag)
    if length <= _SHORT:
        return name + bytes((length,))
    if length > MAX_VALUE:
        raise TooLong(f"data object {tag:X}", length, MAX_VALUE)
    size = (length.bit_length() + 7) // 8
    return name + bytes((_MORE | size,)) + length.to_bytes(size, "big")


class _Reader:
    """Reads one piece of data, counting its data objects."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._count = 0

    def objects(self, at: int, end: int, depth: int) -> tuple[Tlv, ...]:
        """The data objects from `at` to `end`, and those within them."""
        if depth > self._limits.depth:
            raise TlvMalformed(at, f"templates within templates, deeper than {depth - 1} levels")
        data = self._data
        found: list[Tlv] = []
        while True:
            while at < end and not data[at]:
                at += 1
            if at == end:
                return tuple(found)
            self._count += 1
            if self._count > self._limits.objects:
                raise TlvMalformed(at, f"more than {self._limits.objects} data objects")
            tag_end, value_at, value_end = self.bounds(at, end)
            tag = int.from_bytes(data[at:tag_end], "big")
            within = data[at] & _CONSTRUCTED
            children = self.objects(value_at, value_end, depth + 1) if within else ()
            found.append(Tlv(tag, data[value_at:value_end], children, data[at:value_end]))
            at = value_end

    def bounds(self, start: int, end: int) -> tuple[int, int, int]:
        """Where the tag of the data object at `start` ends, its value begins and ends."""
        data = self._data
        tag_end = _tag_end(data, start, end)
        if tag_end is None:
            raise TlvMalformed(start, "no tag of one to three bytes")
        at = tag_end
        if at >= end:
            raise TlvMalformed(at, "a tag without a length")
        length = data[at]
        at += 1
        if length > _SHORT:
            size = length & _SHORT
            if not 1 <= size <= _MAX_LENGTH_BYTES or at + size > end:
                raise TlvMalformed(at - 1, "a length that is not of one to three bytes")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > end:
            raise TlvMalformed(at, f"a length of {length} where {end - at} bytes follow")
        return tag_end, at, at + length
