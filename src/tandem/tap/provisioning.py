"""Bringing cards onto a device, and keeping up with what the vault says of them.

    connect   the device makes its key, and keeps where the vault is
    add       asks for a card; proved at once, or by a one-time code of an earlier device
    sync      fetches what waits, renews, forgets what is over, notes what is suspended

Each step can be taken again after a crash or a lost answer: a card is asked for under a key that is
on the disk first, and a package is handed out again to whoever asks for it in the same way.
"""

import base64
import contextlib
import time
from datetime import date, timedelta
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec.structs import replace

from tandem.cards import CardView, unwrap
from tandem.emv.errors import KeyMalformed
from tandem.kernel import Entropy, Invalid, read_id
from tandem.tap.device import Device
from tandem.tap.device_store import ACTIVE, Adding, DeviceStore, Provisioned, VaultLink
from tandem.tap.errors import DeviceTaken, NotConnected, VaultRefused
from tandem.tap.terminal import issuer_data
from tandem.tap.vault import TapAnswered, Vault, vault_url

RENEW_WITHIN: Final = timedelta(days=30)
"""A card that ends within a month is renewed by the next `sync`."""
_SECRET_BYTES: Final = 32
_KEY_BYTES: Final = 16
_OVER: Final = frozenset({"removed", "refused", "replaced"})
_WAITING: Final = "waiting"
"""A payment whose issuer, somewhere else, is being asked."""
_NOT_YET: Final = "card_state"
"""Why the vault keeps the keys of a renewal: the card that it renews does not pay now."""
_LOOK_SECONDS: Final = 0.25


class Withheld(NamedTuple):
    """A renewal whose keys the vault keeps, and the state of the card that it renews.

    `before` is None if that one is over, or not of this device: the renewal is of no use then.
    """

    card: CardView
    before: str | None


class Synced(NamedTuple):
    """What `sync` came to: cards that are new here, cards that are gone, and all that there are.

    `waiting` are this device's cards that are not proved yet, `lost` those whose keys were handed
    out before and are not here: they are to be removed and added anew. `withheld` are renewals that
    wait until the card that they renew pays again.
    """

    new: tuple[Provisioned, ...]
    gone: tuple[Provisioned, ...]
    held: tuple[Provisioned, ...]
    waiting: tuple[CardView, ...]
    lost: tuple[CardView, ...]
    withheld: tuple[Withheld, ...]


def connect(store: DeviceStore, url: str, key: str, entropy: Entropy) -> str:
    """Connect the device to the vault at `url` under its API key. Returns the person's handle.

    Once more for the same device changes nothing. Raises `Invalid`, `DeviceTaken` if it has cards
    of another, and as `Vault` does.
    """
    link, before = VaultLink(url=vault_url(url), key=key, secret=b""), store.vault()
    same = before is not None and (before.url, before.key) == (link.url, link.key)
    if not same and store.cards():
        raise DeviceTaken
    with Vault(link) as vault:
        handle = vault.name()
    if not same:
        store.save_vault(replace(link, secret=entropy(_SECRET_BYTES)))
    return handle


def connected(store: DeviceStore) -> VaultLink:
    """Where the vault is. Raises `NotConnected`."""
    link = store.vault()
    if link is None:
        raise NotConnected
    return link


def add(store: DeviceStore, vault: Vault, currency: str, entropy: Entropy) -> CardView:
    """Ask for a card, and fetch it if nothing more has to be proved.

    Raises as `Vault` does; after `VaultAway` the next `sync` asks again.
    """
    if vault.link.adding is None:
        _note(store, vault, adding=Adding(currency, entropy(_KEY_BYTES).hex()))
    card = _ask_again(store, vault)
    if card.status == ACTIVE:
        fetch(store, vault, card)
    return card


def prove(store: DeviceStore, vault: Vault, code: str, card_id: str | None = None) -> CardView:
    """Enter a one-time code for a card of this device, and fetch the card.

    Raises `Invalid` unless exactly one card waits or `card_id` says which, and as `Vault` does.
    """
    if card_id is None:
        waiting = [card for card in _own(vault) if card.status == "waiting_code"]
        if len(waiting) != 1:
            none = "no card of this device waits for a code"
            raise Invalid("card", "name the one that the code is for" if waiting else none)
        card_id = waiting[0].id
    card = vault.prove(card_id, code)
    fetch(store, vault, card)
    return card


def fetch(store: DeviceStore, vault: Vault, card: CardView) -> Provisioned:
    """Fetch a card's package, open it and keep the card.

    Raises `KeyMalformed` if it is not for this device, and as `Vault` does.
    """
    secret = X25519PrivateKey.from_private_bytes(vault.link.secret)
    profile = unwrap(vault.package(card.id), secret, read_id("crd", card.id))
    made = Provisioned(id=card.id, profile=profile)
    store.add(made)
    return made


def sync(store: DeviceStore, vault: Vault, today: date) -> Synced:
    """Bring the device up to date with the vault. Raises as `Vault` does."""
    if vault.link.adding is not None:
        _ask_again(store, vault)
    held = {card.id: card for card in store.cards()}
    theirs = _own(vault)
    for card in theirs:
        if _ends(card, today) and card.id in held and not _renewed(card, theirs):
            with contextlib.suppress(VaultRefused):  # by the vault's own day it may be too early
                vault.renew(card.id)
    theirs = _own(vault)
    missing = [c for c in reversed(theirs) if c.status == ACTIVE and c.id not in held]
    new, lost, kept_back = _fetched(store, vault, missing)
    # Fetching a renewed card ends the one before it, so what is over is asked for after that.
    status = {card.id: card.status for card in (_own(vault) if new else theirs)}
    gone: list[Provisioned] = []
    for kept in store.cards():
        said = status.get(kept.id, "removed")
        if said == "removed":
            store.remove(kept.id)
            gone.append(kept)
        elif said != kept.status:
            store.set_status(kept.id, said)
    waiting = tuple(card for card in theirs if card.status.startswith("waiting"))
    withheld = tuple(Withheld(card, _state_before(card, theirs)) for card in kept_back)
    return Synced(tuple(new), tuple(gone), store.cards(), waiting, tuple(lost), withheld)


def settle(
    device: Device, vault: Vault, card_id: str, atc: int, within_seconds: float
) -> TapAnswered | None:
    """Wait for the issuer's answer to a tap, and give it to the card. None if none came in time.

    Raises as `Vault` and `Device.issuer_answered` do: an answer that is not the issuer's changes
    nothing.
    """
    for _ in range(max(1, int(within_seconds / _LOOK_SECONDS))):
        found = vault.tap(card_id, atc)
        if found is not None and found.payment.status != _WAITING:
            if found.issuer_answer is not None:
                device.issuer_answered(card_id, atc, issuer_data(_bytes(found.issuer_answer)))
            return found
        time.sleep(_LOOK_SECONDS)
    return None


def _fetched(
    store: DeviceStore, vault: Vault, cards: list[CardView]
) -> tuple[list[Provisioned], list[CardView], list[CardView]]:
    """Fetch these: what came; those whose keys are gone or not for us; those that have to wait."""
    new: list[Provisioned] = []
    lost: list[CardView] = []
    kept_back: list[CardView] = []
    for card in cards:
        try:
            new.append(fetch(store, vault, card))
        except VaultRefused as refused:
            (kept_back if refused.reason == _NOT_YET else lost).append(card)
        except KeyMalformed:
            lost.append(card)
    return new, lost, kept_back


def _ask_again(store: DeviceStore, vault: Vault) -> CardView:
    """Ask for the card that is on the disk as asked for."""
    adding = vault.link.adding
    assert adding is not None, "it was noted before"
    secret = X25519PrivateKey.from_private_bytes(vault.link.secret)
    try:
        card = vault.add(adding.currency, secret.public_key().public_bytes_raw(), adding.key)
    except VaultRefused:
        _note(store, vault, adding=None)
        raise
    _note(store, vault, adding=None, device_id=card.device_id)
    return card


def _note(store: DeviceStore, vault: Vault, **changes: object) -> None:
    vault.link = replace(vault.link, **changes)
    store.save_vault(vault.link)


def _own(vault: Vault) -> list[CardView]:
    """The cards of this device that are not over, newest first."""
    own = vault.link.device_id
    return [c for c in vault.cards() if c.device_id == own and c.status not in _OVER]


def _ends(card: CardView, today: date) -> bool:
    return card.status == ACTIVE and card.expiry - today <= RENEW_WITHIN


def _renewed(card: CardView, all_of_them: list[CardView]) -> bool:
    """Whether another card with the same number is on its way."""
    return any(
        other.id != card.id and other.last_four == card.last_four and not other.delivered
        for other in all_of_them
    )


def _state_before(card: CardView, all_of_them: list[CardView]) -> str | None:
    """The state of the card that this one renews."""
    older = (o for o in all_of_them if o.last_four == card.last_four and o.delivered)
    return next((other.status for other in older), None)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
