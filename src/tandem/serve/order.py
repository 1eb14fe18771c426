"""What a parent tells a worker, and what the worker answers when it listens."""

from typing import Final

import msgspec

from tandem.keyring import KeyringName
from tandem.logs import Logs
from tandem.serve.acquirer import AcquirerOrder

READY: Final = b"ready\n"


class Order(msgspec.Struct, frozen=True):
    """The database, the settings (TANDEM_…), what names the keys, the descriptor of the socket.

    `acquirer` is for the one worker that is the host of shops' terminals.
    """

    dsn: str
    environment: dict[str, str]
    keyring: KeyringName
    socket: int
    logs: Logs
    acquirer: AcquirerOrder | None = None
