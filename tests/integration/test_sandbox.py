"""The sandbox: its clock, its buyer, and that production has neither."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest
from town import Door, Town, key, open_keyring, open_town, said

from tandem.access import Principal
from tandem.api.operation import Call
from tandem.app import ModeMismatch, open_services, operations
from tandem.kernel import Invalid, read_id
from tandem.ledger import Outcome
from tandem.payments import Command
from tandem.people import Limits
from tandem.sandbox import BuyerRule, BuyerRules, buyer
from tandem.sandbox.buyer import HANDLE
from tandem.sandbox.clock import MAX_OFFSET
from tandem.sandbox.routes import SANDBOX_OPERATIONS, PlayMoney, top_up_in_sandbox
from tandem.settings import Settings


@pytest.fixture
async def town(fresh_database: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(fresh_database, tmp_path) as made:
        yield made
        await made.check()


async def rules(town: Town, *given: BuyerRule) -> None:
    await town.services.buyer.set_rules(BuyerRules(rules=given))


async def state(town: Town, door: Door, payment_id: UUID) -> str:
    return (await town.services.payments.of_merchant(door.id, payment_id)).status


# -- the buyer -----------------------------------------------------------------------------------


async def test_a_buyer_pays_declines_and_looks_away_by_amount(town: Town) -> None:
    door = await town.merchant()
    await rules(
        town,
        BuyerRule(amount=1300, action="decline"),
        BuyerRule(amount=1400, action="ignore"),
        BuyerRule(action="pay"),
    )
    paid, declined, ignored = [await town.order(door, amount) for amount in (10, 1300, 1400)]
    held = await town.order(door, 20, manual=True)
    assert await town.services.buyer.act() == 3
    states = [await state(town, door, one) for one in (paid, declined, ignored, held)]
    assert states == ["captured", "declined", "created", "authorised"]
    assert await town.services.buyer.act() == 0
    assert await door.balance() == 10


async def test_a_buyer_acts_by_name_and_slowly(town: Town) -> None:
    door = await town.merchant()
    await rules(
        town,
        BuyerRule(name="SLOW", action="pay", after_seconds=90),
        BuyerRule(name="nobody", amount=5, action="pay"),
    )
    slow = await town.order(door, 10, description="Something slow")
    by_reference = await town.order(door, 10, order_reference="slow-7")
    other = await town.order(door, 6, description="for nobody")  # the name fits, the amount not
    assert await town.services.buyer.act() == 0
    town.wait(seconds=89)
    assert await town.services.buyer.act() == 0
    town.wait(seconds=2)
    assert await town.services.buyer.act() == 2
    states = [await state(town, door, one) for one in (slow, by_reference, other)]
    assert states == ["captured", "captured", "created"]


async def test_a_buyer_decides_for_a_person_by_their_name(town: Town) -> None:
    lin, door = await town.person(yuan=5000, name="Lin Decline"), await town.merchant()
    await rules(town, BuyerRule(name="decline", action="decline"), BuyerRule(action="pay"))
    waiting = said(await town.by_code(door, lin.code(), 100_001))
    order = await town.order(door, 10)
    await town.services.payments.by_person(lin.id, order, Command.SCAN, key())
    assert await town.services.buyer.act() == 2
    for one in (read_id("pay", waiting["id"]), order):
        assert await state(town, door, one) == "declined"
    assert (await lin.balance())["balance"] == 500_000


async def test_without_rules_a_buyer_does_nothing_and_is_not_made(town: Town) -> None:
    door = await town.merchant()
    order = await town.order(door, 10)
    assert await town.services.buyer.act() == 0
    assert await town.count("people") == 0
    await rules(town, BuyerRule(action="pay"))
    assert await town.count("people") == 1
    await rules(town)
    assert await town.services.buyer.act() == 0
    assert await state(town, door, order) == "created"


async def test_what_a_buyer_cannot_pay_stays_and_holds_nobody_up(town: Town) -> None:
    door = await town.merchant()
    await rules(town, BuyerRule(action="pay"))
    dear, cheap = await town.order(door, 10**13), await town.order(door, 10)
    assert await town.services.buyer.act() == 1
    assert [await state(town, door, one) for one in (dear, cheap)] == ["created", "captured"]
    assert await town.services.buyer.act() == 0  # or the timers would never rest


async def test_a_buyer_finds_what_it_pays_behind_many_orders_that_match_no_rule(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buyer, "_LOOKED_AT", 3)
    door = await town.merchant()
    await rules(town, BuyerRule(amount=10, action="pay"))
    orders = [await town.order(door, amount) for amount in (7, 7, 7, 7, 10, 7, 7, 10, 10)]
    acted = 0
    while found := await town.services.buyer.act():  # as the timers do
        acted += found
    assert acted == 3
    states = [await state(town, door, one) for one in orders]
    assert [states[n] for n in (4, 7, 8)] == ["captured"] * 3
    late = await town.order(door, 10)
    assert await town.services.buyer.act() == 1
    assert await state(town, door, late) == "captured"


async def test_a_buyer_pages_past_orders_that_end_at_the_same_moment(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buyer, "_LOOKED_AT", 2)
    door = await town.merchant()
    await rules(town, BuyerRule(amount=10, action="pay"))
    await asyncio.gather(*(town.order(door, amount) for amount in (7, 7, 7, 10, 7, 10, 7)))
    await town.services.pool.execute(
        "UPDATE payments SET expires_at = (SELECT min(expires_at) FROM payments)"
    )
    acted = 0
    while found := await town.services.buyer.act():
        acted += found
    assert acted == 2


async def test_a_buyer_who_was_made_but_not_funded_gets_what_is_missing(
    town: Town, fresh_database: str, tmp_path: Path
) -> None:
    door = await town.merchant()
    order = await town.order(door, 10**9)
    # as a process left it that ended in between
    made = await town.services.people.sign_up(HANDLE, "Sandbox Buyer", "sandbox", None)
    buyer_id = read_id("ppl", made.person.id)
    await rules(town, BuyerRule(action="pay"))
    assert await town.services.buyer.act() == 1
    assert await state(town, door, order) == "captured"
    purses = await town.count("top_ups")
    assert purses == len(town.services.settings.currencies)
    await town.services.people.set_limits(buyer_id, "CNY", 5, 5)  # by hand, which holds
    async with open_town(fresh_database, tmp_path) as later:
        await rules(later, BuyerRule(action="pay"))
    assert await town.count("top_ups") == purses
    assert (await town.services.people.terms(buyer_id)).limits["CNY"] == Limits(5, 5)


async def test_rules_hold_in_every_process(town: Town, fresh_database: str, tmp_path: Path) -> None:
    async with open_town(fresh_database, tmp_path) as other:
        await rules(town, BuyerRule(action="pay"))
        assert (await other.services.buyer.rules()).rules == (BuyerRule(action="pay"),)
        await asyncio.gather(rules(town), rules(other, BuyerRule(action="ignore")))
        assert await town.count("people") == 1


# -- the clock -----------------------------------------------------------------------------------


async def test_the_clock_goes_forward_in_every_process_and_never_back(
    fresh_database: str, tmp_path: Path
) -> None:
    async with (
        open_town(fresh_database, tmp_path, background=True) as town,
        open_town(fresh_database, tmp_path, background=True) as other,
    ):
        clock = town.services.virtual_clock
        await clock.advance(timedelta(hours=5))
        async with asyncio.timeout(5):
            while other.services.virtual_clock.view().offset_seconds != 5 * 3600:  # noqa: ASYNC110 - another task follows
                await asyncio.sleep(0.02)
        for back in (-1, -(10**9)):
            with pytest.raises(Invalid):
                await clock.advance(timedelta(seconds=back))
        assert clock.view().offset_seconds == 5 * 3600
        for _ in range(3):
            await clock.advance(MAX_OFFSET / 2)
        assert clock.view().offset_seconds == MAX_OFFSET.total_seconds()
    async with open_town(fresh_database, tmp_path, background=True) as later:
        assert later.services.virtual_clock.view().offset_seconds == MAX_OFFSET.total_seconds()


async def test_timers_follow_the_clock(fresh_database: str, tmp_path: Path) -> None:
    async with open_town(fresh_database, tmp_path, background=True) as town:
        lin, mei, door = await town.person(yuan=10), await town.person(), await town.merchant()
        order, held = await town.order(door, 5), await town.paid(door, lin, 300, manual=True)
        asked_for = said(
            await town.services.wallet.ask(
                mei.id, lin.id, 5, "CNY", None, key(), expires_seconds=60
            )
        )
        await town.services.virtual_clock.advance(timedelta(days=8))

        async def ended() -> bool:
            request = await town.services.wallet.request(lin.id, read_id("req", asked_for["id"]))
            states = [await state(town, door, one) for one in (order, held)]
            return [*states, request.status] == ["expired"] * 3

        async with asyncio.timeout(15):
            while not await ended():  # noqa: ASYNC110 - timers do it
                await asyncio.sleep(0.1)
        assert (await lin.balance())["reserved"] == 0
        await rules(town, BuyerRule(action="pay"))
        again = await town.order(door, 5)
        async with asyncio.timeout(15):
            while await state(town, door, again) != "captured":  # noqa: ASYNC110 - a timer does it
                await asyncio.sleep(0.1)
        await town.check()


async def test_a_person_tops_up_with_play_money(town: Town) -> None:
    lin = await town.person()
    key_id, scopes = town.services.ids.new(), frozenset(("wallet",))
    caller = Principal("person", lin.id, key_id, lin.device_id, scopes, "Phone")
    here = Call(town.services, caller, key("play money"), "req", "127.0.0.1")
    body = PlayMoney(amount=10_000, currency="CNY")
    first, again = [await top_up_in_sandbox.handler(here, body) for _ in range(2)]
    assert isinstance(first, Outcome)
    assert isinstance(again, Outcome)
    assert said(first) == said(again)
    assert (await lin.balance())["balance"] == 10_000
    other = msgspec.structs.replace(here, idempotency=key("more of it"))
    await top_up_in_sandbox.handler(other, body)
    assert (await lin.balance())["balance"] == 20_000
    # a door that only a sandbox has stays shut even if somebody mounted it elsewhere
    production = replace(town.services, settings=Settings(mode="production"))
    with pytest.raises(AssertionError, match="no such door"):
        await top_up_in_sandbox.handler(msgspec.structs.replace(here, services=production), body)
    assert (await lin.balance())["balance"] == 20_000


# -- never in production -------------------------------------------------------------------------


async def test_a_database_stays_what_it_was_made_as(fresh_database: str, tmp_path: Path) -> None:
    keyring, production = open_keyring(tmp_path), Settings(mode="production")
    async with open_services(fresh_database, production, keyring, background=False) as services:
        with pytest.raises(asyncpg.CheckViolationError):
            await services.virtual_clock.advance(timedelta(seconds=1))
        with pytest.raises(AssertionError, match="play money"):
            await services.buyer.set_rules(BuyerRules(rules=(BuyerRule(action="pay"),)))
        assert await services.buyer.act() == 0
        assert await Town(services).count("people") == 0
        assert await Town(services).count("transfers") == 0
    with pytest.raises(ModeMismatch) as refused:
        async with open_town(fresh_database, tmp_path):
            pass
    assert (refused.value.database, refused.value.asked) == ("production", "sandbox")


async def test_a_sandbox_is_never_run_in_production(town: Town, fresh_database: str) -> None:
    production = Settings(mode="production")
    with pytest.raises(ModeMismatch) as refused:
        async with open_services(fresh_database, production, town.services.keyring):
            pass
    assert "TANDEM_MODE=sandbox" in refused.value.sentence()
    async with town.services.pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE installation SET mode = 'production'")


def test_production_has_no_operation_of_the_sandbox() -> None:
    paths = {operation.path for operation in operations(Settings(mode="production"))}
    assert not any("sandbox" in path for path in paths)
    more = set(operations(Settings(mode="sandbox"))) - set(operations(Settings()))
    assert more == set(SANDBOX_OPERATIONS)
    assert all(operation.path.startswith("/v1/sandbox/") for operation in more)
