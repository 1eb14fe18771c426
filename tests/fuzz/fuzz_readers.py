"""What stands at the radio: tags that answer anything, and readers that send any blocks."""

from contextlib import suppress
from typing import Final

from bytes_in import Taken

from tandem.emv.terminal import Answer, Lost
from tandem.tap.errors import TagUnusable
from tandem.tap.isodep import IsoDepCard
from tandem.tap.tag import find_tag, read_url, write_url

_URL: Final = "https://pay.example/s/1"
_MOST: Final = 6_000
"""Commands: more than the largest tag of either type takes, with the smallest parts."""


class _Odd:
    """A tag that answers what the fuzzer says, then the last of that again and again."""

    def __init__(self, data: bytes) -> None:
        self._taken = Taken(data)
        self._last: Answer = b"\x90\x00"
        self.count = 0

    def transmit(self, apdu: bytes) -> Answer:
        self.count += 1
        assert self.count <= _MOST
        assert apdu
        if self._taken:
            kind = self._taken.byte()
            piece = self._taken.piece()
            self._last = (piece + b"\x90\x00", piece, Lost.TORN)[0 if kind < 200 else kind % 3]
        return self._last


def tag(data: bytes) -> None:
    """A tag is read and written to, or refused; a loop that does not end is a finding."""
    for wanted in (False, True):
        odd = _Odd(data)
        with suppress(TagUnusable):
            found = find_tag(odd)
            if wanted:
                write_url(found, _URL)
                assert read_url(found) in {_URL, None} or odd.count
            else:
                read_url(found)


class _Port:
    def __init__(self) -> None:
        self.commands: list[bytes] = []

    def exchange(self, apdu: bytes) -> bytes:
        self.commands.append(apdu)
        return (apdu * 40)[:258]

    def reset(self) -> None:
        self.commands.clear()


def isodep(data: bytes) -> None:
    """A card answers a block with one that fits the frame, or is silent."""
    taken = Taken(data)
    card = IsoDepCard(_Port())
    size = 16
    while taken:
        block = taken.piece()
        answer = card.block(block)
        if len(block) == 2 and block[0] == 0xE0:
            size = (16, 24, 32, 40, 48, 64, 96, 128, 256)[min(block[1] >> 4, 8)]
        elif answer is not None:
            assert 1 <= len(answer) <= size - 2
