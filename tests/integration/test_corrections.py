"""Corrections and withdrawals on PostgreSQL: by id or reference, made once, told and listed."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from town import Door, Someone, Town, at_once, key, open_town, said

from tandem.db import IdempotencyConflict
from tandem.kernel import Invalid, NotFound, read_id
from tandem.ledger import ReferenceBooked
from tandem.settlement import AlreadyCorrected, CorrectionNotCovered, WithdrawalNotCovered


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person()


@pytest.fixture
async def door(town: Town, lin: Someone) -> Door:
    """A merchant to whom Lin has paid 100."""
    made = await town.merchant(points=1000)
    await town.top_up(lin.id, 100)
    await town.paid(made, lin, 100)
    return made


async def balance(who: Someone) -> int:
    return int((await who.balance())["balance"])


async def top_up(town: Town, who: Someone, amount: int, reference: str) -> str:
    """A top-up's id."""
    outcome = await town.services.wallet.top_up(who.id, amount, "CNY", reference, key())
    return str(said(outcome)["id"])


async def correct(
    town: Town,
    booking: str,
    amount: int | None = None,
    reason: str = "typed wrongly",
    idem: Any = None,  # noqa: ANN401 - an idempotency key, if one is given
) -> dict[str, Any]:
    return said(await town.services.corrections.make(booking, amount, reason, idem or key()))


async def told(town: Town, owner_id: UUID) -> list[str]:
    rows = await town.services.webhooks.events(owner_id, None, 100)
    return [event.type for event in reversed(rows)]


# -- well ----------------------------------------------------------------------------------------


async def test_the_wrong_person_got_it(town: Town, lin: Someone) -> None:
    mei, reference = await town.person(), f"B {lin.handle}"
    wrong = await top_up(town, lin, 5000, reference)
    made = await correct(town, wrong, reason="It was Mei's")
    assert (made["booking_id"], made["amount"]) == (wrong, 5000)
    assert await balance(lin) == 0
    right = await top_up(town, mei, 5000, reference)  # the bank's statement has it once
    assert await balance(mei) == 5000
    with pytest.raises(ReferenceBooked):
        await top_up(town, lin, 5000, reference)
    await correct(town, reference)  # of the two it is the one that still stands
    assert await balance(mei) == 0
    again = await top_up(town, lin, 5000, reference)
    assert len({wrong, right, again}) == 3
    lines = await town.services.wallet.history(lin.id, "CNY", None, 10)
    assert [(line.type, line.change, line.message) for line in reversed(lines)] == [
        ("top_up", 5000, reference),
        ("correction", -5000, "It was Mei's"),
        ("top_up", 5000, reference),
    ]
    assert lines[1].object_id == made["id"]
    assert await told(town, lin.id) == ["top_up.received", "top_up.corrected", "top_up.received"]


async def test_too_much_was_booked(town: Town, lin: Someone) -> None:
    reference = f"B {lin.handle}"
    wrong = await top_up(town, lin, 10_000, reference)
    await correct(town, reference, 9000)
    assert await balance(lin) == 1000
    with pytest.raises(ReferenceBooked):  # a part of it stands
        await top_up(town, lin, 1, reference)
    (listed,) = await town.services.wallet.top_ups(lin.id, None, 9)
    top_up_id = read_id("top", wrong)
    assert listed.id == top_up_id
    assert await town.services.corrections.taken_back([top_up_id]) == {top_up_id: 9000}


async def test_a_payout_bounced(town: Town, door: Door) -> None:
    payouts, reference = town.services.payouts, f"O {door.id}"
    made = said(await payouts.make(door.id, 60, "CNY", reference, key()))
    assert await door.balance() == 30
    await correct(town, made["id"], reason="Account closed")
    assert await door.balance() == 90
    assert (await told(town, door.id))[-2:] == ["payout.made", "payout.corrected"]
    await payouts.make(door.id, 90, "CNY", reference, key())
    assert await door.balance() == 0


async def test_withdrawals_are_booked_told_and_listed(town: Town, lin: Someone, door: Door) -> None:
    withdrawals = town.services.withdrawals
    await town.top_up(lin.id, 500)
    reference = f"W {lin.handle}"
    made = said(await withdrawals.make(lin.id, 400, "CNY", reference, key()))
    assert await balance(lin) == 100
    lines = await town.services.wallet.history(lin.id, "CNY", None, 1)
    assert [(line.type, line.change, line.message) for line in lines] == [
        ("withdrawal", -400, reference)
    ]
    assert lines[0].object_id == made["id"]
    with pytest.raises(ReferenceBooked):
        await withdrawals.make(lin.id, 1, "CNY", reference, key())
    income = said(await withdrawals.make(None, 10, "CNY", f"F {door.id}", key()))
    assert income["person_id"] is None
    with pytest.raises(WithdrawalNotCovered):
        await withdrawals.make(None, 10**9, "CNY", f"G {door.id}", key())
    mine = await withdrawals.of_person(lin.id, None, 9)
    assert [row.reference for row in mine] == [reference]
    every = await withdrawals.all(None, 2)
    assert [row.reference for row in every] == [f"F {door.id}", reference]
    assert [row.id for row in await withdrawals.all(every[0].id, 1)] == [mine[0].id]
    await correct(town, reference)
    await correct(town, income["id"])
    assert await balance(lin) == 500


async def test_corrections_are_listed(town: Town, lin: Someone) -> None:
    corrections, made = town.services.corrections, []
    for number in range(3):
        wrong = await top_up(town, lin, 10, f"L {lin.handle} {number}")
        made.append(await correct(town, wrong))
    found = await corrections.all(None, 2)
    assert [row.id for row in found] == [read_id("cor", one["id"]) for one in made[:0:-1]]
    assert (await corrections.all(found[-1].id, 1))[0].id == read_id("cor", made[0]["id"])
    assert (await corrections.get(found[0].id)) == found[0]
    with pytest.raises(NotFound):
        await corrections.get(town.services.ids.new())


# -- refused -------------------------------------------------------------------------------------


async def test_a_booking_is_corrected_once(town: Town, lin: Someone) -> None:
    wrong = await top_up(town, lin, 100, f"B {lin.handle}")
    made = await correct(town, wrong, 40)
    for text in (wrong, f"B {lin.handle}"):
        with pytest.raises(AlreadyCorrected) as refused:
            await correct(town, text, 1)
        assert (refused.value.booking, refused.value.correction) == (wrong, made["id"])
    assert await balance(lin) == 60


async def test_of_many_at_once_one_is_made(town: Town, lin: Someone) -> None:
    wrong = await top_up(town, lin, 100, f"B {lin.handle}")
    make = town.services.corrections.make
    with capture_logs():  # of entries that the database refused, with their tracebacks
        outcomes, refused = await at_once(make(wrong, 1, "wrong", key()) for _ in range(16))
    assert (len(outcomes), {type(one) for one in refused}) == (1, {AlreadyCorrected})
    assert await balance(lin) == 99


async def test_the_same_key_at_once_has_one_effect(town: Town, lin: Someone) -> None:
    reference, name = f"B {lin.handle}", f"K {lin.handle}"
    await top_up(town, lin, 100, reference)
    make = town.services.corrections.make
    outcomes, refused = await at_once(make(reference, None, "x", key(name)) for _ in range(64))
    assert refused == []
    assert len({outcome.body for outcome in outcomes}) == 1
    assert sum(not outcome.replayed for outcome in outcomes) == 1
    # the reference stands for nothing any more, and a repeat gets its answer all the same
    assert (await make(reference, None, "x", key(name))).replayed
    with pytest.raises(IdempotencyConflict):
        await make(reference, 1, "x", key(name, "another body"))
    assert await balance(lin) == 0


async def test_what_was_spent_cannot_be_taken_back(town: Town, lin: Someone) -> None:
    mei = await town.person()
    wrong = await top_up(town, lin, 100, f"B {lin.handle}")
    await town.services.wallet.send(lin.id, mei.id, 30, "CNY", None, key())
    with pytest.raises(CorrectionNotCovered) as refused:
        await correct(town, wrong)
    assert (refused.value.available, refused.value.amount) == (70, 100)
    assert await balance(lin) == 70
    await correct(town, wrong, 70)
    assert await balance(lin) == 0


async def test_a_reference_that_stands_for_two_names_them(
    town: Town, lin: Someone, door: Door
) -> None:
    reference = f"B {lin.handle}"
    first = await top_up(town, lin, 100, reference)
    second = said(await town.services.payouts.make(door.id, 10, "CNY", reference, key()))["id"]
    with pytest.raises(Invalid) as refused:
        await correct(town, reference)
    assert first in refused.value.reason
    assert second in refused.value.reason
    await correct(town, first)
    assert (await correct(town, reference))["booking_id"] == second


@pytest.mark.parametrize(
    "booking",
    ["nothing", "top_" + "0" * 32, "pyt_" + "0" * 32, "wdr_" + "0" * 32, "ent_" + "0" * 32],
)
async def test_what_is_not_booked_is_not_corrected(town: Town, booking: str) -> None:
    with pytest.raises(NotFound):
        await correct(town, booking)


async def test_an_id_is_of_its_own_kind(town: Town, lin: Someone) -> None:
    wrong = await top_up(town, lin, 100, f"B {lin.handle}")
    with pytest.raises(NotFound):
        await correct(town, wrong.replace("top_", "pyt_"))


@pytest.mark.parametrize("text", ["", " ", "x" * 141, "a\x1b[31m", "a\N{RIGHT-TO-LEFT OVERRIDE}"])
async def test_what_people_will_read_is_checked(town: Town, lin: Someone, text: str) -> None:
    wrong = await top_up(town, lin, 100, f"B {lin.handle}")
    with pytest.raises(Invalid) as refused:
        await correct(town, wrong, reason=text)
    assert refused.value.field == "reason"
    with pytest.raises(Invalid) as refused:
        await correct(town, text)
    assert refused.value.field == "booking"
    with pytest.raises(Invalid) as refused:
        await town.services.withdrawals.make(lin.id, 1, "CNY", text, key())
    assert refused.value.field == "reference"


async def test_withdrawals_of_nobody_and_in_no_currency(town: Town, lin: Someone) -> None:
    withdrawals = town.services.withdrawals
    with pytest.raises(NotFound):
        await withdrawals.make(town.services.ids.new(), 1, "CNY", "W nobody", key())
    for code in ("QQQ", "cny", "THB"):
        with pytest.raises(Invalid):
            await withdrawals.make(lin.id, 1, code, f"W {code}", key())
    with capture_logs():
        await town.top_up(lin.id, 100)
        outcomes, refused = await at_once(
            withdrawals.make(lin.id, 1, "CNY", f"W {lin.handle}", key()) for _ in range(16)
        )
    assert (len(outcomes), {type(one) for one in refused}) == (1, {ReferenceBooked})
