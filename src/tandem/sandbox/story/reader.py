"""The till's reader in the story: PC/SC where the virtual reader runs, else within this process."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Protocol

from tandem.kernel import Entropy
from tandem.tap import (
    Device,
    DirectField,
    Field,
    FieldUnusable,
    Presence,
    ReaderUnusable,
    pcsc,
    virtual,
)
from tandem.tap.vpcd import LOOPBACK, PORT, connect

_SEEN_SECONDS = 3.0
_GOES_SECONDS = 5.0


class Reader(Protocol):
    """A reader, and a device that can be held to it."""

    name: str

    @property
    def field(self) -> Field:
        """The reader as a terminal has it."""
        ...

    def holding(self, device: Device) -> contextlib.AbstractContextManager[None]:
        """Hold the device to it, for as long as the block lasts."""
        ...


class _InProcess:
    """No reader at all: commands go from the terminal to the device by a call."""

    name = "within this process; with a virtual reader, through PC/SC"

    def __init__(self, device: Device) -> None:
        self.field = DirectField(device)

    @contextlib.contextmanager
    def holding(self, device: Device) -> Iterator[None]:
        """It is there whenever the terminal looks."""
        del device
        yield


class _Pcsc:
    """The virtual reader: pcscd, and the device connected to its driver as a card."""

    name = "through PC/SC: pcscd with a virtual reader"

    def __init__(self, entropy: Entropy) -> None:
        self.field = pcsc.PcscField(virtual.NAME)
        self._entropy = entropy

    @contextlib.contextmanager
    def holding(self, device: Device) -> Iterator[None]:
        """Connect it to the driver, in a thread of its own."""
        leave = threading.Event()
        presence = Presence(device, connect(LOOPBACK, PORT), self._entropy)
        thread = threading.Thread(target=presence.serve, args=(leave.is_set,), name="held phone")
        thread.start()
        try:
            yield
        finally:
            leave.set()
            thread.join(_GOES_SECONDS)


@contextlib.contextmanager
def reader_for(device: Device, entropy: Entropy) -> Iterator[Reader]:
    """The reader that there is: the virtual one if it can really be used."""
    found: _Pcsc | None = None
    if pcsc.missing() is None and virtual.ready():
        with contextlib.suppress(ReaderUnusable, FieldUnusable):
            found = _Pcsc(entropy)
            with found.holding(device):
                # Somebody else's device may be on it.
                if found.field.wait(_SEEN_SECONDS) is None:
                    found.field.close()
                    found = None
    if found is None:
        yield _InProcess(device)
        return
    try:
        yield found
    finally:
        found.field.close()
