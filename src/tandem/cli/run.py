"""Running what a command does: an event loop, signals, and word of what takes its time."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from rich.console import Console

from tandem.cli.show import printable
from tandem.logs import Logs, set_up_logs

T = TypeVar("T")
typed: ContextVar[str] = ContextVar("typed", default="tandem")
"""The command that runs, without what was given to it: `operator top-up`."""
Progress = Callable[[str], None]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SILENT_SECONDS: Final = 1.0
"""What is over sooner needs no word."""


class Interrupted(Exception):
    """A signal ended the command, after everything was put in order."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(work: Coroutine[Any, Any, T], *, logs: Logs | None = None) -> T:
    """Run a command's work to its end. A signal cancels it, a second one also what it cleans up.

    Raises `Interrupted` if a signal ended it.
    """
    terminal = sys.stderr.isatty()
    set_up_logs(logs or Logs(json=False, level="warning", colours=terminal))
    return asyncio.run(_interruptible(work))


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    came: list[int] = []

    def interrupt(number: int) -> None:
        came.append(number)
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await work
    except asyncio.CancelledError:
        if came:
            raise Interrupted(came[0]) from None
        raise


@contextlib.contextmanager
def waiting(first: str = "") -> Iterator[Progress]:
    """Say what is waited for, on standard error: a spinner in a terminal, else a line each.

    Yields the function to tell. In a file or a pipe only what takes over a second is told.
    """
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        with console.status(printable(first)) as status:
            yield lambda text: status.update(printable(text))
        return
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def tell(text: str) -> None:
        for timer in timers:
            timer.cancel()
        if text:
            line = f"{printable(text)} …"
            timers[:] = [loop.call_later(SILENT_SECONDS, console.print, line)]

    if first:
        tell(first)
    try:
        yield tell
    finally:
        for timer in timers:
            timer.cancel()
