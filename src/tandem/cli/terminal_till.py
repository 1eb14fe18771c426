"""What the commands of `tandem terminal` have in common: its till, put together from settings."""

import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tandem.acquiring import RESPONSES
from tandem.cli.errors import FileUnusable
from tandem.cli.show import complain, money, printable, say
from tandem.db.locate import default_data_folder
from tandem.emv.terminal import Knowledge, UiRequest
from tandem.kernel import Invalid, SystemClock, currency, parse_amount, system_entropy
from tandem.tap import (
    Field,
    Online,
    Open,
    Payment,
    Policy,
    SocketField,
    TerminalMisset,
    TerminalSettings,
    TerminalStore,
    Till,
    read_exceptions,
    read_terminal_settings,
    read_trusted,
    receipt,
    virtual,
)
from tandem.tap.pcsc import PcscField
from tandem.tap.radio import RadioField
from tandem.till import HostOnline, RestOnline, Tandem, host_client, open_tandem, watched

Folder = Annotated[Path | None, Parameter(help="The terminal's folder, if not the usual one.")]
_FIRST_SECONDS: Final = 5.0
_RADIO: Final = "radio:"
_SOCKET: Final = "socket:"
_LAST_PORT: Final = 65_535


def read(path: Path) -> TerminalSettings:
    """The terminal's settings. Raises `FileUnusable`, `TerminalMisset`."""
    try:
        return read_terminal_settings(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be read"
        raise FileUnusable(str(path), reason.lower()) from error


def store(folder: Path | None) -> TerminalStore:
    """The terminal's folder, open."""
    return TerminalStore(folder or default_data_folder(os.environ) / "terminal", system_entropy)


_ZERO: Final = re.compile(r"0+(?:\.0*)?")


def amount_of(text: str, settings: TerminalSettings) -> int:
    """What is typed, in minor units; zero only where it asks whether a card is good.

    Raises `Invalid`.
    """
    if _ZERO.fullmatch(text) and any(aid.zero_amount for aid in settings.aids):
        return 0
    return parse_amount(text, currency(settings.currency))


@asynccontextmanager
async def opened(
    settings: TerminalSettings, beside: Path, folder: Path | None
) -> AsyncIterator[Till]:
    """The till with its reader, connected."""
    knowledge = Knowledge(
        trusted=read_trusted(settings, beside), exceptions=read_exceptions(settings, beside)
    )
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(store(folder))
        tandem = await _tandem(stack, settings, beside)
        policy: Policy = Open()
        if tandem is not None:
            watch = await stack.enter_async_context(watched(tandem))
            if not await watch.heard(_FIRST_SECONDS):
                complain("Tandem does not answer; what this till accepts is not known.")
            policy = watch
        online = await _online(stack, settings, beside, tandem)
        reader = _field(settings.reader)
        stack.callback(reader.close)
        yield _till(settings, knowledge, kept, reader, online, policy)


@asynccontextmanager
async def without_reader(
    settings: TerminalSettings, beside: Path, kept: TerminalStore
) -> AsyncIterator[Till]:
    """The till without its reader, to send on what is owed."""
    async with AsyncExitStack() as stack:
        tandem = await _tandem(stack, settings, beside)
        online = await _online(stack, settings, beside, tandem)
        yield _till(settings, Knowledge(), kept, _NoField(), online, Open())


async def send_on(till: Till) -> list[Payment]:
    """Send on what is owed, and complain of what was approved here and the host refuses to pay.

    Returns what is settled by it.
    """
    settled = await till.send_due()
    for payment in settled:
        if payment.unpaid:
            complain(
                f"Payment {payment.stan}, {money(payment.amount, payment.unit)} of "
                f"{payment.at:%Y-%m-%d %H:%M:%S}, is not paid: it was approved without the host, "
                f"which refuses it ({response(payment.response_code)}). "
                "Have it paid in another way, or ask your operator."
            )
    return settled


def response(code: str) -> str:
    """A host's response code with what it means; empty if there is none."""
    return f"{code} {RESPONSES.get(code, '')}".strip()


def print_receipt(payment: Payment, settings: TerminalSettings) -> None:
    """The payment's receipt, after an empty line."""
    say()
    for line in receipt(payment, settings.shop, settings.language).splitlines():
        say(printable(line))


def _till(
    settings: TerminalSettings,
    knowledge: Knowledge,
    kept: TerminalStore,
    field: Field,
    online: Online,
    policy: Policy,
) -> Till:
    clock = SystemClock()
    show = partial(_shown, own=settings.language)
    return Till(settings, knowledge, kept, field, online, policy, clock, system_entropy, show)


async def _tandem(stack: AsyncExitStack, settings: TerminalSettings, beside: Path) -> Tandem | None:
    if not settings.tandem:
        return None
    return await stack.enter_async_context(open_tandem(settings.tandem, beside))


async def _online(
    stack: AsyncExitStack, settings: TerminalSettings, beside: Path, tandem: Tandem | None
) -> Online:
    """The host if one is set, else Tandem itself. Raises `TerminalMisset` if there is neither."""
    if not settings.host:
        if tandem is None:
            raise TerminalMisset("it says nowhere who decides: [tandem] or [host]")
        if any(aid.status_check or aid.zero_amount for aid in settings.aids):
            raise TerminalMisset("status_check and zero_amount ask about a card, over [host] only")
        return RestOnline(tandem)
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


def _shown(ui: UiRequest, own: str) -> None:
    """The reader's four lights, and its words, in the terminal's `own` language or the card's."""
    lit = ui.lights.lit
    amount = "" if ui.amount is None or ui.currency is None else money(ui.amount, ui.currency)
    say(f"{'●' * lit}{'○' * (4 - lit)}  {ui.text(own)}{'  ' + amount if amount else ''}")
    if sys.stdout.isatty() and ui.lights.tone.value != "none":
        sys.stdout.write("\a")


class _NoField:
    """No reader: sending on needs none."""

    def wait(self, within_seconds: float) -> None:
        """Nobody comes."""

    def gone(self, within_seconds: float) -> bool:  # noqa: ARG002 -- nobody was there
        """Nobody was there."""
        return True
