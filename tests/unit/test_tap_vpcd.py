"""The virtual smart card's protocol: a device and a reader of a socket each, and bad manners."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_tap import NOW, Device, seeded
from tandem.emv.terminal import Lost, Result
from tandem.kernel import ManualClock
from tandem.tap import Presence
from tandem.tap.transport import CONTACTLESS_ATR
from tandem.tap.vpcd import Frames, _Remote
from tap_play import pay


class Port:
    """The tests' device as a port, with what happened to it."""

    def __init__(self) -> None:
        self.device = Device(clock=ManualClock(NOW))
        self.resets = 0

    def exchange(self, apdu: bytes) -> bytes:
        return self.device.transmit(apdu)

    def reset(self) -> None:
        self.resets += 1
        self.device.card.reset()


@contextmanager
def field(port: Port | None = None) -> Iterator[tuple[Frames, threading.Thread]]:
    """A device that is present, and the reader's end of the line to it."""
    ours, theirs = socket.socketpair()
    presence = Presence(port or Port(), theirs, seeded())
    thread = threading.Thread(target=presence.serve)
    thread.start()
    ours.settimeout(5)
    frames = Frames(ours)
    try:
        yield frames, thread
    finally:
        frames.close()
        thread.join(5)
        assert not thread.is_alive()


def test_a_tap_over_frames_is_approved() -> None:
    with field() as (frames, _):
        frames.write(b"\x01")
        frames.write(b"\x04")
        assert frames.read() == CONTACTLESS_ATR
        assert pay(_Remote(frames)).result is Result.APPROVED


def test_a_reader_asks_for_the_uid_and_gets_a_random_one() -> None:
    with field() as (frames, _):
        frames.write(bytes.fromhex("FFCA000000"))
        answer = frames.read()
        assert answer is not None
        assert (answer[0], len(answer), answer[-2:]) == (0x08, 6, b"\x90\x00")


def test_power_and_reset_begin_anew_and_are_not_answered() -> None:
    port = Port()
    with field(port) as (frames, _):
        for control in (b"\x00", b"\x01", b"\x02"):
            frames.write(control)
        frames.write(b"\x04")
        assert frames.read() == CONTACTLESS_ATR
        assert port.resets == 1 + 3


@given(parts=st.lists(st.binary(max_size=20), max_size=8))
def test_whatever_comes_the_device_ends_in_peace(parts: list[bytes]) -> None:
    with field() as (frames, thread):
        for part in parts:
            frames.connection.sendall(part)
        frames.connection.shutdown(socket.SHUT_WR)
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.parametrize("cut", [b"", b"\x00", b"\x00\x05", b"\x00\x05\x90"])
def test_half_an_answer_is_a_torn_tap(cut: bytes) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(cut)
    theirs.shutdown(socket.SHUT_WR)
    remote = _Remote(Frames(ours))
    assert remote.transmit(b"\x00\xa4\x04\x00") is Lost.TORN
    assert remote.transmit(b"\x00\xa4\x04\x00") is Lost.TORN
    theirs.close()


def test_no_answer_in_time_is_a_silence_and_a_late_one_is_not_taken() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.05)
    remote = _Remote(Frames(ours))
    assert remote.transmit(b"\x00\xa4\x04\x00") is Lost.SILENT
    with pytest.raises(BrokenPipeError):
        theirs.sendall(b"\x00\x02\x90\x00")
    assert remote.transmit(b"\x00\xb2\x01\x0c") is Lost.SILENT
    theirs.close()


def test_a_device_leaves_when_it_wants_to() -> None:
    ours, theirs = socket.socketpair()
    Presence(Port(), theirs, seeded()).serve(lambda: True)
    assert ours.recv(1) == b""
    ours.close()


def test_what_does_not_fit_a_frame_is_a_fault_of_the_program() -> None:
    ours, theirs = socket.socketpair()
    with pytest.raises(ValueError, match="do not fit"):
        Frames(ours).write(bytes(65_536))
    ours.close()
    theirs.close()
