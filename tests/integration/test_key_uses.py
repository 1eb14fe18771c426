"""When keys were used last: written once a minute, whichever process saw it."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from parties import Parties, open_parties
from tandem.access import Access
from tandem.access.uses import Uses
from tandem.db import work
from tandem.kernel import read_id, system_entropy


async def used_at(here: Parties, owner: UUID) -> list[datetime | None]:
    """When each of the owner's keys was used last, newest key first."""
    async with here.pool.acquire() as connection:
        return [key.last_used_at for key in await here.access.keys_of(connection, owner, None, 9)]


async def test_a_keys_last_use_is_known_to_the_minute(fresh_database: str, tmp_path: Path) -> None:
    async with open_parties(fresh_database, tmp_path) as here:
        owner = here.ids.new()
        async with work(here.pool) as connection:
            made, _ = [
                await here.access.create(
                    connection, kind="merchant", owner_id=owner, name="K", scopes=["shops:read"]
                )
                for _ in range(2)
            ]
        here.clock.advance(timedelta(seconds=59))
        minute = here.clock.now().replace(second=0, microsecond=0)

        async def seen_by(access: Access) -> None:
            for _ in range(3):
                await access.authenticate(made.secret)
            async with work(here.pool) as connection:
                await access._uses.write(connection, here.clock.now())

        await seen_by(here.access)
        assert await used_at(here, owner) == [None, minute]
        ((before,),) = await here.pool.fetch(
            "SELECT xmin::text FROM api_keys WHERE id = $1", read_id("key", made.id)
        )
        elsewhere = Access(here.pool, here.clock, here.ids, system_entropy)
        await seen_by(elsewhere)
        await seen_by(here.access)
        here.clock.advance(timedelta(seconds=0.5))
        await seen_by(elsewhere)
        ((after,),) = await here.pool.fetch(
            "SELECT xmin::text FROM api_keys WHERE id = $1", read_id("key", made.id)
        )
        assert after == before, "one write in a minute, of all processes"

        here.clock.advance(timedelta(minutes=2))
        await seen_by(elsewhere)
        assert await used_at(here, owner) == [None, minute + timedelta(minutes=2)]


async def test_who_writes_a_use_waits_for_nobody(fresh_database: str, tmp_path: Path) -> None:
    async with open_parties(fresh_database, tmp_path) as here:
        owner = here.ids.new()
        async with work(here.pool) as connection:
            made = await here.access.create(
                connection, kind="merchant", owner_id=owner, name="K", scopes=["shops:read"]
            )
        key_id = read_id("key", made.id)
        uses = Uses()
        uses.note.add(key_id)
        async with work(here.pool) as holder, work(here.pool) as connection:
            await here.access.revoke(holder, owner, key_id)
            await uses.write(connection, here.clock.now())
        assert await used_at(here, owner) == [None]


async def test_revocations_do_not_wait_for_last_uses(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(Uses, "write", fail)
    async with open_parties(fresh_database, tmp_path) as here:
        owner = here.ids.new()
        elsewhere = Access(here.pool, here.clock, here.ids, system_entropy)
        told: asyncio.Queue[UUID] = asyncio.Queue()
        elsewhere.on_revoked(told.put_nowait)
        following = asyncio.create_task(elsewhere.follow())
        for _ in range(2):
            async with work(here.pool) as connection:
                made = await here.access.create(
                    connection, kind="merchant", owner_id=owner, name="K", scopes=["shops:read"]
                )
            await elsewhere.authenticate(made.secret)
            async with work(here.pool) as connection:
                await here.access.revoke(connection, owner, read_id("key", made.id))
            async with asyncio.timeout(5):
                while await told.get() != read_id("key", made.id):
                    pass
            assert not elsewhere.knows(made.secret)
        assert not following.done()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_who_asks_while_a_device_is_renamed_is_called_by_the_new_name_afterwards(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_parties(fresh_database, tmp_path) as here:
        signed = await here.people.sign_up("lin", "Lin", "Phone", None)
        secret, rename = signed.device.key, here.access.rename_device

        async def asked_meanwhile(*arguments: Any) -> Any:  # noqa: ANN401 - as it has them
            forget = await rename(*arguments)
            assert (await here.access.authenticate(secret)).name == "Phone"
            return forget

        monkeypatch.setattr(here.access, "rename_device", asked_meanwhile)
        owner, device = read_id("ppl", signed.person.id), read_id("dev", signed.device.id)
        await here.people.rename_device(owner, device, "Desk")
        assert (await here.access.authenticate(secret)).name == "Desk"
