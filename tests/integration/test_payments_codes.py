"""Pay codes on PostgreSQL: once, in time, from a device in use; guesses are braked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from town import Door, Someone, Town, at_once, key, open_town, said

from tandem.codes import PayCodeExpired, PayCodeInvalid, PayCodeMalformed, PayCodeUsed, paycode
from tandem.kernel import read_id
from tandem.ledger import Outcome
from tandem.merchants import Acceptance, WayRefused, WayRule
from tandem.payments import CodePaused, Command, person_view
from tandem.payments.throttle import WRONG_CODES_AN_HOUR
from tandem.people.store import WRONG_CODES_MAX

CONFIRM_ABOVE = 100_000


@pytest.fixture
async def town(
    fresh_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(fresh_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=5000)


@pytest.fixture
async def door(town: Town) -> Door:
    return await town.merchant()


def wrong(code: str, by: int = 1) -> str:
    """The code with another one-time part."""
    return f"{code[:10]}{(int(code[10:]) + by) % 10**8:08d}"


async def test_a_code_pays_once_and_newer_ones_go_on(town: Town, lin: Someone, door: Door) -> None:
    code = lin.code(1)
    paid = said(await town.by_code(door, paycode.show(code), 500))
    assert (paid["status"], paid["source"], paid["payer"]) == ("captured", "pay_code", "L***")
    for used in (code, lin.code(0)):  # itself, and an older one
        with pytest.raises(PayCodeUsed):
            await town.by_code(door, used, 500)
    assert said(await town.by_code(door, lin.code(2), 500))["status"] == "captured"
    assert (await lin.balance())["balance"] == 500_000 - 1000


async def test_one_code_at_once_at_many_tills(town: Town, lin: Someone, door: Door) -> None:
    other = await town.merchant()
    code = lin.code()
    outcomes, refused = await at_once(
        town.by_code(where, code, 500) for where in (door, other) * 16
    )
    assert (len(outcomes), {type(one) for one in refused}) == (1, {PayCodeUsed})
    assert await town.count("payments") == 1


async def test_when_a_code_is_too_old(town: Town, lin: Someone, door: Door) -> None:
    old = lin.code(ago=120)
    with pytest.raises(PayCodeExpired):
        await town.by_code(door, old, 500)
    town.wait(minutes=20)
    with pytest.raises(PayCodeInvalid):
        await town.by_code(door, old, 500)


async def test_what_is_no_code(town: Town, lin: Someone, door: Door) -> None:
    code = lin.code()
    for text in ("", "28", code[:-1], code + "0", "27" + code[2:], code.replace(code[9], "x", 1),
                 "２" + code[1:], "9" * 5000, "\0" * 18):  # fmt: skip # noqa: RUF001 - a digit that is not ASCII
        with pytest.raises(PayCodeMalformed):
            await town.by_code(door, text, 500)
    for _ in range(WRONG_CODES_AN_HOUR):
        with pytest.raises(PayCodeMalformed):  # a torn code is no guess, and is not counted
            await town.by_code(door, code[:-1], 500)
    assert said(await town.by_code(door, code, 500))["status"] == "captured"


async def test_a_repeat_gets_its_answer_though_the_code_is_used_and_old(
    town: Town, lin: Someone, door: Door
) -> None:
    code, same = lin.code(), key("till 7")
    first = await town.by_code(door, code, 500, idem=same)
    assert await town.by_code(door, code, 500, idem=same) == Outcome(first.body, replayed=True)
    town.wait(minutes=5)
    assert await town.by_code(door, code, 500, idem=same) == Outcome(first.body, replayed=True)
    assert await town.count("payments") == 1


async def test_a_device_pauses_after_wrong_codes_and_goes_on(
    town: Town, lin: Someone, door: Door
) -> None:
    guess = wrong(lin.code())
    for _ in range(WRONG_CODES_MAX - 1):
        with pytest.raises(PayCodeInvalid):
            await town.by_code(door, guess, 500)
    with pytest.raises(CodePaused):
        await town.by_code(door, guess, 500)
    for code in (lin.code(), guess):  # right and wrong are not told apart
        with pytest.raises(CodePaused):
            await town.by_code(door, code, 500)
    assert await town.count("payments") == 0
    order = await town.order(door, 10)  # what is shown by the shop still works
    await town.services.payments.by_person(lin.id, order, Command.APPROVE, key())
    town.wait(minutes=10, seconds=1)
    assert said(await town.by_code(door, lin.code(), 500))["status"] == "captured"


async def test_a_right_code_ends_the_count(town: Town, lin: Someone, door: Door) -> None:
    for round_ in range(3):
        for _ in range(WRONG_CODES_MAX - 1):
            with pytest.raises(PayCodeInvalid):
                await town.by_code(door, wrong(lin.code()), 500)
        assert said(await town.by_code(door, lin.code(round_), 5))["status"] == "captured"


async def test_a_merchant_that_guesses_is_stopped_others_are_not(
    town: Town, lin: Someone, door: Door
) -> None:
    nobody = "28" + f"{(int(lin.code_index) + 1) % 10**8:08d}" + "0" * 8
    guesses = [wrong(nobody, by) for by in range(60)]
    outcomes, refused = await at_once(town.by_code(door, guess, 500) for guess in guesses)
    kinds = [type(one) for one in refused]
    assert outcomes == []
    assert kinds.count(PayCodeInvalid) == WRONG_CODES_AN_HOUR
    assert kinds.count(CodePaused) == 60 - WRONG_CODES_AN_HOUR
    with pytest.raises(CodePaused):
        await town.by_code(door, lin.code(), 500)
    assert said(await town.by_code(await town.merchant(), lin.code(), 5))["status"] == "captured"
    town.wait(hours=1, seconds=1)
    assert said(await town.by_code(door, lin.code(), 5))["status"] == "captured"


async def test_guesses_at_once_at_one_device(town: Town, lin: Someone, door: Door) -> None:
    code = lin.code()
    guesses = [wrong(code, by) for by in range(1, 13)]
    _, refused = await at_once(town.by_code(door, guess, 500) for guess in guesses)
    kinds = [type(one) for one in refused]
    assert len(kinds) == 12
    assert set(kinds) == {PayCodeInvalid, CodePaused}
    assert kinds.count(PayCodeInvalid) < WRONG_CODES_MAX
    with pytest.raises(CodePaused):
        await town.by_code(door, code, 500)


async def test_a_device_taken_out_of_use(town: Town, lin: Someone, door: Door) -> None:
    await town.by_code(door, lin.code(), 500)  # its seed is remembered here
    await town.services.people.revoke_device(lin.id, lin.device_id)
    with pytest.raises(PayCodeInvalid):
        await town.by_code(door, lin.code(1), 500)
    assert await town.count("payments") == 1


async def test_another_operators_person_is_nobody_here(
    town: Town, lin: Someone, door: Door
) -> None:
    theirs = paycode.generate(b"\1" * 32, lin.code_index, town.services.clock.now())
    with pytest.raises(PayCodeInvalid):
        await town.by_code(door, theirs, 500)


async def test_a_refused_way_leaves_the_code_good(town: Town, lin: Someone, door: Door) -> None:
    merchants = town.services.merchants
    await merchants.accept_at_shop(
        door.id, door.shop_id, Acceptance({"scan": WayRule(enabled=False)})
    )
    code = lin.code()
    with pytest.raises(WayRefused) as refused:
        await town.by_code(door, code, 500)
    assert (refused.value.reason, refused.value.ways_left) == ("way_off", ("click",))
    await merchants.accept_at_shop(door.id, door.shop_id, Acceptance())
    assert said(await town.by_code(door, code, 500))["status"] == "captured"


async def reason_told(town: Town, who: Someone, answer: Any) -> str | None:  # noqa: ANN401 - a payment in JSON
    """Why a payment was declined, as the person is told."""
    payment = await town.services.payments.of_person(who.id, read_id("pay", answer["id"]))
    return person_view(payment).decline_reason


async def test_declined_for_a_reason_and_the_code_is_used(town: Town, door: Door) -> None:
    poor = await town.person(yuan=1)
    declined = said(await town.by_code(door, poor.code(), 101))
    assert (declined["status"], declined["decline_reason"]) == ("declined", "payer_cannot_pay")
    assert await reason_told(town, poor, declined) == "insufficient_funds"
    with pytest.raises(PayCodeUsed):
        await town.by_code(door, poor.code(), 1)
    await town.services.people.set_limits(poor.id, "CNY", 50, 60)
    for counter, (amount, reason) in enumerate(
        ((51, "limit_per_payment"), (50, None), (11, "limit_per_day"))
    ):
        answer = said(await town.by_code(door, poor.code(counter + 1), amount))
        assert answer["decline_reason"] == (None if reason is None else "payer_cannot_pay")
        assert await reason_told(town, poor, answer) == reason


async def waiting(town: Town, lin: Someone, door: Door, counter: int, **more: Any) -> Any:  # noqa: ANN401 - an id
    answer = said(await town.by_code(door, lin.code(counter), CONFIRM_ABOVE + 1, **more))
    assert (answer["status"], answer["captured"]) == ("waiting", 0)
    return read_id("pay", answer["id"])


async def test_a_large_amount_waits_for_the_person(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    assert said(await town.by_code(door, lin.code(0), CONFIRM_ABOVE))["status"] == "captured"
    agreed = await waiting(town, lin, door, 1)
    assert (await lin.balance())["reserved"] == 0
    answer = said(await payments.by_person(lin.id, agreed, Command.APPROVE, key()))
    assert answer["status"] == "captured"
    refused = await waiting(town, lin, door, 2, manual=True)
    await payments.by_person(lin.id, refused, Command.DECLINE, key())
    late = await waiting(town, lin, door, 3)
    town.wait(seconds=town.services.settings.confirm_seconds)
    assert await payments.expire_due() == 1
    states = [(await payments.of_merchant(door.id, one)).status for one in (agreed, refused, late)]
    assert states == ["captured", "declined", "expired"]
    assert await door.balance() == 2 * CONFIRM_ABOVE + 1


async def test_many_codes_of_many_people_at_once(town: Town, door: Door) -> None:
    people = await asyncio.gather(*(town.person(yuan=10) for _ in range(8)))
    outcomes, refused = await at_once(
        town.by_code(door, who.code(counter), 300) for who in people for counter in range(4)
    )
    assert all(isinstance(one, PayCodeUsed) for one in refused)  # overtaken by a newer one
    captured = sum(said(one)["captured"] for one in outcomes)
    assert await door.balance() == captured
    assert len(outcomes) + len(refused) == 32
