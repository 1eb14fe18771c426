"""What comes late: approvals offline and riders of gates, taken by the day of the purchase."""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from faults import owner_of
from till_taps import message, pay, phone_of
from town import Door, Someone, Town, key, open_town

from card_phone import Phone
from tandem.cards import CardCommand
from tandem.cards.taps import AHEAD
from tandem.kernel import read_id
from tandem.merchants import Acceptance
from tandem.payments import NewTap

START = 100_000
LATE = {"offline": True}


@pytest.fixture
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    folder = tmp_path_factory.getbasetemp() / "late-keys"
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


async def bought(town: Town, phone: Phone, amount: int = 100) -> NewTap:
    """Something that was bought offline, as its till sends it on."""
    return await message(town, phone, amount, floor=1000, told=LATE)


async def gate_at(town: Town, door: Door) -> Door:
    """A gate of the merchant's."""
    shop = await town.services.merchants.create_shop(
        door.id, "Line 1", "Hangzhou", "CN", "4111", Acceptance(), None
    )
    return Door(town, door.id, shop.id, "")


async def why(town: Town, door: Door, new: NewTap) -> str | None:
    """Why it is not paid, None if it is."""
    reason: str | None = (await pay(town, door, new))["reason"]
    return reason


async def test_approvals_offline_come_late_and_once(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    late = [
        await message(town, phone, 100 + n, floor=1000, told={"offline": True}) for n in range(3)
    ]
    online = await message(town, phone, 500)
    for new in (online, *reversed(late)):
        assert (await pay(town, door, new))["payment"]["status"] == "captured"
    for new in late:
        assert (await pay(town, door, new))["reason"] == "cryptogram_replayed"
    assert (await lin.balance())["balance"] == START - 500 - 303


async def test_what_was_bought_before_the_card_stopped_is_paid_and_what_after_is_not(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    """The till sends on in the evening what the phone paid before its card was changed."""
    first, online = [await bought(town, phone) for _ in range(3)], await message(town, phone, 500)
    cards, card_id = phone.cards, phone.card_id
    await cards.by_person(lin.id, card_id, CardCommand.SUSPEND)
    assert await why(town, door, first[0]) is None
    town.wait(days=1)
    after = await bought(town, phone)  # a device that obeys nobody
    assert await why(town, door, first[1]) is None
    assert await why(town, door, after) == "card_suspended"
    await cards.by_person(lin.id, card_id, CardCommand.REMOVE)
    town.wait(days=200)
    assert await why(town, door, first[2]) is None
    assert await why(town, door, await bought(town, phone)) == "card_not_active"
    assert await why(town, door, online) == "card_not_active"
    assert await why(town, door, first[0]) == "cryptogram_replayed"
    assert (await lin.balance())["balance"] == START - 300


async def test_an_approval_offline_outlives_the_cards_renewal(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    card = await phone.cards.get(phone.card_id)
    today = town.services.settings.day_of(town.services.clock.now())
    town.wait(days=(card.expiry - today - timedelta(days=30)).days)
    late = await message(town, phone, 100, floor=1000, told={"offline": True})
    renewed = read_id("crd", (await phone.cards.renew(card.id, "person", lin.id)).id)
    await phone.cards.deliver(lin.id, lin.device_id, renewed, key())
    assert (await pay(town, door, late))["payment"]["status"] == "captured"
    assert (await phone.cards.get(card.id)).status == "replaced"


async def test_an_approval_offline_is_paid_from_the_balance_of_then(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    late = await message(town, phone, 100, floor=1000, told={"offline": True})
    online = await message(town, phone, 100)
    await phone.cards.fund(lin.id, phone.card_id, "EUR")
    assert (await pay(town, door, late))["payment"]["status"] == "captured"
    assert (await pay(town, door, online))["reason"] == "currency_not_funded"
    assert (await lin.balance())["balance"] == START - 100


async def test_a_card_that_is_resumed_pays_what_it_approved_meanwhile(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    await phone.cards.by_person(lin.id, phone.card_id, CardCommand.SUSPEND)
    town.wait(days=1)
    late = await bought(town, phone)
    await phone.cards.by_person(lin.id, phone.card_id, CardCommand.RESUME)
    assert await why(town, door, late) is None
    card = await phone.cards.get(phone.card_id)
    assert (card.status, card.stopped_at, card.lost_at) == ("active", None, None)


Act = Callable[[Town, Someone, Phone], Awaitable[object]]


async def lose(_: Town, lin: Someone, phone: Phone) -> None:
    await phone.cards.lose_device(lin.id, lin.device_id)


async def block(_: Town, __: Someone, phone: Phone) -> None:
    await phone.cards.by_operator(phone.card_id, CardCommand.BLOCK)


async def revoke(town: Town, lin: Someone, _: Phone) -> None:
    await town.services.people.revoke_device(lin.id, lin.device_id)


async def lose_and_remove(town: Town, lin: Someone, phone: Phone) -> None:
    await lose(town, lin, phone)
    await phone.cards.by_person(lin.id, phone.card_id, CardCommand.REMOVE)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lose, "card_lost"),
        (block, "card_blocked"),
        (revoke, "device_out_of_use"),
        (lose_and_remove, "card_not_active"),
    ],
)
async def test_what_somebody_else_may_have_bought_is_not_paid_and_what_before_is(
    town: Town, lin: Someone, door: Door, phone: Phone, act: Act, reason: str
) -> None:
    """Whoever takes the phone out of use cannot undo what they bought until yesterday."""
    before = await bought(town, phone)
    town.wait(days=1)
    that_day = await bought(town, phone)
    await act(town, lin, phone)
    town.wait(days=1)
    assert await why(town, door, before) is None
    assert await why(town, door, that_day) == reason
    assert (await lin.balance())["balance"] == START - 100


async def test_who_wrong_cryptograms_block_is_paid_until_the_day_before(
    town: Town, door: Door, phone: Phone
) -> None:
    """The vault blocks it, in the transaction of a payment."""
    before = await bought(town, phone)
    town.wait(days=1)
    new = await message(town, phone, 100)
    wrong = msgspec.structs.replace(new, icc=new.icc.replace(new.icc[3:11], bytes(8), 1))
    while (await phone.cards.get(phone.card_id)).status == "active":
        assert await why(town, door, wrong) == "cryptogram_wrong"
    card = await phone.cards.get(phone.card_id)
    assert card.stopped_at == card.lost_at
    assert card.stopped_at is not None
    assert await why(town, door, before) is None
    assert await why(town, door, await bought(town, phone)) == "card_blocked"


async def test_a_gate_that_was_cut_off_is_paid_though_the_rider_paid_elsewhere_first(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    gate = await gate_at(town, door)
    ride: dict[str, Any] = {"gate": True, "verified": False}
    at_a, at_b = [await message(town, phone, 300, **ride) for _ in range(2)]
    assert await why(town, gate, at_b) is None
    assert await why(town, gate, at_a) == "cryptogram_replayed", "online it is one"
    late = msgspec.structs.replace(at_a, offline=True)
    told = await pay(town, gate, late)
    assert (told["payment"]["status"], told["issuer_answer"]) == ("captured", None)
    for again in (late, at_a, msgspec.structs.replace(at_b, offline=True)):
        assert await why(town, gate, again) == "cryptogram_replayed"
    assert (await lin.balance())["balance"] == START - 600


async def test_a_rider_does_not_undo_a_ride_by_suspending_the_card(
    town: Town, lin: Someone, door: Door, phone: Phone
) -> None:
    gate = await gate_at(town, door)
    late = await message(town, phone, 300, gate=True, verified=False, told=LATE)
    shop = await message(town, phone, 300, verified=False, told=LATE)
    await phone.cards.by_person(lin.id, phone.card_id, CardCommand.SUSPEND)
    assert await why(town, gate, late) is None
    assert await why(town, gate, shop) == "cryptogram_kind", "a shop asks, or has an approval"
    assert (await lin.balance())["balance"] == START - 300


async def test_a_counter_that_was_run_ahead_takes_no_approval_from_the_merchant(
    town: Town, door: Door, phone: Phone
) -> None:
    assert phone.application is not None
    state = phone.application.state
    phone.application.state = msgspec.structs.replace(state, atc=state.atc + AHEAD + 1)
    late = await bought(town, phone)
    assert await why(town, door, late) is None
    assert await why(town, door, late) == "cryptogram_replayed"


async def test_older_rows_learn_from_the_persons_events_since_when_they_pay_no_more(
    town: Town, lin: Someone, phone: Phone, module_database: str
) -> None:
    cards, start = phone.cards, town.services.clock.now()
    commands = ("suspend", "resume", "suspend", "lose", "remove")
    for command in commands:
        town.wait(days=1)
        await cards.by_person(lin.id, phone.card_id, CardCommand(command))
    vault = await phone_of(town, lin)
    town.wait(days=1)
    await cards.by_operator(vault.card_id, CardCommand.BLOCK)
    paying = await phone_of(town, lin)
    fill = importlib.import_module("tandem.db.migrations.versions.0021_what_comes_late").FILL
    async with owner_of(module_database) as owner:
        await owner.execute("UPDATE device_cards SET stopped_at = NULL, lost_at = NULL")
        await owner.execute("DELETE FROM events WHERE object_id = $1", vault.card_id)
        await owner.execute(fill)
    found = [await cards.get(one.card_id) for one in (phone, vault, paying)]
    days = [[at and (at - start).days for at in (c.stopped_at, c.lost_at)] for c in found]
    assert days == [[3, 4], [6, 6], [None, None]]
