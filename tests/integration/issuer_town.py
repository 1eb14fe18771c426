"""A town that is connected to a simulated issuer, over real TCP on loopback."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from town import Door, Facts, Someone, Town, key, open_town, said

from acquiring_play import Keys
from card_phone import Phone
from moves import CNY
from tandem.acquiring import Wire
from tandem.cards import CardDetails, CardView
from tandem.db import Idempotency
from tandem.emv.card.profile import luhn
from tandem.issuers import IssuerLink, RemoteIssuers, Rules, Simulator
from tandem.issuers.rules import DEFAULT
from tandem.kernel import system_entropy
from tandem.ledger import issuer as issuer_account
from tandem.payments import NewTap, TapTrace

RANGE: Final = "476173"
_NUMBER: Final = itertools.count(1)


def card(ends: str = "0119", nth: int = 0) -> CardDetails:
    """The nth card of the simulated issuer whose number ends so."""
    numbers = (f"{RANGE}{filler:0{10 - len(ends)}d}{ends}" for filler in range(10**6))
    return CardDetails(next(itertools.islice(filter(luhn, numbers), nth, None)), "4912", "123")


SOON_SECONDS = 30
_ISSUER = "SELECT id FROM issuers WHERE name = $1"


@dataclass
class Bank:
    """A town, and the issuer that it is connected to."""

    town: Town
    issuer: Simulator
    before: int = 0
    """What the issuer owed by our books before the test, less what it has settled since."""

    async def phone(self, lin: Someone, details: CardDetails | None = None) -> Phone:
        """A phone whose device card this issuer's card funds."""
        services = self.town.services
        phone = Phone(services.cards, lin.id, lin.device_id, services.clock)
        await phone.add(key(), card=details or card())
        return phone

    async def tap(self, phone: Phone, amount: int, **told: Any) -> NewTap:  # noqa: ANN401 - fields of NewTap
        """What a till's host makes of a tap."""
        outcome = await phone.tap(amount)
        number = next(_NUMBER)
        fields: dict[str, Any] = {
            "amount": amount,
            "currency": "CNY",
            "pan": phone.pan,
            "sequence": 0,
            "icc": outcome.online_data,
            "day": self.town.services.clock.now().date(),
            "trace": TapTrace(
                link="test", terminal="T1", reference=f"ref {number}", rrn=f"{number:012d}"
            ),
            **told,
        }
        return NewTap(**fields)

    async def pay(self, door: Door, new: NewTap, idem: Idempotency | None = None) -> Facts:
        """Pay by a tap; the answer."""
        payments = self.town.services.payments
        return said(await payments.pay_by_card(door.at, new, idem or key(owner=door.id)))

    async def tell(self) -> None:
        """Resolve and tell what is due, as the background does."""
        payments = self.town.services.payments
        while await payments.resolve_issuers() + await payments.tell_issuers():
            pass

    async def asked(self) -> None:
        """Wait until the issuer has booked something."""
        while not self.issuer.accounts.made:  # noqa: ASYNC110 - it is none of ours
            await asyncio.sleep(0.01)

    async def owed(self) -> int:
        """What the issuer owes by our books, in fen."""
        pool = self.town.services.pool
        issuer_id = await pool.fetchval("SELECT id FROM issuers WHERE name = 'harbour-bank'")
        found = await pool.fetchval(
            "SELECT debits_posted - credits_posted FROM accounts WHERE id = $1",
            issuer_account(issuer_id, CNY).id,
        )
        return int(found or 0)

    def agrees(self) -> int:
        """What it owes by its own books."""
        return self.issuer.accounts.owed().get(f"{CNY.number:03d}", 0)


async def add(
    bank: Bank, lin: Someone, details: CardDetails, idem: Idempotency | None = None
) -> CardView:
    """Add a device card that this card of the issuer's funds."""
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return await bank.town.services.cards.add(lin.id, lin.device_id, "CNY", public, idem, details)


@asynccontextmanager
async def open_bank(
    url: str, folder: Path, rules: Rules = DEFAULT, *, answer_seconds: int = 1, port: int = 0
) -> AsyncIterator[Bank]:
    """A town with the connection of an issuer, whose answers are waited for a second."""
    link = IssuerLink(name="harbour-bank", ranges=(RANGE,), wire=Wire(numeric="bcd"))
    async with Simulator(link, rules, Keys(), system_entropy, port=port) as issuer:
        path = folder / f"issuers-{issuer.port}.toml"
        path.write_text(
            f'[[issuers]]\nname = "harbour-bank"\nranges = ["{RANGE}"]\nport = {issuer.port}\n'
            f'answer_seconds = {answer_seconds}\nwire = {{ numeric = "bcd" }}\n'
        )
        async with open_town(url, folder, issuers=path) as town:
            # A second is little to connect in on a busy machine, and no test is about that.
            issuers = cast("RemoteIssuers", town.services.payments._issuers)
            known = issuers._find(await town.services.pool.fetchval(_ISSUER, link.name))
            await issuers.connect(known)
            await known.client.ready(SOON_SECONDS)
            yield Bank(town, issuer)
