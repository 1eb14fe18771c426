"""A worker: one process that answers requests. Run as `python -m tandem.serve.worker`.

Its parent writes one line of JSON, an `Order`, to its standard input and keeps that open: when it
closes, the parent is gone and the worker ends. (What a process is given in its arguments or its
environment, others of the machine or of the user can read.) When it listens it writes `ready` and
a newline to its standard output, and from then on its beat (tandem.serve.beat).
"""

import asyncio
import os
import resource
import signal
import socket
import sys
from typing import Final

import msgspec
import structlog
import uvloop

from tandem.app import open_services, operations, tune_process
from tandem.kernel import Refused, system_entropy
from tandem.keyring import load_keyring
from tandem.logs import set_up_logs
from tandem.serve.acquirer import acquirer_running
from tandem.serve.beat import beat
from tandem.serve.http import Server, configuration
from tandem.serve.order import READY, Order
from tandem.settings import read_settings
from tandem.web.application import create_app
from tandem.web.faces import built_files

log = structlog.get_logger(__name__)

ORPHAN_SECONDS: Final = 2
"""How long a worker without a parent may take to end."""
_FILES: Final = 65_536
_SPARE_FILES: Final = 200
_LONGEST_ORDER: Final = 1 << 20


def main() -> int:
    """Serve until told to stop. Returns the exit status."""
    order = _read_order()
    if order is None:
        return 0  # the parent ended before it had anything to do for us
    set_up_logs(order.logs)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(order))
    except Refused as refused:
        log.error("worker_cannot_serve", code=refused.code, reason=refused.sentence())  # noqa: TRY400 - a refusal, not a fault
        return 1
    return 0


def _read_order() -> Order | None:
    text = b""
    while not text.endswith(b"\n"):
        part = os.read(0, 65_536)
        if not part or len(text) > _LONGEST_ORDER:
            return None
        text += part
    return msgspec.json.decode(text, type=Order)


async def _serve(order: Order) -> None:
    settings = read_settings(order.environment)
    keyring = load_keyring(order.keyring, system_entropy)
    loop = asyncio.get_running_loop()
    beating: set[asyncio.Task[None]] = set()

    def ready() -> None:
        os.write(1, READY)
        beating.add(loop.create_task(beat()))  # to the very end: stopping may hang, too

    files = _files() - _SPARE_FILES
    for_links = 0 if order.acquirer is None else files // 2
    async with (
        open_services(order.dsn, settings, keyring) as services,
        acquirer_running(order.acquirer, services, for_links) as stop_acquirer,
    ):
        app = create_app(services, operations(settings), built=built_files())
        config = configuration(app, limit=files - for_links)
        server = Server(config, on_ready=ready, on_stop=app.stop)

        def stop() -> None:
            stop_acquirer()
            server.should_exit = True

        def orphaned() -> None:
            if not os.read(0, 4096):
                # Its database goes too, if it is the embedded one: nothing to wait for.
                loop.remove_reader(0)
                config.timeout_graceful_shutdown = 1
                loop.call_later(ORPHAN_SECONDS, os._exit, 1)
                stop()

        loop.add_signal_handler(signal.SIGTERM, stop)
        loop.add_signal_handler(signal.SIGINT, stop)
        loop.add_reader(0, orphaned)
        tune_process()
        with socket.socket(fileno=order.socket) as listening:
            await server.serve([listening])


def _files() -> int:
    """Let this process open more files: each connection is one. Returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(soft, 2 * _SPARE_FILES)


if __name__ == "__main__":
    sys.exit(main())
