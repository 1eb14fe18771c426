"""Rolling tags: a shop makes them, people tap them, and whoever copies a link pays nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
import pytest
from town import Door, Someone, Town, asked, at_once, key, open_town, said

from tandem.events import CreateEndpoint
from tandem.kernel import Invalid, NotFound, read_id, show_id, system_entropy
from tandem.keyring import KeyFileMissing, KeyringName
from tandem.ledger import Outcome
from tandem.merchants import Acceptance
from tandem.payments import Source, Tapped
from tandem.serve.parent import open_keys
from tandem.tags import (
    TAG_KEYS,
    Tag,
    TagKeysWithheld,
    TagOff,
    TagPackage,
    TagRevoked,
    TagStatus,
    TagTapOver,
    TagTapUsed,
    TagWrong,
)
from tandem.tags.model import WRONG_LINKS_MAX
from tandem.tags.sun import encrypt, sign

UID: Final = bytes.fromhex("04958CAA5C5E80")
OTHER: Final = bytes.fromhex("04958CAA5C5E81")


@pytest.fixture
async def town(fresh_database: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(fresh_database, tmp_path) as opened:
        yield opened


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=100)


@pytest.fixture
async def mei(town: Town) -> Someone:
    return await town.person(yuan=100, name="Mei Ling")


@pytest.fixture
async def door(town: Town) -> Door:
    return await town.merchant()


class Chip:
    """A tag as it is written: it counts its readings and signs them."""

    def __init__(self, package: TagPackage, uid: bytes = UID) -> None:
        self.package, self.uid, self.counter = package, uid, 0

    def tap(self) -> str:
        """The link that a phone reads."""
        self.counter += 1
        return self.link(self.counter)

    def link(self, counter: int) -> str:
        """The link of a reading."""
        keys = self.package.keys()
        picc = encrypt(keys.meta, self.uid, counter, system_entropy)
        mac = sign(keys.mac, self.uid, counter)
        bare = self.package.url.partition("?")[0]
        return f"{bare}?picc_data={picc.hex().upper()}&cmac={mac.hex().upper()}"


async def made(town: Town, door: Door) -> tuple[Tag, Chip]:
    tags = town.services.tags
    tag = await tags.create(door.id, "Counter", key(), shop_id=door.shop_id)
    return tag, Chip(await tags.keys(door.id, tag.id))


async def opened(town: Town, person: Someone, url: str) -> Tapped:
    found = await town.services.payments.scan(person.id, url, "scan")
    assert isinstance(found, Tapped)
    return found


async def pay(town: Town, person: Someone, url: str, amount: int = 500, name: str = "") -> Outcome:
    """What the API does with a link and an amount."""
    payments = town.services.payments
    found = await payments.read_code(person.id, url)
    assert isinstance(found, Tapped)
    place = found.shop.place
    new = asked(amount, source=Source.STATIC_CODE)
    token = place.till_code_token or place.shop_code_token
    return await payments.pay_static(person.id, token, new, key(name), tap=found.tap)


# -- well ----------------------------------------------------------------------------------------


async def test_a_tap_pays_like_a_static_code(town: Town, lin: Someone, door: Door) -> None:
    tag, chip = await made(town, door)
    assert (tag.status, tag.uid) == (TagStatus.NEW, None)
    url = chip.tap()
    first = await opened(town, lin, url)
    assert first.shop.place.shop_id == door.shop_id
    assert (await opened(town, lin, url)).tap == first.tap, "who opened it may open it again"
    paid = said(await pay(town, lin, url))
    assert (paid["status"], paid["amount"]) == ("captured", 500)
    assert await door.balance() == 500
    now = await town.services.tags.get(door.id, tag.id)
    assert (now.status, now.uid, now.counter) == (TagStatus.ACTIVE, UID, 1)
    tap = await town.services.pool.fetchval("SELECT payment_id FROM tag_taps")
    assert tap == read_id("pay", paid["id"])
    await pay(town, lin, chip.tap())
    assert await door.balance() == 1000
    await town.check()


async def test_a_tills_tag_pays_at_the_till(town: Town, lin: Someone, door: Door) -> None:
    services = town.services
    till = await services.merchants.create_till(door.id, door.shop_id, "Till", Acceptance(), None)
    tag = await services.tags.create(door.id, "Till's", key(), till_id=till.id)
    chip = Chip(await services.tags.keys(door.id, tag.id))
    paid = said(await pay(town, lin, chip.tap()))
    payment = await services.payments.of_merchant(door.id, read_id("pay", paid["id"]))
    assert payment.till_id == till.id


async def test_taps_that_were_not_opened_are_left_out(town: Town, lin: Someone, door: Door) -> None:
    _, chip = await made(town, door)
    chip.counter = 4711
    await pay(town, lin, chip.tap())


async def test_a_repeated_payment_has_its_answer(town: Town, lin: Someone, door: Door) -> None:
    tag, chip = await made(town, door)
    url = chip.tap()
    first = await pay(town, lin, url, name="once")
    town.wait(minutes=10)
    assert said(await pay(town, lin, url, name="once")) == said(first)
    await town.services.tags.revoke(door.id, tag.id)
    assert said(await pay(town, lin, url, name="once")) == said(first)
    assert await door.balance() == 500


async def test_a_tag_is_made_once_for_a_key(town: Town, door: Door) -> None:
    tags, once = town.services.tags, key("make")
    first = await tags.create(door.id, "Counter", once, shop_id=door.shop_id)
    again = await tags.create(door.id, "Counter", once, shop_id=door.shop_id)
    assert again.id == first.id
    assert await town.count("tags") == 1
    assert (await tags.rename(door.id, first.id, " Left ")).name == "Left"
    assert [t.name for t in await tags.all(door.id, None, None, 10)] == ["Left"]
    assert await tags.all(door.id, uuid4(), None, 10) == []


async def test_tags_are_listed_by_cursor(town: Town, door: Door) -> None:
    made_ids = [(await made(town, door))[0].id for _ in range(5)]
    newest = made_ids[::-1]
    tags = town.services.tags
    assert [t.id for t in await tags.all(door.id, door.shop_id, None, 2)] == newest[:2]
    assert [t.id for t in await tags.all(door.id, None, newest[1], 9)] == newest[2:]


# -- whoever means harm --------------------------------------------------------------------------


async def test_a_link_is_paid_by_once(town: Town, lin: Someone, door: Door) -> None:
    _, chip = await made(town, door)
    url = chip.tap()
    await pay(town, lin, url)
    with pytest.raises(TagTapUsed):
        await pay(town, lin, url)
    with pytest.raises(TagTapUsed):
        await opened(town, lin, url)
    assert await door.balance() == 500


async def test_a_forwarded_link_is_nobody_elses(
    town: Town, lin: Someone, mei: Someone, door: Door
) -> None:
    _, chip = await made(town, door)
    url = chip.tap()
    await opened(town, lin, url)
    with pytest.raises(TagTapUsed):
        await opened(town, mei, url)
    with pytest.raises(TagTapUsed):
        await pay(town, mei, url)
    await pay(town, lin, url)


async def test_a_tap_is_over_after_a_while(town: Town, lin: Someone, door: Door) -> None:
    _, chip = await made(town, door)
    url = chip.tap()
    await opened(town, lin, url)
    town.wait(seconds=town.services.settings.confirm_seconds)
    with pytest.raises(TagTapOver):
        await opened(town, lin, url)
    with pytest.raises(TagTapOver):
        await pay(town, lin, url)
    assert await door.balance() == 0


async def test_a_link_kept_for_later_ends_with_the_next_tap(
    town: Town, lin: Someone, mei: Someone, door: Door
) -> None:
    _, chip = await made(town, door)
    kept = chip.tap()
    await opened(town, mei, chip.tap())
    with pytest.raises(TagTapUsed):
        await opened(town, lin, kept)


async def test_of_many_who_open_a_link_at_once_one_has_it(town: Town, door: Door) -> None:
    people = [await town.person(yuan=10) for _ in range(8)]
    _, chip = await made(town, door)
    url = chip.tap()
    paid, refused = await at_once(pay(town, person, url) for person in people)
    assert len(paid) == 1
    assert [type(error) for error in refused] == [TagTapUsed] * 7
    assert await door.balance() == 500


async def test_one_person_pays_a_tap_once_at_once(town: Town, lin: Someone, door: Door) -> None:
    _, chip = await made(town, door)
    url = chip.tap()
    paid, refused = await at_once(pay(town, lin, url) for _ in range(8))
    assert len(paid) == 1
    assert {type(error) for error in refused} == {TagTapUsed}
    assert await door.balance() == 500


async def test_the_counter_only_grows(town: Town, door: Door) -> None:
    people = [await town.person(yuan=10) for _ in range(6)]
    tag, chip = await made(town, door)
    urls = [chip.tap() for _ in people]
    calls = (
        town.services.payments.scan(p.id, u, "scan") for p, u in zip(people, urls, strict=True)
    )
    await asyncio.gather(*calls, return_exceptions=True)
    now = await town.services.tags.get(door.id, tag.id)
    taps = await town.services.pool.fetch("SELECT counter FROM tag_taps")
    assert now.counter == max(row["counter"] for row in taps)


async def test_wrong_links_block_the_tag_and_right_ones_are_no_wrong_ones(
    town: Town, lin: Someone, door: Door
) -> None:
    tag, chip = await made(town, door)
    hook = CreateEndpoint(url="http://127.0.0.1:9/x", types=("tag.blocked",))
    hooked = said(await town.services.webhooks.create(door.id, hook, None))
    wrong = f"{chip.package.url.partition('?')[0]}?picc_data={'0' * 32}&cmac={'0' * 16}"
    for _ in range(WRONG_LINKS_MAX - 1):
        with pytest.raises(TagWrong):
            await opened(town, lin, wrong)
    await opened(town, lin, chip.tap())
    for _ in range(WRONG_LINKS_MAX):
        with pytest.raises(TagWrong):
            await opened(town, lin, wrong)
    assert (await town.services.tags.get(door.id, tag.id)).status is TagStatus.BLOCKED
    told = "SELECT d.endpoint_id, e.data FROM webhook_deliveries AS d JOIN events AS e "
    told += "ON e.id = d.event_id WHERE e.owner_id = $1 AND e.type = 'tag.blocked'"
    ((endpoint_id, data),) = await town.services.pool.fetch(told, door.id)
    assert show_id("whe", endpoint_id) == hooked["id"]
    assert msgspec.json.decode(data)["status"] == "blocked"
    with pytest.raises(TagOff):
        await opened(town, lin, chip.tap())
    resumed = await town.services.tags.switch(door.id, tag.id, on=True)
    assert resumed.status is TagStatus.ACTIVE
    await pay(town, lin, chip.tap())


async def test_another_chip_with_the_same_keys_is_not_this_tag(
    town: Town, lin: Someone, door: Door
) -> None:
    _, chip = await made(town, door)
    await pay(town, lin, chip.tap())
    copy = Chip(chip.package, OTHER)
    copy.counter = 100
    with pytest.raises(TagWrong):
        await pay(town, lin, copy.tap())


async def test_a_lost_tag_is_switched_off(town: Town, lin: Someone, door: Door) -> None:
    tag, chip = await made(town, door)
    tags = town.services.tags
    before = chip.tap()
    await opened(town, lin, before)
    assert (await tags.switch(door.id, tag.id, on=False)).status is TagStatus.SUSPENDED
    for call in (pay(town, lin, before), opened(town, lin, before)):
        with pytest.raises(TagOff):
            await call
    with pytest.raises(TagOff):
        await pay(town, lin, chip.tap())
    await tags.switch(door.id, tag.id, on=True)
    await pay(town, lin, before)
    assert (await tags.revoke(door.id, tag.id)).status is TagStatus.REVOKED
    with pytest.raises(TagOff):
        await pay(town, lin, chip.tap())
    for on in (True, False):
        with pytest.raises(TagRevoked):
            await tags.switch(door.id, tag.id, on=on)


async def test_keys_are_given_while_nobody_pays_by_them(
    town: Town, lin: Someone, door: Door
) -> None:
    tag, chip = await made(town, door)
    tags = town.services.tags
    assert await tags.keys(door.id, tag.id) == chip.package
    assert chip.package.mac_key not in repr(chip.package) + repr(chip.package.keys()) + repr(tag)
    await opened(town, lin, chip.tap())
    with pytest.raises(TagKeysWithheld):
        await tags.keys(door.id, tag.id)
    await tags.switch(door.id, tag.id, on=False)
    with pytest.raises(TagKeysWithheld):
        await tags.keys(door.id, tag.id)
    await tags.revoke(door.id, tag.id)
    assert await tags.keys(door.id, tag.id) == chip.package


async def test_others_tags_are_not_there(town: Town, lin: Someone, door: Door) -> None:
    tag, chip = await made(town, door)
    other = await town.merchant()
    tags = town.services.tags
    calls = [
        tags.get(other.id, tag.id),
        tags.keys(other.id, tag.id),
        tags.rename(other.id, tag.id, "Mine"),
        tags.switch(other.id, tag.id, on=False),
        tags.revoke(other.id, tag.id),
        tags.create(other.id, "Mine", key(), shop_id=door.shop_id),
        tags.create(door.id, "None", key(), till_id=uuid4()),
        opened(town, lin, chip.tap().replace(tag.token, "A" * 20)),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call
    assert await tags.all(other.id, None, None, 10) == []
    for where in ({}, {"shop_id": door.shop_id, "till_id": uuid4()}):
        with pytest.raises(Invalid):
            await tags.create(door.id, "Both", key(), **where)


async def test_to_look_changes_nothing(town: Town, lin: Someone, door: Door) -> None:
    tag, chip = await made(town, door)
    payments, url = town.services.payments, chip.tap()
    query = url.partition("?")[2]
    for _ in range(2):
        landing = await payments.tag_landing(tag.token, query)
        assert (landing.shop_name, landing.amount) == ("Blue Door, East", None)
    assert (await town.services.tags.get(door.id, tag.id)).counter == 0
    for _ in range(WRONG_LINKS_MAX + 1):
        with pytest.raises(TagWrong):
            await payments.tag_landing(tag.token, f"picc_data={'0' * 32}&cmac={'0' * 16}")
    await pay(town, lin, url)
    with pytest.raises(TagTapUsed):
        await payments.tag_landing(tag.token, query)
    for bad in ("", "picc_data=1", f"{query}&x=1"):
        with pytest.raises(NotFound):
            await payments.tag_landing(tag.token, bad)
    await town.services.tags.revoke(door.id, tag.id)
    with pytest.raises(TagOff):
        await payments.tag_landing(tag.token, chip.tap().partition("?")[2])


async def test_nothing_in_the_database_is_a_key(town: Town, door: Door) -> None:
    tag, chip = await made(town, door)
    row = await town.services.pool.fetchrow("SELECT * FROM tags WHERE id = $1", tag.id)
    assert row is not None
    for secret in chip.package.keys().by_number():
        assert secret not in row["keys"]
    assert town.services.keyring.open(row["keys"], TAG_KEYS.context(tag.id))


async def test_a_key_ring_is_not_begun_anew_while_a_tag_needs_the_old_one(
    town: Town, door: Door, fresh_database: str, tmp_path: Path
) -> None:
    await open_keys(fresh_database, KeyringName(None, str(tmp_path / "first")))
    await made(town, door)
    with pytest.raises(KeyFileMissing):
        await open_keys(fresh_database, KeyringName(None, str(tmp_path / "second")))
