"""Why Tandem cannot be served.

Refused
└── ServeRefused         nothing is served
    ├── PortTaken        another program listens on the port
    ├── AddressUnusable  the address or the port cannot be listened on
    └── WorkersFailed    the processes that answer requests end before they are ready
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class ServeRefused(Refused):
    """Tandem cannot be served."""

    code: ClassVar[str] = "cannot_serve"


@dataclass(eq=False)
class PortTaken(ServeRefused):
    """Another program listens on the port."""

    code: ClassVar[str] = "port_taken"
    host: str
    port: int

    def sentence(self) -> str:
        """Say what to choose."""
        return (
            f"Another program listens on port {self.port} of {self.host}. Stop it, or choose "
            f"another port: --port {self.port + 1 if self.port < _LAST_PORT else 0}"
        )


@dataclass(eq=False)
class AddressUnusable(ServeRefused):
    """The address or the port cannot be listened on."""

    code: ClassVar[str] = "address_unusable"
    host: str
    port: int
    reason: str

    def sentence(self) -> str:
        """Give the reason and name what is safe."""
        return (
            f"Nothing can listen on port {self.port} of {self.host}: {self.reason}. Choose an "
            "address of this machine, such as 127.0.0.1, and a port from 1024 on."
        )


@dataclass(eq=False)
class WorkersFailed(ServeRefused):
    """The processes that answer requests end before they are ready. `status` is the exit status."""

    code: ClassVar[str] = "workers_failed"
    status: int

    def sentence(self) -> str:
        """Point to the log."""
        return (
            f"The processes that answer requests do not start (exit status {self.status}). "
            "The lines above say why."
        )


_LAST_PORT = 65535
