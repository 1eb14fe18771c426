"""The readable trace of all messages in a file, for whoever connects a terminal and wonders why.

It holds no more than `tandem acquiring read` shows: card data is masked. Above `MOST_BYTES` the
file becomes `<name>.1` and a new one is begun, so two are kept.
"""

import os
from pathlib import Path
from typing import Final, Self, TextIO

from tandem.acquiring.desk import Direction
from tandem.acquiring.errors import LinksUnusable
from tandem.acquiring.message import Message
from tandem.acquiring.trace import render
from tandem.kernel import Clock, Refused

MOST_BYTES: Final = 16 * 1024 * 1024


class TraceFile:
    """A file of mode 0600 that messages are written to. Open it as a context.

    Raises `LinksUnusable` if it cannot be written.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Open it, at its end."""
        try:
            self._file = self._open()
        except OSError as error:
            reason = (error.strerror or "cannot be opened").lower()
            raise LinksUnusable(f"the trace {self._path}: {reason}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()

    def message(self, link: str, direction: Direction, message: Message) -> None:
        """Write one message, as people read it."""
        self._write(render(message, self._clock.now(), link, direction))

    def refusal(self, link: str, refused: Refused) -> None:
        """Write why a message was not done."""
        at = self._clock.now().isoformat(timespec="milliseconds")
        self._write(f"{at} {link} refused: {refused.sentence()}")

    def _write(self, text: str) -> None:
        assert self._file is not None, "it is open"
        self._file.write(text + "\n")
        self._file.flush()
        if self._file.tell() > MOST_BYTES:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._open()

    def _open(self) -> TextIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        return os.fdopen(os.open(self._path, flags, 0o600), "a", encoding="utf-8")
