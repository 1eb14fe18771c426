"""Messages on a byte stream: a length before each, and a header where the link has one.

A length of zero is what some equipment sends to keep a connection alive, and is passed over.
"""

import re
from typing import Final, NamedTuple

from tandem.acquiring.errors import FrameBroken
from tandem.acquiring.wire import Wire

_TPDU: Final = 0x60
_SIZES: Final = {"none": 0, "tpdu": 5, "iso": 12}
_LENGTHS: Final = {"binary": 2, "bcd": 2, "ascii": 4}
_LARGEST: Final = {"binary": 65_535, "bcd": 9999, "ascii": 9999}
_DECIMAL: Final = re.compile(rb"[0-9]{4}")
_ISO: Final = re.compile(rb"ISO[0-9A-Za-z]{9}")
_OWN: Final = {"none": b"", "tpdu": bytes((_TPDU, 0, 1, 0, 0)), "iso": b"ISO000000000"}


class Frame(NamedTuple):
    """A message as it came: its header and its body."""

    header: bytes
    body: bytes


class Deframer:
    """Divides a stream into messages, whatever parts it comes in. `limit` is the longest, in bytes.

    Once it has raised `FrameBroken`, the stream is lost.
    """

    def __init__(self, wire: Wire, limit: int) -> None:
        self._wire = wire
        self._limit = limit
        self._prefix = _LENGTHS[wire.length]
        self._buffer = bytearray()

    @property
    def waiting(self) -> int:
        """How many bytes stand there that no message was made of yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data

    def next(self) -> Frame | None:
        """The next message, or None if it is not whole yet. Raises `FrameBroken`."""
        while len(self._buffer) >= self._prefix:
            size = self._size()
            if size > self._limit:
                raise FrameBroken(f"a message of {size} bytes is longer than {self._limit}")
            end = self._prefix + size
            if len(self._buffer) < end:
                return None
            whole = bytes(self._buffer[self._prefix : end])
            del self._buffer[:end]
            if whole:
                return _split(self._wire, whole)
        return None

    def _size(self) -> int:
        prefix = bytes(self._buffer[: self._prefix])
        if self._wire.length == "binary":
            size = int.from_bytes(prefix, "big")
        else:
            digits = prefix if self._wire.length == "ascii" else prefix.hex().encode()
            if _DECIMAL.fullmatch(digits) is None:
                raise FrameBroken("a length is not decimal digits")
            size = int(digits)
        if self._wire.length_counts_itself:
            size -= self._prefix
        if size < 0:
            raise FrameBroken("a length is less than its own")
        return size


def put_frame(wire: Wire, frame: Frame) -> bytes:
    """The bytes that carry a message. Raises `FrameBroken` if it is too long for its length."""
    size = len(frame.header) + len(frame.body)
    if wire.length_counts_itself:
        size += _LENGTHS[wire.length]
    if size > _LARGEST[wire.length]:
        raise FrameBroken(f"a message of {size} bytes is longer than its length can say")
    if wire.length == "binary":
        prefix = size.to_bytes(2, "big")
    else:
        digits = f"{size:04d}"
        prefix = digits.encode() if wire.length == "ascii" else bytes.fromhex(digits)
    return prefix + frame.header + frame.body


def first_header(wire: Wire) -> bytes:
    """The header of a message that begins a dialogue."""
    return _OWN[wire.header]


def answer_header(wire: Wire, header: bytes) -> bytes:
    """The header of an answer: a TPDU goes back to where it came from, any other as it is."""
    if wire.header == "tpdu":
        return header[:1] + header[3:5] + header[1:3]
    return header


def _split(wire: Wire, whole: bytes) -> Frame:
    size = _SIZES[wire.header]
    header = whole[:size]
    if len(header) < size:
        raise FrameBroken(f"{len(whole)} bytes hold no header")
    if wire.header == "tpdu" and header[0] != _TPDU:
        raise FrameBroken("a TPDU does not begin with 60")
    if wire.header == "iso" and _ISO.fullmatch(header) is None:
        raise FrameBroken("a header is not ISO and nine letters or digits")
    return Frame(header, whole[size:])
