"""Data object lists: what a card asks for, and what a terminal answers (EMV Book 3, 5.4).

A list is tags with lengths and no values. The answer is the values one after another, each brought
to the length that was asked for, without tags: both sides must know the list to read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tandem.emv.errors import DolMalformed
from tandem.emv.tags import Format, format_of
from tandem.emv.tlv import is_constructed, read_tag, tag_bytes

MAX_VALUES: Final = 252
"""The most bytes that all values of one list may take: a command's data has 255 at most, and in
GET PROCESSING OPTIONS up to three of them are the command template's (Book 3, 6.5.8.3)."""

_LIST_BYTES = 252
_SHORT = 0x7F


class Asked(NamedTuple):
    """One line of a list: this data object, in this many bytes."""

    tag: int
    length: int


@dataclass(frozen=True, slots=True)
class Dol:
    """A data object list."""

    entries: tuple[Asked, ...]

    @staticmethod
    def of(*entries: tuple[int, int]) -> "Dol":
        """A list of these tags and lengths. Raises `DolMalformed` if the values would not fit."""
        return Dol.read(b"".join(tag_bytes(tag) + bytes((length,)) for tag, length in entries))

    @staticmethod
    def read(data: bytes) -> "Dol":
        """Read a list. Raises `DolMalformed`.

        A length has one byte, and the values together may take `MAX_VALUES` bytes.
        """
        if len(data) > _LIST_BYTES:
            raise DolMalformed(_LIST_BYTES, f"more than {_LIST_BYTES} bytes")
        entries: list[Asked] = []
        at = 0
        while at < len(data):
            tag, at = _tag(data, at)
            if at == len(data):
                raise DolMalformed(at, "a tag without a length")
            entries.append(Asked(tag, data[at]))
            at += 1
        found = Dol(tuple(entries))
        if found.length > MAX_VALUES:
            raise DolMalformed(at, f"its values take {found.length} bytes, over {MAX_VALUES}")
        return found

    def write(self) -> bytes:
        """The list as it stands in a record."""
        return b"".join(tag_bytes(tag) + bytes((length,)) for tag, length in self.entries)

    @property
    def length(self) -> int:
        """How many bytes the values take together."""
        return sum(length for _, length in self.entries)

    def asks_for(self, tag: int) -> bool:
        """Whether this data object is in the list."""
        return any(entry.tag == tag for entry in self.entries)

    def fill(self, values: Mapping[int, bytes]) -> bytes:
        """The answer: these values, each in the length that was asked for.

        Zeros stand for what is not there and for templates.
        """
        return b"".join(fitted(tag, values.get(tag, b""), length) for tag, length in self.entries)

    def split(self, data: bytes) -> dict[int, bytes]:
        """Take an answer apart into values by tag; of a tag that is asked for twice, the last.

        Raises `DolMalformed` if it is shorter or longer than the list asks for.
        """
        if len(data) != self.length:
            raise DolMalformed(len(data), f"{len(data)} bytes of values instead of {self.length}")
        values: dict[int, bytes] = {}
        at = 0
        for tag, length in self.entries:
            values[tag] = data[at : at + length]
            at += length
        return values


def fitted(tag: int, value: bytes, length: int) -> bytes:
    """A value in this many bytes (Book 3, 5.4).

    Digits lose or get zeros on the left; compressed digits lose or get F on the right; all others
    lose or get zeros on the right. A template, and a value that is not there, are zeros.
    """
    if not value or is_constructed(tag):
        return bytes(length)
    kind = format_of(tag)
    if kind is Format.N:
        return value[max(0, len(value) - length) :].rjust(length, b"\x00")
    return value[:length].ljust(length, b"\xff" if kind is Format.CN else b"\x00")


def read_tags(data: bytes) -> tuple[int, ...]:
    """A list of tags without lengths, as in 9F4A. Raises `DolMalformed`."""
    tags: list[int] = []
    at = 0
    while at < len(data):
        tag, at = _tag(data, at)
        tags.append(tag)
    return tuple(tags)


def _tag(data: bytes, at: int) -> tuple[int, int]:
    found = read_tag(data, at)
    if found is None:
        raise DolMalformed(at, "no tag of one to three bytes")
    return found
