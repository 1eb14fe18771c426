"""Kill -9 under load: no acknowledged payment is lost, none is doubled, and it is soon ready again.

TANDEM_TEST_KILLS says how many kills (6 by default), TANDEM_TEST_SEED which pauses lie between
them. Every payment has an amount that no other has, so that the ledger itself tells who paid twice.
"""

import asyncio
import contextlib
import os
import random
import secrets
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx
import pytest

from conftest import open_folder
from living import Living, Person, Shop, living, open_shop, sign_up
from tandem.kernel import read_id
from tandem.ledger import verify

KILLS: Final = int(os.environ.get("TANDEM_TEST_KILLS", "6"))
SEED: Final = int(os.environ.get("TANDEM_TEST_SEED", str(secrets.randbits(32))))
PEOPLE: Final = 16
YUAN: Final = 10_000_000_000
READY_SECONDS: Final = 5.0
"""What is promised on a machine that has nothing else to do."""
SLOW_MACHINE: Final = 3
"""A machine that is busy with other things may take this many of its own clean starts."""
PATIENCE_SECONDS: Final = 60.0
REPLAYED: Final = 200
GIVES_UP: Final = 8
"""One person in so many does not ask again when an answer is lost."""


@dataclass(frozen=True)
class Asked:
    """A payment that somebody asked for."""

    person: Person
    key: str
    amount: int
    path: str
    body: dict[str, object]


@dataclass
class Crowd:
    """People who pay, over and over, and write down what they were told."""

    server: Living
    shop: Shop
    people: list[Person]
    paid: dict[str, tuple[Asked, bytes]] = field(default_factory=dict)
    gave_up: list[Asked] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    lost: int = 0
    stopping: bool = False

    async def pay(self, number: int) -> None:
        """Pay until told to stop; then see to it that the last one is answered."""
        person, shown = self.people[number], (0, 0)
        async with (
            self.server.client(person.key) as phone,
            self.server.client(self.shop.key) as till,
        ):
            for turn in range(1_000_000):
                if self.stopping:
                    return
                amount = 1 + turn * PEOPLE + number  # nobody else's, never again
                key = f"kill-{number}-{turn}"
                step = int(datetime.now(UTC).timestamp()) // 15
                mark = (step, shown[1] + 1 if shown[0] == step else 0)
                if turn % 2 and mark[1] < 4:
                    shown = mark
                    at = datetime.fromtimestamp(step * 15, UTC)
                    body: dict[str, object] = {
                        "amount": amount,
                        "currency": "CNY",
                        "shop_id": self.shop.shop_id,
                        "pay_code": person.pay_code(at, mark[1]),
                    }
                    asked = Asked(person, key, amount, "/v1/payments", body)
                    await self._ask(till, asked, patient=bool(number % GIVES_UP))
                else:
                    body = {"amount": amount, "currency": "CNY", "code": self.shop.code}
                    asked = Asked(person, key, amount, "/v1/wallet/payments", body)
                    await self._ask(phone, asked, patient=bool(number % GIVES_UP))

    async def _ask(self, client: httpx.AsyncClient, asked: Asked, *, patient: bool) -> None:
        while True:
            try:
                response = await client.post(
                    asked.path, json=asked.body, headers={"Idempotency-Key": asked.key}
                )
            except httpx.TransportError:
                self.lost += 1
                await asyncio.sleep(0.2)
                if patient:
                    continue
                self.gave_up.append(asked)
                return
            self.statuses[response.status_code] += 1
            if response.status_code in {503, 504}:  # "send the same again"
                await asyncio.sleep(0.2)
                continue
            if response.status_code == 201:
                self.paid[asked.key] = (asked, response.content)
            else:
                self.refused.append(f"{asked.key}: {response.text}")
            return


async def kill_a_worker(server: Living, chance: random.Random) -> None:
    os.kill(chance.choice(server.worker_pids()), signal.SIGKILL)


async def kill_postgres(server: Living, _: random.Random) -> None:
    os.kill(server.postmaster_pid(), signal.SIGKILL)


async def kill_a_session(server: Living, _: random.Random) -> None:
    """One of PostgreSQL's processes: all of its sessions end then, and it recovers."""
    async with server.database() as connection:
        pid: int = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'tandem journal' "
            "ORDER BY random() LIMIT 1"
        )
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Exception):  # ours ends with the others
            await connection.fetchval("SELECT pg_sleep(1)")


async def kill_the_parent(server: Living, _: random.Random) -> None:
    """Workers see it by their standard input, PostgreSQL is told by the kernel."""
    await server.kill()


async def kill_everything(server: Living, _: random.Random) -> None:
    """As near as a test comes to pulling the plug."""
    for pid in (*server.worker_pids(), server.postmaster_pid()):
        os.kill(pid, signal.SIGKILL)
    await server.kill()


WAYS: Final[tuple[Callable[[Living, random.Random], Awaitable[None]], ...]] = (
    kill_a_worker,
    kill_the_parent,
    kill_postgres,
    kill_everything,
    kill_a_session,
)


async def ready_again(server: Living, shop: Shop, serial: str) -> None:
    """Wait until several new connections are told that it is ready, and take a payment each."""

    async def one(number: int) -> None:
        body = {"amount": 1, "currency": "USD", "shop_id": shop.shop_id}
        key = {"Idempotency-Key": f"{serial}-{number}"}
        while True:
            try:
                async with server.client(shop.key) as client:
                    if (await client.get("/readyz")).status_code == 200:
                        answer = await client.post("/v1/payments", json=body, headers=key)
                        if answer.status_code == 201:
                            return
                        assert answer.status_code in {503, 504}, answer.text
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)

    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(one(number) for number in range(6)))


@pytest.fixture
async def server() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(
            folder / "data",
            workers=2,
            TANDEM_RATE_PER_SECOND="1000000",
            TANDEM_LIMIT_PER_PAYMENT="1000000000000",
            TANDEM_LIMIT_PER_DAY="1000000000000",
            TANDEM_CONFIRM_ABOVE="1000000000000",
        ) as server:
            yield server


async def test_kill_9_loses_nothing_and_doubles_nothing(
    server: Living, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a test's pauses
    async with server.client(server.operator_key) as operator:
        shop = await open_shop(server, operator, "Blue Door")
        people = [await sign_up(operator, f"payer{n}", yuan=YUAN) for n in range(PEOPLE)]
    loop = asyncio.get_running_loop()
    await server.stop()
    began = loop.time()
    await server.start()
    clean_start = loop.time() - began

    crowd = Crowd(server, shop, people)
    times: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
    async with asyncio.TaskGroup() as group:
        for number in range(PEOPLE):
            group.create_task(crowd.pay(number))
        for turn in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 1.2))
            way = WAYS[turn % len(WAYS)]
            await way(server, chance)
            began = loop.time()
            if server.process is not None and server.process.returncode is not None:
                await server.start()
            await ready_again(server, shop, f"ready-{turn}")
            times[way.__name__].append(loop.time() - began)
        crowd.stopping = True

    said = {name: [round(seconds, 2) for seconds in taken] for name, taken in times.items()}
    summary = f"seed {SEED}, clean start {clean_start:.2f} s, ready again after {said}"
    summary += f", paid {len(crowd.paid)}, lost answers {crowd.lost}, {dict(crowd.statuses)}"
    record_property("recovery", summary)
    print(summary)  # noqa: T201 - the measured times, shown by pytest -s or with a failure
    assert not crowd.refused, crowd.refused[:5]
    assert crowd.lost, "nothing was under way when it was killed"
    assert len(crowd.paid) > KILLS * PEOPLE, summary
    await everything_is_there_once(crowd)
    assert server.faults() == []
    assert crowd.statuses.keys() <= {201, 503, 504}, summary
    allowed = max(READY_SECONDS, SLOW_MACHINE * clean_start)
    assert max(max(taken) for taken in times.values() if taken) < allowed, summary


async def everything_is_there_once(crowd: Crowd) -> None:
    """Compare what people were told with what the database holds."""
    server = crowd.server
    async with server.database() as connection:
        rows = await connection.fetch(
            "SELECT id, amount, captured, status, person_id FROM payments WHERE source <> 'order'"
        )
        kept = await connection.fetch("SELECT key, answer FROM idempotency")
        answers = {row["key"]: row["answer"] for row in kept}
        differences, _, transfers = await verify(connection)
    assert differences == []
    assert transfers >= len(rows)
    by_amount = {row["amount"]: row for row in rows}
    assert len(by_amount) == len(rows), "an amount was paid twice"
    for asked, told in crowd.paid.values():
        row = by_amount[asked.amount]
        assert row["status"] == "captured"
        assert row["captured"] == asked.amount
        assert row["person_id"] == read_id("ppl", asked.person.id)
        assert answers[asked.key] == told
    asked_for = {asked.amount for asked, _ in crowd.paid.values()}
    asked_for |= {asked.amount for asked in crowd.gave_up}
    assert by_amount.keys() <= asked_for, "somebody paid what nobody asked for"

    for number, person in enumerate(crowd.people):
        spent = sum(amount for amount in by_amount if (amount - 1) % PEOPLE == number)
        async with server.client(person.key) as phone:
            balances = (await phone.get("/v1/wallet")).json()["balances"]
        left = {line["currency"]: line["balance"] for line in balances}
        assert left["CNY"] == YUAN * 100 - spent
    await replays_are_the_same(crowd)


async def replays_are_the_same(crowd: Crowd) -> None:
    """Ask again for some of what was paid: the same answer, byte for byte, and no new effect."""
    before = await crowd.server.rows()
    for asked, told in list(crowd.paid.values())[:: max(1, len(crowd.paid) // REPLAYED)]:
        by_merchant = asked.path == "/v1/payments"
        async with crowd.server.client(crowd.shop.key if by_merchant else asked.person.key) as who:
            again = await who.post(
                asked.path, json=asked.body, headers={"Idempotency-Key": asked.key}
            )
        assert (again.status_code, again.content) == (201, told)
        assert again.headers["idempotent-replayed"] == "true"
    assert await crowd.server.rows() == before
