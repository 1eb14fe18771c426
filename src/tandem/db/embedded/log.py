"""What the server says: a file of ours that it writes to by an open descriptor, bounded in size."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from tandem.db.embedded.folder import ensure_folder, folder_errors

LARGEST_BYTES: Final = 10 << 20
"""A log longer than this becomes postgres.log.1, in the place of the one before."""

_TAIL_BYTES: Final = 16 << 10


class ServerLog:
    """The file `postgres.log` in a folder.

    The server never opens it: it inherits `descriptor`, so it may run as a user who could not,
    and goes on writing should we die.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "postgres.log"
        self._descriptor: int | None = None
        self._mark = 0

    @property
    def descriptor(self) -> int:
        """The open file, appended to."""
        if self._descriptor is None:
            message = "the log is not open"
            raise RuntimeError(message)
        return self._descriptor

    def open(self) -> None:
        """Open it, making the folder if needed."""
        with folder_errors(self.path.parent):
            ensure_folder(self.path.parent, 0o700)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o600)
        self.bound()

    def close(self) -> None:
        """Close our end."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def bound(self) -> None:
        """Keep it short: copy and empty it, since the server holds it open.

        A line written in between is lost, and on a full disk the copy: a log is not a ledger.
        """
        if os.fstat(self.descriptor).st_size <= LARGEST_BYTES:
            return
        with contextlib.suppress(OSError):
            shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, 0)
        self._mark = 0

    def mark(self) -> None:
        """Remember where the server that starts now begins."""
        self._mark = os.fstat(self.descriptor).st_size

    def last_word(self) -> str:
        """The last error since the mark, else the last line: why the server ended."""
        size = os.fstat(self.descriptor).st_size
        start = max(min(self._mark, size), size - _TAIL_BYTES)
        lines = os.pread(self.descriptor, size - start, start).decode(errors="replace").splitlines()
        telling = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (telling or lines or ["it ended and said nothing"])[-1]
