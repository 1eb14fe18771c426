"""Devices that add cards at the vault of a town, and open what they are given."""

from base64 import b64decode
from datetime import timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from town import Someone, Town, key

from tandem.cards import CardView, unwrap
from tandem.emv.card import Profile
from tandem.kernel import read_id


class Phone:
    """A device that adds a card and opens what it is given."""

    def __init__(self, town: Town, person: UUID, device: UUID) -> None:
        self.cards = town.services.cards
        self.person, self.device = person, device
        self.secret = X25519PrivateKey.generate()
        self.public = self.secret.public_key().public_bytes_raw()

    async def add(self, code: str = "CNY", idem: Any = None) -> CardView:  # noqa: ANN401 - a key
        return await self.cards.add(self.person, self.device, code, self.public, idem)

    async def fetch(self, card: CardView, idem: Any = None) -> Profile:  # noqa: ANN401 - a key
        package = await self.cards.deliver(self.person, self.device, uid(card), idem or key())
        return unwrap(b64decode(package.sealed), self.secret, uid(card))


def uid(card: CardView) -> UUID:
    return read_id("crd", card.id)


def first(town: Town, person: Someone) -> Phone:
    return Phone(town, person.id, person.device_id)


async def second(town: Town, person: Someone) -> Phone:
    made = await town.services.people.add_device(person.id, "Watch", None)
    return Phone(town, person.id, read_id("dev", made.id))


def last_month(town: Town, card: CardView) -> None:
    """Wait for the last month of a card."""
    today = town.services.settings.day_of(town.services.clock.now())
    town.wait(days=(card.expiry - today - timedelta(days=30)).days)


async def renewed(town: Town, phone: Phone) -> tuple[CardView, CardView]:
    """A card on its device, and its renewal whose keys nobody has fetched yet."""
    card = await phone.add()
    await phone.fetch(card)
    last_month(town, card)
    return card, await phone.cards.renew(uid(card), "person", phone.person)
