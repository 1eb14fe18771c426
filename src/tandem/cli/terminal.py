"""`tandem terminal`: the till's reader, as a program."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tandem.cli.errors import FileUnusable
from tandem.cli.run import run
from tandem.cli.show import cells, done, money, say, show, table
from tandem.cli.terminal_follow import follow
from tandem.cli.terminal_loop import loop
from tandem.cli.terminal_till import (
    Folder,
    amount_of,
    opened,
    print_receipt,
    read,
    response,
    send_on,
    store,
    without_reader,
)
from tandem.emv.authority import TrustedKeys
from tandem.kernel import Invalid, currency, parse_amount
from tandem.tap import TerminalMisset, TerminalSettings
from tandem.till import fetch_trusted, open_tandem, orders_watched

app = App(name="terminal", help="Take payments by tap: the till's reader.", help_format="markdown")

_MOST: Final = 1000


@app.command
def take(amount: str, /, *, settings: Path, folder: Folder = None) -> int:
    """Take a payment by tap and print its receipt. Exit status 1 if it was declined.

    What is still owed (approvals offline, reversals) is sent on first and last.

    Example: `tandem terminal take 38.00 --settings terminal.toml`

    Parameters
    ----------
    amount
        The amount as people write it, in the terminal's currency.
    settings
        The terminal's settings, a TOML file: docs/terminal.md.
    """
    told = read(settings)
    minor = amount_of(amount, told)
    return run(_one(told, settings.parent, folder, minor, None))


@app.command
def refund(
    number: int, amount: str | None = None, /, *, settings: Path, folder: Folder = None
) -> int:
    """Give a payment of this terminal back, or a part of it, to the card that paid.

    The person holds the same card to the reader. Exit status 1 if it was declined.

    Example: `tandem terminal refund 17 10.00 --settings terminal.toml`

    Parameters
    ----------
    number
        The payment's number, as its receipt has it.
    amount
        How much, if not all of it.
    settings
        The terminal's settings.
    """
    told = read(settings)
    minor = None if amount is None else parse_amount(amount, currency(told.currency))
    return run(_one(told, settings.parent, folder, minor, number))


@app.command(name="run")
def run_(*, settings: Path, folder: Folder = None, follow_till: bool = False) -> int:
    """Take one payment after another: type an amount, the person taps, the receipt is printed.

    `refund NUMBER [AMOUNT]` gives back, an empty line cancels a payment that waits for a card,
    `quit` or Ctrl-D ends. What is owed is sent on between payments.

    Example: `tandem terminal run --settings terminal.toml`

    Parameters
    ----------
    settings
        The terminal's settings.
    follow_till
        Type nothing: take taps for the orders that wait at the till, until Ctrl-C.
    """
    told = read(settings)
    if follow_till:
        return run(_follow(told, settings.parent, folder))
    return run(_loop(told, settings.parent, folder))


@app.command
def send(*, settings: Path, folder: Folder = None) -> int:
    """Send on what is owed: approvals offline, reversals.

    Exit status 1 if some is left, or if the host refuses to pay what was approved offline.

    Example: `tandem terminal send --settings terminal.toml`

    Parameters
    ----------
    settings
        The terminal's settings.
    """
    return run(_send(read(settings), settings.parent, folder))


@app.command
def trust(*, settings: Path) -> None:
    """Fetch the public keys by which the terminal knows the operator's cards.

    They are written to the file that `trusted` names. Do it when a terminal is set up, and when the
    operator has a new authority key.

    Example: `tandem terminal trust --settings terminal.toml`

    Parameters
    ----------
    settings
        The terminal's settings, with `[tandem]`.
    """
    told = read(settings)
    keys = run(_trust(told, settings.parent))
    file = settings.parent / told.trusted
    try:
        file.write_bytes(keys.to_bytes() + b"\n")
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise FileUnusable(str(file), reason) from error
    several = "" if len(keys.keys) == 1 else "s"
    done(f"Wrote {len(keys.keys)} public key{several} to {file}.")


@app.command
def payments(
    *, count: Annotated[int, Parameter(help="How many, up to 1000.")] = 20, folder: Folder = None
) -> None:
    """List the terminal's last payments, the newest first.

    Example: `tandem terminal payments`
    """
    if not 1 <= count <= _MOST:
        raise Invalid("--count", f"must be 1 to {_MOST}")
    made = table(
        *("Number", "When", "Amount", "Card", "Approved", "Why", "Host", "State"),
        right=("Amount",),
    )
    with store(folder) as kept:
        for state, each in kept.last(count):
            approved = "yes" if each.approved else "no"
            approved = "not paid" if each.unpaid else approved
            host = response(each.response_code)
            when = f"{each.at:%Y-%m-%d %H:%M:%S}"
            paid = money(-each.amount if each.is_refund else each.amount, each.unit)
            made.add_row(*cells(each.stan, when, paid, each.card, approved, each.why, host, state))
    show(made)


async def _one(
    settings: TerminalSettings,
    beside: Path,
    folder: Path | None,
    minor: int | None,
    number: int | None,
) -> int:
    """Take an amount, or with a payment's number give it back."""
    async with opened(settings, beside, folder) as till:
        await send_on(till)
        if number is None:
            assert minor is not None, "a payment has an amount"
            payment = await till.take(minor)
        else:
            payment = await till.refund(number, minor)
        print_receipt(payment, settings)
        refused = [each.number for each in await send_on(till) if each.unpaid]
    return 0 if payment.approved and payment.number not in refused else 1


async def _loop(settings: TerminalSettings, beside: Path, folder: Path | None) -> int:
    async with opened(settings, beside, folder) as till:
        say(f"{settings.shop.name}, terminal {settings.shop.terminal}.")
        await loop(till, settings)
    return 0


async def _follow(settings: TerminalSettings, beside: Path, folder: Path | None) -> int:
    if not settings.tandem or settings.host:
        raise TerminalMisset("orders of a till are paid over [tandem], without [host]")
    async with (
        opened(settings, beside, folder) as till,
        open_tandem(settings.tandem, beside) as tandem,
        orders_watched(tandem) as watch,
    ):
        say(f"{settings.shop.name}, terminal {settings.shop.terminal}.")
        await follow(till, settings, watch)
    return 0


async def _send(settings: TerminalSettings, beside: Path, folder: Path | None) -> int:
    with store(folder) as kept:
        async with without_reader(settings, beside, kept) as till:
            settled = await send_on(till)
        left = len(kept.due())
    unpaid = sum(payment.unpaid for payment in settled)
    refused = f", {unpaid} of them refused" if unpaid else ""
    done(f"{len(settled)} sent on{refused}; {left} left.")
    return 1 if left or unpaid else 0


async def _trust(settings: TerminalSettings, beside: Path) -> TrustedKeys:
    if not settings.tandem:
        raise TerminalMisset("without [tandem] there is nobody to ask")
    async with open_tandem(settings.tandem, beside) as tandem:
        return await fetch_trusted(tandem)
