"""`tandem terminal run`: one payment after another, as at a till."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator
from typing import Final

from tandem.cli.show import complain, say
from tandem.cli.terminal_till import amount_of, print_receipt, send_on
from tandem.kernel import Invalid, Refused, currency, parse_amount
from tandem.tap import Payment, TerminalSettings, Till

_IDLE_SECONDS: Final = 20.0
"""How often what is owed is tried again while nobody pays."""
_HELP: Final = "An amount, refund NUMBER [AMOUNT], or quit."
_QUIT: Final = frozenset({"quit", "exit", "q"})


async def loop(till: Till, settings: TerminalSettings) -> None:
    """Take payments until there are no more lines to read. What one refuses ends only that one."""
    say(_HELP)
    async with _lines() as lines:
        while True:
            await send_on(till)
            line = await _next(till, lines)
            if line is None or line in _QUIT:
                break
            if not line:
                continue
            try:
                payment = await _while_typing(till, lines, line, settings)
            except Refused as refused:
                complain(refused.sentence())
                continue
            print_receipt(payment, settings)
            say()
    await send_on(till)


async def _next(till: Till, lines: "asyncio.Queue[str | None]") -> str | None:
    """The next line, None at the end; meanwhile what is owed is tried again."""
    if sys.stdin.isatty():
        sys.stdout.write("> ")
        sys.stdout.flush()
    else:
        say("> ")
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_IDLE_SECONDS):
                return await lines.get()
        await send_on(till)


async def _while_typing(
    till: Till, lines: "asyncio.Queue[str | None]", line: str, settings: TerminalSettings
) -> Payment:
    """One payment. At a keyboard an empty line, or Ctrl-D, cancels it while it waits for a card.

    In a pipe the lines that follow are the next payments.
    """
    paying = asyncio.create_task(_pay(till, line, settings))
    while sys.stdin.isatty() and not paying.done():
        typing = asyncio.create_task(lines.get())
        await asyncio.wait({paying, typing}, return_when=asyncio.FIRST_COMPLETED)
        if not typing.done():
            typing.cancel()
        elif typing.result():
            say("A payment waits for a card. An empty line cancels it.")
        else:
            till.cancel()
            if typing.result() is None:
                lines.put_nowait(None)
            break  # what is typed from now on is for the next payment
    return await paying


async def _pay(till: Till, line: str, settings: TerminalSettings) -> Payment:
    """What a line asks for. Raises `Invalid` if it is nothing, and as the till does."""
    unit = currency(settings.currency)
    words = line.split()
    if words[0] != "refund":
        if len(words) > 1:
            raise Invalid(line, f"is not understood. {_HELP}")
        return await till.take(amount_of(words[0], settings))
    numbers = words[1:]
    if len(numbers) not in {1, 2} or not (numbers[0].isascii() and numbers[0].isdigit()):
        raise Invalid("refund", "takes the number of a receipt, and an amount if not all of it")
    amount = parse_amount(numbers[1], unit) if len(numbers) > 1 else None
    return await till.refund(int(numbers[0]), amount)


@contextlib.asynccontextmanager
async def _lines() -> AsyncIterator["asyncio.Queue[str | None]"]:
    """The lines of standard input, None at its end.

    A thread of its own reads them, which ends with the program: nobody can call it back.
    """
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    event_loop = asyncio.get_running_loop()

    def read() -> None:
        for line in iter(sys.stdin.readline, ""):
            event_loop.call_soon_threadsafe(lines.put_nowait, line.strip())
        event_loop.call_soon_threadsafe(lines.put_nowait, None)

    def run() -> None:
        with contextlib.suppress(RuntimeError):  # the event loop ended first
            read()

    threading.Thread(target=run, name="keyboard", daemon=True).start()
    yield lines
