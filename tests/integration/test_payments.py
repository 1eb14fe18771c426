"""Payments on PostgreSQL: each use case well, each refusal, the same key at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
from town import Door, Someone, Town, asked, at_once, key, open_town, said

from tandem.db import IdempotencyConflict
from tandem.events import EVENTS
from tandem.kernel import Invalid, NotFound, Refused, read_id, show_id
from tandem.ledger import InsufficientFunds, Outcome
from tandem.merchants import Acceptance, WayRefused, WayRule
from tandem.payments import (
    At,
    CaptureExceedsAuthorised,
    Command,
    CurrencyNotTaken,
    MerchantNotActive,
    PaymentConflict,
    PaymentFilter,
    PaymentTaken,
    RefundExceedsCaptured,
    RefundNotCovered,
    Shop,
    Source,
    link,
)
from tandem.people import LimitExceeded, PayerNotActive


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=5000)


@pytest.fixture
async def door(town: Town) -> Door:
    return await town.merchant(points=60, fixed=10)


async def status(town: Town, door: Door, payment_id: UUID) -> str:
    return (await town.services.payments.of_merchant(door.id, payment_id)).status


# -- well ----------------------------------------------------------------------------------------


async def test_an_order_from_its_code_to_its_refund(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    made = said(await payments.create_order(door.at, asked(3800), key()))
    assert (made["status"], made["payer"], made["fee"]) == ("created", None, 0)
    url = link(town.services.settings.public_url, made["code_token"])
    read = await payments.read_code(lin.id, url)
    assert show_id("pay", read.id) == made["id"]  # type: ignore[union-attr]  # an order's code
    landing = await payments.code_landing(made["code_token"])
    assert (landing.shop_name, landing.amount) == ("Blue Door, East", 3800)
    payment_id = read_id("pay", made["id"])
    waiting = said(await payments.by_person(lin.id, payment_id, Command.SCAN, key()))
    assert waiting["status"] == "waiting"
    paid = said(await payments.by_person(lin.id, payment_id, Command.APPROVE, key()))
    assert (paid["status"], paid["captured"]) == ("captured", 3800)
    assert await door.balance() == 3800 - 33
    one = said(await payments.refund(door.id, payment_id, 1000, "cold", key()))
    assert (one["amount"], one["reason"]) == (1000, "cold")
    await payments.refund(door.id, payment_id, 2000, None, key())
    shown = await payments.of_person(lin.id, payment_id)
    assert (shown.status, shown.refunded, shown.fee) == ("partially_refunded", 3000, 33)
    assert [r.amount for r in await payments.refunds(door.id, payment_id, None, 10)] == [2000, 1000]
    assert (await lin.balance())["balance"] == 500_000 - 800
    assert await door.balance() == 800 - 33


async def test_captured_in_parts_and_the_rest_released(
    town: Town, lin: Someone, door: Door
) -> None:
    payments = town.services.payments
    payment_id = await town.paid(door, lin, 1000, manual=True)
    held = await lin.balance()
    assert (held["balance"], held["available"], held["reserved"]) == (500_000, 499_000, 1000)
    await payments.capture(door.id, payment_id, 300, key())
    assert (await lin.balance())["reserved"] == 700
    last = said(await payments.capture(door.id, payment_id, 500, key(), final=True))
    assert (last["status"], last["captured"], last["authorised"]) == ("captured", 800, 1000)
    after = await lin.balance()
    assert (after["balance"], after["reserved"], after["spent_today"]) == (499_200, 0, 800)


async def test_cancelled_and_declined(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    held = await town.paid(door, lin, 1000, manual=True)
    assert said(await payments.cancel(door.id, held, key()))["status"] == "cancelled"
    assert (await lin.balance())["spent_today"] == 0
    order = await town.order(door, 70)
    await payments.by_person(lin.id, order, Command.SCAN, key())
    declined = said(await payments.by_person(lin.id, order, Command.DECLINE, key()))
    assert (declined["status"], declined["decline_reason"]) == ("declined", "declined_by_person")
    partly = await town.paid(door, lin, 1000, manual=True)
    await payments.capture(door.id, partly, 400, key())
    assert said(await payments.cancel(door.id, partly, key()))["status"] == "captured"
    assert (await lin.balance())["balance"] == 499_600


async def test_a_static_code_is_a_shops_or_a_tills(town: Town, lin: Someone, door: Door) -> None:
    services = town.services
    till = await services.merchants.create_till(
        door.id, door.shop_id, "Till 1", Acceptance({"scan": WayRule(max_amount={"CNY": 50})}), None
    )
    url = link(services.settings.public_url, till.code_token)
    shop = await services.payments.read_code(lin.id, url)
    assert isinstance(shop, Shop)
    assert shop.place.till_id == till.id
    new = asked(50, source=Source.STATIC_CODE)
    paid = said(await services.payments.pay_static(lin.id, till.code_token, new, key()))
    found = await services.payments.of_merchant(door.id, read_id("pay", paid["id"]))
    assert (found.till_id, found.source, found.person_id) == (till.id, "static_code", lin.id)
    with pytest.raises(WayRefused) as refused:
        await services.payments.pay_static(lin.id, till.code_token, asked(51), key())
    assert (refused.value.limit, refused.value.ways_left) == (50, ("click",))
    at_till = At(door.id, None, till.id)
    order = said(await services.payments.create_order(at_till, asked(20), key()))
    assert order["till_id"] == show_id("til", till.id)


async def test_an_order_for_click_is_not_scanned_where_scan_is_off(
    town: Town, lin: Someone
) -> None:
    services = town.services
    payments = services.payments
    door = await town.merchant(takes=Acceptance({"scan": WayRule(enabled=False)}))
    new = msgspec.structs.replace(asked(300), way="click")
    made = said(await payments.create_order(door.at, new, key()))
    url = link(services.settings.public_url, made["code_token"])
    found = await payments.read_code(lin.id, url, "click")
    for command in (Command.SCAN, Command.APPROVE):
        with pytest.raises(WayRefused) as refused:
            await payments.by_person(lin.id, found.id, command, key(), way="scan")  # type: ignore[union-attr]  # an order's code
        assert (refused.value.way, refused.value.ways_left) == ("scan", ("click",))
    await services.merchants.accept_at_shop(door.id, door.shop_id, Acceptance())
    order = read_id("pay", made["id"])
    await payments.by_person(lin.id, order, Command.SCAN, key(), way="scan")
    assert (await payments.of_merchant(door.id, order)).way == "scan"
    await payments.by_person(lin.id, order, Command.SCAN, key(), way="click")
    paid = said(await payments.by_person(lin.id, order, Command.APPROVE, key()))
    assert (paid["status"], paid["way"]) == ("captured", "click")


async def test_lists(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    first = await town.order(door, 10, order_reference="a")
    second = await town.paid(door, lin, 20)
    third = await town.order(door, 30, order_reference="b")

    async def listed(
        before: UUID | None = None, limit: int = 10, **wanted: str | UUID
    ) -> list[UUID]:
        chosen = msgspec.convert(wanted, PaymentFilter)
        rows = await payments.list_of_merchant(door.id, chosen, before, limit)
        return [row.id for row in rows]

    assert await listed() == [third, second, first]
    assert await listed(limit=2) == [third, second]
    assert await listed(before=second) == [first]
    assert await listed(status="captured") == [second]
    assert await listed(order_reference="a") == [first]
    assert await listed(order_reference="c") == []
    assert await listed(shop_id=door.shop_id, status="created") == [third, first]
    assert await listed(till_id=door.shop_id) == []
    assert [p.id for p in await payments.list_of_person(lin.id, None, 10)] == [second]
    assert await payments.list_of_person(lin.id, second, 10) == []


async def test_a_refund_after_the_payout(town: Town, lin: Someone) -> None:
    payments, payouts = town.services.payments, town.services.payouts
    strict, easy = await town.merchant(), await town.merchant(overdraft=60)
    for door in (strict, easy):
        payment_id = await town.paid(door, lin, 100)
        await payouts.make(door.id, 100, "CNY", f"out {door.id}", key())
        most = 0 if door is strict else 60
        with pytest.raises(RefundNotCovered) as refused:
            await payments.refund(door.id, payment_id, most + 1, None, key())
        assert (refused.value.available, refused.value.amount) == (most, most + 1)
        if most:
            await payments.refund(door.id, payment_id, most, None, key())
        assert await door.balance() == -most


# -- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, -1, -(2**63), 10**15 + 1, 2**63, 10**40])
async def test_amounts_that_cannot_be(town: Town, lin: Someone, door: Door, amount: int) -> None:
    payments = town.services.payments
    held = await town.paid(door, lin, 100, manual=True)
    captured = await town.paid(door, lin, 100)
    before = [await town.count(table) for table in ("payments", "refunds", "transfers", "events")]
    calls = [
        payments.create_order(door.at, asked(amount), key()),
        payments.pay_static(lin.id, door.token, asked(amount), key()),
        town.by_code(door, lin.code(), amount),
        payments.capture(door.id, held, amount, key()),
        payments.refund(door.id, captured, amount, None, key()),
    ]
    for call in calls:
        with pytest.raises(Invalid):
            await call
    after = [await town.count(table) for table in ("payments", "refunds", "transfers", "events")]
    assert after == before


async def test_currencies(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    with pytest.raises(CurrencyNotTaken) as refused:
        await payments.create_order(door.at, asked(1, code="EUR"), key())
    assert refused.value.taken == ("CNY",)
    for code in ("QQQ", "cny", "", "CNY\n", "€"):
        for call in (
            payments.create_order(door.at, asked(1, code=code), key()),
            payments.pay_static(lin.id, door.token, asked(1, code=code), key()),
        ):
            with pytest.raises(Invalid):
                await call


async def test_no_money_and_limits(town: Town, door: Door) -> None:
    services = town.services
    poor = await town.person(yuan=1)
    with pytest.raises(InsufficientFunds):
        await town.paid(door, poor, 101)
    await town.paid(door, poor, 100)
    rich = await town.person(yuan=100)
    await services.people.set_limits(rich.id, "CNY", 500, 700)
    with pytest.raises(LimitExceeded) as once:
        await town.paid(door, rich, 501)
    assert once.value.limit == "per_payment"
    await town.paid(door, rich, 500)
    with pytest.raises(LimitExceeded) as daily:
        await town.paid(door, rich, 201)
    assert (daily.value.limit, daily.value.left) == ("per_day", 200)
    await town.paid(door, rich, 200)


async def test_suspended(town: Town, lin: Someone, door: Door) -> None:
    services = town.services
    captured = await town.paid(door, lin, 100)
    order = await town.order(door, 100)
    await services.people.set_status(lin.id, "suspended")
    for command in (Command.SCAN, Command.APPROVE):
        with pytest.raises(PayerNotActive):
            await services.payments.by_person(lin.id, order, command, key())
    with pytest.raises(PayerNotActive):
        await town.paid(door, lin, 100)
    declined = said(await town.by_code(door, lin.code(), 10))
    assert declined["decline_reason"] == "payer_cannot_pay"
    await services.people.set_status(lin.id, "active")
    await services.merchants.set_status(door.id, "suspended")
    with pytest.raises(MerchantNotActive):
        await town.paid(door, lin, 100)
    with pytest.raises(MerchantNotActive):
        await services.payments.by_person(lin.id, order, Command.APPROVE, key())
    with pytest.raises(MerchantNotActive):
        await town.order(door, 100)
    await services.merchants.set_currency(
        door.id, "CNY", (await services.merchants.get(door.id)).currencies["CNY"]
    )
    await services.payments.refund(door.id, captured, 50, None, key())


@pytest.mark.parametrize(
    "text", ["", " \t", "x" * 141, "a\x1b[31mb", "a\u202eb", "two\nlines", "\u3164"]
)
async def test_texts_beside_an_amount_that_nobody_can_read(
    town: Town, lin: Someone, door: Door, text: str
) -> None:
    payments = town.services.payments
    captured = await town.paid(door, lin, 100)
    before = await town.count("events")
    for name in ("description", "order_reference"):
        unclean: Any = {name: text}
        new = asked(10, **unclean)
        by_code = asked(10, source=Source.PAY_CODE, **unclean)
        for call in (
            payments.create_order(door.at, new, key()),
            payments.pay_with_code(door.at, by_code, lin.code(), key()),
        ):
            with pytest.raises(Invalid) as refused:
                await call
            assert refused.value.field == name
    with pytest.raises(Invalid) as refused:
        await payments.refund(door.id, captured, 10, text, key())
    assert refused.value.field == "reason"
    assert await town.count("events") == before


async def test_texts_beside_an_amount_are_kept_in_one_form_and_found_in_any(
    town: Town, lin: Someone, door: Door
) -> None:
    payments = town.services.payments
    made = said(
        await payments.create_order(
            door.at, asked(10, description=" Cafe\u0301 ", order_reference="No\u0308. 7"), key()
        )
    )
    assert (made["description"], made["order_reference"]) == ("Caf\u00e9", "N\u00f6. 7")
    for text in ("No\u0308. 7", "N\u00f6. 7 "):
        wanted = PaymentFilter(order_reference=text)
        (found,) = await payments.list_of_merchant(door.id, wanted, None, 10)
        assert show_id("pay", found.id) == made["id"]
    captured = await town.paid(door, lin, 100)
    given = said(await payments.refund(door.id, captured, 10, " co\u0302ld ", key()))
    assert given["reason"] == "c\u00f4ld"


async def test_states_and_totals(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    captured = await town.paid(door, lin, 100)
    held = await town.paid(door, lin, 100, manual=True)
    with pytest.raises(PaymentConflict) as wrong:
        await payments.capture(door.id, captured, None, key())
    assert wrong.value.allowed == ("refund",)
    with pytest.raises(PaymentConflict):
        await payments.refund(door.id, held, 1, None, key())
    with pytest.raises(CaptureExceedsAuthorised):
        await payments.capture(door.id, held, 101, key())
    with pytest.raises(RefundExceedsCaptured):
        await payments.refund(door.id, captured, 101, None, key())


async def test_what_is_somebody_elses_is_not_there(town: Town, lin: Someone, door: Door) -> None:
    services, payments = town.services, town.services.payments
    other, mei = await town.merchant(), await town.person(yuan=100)
    till = await services.merchants.create_till(door.id, door.shop_id, "1", Acceptance(), None)
    held = await town.paid(door, lin, 100, manual=True)
    order = await town.order(door, 100)
    taken = await town.order(door, 100)
    await payments.by_person(lin.id, taken, Command.SCAN, key())
    missing = town.services.ids.new()
    calls = [
        *(payments.of_merchant(other.id, one) for one in (held, order, missing)),
        payments.capture(other.id, held, None, key()),
        payments.cancel(other.id, held, key()),
        payments.cancel(other.id, order, key()),
        payments.refund(other.id, held, None, None, key()),
        payments.refunds(other.id, held, None, 10),
        payments.create_order(At(other.id, door.shop_id), asked(1), key()),
        payments.create_order(At(other.id, None, till.id), asked(1), key()),
        payments.create_order(At(door.id, missing), asked(1), key()),
        payments.pay_with_code(At(other.id, door.shop_id), asked(1), lin.code(), key()),
        payments.of_person(mei.id, held),
        payments.of_person(mei.id, order),
        *(payments.by_person(mei.id, held, c, key()) for c in (Command.APPROVE, Command.DECLINE)),
        payments.by_person(mei.id, taken, Command.APPROVE, key()),
        payments.by_person(mei.id, missing, Command.SCAN, key()),
        payments.pay_static(mei.id, "a" * 20, asked(1), key()),
        payments.code_landing("a" * 20),
        payments.code_landing("a\0b"),
        payments.read_code(lin.id, link(services.settings.public_url, "a" * 20)),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call
    for command in (Command.SCAN, Command.APPROVE):  # who has the code knows that there is an order
        with pytest.raises(PaymentTaken):
            await payments.by_person(mei.id, taken, command, key(), way="scan")
    assert [await status(town, door, one) for one in (held, order, taken)] == [
        "authorised", "created", "waiting",
    ]  # fmt: skip


async def test_an_order_of_ones_own_token_is_no_static_code(
    town: Town, lin: Someone, door: Door
) -> None:
    made = said(await town.services.payments.create_order(door.at, asked(10), key()))
    with pytest.raises(NotFound):
        await town.services.payments.pay_static(lin.id, made["code_token"], asked(5), key())


# -- the same key --------------------------------------------------------------------------------


async def test_the_same_key_at_once_has_one_effect(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    paid = await town.paid(door, lin, 3000)
    order = await town.order(door, 100)
    code = lin.code()
    at_static = asked(7, source=Source.STATIC_CODE)
    # each: how it is done, with another body, and how many rows it makes in which table
    cases: list[tuple[Any, str]] = [
        (lambda k: payments.create_order(door.at, asked(11), k), "payments"),
        (lambda k: town.by_code(door, code, 12, idem=k), "payments"),
        (lambda k: payments.pay_static(lin.id, door.token, at_static, k), "payments"),
        (lambda k: payments.refund(door.id, paid, 5, None, k), "refunds"),
        (lambda k: payments.by_person(lin.id, order, Command.APPROVE, k), "idempotency"),
    ]
    for number, (call, table) in enumerate(cases):
        before, name = await town.count(table), f"same {number} {lin.handle}"
        outcomes, refused = await at_once(call(key(name)) for _ in range(64))
        assert refused == []
        assert len({outcome.body for outcome in outcomes}) == 1
        assert sum(not outcome.replayed for outcome in outcomes) == 1
        assert await town.count(table) == before + 1
        again: Outcome = await call(key(name))
        assert again == Outcome(outcomes[0].body, replayed=True)
        with pytest.raises(IdempotencyConflict):
            await call(key(name, "another body"))
        assert await town.count(table) == before + 1
    await town.check()


async def test_64_refunds_at_once_never_exceed_what_was_captured(
    town: Town, lin: Someone, door: Door
) -> None:
    await town.paid(door, lin, 5000)  # so that the balance is not what stops them
    paid = await town.paid(door, lin, 1000)
    before = await door.balance()
    refunds = (town.services.payments.refund(door.id, paid, 70, None, key()) for _ in range(64))
    outcomes, refused = await at_once(refunds)
    assert (len(outcomes), len(refused)) == (14, 50)
    assert {type(one) for one in refused} == {RefundExceedsCaptured}
    assert await door.balance() == before - 980


async def test_captures_and_a_cancel_at_once(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    for _ in range(4):
        held = await town.paid(door, lin, 100, manual=True)
        before = await door.balance()
        calls = [payments.capture(door.id, held, 40, key()) for _ in range(3)]
        calls.insert(1, payments.cancel(door.id, held, key()))
        outcomes, refused = await at_once(calls)
        assert all(isinstance(one, Refused) for one in refused)
        payment = await payments.of_merchant(door.id, held)
        captures = [one for one in outcomes if b'"updated_at"' in one.body]
        assert len(captures) == len(outcomes)
        assert payment.captured in (40 * len(outcomes), 40 * (len(outcomes) - 1))
        assert payment.status in ("captured", "cancelled")
        assert await door.balance() - before == payment.captured - payment.fee
        assert (await lin.balance())["reserved"] == 0


async def test_two_people_scan_one_code_at_once(town: Town, lin: Someone, door: Door) -> None:
    mei = await town.person(yuan=100)
    order = await town.order(door, 100)
    approve = town.services.payments.by_person
    found = await asyncio.gather(
        *(approve(who.id, order, Command.APPROVE, key()) for who in (lin, mei, lin, mei)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Outcome) for one in found) == 1
    assert all(isinstance(one, (Outcome, Refused)) for one in found)
    payment = await town.services.payments.of_merchant(door.id, order)
    spent = [(await who.balance())["spent_today"] for who in (lin, mei)]
    assert sorted(spent) == [0, 100]
    assert payment.person_id == (lin.id if spent[0] else mei.id)


async def test_both_sides_are_told_and_nobody_else(town: Town, lin: Someone, door: Door) -> None:
    await town.paid(door, lin, 100)
    rows = await town.services.pool.fetch(
        f"SELECT owner_id, type FROM {EVENTS.name} WHERE owner_id = ANY($1)",  # noqa: S608 - a table's name
        [lin.id, door.id],
    )
    told = sorted((row["type"], row["owner_id"] == door.id) for row in rows)
    captured = "payment.captured"
    assert told == [(captured, False), (captured, True), ("top_up.received", False)]
