"""The radio layer, by nfcpy: a device as a Type 4A card, and a reader for one.

A path names what is used, as nfcpy has it: `udp:127.0.0.1:54321` needs no hardware, `usb` finds a
reader with a PN532, PN533 or RC-S380, which can also be a card (an ACR122U can't). It needs nfcpy,
which is in the extra `tap`.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final

from tandem.emv.apdu import Ins, Status
from tandem.emv.terminal import Answer, Lost
from tandem.kernel import Entropy
from tandem.tap.errors import ReaderUnusable
from tandem.tap.isodep import IsoDepCard
from tandem.tap.transport import RANDOM_UID, UID_BYTES, CardPort, Transport

UDP: Final = "udp:127.0.0.1:54321"

_MISSING: Final = "nfcpy is not installed: pip install 'tandem-pay[tap]'"
_SENS_RES: Final = bytes.fromhex("0101")
_SEL_RES: Final = b"\x20"
"""ISO/IEC 14443-4 is understood."""
_LISTEN_SECONDS: Final = 0.5
_SENSE_SECONDS: Final = 1.0
_BLOCK_SECONDS: Final = 5.0
_REFUSED: Final = Status.CONDITIONS_NOT_SATISFIED.to_bytes(2, "big")


def missing() -> str | None:
    """What is missing for nfcpy in one sentence, None if nothing is."""
    try:
        _nfc()
    except ReaderUnusable as refused:
        return refused.reason
    return None


def present(
    card: CardPort, path: str, entropy: Entropy, leave: Callable[[], bool] = lambda: False
) -> None:
    """Be a Type 4A card at this path until `leave` says so. Raises `ReaderUnusable`."""
    nfc = _nfc()
    frontend = _open(nfc, path)
    try:
        while not leave():
            target = nfc.clf.LocalTarget("106A")
            target.sens_res = bytearray(_SENS_RES)
            target.sdd_res = bytearray(RANDOM_UID + entropy(UID_BYTES - len(RANDOM_UID)))
            target.sel_res = bytearray(_SEL_RES)
            found = _heard(nfc, partial(frontend.listen, target, _LISTEN_SECONDS))
            if found is not None and found.tt4_cmd:
                _converse(nfc, frontend, card, bytes(found.tt4_cmd), leave)
    finally:
        frontend.close()


def _converse(
    nfc: Any,  # noqa: ANN401 -- nfcpy has no types
    frontend: Any,  # noqa: ANN401 -- nfcpy has no types
    card: CardPort,
    first: bytes,
    leave: Callable[[], bool],
) -> None:
    """Answer blocks until the field is gone; who wants to leave waits until nothing more is asked.

    The answer that decides a payment is made before it is sent, and may have several parts. What
    begins another payment in the same presentation is refused, and ends it.
    """
    presented = _Presented(card, leave)
    protocol = IsoDepCard(presented)
    answer = protocol.block(first)
    while answer is not None:
        seconds = _LISTEN_SECONDS if leave() else _BLOCK_SECONDS
        received = _heard(nfc, partial(frontend.exchange, bytearray(answer), seconds))
        if received is None or presented.over:
            break
        answer = protocol.block(bytes(received))
    card.reset()


class _Presented:
    """The card in one presentation: once it wants to leave, it is selected no more."""

    def __init__(self, card: CardPort, leave: Callable[[], bool]) -> None:
        self._card = card
        self._leave = leave
        self.over = False

    def exchange(self, apdu: bytes) -> bytes:
        if apdu[1:2] == Ins.SELECT.to_bytes() and self._leave():
            self.over = True
            return _REFUSED
        return self._card.exchange(apdu)

    def reset(self) -> None:
        self._card.reset()


class RadioField:
    """A reader at this path. Raises `ReaderUnusable`.

    Over the radio a card that left and one that says nothing look the same: both are silent.
    """

    def __init__(self, path: str = UDP) -> None:
        self._nfc = _nfc()
        self._frontend = _open(self._nfc, path)

    def wait(self, within_seconds: float) -> Transport | None:
        """A Type 4 card that answers."""
        for _ in range(max(1, round(within_seconds / _SENSE_SECONDS))):
            target = self._sensed()
            if target is None:
                continue
            tag = _heard(self._nfc, partial(self._nfc.tag.activate, self._frontend, target))
            if tag is not None and tag.type == "Type4Tag":
                return _Tag(self._nfc, tag)
        return None

    def gone(self, within_seconds: float) -> bool:
        """Whether nobody answers any more."""
        looks = max(1, round(within_seconds / _SENSE_SECONDS))
        return any(self._sensed() is None for _ in range(looks))

    def _sensed(self) -> Any:  # noqa: ANN401 -- nfcpy has no types
        remote = self._nfc.clf.RemoteTarget("106A")
        return _heard(self._nfc, partial(self._frontend.sense, remote))

    def close(self) -> None:
        """Switch the field off."""
        self._frontend.close()


class _Tag:
    """A Type 4 card. What is lost stays lost."""

    def __init__(self, nfc: Any, tag: Any) -> None:  # noqa: ANN401 -- nfcpy has no types
        self._nfc = nfc
        self._tag = tag
        self._lost: Lost | None = None

    def transmit(self, apdu: bytes) -> Answer:
        if self._lost is not None:
            return self._lost
        try:
            return bytes(self._tag.transceive(apdu))
        except self._nfc.tag.TagCommandError as error:
            timeout = error.errno == self._nfc.tag.TIMEOUT_ERROR
            self._lost = Lost.SILENT if timeout else Lost.TORN
        except (self._nfc.clf.Error, OSError):
            self._lost = Lost.TORN
        return self._lost


def _heard(nfc: Any, what: Callable[[], Any]) -> Any:  # noqa: ANN401 -- nfcpy has no types
    """What comes of it; None if the other side is lost meanwhile."""
    try:
        return what()
    except (nfc.clf.CommunicationError, nfc.tag.TagCommandError):
        return None


def _nfc() -> Any:  # noqa: ANN401 -- nfcpy has no types
    try:
        import_module("nfc.clf")
        import_module("nfc.tag")
        return import_module("nfc")
    except ImportError:
        raise ReaderUnusable(_MISSING) from None


def _open(nfc: Any, path: str) -> Any:  # noqa: ANN401 -- nfcpy has no types
    try:
        return nfc.ContactlessFrontend(path)
    except (OSError, ValueError) as error:
        raise ReaderUnusable(f"{path}: {getattr(error, 'strerror', None) or error}") from error
