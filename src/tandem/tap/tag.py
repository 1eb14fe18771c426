"""A shop's URL on an NFC tag: NDEF on tags of Type 4 and Type 2, through any `Transport`.

Type 4 tags (NFC Forum, Type 4 Tag) have an application with a capability container and an NDEF
file, and speak the commands of ISO/IEC 7816-4. Type 2 tags (NTAG, Ultralight) have pages of four
bytes, which a PC/SC reader reads and writes by commands of its own (PC/SC part 3: READ BINARY and
UPDATE BINARY of class FF).

A Type 4 tag's length is written last and is zero meanwhile, so a tag that is taken away in between
is empty and never half a URL. It needs ndeflib, which is in the extra `tap`.
"""

from importlib import import_module
from typing import Any, Final, Protocol

from tandem.emv.apdu import MAX_RESPONSE_DATA, Command, Response, Status
from tandem.emv.errors import Malformed
from tandem.emv.terminal import Lost
from tandem.kernel import Invalid
from tandem.tap.errors import ReaderUnusable, TagUnusable
from tandem.tap.transport import Transport

MAX_URL: Final = 1000
APPLICATION: Final = bytes.fromhex("D2760000850101")
"""The name of the application of Type 4 tags."""
_CONTAINER: Final = bytes.fromhex("E103")
_CONTAINER_BYTES: Final = 15
_NDEF_CONTROL: Final = bytes.fromhex("0406")
_SELECT, _READ, _UPDATE, _OWN = 0xA4, 0xB0, 0xD6, 0xFF
_BY_NAME, _BY_ID, _NO_ANSWER = 0x04, 0x00, 0x0C
_LENGTH: Final = 2
_NOT_SATISFIED: Final = 0x6982
_OPEN: Final = 0x00
_MOST: Final = 240
_LEAST_READ: Final = 15
_LARGEST: Final = 0x7FFF
"""An offset within a file has 15 bits, and a tag gives 15 bytes at once at least."""

_PAGE: Final = 4
_FIRST_PAGE: Final = 4
_PAGES: Final = 256 - _FIRST_PAGE
"""Pages for data that can be reached: their number has one byte (the first sector)."""
_CONTAINER_PAGE: Final = 3
_MAGIC: Final = 0xE1
_NDEF, _END, _NULL = 0x03, 0xFE, 0x00
_LONG: Final = 0xFF
_READ_ONLY: Final = 0x0F


class Tag(Protocol):
    """A tag in the field."""

    def read(self) -> bytes:
        """The NDEF message, empty if there is none. Raises `TagUnusable`."""
        ...

    def write(self, message: bytes) -> None:
        """Write an NDEF message over the one that is there. Raises `TagUnusable`."""
        ...


def find_tag(transport: Transport) -> Tag:
    """The tag in the field, of whichever type it is. Raises `TagUnusable` if it is none."""
    answer = ask(transport, _select(_BY_NAME, _OPEN, APPLICATION, MAX_RESPONSE_DATA))
    if answer.ok:
        return Type4(transport)
    return Type2(transport)


def write_url(tag: Tag, url: str) -> None:
    """Put a URL on a tag and read it back. Raises `TagUnusable`, and `Invalid` for no such URL."""
    if not url.startswith(("https://", "http://")) or not url.isascii() or not url.isprintable():
        raise Invalid("url", "must begin with https:// or http://, in printable ASCII")
    if len(url) > MAX_URL or " " in url:
        raise Invalid("url", f"must have at most {MAX_URL} characters, and no spaces")
    ndef = ndeflib()
    message = b"".join(ndef.message_encoder([ndef.UriRecord(url)]))
    tag.write(message)
    if tag.read() != message:
        raise TagUnusable("what was written does not come back")


def read_url(tag: Tag) -> str | None:
    """The first URL on a tag, None if there is none. Raises `TagUnusable` if it is damaged."""
    ndef = ndeflib()
    try:
        records = list(ndef.message_decoder(tag.read()))
    except (ndef.DecodeError, ValueError) as error:
        raise TagUnusable("what is on it is no NDEF message") from error
    # as it stands on the tag: `uri` would write = and & otherwise
    found = [record.iri for record in records if isinstance(record, ndef.UriRecord)]
    return str(found[0]) if found else None


class Type4:
    """A Type 4 tag whose application is selected."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self) -> bytes:
        """The NDEF message."""
        self._file()
        length = int.from_bytes(self._part(0, _LENGTH), "big")
        if length > self._size - _LENGTH:
            raise TagUnusable("it says that more is on it than it holds")
        found = b""
        while len(found) < length:
            count = min(self._reads, length - len(found))
            found += self._part(_LENGTH + len(found), count)
        return found

    def write(self, message: bytes) -> None:
        """Write an NDEF message; its length last."""
        self._file()
        if not self._writable:
            raise TagUnusable("it is write-protected")
        if len(message) > self._size - _LENGTH:
            raise TagUnusable(
                f"it holds {self._size - _LENGTH} bytes, and this takes {len(message)}"
            )
        self._update(0, bytes(_LENGTH))
        for at in range(0, len(message), self._writes):
            self._update(_LENGTH + at, message[at : at + self._writes])
        self._update(0, len(message).to_bytes(_LENGTH, "big"))

    def _file(self) -> None:
        """Read the capability container, and select the NDEF file that it names."""
        _need(self._transport, _select(_BY_ID, _NO_ANSWER, _CONTAINER, None))
        container = self._part(0, _CONTAINER_BYTES)
        if len(container) != _CONTAINER_BYTES or container[7:9] != _NDEF_CONTROL:
            raise TagUnusable("it has no NDEF file")
        self._reads = min(_MOST, int.from_bytes(container[3:5], "big"))
        self._writes = min(_MOST, int.from_bytes(container[5:7], "big"))
        self._size = min(_LARGEST, int.from_bytes(container[11:13], "big"))
        self._writable = container[14] == _OPEN
        if container[13] != _OPEN or self._reads < _LEAST_READ or not self._writes:
            raise TagUnusable("it cannot be read")
        _need(self._transport, _select(_BY_ID, _NO_ANSWER, container[9:11], None))

    def _part(self, at: int, count: int) -> bytes:
        data = _need(self._transport, Command(0, _READ, at >> 8, at & 0xFF, b"", count))
        if len(data) != count:
            raise TagUnusable("it answers with less than it was asked for")
        return data

    def _update(self, at: int, data: bytes) -> None:
        _need(self._transport, Command(0, _UPDATE, at >> 8, at & 0xFF, data))


class Type2:
    """A Type 2 tag on a PC/SC reader. Raises `TagUnusable` if it is none, or not formatted."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        container = self._page(_CONTAINER_PAGE)
        if container[0] != _MAGIC:
            raise TagUnusable("it is no NDEF tag")
        self._size = min(container[2] * 8, _PAGES * _PAGE)
        self._writable = not container[3] & _READ_ONLY

    def read(self) -> bytes:
        """The NDEF message: the value of the first TLV of that kind."""
        held = b"".join(self._page(_FIRST_PAGE + n) for n in range(self._size // _PAGE))
        at = 0
        while at < len(held) and held[at] != _END:
            if held[at] == _NULL:
                at += 1
                continue
            length, start = self._length(held, at + 1)
            if start + length > len(held):
                raise TagUnusable("it says that more is on it than it holds")
            if held[at] == _NDEF:
                return held[start : start + length]
            at = start + length
        return b""

    def write(self, message: bytes) -> None:
        """Write an NDEF message; the page with its length last."""
        if not self._writable:
            raise TagUnusable("it is write-protected")
        long = len(message) >= _LONG
        length = b"\xff" + len(message).to_bytes(2, "big") if long else bytes((len(message),))
        block = bytes((_NDEF,)) + length + message + bytes((_END,))
        if len(block) > self._size:
            raise TagUnusable(f"it holds {self._size} bytes, and this takes {len(block)}")
        block += bytes(-len(block) % _PAGE)
        self._update(_FIRST_PAGE, bytes((_NDEF, 0, _END, 0)))
        for number in range(len(block) // _PAGE - 1, -1, -1):
            self._update(_FIRST_PAGE + number, block[number * _PAGE : (number + 1) * _PAGE])

    def _length(self, held: bytes, at: int) -> tuple[int, int]:
        """The length of a TLV, and where its value begins."""
        first = held[at : at + 1]
        if first == bytes((_LONG,)):
            return int.from_bytes(held[at + 1 : at + 3], "big"), at + 3
        return int.from_bytes(first, "big"), at + 1

    def _page(self, number: int) -> bytes:
        data = _need(self._transport, Command(_OWN, _READ, 0, number, b"", _PAGE))
        if len(data) < _PAGE:
            raise TagUnusable("it answers with less than it was asked for")
        return data[:_PAGE]  # some readers give four pages, whatever was asked

    def _update(self, number: int, data: bytes) -> None:
        _need(self._transport, Command(_OWN, _UPDATE, 0, number, data))


def _select(p1: int, p2: int, name: bytes, expected: int | None) -> Command:
    return Command(0, _SELECT, p1, p2, name, expected)


def ask(transport: Transport, command: Command) -> Response:
    """What the tag answers. Raises `TagUnusable` if it left, or answers with no response."""
    answer = transport.transmit(command.write())
    if isinstance(answer, Lost):
        raise TagUnusable("it was taken away")
    try:
        return Response.read(answer)
    except Malformed:
        raise TagUnusable("it answers with what is no response") from None


def _need(transport: Transport, command: Command) -> bytes:
    response = ask(transport, command)
    if response.status == _NOT_SATISFIED and command.ins == _UPDATE:
        raise TagUnusable("it is write-protected")
    if response.status != Status.OK:
        raise TagUnusable(f"it answers {response.status:04X}")
    return response.data


def ndeflib() -> Any:  # noqa: ANN401 -- found at run time
    """The module `ndef`. Raises `ReaderUnusable` if it is not installed."""
    try:
        return import_module("ndef")
    except ImportError:
        raise ReaderUnusable("ndeflib is not installed: pip install 'tandem-pay[tap]'") from None
