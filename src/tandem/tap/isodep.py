"""ISO-DEP, the card's side: commands in blocks over the radio (ISO/IEC 14443-4, 5 and 7). Pure.

The reader asks for the protocol (RATS) and is told what the card can do (ATS). Then each command
comes in one I-block or in several, chained; so does each answer. Blocks have a number of one bit;
what is lost is asked for again by an R-block, and a card says nothing of itself, ever: to what it
cannot read it is silent, and the reader asks again.
"""

from typing import Final

from tandem.tap.transport import CardPort

ATS: Final = bytes.fromhex("057880B000")
"""Blocks up to 256 bytes, one bit rate, 620 ms to answer (FWI 11), neither CID nor NAD."""
MAX_COMMAND: Final = 4 + 1 + 255 + 1
"""The longest command, in bytes; what gets longer by chaining is no command."""

_RATS: Final = 0xE0
_FRAME_SIZES: Final = (16, 24, 32, 40, 48, 64, 96, 128, 256)
"""Bytes of a whole frame by FSDI (table 1)."""
_AROUND: Final = 3
"""Bytes of a frame beside what it carries: the PCB, and two of CRC."""
_I, _R_ACK, _DESELECT = 0x02, 0xA2, 0xC2
_I_MASK: Final = 0xEE
_CHAINED: Final = 0x10
_NUMBER: Final = 0x01
_R_MASK: Final = 0xEE
_NAK: Final = 0x10


class IsoDepCard:
    """A card in the field, from RATS to DESELECT: a block comes in, and one goes out, or none."""

    def __init__(self, card: CardPort) -> None:
        self._card = card
        self._size = 0
        self._begin(0)
        self._active = False

    def block(self, received: bytes) -> bytes | None:
        """The answer to a block without its CRC; None is silence. Nothing that comes raises."""
        if len(received) == 2 and received[0] == _RATS:  # noqa: PLR2004 -- 5.6.1: the start byte and one of parameters
            self._begin(received[1] >> 4)
            return ATS
        if not received or not self._active:
            return None
        control = received[0]
        if control & _I_MASK == _I:
            return self._information(control, received[1:])
        if control & _R_MASK == _R_ACK and len(received) == 1:
            return self._acknowledged(control)
        if received == bytes((_DESELECT,)):
            self._active = False
            self._card.reset()
            return received
        return None

    def _begin(self, size: int) -> None:
        self._card.reset()
        self._size = _FRAME_SIZES[min(size, len(_FRAME_SIZES) - 1)] - _AROUND
        self._number = 1  # rule D: the first block that comes makes it 0
        self._command = bytearray()
        self._answer = b""
        self._last: bytes | None = None
        self._active = True

    def _information(self, control: int, data: bytes) -> bytes | None:
        """An I-block (rules E, 2 and 10)."""
        if control & _NUMBER == self._number and self._last is not None:
            return None  # it came already, and whoever missed the answer asks for that
        self._number ^= 1
        self._command += data
        if len(self._command) > MAX_COMMAND:
            self._active = False
            return None
        if control & _CHAINED:
            return self._send(bytes((_R_ACK | self._number,)))
        command, self._command = bytes(self._command), bytearray()
        self._answer = self._card.exchange(command)
        return self._next()

    def _acknowledged(self, control: int) -> bytes | None:
        """An R-block (rules 11, 12 and 13)."""
        if control & _NUMBER == self._number:
            return self._last
        if control & _NAK:
            return bytes((_R_ACK | self._number,))
        if not self._answer:
            return None
        self._number ^= 1
        return self._next()

    def _next(self) -> bytes:
        """The next part of the answer, chained if there is more."""
        part, self._answer = self._answer[: self._size], self._answer[self._size :]
        chained = _CHAINED if self._answer else 0
        return self._send(bytes((_I | chained | self._number,)) + part)

    def _send(self, block: bytes) -> bytes:
        self._last = block
        return block
