"""A whole installation in one process, and people, shops and tills in it.

    async with open_town(url, folder) as town:
        lin = await town.person(yuan=100)
        door = await town.merchant()
        order = await town.order(door, 3800)

It is noon, and later by `town.wait(...)`, so that no test meets a midnight or the end of a pay
code's step by chance. Nothing runs beside the calls unless asked for.
"""

import asyncio
import itertools
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from moves import CNY, once
from tandem.app import Services, open_services
from tandem.codes import paycode
from tandem.db import Idempotency
from tandem.kernel import read_id, system_entropy
from tandem.keyring import FileKeyRing, RotatingRing
from tandem.ledger import Outcome, verify
from tandem.ledger import merchant as merchant_account
from tandem.merchants import Acceptance, CurrencyTerms
from tandem.payments import At, Capture, NewPayment, Source
from tandem.settings import Settings

_NUMBER: Final = itertools.count(1)
_OWNER: Final = UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0001)
Facts = dict[str, Any]


def key(text: str = "", body: str = "", owner: UUID = _OWNER) -> Idempotency:
    """An idempotency key; a new one unless named."""
    return once(owner, text or f"key {next(_NUMBER)}", body)


def said(outcome: Outcome) -> Facts:
    """The answer of an outcome."""
    answer: Facts = msgspec.json.decode(outcome.body)
    return answer


@dataclass(frozen=True)
class Someone:
    """A person with a phone."""

    town: "Town"
    id: UUID
    device_id: UUID
    handle: str
    secret: str
    code_index: str
    code_seed: bytes

    def code(self, counter: int = 0, ago: int = 0) -> str:
        """The pay code that the phone shows, or showed so many seconds ago."""
        moment = self.town.services.clock.now() - timedelta(seconds=ago)
        return paycode.generate(self.code_seed, self.code_index, moment, counter)

    async def balance(self) -> Facts:
        """The first balance of the wallet."""
        wallet = await self.town.services.wallet.view(self.id)
        return msgspec.structs.asdict(wallet.balances[0])


@dataclass(frozen=True)
class Door:
    """A merchant with one shop."""

    town: "Town"
    id: UUID
    shop_id: UUID
    token: str

    @property
    def at(self) -> At:
        """The shop, as a merchant names it."""
        return At(self.id, self.shop_id)

    async def balance(self) -> int:
        """What the merchant has."""
        row = await self.town.services.pool.fetchrow(
            "SELECT credits_posted - debits_posted FROM accounts WHERE id = $1",
            merchant_account(self.id, CNY).id,
        )
        return 0 if row is None else int(row[0])


def asked(amount: int, *, manual: bool = False, code: str = "CNY", **more: Any) -> NewPayment:  # noqa: ANN401 - fields of NewPayment
    """What a payment is asked for with."""
    source = more.pop("source", Source.ORDER)
    capture = Capture.MANUAL if manual else Capture.AUTOMATIC
    return NewPayment(
        amount=amount, currency=code, way="scan", source=source, capture=capture, **more
    )


@dataclass(frozen=True)
class Town:
    """Services, and parties made for a test."""

    services: Services

    def wait(self, **time: float) -> None:
        """Let time pass in this process."""
        self.services.clock.offset += timedelta(**time)

    async def person(self, yuan: int = 0, name: str = "Lin Wei") -> Someone:
        """A new person with this much money."""
        handle = f"p{next(_NUMBER)}"
        made = await self.services.people.sign_up(handle, name, "Phone", None)
        device = made.device
        person_id = read_id("ppl", made.person.id)
        if yuan:
            await self.top_up(person_id, yuan * 100)
        return Someone(
            self,
            person_id,
            read_id("dev", device.id),
            handle,
            device.key,
            device.code_index,
            b64decode(device.code_seed),
        )

    async def top_up(self, person_id: UUID, amount: int) -> Facts:
        """Money comes in at the bank."""
        reference = f"bank {next(_NUMBER)}"
        return said(await self.services.wallet.top_up(person_id, amount, "CNY", reference, key()))

    async def merchant(
        self,
        *,
        points: int = 0,
        fixed: int = 0,
        overdraft: int = 0,
        takes: Acceptance | None = None,
    ) -> Door:
        """A new merchant with a shop."""
        merchants = self.services.merchants
        terms = CurrencyTerms(points, fixed, overdraft)
        made = await merchants.create("Blue Door", {"CNY": terms}, None)
        shop = await merchants.create_shop(
            made.id, "Blue Door, East", "Hangzhou", "CN", "5814", takes or Acceptance(), None
        )
        return Door(self, made.id, shop.id, shop.code_token)

    async def order(self, door: Door, amount: int, *, manual: bool = False, **more: Any) -> UUID:  # noqa: ANN401 - fields of NewPayment
        """An order, by its id."""
        new = asked(amount, manual=manual, **more)
        return read_id(
            "pay", said(await self.services.payments.create_order(door.at, new, key()))["id"]
        )

    async def by_code(
        self,
        door: Door,
        code: str,
        amount: int,
        *,
        manual: bool = False,
        idem: Idempotency | None = None,
    ) -> Outcome:
        """Pay by the code that a person shows."""
        new = asked(amount, manual=manual, source=Source.PAY_CODE)
        return await self.services.payments.pay_with_code(door.at, new, code, idem or key())

    async def paid(self, door: Door, payer: Someone, amount: int, *, manual: bool = False) -> UUID:
        """A payment at the static code, by its id."""
        new = asked(amount, manual=manual, source=Source.STATIC_CODE)
        outcome = await self.services.payments.pay_static(payer.id, door.token, new, key())
        return read_id("pay", said(outcome)["id"])

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        query = f"SELECT count(*) FROM {table}"  # noqa: S608 - a name that a test wrote
        return int(await self.services.pool.fetchval(query))

    async def check(self) -> None:
        """The books are in order."""
        async with self.services.pool.acquire() as connection:
            differences, *_ = await verify(connection)
        assert differences == []


def open_keyring(folder: Path) -> RotatingRing:
    """The installation's key ring; processes on one database share it."""
    return FileKeyRing.open_or_create(folder / "keys", system_entropy)


@asynccontextmanager
async def open_town(
    url: str,
    folder: Path,
    *,
    background: bool = False,
    **settings: Any,  # noqa: ANN401 - fields of Settings
) -> AsyncIterator[Town]:
    """A sandbox on a migrated database; open two on one and there are two processes."""
    chosen = Settings(**{"mode": "sandbox", **settings})
    async with open_services(url, chosen, open_keyring(folder), background=background) as services:
        if not background:  # what runs beside follows the database's clock
            now = services.clock.now()
            noon = now.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
            services.clock.offset += noon - now
        yield Town(services)


async def at_once(calls: Iterable[Awaitable[Outcome]]) -> tuple[list[Outcome], list[BaseException]]:
    """Make all calls at once; what came of them, outcomes and refusals apart."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    return (
        [one for one in found if isinstance(one, Outcome)],
        [one for one in found if isinstance(one, BaseException)],
    )
