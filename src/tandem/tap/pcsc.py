"""Readers through PC/SC: any USB reader (ACR122U, CCID), or the virtual one (`tandem.tap.virtual`).

It needs pyscard, which is an extra (`tap`): it is compiled against the system's PC/SC library.
`available` says what is missing. Commands go as they are; what the reader reports of the card is
told apart into a torn tap and a silence, everything else is the reader's own trouble.
"""

import queue
import threading
from importlib import import_module
from typing import Any, Final

from tandem.emv.terminal import Answer, Lost
from tandem.tap.errors import ReaderUnusable
from tandem.tap.transport import Transport

_MISSING: Final = (
    "pyscard is not installed; on Debian: apt-get install pcscd libpcsclite-dev swig gcc, and then "
    "pip install 'tandem-pay[tap]'"
)
_MS: Final = 1000
_TRY_SECONDS: Final = 0.1


def missing() -> str | None:
    """What is missing for PC/SC in one sentence, None if nothing is."""
    try:
        _scard()
    except ReaderUnusable as refused:
        return refused.reason
    return None


def readers() -> tuple[str, ...]:
    """The names of the readers. Raises `ReaderUnusable` without pyscard or without pcscd."""
    scard = _scard()
    context = _context(scard)
    try:
        return _listed(scard, context)
    finally:
        scard.SCardReleaseContext(context)


class PcscField:
    """A reader, by a part of its name; without one the only reader that there is.

    A card that does not answer within `answer_seconds` is silent. `close` lets go of the reader.
    Raises `ReaderUnusable`.
    """

    def __init__(self, name: str = "", *, answer_seconds: float = 2.0) -> None:
        self._scard = _scard()
        self._context = _context(self._scard)
        self._answer_seconds = answer_seconds
        self._card: _Card | None = None
        self._pause = threading.Event()
        try:
            self.name = self._choose(name)
        except ReaderUnusable:
            self.close()
            raise

    def wait(self, within_seconds: float) -> Transport | None:
        """A card on the reader, powered on anew."""
        self._release()
        for _ in range(max(1, round(within_seconds / _TRY_SECONDS))):
            if self._until(self._scard.SCARD_STATE_PRESENT, _TRY_SECONDS):
                if self._connect():
                    return self._card
                # It left and the reader has not noticed, or somebody else uses it for a moment.
                self._pause.wait(_TRY_SECONDS)
        return None

    def gone(self, within_seconds: float) -> bool:
        """Power the card off and wait until it is taken away."""
        self._release()
        return self._until(self._scard.SCARD_STATE_EMPTY, within_seconds)

    def close(self) -> None:
        """Let go of card and reader."""
        self._release()
        self._scard.SCardReleaseContext(self._context)

    def _connect(self) -> bool:
        scard = self._scard
        result, handle, protocol = scard.SCardConnect(
            self._context,
            self.name,
            scard.SCARD_SHARE_EXCLUSIVE,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
        )
        if result == scard.SCARD_S_SUCCESS:
            self._card = _Card(scard, handle, protocol, self._answer_seconds)
            return True
        return False

    def _choose(self, name: str) -> str:
        found = [each for each in _listed(self._scard, self._context) if name in each]
        if not found:
            raise ReaderUnusable(f"none is called {name!r}" if name else "none is connected")
        return found[0]

    def _release(self) -> None:
        if self._card is not None:
            self._card.release()
        self._card = None

    def _until(self, wanted: int, within_seconds: float) -> bool:
        """Wait until the reader is in this state. Raises `ReaderUnusable` if it is not there."""
        scard, state = self._scard, self._scard.SCARD_STATE_UNAWARE
        limit_ms = max(1, int(within_seconds * _MS))
        while True:
            result, states = scard.SCardGetStatusChange(
                self._context, limit_ms if state else 0, [(self.name, state)]
            )
            if result == scard.SCARD_E_TIMEOUT and state:
                return False
            if result not in {scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT}:
                raise ReaderUnusable(f"{self.name}: {_words(scard, result)}")
            ((_, now, _),) = states
            if now & wanted and not now & scard.SCARD_STATE_MUTE:
                return True
            if now & (scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_UNKNOWN):
                raise ReaderUnusable(f"{self.name} was unplugged")
            if state and state == now & ~scard.SCARD_STATE_CHANGED:
                return False
            state = now & ~scard.SCARD_STATE_CHANGED


class _Card:
    """A card on a reader. What is lost stays lost."""

    def __init__(self, scard: Any, handle: Any, protocol: Any, limit_seconds: float) -> None:  # noqa: ANN401 -- pyscard has no types
        self._scard = scard
        self._handle = handle
        self._protocol = (
            scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
        )
        self._limit_seconds = limit_seconds
        self._commands: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[int, list[int]]] = queue.SimpleQueue()
        self._lost: Lost | None = None
        # PC/SC has no time limit of its own, and a call that hangs cannot be taken back.
        self._worker = threading.Thread(target=self._work, name="pcsc card", daemon=True)
        self._worker.start()

    def transmit(self, apdu: bytes) -> Answer:
        if self._lost is not None:
            return self._lost
        self._commands.put(apdu)
        try:
            result, answer = self._answers.get(timeout=self._limit_seconds)
        except queue.Empty:
            self._lost = Lost.SILENT
            return self._lost
        if result == self._scard.SCARD_S_SUCCESS and answer:
            return bytes(answer)
        # Whatever the reader calls it, what it said was not answered and nobody knows how far it
        # came: a torn tap. Readers name the same removal in five different ways, and the virtual
        # one calls it a success without an answer.
        self._lost = Lost.TORN
        return self._lost

    def release(self) -> None:
        hangs, self._lost = self._lost is Lost.SILENT, self._lost or Lost.TORN
        self._commands.put(None)
        if not hangs:
            self._worker.join(self._limit_seconds)

    def _work(self) -> None:
        while (apdu := self._commands.get()) is not None:
            self._answers.put(
                tuple(self._scard.SCardTransmit(self._handle, self._protocol, list(apdu)))
            )
        self._scard.SCardDisconnect(self._handle, self._scard.SCARD_UNPOWER_CARD)


def _scard() -> Any:  # noqa: ANN401 -- pyscard has no types
    try:
        return import_module("smartcard.scard")
    except ImportError:
        raise ReaderUnusable(_MISSING) from None


def _context(scard: Any) -> Any:  # noqa: ANN401 -- pyscard has no types
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result != scard.SCARD_S_SUCCESS:
        raise ReaderUnusable(f"pcscd does not answer ({_words(scard, result)})")
    return context


def _listed(scard: Any, context: Any) -> tuple[str, ...]:  # noqa: ANN401 -- pyscard has no types
    result, names = scard.SCardListReaders(context, [])
    if result == scard.SCARD_E_NO_READERS_AVAILABLE:
        return ()
    if result != scard.SCARD_S_SUCCESS:
        raise ReaderUnusable(_words(scard, result))
    return tuple(names)


def _words(scard: Any, result: int) -> str:  # noqa: ANN401 -- pyscard has no types
    return str(scard.SCardGetErrorMessage(result)).rstrip(".").lower()
