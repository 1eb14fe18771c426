"""Logs: structlog to standard error, as JSON for machines or in lines for a person.

Never with local variables in a traceback: they hold keys, codes and names. What the libraries log
(uvicorn, asyncio) goes the same way.
"""

import logging
import sys
from typing import Final, Literal

import msgspec
import structlog
from structlog.typing import Processor

Level = Literal["debug", "info", "warning", "error"]

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LIBRARIES: Final = {"uvicorn.error": logging.ERROR, "alembic": logging.WARNING}
"""From which level on libraries are heard. A stranger's broken request makes uvicorn log a
warning: it must not be able to fill a disk."""


class Logs(msgspec.Struct, frozen=True):
    """How to log. `json` for machines; else lines, with `colours` for a terminal."""

    json: bool
    level: Level = "info"
    colours: bool = False

    @classmethod
    def of_this_process(cls, level: Level = "info") -> "Logs":
        """Lines in colour if standard error is a terminal, else JSON."""
        terminal = sys.stderr.isatty()
        return cls(json=not terminal, level=level, colours=terminal)


def set_up_logs(logs: Logs) -> None:
    """Log like this from now on, in the whole process."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = _last(logs)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[logs.level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[logs.level])
    for name, level in _LIBRARIES.items():
        logging.getLogger(name).setLevel(level)


def _last(logs: Logs) -> list[Processor]:
    if logs.json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=logs.colours,
            exception_formatter=structlog.dev.plain_traceback,
            # Values as Python writes them: what came from outside cannot move the cursor.
            repr_native_str=True,
            sort_keys=False,
        )
    ]
