"""`tandem device`: the phone, as a program."""

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.cli.device_cards import COMMANDS
from tandem.cli.device_folder import Folder, device, secret, store
from tandem.cli.show import cells, complain, done, money, say, show, table
from tandem.emv.application_data import CryptogramType
from tandem.emv.card import Reason, Tap
from tandem.emv.errors import EmvRefused
from tandem.kernel import (
    Currency,
    Invalid,
    SystemClock,
    currency,
    currency_by_number,
    system_entropy,
)
from tandem.tap import Device, DeviceStore, Presence, Vault, VaultAway, VaultLink, VaultRefused
from tandem.tap.provisioning import settle, sync
from tandem.tap.radio import present
from tandem.tap.vpcd import LOOPBACK, PORT, connect

app = App(name="device", help="Hold cards and pay by tap: the phone.", help_format="markdown")
for _command in COMMANDS:
    app.command(_command)


@app.command(name="list")
def list_(*, folder: Folder = None) -> None:
    """List the cards of this device; the first is the one that pays.

    Example: `tandem device list`
    """
    made = table("Card", "Ends in", "Status", "Expires", "Payments", "Id", right=("Payments",))
    with store(folder) as kept:
        for card in kept.cards():
            data, state = card.profile.data, card.state
            status = "blocked" if state.blocked else card.status
            made.add_row(
                *cells(data.label, card.last_four, status, data.expiry, state.atc, card.id)
            )
    if made.row_count:
        show(made)
    else:
        say("There is no card on this device. Add one: tandem device add CNY")


@app.command
def passcode(*, folder: Folder = None) -> None:
    """Set the passcode, or change it. It is asked for; in a pipe, a line each is read.

    Six wrong ones in a row lock the device for good. Without a passcode the device pays small
    amounts only.

    Example: `tandem device passcode`
    """
    with device(folder) as phone:
        before = secret("Passcode until now: ") if phone.has_passcode else None
        phone.set_passcode(secret("New passcode: "), before)
    done("The passcode is set.")


@app.command
def tap(
    *,
    folder: Folder = None,
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=65535))] = PORT,
    verify: Annotated[bool, Parameter(negative=())] = False,
    stay: Annotated[bool, Parameter(negative=())] = False,
    radio: str = "",
    answer_seconds: Annotated[float, Parameter(validator=Number(gte=0, lte=600))] = 10,
) -> int:
    """Hold the device to a reader of this machine, and say what it paid.

    The device asks the vault first whether its cards still pay, and afterwards what became of the
    payment: the issuer's answer begins the card's offline counters anew. Without a network it pays
    all the same, within the card's own limits. Exit status 1 if nothing was paid.

    Example: `tandem device tap --verify`

    Parameters
    ----------
    port
        The reader's port: the virtual reader's, or that of a terminal with `socket:PORT`.
    verify
        Ask for the passcode first.
    stay
        Stay in the field until Ctrl-C, instead of leaving it after a payment.
    radio
        Be a Type 4A card by nfcpy instead, at its path: `usb`, or `udp:127.0.0.1:54321`.
    answer_seconds
        How long to wait for the issuer's answer; 0 does not ask.
    """
    came: list[Tap] = []

    def told(what: Tap) -> None:
        came.append(what)
        say(_told(what))

    with store(folder) as kept:
        link = kept.vault()
        if link is not None:
            _ask_before(kept, link)
        phone = Device(kept, SystemClock(), system_entropy, told)
        if verify:
            phone.verify(secret("Passcode: "))

        def leave() -> bool:
            return bool(came) and not stay

        if radio:
            present(phone, radio, system_entropy, leave)
        else:
            Presence(phone, connect(LOOPBACK, port), system_entropy).serve(leave)
        if not came:
            say("The reader let go of the device; nothing was paid.")
            return 1
        last = came[-1]
        if link is not None and last.cryptogram is CryptogramType.ARQC and answer_seconds:
            return _ask_after(phone, link, last, answer_seconds)
    return 0 if any(what.cryptogram is not CryptogramType.AAC for what in came) else 1


def _ask_before(kept: DeviceStore, link: VaultLink) -> None:
    """Learn whether the cards still pay; without the vault what it said last holds."""
    with Vault(link) as vault:
        try:
            sync(kept, vault, SystemClock().now().date())
        except (VaultAway, VaultRefused) as error:
            complain(f"{error.sentence()} What it last said of the cards holds.")


def _ask_after(phone: Device, link: VaultLink, paid: Tap, seconds: float) -> int:
    """Give the card the issuer's answer, and say what became of the payment."""
    with Vault(link) as vault:
        try:
            found = settle(phone, vault, phone.tapped, paid.atc, seconds)
        except (VaultAway, VaultRefused, EmvRefused) as error:
            complain(error.sentence())
            return 0
    if found is None:
        say("The issuer has not answered yet.")
        return 0
    payment = found.payment
    amount = money(payment.amount, currency(payment.currency))
    if payment.decline_reason is None:
        done(f"Paid {amount} at {payment.shop}. {payment.id}")
        return 0
    say(f"Declined: {payment.decline_reason.replace('_', ' ')}. Nothing was paid. {payment.id}")
    return 1


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
