"""Processes by pidfd (pidfd_open(2)): a signal never reaches a stranger whose number is the same.

Works on any event loop, on any thread, for our own children and for others alike, which asyncio's
subprocesses do not.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tandem.db.embedded import child
from tandem.db.embedded.account import Account
from tandem.db.embedded.folder import PORT
from tandem.db.errors import EmbeddedUnavailable

_CHILD: Final = str(Path(child.__file__))


class Process:
    """A running process that is watched; made inside a running event loop."""

    def __init__(self, pidfd: int, pid: int, popen: "subprocess.Popen[Any] | None" = None) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._loop.add_reader(pidfd, self._ended)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self._gone.is_set()

    @property
    def status(self) -> int | None:
        """The exit status of a child of ours that has ended, negative for a signal."""
        return self._popen.returncode if self._popen else None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def wait(self, limit_s: float | None = None) -> bool:
        """Wait until it ends, at most `limit_s` seconds. Returns whether it has ended."""
        try:
            async with asyncio.timeout(limit_s):
                await self._gone.wait()
        except TimeoutError:
            return False
        return True

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._popen is not None:
            self._popen.wait()  # it has ended: this only reaps it
        self._gone.set()


def spawn(
    command: list[str], account: Account, *, output: int, last_wish: signal.Signals
) -> Process:
    """Start a program as the account, in a session of its own: Ctrl-C in a terminal is ours.

    `output` is the descriptor for what it prints; `last_wish` the signal that it gets when our
    thread ends, however that ends.
    """
    preamble = ["exec", str(os.getpid()), str(int(last_wish)), account.ticket()]
    popen = subprocess.Popen(  # noqa: S603 - a program of ours with arguments of ours, no shell
        [sys.executable, "-I", "-S", _CHILD, *preamble, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )
    try:
        pidfd = os.pidfd_open(popen.pid)
    except OSError as error:
        popen.kill()
        popen.wait()
        raise EmbeddedUnavailable(f"the kernel has no pidfd_open ({error.strerror})") from error
    return Process(pidfd, popen.pid, popen)


async def run(command: list[str], account: Account) -> tuple[int, str]:
    """Run a program to its end as the account. Returns its exit status and what it printed.

    Cancelled, it kills the program; should we die, the kernel does.
    """
    with tempfile.TemporaryFile() as output:
        process = spawn(command, account, output=output.fileno(), last_wish=signal.SIGKILL)
        try:
            await process.wait()
        finally:
            process.signal(signal.SIGKILL)
            await process.wait()
        output.seek(0)
        status = process.status
        return (0 if status is None else status), output.read().decode(errors="replace")


def first_closed(account: Account, *paths: Path) -> Path | None:
    """The first folder on the way to the paths that the account may not pass, or None.

    Asks the kernel as that account, so that every rule counts, not mode bits alone.
    """
    if account.ours:
        return None
    done = subprocess.run(  # noqa: S603 - a program of ours with arguments of ours, no shell
        [sys.executable, "-I", "-S", _CHILD, "reach", account.ticket(), *map(str, paths)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        env=_environment(),
        check=True,
    )
    return Path(os.fsdecode(done.stdout)) if done.stdout else None


def left_over(cluster: Path, account: Account) -> Process | None:
    """The postmaster that still runs on this cluster from an earlier run of ours, if any.

    The number in postmaster.pid is believed only if that process is a postgres of the account
    whose working folder is the cluster: the file could be forged, or from before a reboot.
    """
    pid = _named_in(cluster / "postmaster.pid")
    if pid is None:
        return None
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if _is_postmaster(pid, cluster, account):
        return Process(pidfd, pid)
    os.close(pidfd)
    return None


def clear_stale(cluster: Path, sockets: Path, account: Account) -> None:
    """Remove the lock files that no postmaster of this cluster stands behind.

    PostgreSQL refuses to start while the number in one is anybody's: a stranger's after a reboot,
    or a dead postmaster's that nobody reaps (a container without an init). Call this only as the
    owner of the data folder's lock; sessions that outlive their postmaster still keep a new one
    away by its shared memory.
    """
    for lock in (cluster / "postmaster.pid", sockets / f".s.PGSQL.{PORT}.lock"):
        pid = _named_in(lock)
        if pid is not None and not _is_postmaster(pid, cluster, account):
            lock.unlink(missing_ok=True)


def _named_in(lock: Path) -> int | None:
    """The process id on a lock file's first line; None for no file, or not a number."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        first_line = file.readline(32).strip()
    # The socket's lock has a minus sign if a single-user server made it; none of ours does.
    return int(first_line) if first_line.isdigit() and 0 < int(first_line) < 1 << 31 else None


def _is_postmaster(pid: int, cluster: Path, account: Account) -> bool:
    process = Path("/proc") / str(pid)
    try:
        program = (process / "exe").readlink().name
        there = (process / "cwd").samefile(cluster)
        owner = process.stat().st_uid
    except OSError:  # a zombie, or somebody else's
        return False
    return program.split()[0] == "postgres" and there and owner == account.uid


def _environment() -> dict[str, str]:
    """What a child sees of our environment: nothing that could change PostgreSQL (PG…, LC_…)."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **kept}
