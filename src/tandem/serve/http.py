"""uvicorn as it serves Tandem: its signals, its end, and who is late (tandem.serve.protocol)."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

from uvicorn import Config
from uvicorn import Server as UvicornServer

from tandem.serve.protocol import BoundedHttp

DRAIN_SECONDS: Final = 20
"""How long requests that are under way may take when the server stops."""
BACKLOG: Final = 2048
_SWEEP_EVERY_TICKS: Final = 10


class Server(UvicornServer):
    """uvicorn's server; the process's signals are ours, and it says when it is up."""

    def __init__(
        self, config: Config, *, on_ready: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would end the process before the journal is closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End live updates first: uvicorn waits for open connections."""
        self._on_stop()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Once a second, end the connections whose client is too late."""
        if counter % _SWEEP_EVERY_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedHttp) and connection.late(now):
                    connection.transport.abort()  # to close is to wait until all is read
        return await super().on_tick(counter)


def configuration(app: Any, *, limit: int) -> Config:  # noqa: ANN401 - an ASGI application, as uvicorn takes it
    """How uvicorn serves Tandem. `limit` is how many connections one process holds.

    No access log: a line for each request costs more than deciding a payment. uvicorn believes
    nobody about a client's address, whatever its own environment says: tandem.web.proxies does.
    """
    return Config(
        app,
        interface="asgi3",
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=limit,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
