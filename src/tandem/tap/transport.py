"""What carries commands to a card and answers back: one call, whatever is between.

A `Transport` is a card in the field, seen by the reader. A `Field` is the reader: it waits for a
card. A `CardPort` is the other side: what a device answers with. All of them block; a program that
does more at the same time runs a tap in a thread.

    Direct            the device in the same process
    vpcd.SocketField  a device in another process, over a socket of this machine
    pcsc.PcscField    a USB reader, or the virtual one
    radio.RadioField  nfcpy: a reader of its own kind, or UDP without any hardware
"""

import socket
from datetime import timedelta
from typing import Final, Protocol

from tandem.emv.apdu import Status
from tandem.emv.terminal import Answer, Lost
from tandem.kernel import Clock

CONTACTLESS_ATR: Final = bytes.fromhex("3B80800101")
"""The ATR that a reader makes for a contactless card without historical bytes (PC/SC part 3)."""
GET_UID: Final = bytes.fromhex("FFCA0000")
"""The reader's own command for the card's UID, without its Le (PC/SC part 3)."""
UID_BYTES: Final = 4
RANDOM_UID: Final = b"\x08"
"""What a UID begins with that is made anew for each field (ISO/IEC 14443-3)."""
OK: Final = Status.OK.to_bytes(2, "big")


class Transport(Protocol):
    """A card in the field."""

    def transmit(self, apdu: bytes) -> Answer:
        """The card's answer, `Lost.TORN` if it left, `Lost.SILENT` if it says nothing in time."""
        ...


class Field(Protocol):
    """A reader."""

    def wait(self, within_seconds: float) -> Transport | None:
        """Switch the field on and wait for a card; None if none came. Raises `ReaderUnusable`."""
        ...

    def gone(self, within_seconds: float) -> bool:
        """Let go of the card and wait until it left; False if it is still there."""
        ...


class CardPort(Protocol):
    """A device as the field reaches it."""

    def exchange(self, apdu: bytes) -> bytes:
        """Answer a command. Nothing that comes from a reader raises."""
        ...

    def reset(self) -> None:
        """The field is new, or gone."""
        ...


class Direct:
    """A device of this process in the field. `tear` ends it, as taking the phone away does."""

    def __init__(self, card: CardPort) -> None:
        self._card = card
        self._there = True
        card.reset()

    def transmit(self, apdu: bytes) -> Answer:
        """Ask the device."""
        return self._card.exchange(apdu) if self._there else Lost.TORN

    def tear(self) -> None:
        """Take the device out of the field."""
        self._there = False
        self._card.reset()


class InTime:
    """A card that is given so many seconds for a whole tap: after them it is silent.

    Each answer has a limit of its own already; a card that stays just below it could otherwise keep
    a reader busy for minutes. Nothing is sent after the time is over, so no cryptogram is lost.
    """

    def __init__(self, card: Transport, clock: Clock, seconds: float) -> None:
        self._card = card
        self._clock = clock
        self._until = clock.now() + timedelta(seconds=seconds)

    def transmit(self, apdu: bytes) -> Answer:
        """Ask the card, if there is time."""
        return Lost.SILENT if self._clock.now() >= self._until else self._card.transmit(apdu)


class DirectField:
    """A reader in whose field a device of this process is, whenever it is asked for."""

    def __init__(self, card: CardPort) -> None:
        self._card = card
        self._held: Direct | None = None

    def wait(self, within_seconds: float) -> Transport | None:  # noqa: ARG002 -- it is there at once
        """The device."""
        self._held = Direct(self._card)
        return self._held

    def gone(self, within_seconds: float) -> bool:  # noqa: ARG002 -- it goes at once
        """Take it out."""
        if self._held is not None:
            self._held.tear()
        self._held = None
        return True


def acknowledge_at_once(connection: socket.socket) -> None:
    """Send TCP acknowledgements without delay from here on, until the kernel forgets.

    It forgets whenever it likes, so this is called after every read. Without it each command waits
    40 ms: readers send length and body apart (Nagle's algorithm meets delayed acknowledgement).
    """
    option = getattr(socket, "TCP_QUICKACK", None)  # Linux only; elsewhere it is slower
    if option is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
        connection.setsockopt(socket.IPPROTO_TCP, option, 1)
