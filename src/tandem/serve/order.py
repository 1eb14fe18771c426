"""What a parent tells a worker, and what the worker answers when it listens."""

from typing import Final

import msgspec

from tandem.keyring import KeyringName
from tandem.serve.logs import Logs

READY: Final = b"ready\n"


class Order(msgspec.Struct, frozen=True):
    """The database, the settings (TANDEM_…), what names the keys, the descriptor of the socket."""

    dsn: str
    environment: dict[str, str]
    keyring: KeyringName
    socket: int
    logs: Logs
