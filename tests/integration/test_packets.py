"""Red packets on PostgreSQL: made, opened by many at once, given back; and what must not be."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from faults import owner_of
from structlog.testing import capture_logs
from town import Facts, Someone, Town, at_once, key, open_town, said

from moves import CNY
from tandem.db import IdempotencyConflict
from tandem.kernel import Invalid, NotFound, read_id
from tandem.ledger import InsufficientFunds, Outcome, verify
from tandem.ledger import packet as packet_account
from tandem.packets import (
    PACKET_LINKS,
    PacketKept,
    PacketLinksPaused,
    PacketOpened,
    PacketOver,
    PacketOwn,
    PacketUnopened,
)
from tandem.people import (
    Confirmed,
    LimitExceeded,
    PasskeyNeeded,
    PayerNotActive,
    PersonNotActive,
)


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=100)


@pytest.fixture
async def mei(town: Town) -> Someone:
    return await town.person(name="Mei Chen")


async def made(town: Town, who: Someone, amount: int, shares: int, **more: Any) -> UUID:  # noqa: ANN401 - arguments of make
    """A packet, by its id."""
    division = more.pop("division", "luck")
    outcome = await town.services.packets.make(
        who.id, amount, "CNY", shares, division, more.pop("key", key()), **more
    )
    return read_id("pkt", said(outcome)["id"])


async def token_of(town: Town, who: Someone, packet_id: UUID) -> str:
    return (await town.services.packets.link(who.id, packet_id)).url.partition("#")[2]


async def opened(town: Town, who: Someone, packet_id: UUID, token: str | None = None) -> Facts:
    return said(await town.services.packets.open(who.id, packet_id, token, key()))


async def balance(who: Someone) -> int:
    return int((await who.balance())["balance"])


async def held(town: Town, packet_id: UUID) -> int:
    account = packet_account(packet_id, CNY).id
    return int(
        await town.services.pool.fetchval(
            "SELECT credits_posted - debits_posted FROM accounts WHERE id = $1", account
        )
    )


async def events(town: Town, who: Someone) -> list[str]:
    rows = await town.services.pool.fetch(
        "SELECT type FROM events WHERE owner_id = $1 AND type LIKE 'packet.%' ORDER BY id", who.id
    )
    return [row[0] for row in rows]


# -- well ----------------------------------------------------------------------------------------


async def test_a_packet_for_named_people(town: Town, lin: Someone, mei: Someone) -> None:
    packets, noor = town.services.packets, await town.person(name="Noor Haddad")
    packet_id = await made(
        town, lin, 1001, 2, division="equal", to=[mei.handle, f"@{noor.handle}"], message="Tea"
    )
    assert (await balance(lin), await held(town, packet_id)) == (8999, 1001)
    assert (await lin.balance())["spent_today"] == 1001
    before = await packets.view(mei.id, packet_id)
    assert (before.role, before.maker, before.message) == ("received", "Lin Wei", "Tea")
    assert (before.amount, before.opened_amount, before.mine) == (None, None, None)
    assert before.can_open
    assert not (await packets.view(lin.id, packet_id)).can_open
    with pytest.raises(PacketUnopened):
        await packets.shares(mei.id, packet_id, None, 10)
    first = await opened(town, mei, packet_id)
    assert (first["mine"], first["status"], first["amount"]) == (500, "open", 1001)
    last = await opened(town, noor, packet_id)
    assert (last["mine"], last["status"], last["opened_amount"]) == (501, "emptied", 1001)
    assert [await balance(who) for who in (mei, noor)] == [500, 501]
    assert await held(town, packet_id) == 0
    shares = await packets.shares(mei.id, packet_id, None, 10)
    assert [(s.name, s.amount, s.mine, s.luckiest) for s in shares] == [
        ("Noor Haddad", 501, False, False),
        ("Mei Chen", 500, True, False),
    ]
    assert await packets.shares(mei.id, packet_id, read_id("psh", shares[0].id), 9) == shares[1:]
    assert [s.mine for s in await packets.shares(lin.id, packet_id, None, 1)] == [False]
    assert await events(town, lin) == ["packet.made", *["packet.opened"] * 2, "packet.emptied"]
    assert await events(town, mei) == ["packet.received", "packet.opened", "packet.emptied"]
    for who, role in ((lin, "made"), (mei, "received")):
        (seen,) = await packets.list(who.id, None, 10)
        assert seen.packet.id == packet_id
        assert (await packets.view(who.id, packet_id)).role == role
    with pytest.raises(NotFound):  # it has no link
        await packets.link(lin.id, packet_id)


async def test_a_packet_for_whoever_has_its_link(town: Town, lin: Someone, mei: Someone) -> None:
    packets = town.services.packets
    packet_id = await made(town, lin, 2000, 3, maker_opens=True)
    token = await token_of(town, lin, packet_id)
    assert len(token) == 22
    found = await packets.find(mei.id, token)
    assert (found.id, found.can_open, found.amount) == (f"pkt_{packet_id.hex}", True, None)
    with pytest.raises(NotFound):  # by its id alone it is another's
        await packets.view(mei.id, packet_id)
    got = [(await opened(town, mei, packet_id, token))["mine"]]
    got += [(await opened(town, lin, packet_id))["mine"]]
    shares = await packets.shares(mei.id, packet_id, None, 10)
    assert not any(share.luckiest for share in shares), "the largest is known at the end"
    noor = await town.person(name="Noor")
    got += [(await opened(town, noor, packet_id, token))["mine"]]
    assert sum(got) == 2000
    assert [await balance(who) for who in (lin, mei, noor)] == [8000 + got[1], got[0], got[2]]
    shares = await packets.shares(mei.id, packet_id, None, 10)
    (luckiest,) = [share.amount for share in shares if share.luckiest]
    assert luckiest == max(got)
    with pytest.raises(PacketOver):
        await opened(town, await town.person(), packet_id, token)


async def test_what_nobody_opened_goes_back(town: Town, lin: Someone, mei: Someone) -> None:
    packets = town.services.packets
    packet_id = await made(town, lin, 900, 3, division="equal")
    token = await token_of(town, lin, packet_id)
    await opened(town, mei, packet_id, token)
    assert (await packets.view(lin.id, packet_id)).expires_at > town.services.clock.now()
    town.wait(hours=23, minutes=59)
    assert await packets.expire_due() == 0
    town.wait(minutes=1, seconds=1)
    with pytest.raises(PacketOver, match="The time"):  # before any timer came
        await opened(town, await town.person(), packet_id, token)
    assert await packets.expire_due() == 1
    assert await packets.expire_due() == 0
    assert [await balance(who) for who in (lin, mei)] == [9700, 300]
    assert await held(town, packet_id) == 0
    assert await events(town, mei) == ["packet.opened", "packet.expired"]
    assert (await events(town, lin))[-1] == "packet.expired"
    assert (await packets.view(mei.id, packet_id)).status == "expired"
    lines = [
        (line.type, line.change, line.message)
        for line in await town.services.wallet.history(lin.id, "CNY", None, 9)
    ]
    assert lines[:2] == [("packet_return", 600, None), ("packet", -900, None)]
    (line, *_) = await town.services.wallet.history(mei.id, "CNY", None, 9)
    assert (line.type, line.change, line.with_name) == ("packet_share", 300, "Lin Wei")
    assert line.object_id == f"pkt_{packet_id.hex}"


async def test_a_packet_is_taken_back_only_before_anybody_opened_it(
    town: Town, lin: Someone, mei: Someone
) -> None:
    packets = town.services.packets
    back = await made(town, lin, 500, 2)
    assert said(await packets.cancel(lin.id, back, key()))["status"] == "cancelled"
    assert await balance(lin) == 10_000
    assert (await lin.balance())["spent_today"] == 500, "as a send that came back would count"
    with pytest.raises(PacketOver, match="taken"):
        await packets.cancel(lin.id, back, key())
    token = await token_of(town, lin, back)
    with pytest.raises(PacketOver):
        await opened(town, mei, back, token)
    named = await made(town, lin, 500, 1, to=[mei.handle])
    with_share = await made(town, lin, 500, 2)
    await opened(town, mei, with_share, await token_of(town, lin, with_share))
    for kept in (named, with_share):
        with pytest.raises(PacketKept):
            await packets.cancel(lin.id, kept, key())
    assert await held(town, named) == 500


# -- many at once --------------------------------------------------------------------------------


async def test_sixty_four_open_the_last_three_shares(town: Town, lin: Someone) -> None:
    packet_id = await made(town, lin, 1000, 4)
    token = await token_of(town, lin, packet_id)
    crowd = [await town.person(name=f"Friend {number}") for number in range(64)]
    await opened(town, crowd[0], packet_id, token)
    outcomes, refused = await at_once(
        town.services.packets.open(who.id, packet_id, token, key()) for who in crowd[1:]
    )
    assert len(outcomes) == 3
    assert {type(one) for one in refused} == {PacketOver}
    assert sum([await balance(who) for who in crowd]) == 1000
    assert await held(town, packet_id) == 0
    await town.check()


async def test_one_person_opens_at_once_again_and_again(
    town: Town, lin: Someone, mei: Someone
) -> None:
    """Under keys of their own: one is a share, whatever group the others are in."""
    for _ in range(3):
        packet_id = await made(town, lin, 500, 5, division="equal")
        token = await token_of(town, lin, packet_id)
        before = await balance(mei)
        with capture_logs():  # of entries that the database refused, with their tracebacks
            outcomes, refused = await at_once(
                town.services.packets.open(mei.id, packet_id, token, key()) for _ in range(16)
            )
        assert (len(outcomes), {type(one) for one in refused}) == (1, {PacketOpened})
        assert await balance(mei) == before + 100


async def test_a_packet_that_ends_while_it_is_opened(
    town: Town, lin: Someone, mei: Someone
) -> None:
    packets = town.services.packets
    for _ in range(6):
        packet_id = await made(town, lin, 100, 2)
        token = await token_of(town, lin, packet_id)
        before = await balance(lin) + await balance(mei)
        outcomes, refused = await at_once(
            [
                packets.cancel(lin.id, packet_id, key()),
                packets.open(mei.id, packet_id, token, key()),
            ]
        )
        assert len(outcomes) == 1
        assert type(refused[0]) in {PacketOver, PacketKept}
        left = await held(town, packet_id)
        assert await balance(lin) + await balance(mei) + left == before + 100


async def test_the_same_key_at_once_has_one_effect(town: Town, lin: Someone, mei: Someone) -> None:
    packets = town.services.packets
    outcomes, refused = await at_once(
        packets.make(lin.id, 70, "CNY", 2, "luck", key(f"make {lin.handle}")) for _ in range(32)
    )
    assert refused == []
    assert len({outcome.body for outcome in outcomes}) == 1
    assert await balance(lin) == 9930
    packet_id = read_id("pkt", said(outcomes[0])["id"])
    token = await token_of(town, lin, packet_id)
    name = f"open {mei.handle}"
    outcomes, refused = await at_once(
        packets.open(mei.id, packet_id, token, key(name)) for _ in range(32)
    )
    assert refused == []
    assert len({outcome.body for outcome in outcomes}) == 1
    assert await packets.open(mei.id, packet_id, token, key(name)) == Outcome(
        outcomes[0].body, replayed=True
    )
    with pytest.raises(IdempotencyConflict):
        await packets.open(mei.id, packet_id, token, key(name, "another body"))
    assert await balance(mei) == said(outcomes[0])["mine"]


# -- what must not be ----------------------------------------------------------------------------


async def test_what_cannot_be_a_packet(town: Town, lin: Someone, mei: Someone) -> None:
    make = town.services.packets.make
    wrong: list[tuple[int, int, dict[str, Any]]] = [
        (0, 1, {}),
        (2, 3, {}),
        (100, 0, {}),
        (101, 101, {}),
        (100, 1, {"to": [lin.handle]}),
        (100, 1, {"to": [mei.handle, f"@{mei.handle}"]}),
        (100, 2, {"to": [mei.handle]}),
        (100, 1, {"message": "a\u202eb"}),
    ]
    for amount, shares, more in wrong:
        with pytest.raises(Invalid):
            await make(lin.id, amount, "CNY", shares, "luck", key(), **more)
    with pytest.raises(Invalid, match="CHF"):
        await make(lin.id, 100, "CHF", 1, "luck", key())
    with pytest.raises(NotFound):
        await make(lin.id, 100, "CNY", 1, "luck", key(), to=["no.body"])
    with pytest.raises(InsufficientFunds):
        await make(lin.id, 10_001, "CNY", 1, "luck", key())
    assert await balance(lin) == 10_000
    assert said(await make(lin.id, 2, "CNY", 2, "luck", key(), to=[mei.handle], maker_opens=True))[
        "can_open"
    ]


async def test_limits_and_suspension(town: Town, lin: Someone, mei: Someone) -> None:
    people, packets = town.services.people, town.services.packets
    await people.set_limits(lin.id, "CNY", 1000, 1500)
    with pytest.raises(LimitExceeded):
        await made(town, lin, 1001, 1)
    packet_id = await made(town, lin, 1000, 3)
    token = await token_of(town, lin, packet_id)
    with pytest.raises(LimitExceeded):
        await made(town, lin, 600, 1)
    await people.set_status(mei.id, "suspended")
    with pytest.raises(PersonNotActive):
        await opened(town, mei, packet_id, token)
    with pytest.raises(PayerNotActive):
        await made(town, mei, 1, 1)
    await people.set_status(mei.id, "active")
    await people.set_status(lin.id, "suspended")
    with pytest.raises(PersonNotActive):
        await opened(town, mei, packet_id, token)
    town.wait(days=1, seconds=1)
    assert await packets.expire_due() >= 1
    assert await balance(lin) == 10_000, "their own money comes back all the same"


async def test_a_large_packet_asks_for_the_passkey(town: Town, lin: Someone, mei: Someone) -> None:
    await town.services.pool.execute(
        "INSERT INTO passkey_limits (person_id, currency, above) VALUES ($1, 'CNY', 500)", lin.id
    )
    with pytest.raises(PasskeyNeeded) as needed:
        await made(town, lin, 501, 1, to=[mei.handle])
    facts = Confirmed(needed.value.payee_id, 501, "CNY")
    for other in ({"to": ()}, {"to": [(await town.person()).handle]}):
        with pytest.raises(PasskeyNeeded):  # it was confirmed for Mei, and for nobody else
            await made(town, lin, 501, 1, confirmed=facts, **other)
    await made(town, lin, 501, 1, to=[mei.handle], confirmed=facts)
    await made(town, lin, 500, 1)


async def test_who_may_not_open(town: Town, lin: Someone, mei: Someone) -> None:
    packets, eve = town.services.packets, await town.person(name="Eve")
    named = await made(town, lin, 100, 1, to=[mei.handle])
    linked = await made(town, lin, 100, 2)
    token = await token_of(town, lin, linked)
    nobody = town.services.ids.new()
    for call in (
        packets.open(eve.id, named, None, key()),
        packets.open(eve.id, named, token, key()),  # another packet's
        packets.open(eve.id, linked, None, key()),
        packets.open(eve.id, nobody, None, key()),
        packets.view(eve.id, named),
        packets.view(eve.id, linked),
        packets.view(eve.id, nobody),
        packets.shares(eve.id, named, None, 9),
        packets.link(eve.id, linked),
        packets.link(mei.id, named),
        packets.cancel(eve.id, linked, key()),
        packets.cancel(mei.id, named, key()),
    ):
        with pytest.raises(NotFound):
            await call
    assert await packets.list(eve.id, None, 9) == []
    with pytest.raises(PacketOwn):
        await packets.open(lin.id, linked, None, key())
    await opened(town, mei, named)
    with pytest.raises(PacketOpened):
        await opened(town, mei, named)


async def test_guessed_links_are_counted(town: Town, lin: Someone, mei: Someone) -> None:
    packets = town.services.packets
    packet_id = await made(town, lin, 100, 2)
    token = await token_of(town, lin, packet_id)
    for wrong in range(4):
        with pytest.raises(NotFound):
            await packets.find(mei.id, f"guess {wrong}")
    await packets.find(mei.id, token)  # a right one in between: they begin anew
    outcomes, refused = await at_once(
        packets.open(mei.id, packet_id, f"guess {number}", key()) for number in range(40)
    )
    assert outcomes == []
    kinds = [type(one) for one in refused]
    assert kinds.count(NotFound) == 5
    assert kinds.count(PacketLinksPaused) == 35
    with pytest.raises(PacketLinksPaused):
        await packets.find(mei.id, token)
    await packets.find((await town.person()).id, token)  # nobody else is kept out
    town.wait(minutes=16)
    assert (await opened(town, mei, packet_id, token))["mine"] > 0


async def test_the_token_is_kept_hashed_and_sealed(town: Town, lin: Someone) -> None:
    packet_id = await made(town, lin, 100, 2)
    token = await token_of(town, lin, packet_id)
    row = await town.services.pool.fetchrow("SELECT * FROM packet_links WHERE id = $1", packet_id)
    assert row is not None
    sealed = bytes(row["sealed"])
    assert token.encode() not in sealed + bytes(row["hash"])
    opened_again = town.services.keyring.open(sealed, PACKET_LINKS.context(packet_id))
    assert opened_again == token.encode()
    answers = await town.services.pool.fetch("SELECT answer FROM idempotency")
    assert not any(token.encode() in bytes(answer[0]) for answer in answers)
    told = await town.services.pool.fetch("SELECT data FROM events")
    assert not any(token in event[0] for event in told)


async def test_the_books_know_when_a_packet_is_wrong(
    fresh_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with open_town(fresh_database, tmp_path_factory.mktemp("keys")) as alone:
        lin, mei = await alone.person(yuan=100), await alone.person()
        packet_id = await made(alone, lin, 500, 2)
        await opened(alone, mei, packet_id, await token_of(alone, lin, packet_id))
        await alone.check()
        for change, back in (
            (
                "UPDATE packets SET opened_amount = opened_amount + 1",
                "UPDATE packets SET opened_amount = opened_amount - 1",
            ),
            (
                "UPDATE packets SET status = 'expired'",
                "UPDATE packets SET status = 'open'",
            ),
            (
                "UPDATE packet_shares SET amount = amount + 1",
                "UPDATE packet_shares SET amount = amount - 1",
            ),
        ):
            async with owner_of(fresh_database) as owner:
                await owner.execute(change)
            async with alone.services.pool.acquire() as connection:
                found, *_ = await verify(connection)
            assert [difference.kind for difference in found] == ["packet"], change
            async with owner_of(fresh_database) as owner:
                await owner.execute(back)


async def test_the_database_is_the_second_witness(town: Town, lin: Someone, mei: Someone) -> None:
    packet_id = await made(town, lin, 500, 2)
    await opened(town, mei, packet_id, await token_of(town, lin, packet_id))
    pool = town.services.pool
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute(
            "INSERT INTO packet_shares SELECT packet_id, person_id, gen_random_uuid(), name, "
            "1, created_at FROM packet_shares WHERE packet_id = $1",
            packet_id,
        )
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("UPDATE packets SET opened = 2 WHERE id = $1", packet_id)
    for forbidden in ("UPDATE packet_shares SET amount = 1", "DELETE FROM packet_shares"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(forbidden)
