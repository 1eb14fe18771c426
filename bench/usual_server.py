"""A process that serves the usual way as Tandem's worker serves Tandem: the same uvicorn.

It is told what Tandem's worker is told (`tandem.serve.order.Order`, a line on its standard input),
and serves until it is terminated or its standard input ends.
"""

import asyncio
import signal
import socket
import sys

import msgspec
import uvloop

from bench.usual_app import UsualApp, open_usual_pool
from tandem.app import tune_process
from tandem.kernel import Ids, SystemClock, system_entropy
from tandem.serve.http import Server, configuration
from tandem.serve.order import READY, Order
from tandem.settings import read_settings

_CONNECTIONS = 10_000


async def serve(order: Order) -> None:
    """Serve until told to stop."""
    clock = SystemClock()
    pool = await open_usual_pool(order.dsn)
    app = UsualApp(pool, clock, Ids(clock, system_entropy), read_settings(order.environment))
    server = Server(
        configuration(app, limit=_CONNECTIONS),
        on_ready=lambda: print(READY.decode(), end="", flush=True),
        on_stop=lambda: None,
    )

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_reader(sys.stdin.fileno(), stop)  # nothing more is written to it: it ended
    tune_process()
    with socket.socket(fileno=order.socket) as listening:
        await server.serve([listening])
    await pool.close()


def main() -> None:
    """Read the order and serve."""
    uvloop.run(serve(msgspec.json.decode(sys.stdin.readline(), type=Order)))


if __name__ == "__main__":
    main()
