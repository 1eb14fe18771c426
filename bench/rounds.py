"""The rounds: which things are measured, in which order, and that the books are whole at the end.

The ways take turns within a round, so that what the machine does meanwhile meets both alike.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench.database import (
    NotMeasurableError,
    Server,
    Tell,
    checkpoint,
    connected,
    new_database,
    program,
    sweep,
)
from bench.direct import Bare, Direct
from bench.fill import ensure_uuidv7, fill
from bench.fill_cards import fill_cards
from bench.load import Job
from bench.machine import Others
from bench.over_http import SETTINGS, load, serving
from bench.over_iso import Links, open_links
from bench.plan import Plan
from bench.result import Measure, Pattern, Sample
from bench.usual import pgbench, script
from tandem.db.migrate import upgrade
from tandem.keyring import FileKeyRing
from tandem.ledger import verify

PATTERNS: Final[tuple[Pattern, ...]] = ("uniform", "hot")
ROLE: Final = "tandem_bench_app"
"""What Tandem works as: the same in each run, so that a given server keeps one such role."""

Take = Callable[[], Awaitable[Sample]]


class Step(NamedTuple):
    """Something that each round measures, and the database that it happens in, if in any."""

    measure: Measure
    database: str | None
    take: Take


class Databases(NamedTuple):
    """The databases of a run, filled alike.

    The journal that is measured by itself has one of its own: the worker that serves HTTP has a
    journal too, and each would find that the other changed what it remembers.
    """

    tandem: str
    journal: str
    usual: str


class Bench:
    """Everything that is measured in one run. Open it with `open_bench`."""

    def __init__(
        self,
        server: Server,
        plan: Plan,
        direct: Direct,
        databases: Databases,
        ports: dict[str, int],
        links: Links,
    ) -> None:
        self._server = server
        self._plan = plan
        self._tandem = databases.tandem
        self._usual = databases.usual
        self._journals = databases.journal
        self._ports = ports
        self._links = links
        self._bare = Bare(databases.journal)
        self._direct = direct
        self._script = ""
        self._jobs = 0
        self._code_step = 0
        self._acknowledged = dict.fromkeys(databases, 0)

    async def prepare(self, tell: Tell) -> list[Measure]:
        """Make everything warm. Returns how the servers did with nothing cached."""
        plan = self._plan
        await self._bare.prepare()
        tell("Reading everybody's terms")
        await self._direct.prepare(plan.people, plan.merchants)
        first = []
        for way, database in (("tandem", self._tandem), ("usual", self._usual)):
            tell(f"{way}: the first payment of each person over HTTP")
            connections = max(plan.http_connections[:2])
            measure = Measure(f"{way} http first", "uniform", connections)
            sample = await self._http(way, "uniform", connections, once=True)
            measure.samples.append(sample)
            self._acknowledged[database] += sample.acknowledged
            first.append(measure)
        for database in self._acknowledged:
            async with connected(database) as connection:
                # What autovacuum does for an installation that has run for a minute.
                await connection.execute("VACUUM ANALYZE")
        self._script = script(*await self._sample_events())
        return first

    async def _sample_events(self) -> tuple[bytes, bytes]:
        """A person's and a merchant's event, as the payments so far wrote them."""
        async with connected(self._tandem) as connection:
            events = [
                await connection.fetchval(
                    "SELECT data FROM events AS e WHERE type = 'payment.captured' AND "
                    "EXISTS (SELECT FROM people WHERE id = e.owner_id) = $1 LIMIT 1",
                    is_person,
                )
                for is_person in (True, False)
            ]
        if None in events:
            raise NotMeasurableError("a payment over HTTP wrote no events")
        person_event, merchant_event = (event.encode() for event in events)
        return person_event, merchant_event

    def steps(self) -> list[Step]:
        """What a round measures, in order: the ways alternate."""
        plan = self._plan
        steps = [
            Step(Measure("bare", "", 1), self._journals, lambda: self._bare.measure(plan.commits))
        ]
        for pattern in PATTERNS:
            for clients in plan.journal_clients:
                steps.append(self._journal(pattern, clients))
                if clients in plan.usual_clients:
                    steps.append(self._pgbench(pattern, clients))
        for pattern in PATTERNS:
            for connections in plan.http_connections:
                steps.append(self._over_http("tandem", pattern, connections))
                steps.append(self._over_http("usual", pattern, connections))
        connections = plan.code_connections
        codes = Measure("tandem http pay code", "uniform", connections)
        steps.append(Step(codes, self._tandem, lambda: self._pay_codes(connections)))
        return steps + self._over_iso()

    def _over_iso(self) -> list[Step]:
        """Over ISO 8583 with each number of links; with the most at half of what that took."""

        def fully(links: int) -> Step:
            measure = Measure("tandem iso 8583", "uniform", links)
            return Step(measure, self._tandem, lambda: self._links.measure(links))

        steps = list(map(fully, self._plan.iso_links))
        full = steps[-1].measure

        async def half() -> Sample:
            return await self._links.measure(full.clients, rate=full.samples[-1].rate / 2)

        relaxed = Measure("tandem iso 8583 half", "uniform", full.clients)
        return [*steps, Step(relaxed, self._tandem, half)]

    async def round(self, steps: list[Step], tell: Callable[[Measure], None]) -> None:
        """Measure each step once.

        The first change of each page after a checkpoint writes the whole page to the log. So there
        is one checkpoint for all, and everybody pays once, both ways, before anything is measured.
        """
        await checkpoint(self._server)
        self._acknowledged[self._journals] += await self._direct.everybody(self._plan.merchants)
        connections = max(self._plan.http_connections[:2])
        for way, database in (("tandem", self._tandem), ("usual", self._usual)):
            sample = await self._http(way, "uniform", connections, once=True)
            self._acknowledged[database] += sample.acknowledged
        sample = await self._links.measure(1, once=True)
        self._acknowledged[self._tandem] += sample.acknowledged
        for step in steps:
            if step.database is not None:
                await sweep(step.database)
            others = Others()
            sample = await step.take()
            if self._server.folder is not None:  # else the database is somebody else's program
                sample = msgspec.structs.replace(sample, others=others.cores())
            step.measure.samples.append(sample)
            if step.database is not None and step.measure.way != "bare":
                self._acknowledged[step.database] += sample.acknowledged
            tell(step.measure)

    async def verify(self) -> int:
        """See that no payment is missing, none doubled, and the books are whole.

        Returns how many transfers were looked at. Raises `NotMeasurableError`.
        """
        transfers = 0
        for database, acknowledged in self._acknowledged.items():
            async with connected(database) as connection:
                payments = await connection.fetchval("SELECT count(*) FROM payments")
                differences, _, count = await verify(connection)
            # pgbench does not count the payments that were under way when its time was over
            if payments < acknowledged or (database != self._usual and payments != acknowledged):
                raise NotMeasurableError(f"{acknowledged} payments were made, {payments} are there")
            if differences:
                raise NotMeasurableError(f"the books are not whole: {differences[0]}")
            transfers += count
        return transfers

    def _journal(self, pattern: Pattern, clients: int) -> Step:
        plan = self._plan

        async def take() -> Sample:
            return await self._direct.measure(
                clients=clients,
                merchants=self._merchants(pattern),
                warm_seconds=plan.warm_seconds,
                seconds=plan.journal_seconds,
            )

        return Step(Measure("tandem journal", pattern, clients), self._journals, take)

    def _pgbench(self, pattern: Pattern, clients: int) -> Step:
        async def take() -> Sample:
            return await pgbench(
                program("pgbench", self._server.version),
                self._usual,
                self._script,
                clients=clients,
                seconds=self._plan.usual_seconds,
                people=self._plan.people,
                merchants=self._merchants(pattern),
            )

        return Step(Measure("usual pgbench", pattern, clients), self._usual, take)

    def _over_http(self, way: str, pattern: Pattern, connections: int) -> Step:
        database = self._tandem if way == "tandem" else self._usual
        return Step(
            Measure(f"{way} http", pattern, connections),
            database,
            lambda: self._http(way, pattern, connections),
        )

    async def _http(
        self, way: str, pattern: Pattern, connections: int, *, once: bool = False
    ) -> Sample:
        job = self._job(way, pattern, connections)
        return (await load(msgspec.structs.replace(job, once=once))).sample

    async def _pay_codes(self, connections: int) -> Sample:
        job = self._job("tandem", "uniform", connections)
        loaded = await load(
            msgspec.structs.replace(job, kind="pay_code", code_step=self._code_step)
        )
        self._code_step = loaded.code_step
        return loaded.sample

    def _job(self, way: str, pattern: Pattern, connections: int) -> Job:
        self._jobs += 1
        return Job(
            port=self._ports[way],
            kind="static",
            people=self._plan.people,
            merchants=self._merchants(pattern),
            connections=connections,
            warm_seconds=self._plan.warm_seconds,
            seconds=self._plan.http_seconds,
            run=f"bench-{self._jobs}",
        )

    def _merchants(self, pattern: Pattern) -> int:
        return 1 if pattern == "hot" else self._plan.merchants


@asynccontextmanager
async def open_bench(
    server: Server, plan: Plan, folder: Path, tell: Tell, profile: Path | None = None
) -> AsyncIterator[Bench]:
    """Databases with the same people and merchants, a journal and a server on each.

    The keys of the run are in `folder`. `profile`: a file that says, at the end, where the time of
    Tandem's server went.
    """
    key_file = folder / "keys" / "keyring.json"
    keyring = FileKeyRing.open_or_create(key_file, os.urandom)
    async with AsyncExitStack() as stack:
        tell("Filling three databases")
        tandem = await stack.enter_async_context(new_database(server, "tandem", None))
        await upgrade(tandem, role=ROLE)
        await fill(tandem, plan.people, plan.merchants, keyring)
        master = await fill_cards(tandem, plan.people, plan.merchants, keyring)
        usual = await stack.enter_async_context(new_database(server, "usual", tandem))
        await ensure_uuidv7(usual)
        journal = await stack.enter_async_context(new_database(server, "journal", tandem))
        direct = await stack.enter_async_context(Direct(journal, SETTINGS))
        acquirer = stack.enter_context(open_links(plan))
        ports = {
            "tandem": await stack.enter_async_context(
                serving("tandem", tandem, key_file, profile, acquirer)
            ),
            "usual": await stack.enter_async_context(serving("usual", usual, key_file)),
        }
        links = Links(plan, acquirer, master)
        yield Bench(server, plan, direct, Databases(tandem, journal, usual), ports, links)
