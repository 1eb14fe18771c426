"""The commands of `tandem device` that bring cards onto it and look after them."""

from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

from cyclopts import Parameter

from tandem.cards import CardView
from tandem.cli.device_folder import Folder, secret, store, vault
from tandem.cli.show import cells, complain, done, facts, say, show, table
from tandem.kernel import Invalid, NotFound, SystemClock, system_entropy
from tandem.tap import Provisioned, provisioning

C = TypeVar("C", CardView, Provisioned)
Named = Annotated[
    str | None,
    Parameter(help="The card, by its id (crd_…) or last four digits, if it is not the only one."),
]


def connect(url: str, /, *, folder: Folder = None) -> None:
    """Connect this device to a Tandem, under the API key that it has there.

    The key is asked for (in a pipe, a line is read). It comes with a wallet (`POST /v1/people`),
    from an earlier device (`POST /v1/people/me/devices`), or from the operator:
    `tandem operator device add @lin "Lin's new phone"`.

    Example: `tandem device connect https://tandem.example`

    Parameters
    ----------
    url
        Where that Tandem is: https://…, or http:// of this machine.
    """
    with store(folder) as kept:
        handle = provisioning.connect(kept, url, secret("API key: "), system_entropy)
    done(f"This is a device of {handle}. Next: tandem device add CNY")


def add(currency: str, /, *, folder: Folder = None) -> None:
    """Add a card that pays from your balance in a currency.

    On the device that the wallet was made with it is ready at once. On a later one an earlier
    device shows a one-time code (`tandem device code` there), which is typed here
    (`tandem device prove`); where there is none the operator confirms it.

    Example: `tandem device add CNY`

    Parameters
    ----------
    currency
        Of the balance that the card pays from: an ISO 4217 code.
    """
    with vault(folder) as (kept, reached):
        card = provisioning.add(kept, reached, currency.upper(), system_entropy)
    _told(card)


def code(card: Named = None, /, *, folder: Folder = None) -> None:
    """Show a one-time code for a card that waits on a later device of yours.

    Example: `tandem device code`
    """
    with vault(folder) as (_, reached):
        waiting = [each for each in reached.cards() if each.status == "waiting_code"]
        shown = reached.show_code(_named(waiting, card, "waits for a code").id)
    facts({"Code": shown.code, "Good until": f"{shown.until:%H:%M:%S} UTC"})
    say("Type it on the other device: tandem device prove CODE")


def prove(code: str, card: str | None = None, /, *, folder: Folder = None) -> None:
    """Enter the one-time code that an earlier device shows, and fetch the card.

    Five wrong ones refuse the card.

    Example: `tandem device prove 402917`

    Parameters
    ----------
    code
        Six digits.
    card
        The card (crd_…), if more than one waits.
    """
    with vault(folder) as (kept, reached):
        proved = provisioning.prove(kept, reached, code, card)
    _told(proved)


def sync(*, folder: Folder = None) -> None:
    """Ask the vault what is new: cards to fetch, to renew, suspended ones, removed ones.

    Example: `tandem device sync`
    """
    with vault(folder) as (kept, reached):
        found = provisioning.sync(kept, reached, SystemClock().now().date())
    for card in found.new:
        say(f"New: {_card(card)}, good until {card.profile.data.expiry}.")
    for card in found.gone:
        say(f"Gone: {_card(card)}. Its keys are removed from this device.")
    for card in found.held:
        if card.status != "active":
            say(f"{_card(card)} is {card.status}: it does not pay.")
    for waiting in found.waiting:
        _told(waiting)
    for lost in found.lost:
        complain(
            f"The keys of the card that ends in {lost.last_four} were handed out before and are "
            f"not here. Remove it and add one anew: tandem device remove {lost.id}"
        )
    for renewal, before in found.withheld:
        complain(_withheld(renewal, before))
    done(f"This device has {len(found.held)} card{'' if len(found.held) == 1 else 's'}.")


def cards(*, folder: Folder = None) -> None:
    """List all cards of the wallet, on every device, as the vault has them.

    Example: `tandem device cards`
    """
    made = table("Ends in", "Status", "Pays from", "Good until", "Id", "Device")
    with vault(folder) as (_, reached):
        for card in reached.cards():
            made.add_row(
                *cells(card.last_four, card.status, card.currency, card.expiry),
                *cells(card.id, card.device_id),
            )
    show(made)


def use(card: str, /, *, folder: Folder = None) -> None:
    """Choose the card that pays, of those on this device.

    Example: `tandem device use 0126`

    Parameters
    ----------
    card
        Its last four digits, or its id (crd_…).
    """
    with store(folder) as kept:
        chosen = _named(kept.cards(), card)
        kept.choose(chosen.id)
    done(f"{_card(chosen)} pays from now on.")


def suspend(card: Named = None, /, *, folder: Folder = None) -> None:
    """Let a card pay no more until it is resumed.

    Example: `tandem device suspend`
    """
    with vault(folder) as (kept, reached):
        held = _named(kept.cards(), card)
        kept.set_status(held.id, reached.suspend(held.id).status)
    done(f"{_card(held)} pays no more. To let it pay again: tandem device resume {held.last_four}")


def resume(card: Named = None, /, *, folder: Folder = None) -> None:
    """Let a suspended card pay again.

    Example: `tandem device resume`
    """
    with vault(folder) as (kept, reached):
        held = _named(kept.cards(), card)
        kept.set_status(held.id, reached.resume(held.id).status)
    done(f"{_card(held)} pays again.")


def renew(card: Named = None, /, *, folder: Folder = None) -> None:
    """Renew a card in its last three months: the same number, other keys.

    `tandem device sync` does it by itself in the last month.

    Example: `tandem device renew`
    """
    with vault(folder) as (kept, reached):
        held = _named(kept.cards(), card)
        reached.renew(held.id)
        found = provisioning.sync(kept, reached, SystemClock().now().date())
    for each in found.new:
        done(f"{_card(each)} is good until {each.profile.data.expiry}.")


def lost(device: str, /, *, folder: Folder = None) -> None:
    """Report another device of yours as lost: its cards pay no more from the next tap on.

    Only the operator can undo that.

    Example: `tandem device lost dev_0199…`

    Parameters
    ----------
    device
        The device, as `tandem device cards` shows it (dev_…).
    """
    with vault(folder) as (_, reached):
        ended = reached.lose(device)
    done(f"{len(ended)} card{'' if len(ended) == 1 else 's'} of {device} cannot pay any more.")


def remove(card: Named = None, /, *, folder: Folder = None) -> None:
    """End a card for good, in the vault and on this device. What it paid can still be refunded.

    Example: `tandem device remove 0126`
    """
    with vault(folder) as (kept, reached):
        own = [each for each in reached.cards() if each.device_id == reached.link.device_id]
        ended = _named([each for each in own if each.status not in _OVER], card)
        reached.remove(ended.id)
        kept.remove(ended.id)
    done(f"The card that ended in {ended.last_four} is removed.")


COMMANDS: Final = (
    connect, add, code, prove, sync, cards, use, suspend, resume, renew, lost, remove,
)  # fmt: skip
_OVER: Final = frozenset({"removed", "refused", "replaced"})


def _told(card: CardView) -> None:
    """What a card is waiting for, or that it is ready."""
    if card.status == "waiting_code":
        say(f"The card that ends in {card.last_four} waits for a one-time code.")
        say("On an earlier device of yours: tandem device code")
        say("Then here: tandem device prove CODE")
    elif card.status == "waiting_operator":
        say(f"The card that ends in {card.last_four} ({card.id}) waits for the operator's word.")
        say("When it is given: tandem device sync")
    else:
        done(f"The card that ends in {card.last_four} is on this device. Pay: tandem device tap")


def _withheld(card: CardView, before: str | None) -> str:
    """Why a renewed card's keys are not here, and what to do."""
    why = f"The card that ends in {card.last_four} was renewed, but its new keys are kept back: "
    if before is None:
        return f"{why}the one before it is over. Add one anew: tandem device remove {card.id}"
    then = "you have resumed it" if before == "suspended" else "the operator has restored it"
    return f"{why}the one before it is {before}. When {then}: tandem device sync"


def _named(cards: Sequence[C], named: str | None, what: str = "is on this device") -> C:
    """The one card that is meant. Raises `NotFound`, `Invalid`."""
    found = [c for c in cards if named is None or named in {c.id, c.last_four}]
    if not found:
        raise NotFound("card", named or f"that {what}")
    if len(found) > 1:
        raise Invalid("card", f"name one of {', '.join(c.last_four for c in found)}")
    return found[0]


def _card(card: Provisioned) -> str:
    return f"{card.profile.data.label.title()} …{card.last_four}"
