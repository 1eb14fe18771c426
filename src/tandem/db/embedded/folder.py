"""The data folder: whose it is, its modes, its one owner, and where the socket goes.

<data>/            0700; 0711 if root's, so that PostgreSQL's account can pass
    lock           locked (flock(2)) by the process that owns the folder, holds its number
    keys           the key ring, 0600
    postgres/      the cluster, PostgreSQL's account's
    run/           the socket, PostgreSQL's account's, 0700
    conf/          the server's configuration, written anew at each start, never by the server
    log/           what the server says, bounded
    software/      PostgreSQL's programs, only where its account cannot reach the installed ones
"""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tandem.db.embedded.account import Account
from tandem.db.errors import (
    DataFolderInUse,
    DataFolderUnusable,
    DiskFull,
    SocketFolderTaken,
)

PORT: Final = 5432
LONGEST_SOCKET_PATH: Final = 107
"""Bytes, without the NUL: `sun_path` of sockaddr_un, unix(7)."""

_OURS: Final = frozenset({"lock", "keys", "postgres", "demo"})
_HARMLESS: Final = frozenset({"lost+found"})
_SOCKET_SAFE = re.compile(r"[A-Za-z0-9/._-]+", re.ASCII)
_LOCK_PATIENCE_S: Final = 1.0


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Turn what the operating system refuses within the block into a refusal about the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(folder) from error
        raise DataFolderUnusable(folder, _reason(error)) from error


def _reason(error: OSError) -> str:
    said = (error.strerror or "it cannot be used").lower()
    return f"{error.filename}: {said}" if error.filename else said


def resolved(folder: Path) -> Path:
    """The folder's one true path, so that every spelling of it leads to the same socket."""
    return folder.resolve()


def prepare(folder: Path) -> None:
    """Make the data folder, or make sure that the one that is there is ours, and set its mode.

    Raises `DataFolderUnusable` for somebody else's folder and for one that holds other things:
    its mode is not ours to change. Folders above are never touched.
    """
    if any(not character.isprintable() for character in str(folder)):
        raise DataFolderUnusable(folder, "its name has characters that cannot be printed")
    with folder_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.geteuid():
            raise DataFolderUnusable(
                folder, f"it belongs to user id {status.st_uid}; run Tandem as that user"
            )
        names = {entry.name for entry in folder.iterdir()} - _HARMLESS
        if names and not names & _OURS:
            raise DataFolderUnusable(folder, "it holds other things, and nothing of Tandem's")
        set_mode(folder, shared_mode(0o700, 0o711))


def shared_mode(own: int, roots: int) -> int:
    """The mode for what PostgreSQL must reach: `own` if it runs as us, `roots` if we are root."""
    return roots if os.geteuid() == 0 else own


def set_mode(path: Path, mode: int) -> None:
    """Set the mode, unless it is so already (a read-only disk refuses even that)."""
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def ensure_folder(folder: Path, mode: int) -> None:
    """Make a folder of ours with this mode, or give it this mode."""
    folder.mkdir(mode=0o700, exist_ok=True)
    set_mode(folder, mode)


class FolderLock:
    """The lock that makes one process the owner of a data folder. The kernel drops it at death."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    async def take(self) -> None:
        """Take it. Raises `DataFolderInUse` if somebody has it for longer than a glance."""
        with folder_errors(self._folder):
            descriptor = os.open(
                self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600
            )
        try:
            await self._flock(descriptor)
            with folder_errors(self._folder):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let it go, if it is held. The file stays: removing it would let two lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def _flock(self, descriptor: int) -> None:
        # `held` looks by locking for a moment, so one refusal is not the last word.
        deadline = asyncio.get_running_loop().time() + _LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline:
                    raise DataFolderInUse(self._folder, _owner(descriptor)) from None
                await asyncio.sleep(0.05)
            except OSError as error:
                raise DataFolderUnusable(self._folder, _reason(error)) from error
            else:
                return


def held(folder: Path) -> bool:
    """Whether a living process owns the data folder."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DataFolderUnusable(folder, _reason(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _owner(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None


def socket_folder(data: Path) -> Path:
    """Where the socket goes: in the data folder, or in /tmp if that path is too long or odd.

    The same for the same data folder, so that whoever attaches finds it. (A comma or a colon in
    it would mean something else to a client.)
    """
    within = data / "run"
    path = str(within / f".s.PGSQL.{PORT}")
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and _SOCKET_SAFE.fullmatch(path):
        return within
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    owner = data.stat().st_uid if data.exists() else os.geteuid()
    # Not the TMPDIR of this session: another session must find it. Sticky, and checked below.
    return Path("/tmp") / f"tandem-{owner}-{digest}"  # noqa: S108 - see the line above


def make_socket_folder(data: Path, account: Account) -> Path:
    """Make the socket's folder, which only the account can enter. Raises `SocketFolderTaken`."""
    folder = socket_folder(data)
    with folder_errors(folder):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        # Root hands over what root made, here or before the account was another one.
        ours = status.st_uid == os.geteuid() or folder.parent == data
        if stat.S_ISDIR(status.st_mode) and ours and status.st_uid != account.uid:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode) and ours:
            set_mode(folder, 0o700)
    check_socket_folder(folder, account)
    return folder


def check_socket_folder(folder: Path, account: Account) -> None:
    """Raise `SocketFolderTaken` unless only the account can enter the folder."""
    try:
        status = folder.lstat()
    except OSError:
        raise SocketFolderTaken(folder) from None
    private = stat.S_IMODE(status.st_mode) & 0o077 == 0
    if not (stat.S_ISDIR(status.st_mode) and private and status.st_uid == account.uid):
        raise SocketFolderTaken(folder)


def check_socket(data: Path, account: Account) -> None:
    """Before connecting: if there is a socket, only the account may have put it there."""
    folder = socket_folder(data)
    if os.path.lexists(folder / f".s.PGSQL.{PORT}"):
        check_socket_folder(folder, account)


def dsn(data: Path, role: str, database: str) -> str:
    """The URL of a database of the data folder's server.

    Every part that matters is in it: PGPORT and its like in an environment change nothing.
    """
    folder = quote(str(socket_folder(data)), safe="/")
    return f"postgresql://{role}@/{database}?host={folder}&port={PORT}&sslmode=disable"
