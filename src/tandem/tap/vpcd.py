"""The virtual smart card's protocol, both sides: how a device without a radio comes to a reader.

The card connects to the reader by TCP. Every message is a length of two bytes, big-endian, and so
many bytes. The reader speaks first, always:

    00  power off      01  power on      02  reset      no answer
    04  which ATR?                                      the ATR
    anything longer    a command                        the response and its status word

`present` is the device's side: it works with the virtual reader (vsmartcard's driver for pcscd) and
with `SocketField`, which is a reader of our own for two programs of one machine without pcscd.
Nothing here is authenticated: such a reader listens on loopback only.
"""

import select
import socket
from collections.abc import Callable
from typing import Final

from tandem.emv.terminal import Answer, Lost
from tandem.kernel import Entropy
from tandem.tap.errors import FieldUnusable, ReaderUnusable
from tandem.tap.transport import (
    CONTACTLESS_ATR,
    GET_UID,
    OK,
    RANDOM_UID,
    UID_BYTES,
    CardPort,
    Transport,
    acknowledge_at_once,
)

PORT: Final = 35963
"""The port of the virtual reader's first slot; the second one has the next."""
LOOPBACK: Final = "127.0.0.1"

_POWER_ON: Final = b"\x01"
WHICH_ATR: Final = b"\x04"
"""The reader's question for the ATR, and how the driver looks whether a card is there."""
LENGTH_BYTES: Final = 2
"""How long the length before each message is."""
_POWER_OFF: Final = b"\x00"
_RESET: Final = b"\x02"
_CONTROLS: Final = frozenset({_POWER_OFF, _POWER_ON, _RESET})
_LONGEST: Final = 0xFFFF
_SHORTEST_COMMAND: Final = 4
_LOOK_SECONDS: Final = 0.1
"""How often a device that nobody asks looks whether it is to leave."""


class Frames:
    """Messages over a connected socket, with its time limit. Raises `OSError` as sockets do."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        if connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self) -> bytes | None:
        """The next message; None if the connection ended, also in the middle of one."""
        head = self._exactly(LENGTH_BYTES)
        return None if head is None else self._exactly(int.from_bytes(head, "big"))

    def write(self, message: bytes) -> None:
        """Send a message. Raises `ValueError` above 65,535 bytes: a fault of the program."""
        if len(message) > _LONGEST:
            raise ValueError(f"{len(message)} bytes do not fit a message")
        self.connection.sendall(len(message).to_bytes(LENGTH_BYTES, "big") + message)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def _exactly(self, count: int) -> bytes | None:
        found = bytearray()
        while len(found) < count:
            part = self.connection.recv(count - len(found))
            acknowledge_at_once(self.connection)
            if not part:
                return None
            found += part
        return bytes(found)


class Presence:
    """A device in the field of a reader that it is connected to, until either ends it."""

    def __init__(self, card: CardPort, connection: socket.socket, entropy: Entropy) -> None:
        self._card = card
        self._frames = Frames(connection)
        self._uid = RANDOM_UID + entropy(UID_BYTES - len(RANDOM_UID))

    def serve(self, leave: Callable[[], bool] = lambda: False) -> None:
        """Answer until the reader ends the connection, or until `leave` says so between commands.

        A lost connection is an end, no error.
        """
        self._card.reset()
        try:
            while not leave():
                if not select.select([self._frames.connection], [], [], _LOOK_SECONDS)[0]:
                    continue
                message = self._frames.read()
                if message is None:
                    break
                answer = self._answer(message)
                if answer is not None:
                    self._frames.write(answer)
        except OSError:
            pass
        finally:
            self._card.reset()
            self._frames.close()

    def _answer(self, message: bytes) -> bytes | None:
        if message in _CONTROLS:
            self._card.reset()
            return None
        if message == WHICH_ATR:
            return CONTACTLESS_ATR
        if message[:_SHORTEST_COMMAND] == GET_UID:
            return self._uid + OK
        return self._card.exchange(message)


def connect(host: str, port: int, within_seconds: float = 3.0) -> socket.socket:
    """A connection to a reader, without a time limit from then on. Raises `FieldUnusable`."""
    try:
        connection = socket.create_connection((host, port), within_seconds)
    except OSError as error:
        reason = (error.strerror or str(error) or "nobody answers").lower()
        raise FieldUnusable(f"the reader at {host}:{port}", reason) from error
    connection.settimeout(None)
    return connection


class SocketField:
    """A reader of our own at a port of this machine, for one device at a time.

    A device that does not answer within `answer_seconds` is silent. Raises `ReaderUnusable` if the
    port cannot be had.
    """

    def __init__(self, port: int = PORT, *, answer_seconds: float = 2.0) -> None:
        self._answer_seconds = answer_seconds
        self._held: Frames | None = None
        try:
            self._listener = socket.create_server((LOOPBACK, port), backlog=1)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ReaderUnusable(f"port {port} cannot be listened on: {reason}") from error

    @property
    def port(self) -> int:
        """Where devices connect."""
        return int(self._listener.getsockname()[1])

    def wait(self, within_seconds: float) -> Transport | None:
        """A device that connects and says its ATR; one that stayed is powered on anew."""
        if self._held is None:
            self._listener.settimeout(within_seconds)
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                return None
            connection.settimeout(self._answer_seconds)
            self._held = Frames(connection)
        try:
            self._held.write(_POWER_ON)
            self._held.write(WHICH_ATR)
            atr = self._held.read()
        except OSError:
            atr = None
        if not atr:
            self._drop()
            return None
        return _Remote(self._held)

    def gone(self, within_seconds: float) -> bool:
        """Power the device off and wait until it goes."""
        if self._held is None:
            return True
        try:
            self._held.write(_POWER_OFF)
            self._held.connection.settimeout(within_seconds)
            left = self._held.read() is None
        except TimeoutError:
            self._held.connection.settimeout(self._answer_seconds)
            return False
        except OSError:
            left = True
        if left:
            self._drop()
        return left

    def close(self) -> None:
        """Listen no more."""
        self._drop()
        self._listener.close()

    def _drop(self) -> None:
        if self._held is not None:
            self._held.close()
        self._held = None


class _Remote:
    """A device at the other end of a socket. Once it is lost it stays so."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._lost: Lost | None = None

    def transmit(self, apdu: bytes) -> Answer:
        if self._lost is not None:
            return self._lost
        try:
            self._frames.write(apdu)
            answer = self._frames.read()
        except TimeoutError:
            # What it says later would be taken for the answer to another command.
            self._lost = Lost.SILENT
        except OSError:
            self._lost = Lost.TORN
        else:
            if answer is not None:
                return answer
            self._lost = Lost.TORN
        self._frames.close()
        return self._lost
