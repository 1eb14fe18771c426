"""Splits on PostgreSQL: parts that others are asked for, followed, reminded of and withdrawn."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from town import Facts, Someone, Town, at_once, key, open_town, said

from tandem.kernel import Invalid, NotFound, read_id
from tandem.people import PersonNotActive
from tandem.wallet import Asked, RemindedLately, RequestClosed, SendsToSelf, SplitClosed


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=100)


@pytest.fixture
async def mei(town: Town) -> Someone:
    return await town.person(yuan=100, name="Mei Chen")


@pytest.fixture
async def noor(town: Town) -> Someone:
    return await town.person(yuan=100, name="Noor Haddad")


async def made(
    town: Town, who: Someone, amount: int, *others: Someone | tuple[Someone, int]
) -> Facts:
    people = [
        Asked(one.handle, None) if isinstance(one, Someone) else Asked(one[0].handle, one[1])
        for one in others
    ]
    return said(await town.services.splits.make(who.id, amount, "CNY", people, "Dinner", key()))


def request_ids(split: Facts) -> list[UUID]:
    return [read_id("req", part["request_id"]) for part in split["parts"]]


async def events(town: Town, who: Someone) -> list[str]:
    rows = await town.services.pool.fetch(
        "SELECT type FROM events WHERE owner_id = $1 AND type LIKE 'request.%' ORDER BY id", who.id
    )
    return [row[0] for row in rows]


async def test_an_amount_is_split_equally(
    town: Town, lin: Someone, mei: Someone, noor: Someone
) -> None:
    splits, wallet = town.services.splits, town.services.wallet
    split = await made(town, lin, 10_000, mei, noor)
    assert ([part["amount"] for part in split["parts"]], split["own"]) == ([3333, 3333], 3334)
    assert (split["paid"], split["open"], split["message"]) == (0, 2, "Dinner")
    first, second = request_ids(split)
    assert (await wallet.request(lin.id, first)).split_id == split["id"]
    asked = await wallet.request(mei.id, first)
    assert (asked.split_id, asked.message, asked.other) == (None, "Dinner", "Lin Wei")
    await wallet.accept(mei.id, first, key())
    await wallet.close(noor.id, second, "declined", key())
    seen = await splits.view(lin.id, read_id("spl", split["id"]))
    assert [(part.name, part.status) for part in seen.parts] == [
        ("Mei Chen", "accepted"),
        ("Noor Haddad", "declined"),
    ]
    assert (seen.paid, seen.open) == (3333, 0)
    assert (await lin.balance())["balance"] == 13_333
    assert await events(town, lin) == ["request.accepted", "request.declined"]
    assert await events(town, mei) == ["request.received", "request.accepted"]


async def test_parts_are_given_and_the_rest_is_the_makers(
    town: Town, lin: Someone, mei: Someone, noor: Someone
) -> None:
    split = await made(town, lin, 5000, (mei, 1200), (noor, 3800))
    assert ([part["amount"] for part in split["parts"]], split["own"]) == ([1200, 3800], 0)
    split = await made(town, lin, 5000, (mei, 1))
    assert split["own"] == 4999


async def test_what_was_paid_for_is_split(town: Town, lin: Someone, mei: Someone) -> None:
    splits, door = town.services.splits, await town.merchant()
    paid = await town.paid(door, lin, 3801)
    await town.services.payments.refund(door.id, paid, 800, None, key())
    people = [Asked(mei.handle, None)]
    split = said(await splits.make_of_payment(lin.id, paid, people, None, key()))
    assert (split["amount"], split["parts"][0]["amount"], split["own"]) == (3001, 1500, 1501)
    assert split["payment_id"] == f"pay_{paid.hex}"
    with pytest.raises(NotFound):
        await splits.make_of_payment(mei.id, paid, [Asked(lin.handle, None)], None, key())
    order = await town.paid(door, lin, 5, manual=True)
    with pytest.raises(Invalid, match="something was paid"):
        await splits.make_of_payment(lin.id, order, people, None, key())


async def test_reminders_are_few_and_go_to_those_who_have_not_answered(
    town: Town, lin: Someone, mei: Someone, noor: Someone
) -> None:
    splits = town.services.splits
    split = await made(town, lin, 300, mei, noor)
    split_id = read_id("spl", split["id"])
    await town.services.wallet.close(noor.id, request_ids(split)[1], "declined", key())
    outcomes, refused = await at_once(splits.remind(lin.id, split_id, key()) for _ in range(8))
    assert (len(outcomes), {type(one) for one in refused}) == (1, {RemindedLately})
    assert said(outcomes[0])["remind_after"] is not None
    assert await events(town, mei) == ["request.received", "request.reminded"]
    assert "request.reminded" not in await events(town, noor)
    town.wait(hours=8)
    await splits.remind(lin.id, split_id, key())
    town.wait(days=7)
    with pytest.raises(SplitClosed):
        await splits.remind(lin.id, split_id, key())


async def test_what_is_open_is_withdrawn_and_what_was_paid_stays(
    town: Town, lin: Someone, mei: Someone, noor: Someone
) -> None:
    splits, wallet = town.services.splits, town.services.wallet
    split = await made(town, lin, 300, mei, noor)
    split_id, (first, second) = read_id("spl", split["id"]), request_ids(split)
    await wallet.accept(mei.id, first, key())
    ended = said(await splits.cancel(lin.id, split_id, key()))
    assert [part["status"] for part in ended["parts"]] == ["accepted", "cancelled"]
    assert (ended["paid"], ended["open"]) == (100, 0)
    with pytest.raises(RequestClosed):
        await wallet.accept(noor.id, second, key())
    with pytest.raises(SplitClosed):
        await splits.cancel(lin.id, split_id, key())
    assert (await events(town, noor))[-1] == "request.cancelled"


async def test_a_part_that_is_paid_while_the_split_is_withdrawn(
    town: Town, lin: Someone, mei: Someone
) -> None:
    for _ in range(6):
        split = await made(town, lin, 200, mei)
        before = (await mei.balance())["balance"]
        _, refused = await at_once(
            [
                town.services.splits.cancel(lin.id, read_id("spl", split["id"]), key()),
                town.services.wallet.accept(mei.id, request_ids(split)[0], key()),
            ]
        )
        assert {type(one) for one in refused} <= {SplitClosed, RequestClosed}
        (part,) = (await town.services.splits.view(lin.id, read_id("spl", split["id"]))).parts
        paid = part.status == "accepted"
        assert (await mei.balance())["balance"] == before - 100 * paid


async def test_what_cannot_be_a_split(
    town: Town, lin: Someone, mei: Someone, noor: Someone
) -> None:
    before = await town.count("splits")
    for amount, *others in (
        (0, mei),
        (100,),
        (100, mei, mei),
        (1, mei),  # nothing for each
        (100, (mei, 60), (noor, 41)),
        (100, (mei, 60), noor),
        (100, (mei, 0)),
    ):
        with pytest.raises(Invalid):
            await made(town, lin, amount, *others)
    with pytest.raises(SendsToSelf):
        await made(town, lin, 100, lin)
    await town.services.people.set_status(mei.id, "suspended")
    with pytest.raises(PersonNotActive):
        await made(town, lin, 100, noor, mei)
    assert await town.count("splits") == before, "all are asked, or nobody"


async def test_a_split_is_its_makers(town: Town, lin: Someone, mei: Someone) -> None:
    splits = town.services.splits
    split = await made(town, lin, 100, mei)
    split_id = read_id("spl", split["id"])
    for who, one in ((mei, split_id), (lin, town.services.ids.new())):
        for call in (
            splits.view(who.id, one),
            splits.remind(who.id, one, key()),
            splits.cancel(who.id, one, key()),
        ):
            with pytest.raises(NotFound):
                await call
    assert await splits.list(mei.id, None, 9) == []
    second = await made(town, lin, 200, mei)
    listed = await splits.list(lin.id, None, 9)
    assert [f"spl_{one.split.id.hex}" for one in listed] == [second["id"], split["id"]]
    assert [one.split.id for one in await splits.list(lin.id, listed[0].split.id, 9)] == [split_id]


async def test_the_same_key_at_once_makes_one_split(town: Town, lin: Someone, mei: Someone) -> None:
    before = await town.count("money_requests")
    outcomes, refused = await at_once(
        town.services.splits.make(
            lin.id, 100, "CNY", [Asked(mei.handle, None)], None, key(f"split {lin.handle}")
        )
        for _ in range(32)
    )
    assert refused == []
    assert len({outcome.body for outcome in outcomes}) == 1
    assert await town.count("money_requests") == before + 1
