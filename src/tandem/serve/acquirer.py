"""The acquirer's host within an installation: its settings, its sockets, and who serves it.

One process at a time does, the first worker: what its links are limited to, and the order of their
answers, is then one thing. The sockets are the parent's, so they outlive that worker: when it dies,
the next one takes what waits at them. Each machine of an installation has a host of its own if it
is configured; what makes a payment happen once stands in the database, so a terminal may go to any.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog

from tandem.kernel import Refused, read_id

if TYPE_CHECKING:
    from tandem.acquiring import HostSettings
    from tandem.app import Services

log = structlog.get_logger(__name__)

VARIABLE: Final = "TANDEM_ACQUIRING_CONFIG"
_PATIENCE_SECONDS: Final = 3.0
"""Workers of a parent that was killed need a moment to let the ports go."""
_LOOK_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 5.0
_LOOPBACK: Final = ("127.", "localhost", "::1")


class AcquirerOrder(msgspec.Struct, frozen=True):
    """For the worker that serves it: the settings as JSON, a descriptor for each listener."""

    settings: str
    sockets: tuple[int, ...]


class Acquirer(NamedTuple):
    """The host that an installation is configured with: settings, and sockets that listen."""

    settings: "HostSettings"
    sockets: tuple[socket.socket, ...]

    @property
    def order(self) -> AcquirerOrder:
        """What the worker is told."""
        text = msgspec.json.encode(self.settings).decode()
        return AcquirerOrder(text, tuple(sock.fileno() for sock in self.sockets))

    @property
    def addresses(self) -> str:
        """Where it listens, for people."""
        shown = []
        for listener, sock in zip(self.settings.listeners, self.sockets, strict=True):
            host = f"[{listener.host}]" if ":" in listener.host else listener.host
            tls = " (TLS)" if listener.tls else ""
            shown.append(f"{host}:{sock.getsockname()[1]}{tls}")
        return ", ".join(shown)

    @property
    def unguarded(self) -> tuple[str, ...]:
        """The links that nothing but an address protects, though others may reach them."""
        listeners = self.settings.listeners
        if all(listener.host.startswith(_LOOPBACK) for listener in listeners):
            return ()
        guarded = all(listener.tls and listener.tls.clients for listener in listeners)
        return () if guarded else tuple(one.name for one in self.settings.links if one.mac is None)


async def open_acquirer(environment: Mapping[str, str]) -> Acquirer | None:
    """Read the file that TANDEM_ACQUIRING_CONFIG names, and listen; None if it names none.

    Raises `LinksUnusable` for settings, certificates and ports that cannot be used.
    """
    given = environment.get(VARIABLE, "")
    if not given:
        return None
    from tandem.acquiring import (  # noqa: PLC0415 - slow to load, and not everybody has terminals
        LinksUnusable,
        check_files,
        open_listeners,
        read_links,
    )

    settings = await asyncio.to_thread(read_links, Path(given))
    check_files(settings)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while True:
        try:
            return Acquirer(settings, tuple(open_listeners(settings)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or loop.time() > deadline:
                ports = ", ".join(f"{one.host}:{one.port}" for one in settings.listeners)
                reason = (error.strerror or str(error)).lower()
                raise LinksUnusable(f"nothing can listen on {ports}: {reason}") from error
        await asyncio.sleep(_LOOK_SECONDS)


async def check_acquirer(acquirer: Acquirer, services: "Services") -> None:
    """See that its links have their keys, and that there are the tills that they name.

    Raises `LinkKeyMissing`, `LinksUnusable`.
    """
    from tandem.acquiring import LinksUnusable, check_keys  # noqa: PLC0415 - as above

    await services.link_keys.read()
    check_keys(acquirer.settings.links, services.link_keys)
    async with services.pool.acquire() as connection:
        for link in acquirer.settings.links:
            for terminal, till in link.tills.items():
                if not await connection.fetchval(
                    "SELECT EXISTS (SELECT FROM tills WHERE id = $1)", read_id("til", till, "tills")
                ):
                    raise LinksUnusable(f"{link.name}: terminal {terminal}: there is no {till}")


@asynccontextmanager
async def acquirer_running(
    order: AcquirerOrder | None, services: "Services", most_connections: int
) -> AsyncIterator[Callable[[], None]]:
    """Serve as the order says, if there is one. Yields what begins to stop it.

    It serves before the block begins. What keeps it from serving is logged and tried again: people
    who pay by scan need no terminal.
    """
    if order is None:
        yield lambda: None
        return
    begun, stopping = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        _serve(order, services, most_connections, begun, stopping), name="acquirer's host"
    )
    try:
        await begun.wait()
        yield stopping.set
    finally:
        stopping.set()
        await task


async def _serve(
    order: AcquirerOrder,
    services: "Services",
    most_connections: int,
    begun: asyncio.Event,
    stopping: asyncio.Event,
) -> None:
    from tandem.acquiring import HostSettings  # noqa: PLC0415 - as above
    from tandem.app import open_host  # noqa: PLC0415 - the parent loads it later

    settings = msgspec.json.decode(order.settings, type=HostSettings)
    most = min(settings.connections, most_connections)
    settings = msgspec.structs.replace(settings, connections=most)
    while not stopping.is_set():
        try:
            async with open_host(services, settings, list(map(_again, order.sockets))):
                log.info("acquirer_ready", links=len(settings.links), connections=most)
                begun.set()
                await stopping.wait()
        except Refused as refused:
            log.error("acquirer_cannot_serve", code=refused.code, reason=refused.sentence())  # noqa: TRY400 - a refusal, not a fault
        except Exception:
            log.exception("acquirer_failed")
        begun.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _AGAIN_SECONDS)


def _again(descriptor: int) -> socket.socket:
    """The socket as one that can be closed: the parent's own stays open."""
    made = socket.socket(fileno=os.dup(descriptor))
    made.settimeout(0)
    return made
