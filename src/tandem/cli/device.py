"""`tandem device`: the phone, as a program."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.cli.errors import FileUnusable
from tandem.cli.show import cells, done, money, say, show, table
from tandem.db.locate import default_data_folder
from tandem.emv.application_data import CryptogramType
from tandem.emv.card import Reason, Tap
from tandem.kernel import (
    Currency,
    Invalid,
    NotFound,
    SystemClock,
    currency_by_number,
    system_entropy,
)
from tandem.tap import Device, DeviceStore, Presence, read_card
from tandem.tap.radio import present
from tandem.tap.vpcd import LOOPBACK, PORT, connect

app = App(name="device", help="Hold cards and pay by tap: the phone.", help_format="markdown")

Folder = Annotated[Path | None, Parameter(help="The device's folder, if not the usual one.")]
_LARGEST: Final = 1 << 20


@app.command
def add(card: str, /, *, folder: Folder = None) -> None:
    """Add a card that the token vault made for this device.

    Example: `tandem device add card.json`

    Parameters
    ----------
    card
        A file with the card as the vault gave it out, or `-` for standard input. It holds the
        card's keys: delete it afterwards.
    """
    with _store(folder) as store:
        new = read_card(_contents(card))
        store.add(new)
    data = new.profile.data
    done(f"{data.label}, ending in {data.pan[-4:]}, is on this device.")


@app.command(name="list")
def list_(*, folder: Folder = None) -> None:
    """List the cards of this device.

    Example: `tandem device list`
    """
    made = table("Card", "Ends in", "Expires", "AID", "Payments", right=("Payments",))
    with _store(folder) as store:
        for card in store.cards():
            data, state = card.profile.data, card.state
            label = f"{data.label} (blocked)" if state.blocked else data.label
            made.add_row(
                *cells(label, data.pan[-4:], data.expiry, data.aid.hex().upper(), state.atc)
            )
    if made.row_count:
        show(made)
    else:
        say("There is no card on this device.")


@app.command
def remove(aid: str, /, *, folder: Folder = None) -> None:
    """Remove a card, its keys and its counters.

    Example: `tandem device remove F074616E64656D`

    Parameters
    ----------
    aid
        The card's AID, as `tandem device list` shows it.
    """
    try:
        name = bytes.fromhex(aid)
    except ValueError:
        raise Invalid("aid", "must be hexadecimal digits") from None
    with _store(folder) as store:
        if not store.remove(name):
            raise NotFound("card", aid)
    done("The card is removed.")


@app.command
def passcode(*, folder: Folder = None) -> None:
    """Set the passcode, or change it. It is asked for; in a pipe, a line each is read.

    Example: `tandem device passcode`
    """
    with _device(folder) as device:
        before = _secret("Passcode until now: ") if device.has_passcode else None
        device.set_passcode(_secret("New passcode: "), before)
    done("The passcode is set.")


@app.command
def tap(
    *,
    folder: Folder = None,
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=65535))] = PORT,
    verify: Annotated[bool, Parameter(negative=())] = False,
    stay: Annotated[bool, Parameter(negative=())] = False,
    radio: str = "",
) -> int:
    """Hold the device to a reader of this machine, and say what it paid.

    Exit status 1 if nothing was paid.

    Example: `tandem device tap --verify`

    Parameters
    ----------
    port
        The reader's port: the virtual reader's, or that of `tandem terminal --reader`.
    verify
        Ask for the passcode first.
    stay
        Stay in the field until Ctrl-C, instead of leaving it after a payment.
    radio
        Be a Type 4A card by nfcpy instead, at its path: `usb`, or `udp:127.0.0.1:54321`.
    """
    came: list[Tap] = []

    def told(what: Tap) -> None:
        came.append(what)
        say(_told(what))

    with _device(folder, told) as device:
        if verify:
            device.verify(_secret("Passcode: "))

        def leave() -> bool:
            return bool(came) and not stay

        if radio:
            present(device, radio, system_entropy, leave)
        else:
            Presence(device, connect(LOOPBACK, port), system_entropy).serve(leave)
    if not came:
        say("The reader let go of the device; nothing was paid.")
    return 0 if any(what.cryptogram is not CryptogramType.AAC for what in came) else 1


def _told(what: Tap) -> str:
    shop = what.merchant.strip() or "a terminal without a name"
    unit = _unit(what.currency)
    amount = (
        f"{what.amount} of currency {what.currency}" if unit is None else money(what.amount, unit)
    )
    if what.reason is Reason.VERIFY:
        return f"{shop} asks for {amount}: verify yourself and tap again (--verify)."
    if what.cryptogram is CryptogramType.AAC:
        return f"Declined: {amount} at {shop}."
    way = {True: "at a gate", False: "approved offline"}[what.transit]
    asked = what.cryptogram is CryptogramType.ARQC and not what.transit
    return f"Tapped for {amount} at {shop}, {'the issuer is asked' if asked else way}."


def _unit(number: int) -> Currency | None:
    try:
        return currency_by_number(number)
    except Invalid:
        return None


@contextmanager
def _store(folder: Path | None) -> Iterator[DeviceStore]:
    with DeviceStore(folder or default_data_folder(os.environ) / "device", system_entropy) as store:
        yield store


@contextmanager
def _device(
    folder: Path | None, on_tap: Callable[[Tap], None] = lambda _: None
) -> Iterator[Device]:
    with _store(folder) as store:
        yield Device(store, SystemClock(), system_entropy, on_tap)


def _secret(prompt: str) -> str:
    """A line that is not shown; from a pipe as it comes."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt).strip()
    return sys.stdin.readline(_LARGEST).strip()


def _contents(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(_LARGEST)
    try:
        with Path(path).open("rb") as file:
            return file.read(_LARGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be read"
        raise FileUnusable(path, reason.lower()) from error
