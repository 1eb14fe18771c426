"""What the tests of access, people and merchants share: the use cases on one database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from moves import NOON, Move, journal_on
from tandem.access import Access
from tandem.db import Pool, open_pool
from tandem.kernel import Entropy, Ids, ManualClock, currency, read_id, system_entropy
from tandem.keyring import FileKeyRing
from tandem.ledger import AccountKey, Journal, Outcome
from tandem.merchants import Acceptance, CurrencyTerms, Merchant, Merchants, Shop
from tandem.people import NewPerson, People
from tandem.settings import Settings

SETTINGS: Final = Settings(
    mode="sandbox", currencies=tuple(map(currency, ("CNY", "EUR", "USD", "JPY")))
)
FEES: Final = CurrencyTerms(60, 10)


@dataclass
class Parties:
    """What a process has to do with people and merchants; its clock stands still."""

    pool: Pool
    journal: Journal
    clock: ManualClock
    ids: Ids
    keyring: FileKeyRing
    access: Access
    people: People
    merchants: Merchants

    def people_with(
        self, *, entropy: Entropy = system_entropy, settings: Settings = SETTINGS
    ) -> People:
        """The use cases of people with another randomness, or as another process has them."""
        return People(self.pool, self.clock, self.ids, entropy, self.access, self.keyring, settings)

    async def sign_up(self, handle: str) -> UUID:
        """A new person's id."""
        return person_id(await self.people.sign_up(handle, handle.title(), "Phone", None))

    async def merchant(self, *codes: str) -> Merchant:
        """A new merchant that takes these currencies."""
        return await self.merchants.create(
            "Blue Door", dict.fromkeys(codes or ("CNY",), FEES), None
        )

    async def shop(self, merchant_id: UUID, acceptance: Acceptance | None = None) -> Shop:
        """A new shop."""
        policy = acceptance or Acceptance()
        return await self.merchants.create_shop(
            merchant_id, "West Lake", "Hangzhou", "CN", "5814", policy, None
        )

    async def submit_under(self, terms: Sequence[tuple[AccountKey, int]]) -> Outcome:
        """Submit an entry that moves nothing and was made under these terms."""
        accounts = [key for key, _ in terms]
        return await self.journal.submit(Move(id=self.ids.entry(), accounts=accounts, terms=terms))

    async def wait_for_a_waiter(self) -> None:
        """Until a statement waits for another's lock."""
        async with asyncio.timeout(10):
            while True:
                if await self.pool.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
                ):
                    return
                await asyncio.sleep(0.02)

    async def terms_of(self, key: AccountKey) -> int | None:
        """The oldest version that entries for this account may be made under."""
        found: int | None = await self.pool.fetchval(
            "SELECT terms FROM accounts WHERE id = $1", key.id
        )
        return found


@asynccontextmanager
async def open_parties(url: str, folder: Path) -> AsyncIterator[Parties]:
    """The use cases on the database of `url`."""
    clock = ManualClock(NOON)
    ids = Ids(clock)
    keyring = FileKeyRing.open_or_create(folder / "keys", system_entropy)
    pool = await open_pool(url, size=5)
    try:
        async with journal_on(url, clock) as journal:
            access = Access(pool, clock, ids, system_entropy)
            people = People(pool, clock, ids, system_entropy, access, keyring, SETTINGS)
            merchants = Merchants(pool, clock, ids, system_entropy, access, keyring, SETTINGS)
            yield Parties(pool, journal, clock, ids, keyring, access, people, merchants)
    finally:
        await pool.close()


def person_id(made: NewPerson) -> UUID:
    """The id of a person who signed up."""
    return read_id("ppl", made.person.id)
