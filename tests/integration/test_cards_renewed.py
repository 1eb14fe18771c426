"""A card that is renewed: two rows of one number, and one life until the new keys are fetched."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from town import Someone, Town, open_town
from vault_phones import first, last_month, renewed, uid

from tandem.cards import (
    CardCommand,
    CardConflict,
    CardDelivered,
    KeyVault,
    card_by_number,
    exception_list,
    pan_hash,
)
from tandem.cards.model import WHO
from tandem.kernel import Invalid, system_entropy


@pytest.fixture
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """All tests share the database and so the card keys, which take seconds to make."""
    folder = tmp_path_factory.getbasetemp() / "card-keys"
    folder.mkdir(exist_ok=True)
    async with open_town(module_database, folder) as made:
        yield made


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=100)


async def found(town: Town, pan: str) -> list[UUID]:
    """The card that a message with this number means: without a sequence number, with 0, with 1."""
    hashed = pan_hash((await town.services.cards.vault.keys()).lookup, pan)
    async with town.services.pool.acquire() as connection:
        cards = [await card_by_number(connection, hashed, number) for number in (None, 0, 1)]
    return [card.id for card in cards if card is not None]


async def test_a_renewed_card_has_the_same_number_and_other_keys(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    cards, card = phone.cards, await phone.add()
    old = await phone.fetch(card)
    with pytest.raises(Invalid):
        await cards.renew(uid(card), "person", lin.id)
    last_month(town, card)
    renewed = await cards.renew(uid(card), "person", lin.id)
    with pytest.raises(Invalid):
        await cards.renew(uid(card), "operator")
    assert (await cards.get(uid(card))).status == "active"  # until the new keys are there
    assert await found(town, old.data.pan) == [uid(card), uid(card), uid(renewed)]
    new = await phone.fetch(renewed)
    assert (new.data.pan, new.data.par) == (old.data.pan, old.data.par)
    assert (old.data.sequence, new.data.sequence) == ("00", "01")
    assert new.data.expiry > old.data.expiry
    assert new.keys.cryptogram_key != old.keys.cryptogram_key
    assert (await cards.get(uid(card))).status == "replaced"
    assert await found(town, old.data.pan) == [uid(renewed), uid(card), uid(renewed)]


@pytest.mark.parametrize("of_the_new", [False, True], ids=["of the old", "of the new"])
@pytest.mark.parametrize(
    ("command", "back", "status"),
    [
        (CardCommand.SUSPEND, CardCommand.RESUME, "suspended"),
        (CardCommand.LOSE, CardCommand.RESTORE, "lost"),
        (CardCommand.BLOCK, CardCommand.RESTORE, "blocked"),
        (CardCommand.REMOVE, None, "removed"),
    ],
)
async def test_a_card_and_its_renewal_have_one_life(
    town: Town, lin: Someone, command: CardCommand, back: CardCommand | None, status: str,
    *, of_the_new: bool,
) -> None:  # fmt: skip
    """Whoever has the phone fetches no working card of a number that pays no more."""
    phone = first(town, lin)
    pair = await renewed(town, phone)
    cards, old, new = phone.cards, *pair

    async def ask(what: CardCommand) -> None:
        if "person" in WHO[what]:
            await cards.by_person(lin.id, uid(pair[of_the_new]), what)
        else:
            await cards.by_operator(uid(pair[of_the_new]), what)

    await ask(command)
    assert [(await cards.get(uid(one))).status for one in pair] == [status, status]
    with pytest.raises(CardConflict):
        await phone.fetch(new)
    if back is not None:
        await ask(back)
        await phone.fetch(new)
        assert [(await cards.get(uid(one))).status for one in pair] == ["replaced", "active"]
    assert old.last_four == new.last_four


@pytest.mark.parametrize("status", ["suspended", "lost", "blocked", "removed"])
async def test_a_card_that_stopped_by_itself_is_not_replaced(
    town: Town, lin: Someone, status: str
) -> None:
    """The vault blocks one row, in the transaction of a payment: the other waits for it."""
    phone = first(town, lin)
    old, new = await renewed(town, phone)
    await town.services.pool.execute(
        "UPDATE device_cards SET status = $2 WHERE id = $1", uid(old), status
    )
    with pytest.raises(CardConflict) as refused:
        await phone.fetch(new)
    assert (refused.value.status, refused.value.command) == (status, "deliver")
    assert (await phone.cards.get(uid(new))).delivered_at is None
    if status == "blocked":
        await phone.cards.by_operator(uid(old), CardCommand.RESTORE)
        await phone.fetch(new)


async def test_a_renewal_that_waits_does_not_keep_a_number_off_the_exception_list(
    town: Town, lin: Someone
) -> None:
    """The vault blocks the old card by itself; the new one's keys are not on the phone."""
    phone, services = first(town, lin), town.services
    old, _new = await renewed(town, phone)
    number = phone.cards.open_pan(await phone.cards.get(uid(old)))
    today = services.settings.day_of(services.clock.now())
    assert number not in await exception_list(services.pool, services.keyring, today)
    await services.pool.execute(
        "UPDATE device_cards SET status = 'blocked' WHERE id = $1", uid(old)
    )
    assert number in await exception_list(services.pool, services.keyring, today)
    await phone.cards.by_operator(uid(old), CardCommand.RESTORE)
    assert number not in await exception_list(services.pool, services.keyring, today)


async def test_a_lost_device_takes_a_renewal_with_it(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    pair = await renewed(town, phone)
    lost = await phone.cards.lose_device(lin.id, phone.device)
    assert {card.id: card.status for card in lost} == {card.id: "lost" for card in pair}


async def test_a_lost_device_takes_a_renewal_that_is_made_at_that_moment_with_it(
    town: Town, lin: Someone
) -> None:
    """Both wait for the card, the renewal first: it is there when the device's turn comes."""
    phone, pool = first(town, lin), town.services.pool
    card = await phone.add()
    await phone.fetch(card)
    last_month(town, card)

    async def waiting(many: int) -> None:
        while many > await pool.fetchval(  # noqa: ASYNC110 - it happens in the database
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)

    async with pool.acquire() as held, held.transaction():
        await held.execute("SELECT FROM device_cards WHERE id = $1 FOR UPDATE", uid(card))
        renewing = asyncio.create_task(phone.cards.renew(uid(card), "person", lin.id))
        await waiting(1)
        losing = asyncio.create_task(phone.cards.lose_device(lin.id, phone.device))
        await waiting(2)
    new, lost = await renewing, await losing
    assert {one.id: one.status for one in lost} == {card.id: "lost", new.id: "lost"}


async def test_blocking_and_fetching_at_once_leave_no_working_card(
    town: Town, lin: Someone
) -> None:
    phone = first(town, lin)
    old, new = await renewed(town, phone)
    cards = phone.cards
    found = await asyncio.gather(
        cards.by_operator(uid(old), CardCommand.BLOCK),
        phone.fetch(new),
        cards.by_person(lin.id, uid(new), CardCommand.SUSPEND),
        phone.fetch(new),
        return_exceptions=True,
    )
    assert {type(one) for one in found if isinstance(one, Exception)} <= {
        CardConflict, CardDelivered,
    }  # fmt: skip
    statuses = [(await cards.get(uid(one))).status for one in (old, new)]
    fetched = (await cards.get(uid(new))).delivered_at is not None
    # Fetched first, the old one is over, and the operator is told so; else neither pays.
    assert statuses in ([["replaced", "active"], ["replaced", "suspended"]] if fetched else
                        [["blocked", "blocked"]])  # fmt: skip


async def test_another_balance_pays_for_the_renewal_too(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    old, new = await renewed(town, phone)
    await phone.cards.fund(lin.id, uid(old), "EUR")
    assert (await phone.cards.get(uid(new))).funding_currency == "EUR"


async def test_a_renewal_has_the_master_key_that_another_process_made(
    town: Town, lin: Someone
) -> None:
    phone, services = first(town, lin), town.services
    card = await phone.add()
    await phone.fetch(card)
    last_month(town, card)
    elsewhere = KeyVault(
        services.pool, services.clock, system_entropy, services.keyring, services.settings
    )
    rotated = await elsewhere.rotate("master")
    new = await phone.cards.renew(uid(card), "person", lin.id)
    assert (await phone.cards.get(uid(new))).key_index == rotated.master.index
