"""Terms that change elsewhere hold at once; what runs out is ended by timers.

Two `Town`s on one database are two processes: each has caches and a journal of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest
from town import Door, Someone, Town, asked, at_once, key, open_town, said

from moves import CNY
from tandem.db import Connection
from tandem.events import DELIVERIES, CreateEndpoint, load_endpoints
from tandem.kernel import NotFound, SystemClock, read_id
from tandem.ledger import merchant as merchant_account
from tandem.ledger import person as person_account
from tandem.merchants import Acceptance, CurrencyTerms, WayRefused, WayRule
from tandem.payments import Command, CurrencyNotTaken, MerchantNotActive, PaymentConflict, Source
from tandem.people import LimitExceeded, PayerNotActive
from tandem.timers import run_timers

CLOSED = Acceptance({"scan": WayRule(enabled=False)})


class Two(NamedTuple):
    here: Town
    there: Town


@pytest.fixture
async def two(fresh_database: str, tmp_path: Path) -> AsyncIterator[Two]:
    async with (
        open_town(fresh_database, tmp_path) as here,
        open_town(fresh_database, tmp_path) as there,
    ):
        yield Two(here, there)
        await here.check()


async def seen_there(two: Two, door: Door, lin: Someone) -> None:
    """Let the other process remember the shop and the person."""
    await two.there.paid(door, lin, 1)


# -- terms ---------------------------------------------------------------------------------------


async def test_a_policy_switched_off_elsewhere(two: Two) -> None:
    lin, door = await two.here.person(yuan=10), await two.here.merchant()
    await seen_there(two, door, lin)
    order = await two.there.order(door, 5)
    await two.here.services.merchants.accept_at_shop(door.id, door.shop_id, CLOSED)
    with pytest.raises(WayRefused):
        await two.there.paid(door, lin, 1)
    with pytest.raises(WayRefused):
        await two.there.order(door, 1)
    with pytest.raises(WayRefused):
        await two.there.by_code(door, lin.code(), 1)
    with pytest.raises(WayRefused):
        await two.there.services.payments.by_person(lin.id, order, Command.APPROVE, key())
    await two.here.services.merchants.accept_at_shop(door.id, door.shop_id, Acceptance())
    await two.there.paid(door, lin, 1)


async def test_a_policy_switched_off_elsewhere_for_a_merchant_that_never_took_anything(
    two: Two,
) -> None:
    lin, door = await two.here.person(yuan=10), await two.here.merchant()
    await two.there.services.payments.code_landing(door.token)  # the shop is remembered there
    await two.here.services.merchants.accept_at_shop(door.id, door.shop_id, CLOSED)
    with pytest.raises(WayRefused):
        await two.there.paid(door, lin, 1)


async def test_limits_set_and_people_suspended_elsewhere(two: Two) -> None:
    lin, door = await two.here.person(yuan=10), await two.here.merchant()
    people = two.here.services.people
    await seen_there(two, door, lin)
    await people.set_limits(lin.id, "CNY", 100, 150)
    with pytest.raises(LimitExceeded):
        await two.there.paid(door, lin, 101)
    await two.there.paid(door, lin, 100)
    with pytest.raises(LimitExceeded):
        await two.there.paid(door, lin, 50)  # with the first one this makes 151
    await people.set_limits(lin.id, "CNY", 100, 151)
    await two.there.paid(door, lin, 50)
    await people.set_status(lin.id, "suspended")
    with pytest.raises(PayerNotActive):
        await two.there.paid(door, lin, 1)


async def test_the_account_of_someone_who_never_moved_anything(two: Two) -> None:
    lin, mei, door = await two.here.person(), await two.here.person(), await two.here.merchant()
    services = two.there.services
    order = await two.there.order(door, 5)
    with pytest.raises(Exception, match="balance"):
        await services.payments.by_person(lin.id, order, Command.APPROVE, key())
    await two.here.services.people.set_status(lin.id, "suspended")
    with pytest.raises(PayerNotActive):
        await services.payments.by_person(lin.id, order, Command.SCAN, key())
    await services.payments.by_person(mei.id, order, Command.SCAN, key())


async def test_fees_currencies_and_suspensions_set_elsewhere(two: Two) -> None:
    lin, door = await two.here.person(yuan=10), await two.here.merchant()
    merchants = two.here.services.merchants
    await seen_there(two, door, lin)
    with pytest.raises(CurrencyNotTaken):
        await two.there.order(door, 5, code="EUR")
    await merchants.set_currency(door.id, "EUR", CurrencyTerms(0, 0))
    await two.there.order(door, 5, code="EUR")
    await merchants.set_currency(door.id, "CNY", CurrencyTerms(1000, 5))
    paid = await two.there.paid(door, lin, 100)
    assert (await two.there.services.payments.of_merchant(door.id, paid)).fee == 15
    held = await two.there.paid(door, lin, 100, manual=True)
    await merchants.set_currency(door.id, "CNY", CurrencyTerms(0, 1))
    taken = said(await two.there.services.payments.capture(door.id, held, None, key()))
    assert taken["fee"] == 1
    await merchants.set_status(door.id, "suspended")
    with pytest.raises(MerchantNotActive):
        await two.there.paid(door, lin, 1)


async def test_a_new_webhook_is_told_of_every_step_after_it(two: Two) -> None:
    """Also of those that move no money, whatever other processes remember of the shop."""
    lin, door = await two.here.person(yuan=10), await two.here.merchant()
    payments = two.there.services.payments
    declined, cancelled, late = [await two.there.order(door, 5) for _ in range(3)]
    partly = await two.there.paid(door, lin, 10, manual=True)
    hook = CreateEndpoint(url="http://127.0.0.1:9/hook")
    await two.here.services.webhooks.create(door.id, hook, None)
    await payments.by_person(lin.id, declined, Command.SCAN, key())
    await payments.by_person(lin.id, declined, Command.DECLINE, key())
    await payments.cancel(door.id, cancelled, key())
    await payments.capture(door.id, partly, 4, key())
    await payments.refund(door.id, partly, 1, None, key())
    await payments.cancel(door.id, partly, key())
    two.there.wait(hours=4)
    assert await payments.expire_due() == 1
    rows = await two.here.services.pool.fetch(
        f"SELECT e.type, e.object_id FROM {DELIVERIES.name} AS d JOIN events AS e "  # noqa: S608 - a table's name
        "ON e.id = d.event_id AND e.owner_id = d.merchant_id ORDER BY e.id"
    )
    assert [tuple(row) for row in rows] == [
        ("payment.waiting", declined),
        ("payment.declined", declined),
        ("payment.cancelled", cancelled),
        ("payment.captured", partly),
        ("payment.refunded", partly),
        ("payment.released", partly),
        ("payment.expired", late),
    ]
    after = await payments.of_merchant(door.id, partly)
    assert (after.status, after.captured, after.refunded) == ("partially_refunded", 4, 1)


async def test_a_webhook_made_while_a_payout_is_booked_is_told_of_it(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    lin, door = await two.here.person(yuan=10), await two.here.merchant()
    await two.here.paid(door, lin, 5)
    hook = CreateEndpoint(url="http://127.0.0.1:9/hook")

    async def load_and_then_another(connection: Connection, merchant_id: UUID) -> Any:  # noqa: ANN401 - endpoints
        read = await load_endpoints(connection, merchant_id)
        if not read:
            await two.there.services.webhooks.create(door.id, hook, None)
        return read

    monkeypatch.setattr("tandem.settlement.payouts.load_endpoints", load_and_then_another)
    await two.here.services.payouts.make(door.id, 5, "CNY", f"out {door.id}", key())
    assert await two.here.count(DELIVERIES.name) == 1


async def test_terms_change_while_many_pay(two: Two) -> None:
    lin, door = await two.here.person(yuan=100), await two.here.merchant()

    async def flip() -> None:
        for number in range(6):
            policy = CLOSED if number % 2 else Acceptance()
            await two.here.services.merchants.accept_at_shop(door.id, door.shop_id, policy)
            await two.there.services.merchants.set_currency(
                door.id, "CNY", CurrencyTerms(number, 0)
            )
            await two.here.services.people.set_limits(lin.id, "CNY", 100 + number, 10_000)

    new = asked(10, source=Source.STATIC_CODE)
    calls = [
        town.services.payments.pay_static(lin.id, door.token, new, key())
        for town in (two.here, two.there) * 40
    ]
    paying = [asyncio.ensure_future(call) for call in calls]
    await asyncio.wait(paying, return_when=asyncio.FIRST_COMPLETED)  # one, before anything changes
    flipping = asyncio.create_task(flip())
    outcomes, refused = await at_once(paying)
    await flipping
    assert {type(one).__name__ for one in refused} <= {"WayRefused", "TermsChanged"}
    assert (await lin.balance())["spent_today"] == 10 * len(outcomes)
    assert len(outcomes) > 0
    await two.here.services.merchants.accept_at_shop(door.id, door.shop_id, Acceptance())
    await two.there.services.payments.pay_static(lin.id, door.token, new, key())
    assert (await lin.balance())["spent_today"] == 10 * len(outcomes) + 10


async def test_one_daily_limit_in_two_processes(two: Two) -> None:
    lin, door = await two.here.person(yuan=100), await two.here.merchant()
    await two.here.services.people.set_limits(lin.id, "CNY", 100, 1000)
    new = asked(100, source=Source.STATIC_CODE)
    outcomes, refused = await at_once(
        town.services.payments.pay_static(lin.id, door.token, new, key())
        for town in (two.here, two.there) * 16
    )
    assert (len(outcomes), {type(one) for one in refused}) == (10, {LimitExceeded})


# -- time passes ---------------------------------------------------------------------------------


@pytest.fixture
async def town(fresh_database: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(fresh_database, tmp_path) as made:
        yield made
        await made.check()


async def test_what_nobody_pays_in_time_expires(town: Town) -> None:
    lin, door, payments = await town.person(yuan=10), await town.merchant(), town.services.payments
    created, waits = await town.order(door, 5), await town.order(door, 5)
    await payments.by_person(lin.id, waits, Command.SCAN, key())
    brief = read_id(
        "pay",
        said(await payments.create_order(door.at, asked(5), key(), expires_seconds=10))["id"],
    )
    assert await payments.expire_due() == 0
    town.wait(seconds=11)
    with pytest.raises(PaymentConflict):  # before any timer came
        await payments.by_person(lin.id, brief, Command.APPROVE, key())
    assert await payments.expire_due() == 1
    town.wait(hours=3)
    assert await payments.expire_due() == 2
    assert await payments.expire_due() == 0
    states = {(await payments.of_merchant(door.id, one)).status for one in (created, waits, brief)}
    assert states == {"expired"}
    assert (await lin.balance())["balance"] == 1000


async def test_what_is_reserved_goes_free_and_the_limit_comes_back_the_same_day(
    fresh_database: str, tmp_path: Path
) -> None:
    async with open_town(fresh_database, tmp_path, authorisation_seconds=3600) as town:
        lin, door = await town.person(yuan=10), await town.merchant()
        payments = town.services.payments
        whole = await town.paid(door, lin, 300, manual=True)
        partly = await town.paid(door, lin, 300, manual=True)
        await payments.capture(door.id, partly, 100, key())
        assert (await lin.balance())["spent_today"] == 600
        town.wait(hours=1)
        with pytest.raises(PaymentConflict):
            await payments.capture(door.id, whole, None, key())
        assert await payments.expire_due() == 2
        now = await lin.balance()
        assert (now["available"], now["reserved"], now["spent_today"]) == (900, 0, 100)
        found = [await payments.of_merchant(door.id, one) for one in (whole, partly)]
        assert [(p.status, p.captured) for p in found] == [("expired", 0), ("captured", 100)]
        await payments.refund(door.id, partly, 100, None, key())
        await town.check()


async def test_a_limit_of_yesterday_does_not_come_back_today(
    fresh_database: str, tmp_path: Path
) -> None:
    async with open_town(fresh_database, tmp_path, authorisation_seconds=86_400) as town:
        lin, door = await town.person(yuan=10), await town.merchant()
        await town.services.people.set_limits(lin.id, "CNY", 300, 300)
        await town.paid(door, lin, 300, manual=True)
        town.wait(days=1)
        await town.paid(door, lin, 200)
        assert await town.services.payments.expire_due() == 1
        assert (await lin.balance())["spent_today"] == 200
        with pytest.raises(LimitExceeded):
            await town.paid(door, lin, 101)
        await town.paid(door, lin, 100)


async def test_timers_of_two_processes_do_it_once(two: Two) -> None:
    lin, door = await two.here.person(yuan=10), await two.here.merchant()
    for _ in range(10):
        await two.here.paid(door, lin, 10, manual=True)
        await two.here.order(door, 5)
    two.here.wait(days=8)
    two.there.wait(days=8)
    await asyncio.gather(*(town.services.payments.expire_due() for town in two for _ in range(3)))
    assert (await lin.balance())["reserved"] == 0
    ended = await two.here.services.pool.fetchval(
        "SELECT count(*) FROM events WHERE type = 'payment.expired' AND owner_id = $1", door.id
    )
    assert ended == 20


# -- the process that runs the timers ------------------------------------------------------------


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in another task
            await asyncio.sleep(0.02)


async def timers_of(url: str) -> list[int]:
    """The server processes of connections that hold the timers' lock."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT l.pid FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() "
            "AND a.application_name = 'tandem timers'"
        )
    finally:
        await connection.close()
    return [row["pid"] for row in rows]


async def test_one_process_runs_the_timers_and_another_takes_over(fresh_database: str) -> None:
    acted = [0, 0]

    def timers(who: int) -> asyncio.Task[None]:
        async def act() -> int:
            acted[who] += 1
            return 0

        return asyncio.create_task(run_timers(fresh_database, (act,), SystemClock()))

    first = timers(0)
    await until(lambda: acted[0] > 1)
    second = timers(1)
    await asyncio.sleep(0.5)
    assert acted[1] == 0
    (pid,) = await timers_of(fresh_database)
    connection = await asyncpg.connect(fresh_database)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)  # as if it had died
    await connection.close()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await first
    await until(lambda: acted[1] > 1)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert await timers_of(fresh_database) == []


async def test_a_timer_does_all_that_is_due_before_it_rests(fresh_database: str) -> None:
    left = 1000

    async def act() -> int:
        nonlocal left
        done = min(left, 200)
        left -= done
        return done

    task = asyncio.create_task(run_timers(fresh_database, (act,), SystemClock()))
    await until(lambda: left == 0)
    task.cancel()


async def test_old_answers_are_forgotten(town: Town, fresh_database: str) -> None:
    lin, door = await town.person(yuan=10), await town.merchant()
    new = asked(5, source=Source.STATIC_CODE)
    pay = town.services.payments.pay_static
    await pay(lin.id, door.token, new, key("old"))

    async def act() -> int:
        return 0

    clock = SystemClock(town.services.clock.offset + timedelta(days=31))
    task = asyncio.create_task(run_timers(fresh_database, (act,), clock))
    async with asyncio.timeout(15):
        while await town.count("idempotency"):  # noqa: ASYNC110 - it happens in the database
            await asyncio.sleep(0.05)
    task.cancel()


async def test_accounts_of_the_town_are_those_of_the_ledger(town: Town) -> None:
    lin, door = await town.person(yuan=10), await town.merchant()
    await town.paid(door, lin, 10)
    found = await town.services.pool.fetch("SELECT id FROM accounts WHERE transfers > 0")
    ids = {row["id"] for row in found}
    assert {person_account(lin.id, CNY).id, merchant_account(door.id, CNY).id} <= ids
    with pytest.raises(NotFound):
        await town.services.payments.of_person(lin.id, lin.id)
