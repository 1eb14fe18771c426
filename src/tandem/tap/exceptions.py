"""A terminal's exception file: cards that it does not approve by itself (EMV Book 4, 6.3.5)."""

import re
from pathlib import Path
from typing import Final

import structlog

from tandem.tap.errors import TerminalMisset

log = structlog.get_logger(__name__)

_NUMBER: Final = re.compile(r"[0-9]{12,19}", re.ASCII)
_State = tuple[int, int, int, int]


class ExceptionFile:
    """The card numbers of a text file, one on each line, read again whenever the file has changed.

    Empty lines and those that begin with `#` say nothing, nor does a byte order mark. A file that
    cannot be used any more changes nothing: the numbers read last go on to hold, and it is logged.
    Raises `TerminalMisset` if it cannot be used at first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = self._state()
        self._numbers = self._read()

    def __contains__(self, number: object) -> bool:
        """Whether this card number is listed now."""
        state = self._state()
        if state != self._read_at:
            self._read_at = state
            try:
                self._numbers = self._read()
            except TerminalMisset as error:
                reason = error.reason
                log.error("an exception file is not taken", reason=reason)  # noqa: TRY400 -- it says all
        return number in self._numbers

    def _state(self) -> _State | None:
        """What changes with the file's contents, or with who may read it; None: it is not there."""
        try:
            found = self._path.stat()
        except (OSError, ValueError):  # a name with NUL in it is none
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino

    def _read(self) -> frozenset[str]:
        if self._path.is_fifo() or self._path.is_char_device():  # reading might never end
            raise TerminalMisset(f"{self._path}: is no regular file")
        try:
            lines = self._path.read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            raise TerminalMisset(f"{self._path}: {reason}") from error
        except ValueError:
            raise TerminalMisset(f"{self._path}: is no text") from None
        numbers = set()
        for at, line in enumerate(lines, 1):
            number = line.strip()
            if not number or number.startswith("#"):
                continue
            if _NUMBER.fullmatch(number) is None:
                raise TerminalMisset(f"{self._path}, line {at}: is no number of 12 to 19 digits")
            numbers.add(number)
        return frozenset(numbers)
