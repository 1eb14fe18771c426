"""The play of payments and wallets on PostgreSQL: random commands, then the books are verified."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest
from town import Someone, Town, open_town

from moves import NOON, journal_on, utc_day
from packet_play import PacketPlay
from tandem.events import load_endpoints
from tandem.kernel import Refused
from tandem.ledger import ACCOUNTS, Account, AccountKey, Entry, Journal
from tandem.ledger.model import new_account
from tandem.merchants import Acceptance, WayRule, load_place
from tandem.packets.model import LUCK_BYTES
from tandem.payments import Command, Shop
from tandem.people import load_terms
from tills import LIN_LIMITS, MOST_BY_SCAN, TERMS

STEPS: Final = 150


class SetClock:
    """A clock that stands where the play says."""

    moment = NOON

    def now(self) -> datetime:
        return self.moment


class OnPostgres:
    """Entries go through a journal; rows are read from the tables."""

    def __init__(self, town: Town, journal: Journal, clock: SetClock) -> None:
        self.pool, self.journal, self.clock = town.services.pool, journal, clock

    async def run(self, entry: Entry, now: datetime) -> tuple[str, bytes]:
        self.clock.moment = now
        try:
            return "done", (await self.journal.submit(entry)).body
        except Refused as refusal:
            return refusal.code, b""

    async def row(self, table: Any, key: Any) -> Any:  # noqa: ANN401 - any table's row
        columns = ", ".join(table.columns)
        # a table with a key of several columns has its values as a tuple
        match = " AND ".join(f"{name} = ${n}" for n, name in enumerate(table.key, 1))
        query = f"SELECT {columns} FROM {table.name} WHERE {match}"  # noqa: S608 - names of a descriptor
        record = await self.pool.fetchrow(query, *(key if len(table.key) > 1 else (key,)))
        return None if record is None else table.row(*record)

    async def account(self, key: AccountKey) -> Account:
        return await self.row(ACCOUNTS, key.id) or new_account(key, NOON, utc_day(NOON))

    async def reservations(self) -> set[UUID]:
        return {row["id"] for row in await self.pool.fetch("SELECT id FROM reservations")}


async def new_play(town: Town, system: OnPostgres) -> PacketPlay:
    """The world of `tills`, in tables."""
    services = town.services
    people: list[Someone] = [await town.person(), await town.person()]
    await services.people.set_limits(
        people[0].id, "CNY", LIN_LIMITS.per_payment, LIN_LIMITS.per_day
    )
    door = await town.merchant(
        points=TERMS.fee_basis_points,
        fixed=TERMS.fee_fixed,
        overdraft=TERMS.overdraft,
        takes=Acceptance({"scan": WayRule(max_amount={"CNY": MOST_BY_SCAN})}),
    )
    async with services.pool.acquire() as connection:
        place = await load_place(connection, shop_id=door.shop_id)
        assert place is not None
        shop = Shop(place, await load_endpoints(connection, door.id))
        terms = (
            await load_terms(connection, people[0].id),
            await load_terms(connection, people[1].id),
        )
    devices = (people[0].device_id, people[1].device_id)
    # later than the parties were made, and at noon as the model has it
    start = (services.clock.now() + timedelta(days=10)).replace(
        hour=12, minute=0, second=0, microsecond=0
    )
    return PacketPlay(system, start=start, people=terms, at=shop, devices=devices)


def amount(random: Random) -> int:
    return random.choice(
        [random.randint(1, 520), random.randint(1, 60), 0, 400, 401, 501, 901, 2**63]
    )


def one_of_last(made: dict[str, Any], random: Random) -> str:
    """The name of one of the last five payments or requests."""
    return random.choice(list(made)[-5:])


async def by_person(play: PacketPlay, random: Random) -> None:
    commands = [Command.SCAN, Command.APPROVE, Command.APPROVE, Command.DECLINE, Command.LEAVE]
    command = random.choice(commands)
    await play.by_person(one_of_last(play.model.payments, random), random.randint(0, 1), command)


async def by_merchant(play: PacketPlay, random: Random) -> None:
    command = random.choice([Command.CAPTURE] * 3 + [Command.CANCEL, Command.EXPIRE])
    part = random.choice([None, amount(random)]) if command is Command.CAPTURE else None
    name = one_of_last(play.model.payments, random)
    await play.by_merchant(name, command, part, final=random.random() < 0.3)


async def answer(play: PacketPlay, random: Random) -> None:
    status = random.choice(["accepted", "declined", "cancelled", "expired"])
    await play.answer(one_of_last(play.model.requests, random), status)


async def refund(play: PacketPlay, random: Random) -> None:
    part = random.choice([None, amount(random)])
    await play.refund(one_of_last(play.model.payments, random), part)


async def open_packet(play: PacketPlay, random: Random) -> None:
    name = one_of_last(play.model.packets, random)
    await play.open_packet(name, random.randint(0, 1), random.randbytes(LUCK_BYTES))


async def end_packet(play: PacketPlay, random: Random) -> None:
    name = one_of_last(play.model.packets, random)
    await play.end_packet(name, random.choice(["cancelled", "expired"]))


async def make_packet(play: PacketPlay, random: Random) -> None:
    luck, named, own = (random.random() < 0.5 for _ in range(3))
    shares = random.choice([1, 2, 2, 3, 0])
    await play.make_packet(
        random.randint(0, 1), amount(random), shares, luck=luck, named=named, own=own
    )


async def correct(play: PacketPlay, random: Random) -> None:
    await play.correct(random.randint(0, 4), random.choice([None, amount(random)]))


async def step(play: PacketPlay, random: Random) -> None:
    """One command, like those that Hypothesis gives in memory."""
    who, to, manual = random.randint(0, 1), random.randint(0, 1), random.random() < 0.6
    choices: list[Callable[[], Awaitable[None]]] = [
        lambda: play.top_up(who, amount(random)),
        lambda: play.pay_out(amount(random)),
        lambda: play.withdraw(random.choice([0, 1, None]), amount(random)),
        lambda: play.order(amount(random), manual=manual),
        lambda: play.pay_code(who, amount(random), manual=manual, again=random.random() < 0.2),
        lambda: play.static(who, amount(random), manual=manual),
        lambda: play.send(who, to, amount(random)),
        lambda: play.ask(who, to, amount(random)),
    ]
    if play.model.payments:
        choices += [partial(act, play, random) for act in (by_person, by_merchant, refund)]
    choices += [partial(make_packet, play, random)]
    if play.model.packets:
        choices += [partial(open_packet, play, random)] * 2 + [partial(end_packet, play, random)]
    if play.model.bookings:
        choices.append(partial(correct, play, random))
    if play.model.requests:
        choices.append(partial(answer, play, random))
    if random.random() < 0.1:
        play.wait(random.choice([1, 700, 1100, 43_200, 86_400]))
    await random.choice(choices)()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_commands_come_to_what_the_model_says(
    fresh_database: str, tmp_path: Path, seed: int
) -> None:
    random, clock = Random(seed), SetClock()  # noqa: S311 - a test's dice
    async with (
        open_town(fresh_database, tmp_path) as town,
        journal_on(fresh_database, clock) as journal,
    ):
        play = await new_play(town, OnPostgres(town, journal, clock))
        await play.top_up(0, 900)
        await play.top_up(1, 2500)
        for number in range(STEPS):
            await step(play, random)
            if number % 10 == 0:
                await play.check()
        await play.check()
        done = {word.split(":")[0] for word in play.said if word.endswith("done")}
        assert len(done) >= 9, f"seed {seed} did too little: {done}"
        await town.check()
