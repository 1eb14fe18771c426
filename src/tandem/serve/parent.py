"""The parent: owns the database, binds the port, keeps workers running, stops everything in order.

Workers are started first and given their orders when the database is ready, so that they import
what they need in the meantime.
"""

import asyncio
import contextlib
import importlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import asyncpg
import msgspec
import structlog

from tandem.db import work
from tandem.db.locate import application_role, default_data_folder, open_database
from tandem.db.schema import up_to_date
from tandem.kernel import Currency, Refused, system_entropy
from tandem.keyring import (
    KeyringName,
    RotatingRing,
    keyring_name,
    load_keyring,
    open_or_create_keyring,
)
from tandem.ledger import OPERATOR_ID, money_left_out
from tandem.logs import Logs
from tandem.serve.acquirer import Acquirer, check_acquirer, open_acquirer
from tandem.serve.beat import replace_hung
from tandem.serve.errors import WorkersFailed
from tandem.serve.http import DRAIN_SECONDS
from tandem.serve.listen import open_sockets
from tandem.serve.order import READY, Order
from tandem.settings import Settings, can_be_public, read_settings

log = structlog.get_logger(__name__)

Progress = Callable[[str], None]
When = Literal["never", "first", "always"]

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0
HEALTHY_SECONDS: Final = 30.0
"""A worker that ran this long is replaced without a pause when it dies."""
STARTS: Final = 3
"""After how many deaths before the first readiness the parent gives up."""
STOP_SECONDS: Final = DRAIN_SECONDS + 10
"""How long a worker may take to stop before it is killed."""
_OURS: Final = "TANDEM_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to serve. `port` 0 takes any free one.

    `operator_key` says when one is made: at the `first` start of an installation, at each, or not
    (where what is printed is kept, so would the key be).
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    logs: Logs = field(default_factory=lambda: Logs(json=True))
    operator_key: When = "never"


class Found(NamedTuple):
    """What the database was found with. `new_key` is the operator's key, if one was made.

    `has_key` says whether the operator ever had a key; `left_out` what is there, in minor units, in
    currencies that the settings do not name.
    """

    new_key: str | None
    has_key: bool
    left_out: Sequence[tuple[Currency, int]]


@dataclass(frozen=True, slots=True)
class Server:
    """A running installation: workers are ready.

    `data` is the data folder (with another database, only the keys are there). `found` is what was
    found, and made, at the start.
    """

    url: str
    dsn: str
    data: Path
    settings: Settings
    found: "Found"
    workers: "Workers"
    failed: "asyncio.Future[Refused]"
    acquirer: Acquirer | None = None

    async def wait(self) -> None:
        """Wait for ever, or until it cannot go on: raises a `Refused` then."""
        raise await asyncio.shield(self.failed)


@asynccontextmanager
async def serving(
    options: Options, environment: Mapping[str, str], progress: Progress = lambda _: None
) -> AsyncIterator[Server]:
    """Serve for as long as the block lasts.

    `environment` is what Tandem goes by (TANDEM_…, HOME); `progress` is told what is waited for.
    Raises `Invalid` for settings, `ServeRefused`, a `DatabaseUnavailable`, a `KeyRingRefused`,
    `ModeMismatch`; `LinksUnusable`, `LinkKeyMissing` for the host of shops' terminals.
    """
    read_settings(environment)  # a mistake in it is told before anything is started
    failed: asyncio.Future[Refused] = asyncio.get_running_loop().create_future()

    def fail(refused: Refused) -> None:
        if not failed.done():
            failed.set_result(refused)

    async with AsyncExitStack() as stack:
        sockets = await open_sockets(options.host, options.port, options.workers)
        for sock in sockets:
            stack.callback(sock.close)
        url = _url(options.host, sockets[0])
        if can_be_public(url):
            environment = {"TANDEM_PUBLIC_URL": url, **environment}
        settings = read_settings(environment)
        data = default_data_folder(environment)
        acquirer = await open_acquirer(environment)
        for sock in () if acquirer is None else acquirer.sockets:
            stack.callback(sock.close)
        workers = Workers(sockets, fail, acquirer)
        workers.start()  # they load their code while the database starts, and so do we
        stack.push_async_callback(workers.stop)
        loaded = asyncio.create_task(asyncio.to_thread(importlib.import_module, "tandem.app"))
        progress("Starting the database")
        dsn = await stack.enter_async_context(
            open_database(environment, progress=progress, on_failure=fail)
        )
        stack.push_async_callback(workers.stop)  # before the database stops
        await loaded
        await _migrate(dsn, progress, application_role(environment))
        keys = keyring_name(environment, data)
        keyring = await open_keys(dsn, keys)
        found = await _look(dsn, settings, keyring, options.operator_key, acquirer)
        workers.order.set_result(Order(dsn, _settings_of(environment), keys, -1, options.logs))
        progress("Starting to answer requests")
        await _up(workers, failed)
        yield Server(url, dsn, data, settings, found, workers, failed, acquirer)


async def open_keys(dsn: str, name: KeyringName) -> RotatingRing:
    """The key ring of an installation; a new one only while nothing was ever sealed.

    Another machine of the same database, or one whose key file is lost, must not begin a ring of
    its own: nobody else could open what it seals. Raises a `KeyRingRefused`.
    """
    connection = await asyncpg.connect(dsn)
    try:
        sealed = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM devices) OR EXISTS (SELECT FROM webhook_endpoints) "
            "OR EXISTS (SELECT FROM card_keys) OR EXISTS (SELECT FROM link_keys) "
            "OR EXISTS (SELECT FROM tags) OR EXISTS (SELECT FROM checkout_settings)"
        )
    finally:
        await connection.close()
    if sealed:
        return load_keyring(name, system_entropy)
    return open_or_create_keyring(name, system_entropy)


async def _migrate(dsn: str, progress: Progress, role: str | None) -> None:
    if await up_to_date(dsn, role):
        return
    progress("Bringing the schema up to date")
    from tandem.db.migrate import upgrade  # noqa: PLC0415 - slow to load, and seldom needed

    await upgrade(dsn, progress, role=role)


async def _up(workers: "Workers", failed: asyncio.Future[Refused]) -> None:
    """Wait until all are ready. Raises what `failed` is told before that."""
    ready = asyncio.create_task(workers.ready.wait())
    waiting: list[asyncio.Future[Any]] = [ready, failed]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ready.cancel()
    if failed.done():
        raise failed.result()


def _url(host: str, sock: socket.socket) -> str:
    port: int = sock.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """What a worker reads its settings from: not where the database is, which it is told."""
    names = {f"{_OURS}{name.upper()}" for name in Settings.__annotations__}
    return {name: environment[name] for name in names if name in environment}


async def _look(
    dsn: str, settings: Settings, keyring: RotatingRing, when: When, acquirer: Acquirer | None
) -> Found:
    """What the database has; the operator's key, if one is to be made. Sees that the mode is right.

    Raises `ModeMismatch`, and what keeps links from being served.
    """
    from tandem.app import open_services  # noqa: PLC0415 - loaded while the database starts

    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(
            open_services(dsn, settings, keyring, background=False)
        )
        if acquirer is not None:
            await check_acquirer(acquirer, services)
        connection = await stack.enter_async_context(work(services.pool))
        left_out = await money_left_out(connection, settings)
        # Of several machines that start at once one makes it.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('first operator key'))")
        has_key = bool(await services.access.keys_of(connection, OPERATOR_ID, None, 1))
        if when == "never" or (when == "first" and has_key):
            return Found(None, has_key, left_out)
        made = await services.access.create(
            connection,
            kind="operator",
            owner_id=OPERATOR_ID,
            name="first key",
            scopes=["operator"],
        )
        return Found(made.secret, has_key=True, left_out=left_out)


class Workers:
    """Keeps one worker running for each socket, from `start` to `stop`.

    They are idle until `order` is set; its socket is each one's own, and the first one is the
    acquirer's host, if there is to be one. `fail` is told if they cannot be brought up.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        fail: Callable[[Refused], None],
        acquirer: Acquirer | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self.order: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._sockets = sockets
        self._fail = fail
        self._acquirer = None if acquirer is None else acquirer.order
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._up: set[int] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def pids(self) -> list[int]:
        """The workers that run now."""
        return [process.pid for process in self._running.values() if process.returncode is None]

    def start(self) -> None:
        """Start them."""
        self._keepers = [
            asyncio.create_task(self._keep(index), name=f"worker {index}")
            for index in range(len(self._sockets))
        ]

    async def stop(self) -> None:
        """Ask all to stop, wait, and kill those that do not. Cancelled, it kills at once.

        Harmless if they have stopped.
        """
        self._stopping = True
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._ended()
        except TimeoutError:
            log.warning("workers_killed", pids=self.pids)
        finally:
            self._signal(signal.SIGKILL)
            for keeper in self._keepers:
                keeper.cancel()
            await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _ended(self) -> None:
        await asyncio.gather(*(process.wait() for process in self._running.values()))

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)

    async def _keep(self, index: int) -> None:
        """Start the worker of one socket, and again whenever it ends."""
        loop = asyncio.get_running_loop()
        pauses = deaths = 0
        while not self._closing():
            began = loop.time()
            status = await self._run(index)
            if self._closing():
                return
            deaths += 1
            if index not in self._up and deaths >= STARTS:
                self._fail(WorkersFailed(status))
                return
            pauses = 0 if loop.time() - began > HEALTHY_SECONDS else pauses
            pause = min(FIRST_PAUSE_SECONDS * 2**pauses, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause if pauses else 0)
            pauses += 1

    async def _run(self, index: int) -> int:
        """Run a worker from its start to its end. Returns its exit status."""
        try:
            process = await self._start(index)
        except OSError as error:  # no room for a process
            log.error("worker_not_started", worker=index, reason=str(error))  # noqa: TRY400 - the reason is all there is to it
            return 1
        if await self._until_ready(process, index):
            self._up.add(index)
            log.info("worker_ready", worker=index, pid=process.pid)
            if len(self._up) == len(self._sockets):
                self.ready.set()
        watching = asyncio.create_task(
            replace_hung(process, index, asyncio.get_running_loop().time)
        )
        try:
            status = await process.wait()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        if not self._closing():
            log.error("worker_ended", worker=index, pid=process.pid, status=status)
        return status

    def _closing(self) -> bool:
        return self._stopping

    async def _start(self, index: int) -> asyncio.subprocess.Process:
        for_links = () if self._acquirer is None or index else self._acquirer.sockets
        kept = {name: text for name, text in os.environ.items() if not name.startswith(_OURS)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from the folder that we happen to stand in
            "-m",
            "tandem.serve.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=kept,
            pass_fds=(self._sockets[index].fileno(), *for_links),
            start_new_session=True,  # Ctrl-C in the terminal is ours alone
        )
        self._running[index] = process
        return process

    async def _until_ready(self, process: asyncio.subprocess.Process, index: int) -> bool:
        """Give the worker its order and wait until it listens; False if it ends before."""
        assert process.stdin is not None, "it was started with pipes"
        assert process.stdout is not None, "as above"
        order = await asyncio.shield(self.order)
        mine = msgspec.structs.replace(
            order,
            socket=self._sockets[index].fileno(),
            acquirer=self._acquirer if index == 0 else None,
        )
        with contextlib.suppress(OSError):  # it ended: its status tells
            process.stdin.write(msgspec.json.encode(mine) + b"\n")
            await process.stdin.drain()
        return await process.stdout.readline() == READY
