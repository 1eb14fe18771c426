"""The radio layer without a radio: nfcpy's reader over UDP, our card in its field."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from emv_tap import NOW
from tandem.emv.terminal import Lost, Result, Why
from tandem.kernel import ManualClock, system_entropy
from tandem.tap import CardPort, Device, Transport, radio
from tap_play import device_in, pay

pytestmark = [
    pytest.mark.skipif(radio.missing() is not None, reason=f"NFC: {radio.missing()}"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with device_in(tmp_path / "device", ManualClock(NOW)) as made:
        yield made


@pytest.fixture
def path() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"udp:127.0.0.1:{probe.getsockname()[1]}"


def test_a_tap_over_the_radio_layer_is_approved(device: Device, path: str) -> None:
    leave = threading.Event()
    thread = threading.Thread(
        target=radio.present, args=(device, path, system_entropy, leave.is_set)
    )
    thread.start()
    field = radio.RadioField(path)
    try:
        transport = field.wait(5)
        assert transport is not None
        assert pay(transport).result is Result.APPROVED
        leave.set()
        thread.join(10)
        assert isinstance(transport.transmit(b"\x00\xa4\x04\x00"), Lost)
    finally:
        leave.set()
        field.close()
        thread.join(10)
    assert not thread.is_alive()


class Gone(Exception):
    """The device is taken out of the field."""


class Until:
    """A device to which something happens instead of its answer to a later command."""

    def __init__(self, device: Device, after: int, happens: Callable[[], object]) -> None:
        self.device, self.left, self.happens = device, after, happens

    def exchange(self, apdu: bytes) -> bytes:
        if not self.left:
            self.happens()
        self.left -= 1
        return self.device.exchange(apdu)

    def reset(self) -> None:
        self.device.reset()


@pytest.mark.parametrize("after", [1, 3])
def test_a_device_that_is_taken_away_is_tapped_again(device: Device, path: str, after: int) -> None:
    def leaves() -> None:
        raise Gone

    field = radio.RadioField(path)
    try:
        with presented(Until(device, after, leaves), path):
            torn = pay(found(field))
            assert (torn.result, torn.why) == (Result.TRY_AGAIN, Why.SILENT)
        assert field.gone(1)
        with presented(device, path):
            assert pay(found(field)).result is Result.APPROVED
    finally:
        field.close()


def test_a_device_that_falls_silent_is_tapped_again(device: Device, path: str) -> None:
    speaks = threading.Event()
    field = radio.RadioField(path)
    try:
        with presented(Until(device, 2, speaks.wait), path):
            try:
                silent = pay(found(field))
                assert (silent.result, silent.why) == (Result.TRY_AGAIN, Why.SILENT)
            finally:
                speaks.set()
    finally:
        field.close()


def test_a_device_that_wants_to_leave_ends_its_answer_first(device: Device, path: str) -> None:
    """It leaves because it decided: the terminal is to hear what."""
    decided = threading.Event()

    class Decides(Until):
        def exchange(self, apdu: bytes) -> bytes:
            if apdu.startswith(b"\x80\xae"):
                decided.set()
            return super().exchange(apdu)

    field = radio.RadioField(path)
    try:
        with presented(Decides(device, -1, lambda: None), path, decided):
            assert pay(found(field)).result is Result.APPROVED
            assert decided.is_set()
    finally:
        field.close()


def test_a_device_that_has_paid_pays_no_second_time_in_the_same_presentation(
    device: Device, path: str
) -> None:
    """A reader that goes on at once may be one that takes twice."""
    decided, made = threading.Event(), 0

    class Counts(Until):
        def exchange(self, apdu: bytes) -> bytes:
            nonlocal made
            if apdu.startswith(b"\x80\xae"):
                made += 1
                decided.set()
            return super().exchange(apdu)

    field = radio.RadioField(path)
    try:
        with presented(Counts(device, -1, lambda: None), path, decided):
            transport = found(field)
            assert pay(transport).result is Result.APPROVED
            assert pay(transport).result is not Result.APPROVED
            assert isinstance(transport.transmit(b"\x00\xa4\x04\x00"), Lost)
    finally:
        field.close()
    assert made == 1


@contextmanager
def presented(card: CardPort, path: str, away: threading.Event | None = None) -> Iterator[None]:
    """The card at this path, until it is taken away or the block ends."""
    leave = away or threading.Event()

    def be_there() -> None:
        with suppress(Gone):
            radio.present(card, path, system_entropy, leave.is_set)

    thread = threading.Thread(target=be_there)
    thread.start()
    try:
        yield
    finally:
        leave.set()
        thread.join()


def found(field: radio.RadioField) -> Transport:
    """The card in the field, as soon as it is seen."""
    while (transport := field.wait(1)) is None:
        pass
    return transport


def test_an_empty_field_is_empty(path: str) -> None:
    field = radio.RadioField(path)
    assert field.wait(1) is None
    assert field.gone(1)
    field.close()
