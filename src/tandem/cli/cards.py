"""`tandem cards keys` and `tandem operator card`: the operator's card keys, and people's cards."""

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.cards import (
    CardCommand,
    CardFilter,
    CardView,
    DeviceCard,
    IssuerKeys,
    ShownCode,
    exception_list,
)
from tandem.cli.beside import services
from tandem.cli.errors import FileUnusable
from tandem.cli.people import person_of
from tandem.cli.run import run
from tandem.cli.show import cells, done, facts, say, show, table
from tandem.kernel import read_id, show_id

app = App(name="cards", help="Look after the keys of device cards.", help_format="markdown")
keys_app = App(name="keys", help="The operator's card keys.", help_format="markdown")
card_app = App(name="card", help="People's device cards.", help_format="markdown")
app.command(keys_app)

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]


@keys_app.command
def create() -> None:
    """Make the card keys, if there are none: authority, issuer, master key.

    The first card that is added makes them, too; that takes some seconds.

    Example: `tandem cards keys create`
    """
    _show_keys(run(_create()))


async def _create() -> IssuerKeys:
    async with services() as opened:
        return await opened.cards.vault.keys()


@keys_app.command(name="show")
def show_keys() -> None:
    """Show which card keys there are; never a secret.

    Example: `tandem cards keys show`
    """
    _show_keys(run(_find()))


async def _find() -> IssuerKeys:
    async with services() as opened:
        return await opened.cards.vault.find()


@keys_app.command
def rotate(kind: Literal["authority", "issuer", "master"], /) -> None:
    """Make a new key for new cards; those that people have go on under theirs.

    Bring a new authority key to all terminals (`tandem cards keys export`) before you rotate
    `issuer`: from then on new cards are certified under it.

    Example: `tandem cards keys rotate authority`

    Parameters
    ----------
    kind
        `authority` certifies issuers, `issuer` certifies cards, `master` makes their cryptogram
        keys.
    """
    _show_keys(run(_rotate(kind)))


async def _rotate(kind: Literal["authority", "issuer", "master"]) -> IssuerKeys:
    async with services() as opened:
        return await opened.cards.vault.rotate(kind)


@keys_app.command
def export(file: Path, /) -> None:
    """Write the public keys that terminals hold, as JSON. There is no secret in it.

    Example: `tandem cards keys export terminals.json`

    Parameters
    ----------
    file
        Where to write them.
    """
    keys = run(_find())
    try:
        file.write_bytes(keys.trusted.to_bytes() + b"\n")
    except OSError as error:
        reason = error.strerror or "cannot be written"
        raise FileUnusable(str(file), reason.lower()) from error
    done(f"Wrote {len(keys.trusted.keys)} public keys to {file}.")


@app.command
def exceptions(file: Path, /) -> None:
    """Write the exception file for terminals: numbers of cards that pay no more, one on each line.

    They are on devices and have not expired, but are lost, blocked, suspended or removed, or their
    person or device is out of use. A terminal whose settings name the file approves none of them
    without asking, as soon as the file is there. It is replaced in one step; only its owner may
    read it.

    Example: `tandem cards exceptions exceptions.txt`

    Parameters
    ----------
    file
        Where to write them.
    """
    numbers = run(_exceptions())
    try:
        _replace(file, "".join(f"{number}\n" for number in numbers))
    except OSError as error:
        reason = error.strerror or "cannot be written"
        raise FileUnusable(str(file), reason.lower()) from error
    several = "" if len(numbers) == 1 else "s"
    done(f"Wrote {len(numbers)} card number{several} to {file}.")


def _replace(file: Path, text: str) -> None:
    """Replace a file in one step, so that nobody reads half of it. Raises `OSError`."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)  # 0600
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as open_file:
            open_file.write(text)
        new.rename(file)
    finally:
        new.unlink(missing_ok=True)


async def _exceptions() -> list[str]:
    async with services() as opened:
        today = opened.settings.day_of(opened.clock.now())
        return await exception_list(opened.pool, opened.keyring, today)


def _show_keys(keys: IssuerKeys) -> None:
    made = table("Key", "Number", "Good until", "For")
    for key in keys.trusted.keys:
        rid = key.rid.hex().upper()
        made.add_row(*cells("authority", key.index, key.expires, f"RID {rid}"))
    issuer = keys.issuer
    under = f"cards {issuer.identifier}…, under authority key {issuer.authority_index}"
    made.add_row(*cells("issuer", keys.issuer_number, issuer.expires, under))
    for index, master in sorted(keys.masters.items()):
        made.add_row(*cells("master", index, "", master.cryptogram_version.name))
    show(made)


@card_app.command(name="list")
def list_cards(
    person: str | None = None, /, *, status: str | None = None, limit: Limit = 50
) -> None:
    """List device cards, newest first.

    Example: `tandem operator card list --status waiting_operator`

    Parameters
    ----------
    person
        Only this person's: `@handle` or ppl_…
    status
        Only those in this state, such as waiting_operator, active or blocked.
    limit
        The most cards to list.
    """
    made = table("Card", "Ends in", "Status", "Proof", "Pays from", "Good until", "Device")
    for card in run(_list(person, status, limit)):
        made.add_row(
            *cells(
                show_id("crd", card.id),
                card.last_four,
                card.status,
                card.proof,
                card.funding_currency,
                card.expiry,
                show_id("dev", card.device_id),
            )
        )
    show(made)


async def _list(person: str | None, status: str | None, limit: int) -> list[DeviceCard]:
    async with services() as opened:
        who = None if person is None else (await person_of(opened, person)).id
        return await opened.cards.list(CardFilter(person_id=who, status=status), None, limit)


@card_app.command
def code(card: str, /) -> None:
    """Make a one-time code for a card that waits for one, to bring to the person.

    Example: `tandem operator card code crd_0199…`

    Parameters
    ----------
    card
        The card, crd_…
    """
    shown = run(_code(card))
    facts({"Code": shown.code, "Good until": f"{shown.until:%H:%M:%S} UTC"})
    say("It is shown this once.")


async def _code(card: str) -> ShownCode:
    async with services() as opened:
        return await opened.cards.issue_code(read_id("crd", card, "card"))


@card_app.command
def confirm(card: str, /) -> None:
    """Confirm a card that waits for the operator: you know that the device is the person's.

    Example: `tandem operator card confirm crd_0199…`

    Parameters
    ----------
    card
        The card, crd_…
    """
    _done(run(_command(card, CardCommand.CONFIRM)))


@card_app.command
def refuse(card: str, /) -> None:
    """Refuse a card that waits.

    Example: `tandem operator card refuse crd_0199…`

    Parameters
    ----------
    card
        The card, crd_…
    """
    _done(run(_command(card, CardCommand.REFUSE)))


@card_app.command
def block(card: str, /) -> None:
    """Block a card: it pays no more until it is restored.

    Example: `tandem operator card block crd_0199…`

    Parameters
    ----------
    card
        The card, crd_…
    """
    _done(run(_command(card, CardCommand.BLOCK)))


@card_app.command
def restore(card: str, /) -> None:
    """Let a card pay again that was lost or blocked.

    Example: `tandem operator card restore crd_0199…`

    Parameters
    ----------
    card
        The card, crd_…
    """
    _done(run(_command(card, CardCommand.RESTORE)))


@card_app.command
def remove(card: str, /) -> None:
    """Remove a card: it never pays again.

    Example: `tandem operator card remove crd_0199…`

    Parameters
    ----------
    card
        The card, crd_…
    """
    _done(run(_command(card, CardCommand.REMOVE)))


@card_app.command
def renew(card: str, /) -> None:
    """Renew a card in its last three months; the person's device fetches the new keys.

    Example: `tandem operator card renew crd_0199…`

    Parameters
    ----------
    card
        The card, crd_…
    """
    _done(run(_renew(card)))


async def _renew(card: str) -> CardView:
    async with services() as opened:
        return await opened.cards.renew(read_id("crd", card, "card"), "operator")


async def _command(card: str, command: CardCommand) -> CardView:
    async with services() as opened:
        return await opened.cards.by_operator(read_id("crd", card, "card"), command)


def _done(card: CardView) -> None:
    done(f"{card.id}, which ends in {card.last_four}, is {card.status.replace('_', ' ')}.")
