"""`tandem keys`: secrets are sealed anew while people pay and shops are told."""

import asyncio
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from town import open_town

from conftest import open_folder
from living import Living, Person, living, made, open_shop, post, sign_up
from tandem.db import Pool
from tandem.db.rewrite import rewrite
from tandem.events import SIGNING_SECRETS, CreateEndpoint
from tandem.events.secrets import new_secrets, open_secrets, seal_secrets
from tandem.kernel import system_entropy
from tandem.keyring import FileKeyRing, sealed_anew
from tandem.people import CODE_SEEDS
from terminal import Cli, shown


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data") as server:
            yield server


@pytest.fixture
def beside(house: Living, cli: Cli) -> Cli:
    cli.monkeypatch.delenv("TANDEM_KEY_FILE")
    cli.on(data=house.data)
    return cli


def primary(keys: Path) -> str:
    key: str = json.loads(keys.read_text())["primary"]
    return key


async def keys_in_use(house: Living) -> set[str]:
    async with house.database() as connection:
        rows = await connection.fetch(
            "SELECT code_seed FROM devices UNION ALL SELECT secret FROM webhook_endpoints"
        )
    return {row[0][1:9].hex() for row in rows}


async def pays(house: Living, shop_key: str, till_id: str, who: Person) -> str:
    async with house.client(shop_key) as shop:
        order = {"till_id": till_id, "amount": 100, "currency": "CNY", "pay_code": who.pay_code()}
        return str((await post(shop, "/v1/payments", order))["status"])


def test_everything_is_sealed_anew_beside_a_running_server(house: Living, beside: Cli) -> None:
    async def open_it() -> tuple[list[Person], str, str, str]:
        async with house.client(house.operator_key) as operator:
            people = [await sign_up(operator, f"p{number}", yuan=10) for number in range(3)]
            shop = await open_shop(house, operator, "Blue Door")
        async with house.client(shop.key) as client:
            body = {"url": "http://127.0.0.1:1/hook", "types": ["payment.captured"]}
            endpoint = await post(client, "/v1/webhooks", body)
        assert await pays(house, shop.key, shop.till_id, people[0]) == "captured"
        return people, shop.key, shop.till_id, endpoint["id"]

    people, shop_key, till_id, endpoint_id = asyncio.run(open_it())
    keys = house.data / "keys"
    old = primary(keys)
    assert asyncio.run(keys_in_use(house)) == {old}

    said = beside.done("keys", "rotate")
    new = primary(keys)
    assert new != old
    assert new in said
    assert "4 secrets" in said
    assert asyncio.run(keys_in_use(house)) == {new}

    async def go_on() -> None:
        assert await pays(house, shop_key, till_id, people[1]) == "captured"
        async with house.client(house.operator_key) as operator:
            late = await sign_up(operator, "late", yuan=10)
        assert await keys_in_use(house) == {new}, "the running server seals under it too"
        assert await pays(house, shop_key, till_id, late) == "captured"
        async with house.client(shop_key) as client:
            made(await client.post(f"/v1/webhooks/{endpoint_id}/secret", json={}, headers=KEY))

    asyncio.run(go_on())
    lines = {line.split()[0]: line.split()[1:] for line in beside.done("keys", "list").splitlines()}
    assert lines[old] == ["opens", "0"]
    assert lines[new] == ["seals", "5"]
    assert house.faults() == []


KEY = {"Idempotency-Key": "roll"}


def test_the_card_of_a_sandboxs_phone_is_sealed_anew(house: Living, beside: Cli) -> None:
    async def open_it() -> tuple[Person, str, str]:
        async with house.client(house.operator_key) as operator:
            person = await sign_up(operator, "taps", yuan=10)
            shop = await open_shop(house, operator, "White Door")
        return person, shop.key, shop.till_id

    person, shop_key, till_id = asyncio.run(open_it())

    async def tap() -> str:
        async with house.client(shop_key) as shop, house.client(person.key) as phone:
            body = {"till_id": till_id, "amount": 100, "currency": "CNY"}
            order = await post(shop, "/v1/payments", body)
            return str((await post(phone, "/v1/sandbox/taps", {"order_id": order["id"]}))["result"])

    async def sealed_under() -> set[str]:
        async with house.database() as connection:
            rows = await connection.fetch("SELECT sealed FROM sandbox_cards")
        return {row[0][1:9].hex() for row in rows}

    assert asyncio.run(tap()) == "approved"
    old = primary(house.data / "keys")
    assert asyncio.run(sealed_under()) == {old}
    beside.done("keys", "rotate")
    assert asyncio.run(sealed_under()) == {primary(house.data / "keys")} != {old}
    assert asyncio.run(tap()) == "approved"


def test_a_key_is_added_for_other_machines_before_it_seals(house: Living, beside: Cli) -> None:
    keys = house.data / "keys"
    old = primary(keys)
    before = asyncio.run(keys_in_use(house))
    added = beside.done("keys", "add")
    assert (primary(keys), asyncio.run(keys_in_use(house))) == (old, before)
    (new,) = {key["id"] for key in json.loads(keys.read_text())["keys"] if key["id"] in added}
    for _ in range(2):  # the second time there is nothing left to do
        assert new in beside.done("keys", "rotate", new)
        assert primary(keys) == new
        assert asyncio.run(keys_in_use(house)) == {new}
    assert "There is no key 0123456789abcdef" in beside.refused(
        "keys", "rotate", "0123456789abcdef"
    )
    assert primary(keys) == new


def test_what_cannot_be_opened_is_told_and_left_as_it_is(fresh_database: str, cli: Cli) -> None:
    cli.on(url=fresh_database)
    cli.done("operator", "person", "add", "lin", "Lin")
    device = shown("dev", cli.done("operator", "person", "add", "mei", "Mei"))

    async def spoil() -> bytes:
        connection = await asyncpg.connect(fresh_database)
        try:
            return bytes(
                await connection.fetchval(
                    "UPDATE devices SET code_seed = set_byte(code_seed, 30, "
                    "255 - get_byte(code_seed, 30)) WHERE id = $1::uuid RETURNING code_seed",
                    device.removeprefix("dev_"),
                )
            )
        finally:
            await connection.close()

    spoilt = asyncio.run(spoil())
    status, out, err = cli.run("keys", "rotate")
    assert status == 1
    assert device in out
    assert "1 secret cannot be opened" in err

    async def look() -> list[bytes]:
        connection = await asyncpg.connect(fresh_database)
        try:
            rows = await connection.fetch("SELECT code_seed FROM devices")
            return [bytes(row[0]) for row in rows]
        finally:
            await connection.close()

    assert spoilt in asyncio.run(look())


def test_whoever_breaks_it_off_is_told_how_to_go_on(fresh_database: str, cli: Cli) -> None:
    cli.on(url=fresh_database)
    cli.done("operator", "person", "add", "lin", "Lin")

    async def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(10)

    with cli.monkeypatch.context() as now:
        now.setattr("tandem.cli.keys.rewrite", interrupted)
        status, out, err = cli.run("keys", "rotate")
    assert (status, out) == (130, "")
    found = re.search(r"tandem (keys rotate [0-9a-f]{16})$", err)
    assert found is not None, err
    assert "1 secret is sealed anew" in cli.done(*found[1].split())
    assert "0 secrets are sealed anew" in cli.done(*found[1].split())


# -- in parts, and beside others ----------------------------------------------------------------


async def test_it_can_be_broken_off_and_goes_on(fresh_database: str, tmp_path: Path) -> None:
    async with open_town(fresh_database, tmp_path) as town:
        people = [await town.person() for _ in range(7)]
        ring = FileKeyRing.load(tmp_path / "keys", system_entropy)
        ring.rotate()
        change = sealed_anew(ring, CODE_SEEDS.context)
        pool = town.services.pool

        def stop(done: int) -> None:
            if done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await rewrite(pool, CODE_SEEDS, change, stop, at_once=3)
        assert await left(pool, ring) == 4
        told: list[int] = []
        done = await rewrite(pool, CODE_SEEDS, change, told.append, at_once=3)
        assert (done.changed, done.unchangeable) == (4, [])
        assert told[-1] == 7
        assert await left(pool, ring) == 0
        door = await town.merchant()
        for person in people:
            await town.top_up(person.id, 100)
            assert b"captured" in (await town.by_code(door, person.code(), 100)).body


async def left(pool: Pool, ring: FileKeyRing) -> int:
    count: int = await pool.fetchval(
        "SELECT count(*) FROM devices WHERE substring(code_seed FROM 2 FOR 8) <> $1",
        bytes.fromhex(ring.primary),
    )
    return count


async def test_a_secret_that_is_rolled_meanwhile_is_not_lost(
    fresh_database: str, tmp_path: Path
) -> None:
    async with open_town(fresh_database, tmp_path) as town:
        door = await town.merchant()
        webhooks, pool = town.services.webhooks, town.services.pool
        await webhooks.create(door.id, CreateEndpoint(url="http://127.0.0.1:1/hook"), None)
        endpoint_id: UUID = await pool.fetchval("SELECT id FROM webhook_endpoints")
        ring = FileKeyRing.load(tmp_path / "keys", system_entropy)
        rolled = new_secrets(system_entropy)
        sealed = seal_secrets(ring, endpoint_id, rolled)
        ring.rotate()
        other = await asyncpg.connect(fresh_database)
        await other.execute("BEGIN")
        await other.execute("UPDATE webhook_endpoints SET secret = $1", sealed)
        change = sealed_anew(ring, SIGNING_SECRETS.context)
        task = asyncio.create_task(rewrite(pool, SIGNING_SECRETS, change))
        await asyncio.sleep(0.2)
        assert not task.done(), "it waits for who changes the row"
        await other.execute("COMMIT")
        await other.close()
        assert (await task).changed == 1
        stored: bytes = await pool.fetchval("SELECT secret FROM webhook_endpoints")
        assert stored[1:9].hex() == ring.primary
        assert open_secrets(ring, endpoint_id, stored) == rolled


async def test_machines_with_a_copy_of_the_file_open_what_another_seals(
    fresh_database: str, tmp_path: Path
) -> None:
    """The order of the guide: add, copy, rotate, copy."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    async with open_town(fresh_database, here) as town:
        shutil.copy(here / "keys", there / "keys")
        async with open_town(fresh_database, there) as far:
            lin, door = await town.person(yuan=10), await far.merchant()
            ring = FileKeyRing.load(here / "keys", system_entropy)
            new = ring.add()
            shutil.copy(here / "keys", there / "keys")
            ring.promote(new)
            change = sealed_anew(ring, CODE_SEEDS.context)
            assert (await rewrite(town.services.pool, CODE_SEEDS, change)).changed == 1
            assert b"captured" in (await far.by_code(door, lin.code(), 100)).body
            await far.person()
            assert await left(town.services.pool, ring) == 1, "it still seals as it did"
            shutil.copy(here / "keys", there / "keys")
            await far.person()
            assert await left(town.services.pool, ring) == 1
            assert (await rewrite(town.services.pool, CODE_SEEDS, change)).changed == 1
            assert await left(town.services.pool, ring) == 0
