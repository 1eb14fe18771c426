"""The cluster's files: made whole or not at all, and the configuration that the server gets."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from tandem.db.embedded.account import Account, own_account
from tandem.db.embedded.folder import PORT, ensure_folder, folder_errors, shared_mode
from tandem.db.embedded.process import run
from tandem.db.embedded.software import Software, installed
from tandem.db.errors import (
    ClusterDamaged,
    ClusterVersionUnknown,
    DiskFull,
    EmbeddedUnavailable,
    ServerFailed,
)

ROLE: Final = "tandem"
"""The role that owns the database, and its name. No superuser: grants bind it."""
SUPERUSER: Final = "postgres"
ROOM_NEEDED_BYTES: Final = 200 << 20
"""What a new cluster takes, with its first log segments."""

_UNFINISHED: Final = ".initdb-"
_FIRST_WITH_BUILTIN_LOCALE: Final = 17

SETTINGS: Final = {
    # Durable: an acknowledged commit survives a power cut.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Nobody but a process of this machine, over the socket.
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "cluster_name": "tandem",
    # Commits seldom wait for a new log segment to be made, and checkpoints are rare.
    "shared_buffers": "256MB",
    "min_wal_size": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    # No surprise from the machine's own settings.
    "timezone": "UTC",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    # The log holds no values: not a statement's parameters, not a row that broke a constraint.
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_startup_progress_interval": "2s",
}


def software_for(cluster: Path) -> Software:
    """The installed PostgreSQL for this cluster: its own major version, the newest for a new one.

    Raises `ClusterDamaged`, `ClusterVersionUnknown`, `EmbeddedUnavailable`.
    """
    candidates = installed()
    if not cluster.exists():
        return candidates[0]
    for part in ("PG_VERSION", "global/pg_control"):
        if not (cluster / part).exists():
            raise ClusterDamaged(cluster, part)
    with folder_errors(cluster), (cluster / "PG_VERSION").open(encoding="ascii") as file:
        found = file.read(16).strip()
    for software in candidates:
        if str(software.major) == found:
            return software
    raise ClusterVersionUnknown(cluster, found, tuple(str(s.major) for s in candidates))


def sweep(data: Path) -> None:
    """Remove what an interrupted initialisation left. Call it as the owner of the lock."""
    for unfinished in data.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    with contextlib.suppress(OSError):
        (data / "postgres").rmdir()  # only if it is empty: made by hand, nothing in it


async def initialise(data: Path, software: Software, account: Account) -> None:
    """Make the cluster: in a folder beside it that is renamed when it is whole and on disk.

    Raises `DiskFull`, `DataFolderUnusable`, `ServerFailed`.
    """
    if software.major < _FIRST_WITH_BUILTIN_LOCALE:
        raise EmbeddedUnavailable(f"PostgreSQL {software.major} is too old for a new data folder")
    with folder_errors(data):
        room = os.statvfs(data)
        if room.f_bavail * room.f_frsize < ROOM_NEEDED_BYTES:
            raise DiskFull(data)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=data))
    try:
        if not account.ours:
            os.chown(unfinished, account.uid, account.gid)
        status, said = await run(_initdb(software, unfinished), account)
        if status != 0:
            if "No space left on device" in said or "Disk quota exceeded" in said:
                raise DiskFull(data)
            raise ServerFailed(_last_error(said), data / "log" / "postgres.log")
        _install(unfinished, data)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _initdb(software: Software, folder: Path) -> list[str]:
    return [
        str(software.program("initdb")),
        f"--pgdata={folder}",
        f"--username={SUPERUSER}",
        "--data-checksums",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--auth-local=peer",
        "--auth-host=reject",
        "--no-instructions",
    ]


def _last_error(said: str) -> str:
    lines = [line for line in said.splitlines() if "error" in line.lower() or "FATAL" in line]
    return (lines or said.splitlines() or ["initdb failed and said nothing"])[-1]


def write_configuration(data: Path, software: Software, sockets: Path) -> Path:
    """Write the server's configuration anew and return its main file.

    It stays ours, outside the cluster: root never writes into a folder of the server's account,
    and that account cannot change who is let in. `ALTER SYSTEM` still tunes, over these.
    """
    folder = data / "conf"
    with folder_errors(folder):
        ensure_folder(folder, shared_mode(0o700, 0o711))
        settings = {
            **SETTINGS,
            "unix_socket_directories": str(sockets),
            "hba_file": str(folder / "hba.conf"),
            "ident_file": str(folder / "ident.conf"),
            "wal_compression": "lz4" if software.lz4 else "off",
        }
        lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
        _write(folder / "postgresql.conf", lines)
        _write(folder / "hba.conf", ["local all all peer map=tandem"])
        _write(folder / "ident.conf", _who_may_connect())
    return folder / "postgresql.conf"


def _who_may_connect() -> list[str]:
    # The user who runs Tandem, by the kernel's word (peer), and root, who could become that user.
    # Not the account that PostgreSQL drops to: nobody may be many programs.
    users = dict.fromkeys((own_account().name, "root"))
    roles = (ROLE, SUPERUSER)
    doubled = {user: user.replace('"', '""') for user in users}
    return [f'tandem "{doubled[user]}" {role}' for user in users for role in roles]


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _write(path: Path, lines: list[str]) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text("".join(f"{line}\n" for line in ("# Written by Tandem.", *lines)))
    unfinished.chmod(shared_mode(0o600, 0o644))
    unfinished.replace(path)


def _install(unfinished: Path, data: Path) -> None:
    """Give the cluster its name, and have that survive a power cut (initdb synced its files)."""
    with folder_errors(data):
        unfinished.rename(data / "postgres")
        descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
