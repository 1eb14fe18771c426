"""Whose order it is, on PostgreSQL: holds that end by the clock, at once, in several processes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from town import Door, Town, at_once, key, open_town, said

from tandem.events import CreateEndpoint
from tandem.kernel import NotFound
from tandem.payments import Command, Payment, PaymentConflict, PaymentTaken

SCAN, APPROVE, LEAVE = Command.SCAN, Command.APPROVE, Command.LEAVE


@pytest.fixture
async def town(fresh_database: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(fresh_database, tmp_path) as made:
        yield made
        await made.check()


async def state(town: Town, door: Door, payment_id: UUID) -> Payment:
    return await town.services.payments.of_merchant(door.id, payment_id)


async def told(town: Town, owner_id: UUID, payment_id: UUID) -> list[str]:
    """What an owner was told of a payment, in order, without `payment.`."""
    rows = await town.services.pool.fetch(
        "SELECT type FROM events WHERE owner_id = $1 AND object_id = $2 ORDER BY id",
        owner_id,
        payment_id,
    )
    return [row["type"].removeprefix("payment.") for row in rows]


async def test_who_scans_and_walks_off_does_not_keep_the_order(town: Town) -> None:
    mei, lin, door = await town.person(yuan=9), await town.person(yuan=9), await town.merchant()
    payments, wait = town.services.payments, town.services.settings.confirm_seconds
    order = await town.order(door, 5)
    ends = (await state(town, door, order)).expires_at
    await payments.by_person(mei.id, order, SCAN, None, way="scan")
    with pytest.raises(PaymentTaken) as refused:
        await payments.by_person(lin.id, order, SCAN, None, way="scan")
    held = await state(town, door, order)
    assert (refused.value.until, held.order_expires_at) == (held.expires_at, ends)
    town.wait(seconds=wait)
    # no timer has come, and nobody needs one
    await payments.by_person(lin.id, order, SCAN, None, way="scan")
    for command in (APPROVE, Command.DECLINE):
        with pytest.raises(NotFound):
            await payments.by_person(mei.id, order, command, key())
    with pytest.raises(PaymentTaken):
        await payments.by_person(mei.id, order, APPROVE, key(), way="scan")
    with pytest.raises(NotFound):
        await payments.of_person(mei.id, order)
    await payments.by_person(lin.id, order, APPROVE, key())
    assert (await state(town, door, order)).person_id == lin.id
    assert await told(town, door.id, order) == [
        "created", "waiting", "reopened", "waiting", "captured",
    ]  # fmt: skip
    assert await told(town, mei.id, order) == ["waiting", "reopened"]
    assert await told(town, lin.id, order) == ["waiting", "captured"]


async def test_timers_open_what_waited_too_long_and_end_it_when_its_own_time_is_over(
    town: Town,
) -> None:
    mei, door, payments = await town.person(yuan=9), await town.merchant(), town.services.payments
    order, other = await town.order(door, 5), await town.order(door, 5)
    await town.services.webhooks.create(
        door.id, CreateEndpoint(url="http://127.0.0.1:9/hook", types=("payment.reopened",)), None
    )
    await payments.by_person(mei.id, order, SCAN, None)
    town.wait(seconds=town.services.settings.confirm_seconds)
    assert await payments.expire_due() == 1
    assert await payments.expire_due() == 0
    found = await state(town, door, order)
    assert (found.status, found.person_id, found.order_expires_at) == ("created", None, None)
    assert await town.count("webhook_deliveries") == 1
    await payments.by_person(mei.id, order, SCAN, None)  # and walks off again, for long
    town.wait(seconds=town.services.settings.order_seconds)
    assert await payments.expire_due() == 2
    assert await payments.expire_due() == 0
    assert [(await state(town, door, one)).status for one in (order, other)] == ["expired"] * 2
    assert await told(town, mei.id, order) == ["waiting", "reopened", "waiting", "expired"]


async def test_a_person_leaves_an_order_once_and_only_their_own(town: Town) -> None:
    mei, lin, door = await town.person(yuan=9), await town.person(yuan=9), await town.merchant()
    payments = town.services.payments
    order = await town.order(door, 5)
    with pytest.raises(PaymentConflict):  # nobody has scanned it
        await payments.by_person(mei.id, order, LEAVE, key())
    await payments.by_person(mei.id, order, SCAN, None)
    with pytest.raises(NotFound):
        await payments.by_person(lin.id, order, LEAVE, key())
    same = key()
    left = await payments.by_person(mei.id, order, LEAVE, same)
    assert said(left)["status"] == "created"
    await payments.by_person(lin.id, order, SCAN, None)
    again = await payments.by_person(mei.id, order, LEAVE, same)
    assert (again.body, again.replayed) == (left.body, True)
    assert (await state(town, door, order)).person_id == lin.id
    await payments.by_person(lin.id, order, APPROVE, key())
    assert await town.count("transfers") == 3  # two top-ups and this


async def test_of_many_who_scan_what_is_open_again_one_gets_it(
    fresh_database: str, tmp_path: Path
) -> None:
    async with (
        open_town(fresh_database, tmp_path) as here,
        open_town(fresh_database, tmp_path) as there,
    ):
        mei, door = await here.person(yuan=9), await here.merchant()
        others = [await here.person(yuan=9) for _ in range(4)]
        order = await here.order(door, 5)
        await here.services.payments.by_person(mei.id, order, SCAN, None)
        for town in (here, there):
            town.wait(seconds=here.services.settings.confirm_seconds)
        calls = [
            town.services.payments.by_person(who.id, order, SCAN, None, way="scan")
            for who in others
            for town in (here, there)
        ]
        timers = asyncio.gather(*(town.services.payments.expire_due() for town in (here, there)))
        outcomes, refused = await at_once(calls)
        await timers
        holder = (await state(here, door, order)).person_id
        assert {type(one) for one in refused} == {PaymentTaken}
        assert len(outcomes) == 2  # the holder's two
        heard = await told(here, door.id, order)
        # those of two processes and one moment stand in no promised order
        assert (heard[:2], sorted(heard[2:])) == (["created", "waiting"], ["reopened", "waiting"])
        assert holder in {who.id for who in others}
        await here.check()


async def test_the_wait_follows_the_sandboxs_clock(fresh_database: str, tmp_path: Path) -> None:
    async with open_town(fresh_database, tmp_path, background=True) as town:
        mei, door = await town.person(yuan=9), await town.merchant()
        order = await town.order(door, 5)
        await town.services.payments.by_person(mei.id, order, SCAN, None)
        await town.services.virtual_clock.advance(
            timedelta(seconds=town.services.settings.confirm_seconds)
        )
        async with asyncio.timeout(15):
            while (await state(town, door, order)).status != "created":  # noqa: ASYNC110 - a timer does it
                await asyncio.sleep(0.05)
        assert await told(town, door.id, order) == ["created", "waiting", "reopened"]
