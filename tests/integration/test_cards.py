"""The token vault on PostgreSQL: adding, proving, handing out, life, several at once."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec
import pytest
from town import Someone, Town, key, open_town
from vault_phones import first, second, uid

from tandem.cards import (
    PAN_SEALS,
    CardCommand,
    CardConflict,
    CardDelivered,
    CardFilter,
    CardNotEligible,
    CodeOver,
    CodeWrong,
    KeyVault,
    exception_list,
)
from tandem.cards.proof import CODE_TRIES, MAX_CARDS
from tandem.db.rewrite import count_by_key, rewrite
from tandem.kernel import Invalid, NotFound, system_entropy
from tandem.keyring import FileKeyRing, sealed_anew

_COUNTER = itertools.count()


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


async def events(town: Town, person: UUID) -> list[str]:
    rows = await town.services.pool.fetch(
        "SELECT type FROM events WHERE owner_id = $1 ORDER BY id", person
    )
    return [row["type"] for row in rows if row["type"].startswith("card.")]


async def test_the_first_device_gets_a_card_at_once(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    card = await phone.add()
    assert (card.status, card.proof, card.currency, card.delivered) == (
        "active", "green", "CNY", False,
    )  # fmt: skip
    profile = await phone.fetch(card)
    data = profile.data
    assert data.pan.startswith("980123")
    assert (data.pan[-4:], data.par, data.expiry) == (card.last_four, card.par, card.expiry)
    row = await phone.cards.get(uid(card))
    assert phone.cards.open_pan(row) == data.pan
    assert data.pan.encode() not in row.pan_sealed
    assert await events(town, lin.id) == ["card.added"]
    stored = await town.services.pool.fetchval(
        "SELECT string_agg(t::text, ' ') FROM (SELECT * FROM device_cards, idempotency, events) t"
    )
    assert data.pan not in stored
    assert profile.keys.cryptogram_key.hex() not in stored


async def test_the_keys_are_handed_out_once(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    card, same = await phone.add(), key("fetch")
    one = await phone.fetch(card, same)
    assert await phone.fetch(card, same) == one  # an answer that was lost on its way
    with pytest.raises(CardDelivered):
        await phone.fetch(card)
    assert (await phone.cards.of_person(lin.id, uid(card))).delivered_at is not None


async def test_of_many_at_once_one_gets_the_keys(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    card = await phone.add()
    found = await asyncio.gather(*(phone.fetch(card) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == [*["CardDelivered"] * 3, "Profile"]


async def test_a_later_device_needs_a_code_from_an_earlier_one(town: Town, lin: Someone) -> None:
    watch = await second(town, lin)
    card = await watch.add()
    assert (card.status, card.proof) == ("waiting_code", "yellow")
    with pytest.raises(CardConflict):
        await watch.fetch(card)
    with pytest.raises(CodeOver):
        await watch.cards.prove(lin.id, watch.device, uid(card), "000000")
    with pytest.raises(NotFound):  # not on the device itself, and not by a stranger
        await watch.cards.show_code(lin.id, watch.device, uid(card))
    mei = await town.person()
    with pytest.raises(NotFound):
        await watch.cards.show_code(mei.id, mei.device_id, uid(card))
    shown = await watch.cards.show_code(lin.id, lin.device_id, uid(card))
    with pytest.raises(NotFound):  # the code is for the card's device
        await watch.cards.prove(lin.id, lin.device_id, uid(card), shown.code)
    proved = await watch.cards.prove(lin.id, watch.device, uid(card), shown.code)
    assert proved.status == "active"
    assert (await watch.fetch(card)).data.par == (await first(town, lin).add()).par
    assert "card.active" in await events(town, lin.id)


async def test_a_code_has_its_time_and_a_newer_one_takes_its_place(
    town: Town, lin: Someone
) -> None:
    watch = await second(town, lin)
    card = await watch.add()
    old = await watch.cards.show_code(lin.id, lin.device_id, uid(card))
    new = await watch.cards.issue_code(uid(card))
    if old.code != new.code:
        with pytest.raises(CodeWrong):
            await watch.cards.prove(lin.id, watch.device, uid(card), old.code)
    town.wait(minutes=11)
    with pytest.raises(CodeOver):
        await watch.cards.prove(lin.id, watch.device, uid(card), new.code)
    stored = (await watch.cards.get(uid(card))).code_hash
    assert stored is not None
    assert new.code.encode() not in stored


async def test_guessing_ends_in_red_and_the_next_card_is_orange(town: Town, lin: Someone) -> None:
    watch = await second(town, lin)
    card = await watch.add()
    left = []
    for _ in range(CODE_TRIES):
        code = (await watch.cards.issue_code(uid(card))).code  # new codes give no new tries
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        with pytest.raises(CodeWrong) as refused:
            await watch.cards.prove(lin.id, watch.device, uid(card), wrong)
        left.append(refused.value.tries_left)
    assert left == list(reversed(range(CODE_TRIES)))
    assert (await watch.cards.get(uid(card))).status == "refused"
    with pytest.raises(CardConflict):
        await watch.cards.issue_code(uid(card))
    orange = await first(town, lin).add()
    assert (orange.status, orange.proof) == ("waiting_operator", "orange")
    confirmed = await watch.cards.by_operator(uid(orange), CardCommand.CONFIRM)
    assert confirmed.status == "active"
    assert "card.refused" in await events(town, lin.id)


async def test_many_guesses_at_once_are_all_counted(town: Town, lin: Someone) -> None:
    watch = await second(town, lin)
    card = await watch.add()
    code = (await watch.cards.issue_code(uid(card))).code
    wrong = [f"{(int(code) + n) % 10**6:06d}" for n in range(1, 13)]
    found = await asyncio.gather(
        *(watch.cards.prove(lin.id, watch.device, uid(card), guess) for guess in wrong),
        return_exceptions=True,
    )
    kinds = [type(one) for one in found]
    assert (kinds.count(CodeWrong), kinds.count(CardConflict)) == (CODE_TRIES, 12 - CODE_TRIES)


async def test_who_lost_every_device_needs_the_operator(town: Town, lin: Someone) -> None:
    watch = await second(town, lin)
    await town.services.people.revoke_device(lin.id, lin.device_id)
    assert (await watch.add()).proof == "orange"
    with pytest.raises(CardNotEligible) as refused:
        await first(town, lin).add()
    assert refused.value.reason == "device_out_of_use"


async def test_a_card_is_suspended_lost_restored_and_removed(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    cards, card = phone.cards, await phone.add()
    steps = [
        (cards.by_person(lin.id, uid(card), CardCommand.SUSPEND), "suspended"),
        (cards.by_person(lin.id, uid(card), CardCommand.RESUME), "active"),
        (cards.by_person(lin.id, uid(card), CardCommand.LOSE), "lost"),
        (cards.by_operator(uid(card), CardCommand.RESTORE), "active"),
        (cards.by_operator(uid(card), CardCommand.BLOCK), "blocked"),
        (cards.by_person(lin.id, uid(card), CardCommand.REMOVE), "removed"),
    ]
    for step, status in steps:
        assert (await step).status == status
    with pytest.raises(CardConflict):
        await cards.by_operator(uid(card), CardCommand.RESTORE)
    mei = await town.person()
    with pytest.raises(NotFound):
        await cards.by_person(mei.id, uid(card), CardCommand.REMOVE)
    assert await events(town, lin.id) == [
        f"card.{what}"
        for what in ("added", "suspended", "active", "lost", "active", "blocked", "removed")
    ]


async def test_a_lost_device_takes_its_cards_with_it(town: Town, lin: Someone) -> None:
    watch = await second(town, lin)
    waiting = await watch.add()
    kept = await first(town, lin).add()
    cards = watch.cards
    active = await watch.add("EUR")
    await cards.by_operator(uid(active), CardCommand.CONFIRM)
    mei = await town.person()
    with pytest.raises(NotFound):
        await cards.lose_device(mei.id, watch.device)
    lost = await cards.lose_device(lin.id, watch.device)
    assert {card.id: card.status for card in lost} == {waiting.id: "removed", active.id: "lost"}
    assert (await cards.get(uid(kept))).status == "active"
    with pytest.raises(CardConflict):
        await cards.by_person(lin.id, uid(active), CardCommand.RESUME)


async def test_the_exception_list_has_the_numbers_under_which_no_card_pays(
    town: Town, lin: Someone
) -> None:
    async def listed() -> bool:
        services = town.services
        today = services.settings.day_of(services.clock.now())
        numbers = await exception_list(services.pool, services.keyring, today)
        assert len(set(numbers)) == len(numbers)
        return pan in numbers

    phone = first(town, lin)
    cards, card = phone.cards, await phone.add()
    pan = (await phone.fetch(card)).data.pan
    assert not await listed()
    today = town.services.settings.day_of(town.services.clock.now())
    town.wait(days=(card.expiry - today - timedelta(days=30)).days)
    renewed = await cards.renew(uid(card), "person", lin.id)
    await phone.fetch(renewed)
    assert not await listed(), "one of the two is replaced, the other pays"
    for step, there in (
        (cards.by_person(lin.id, uid(renewed), CardCommand.SUSPEND), True),
        (cards.by_person(lin.id, uid(renewed), CardCommand.RESUME), False),
        (cards.by_person(lin.id, uid(renewed), CardCommand.LOSE), True),
        (cards.by_operator(uid(renewed), CardCommand.RESTORE), False),
        (cards.lose_device(lin.id, phone.device), True),
    ):
        await step
        assert await listed() is there
    town.wait(days=2000)
    assert not await listed(), "it has expired"


async def test_another_balance_pays_while_the_number_stays(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    card = await phone.add()
    funded = await phone.cards.fund(lin.id, uid(card), "EUR")
    assert (funded.currency, funded.last_four, funded.id) == ("EUR", card.last_four, card.id)
    with pytest.raises(Invalid):
        await phone.cards.fund(lin.id, uid(card), "CHF")


async def test_a_device_has_so_many_cards_and_repeats_make_no_more(
    town: Town, lin: Someone
) -> None:
    phone, same = first(town, lin), key("add")
    one = await phone.add(idem=same)
    assert await phone.add(idem=same) == one
    found = await asyncio.gather(
        *(phone.add() for _ in range(MAX_CARDS + 2)), return_exceptions=True
    )
    refused = [one for one in found if isinstance(one, CardNotEligible)]
    assert (len(refused), {one.reason for one in refused}) == (3, {"too_many_cards"})
    listed = await phone.cards.list(CardFilter(person_id=lin.id), None, 100)
    assert len(listed) == MAX_CARDS
    assert len({card.pan_hash for card in listed}) == MAX_CARDS


async def test_keys_that_nobody_can_seal_for_and_currencies_that_are_not_here(
    town: Town, lin: Someone
) -> None:
    phone = first(town, lin)
    phone.public = bytes(32)
    with pytest.raises(Invalid):
        await phone.add()
    with pytest.raises(Invalid):
        await first(town, lin).add("CHF")
    with pytest.raises(NotFound):
        await town.services.cards.add(lin.id, UUID(int=5), "CNY", first(town, lin).public, None)


async def test_numbers_and_keys_are_sealed_anew(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    card = await phone.add()
    pool, ring = town.services.pool, town.services.keyring
    assert isinstance(ring, FileKeyRing)
    ring.rotate()
    await rewrite(pool, PAN_SEALS, sealed_anew(ring, PAN_SEALS.context))
    assert await town.services.cards.vault.seal_anew() >= 4
    for table, column in (("device_cards", "pan_sealed"), ("card_keys", "sealed")):
        assert set(await count_by_key(pool, table, column)) == {ring.primary}
    await town.services.cards.vault.find()
    assert (await phone.fetch(card)).data.pan.endswith(card.last_four)


async def test_card_keys_rotate_while_cards_go_on(town: Town, lin: Someone) -> None:
    phone = first(town, lin)
    vault, card = phone.cards.vault, await phone.add()
    before = await vault.keys()
    for kind in ("authority", "issuer", "master"):
        await vault.rotate(kind)
    after = await vault.keys()
    assert after.issuer.authority_index == before.issuer.authority_index + 1
    assert after.master.index == before.master.index + 1
    assert after.masters[before.master.index] == before.master
    assert [k.index for k in after.trusted.keys][-1] == after.issuer.authority_index
    old, new = await phone.fetch(card), await phone.fetch(await phone.add())
    assert (old.keys.index, new.keys.index) == (before.master.index, after.master.index)
    shown = await town.services.pool.fetchval("SELECT string_agg(k::text, ' ') FROM card_keys k")
    assert after.master.key.hex() not in shown


@pytest.mark.parametrize("kind", ["master", "issuer", "authority"])
async def test_keys_that_another_process_rotated_are_those_of_new_cards(
    town: Town, lin: Someone, kind: Literal["master", "issuer", "authority"]
) -> None:
    """`tandem cards keys rotate` is another process than the servers that run."""
    phone, services = first(town, lin), town.services
    old = await phone.add()
    before = await services.cards.vault.keys()
    elsewhere = KeyVault(
        services.pool, services.clock, system_entropy, services.keyring, services.settings
    )
    rotated = await elsewhere.rotate(kind)
    assert before.newest != rotated.newest
    assert (await services.cards.vault.keys()).newest == before.newest  # a tap asks nobody
    signed = await phone.fetch(old)
    assert signed.keys.index == before.master.index
    assert (await services.cards.vault.keys()).newest == rotated.newest
    await elsewhere.rotate("master")
    new = await phone.fetch(await phone.add())
    assert new.keys.index == (await elsewhere.keys()).master.index


async def test_the_database_is_the_second_witness(town: Town, lin: Someone) -> None:
    card = await first(town, lin).add()
    row = await town.services.cards.get(uid(card))
    columns = msgspec.structs.asdict(row)
    for change in (
        {"status": "paid"},
        {"pan_hash": b"short"},
        {"par": "x"},
        {"atc": 70_000},
        {"code_hash": b"a"},
    ):
        wrong = {**columns, "id": town.services.ids.new(), "sequence": next(_COUNTER) + 1, **change}
        names = ", ".join(wrong)
        marks = ", ".join(f"${n}" for n in range(1, len(wrong) + 1))
        with pytest.raises(asyncpg.CheckViolationError):
            await town.services.pool.execute(
                f"INSERT INTO device_cards ({names}) VALUES ({marks})",  # noqa: S608 - our own names
                *wrong.values(),
            )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await town.services.pool.execute("DELETE FROM device_cards")
