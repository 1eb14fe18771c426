"""The supervisor: PostgreSQL as a child process of ours, for as long as we live.

It is started in the data folder, watched, started again when it dies, stopped when we stop, and
should we be killed, the kernel tells it to stop. What an earlier run left is put right first.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

import asyncpg
import structlog

from tandem.db.embedded import cluster
from tandem.db.embedded.account import Account, server_account
from tandem.db.embedded.folder import (
    FolderLock,
    check_socket,
    dsn,
    held,
    make_socket_folder,
    prepare,
    resolved,
)
from tandem.db.embedded.log import ServerLog
from tandem.db.embedded.process import Process, clear_stale, first_closed, left_over, spawn
from tandem.db.embedded.software import Software, within_reach
from tandem.db.errors import (
    DatabaseUnavailable,
    DatabaseUnreachable,
    DataFolderClosed,
    DiskFull,
    ServerFailed,
    ServerSlow,
)

Progress: TypeAlias = Callable[[str], None]
"""Is told, in words for a person, what is being waited for."""

START_LIMIT_S: Final = 600.0
"""How long a start may take: replaying the log after a crash can take minutes."""
STOP_LIMIT_S: Final = 60.0
"""How long a fast shutdown may take (it writes what is in memory) before it is forced."""
RESTARTS: Final = 6
"""After how many starts in a row that failed the supervisor gives up."""
HEALTHY_S: Final = 60.0
"""A server that ran this long is started again without a pause when it dies."""

_FORCED_S: Final = 15.0
_REPORT_EVERY_S: Final = 3.0
_LOG_EVERY_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0
_ATTACH_LIMIT_S: Final = 15.0
_STILL_DYING: Final = ("pre-existing shared memory block", "lock file")
"""What PostgreSQL says while something of the one before it is not gone yet."""
_NOT_READY: Final = (
    OSError,  # no socket yet, nobody listens on it, or it went away
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InternalClientError,
)
_DIED: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver raises if the server dies between two messages
)

log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """The embedded server of one data folder.

    Start it once, from the thread that will live longest (PostgreSQL is told to stop when that
    thread ends), and stop it; or use it as an asynchronous context manager.
    """

    def __init__(
        self,
        data: Path,
        *,
        progress: Progress | None = None,
        start_limit_s: float = START_LIMIT_S,
        stop_limit_s: float = STOP_LIMIT_S,
    ) -> None:
        self.data = resolved(data)
        self.dsn = dsn(self.data, cluster.ROLE, cluster.ROLE)
        self._progress: Progress = progress or (lambda _: None)
        self._start_limit_s = start_limit_s
        self._stop_limit_s = stop_limit_s
        self._lock = FolderLock(self.data)
        self._log = ServerLog(self.data / "log")
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._failure: asyncio.Future[DatabaseUnavailable] | None = None
        self._launch: Callable[[], Process] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process and self._process.running else None

    async def start(self) -> str:
        """Start the server, making or recovering its cluster. Returns the database's URL.

        Raises a `DatabaseUnavailable`; whatever had been started is stopped again then.
        """
        if self._launch is not None:
            message = "an EmbeddedPostgres is started once"
            raise RuntimeError(message)
        account = server_account(self.data)
        prepare(self.data)
        await self._lock.take()
        try:
            self._launch = await self._set_up(account)
            await self._bring_up()
        except BaseException:
            await self.stop()
            raise
        self._failure = asyncio.get_running_loop().create_future()
        self._watch = asyncio.create_task(self._supervise(self._failure))
        self._watch.add_done_callback(self._watched)
        return self.dsn

    async def stop(self) -> None:
        """Stop the server cleanly and give the data folder back. Harmless when it is not up."""
        try:
            if self._watch is not None:
                self._watch.cancel()
                await asyncio.wait([self._watch])
                self._watch = None
            if self._process is not None:
                await _end(self._process, self._stop_limit_s, self._progress)
                self._process = None
        finally:
            self._launch = None
            self._log.close()
            self._lock.release()

    def _watched(self, watch: "asyncio.Task[None]") -> None:
        # A supervisor that fails by a mistake of ours must not do so in silence.
        error = None if watch.cancelled() else watch.exception()
        if error is not None and self._failure is not None:
            log.critical("postgres_unwatched", exc_info=error)
            self._failure.set_result(ServerFailed(repr(error), self._log.path))

    async def failure(self) -> DatabaseUnavailable:
        """Wait until the supervisor gives up, and return why. It may be cancelled at any time."""
        if self._failure is None:
            message = "the server was not started"
            raise RuntimeError(message)
        return await asyncio.shield(self._failure)

    async def _set_up(self, account: Account) -> Callable[[], Process]:
        """Everything before the server runs. Returns what starts it."""
        folder = self.data / "postgres"
        closed = await asyncio.to_thread(first_closed, account, self.data)
        # The end of the path is passed by its mode 0711; what is closed lies above it.
        if closed is not None and closed != self.data:
            raise DataFolderClosed(self.data, closed, account.name)
        cluster.sweep(self.data)
        chosen = cluster.software_for(folder)
        software = await asyncio.to_thread(within_reach, chosen, self.data, account)
        sockets = make_socket_folder(self.data, account)
        configuration = cluster.write_configuration(self.data, software, sockets)
        self._log.open()
        if not folder.exists():
            self._progress("Making a new database (about a second)")
            await cluster.initialise(self.data, software, account)
        else:
            await self._end_left_over(folder, account)

        def launch() -> Process:
            clear_stale(folder, sockets, account)
            return self._spawn(software, account, configuration)

        return launch

    def _spawn(self, software: Software, account: Account, configuration: Path) -> Process:
        command = [str(software.program("postgres")), "-D", str(self.data / "postgres")]
        command += ["-c", f"config_file={configuration}"]
        # SIGINT is a fast shutdown: sessions end, everything is written, no recovery is needed.
        return spawn(command, account, output=self._log.descriptor, last_wish=signal.SIGINT)

    async def _end_left_over(self, folder: Path, account: Account) -> None:
        # Not adopted: we could not reap it, its settings may be an older Tandem's, and its
        # sessions may still be finishing what a dead process asked for.
        process = left_over(folder, account)
        if process is not None:
            log.warning("postgres_left_over", pid=process.pid)
            self._progress("Stopping the PostgreSQL that an earlier run left")
            await _end(process, self._stop_limit_s, self._progress)

    async def _bring_up(self) -> None:
        """Start the process and wait until it takes statements, again and again if it has to.

        A server that was killed leaves sessions that hold its shared memory for a moment; until
        they are gone a new one refuses to start. Anything else fails at once.
        """
        if self._launch is None:
            message = "the server is not set up"
            raise RuntimeError(message)
        for pause in (*(_FIRST_PAUSE_S * 2**n for n in range(RESTARTS)), None):
            self._log.mark()
            self._process = self._launch()
            try:
                await self._until_ready(self._process)
            except ServerFailed as error:
                if pause is None or not any(sign in error.reason for sign in _STILL_DYING):
                    raise
                await asyncio.sleep(pause)
            else:
                log.info("postgres_ready", pid=self._process.pid)
                return

    async def _until_ready(self, process: Process) -> None:
        """Wait until the process takes statements, and see that the database is there."""
        try:
            connection = await _connect_when_ready(
                self.data, process, self._log, self._start_limit_s, self._progress
            )
            try:
                await _ensure_database(connection)
            finally:
                await connection.close(timeout=_REPORT_EVERY_S)
        except _DIED as error:  # it was ready, and died under our hands
            raise ServerFailed(str(error), self._log.path) from error

    async def _supervise(self, failure: asyncio.Future[DatabaseUnavailable]) -> None:
        """Start the server again whenever it ends, until it cannot be started `RESTARTS` times.

        One that comes up and dies again is brought back for as long as it takes, ever slower.
        """
        loop = asyncio.get_running_loop()
        pauses = failed = 0
        while True:
            began = loop.time()
            while self._process is not None and not await self._process.wait(_LOG_EVERY_S):
                self._log.bound()  # not in a thread: that could outlive the open file
            pauses = 0 if loop.time() - began > HEALTHY_S else pauses
            status = self._process.status if self._process else None
            log.error("postgres_ended", status=status, failed_starts=failed)
            await asyncio.sleep(min(_FIRST_PAUSE_S * 2**pauses, _LONGEST_PAUSE_S) if pauses else 0)
            pauses += 1
            try:
                await self._bring_up()
            except (DatabaseUnavailable, OSError) as error:  # OSError: no room for a process
                failed += 1
                log.warning("postgres_restart_failed", reason=str(error), failed_starts=failed)
                if failed < RESTARTS and not isinstance(error, ServerSlow):
                    continue
                log.critical("postgres_given_up", reason=str(error))
                if not isinstance(error, DatabaseUnavailable):
                    error = ServerFailed(str(error), self._log.path)
                failure.set_result(error)
                return
            failed = 0


async def attach(data: Path) -> str | None:
    """The URL of the database that another process of the same user serves from this folder.

    None if no process owns the folder. One that is just starting is waited for, 15 s at most.
    Raises `DatabaseUnreachable` if it stays silent, `DataFolderUnusable` if it is not ours to use.
    """
    data = resolved(data)
    if not held(data):
        return None
    url = dsn(data, cluster.ROLE, cluster.ROLE)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ATTACH_LIMIT_S
    while held(data):
        with contextlib.suppress(*_NOT_READY, asyncpg.InvalidCatalogNameError):
            check_socket(data, server_account(data))
            try:
                connection = await asyncpg.connect(url, timeout=_REPORT_EVERY_S)
            except asyncpg.InvalidAuthorizationSpecificationError as error:
                raise DatabaseUnreachable(str(data), str(error)) from None
            await connection.close()
            return url
        if loop.time() > deadline:
            raise DatabaseUnreachable(str(data), "its server is not ready yet; try again later")
        await asyncio.sleep(0.1)
    return None


async def _connect_when_ready(
    data: Path, process: Process, server_log: ServerLog, limit_s: float, progress: Progress
) -> "asyncpg.Connection[asyncpg.Record]":
    """A superuser's connection, as soon as the server gives one.

    Raises `ServerFailed` if it ends before, `ServerSlow` if it takes longer than the limit.
    """
    loop = asyncio.get_running_loop()
    began = reported = loop.time()
    url = dsn(data, cluster.SUPERUSER, cluster.SUPERUSER)
    while True:
        if await process.wait(0.03):
            reason = server_log.last_word()
            if "No space left on device" in reason:
                raise DiskFull(data)
            raise ServerFailed(reason, server_log.path)
        try:
            return await asyncpg.connect(url, timeout=_REPORT_EVERY_S)
        except _NOT_READY:
            now = loop.time()
            if now - began > limit_s:
                raise ServerSlow(int(limit_s), server_log.path) from None
            if now - reported > _REPORT_EVERY_S:
                reported = now
                progress(f"Waiting for the database to recover ({now - began:.0f} s)")


async def _ensure_database(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Make the role and its database, each if it is missing: an earlier start may have died."""
    role = cluster.ROLE
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role} LOGIN CREATEDB CREATEROLE")
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", role):
        await connection.execute(f"CREATE DATABASE {role} OWNER {role}")


async def _end(process: Process, limit_s: float, progress: Progress) -> None:
    """Stop a postmaster: fast, then at once (it recovers at the next start), then by force."""
    waited = 0.0
    process.signal(signal.SIGINT)
    while not await process.wait(_REPORT_EVERY_S):
        waited += _REPORT_EVERY_S
        if waited >= limit_s:
            break
        progress(f"Waiting for the database to stop ({waited:.0f} s)")
    for harsher in (signal.SIGQUIT, signal.SIGKILL):
        if process.running:
            log.warning("postgres_forced", pid=process.pid, signal=harsher.name)
            process.signal(harsher)
            await process.wait(_FORCED_S)
