"""The host: listens, lets links in, and stops without leaving anything half done.

    async with Host(settings, authoriser, keys, context) as host:
        ...

Everything that it decides is in `session` (the dialogue) and `clerk` (the money); here are sockets,
tasks and limits.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final, Self

import structlog

from tandem.acquiring.clerk import Clerk
from tandem.acquiring.connection import Connection
from tandem.acquiring.desk import Context, LinkState, Ticket
from tandem.acquiring.keys import KeyStore
from tandem.acquiring.links import Directory, HostSettings, Listener
from tandem.acquiring.model import Authoriser
from tandem.acquiring.session import Session
from tandem.acquiring.tls import check_certificates, fingerprint, tls_context

log = structlog.get_logger(__name__)

SWEEP_SECONDS: Final = 0.5
STOP_SECONDS: Final = 20.0
"""How long requests under way are waited for when the host stops."""
_AT_ONCE: Final = 500
_READ_BYTES: Final = 16 * 1024
_KERNEL_BYTES: Final = 64 * 1024
"""What the kernel may keep for a peer that does not read; by itself it takes megabytes."""
_HANDSHAKE_SECONDS: Final = 5.0
_BACKLOG: Final = 1024
_CLOSE_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.1


class Host:
    """The ISO 8583 host of some links. Raises `LinksUnusable` if their settings cannot be.

    Without `sockets` it opens its own, else it has one for each listener, from `open_listeners`: so
    they outlive it, and who connects while another takes over has to wait a moment and no more.
    Whether links have their keys is seen when they are used (`check_keys` sees it before).

    `counts` are those that belong to no link: connections taken and refused. Each link has its own.
    """

    def __init__(
        self,
        settings: HostSettings,
        authoriser: Authoriser,
        keys: KeyStore,
        context: Context,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self.buffer = memoryview(bytearray(_READ_BYTES))
        self.clerk = Clerk(authoriser)
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._listeners = settings.listeners
        self._context = context
        self._directory = Directory(settings.links)
        self._states = {link.name: LinkState(link, keys) for link in settings.links}
        self._connections: dict[Connection, str] = {}
        self._addresses: Counter[str] = Counter()
        self._newcomers: dict[str, dict[Connection, None]] = {
            link.name: {} for link in settings.links
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening: set[asyncio.Task[Any]] = set()
        self._sockets = list(sockets)
        self._runners: list[asyncio.Task[None]] = []
        self._empty = asyncio.Event()
        self._day: date | None = None
        self._time: Callable[[], float] = lambda: 0.0
        check_certificates(settings)

    async def __aenter__(self) -> Self:
        """Listen. Raises `OSError` if a port cannot be had."""
        self._time = asyncio.get_running_loop().time
        self._day = self._context.business_day()
        contexts = [None if one.tls is None else tls_context(one.tls) for one in self._listeners]
        self._sockets = self._sockets or open_listeners(self._settings)
        runs = [
            self._accept(*given)
            for given in zip(self._sockets, self._listeners, contexts, strict=True)
        ]
        self._runners += [
            asyncio.create_task(run, name="acquiring") for run in (*runs, self._sweep())
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take nothing new, answer what is under way, close."""
        await self.stop()

    @property
    def ports(self) -> list[int]:
        """The ports that it listens on, in the order of the listeners."""
        return [listening.getsockname()[1] for listening in self._sockets]

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def under_way(self) -> int:
        """How many requests are being decided."""
        return len(self._tasks)

    def link_counts(self) -> Mapping[str, Mapping[str, int]]:
        """What was counted for each link: messages, answers by code, refusals by code."""
        return {
            name: {**state.counts, "connections": state.connections}
            for name, state in self._states.items()
        }

    # -- new connections -------------------------------------------------------------------------

    async def _accept(
        self, listening: socket.socket, listener: Listener, tls: ssl.SSLContext | None
    ) -> None:
        """Take connections. Strangers and those above a limit go before they cost a handshake."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except OSError as error:
                # No file left for it, or it was gone before we came.
                self.counts["accepts_failed"] += 1
                log.warning("a connection could not be taken", error=repr(error))
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            connection = Connection(self, listener.port, str(peer[0]), loop.time)
            if self._wanted(connection):
                self._remember(connection)
                self._open(connection, accepted, tls)
            else:
                accepted.close()
            await asyncio.sleep(0)  # a flood of connections must not keep the others waiting

    def _open(
        self, connection: Connection, accepted: socket.socket, tls: ssl.SSLContext | None
    ) -> None:
        with contextlib.suppress(OSError):  # gone already; that shows in a moment
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        opening = asyncio.create_task(
            asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if tls else None,
            )
        )
        self._opening.add(opening)
        opening.add_done_callback(partial(self._opened, connection, accepted))

    def _opened(
        self, connection: Connection, accepted: socket.socket, opening: asyncio.Task[Any]
    ) -> None:
        """Clean up if it came to nothing: the peer left, or the handshake failed."""
        self._opening.discard(opening)
        error = None if opening.cancelled() else opening.exception()
        if error is not None:
            self.counts["handshakes_failed"] += 1
            log.info("a connection failed to open", peer=connection.address, error=repr(error))
        if error is not None or opening.cancelled():
            self._forget(connection)
            accepted.close()

    def _wanted(self, connection: Connection) -> bool:
        if not self._directory.expects(connection.port, connection.address):
            self.counts["strangers"] += 1
            return False
        full = len(self._connections) >= self._settings.connections
        crowded = self._addresses[connection.address] >= self._settings.per_address
        if crowded or (full and not self._makes_room(max(self._newcomers.values(), key=len))):
            self.counts["connections_above_limit"] += 1
            return False
        return True

    def _makes_room(self, newcomers: dict[Connection, None]) -> bool:
        """Send away the oldest connection that has not signed on; False if there is none.

        Else whoever opens connections and says nothing would shut out those who mean it.
        """
        while newcomers:
            oldest = next(iter(newcomers))
            del newcomers[oldest]
            if oldest.session is not None and not oldest.session.established:
                self.counts["connections_gave_way"] += 1
                self.left(oldest, "it gave way before its sign-on")
                oldest.transport.abort()
                return True
        return False

    def _remember(self, connection: Connection) -> None:
        self._connections[connection] = connection.address
        self._addresses[connection.address] += 1
        self._empty.clear()

    def _forget(self, connection: Connection) -> bool:
        """Count it no more; False if it was forgotten before."""
        address = self._connections.pop(connection, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
        if not self._connections:
            self._empty.set()
        return address is not None

    # -- what connections ask for ----------------------------------------------------------------

    def admit(self, connection: Connection) -> Session | None:
        """The session of a new connection; None if it is a stranger, or one too many."""
        address = connection.address
        certificate = fingerprint(connection.transport)
        links = self._directory.candidates(connection.port, address, certificate)
        if not links:
            self.counts["strangers"] += 1
            return None
        states = tuple(self._states[link.name] for link in links)
        lead, newcomers = states[0], self._newcomers[links[0].name]
        full = lead.connections >= lead.link.limits.connections
        if full and not self._makes_room(newcomers):
            self.counts["connections_above_limit"] += 1
            return None
        lead.connections += 1
        newcomers[connection] = None
        self.counts["connections"] += 1
        return Session(states, self._context, self._time())

    def left(self, connection: Connection, reason: str) -> None:
        """A connection is gone."""
        if self._forget(connection) and connection.session is not None:
            lead = connection.session.lead
            lead.connections -= 1
            self._newcomers[lead.link.name].pop(connection, None)
            address = connection.address
            log.info("a link's connection ended", link=lead.link.name, peer=address, reason=reason)

    def work(self, connection: Connection, ticket: Ticket) -> None:
        """Have a request decided beside the others."""
        task = asyncio.create_task(connection.answer(ticket), name="acquiring request")
        self._tasks.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.counts["faults"] += 1
            log.error("answering failed", exc_info=task.exception())

    # -- time ------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Close what is overdue, test links that are quiet, tell of a new business day."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._look_around()
            except Exception:
                self.counts["faults"] += 1
                log.exception("looking after the connections failed")

    async def _look_around(self) -> None:
        today = self._context.business_day()
        new_day = today != self._day
        self._day = today
        for at, connection in enumerate(list(self._connections), 1):
            self._look_at(connection, today if new_day else None)
            if at % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _look_at(self, connection: Connection, new_day: date | None) -> None:
        session, now = connection.session, self._time()
        if session is None or connection.transport.is_closing():
            return
        reason = connection.overdue(now)
        if reason is not None:
            self.counts["connections_overdue"] += 1
            connection.close(reason)
            return
        connection.send(session.echo(now))
        if new_day is not None:
            connection.send(session.cutover(new_day, now))

    async def stop(self, within_seconds: float = STOP_SECONDS) -> None:
        """Stop: take nothing new, answer what is under way, close; what takes longer is ended."""
        await _end([*self._runners, *self._opening])
        self._stop_listening()
        for connection in list(self._connections):
            connection.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_seconds)
            await _end(late)
        await self.clerk.stop()
        for connection in list(self._connections):
            connection.close("the host stops")
        if self._connections:
            await self._closed()

    async def _closed(self) -> None:
        """Let the connections send what is written; those that do not read are cut."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.transport.abort()
            await self._empty.wait()

    def _stop_listening(self) -> None:
        for listening in self._sockets:
            listening.close()


def open_listeners(settings: HostSettings) -> list[socket.socket]:
    """Sockets that listen, one for each listener. Raises `OSError` if a port cannot be had."""
    made: list[socket.socket] = []
    try:
        made.extend(map(_listening, settings.listeners))
    except BaseException:
        for listening in made:
            listening.close()
        raise
    return made


def _listening(listener: Listener) -> socket.socket:
    """A socket that listens. `::` takes connections of both families."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    both = listener.host == "::" and socket.has_dualstack_ipv6()
    made = socket.create_server(
        (listener.host, listener.port), family=family, backlog=_BACKLOG, dualstack_ipv6=both
    )
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BYTES)  # those accepted have it
    made.settimeout(0)
    return made


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
