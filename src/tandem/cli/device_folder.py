"""What the commands of `tandem device` have in common: the folder, the vault, secrets typed."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tandem.db.locate import default_data_folder
from tandem.emv.card import Tap
from tandem.kernel import SystemClock, system_entropy
from tandem.tap import Device, DeviceStore, Vault
from tandem.tap.provisioning import connected

Folder = Annotated[Path | None, Parameter(help="The device's folder, if not the usual one.")]
_LARGEST: Final = 1 << 20


@contextmanager
def store(folder: Path | None) -> Iterator[DeviceStore]:
    """The device's folder, open."""
    with DeviceStore(folder or default_data_folder(os.environ) / "device", system_entropy) as kept:
        yield kept


@contextmanager
def device(folder: Path | None, on_tap: Callable[[Tap], None] = lambda _: None) -> Iterator[Device]:
    """The device, with its cards."""
    with store(folder) as kept:
        yield Device(kept, SystemClock(), system_entropy, on_tap)


@contextmanager
def vault(folder: Path | None) -> Iterator[tuple[DeviceStore, Vault]]:
    """The device's folder, and the vault that it is connected to. Raises `NotConnected`."""
    with store(folder) as kept, Vault(connected(kept)) as reached:
        yield kept, reached


def secret(prompt: str) -> str:
    """A line that is not shown; from a pipe as it comes."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt).strip()
    return sys.stdin.readline(_LARGEST).strip()
