"""What needs no HTTP: a bare commit, and the journal with the entry of a real payment."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, Self

from bench import names
from bench.database import NotMeasurableError, connected
from bench.result import Sample, sample_of
from tandem.db import Idempotency, open_journal_connection
from tandem.kernel import Ids, SystemClock, system_entropy
from tandem.ledger import Journal
from tandem.merchants import load_place
from tandem.payments import NewPayment, Source
from tandem.payments.decisions import Rules, Shop
from tandem.payments.entries import PayStatic
from tandem.people import PersonTerms, Spending, load_terms
from tandem.settings import Settings

_BARE: Final = "INSERT INTO bench_bare (id, note) VALUES ($1, $2)"
_SEED: Final = 20_010
_EVERYBODYS_CLIENTS: Final = 64


class Bare:
    """One row, one commit: the least that any durable way of paying can take."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._next = 0

    async def prepare(self) -> None:
        """Make the table."""
        async with connected(self._url) as connection:
            await connection.execute(
                "CREATE TABLE bench_bare (id bigint PRIMARY KEY, note text NOT NULL)"
            )

    async def measure(self, commits: int) -> Sample:
        """Insert row after row on one connection."""
        latencies: list[float] = []
        async with connected(self._url) as connection:
            for _ in range(max(1, commits // 10)):
                await self._insert(connection.execute)
            began = time.perf_counter()
            for _ in range(commits):
                start = time.perf_counter()
                await self._insert(connection.execute)
                latencies.append(time.perf_counter() - start)
            seconds = time.perf_counter() - began
        return sample_of(latencies, commits, seconds)

    async def _insert(self, execute: Callable[..., Awaitable[str]]) -> None:
        self._next += 1
        await execute(_BARE, self._next, "a note of this length")


class Direct:
    """The journal, given the entries that the payments' service gives it.

    One journal for the whole run, as a process has that serves for days. Open it as a context.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._clock = SystemClock()
        self._ids = Ids(self._clock, system_entropy)
        self._people: list[PersonTerms] = []
        self._shops: list[Shop] = []
        self._keys = 0
        self._run = system_entropy(4).hex()
        self._rules = Rules(
            settings.wallet,
            Spending(settings.limit_per_payment, settings.limit_per_day),
            settings.confirm_above,
            settings.confirm_seconds,
            settings.authorisation_seconds,
        )
        self._journal = Journal(
            lambda: open_journal_connection(url), self._clock, self._ids, day_of=settings.day_of
        )

    async def __aenter__(self) -> Self:
        await self._journal.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._journal.__aexit__()

    async def prepare(self, people: int, merchants: int) -> None:
        """Read the terms of everybody, as the service does before a first payment."""
        async with connected(self._url) as connection:
            for number in range(people):
                person_id = names.uuid_of_number(names.PERSON, number)
                self._people.append(await load_terms(connection, person_id))
            for number in range(merchants):
                place = await load_place(connection, code_token=names.token(number))
                assert place is not None, "the shops were filled in"
                self._shops.append(Shop(place, ()))

    async def everybody(self, merchants: int) -> int:
        """Let everybody pay once. Returns how many payments that were."""
        choose = random.Random(_SEED)  # noqa: S311 - the same load in every run
        payers = iter(self._people)

        async def client() -> None:
            for payer in payers:
                await self._journal.submit(self._entry(choose, merchants, payer))

        await asyncio.gather(*(client() for _ in range(_EVERYBODYS_CLIENTS)))
        return len(self._people)

    async def measure(
        self, *, clients: int, merchants: int, warm_seconds: float, seconds: float
    ) -> Sample:
        """`clients` of them pay one after another, for some seconds."""
        begin = time.perf_counter() + warm_seconds
        latencies: list[float] = []
        paid = await asyncio.gather(
            *(
                self._client(number, merchants, begin, begin + seconds, latencies)
                for number in range(clients)
            )
        )
        return sample_of(latencies, len(latencies), seconds, sum(paid))

    async def _client(
        self,
        number: int,
        merchants: int,
        begin: float,
        end: float,
        latencies: list[float],
    ) -> int:
        """Pay until the end; note the latencies of what was answered in time. Returns how many."""
        choose = random.Random(_SEED + number)  # noqa: S311 - the same load in every run
        paid = 0
        now = time.perf_counter()
        while now < end:
            payer = self._people[int(choose.random() * len(self._people))]
            entry = self._entry(choose, merchants, payer)
            start = time.perf_counter()
            outcome = await self._journal.submit(entry)
            now = time.perf_counter()
            if outcome.replayed or b'"captured"' not in outcome.body:
                raise NotMeasurableError(f"not a new payment: {outcome}")
            paid += 1
            if begin <= now <= end:
                latencies.append(now - start)
        return paid

    def _entry(self, choose: random.Random, merchants: int, payer: PersonTerms) -> PayStatic:
        self._keys += 1
        key = f"bench-{self._run}-{self._keys}"
        return PayStatic(
            id=self._ids.entry(),
            idempotency=Idempotency(payer.id, key, sha256(key.encode()).digest()),
            shop=self._shops[int(choose.random() * merchants)],
            rules=self._rules,
            new=NewPayment(
                amount=choose.randint(*names.AMOUNTS),
                currency=names.UNIT.code,
                way="scan",
                source=Source.STATIC_CODE,
            ),
            payer=payer,
        )
