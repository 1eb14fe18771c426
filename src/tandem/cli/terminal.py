"""`tandem terminal`: the till's reader, as a program."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tandem.cli.errors import FileUnusable
from tandem.cli.run import run
from tandem.cli.show import cells, complain, done, money, printable, say, show, table
from tandem.db.locate import default_data_folder
from tandem.emv.terminal import Knowledge, UiRequest
from tandem.kernel import Invalid, SystemClock, currency, parse_amount, system_entropy
from tandem.tap import (
    Open,
    Policy,
    SocketField,
    TerminalSettings,
    TerminalStore,
    Till,
    read_terminal_settings,
    read_trusted,
    receipt,
    virtual,
)
from tandem.tap.payment import PURCHASE, REFUND
from tandem.tap.pcsc import PcscField
from tandem.tap.radio import RadioField
from tandem.till import HostOnline, host_client, watched_policy

app = App(name="terminal", help="Take payments by tap: the till's reader.", help_format="markdown")

Folder = Annotated[Path | None, Parameter(help="The terminal's folder, if not the usual one.")]
_FIRST_SECONDS: Final = 5.0
_RADIO: Final = "radio:"
_SOCKET: Final = "socket:"
_MOST: Final = 1000
_LAST_PORT: Final = 65_535


@app.command
def take(
    amount: str,
    /,
    *,
    settings: Path,
    refund: Annotated[bool, Parameter(negative=())] = False,
    folder: Folder = None,
) -> int:
    """Take a payment by tap and print its receipt. Exit status 1 if it was declined.

    What is still owed to the host (approvals offline, reversals) is sent on first and last.

    Example: `tandem terminal take 38.00 --settings terminal.toml`

    Parameters
    ----------
    amount
        The amount as people write it, in the terminal's currency.
    settings
        The terminal's settings, a TOML file: docs/terminal.md.
    refund
        Give the amount back instead.
    """
    read = _read(settings)
    minor = parse_amount(amount, currency(read.currency))
    return run(_take(read, settings.parent, folder, minor, REFUND if refund else PURCHASE))


@app.command
def send(*, settings: Path, folder: Folder = None) -> int:
    """Send on what the host is owed: approvals offline, reversals. Exit status 1 if some is left.

    Example: `tandem terminal send --settings terminal.toml`

    Parameters
    ----------
    settings
        The terminal's settings.
    """
    return run(_send(_read(settings), settings.parent, folder))


@app.command
def payments(*, count: int = 20, folder: Folder = None) -> None:
    """List the terminal's last payments, the newest first.

    Example: `tandem terminal payments`

    Parameters
    ----------
    count
        How many, up to 1000.
    """
    if not 1 <= count <= _MOST:
        raise Invalid("--count", f"must be 1 to {_MOST}")
    made = table("Number", "When", "Amount", "Card", "Approved", "Why", "State", right=("Amount",))
    with _store(folder) as store:
        for state, each in store.last(count):
            approved = "yes" if each.approved else "no"
            when = f"{each.at:%Y-%m-%d %H:%M:%S}"
            paid = money(each.amount, each.unit)
            made.add_row(*cells(each.stan, when, paid, each.card, approved, each.why, state))
    show(made)


async def _take(
    settings: TerminalSettings, beside: Path, folder: Path | None, minor: int, kind: int
) -> int:
    async with _till(settings, beside, folder) as till:
        await till.send_due()
        payment = await till.take(minor, kind)
        say()
        for line in receipt(payment, settings.shop).splitlines():
            say(printable(line))
        await till.send_due()
    return 0 if payment.approved else 1


async def _send(settings: TerminalSettings, beside: Path, folder: Path | None) -> int:
    with _store(folder) as store:
        async with AsyncExitStack() as stack:
            online = await _online(stack, settings, beside)
            clock, field = SystemClock(), _NoField()
            till = Till(settings, Knowledge(), store, field, online, Open(), clock, system_entropy)
            settled = await till.send_due()
        left = len(store.due())
    done(f"{settled} sent on; {left} left.")
    return 1 if left else 0


class _NoField:
    """No reader: sending on needs none."""

    def wait(self, within_seconds: float) -> None:
        """Nobody comes."""

    def gone(self, within_seconds: float) -> bool:  # noqa: ARG002 -- nobody was there
        """Nobody was there."""
        return True


@asynccontextmanager
async def _till(
    settings: TerminalSettings, beside: Path, folder: Path | None
) -> AsyncIterator[Till]:
    knowledge = Knowledge(trusted=read_trusted(settings, beside))
    async with AsyncExitStack() as stack:
        store = stack.enter_context(_store(folder))
        policy: Policy = Open()
        if settings.policy:
            watch = await stack.enter_async_context(watched_policy(settings.policy, beside))
            if not await watch.heard(_FIRST_SECONDS):
                complain("Tandem does not answer; what this shop accepts is not known.")
            policy = watch
        online = await _online(stack, settings, beside)
        field = _field(settings.reader)
        stack.callback(field.close)
        clock = SystemClock()
        yield Till(settings, knowledge, store, field, online, policy, clock, system_entropy, _shown)


async def _online(stack: AsyncExitStack, settings: TerminalSettings, beside: Path) -> HostOnline:
    clock = SystemClock()
    client = host_client(settings, beside, clock, system_entropy)
    await stack.enter_async_context(client)
    try:
        await client.ready(_FIRST_SECONDS)
    except Exception as error:  # noqa: BLE001 -- said below; offline it goes on
        complain(f"The host is not connected: {error}")
    return HostOnline(client, settings, clock)


def _field(reader: str) -> SocketField | PcscField | RadioField:
    if reader.startswith(_RADIO):
        return RadioField(reader.removeprefix(_RADIO))
    if reader.startswith(_SOCKET):
        port = reader.removeprefix(_SOCKET)
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
            raise Invalid(
                "reader", "must be socket:PORT, radio:PATH, virtual, or a part of a reader's name"
            )
        return SocketField(int(port))
    return PcscField(virtual.NAME if reader == "virtual" else reader)


def _shown(ui: UiRequest) -> None:
    """The reader's four lights, and its words."""
    lit = ui.lights.lit
    amount = "" if ui.amount is None or ui.currency is None else money(ui.amount, ui.currency)
    say(f"{'●' * lit}{'○' * (4 - lit)}  {ui.text}{'  ' + amount if amount else ''}")
    if sys.stdout.isatty() and ui.lights.tone.value != "none":
        sys.stdout.write("\a")


def _store(folder: Path | None) -> TerminalStore:
    return TerminalStore(folder or default_data_folder(os.environ) / "terminal", system_entropy)


def _read(path: Path) -> TerminalSettings:
    try:
        return read_terminal_settings(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be read"
        raise FileUnusable(str(path), reason.lower()) from error
