"""What a journal remembers of cards pays for nothing that the database does not confirm.

Each test sees to it that the card is remembered: else it would be read, and the test show nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from till_taps import message, pay, phone_of
from town import Door, Someone, Town, key, open_town, said

from card_phone import Phone
from tandem.cards import DEVICE_CARDS, CardCommand
from tandem.cards.taps import WRONG_MAX
from tandem.db import Connection
from tandem.ledger import Journal, store
from tandem.ledger import journal as journal_module
from tandem.ledger.store import Changes
from tandem.people import DEVICES

START = 100_000


@pytest.fixture
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with process(module_database, tmp_path_factory) as made:
        yield made
        await made.check()


@asynccontextmanager
async def process(url: str, folders: pytest.TempPathFactory) -> AsyncIterator[Town]:
    folder = folders.getbasetemp() / "tap-keys"
    folder.mkdir(exist_ok=True)
    async with open_town(url, folder) as made:
        yield made


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=START // 100)


@pytest.fixture
async def door(town: Town) -> Door:
    """A merchant that pays a fee: else the account of fees is never opened, so never known."""
    return await town.merchant(points=100)


@pytest.fixture
async def phone(town: Town, lin: Someone, door: Door) -> Phone:
    """Lin's phone, known to the town's journal."""
    made = await phone_of(town, lin)
    await known(town, door, made)
    return made


def journal_of(town: Town) -> Journal:
    return town.services.journal


def remembers(town: Town, phone: Phone) -> bool:
    rows = journal_of(town)._remembered
    return phone.card_id in rows[DEVICE_CARDS] and phone.device_id in rows[DEVICES]


async def known(town: Town, door: Door, phone: Phone) -> None:
    """Let a journal remember the card, and be careful no more."""
    journal = journal_of(town)
    for _ in range(2):  # the first meets what a rival did
        journal._wary = journal._wariness = 0
        assert await reason(town, door, await message(town, phone, 100)) is None
    assert remembers(town, phone)


async def reason(town: Town, door: Door, new: Any) -> str | None:  # noqa: ANN401 - a NewTap
    """Why a tap did not pay, None if it did."""
    answer = await pay(town, door, new)
    why: str | None = answer["reason"]
    assert (answer["payment"]["status"] == "captured") is (why is None)
    return why


async def test_a_tap_of_what_is_known_is_one_statement(
    town: Town, door: Door, phone: Phone
) -> None:
    connection = journal_of(town)._connection
    assert connection is not None
    queries: list[str] = []
    new = await message(town, phone, 100)
    with connection.query_logger(lambda query: queries.append(query.query)):
        assert await reason(town, door, new) is None
    (query,) = queries
    assert query.startswith("WITH")
    assert "UPDATE device_cards" in query
    assert "JOIN devices" in query


Act = Callable[[Town, Someone, Phone], Awaitable[object]]


async def suspend(_: Town, lin: Someone, phone: Phone) -> None:
    await phone.cards.by_person(lin.id, phone.card_id, CardCommand.SUSPEND)


async def lose(_: Town, lin: Someone, phone: Phone) -> None:
    await phone.cards.lose_device(lin.id, lin.device_id)


async def block(_: Town, __: Someone, phone: Phone) -> None:
    await phone.cards.by_operator(phone.card_id, CardCommand.BLOCK)


async def remove(_: Town, lin: Someone, phone: Phone) -> None:
    await phone.cards.by_person(lin.id, phone.card_id, CardCommand.REMOVE)


async def revoke(town: Town, lin: Someone, _: Phone) -> None:
    await town.services.people.revoke_device(lin.id, lin.device_id)


async def fund(_: Town, lin: Someone, phone: Phone) -> None:
    await phone.cards.fund(lin.id, phone.card_id, "EUR")


async def limit(town: Town, lin: Someone, _: Phone) -> None:
    await town.services.people.set_limits(lin.id, "CNY", 10, 10)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (suspend, "card_suspended"),
        (lose, "card_lost"),
        (block, "card_blocked"),
        (remove, "card_not_active"),
        (revoke, "device_out_of_use"),
        (fund, "currency_not_funded"),
        (limit, "limit_per_payment"),
    ],
)
async def test_what_was_changed_behind_the_journals_back_holds_at_once(
    town: Town, lin: Someone, door: Door, phone: Phone, act: Act, why: str
) -> None:
    await act(town, lin, phone)
    assert remembers(town, phone), "as it was"
    assert await reason(town, door, await message(town, phone, 100)) == why
    assert (await lin.balance())["balance"] == START - 200


async def test_a_decline_on_memory_is_none(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    await suspend(town, lin, phone)
    new = await message(town, phone, 100)
    assert await reason(town, door, new) == "card_suspended"
    journal_of(town)._wary = 0
    assert await reason(town, door, await message(town, phone, 100)) == "card_suspended"
    assert remembers(town, phone), "as suspended"
    await phone.cards.by_person(lin.id, phone.card_id, CardCommand.RESUME)
    assert await reason(town, door, await message(town, phone, 100)) is None
    assert await reason(town, door, new) == "cryptogram_replayed"


async def test_a_change_under_way_is_waited_for(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    """The device's row is locked by who revokes it, and not committed yet."""
    new = await message(town, phone, 100)
    async with town.services.pool.acquire() as connection:
        change = connection.transaction()
        await change.start()
        await connection.execute(
            "UPDATE devices SET revoked_at = now() WHERE id = $1", lin.device_id
        )
        under_way = asyncio.ensure_future(reason(town, door, new))
        done, _ = await asyncio.wait({under_way}, timeout=0.3)
        assert not done
        await change.commit()
    assert await under_way == "device_out_of_use"


async def test_a_cryptogram_is_not_played_to_a_process_with_an_old_memory(
    town: Town, door: Door, phone: Phone, module_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    async with process(module_database, tmp_path_factory) as rival:
        await known(rival, door, phone)
        new = await message(town, phone, 100)
        assert await reason(town, door, new) is None
        assert remembers(rival, phone), "as it was before"
        other = await town.merchant()
        for _ in range(2):
            assert await reason(rival, other, new) == "cryptogram_replayed"


async def test_what_came_late_comes_once_whoever_remembers(
    town: Town, door: Door, phone: Phone, module_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """A number below the highest leaves the highest as it is: what was seen below it is guarded."""
    late = await message(town, phone, 100, floor=1000, told={"offline": True})
    async with process(module_database, tmp_path_factory) as rival:
        assert await reason(town, door, await message(town, phone, 100)) is None
        await known(rival, door, phone)
        await known(town, door, phone)
        await known(rival, door, phone)
        assert await reason(town, door, late) is None
        assert remembers(rival, phone), "as it was before"
        assert await reason(rival, door, late) == "cryptogram_replayed"


async def test_wrong_cryptograms_in_two_processes_count_together(
    town: Town, door: Door, phone: Phone, module_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    icc = (await message(town, phone, 100)).icc
    wrong = icc.replace(icc[3:11], bytes(8), 1)  # 9F26 08 …
    async with process(module_database, tmp_path_factory) as rival:
        await known(rival, door, phone)
        await known(town, door, phone)
        for number in range(WRONG_MAX):
            where = (town, rival)[number % 2]
            journal_of(where)._wary = 0
            new = await message(town, phone, 100, told={"icc": wrong})
            assert await reason(where, door, new) == "cryptogram_wrong"
    assert (await phone.cards.get(phone.card_id)).status == "blocked"


@pytest.mark.parametrize("written", [False, True])
async def test_after_a_lost_connection_a_cryptogram_pays_once(
    town: Town, lin: Someone, door: Door, phone: Phone, written: bool,  # noqa: FBT001 - a column of the table
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    real = store.write_changes

    async def cut(connection: Connection, changes: Changes) -> None:
        monkeypatch.setattr(journal_module, "write_changes", real)
        if written:
            await real(connection, changes)
        connection.terminate()
        raise ConnectionResetError

    monkeypatch.setattr(journal_module, "write_changes", cut)
    new = await message(town, phone, 100)
    assert await reason(town, door, new) is None
    assert await reason(town, door, new) == "cryptogram_replayed"
    assert (await lin.balance())["balance"] == START - 300


async def test_what_a_group_that_failed_used_up_is_not_used_up(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    """The database refuses a tap for its key; the next, decided on it, is decided anew."""
    payments = town.services.payments
    first, second = [await message(town, phone, 100) for _ in range(2)]
    bad = payments.pay_by_card(door.at, first, key("k" * 256, owner=door.id))
    good = payments.pay_by_card(door.at, second, key(owner=door.id))
    found = await asyncio.gather(bad, good, return_exceptions=True)
    assert isinstance(found[0], asyncpg.CheckViolationError), found[0]
    assert not isinstance(found[1], BaseException), found[1]
    assert said(found[1])["payment"]["status"] == "captured"
    assert await reason(town, door, await message(town, phone, 100)) is None
    assert (await lin.balance())["balance"] == START - 400


async def test_memory_of_cards_is_bounded(
    town: Town, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "REMEMBERED_MAX", 8)
    journal = journal_of(town)
    for _ in range(6):
        phone = await phone_of(town, await town.person(yuan=10))
        for _ in range(2):
            assert await reason(town, door, await message(town, phone, 100)) is None
        assert sum(map(len, journal._remembered.values())) <= 8 + 5
