"""A merchant's day and statements: what they say is what is in the books."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from test_books import ask
from town import Door, Someone, Town, key, open_town

from tandem.api.routes import figures, payments
from tandem.kernel import Invalid, NotFound, show_id


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=1000)


@pytest.fixture
async def door(town: Town) -> Door:
    return await town.merchant(points=100, fixed=10, overdraft=500)


async def merchants(town: Town, operation: Any, door: Door, **given: Any) -> Any:  # noqa: ANN401 - any answer
    return await ask(town, operation, "merchant", owner=door.id, **given)


async def give_back(town: Town, door: Door, payment: Any, amount: int) -> None:  # noqa: ANN401 - an id
    await town.services.payments.refund(door.id, payment, amount, "cold", key())


# -- the day -------------------------------------------------------------------------------------


async def test_a_day_beside_what_is_usual(town: Town, lin: Someone, door: Door) -> None:
    for fen in (1000, 3000):
        await town.paid(door, lin, fen)
        town.wait(days=7)
    taken = [await town.paid(door, lin, fen) for fen in (500, 700)]
    await town.order(door, 999)  # nobody pays it
    await give_back(town, door, taken[0], 200)
    town.wait(minutes=5)
    day = await merchants(town, figures.get_day, door)
    assert day["taken"] == {"count": 2, "amount": 1200}
    assert day["by_way"] == [{"way": "scan", "count": 2, "amount": 1200}]
    assert day["by_shop"] == [{"shop_id": show_id("shp", door.shop_id), "count": 2, "amount": 1200}]
    assert sum(day["by_hour"]) == 1200
    assert day["refunded"] == {"count": 1, "amount": 200}
    assert (day["weeks"], day["usual"]) == (1, 3000)
    assert max(day["usual_hours"]) == 3000
    assert (day["declined"], day["asked"], day["usual_asked"]) == (0, 2, 1)


async def test_each_sum_is_that_of_a_list(town: Town, lin: Someone, door: Door) -> None:
    for fen in (500, 700, 900):
        await town.paid(door, lin, fen)
    await town.order(door, 1)
    town.wait(minutes=1)
    day = await merchants(town, figures.get_day, door, query={"zone": "Asia/Shanghai"})
    moments = {name: datetime.fromisoformat(day[name]) for name in ("since", "until")}
    query = {"paid": True, "way": "scan"} | moments
    listed = await merchants(town, payments.list_payments, door, query=query)
    assert sum(one["captured"] for one in listed["data"]) == day["taken"]["amount"] == 2100
    assert len(listed["data"]) == day["taken"]["count"]


async def test_what_is_reserved_waits(town: Town, lin: Someone, door: Door) -> None:
    await town.paid(door, lin, 800, manual=True)
    day = await merchants(town, figures.get_day, door)
    assert (day["reserved"], day["taken"]["amount"], day["asked"]) == (800, 0, 1)


@pytest.mark.parametrize("zone", ["Nowhere/At_All", "../etc/passwd", "/etc/passwd", "Asia", " "])
async def test_a_zone_must_be_one(town: Town, door: Door, zone: str) -> None:
    with pytest.raises(Invalid, match="IANA"):
        await merchants(town, figures.get_day, door, query={"zone": zone})


# -- what was booked -----------------------------------------------------------------------------


async def test_entries_of_a_payment_are_the_merchants(town: Town, lin: Someone, door: Door) -> None:
    payment = await town.paid(door, lin, 1000)
    await town.paid(door, lin, 5)
    await give_back(town, door, payment, 300)
    lines = (await merchants(town, figures.list_payment_entries, door, payment_id=payment))["data"]
    assert [(one["type"], one["change"]) for one in lines] == [
        ("payment", 1000),
        ("fee", -20),
        ("refund", -300),
    ]
    assert lines[0]["entry_id"] == lines[1]["entry_id"] != lines[2]["entry_id"]
    other = await town.merchant()
    with pytest.raises(NotFound):
        await merchants(town, figures.list_payment_entries, other, payment_id=payment)


async def test_a_statement_sums_to_the_ledger(town: Town, lin: Someone, door: Door) -> None:
    first = town.services.clock.now().date()
    one = await town.paid(door, lin, 10_000)
    town.wait(days=1)
    await town.paid(door, lin, 2000)
    await give_back(town, door, one, 4000)
    town.wait(days=2)
    await town.paid(door, lin, 700)
    last = town.services.clock.now().date()
    for zone in ("UTC", "Asia/Shanghai", "America/New_York"):
        query = {"since": first, "until": last, "zone": zone}
        told = await merchants(town, figures.get_my_periods, door, query=query)
        days = told["data"]
        assert [(d["taken"], d["refunded"], d["fees"]) for d in days] == [
            (10_000, 0, -110),
            (2000, -4000, -30),
            (0, 0, 0),
            (700, 0, -17),
        ]
        assert all(day["closing"] == after["opening"] for day, after in pairwise(days))
        assert told["total"]["closing"] == days[-1]["closing"] == await door.balance()
        assert (told["total"]["taken"], told["total"]["fees"]) == (12_700, -157)
    months = {"since": first, "until": last, "step": "month"}
    told = await merchants(town, figures.get_my_periods, door, query=months)
    assert told["total"]["closing"] == await door.balance()


async def test_a_statement_has_an_end(town: Town, door: Door) -> None:
    first = town.services.clock.now().date()
    for until, step in ((first - timedelta(days=1), "day"), (first + timedelta(days=62), "day"),
                        (first + timedelta(days=400), "month")):  # fmt: skip
        query = {"since": first, "until": until, "step": step}
        with pytest.raises(Invalid):
            await merchants(town, figures.get_my_periods, door, query=query)


# -- filters -------------------------------------------------------------------------------------


async def test_filters(town: Town, lin: Someone, door: Door) -> None:
    small = await town.order(door, 100, order_reference="Ord-1%", description="Two coffees")
    large = await town.order(door, 900, order_reference="ord-2")
    paid = await town.paid(door, lin, 500)
    town.wait(minutes=10)
    now = town.services.clock.now()
    newest = [show_id("pay", one) for one in (paid, large, small)]

    async def found(**query: Any) -> list[int]:  # noqa: ANN401 - any query
        listed = await merchants(town, payments.list_payments, door, query=query)
        return [newest.index(one["id"]) for one in listed["data"]]

    assert await found() == [0, 1, 2]
    assert await found(paid=True) == [0]
    assert await found(paid=False) == [1, 2]
    assert await found(least=500) == [0, 1]
    assert await found(least=500, most=500) == [0]
    assert await found(text="ORD") == [1, 2]
    assert await found(text="1%") == [2]
    assert await found(text="_") == []
    assert await found(text="coffee", way="scan", currency="CNY") == [2]
    assert await found(currency="JPY") == []
    assert await found(since=now) == []
    assert await found(until=now, since=now - timedelta(hours=1)) == [0, 1, 2]
    other = await town.merchant()
    listed = await merchants(town, payments.list_payments, other, query={"text": "ord"})
    assert listed["data"] == []


async def test_a_text_is_looked_for_in_three_months(town: Town, door: Door) -> None:
    old = await town.order(door, 100, order_reference="old-one")
    town.wait(days=93)
    listed = await merchants(town, payments.list_payments, door, query={"text": "old"})
    assert listed["data"] == []
    since = town.services.clock.now() - timedelta(days=100)
    query = {"text": "old", "since": since}
    listed = await merchants(town, payments.list_payments, door, query=query)
    assert [one["id"] for one in listed["data"]] == [show_id("pay", old)]
