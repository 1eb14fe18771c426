"""Paying with a device card on PostgreSQL: once, for what the card stands behind, and undone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
from till_taps import message, pay, phone_of
from town import Door, Someone, Town, at_once, key, open_town, said

from card_phone import Phone
from moves import CNY
from tandem.acquiring.refusals import response_code
from tandem.cards import CardCommand
from tandem.cards.taps import AHEAD, WRONG_MAX
from tandem.db import IdempotencyConflict
from tandem.kernel import Invalid, NotFound, read_id
from tandem.ledger import Outcome, fees
from tandem.merchants import Acceptance, Choice, WayRefused, WayRule
from tandem.payments import (
    Capture,
    CardUnknown,
    RefundExceedsCaptured,
    ReversalNotCovered,
)

START = 100_000


@pytest.fixture
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    folder = tmp_path_factory.getbasetemp() / "tap-keys"
    folder.mkdir(exist_ok=True)
    async with open_town(module_database, folder) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=START // 100)


@pytest.fixture
async def door(town: Town) -> Door:
    return await town.merchant()


@pytest.fixture
async def phone(town: Town, lin: Someone) -> Phone:
    return await phone_of(town, lin)


async def test_a_tap_moves_the_money(town: Town, lin: Someone, door: Door, phone: Phone) -> None:
    answer = await pay(town, door, await message(town, phone, 3800))
    paid = answer["payment"]
    assert (paid["status"], paid["way"], paid["source"], paid["payer"]) == (
        "captured", "tap", "device_card", "L***",
    )  # fmt: skip
    assert answer["issuer_answer"] is not None
    assert (await lin.balance())["balance"] == START - 3800
    assert await door.balance() == 3800
    row = await town.services.pool.fetchrow(
        "SELECT * FROM card_taps WHERE payment_id = $1", read_id("pay", paid["id"])
    )
    assert row is not None
    assert (row["atc"], row["card_id"], row["verifier"], row["offline"]) == (
        1, phone.card_id, 1, False,
    )  # fmt: skip


async def test_a_person_sees_what_each_card_paid(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    payments = town.services.payments
    made = [(await pay(town, door, await message(town, phone, n)))["payment"]["id"] for n in (1, 2)]
    made.append((await pay(town, door, await message(town, phone, START + 1)))["payment"]["id"])
    await town.paid(door, lin, 5)  # by a pay code, not by the card
    newest = [read_id("pay", one) for one in reversed(made)]
    rows = await payments.of_card(lin.id, phone.card_id, None, 10)
    assert [row.id for row in rows] == newest
    assert [row.status for row in rows] == ["declined", "captured", "captured"]
    rows = await payments.of_card(lin.id, phone.card_id, newest[0], 1)
    assert [row.id for row in rows] == newest[1:2]
    assert await payments.of_card(lin.id, phone.card_id, newest[-1], 10) == []
    with pytest.raises(NotFound):
        await payments.of_card((await town.person()).id, phone.card_id, None, 10)


async def test_a_cryptogram_pays_once_wherever_it_is_played(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    new, other = await message(town, phone, 3800), await town.merchant()
    outcomes, refused = await at_once(
        town.services.payments.pay_by_card(where.at, new, key(owner=where.id))
        for where in (door, other) * 8
    )
    assert refused == []
    reasons = sorted(said(one)["reason"] or "" for one in outcomes)
    assert reasons == ["", *["cryptogram_replayed"] * 15]
    assert (await lin.balance())["balance"] == START - 3800


async def test_two_processes_take_one_cryptogram_once(
    town: Town, lin: Someone, door: Door, phone: Phone, module_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    folder = tmp_path_factory.getbasetemp() / "tap-keys"
    async with open_town(module_database, folder) as rival:
        for _ in range(5):
            new = await message(town, phone, 100)
            outcomes, refused = await at_once(
                where.services.payments.pay_by_card(door.at, new, key(owner=door.id))
                for where in (town, rival) * 4
            )
            assert refused == []
            statuses = [said(one)["payment"]["status"] for one in outcomes]
            assert statuses.count("captured") == 1
    assert (await lin.balance())["balance"] == START - 500


async def test_a_repeat_gets_its_answer(town: Town, door: Door, phone: Phone) -> None:
    new, same = await message(town, phone, 3800), key(owner=door.id)
    first = await pay(town, door, new, same)
    assert await pay(town, door, new, same) == first
    assert await door.balance() == 3800


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"amount": 4800}, "amount_differs"),
        ({"offline": True}, "cryptogram_kind"),
    ],
)
async def test_the_host_books_what_the_card_stands_behind(
    town: Town, lin: Someone, door: Door, phone: Phone, told: dict[str, Any], reason: str
) -> None:
    answer = await pay(town, door, await message(town, phone, 3800, told=told))
    assert (answer["payment"]["status"], answer["reason"]) == (
        "declined", reason,
    )  # fmt: skip
    assert (await lin.balance())["balance"] == START


async def test_a_lost_phone_pays_no_more(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    await phone.cards.lose_device(lin.id, lin.device_id)
    answer = await pay(town, door, await message(town, phone, 100))
    assert answer["reason"] == "card_lost"
    await phone.cards.by_operator(phone.card_id, CardCommand.RESTORE)
    assert (await pay(town, door, await message(town, phone, 100)))["payment"]["status"] == (
        "captured"
    )
    await town.services.people.revoke_device(lin.id, lin.device_id)
    answer = await pay(town, door, await message(town, phone, 100))
    assert answer["reason"] == "device_out_of_use"


async def test_wrong_cryptograms_are_counted_across_requests_and_block(
    town: Town, door: Door, phone: Phone
) -> None:
    icc = (await message(town, phone, 100)).icc
    wrong = icc.replace(icc[3:11], bytes(8), 1)  # 9F26 08 …
    for _ in range(WRONG_MAX):
        new = await message(town, phone, 100, told={"icc": wrong})
        answer = await pay(town, door, new)
        assert answer["reason"] == "cryptogram_wrong"
        assert answer["issuer_answer"] is None
    assert (await phone.cards.get(phone.card_id)).status == "blocked"
    answer = await pay(town, door, await message(town, phone, 100))
    assert answer["reason"] == "card_blocked"


@pytest.mark.parametrize(
    ("takes", "reason"),
    [
        (Acceptance({"tap": WayRule(enabled=False)}), "way_off"),
        (Acceptance(wallets=Choice(refused=("tandem",))), "wallet_refused"),
        (Acceptance({"tap": WayRule(max_amount={"CNY": 99})}), "amount_above_limit"),
    ],
)
async def test_a_shop_says_what_it_takes(
    town: Town, phone: Phone, takes: Acceptance, reason: str
) -> None:
    door = await town.merchant(takes=takes)
    new = await message(town, phone, 100)
    with pytest.raises(WayRefused) as refused:
        await pay(town, door, new)
    assert refused.value.reason == reason
    elsewhere = await town.merchant()  # nothing was used up
    assert (await pay(town, elsewhere, new))["payment"]["status"] == "captured"


async def test_limits_and_balance_hold_and_fees_are_taken(town: Town) -> None:
    lin, door = await town.person(yuan=60), await town.merchant(points=100, fixed=2)
    phone = await phone_of(town, lin)
    assert (await pay(town, door, await message(town, phone, 5000)))["payment"]["fee"] == 52
    answer = await pay(town, door, await message(town, phone, 1001))
    assert answer["reason"] == "insufficient_funds"
    await town.services.people.set_limits(lin.id, "CNY", 500, 10_000)
    answer = await pay(town, door, await message(town, phone, 501))
    assert answer["reason"] == "limit_per_payment"
    offline = await message(town, phone, 600, floor=1000, told={"offline": True})
    assert (await pay(town, door, offline))["payment"]["status"] == "captured"  # it has happened
    offline = await message(town, phone, 900, floor=1000, told={"offline": True})
    answer = await pay(town, door, offline)
    assert answer["reason"] == "insufficient_funds"


async def test_the_operator_restores_a_card_whose_counter_was_run_ahead(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    assert phone.application is not None
    state = phone.application.state
    phone.application.state = msgspec.structs.replace(state, atc=state.atc + AHEAD + 1)
    assert (await pay(town, door, await message(town, phone, 100)))["reason"] == "counter_ahead"
    for command in (CardCommand.BLOCK, CardCommand.RESTORE):
        await phone.cards.by_operator(phone.card_id, command)
    new = await message(town, phone, 100)
    assert (await pay(town, door, new))["payment"]["status"] == "captured"
    assert (await pay(town, door, new))["reason"] == "cryptogram_replayed"
    assert (await pay(town, door, await message(town, phone, 100)))["reason"] is None
    assert (await lin.balance())["balance"] == START - 200


async def test_a_gate_is_one_of_public_transport(town: Town, door: Door, phone: Phone) -> None:
    new = await message(town, phone, 300, gate=True, verified=False)
    assert (await pay(town, door, new))["reason"] == "not_a_gate"
    shop = await town.services.merchants.create_shop(
        door.id, "Line 1", "Hangzhou", "CN", "4111", Acceptance(), None
    )
    line = Door(town, door.id, shop.id, "")
    new = await message(town, phone, 300, gate=True, verified=False)
    assert (await pay(town, line, new))["payment"]["status"] == "captured"


async def test_an_authorisation_is_completed_or_reversed(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    payments = town.services.payments
    ids = [key(owner=door.id) for _ in range(2)]
    for one in ids:
        new = await message(town, phone, 3800, told={"capture": Capture.MANUAL})
        assert (await pay(town, door, new, one))["payment"]["status"] == "authorised"
    done = key(owner=door.id)
    outcome = await payments.complete(door.id, ids[0].key, 3000, done)
    assert said(outcome)["status"] == "captured"
    assert (await payments.complete(door.id, ids[0].key, 3000, done)).body == outcome.body
    await payments.reverse(door.id, (ids[1].key,), 100, key(owner=door.id))
    assert (await lin.balance())["reserved"] == 100
    undo = key(owner=door.id)
    for _ in range(2):
        await payments.reverse(door.id, (ids[1].key,), 0, undo)
    assert (await lin.balance())["balance"] == START - 3000
    with pytest.raises(NotFound):
        await payments.complete(door.id, "never", 100, key(owner=door.id))


@pytest.mark.parametrize(("final", "left"), [(0, 0), (1000, 1000), (3800, 3800)])
async def test_a_purchase_is_reversed_down_to_an_amount(
    town: Town, lin: Someone, door: Door, phone: Phone, final: int, left: int
) -> None:
    payments = town.services.payments
    new, one, undo = await message(town, phone, 3800), key(owner=door.id), key(owner=door.id)
    await pay(town, door, new, one)
    for _ in range(3):
        await payments.reverse(door.id, ("never 1", one.key), final, undo)
    assert (await lin.balance())["balance"] == START - left
    assert await door.balance() == left


async def test_a_reversal_that_comes_first_leaves_nothing_to_do(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    payments = town.services.payments
    new, one = await message(town, phone, 3800), key(owner=door.id)
    for _ in range(2):
        await payments.reverse(door.id, (one.key,), 0, key(owner=door.id))
    for _ in range(2):
        with pytest.raises(IdempotencyConflict):
            await pay(town, door, new, one)
    assert (await lin.balance())["balance"] == START


async def test_a_request_and_its_reversal_at_once_leave_no_money_moved(
    town: Town, lin: Someone, door: Door, phone: Phone, module_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    folder = tmp_path_factory.getbasetemp() / "tap-keys"
    async with open_town(module_database, folder) as rival:
        for _ in range(8):
            new, one = await message(town, phone, 100), key(owner=door.id)
            undone = rival.services.payments.reverse(door.id, (one.key,), 0, key(owner=door.id))
            found = await asyncio.gather(
                town.services.payments.pay_by_card(door.at, new, one), undone,
                return_exceptions=True,
            )  # fmt: skip
            assert isinstance(found[0], (Outcome, IdempotencyConflict)), found[0]
            assert found[1] is None
    assert (await lin.balance())["balance"] == START


async def test_fees_that_were_withdrawn_keep_nobody_from_their_money(
    town: Town, lin: Someone, phone: Phone
) -> None:
    payments, door = town.services.payments, await town.merchant(points=100)
    one, two = key(owner=door.id), key(owner=door.id)
    await pay(town, door, await message(town, phone, 3800), one)
    await pay(town, door, await message(town, phone, 3800), two)
    earned = await town.services.pool.fetchval(
        "SELECT credits_posted - debits_posted FROM accounts WHERE id = $1", fees(CNY).id
    )
    await town.services.withdrawals.make(None, earned, "CNY", f"all fees {door.id}", key())
    await payments.reverse(door.id, (two.key,), 0, key(owner=door.id))
    assert (await lin.balance())["balance"] == START - 3800
    assert await door.balance() == 2 * (3800 - 38) - 3800


async def test_a_reversal_comes_again_until_it_is_covered(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    payments, one, undo = town.services.payments, key(owner=door.id), key(owner=door.id)
    await pay(town, door, await message(town, phone, 3800), one)
    await town.services.payouts.make(door.id, 3000, "CNY", f"out {door.id}", key())
    for _ in range(2):
        with pytest.raises(ReversalNotCovered) as refused:
            await payments.reverse(door.id, (one.key,), 0, undo)
        assert not refused.value.replayed
        assert response_code(refused.value) == "91"
    await pay(town, door, await message(town, phone, 3000))
    for _ in range(2):
        await payments.reverse(door.id, (one.key,), 0, undo)
        assert (await lin.balance())["balance"] == START - 3000


async def test_a_refund_goes_back_to_the_payment_that_is_named(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    payments, new = town.services.payments, await message(town, phone, 3800)
    await pay(town, door, new)
    rrn, same = new.trace.rrn, key(owner=door.id)
    for _ in range(2):
        await payments.refund_by_card(door.id, phone.pan, rrn, 800, "CNY", same)
    assert (await lin.balance())["balance"] == START - 3000
    with pytest.raises(RefundExceedsCaptured):
        await payments.refund_by_card(door.id, phone.pan, rrn, 3001, "CNY", key(owner=door.id))
    with pytest.raises(NotFound):
        await payments.refund_by_card(door.id, phone.pan, rrn, 1, "EUR", key(owner=door.id))
    for _ in range(2):  # its till never heard of it
        await payments.reverse(door.id, (same.key,), 0, key(owner=door.id))
        assert (await lin.balance())["balance"] == START - 3800
    other = await town.merchant()
    for merchant_id, number in ((door.id, "000000000000"), (other.id, rrn)):
        with pytest.raises(NotFound):
            await payments.refund_by_card(
                merchant_id, phone.pan, number, 1, "CNY", key(owner=door.id)
            )


async def test_what_is_no_card_or_no_tap(town: Town, door: Door, phone: Phone) -> None:
    for told, refusal in (
        ({"pan": "9801230000000000"}, CardUnknown),
        ({"sequence": 7}, CardUnknown),
        ({"icc": b""}, Invalid),
        ({"icc": bytes(255)}, Invalid),
    ):
        with pytest.raises(refusal):
            await pay(town, door, await message(town, phone, 100, told=told))
    assert await door.balance() == 0


async def test_another_currency_than_the_card_is_funded_in(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    await phone.cards.fund(lin.id, phone.card_id, "EUR")
    answer = await pay(town, door, await message(town, phone, 100))
    assert answer["reason"] == "currency_not_funded"


async def test_the_database_refuses_a_number_twice(town: Town, door: Door, phone: Phone) -> None:
    await pay(town, door, await message(town, phone, 100))
    with pytest.raises(asyncpg.UniqueViolationError):
        await town.services.pool.execute("INSERT INTO card_taps SELECT * FROM card_taps LIMIT 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await town.services.pool.execute("DELETE FROM card_taps")
