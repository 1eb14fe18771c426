"""The radio layer without a radio: nfcpy's reader over UDP, our card in its field."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emv_tap import NOW
from tandem.emv.terminal import Lost, Result
from tandem.kernel import ManualClock, system_entropy
from tandem.tap import Device, radio
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


def test_an_empty_field_is_empty(path: str) -> None:
    field = radio.RadioField(path)
    assert field.wait(1) is None
    assert field.gone(1)
    field.close()
