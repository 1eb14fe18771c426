"""Keys, people and their devices on PostgreSQL."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from moves import CNY, EUR, Move, once, pay
from parties import Parties, open_parties, person_id
from tandem.access import Access, KeyUnknown, NoSuchScope
from tandem.codes import paycode
from tandem.db import STRANGERS, IdempotencyConflict, speak_rows, work
from tandem.kernel import Invalid, NotFound, currency, read_id, system_entropy
from tandem.ledger import ACCOUNTS, OPERATOR_ID, TermsChanged, bank, open_accounts, person
from tandem.people import (
    DEVICES,
    HandleTaken,
    Limits,
    count_wrong_code,
    device_by_code_index,
    find_id_by_handle,
    load_terms,
    open_seed,
)
from tandem.people.service import MAX_DEVICES
from tandem.people.store import PAUSE, WRONG_CODES_MAX
from tandem.settings import Settings

XOF = currency("XOF")


@pytest.fixture
async def here(fresh_database: str, tmp_path: Path) -> AsyncIterator[Parties]:
    async with open_parties(fresh_database, tmp_path) as made:
        yield made


async def count(here: Parties, table: str) -> int:
    found: int = await here.pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name in this file
    return found


# -- signing up ----------------------------------------------------------------------------------


async def test_a_new_person_has_a_device_whose_key_and_codes_work(here: Parties) -> None:
    made = await here.people.sign_up("lin", "  Lin\u0301 ", "Phone", None)
    assert made.person.handle == "@lin"
    assert made.person.name == "Li\u0144"  # composed, trimmed
    principal = await here.access.authenticate(made.device.key)
    assert principal.kind == "person"
    assert principal.owner_id == person_id(made)
    assert principal.device_id == read_id("dev", made.device.id)
    assert principal.scopes == {"wallet"}

    code = paycode.parse(
        paycode.generate(
            base64.b64decode(made.device.code_seed), made.device.code_index, here.clock.now(), 1
        )
    )
    async with here.pool.acquire() as connection:
        device = await device_by_code_index(connection, int(code.index))
    assert device is not None
    assert device.person_id == person_id(made)
    mark = paycode.check(code, open_seed(here.keyring, device), here.clock.now(), None)
    assert mark.counter == 1


async def test_secrets_are_stored_hashed_or_sealed(here: Parties) -> None:
    made = await here.people.sign_up("lin", "Lin", "Phone", once(OPERATOR_ID, "k"))
    tables = ("people", "devices", "api_keys", "idempotency")
    stored = [
        repr(tuple(row))
        for t in tables
        for row in await here.pool.fetch(f"SELECT * FROM {t}")  # noqa: S608 - names in this file
    ]
    assert len(stored) == 4
    seed = base64.b64decode(made.device.code_seed)
    for secret in (made.device.key, made.device.code_seed, repr(seed)[2:-1], seed.hex()):
        assert not any(secret in row for row in stored)


async def test_a_repeat_gets_the_same_secrets_again(here: Parties) -> None:
    async def sign_up() -> object:
        return await here.people.sign_up("lin", "Lin", "Phone", once(OPERATOR_ID, "k", "lin"))

    answers = await asyncio.gather(*(sign_up() for _ in range(32)))
    assert all(answer == answers[0] for answer in answers)
    assert await count(here, "people") == 1
    assert await count(here, "devices") == 1
    with pytest.raises(IdempotencyConflict):
        await here.people.sign_up("mei", "Mei", "Phone", once(OPERATOR_ID, "k", "mei"))
    assert await count(here, "people") == 1


async def test_a_strangers_key_is_not_in_the_table(here: Parties) -> None:
    """Whoever reads it could ask for the answer, and have the device's key."""
    secret = "2f1c9a52-6f0b-4d3e-9c7a-5b1e8d04a7f6"
    made = await here.people.sign_up("lin", "Lin", "Phone", once(STRANGERS, secret))
    (row,) = await here.pool.fetch("SELECT * FROM idempotency")
    assert secret not in repr(tuple(row))
    assert await here.people.sign_up("lin", "Lin", "Phone", once(STRANGERS, secret)) == made
    with pytest.raises(HandleTaken):
        await here.people.sign_up("lin", "Lin", "Phone", once(STRANGERS, row["key"]))
    with pytest.raises(IdempotencyConflict) as refused:
        await here.people.sign_up("mei", "Mei", "Phone", once(STRANGERS, secret, "mei"))
    assert refused.value.key == secret


async def test_a_handle_belongs_to_one_person(here: Parties) -> None:
    asked = (here.people.sign_up("lin", f"Lin {n}", "Phone", None) for n in range(16))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, HandleTaken)]
    assert len(taken) == 15
    assert taken[0].sentence() == "The handle @lin is taken. Choose another one."
    assert await count(here, "people") == 1
    assert await count(here, "devices") == 1


@pytest.mark.parametrize(
    ("handle", "name", "device", "field"),
    [
        ("lin\n", "Lin", "Phone", "handle"),
        ("lin\0", "Lin", "Phone", "handle"),
        ("Lin", "Lin", "Phone", "handle"),
        ("lin", "", "Phone", "name"),
        ("lin", " \t ", "Phone", "name"),
        ("lin", "Lin\0", "Phone", "name"),
        ("lin", "Lin\x1b[2J", "Phone", "name"),
        ("lin", "Lin \u202e\u06cc", "Phone", "name"),
        ("lin", "x" * 101, "Phone", "name"),
        ("lin", "\ud800", "Phone", "name"),
        ("lin", "Lin", "Pho\u0007ne", "device_name"),
    ],
)
async def test_bad_names_make_nobody(
    here: Parties, handle: str, name: str, device: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await here.people.sign_up(handle, name, device, once(OPERATOR_ID, "k"))
    assert refused.value.field == field
    assert [await count(here, t) for t in ("people", "devices", "idempotency")] == [0, 0, 0]


async def test_a_taken_code_index_is_drawn_again(here: Parties) -> None:
    first = await here.people.sign_up("lin", "Lin", "Phone", None)
    taken = int(first.device.code_index).to_bytes(16, "big")
    draws = iter([system_entropy(32), taken, taken, bytes(15) + b"\x07"])
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return next(draws)

    second = await here.people_with(entropy=entropy).sign_up("mei", "Mei", "Phone", None)
    assert asked == [32, 16, 16, 16]
    assert second.device.code_index == "00000007"

    with pytest.raises(RuntimeError, match="one after another"):
        await here.people_with(entropy=lambda size: bytes(size - 1) + b"\x07").sign_up(
            "bo", "Bo", "P", None
        )
    assert await count(here, "people") == 2


# -- finding people ------------------------------------------------------------------------------


async def test_people_are_found_by_handle(here: Parties) -> None:
    lin = await here.sign_up("lin")
    for handle in ("lin", "@lin", "@LIN"):
        assert (await here.people.find_by_handle(handle)).id == lin
    async with here.pool.acquire() as connection:
        for handle in ("mei", "", "@", "@@lin", "lin\0", "l\x1b[2Jn", "\u212ain", "x" * 10_000):
            with pytest.raises(NotFound) as refused:
                await find_id_by_handle(connection, handle)
            assert refused.value.sentence().isprintable()
            assert len(refused.value.sentence()) < 100
    with pytest.raises(NotFound):
        await here.people.get(here.ids.new())


async def test_people_are_listed_newest_first_by_cursor(here: Parties) -> None:
    made = [await here.sign_up(f"p{n}") for n in range(5)]
    first = await here.people.search(None, None, 3)
    rest = await here.people.search(None, first[-1].id, 3)
    assert [p.id for p in (*first, *rest)] == made[::-1]
    assert [p.handle for p in await here.people.search("@P3", None, 9)] == ["p3"]
    for query in ("%", "_", "p%", "\0", "p3\0", "\\"):
        assert await here.people.search(query, None, 9) == []


# -- limits and status ---------------------------------------------------------------------------


async def test_limits_are_set_and_read_in_one_piece(here: Parties) -> None:
    lin = await here.sign_up("lin")
    await here.people.set_limits(lin, "CNY", 100, 10**15)
    await here.people.set_limits(lin, "EUR", 0, 0)
    await here.people.set_limits(lin, "CNY", 300, 400)
    terms = await here.people.terms(lin)
    assert terms.limits == {"CNY": Limits(300, 400), "EUR": Limits(0, 0)}
    assert terms.terms == 4
    with pytest.raises(Invalid):
        await here.people.set_limits(lin, "XXQ", 1, 1)
    with pytest.raises(NotFound):
        await here.people.set_limits(here.ids.new(), "CNY", 1, 1)


CHANGES: dict[str, Callable[[Parties, UUID], Awaitable[object]]] = {
    "limits": lambda here, lin: here.people.set_limits(lin, "CNY", 1, 1),
    "suspended": lambda here, lin: here.people.set_status(lin, "suspended"),
    "resumed": lambda here, lin: here.people.set_status(lin, "active"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_no_entry_is_committed_under_older_terms(here: Parties, change: str) -> None:
    lin, mei = await here.sign_up("lin"), await here.sign_up("mei")
    async with work(here.pool) as connection:  # a currency that the settings no longer name
        await open_accounts(connection, [person(lin, XOF)], here.clock.now())
    mine = [(person(lin, unit), 1) for unit in (CNY, EUR, XOF)]
    await here.submit_under(mine)

    await CHANGES[change](here, lin)
    for terms in mine:
        with pytest.raises(TermsChanged) as stale:
            await here.submit_under([terms])
        assert stale.value.owner_id == lin
    await here.submit_under([(key, 2) for key, _ in mine])
    await here.submit_under([(person(mei, CNY), 1)])


async def test_terms_wait_for_a_journal_without_holding_what_it_needs_next(here: Parties) -> None:
    """A journal locks what is there, then opens what is not; so does who changes terms."""
    lin = await here.sign_up("lin")
    later = here.people_with(settings=Settings(currencies=(CNY, EUR, XOF)))
    async with work(here.pool) as journal:
        await journal.execute("SET LOCAL lock_timeout = '2s'")
        await journal.execute(ACCOUNTS.lock_statement, [person(lin, EUR).id])
        change = asyncio.create_task(later.set_limits(lin, "CNY", 1, 1))
        await here.wait_for_a_waiter()
        await journal.execute(ACCOUNTS.lock_statement, [person(lin, XOF).id])
        await open_accounts(journal, [person(lin, XOF)], here.clock.now())
    await change
    assert [await here.terms_of(person(lin, unit)) for unit in (CNY, EUR, XOF)] == [2, 2, 2]


async def test_terms_change_under_load(here: Parties) -> None:
    """Entries that open and use several accounts of people whose terms change meanwhile."""
    crowd = [await here.sign_up(f"p{n}") for n in range(6)]
    units = [currency(code) for code in ("EUR", "CNY", "XOF", "JPY", "USD")]
    later = here.people_with(settings=Settings(currencies=tuple(units)))

    async def spend(n: int) -> None:
        pair = (crowd[n % 6], crowd[(n + 1) % 6])
        some = (units[n % 5], units[(n + 2) % 5])
        moves = [pay(bank(unit), person(who, unit), 1) for unit in some for who in pair]
        await here.journal.submit(Move(id=here.ids.entry(), transfers=moves))

    async def change(n: int) -> None:
        await later.set_limits(crowd[n % 6], "CNY", n, n)

    to_do = [change(n) if n % 4 == 0 else spend(n) for n in range(160)]
    await asyncio.wait_for(asyncio.gather(*to_do), 30)
    for who in crowd:
        terms = await here.people.terms(who)
        held = [await here.terms_of(person(who, unit)) for unit in units]
        assert set(held) == {terms.terms} if terms.terms > 1 else set(held) <= {0, None}
    assert sum([(await here.people.terms(who)).terms - 1 for who in crowd]) == 40


async def test_a_suspended_person_is_shown_so(here: Parties) -> None:
    lin = await here.sign_up("lin")
    assert (await here.people.set_status(lin, "suspended")).status == "suspended"
    async with here.pool.acquire() as connection:
        assert (await load_terms(connection, lin)).status == "suspended"
    assert (await here.people.set_status(lin, "active")).status == "active"
    with pytest.raises(NotFound):
        await here.people.set_status(here.ids.new(), "suspended")


# -- devices -------------------------------------------------------------------------------------


async def test_a_device_that_is_taken_out_of_use_works_no_more(here: Parties) -> None:
    made = await here.people.sign_up("lin", "Lin", "Phone", None)
    lin, mei = person_id(made), await here.sign_up("mei")
    watch = await here.people.add_device(lin, "Watch", None)
    watch_id = read_id("dev", watch.id)
    assert [d.name for d in await here.people.devices(lin, None, 1)] == ["Watch"]
    assert [d.name for d in await here.people.devices(lin, watch_id, 9)] == ["Phone"]

    with pytest.raises(NotFound):
        await here.people.revoke_device(mei, watch_id)
    await here.access.authenticate(watch.key)
    revoked = await here.people.revoke_device(lin, watch_id)
    assert revoked.revoked_at == here.clock.now()
    with pytest.raises(KeyUnknown):
        await here.access.authenticate(watch.key)
    async with here.pool.acquire() as connection:
        assert await device_by_code_index(connection, int(watch.code_index)) is None
        assert await device_by_code_index(connection, int(made.device.code_index)) is not None
    await here.access.authenticate(made.device.key)

    here.clock.advance(timedelta(days=1))
    assert await here.people.revoke_device(lin, watch_id) == revoked


async def test_a_device_is_added_once(here: Parties) -> None:
    lin = await here.sign_up("lin")
    first = await here.people.add_device(lin, "Watch", once(lin, "w"))
    assert await here.people.add_device(lin, "Watch", once(lin, "w")) == first
    assert len(await here.people.devices(lin, None, 9)) == 2
    for who, name in ((lin, "\u2066Watch"), (here.ids.new(), "Watch")):
        with pytest.raises((Invalid, NotFound)):
            await here.people.add_device(who, name, None)


async def test_a_person_has_not_endless_devices(here: Parties) -> None:
    lin = await here.sign_up("lin")
    asked = (here.people.add_device(lin, f"Device {n}", None) for n in range(MAX_DEVICES + 4))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Invalid)]
    assert len(refused) == 5  # the phone is one of the twenty
    held = await here.people.devices(lin, None, 99)
    assert len(held) == MAX_DEVICES
    await here.people.revoke_device(lin, held[0].id)
    await here.people.add_device(lin, "Another", None)


async def test_wrong_codes_pause_a_device(here: Parties) -> None:
    made = await here.people.sign_up("lin", "Lin", "Phone", None)
    device_id = read_id("dev", made.device.id)
    now = here.clock.now()
    async with work(here.pool) as connection:
        counted = [
            await count_wrong_code(connection, device_id, now) for _ in range(WRONG_CODES_MAX)
        ]
        assert counted == [None] * (WRONG_CODES_MAX - 1) + [now + PAUSE]
        assert await count_wrong_code(connection, device_id, now) == now + PAUSE
        assert await count_wrong_code(connection, device_id, now + PAUSE) is None
        assert await count_wrong_code(connection, here.ids.new(), now) is None


async def test_the_row_that_the_journal_locks_is_the_row_that_is_read(here: Parties) -> None:
    made = await here.people.sign_up("lin", "Lin", "Phone", None)
    async with work(here.pool) as connection:
        device = await device_by_code_index(connection, int(made.device.code_index))
        assert device is not None
        used = msgspec.structs.replace(device, code_step=10**10, code_counter=3, wrong_codes=2)
        await speak_rows(connection)
        change = DEVICES.change_arguments([used], [DEVICES.guards_of(device)])
        await connection.execute(DEVICES.update_statement(1), *change)
        (row,) = await connection.fetch(DEVICES.lock_statement, [device.id])
    assert DEVICES.row(*row) == used


# -- keys ----------------------------------------------------------------------------------------


async def test_keys_are_made_listed_and_revoked_by_their_owner(here: Parties) -> None:
    owner, other = here.ids.new(), here.ids.new()
    async with work(here.pool) as connection:
        keys = [
            await here.access.create(
                connection,
                kind="merchant",
                owner_id=owner,
                name=f"Key {n}",
                scopes=["payments:read"],
            )
            for n in range(3)
        ]
        with pytest.raises(NoSuchScope):
            await here.access.create(
                connection, kind="merchant", owner_id=owner, name="K", scopes=["operator"]
            )
    async with here.pool.acquire() as connection:
        listed = await here.access.keys_of(connection, owner, None, 2)
        rest = await here.access.keys_of(connection, owner, listed[-1].id, 2)
        assert [key.name for key in (*listed, *rest)] == ["Key 2", "Key 1", "Key 0"]
        assert listed[0].hint == keys[2].secret[-4:]
        assert await here.access.keys_of(connection, other, None, 9) == []

    first = read_id("key", keys[0].id)
    await here.access.authenticate(keys[0].secret)
    async with work(here.pool) as connection:
        with pytest.raises(NotFound):
            await here.access.revoke(connection, other, first)
        await here.access.revoke(connection, owner, first)
    with pytest.raises(KeyUnknown):
        await here.access.authenticate(keys[0].secret)
    assert (await here.access.authenticate(keys[1].secret)).owner_id == owner


async def test_an_unknown_key_is_refused(here: Parties) -> None:
    for secret in ("tk_mer_" + "A" * 43, "tk_mer_", "", "\0", "x" * 100_000):
        with pytest.raises(KeyUnknown):
            await here.access.authenticate(secret)


async def test_a_key_that_another_process_revokes_works_no_more(here: Parties) -> None:
    made = await here.people.sign_up("lin", "Lin", "Phone", None)
    lin, phone = person_id(made), read_id("dev", made.device.id)
    elsewhere = Access(here.pool, here.clock, here.ids, system_entropy)
    following = asyncio.create_task(elsewhere.follow())
    try:
        await asyncio.sleep(0)
        await elsewhere.authenticate(made.device.key)
        await here.people.revoke_device(lin, phone)
        async with asyncio.timeout(5):
            with suppress(KeyUnknown):
                while True:
                    await elsewhere.authenticate(made.device.key)
                    await asyncio.sleep(0.05)
    finally:
        following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


@asynccontextmanager
async def following(access: Access) -> AsyncIterator[None]:
    """Keep up with what other processes revoke, for as long as the block lasts."""
    task = asyncio.create_task(access.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_whoever_listens_hears_of_every_revoked_key(here: Parties) -> None:
    """Here at once and elsewhere soon, in memory or not: what the key opened is to end."""
    made = await here.people.sign_up("lin", "Lin", "Phone", None)
    lin, phone = person_id(made), read_id("dev", made.device.id)
    key_id = await here.pool.fetchval("SELECT id FROM api_keys WHERE owner_id = $1", lin)
    elsewhere = Access(here.pool, here.clock, here.ids, system_entropy)
    heard: list[UUID] = []
    heard_elsewhere: asyncio.Queue[UUID] = asyncio.Queue()
    here.access.on_revoked(heard.append)
    elsewhere.on_revoked(heard_elsewhere.put_nowait)
    async with following(elsewhere), asyncio.timeout(5):
        await here.people.revoke_device(lin, phone)
        assert heard == [key_id]
        assert await heard_elsewhere.get() == key_id


async def test_who_follows_again_hears_what_was_revoked_meanwhile(here: Parties) -> None:
    owner = here.ids.new()
    async with work(here.pool) as connection:
        made = await here.access.create(
            connection, kind="merchant", owner_id=owner, name="K", scopes=["payments:read"]
        )
    elsewhere = Access(here.pool, here.clock, here.ids, system_entropy)
    heard: asyncio.Queue[UUID] = asyncio.Queue()
    elsewhere.on_revoked(heard.put_nowait)
    async with following(elsewhere), asyncio.timeout(5):
        while elsewhere._followed_until is None:  # noqa: ASYNC110 - it looks by itself
            await asyncio.sleep(0.02)
    here.clock.advance(timedelta(hours=1))
    async with work(here.pool) as connection:
        await here.access.revoke(connection, owner, read_id("key", made.id))
    here.clock.advance(timedelta(hours=1))  # its database was away for that long
    async with following(elsewhere), asyncio.timeout(5):
        assert await heard.get() == read_id("key", made.id)


async def test_who_did_not_follow_for_a_while_knows_no_key(here: Parties) -> None:
    made = await here.people.sign_up("lin", "Lin", "Phone", None)
    elsewhere = Access(here.pool, here.clock, here.ids, system_entropy)
    await elsewhere.authenticate(made.device.key)
    await here.people.revoke_device(person_id(made), read_id("dev", made.device.id))
    here.clock.advance(timedelta(hours=1))  # long after the last minute's revocations
    following = asyncio.create_task(elsewhere.follow())
    await asyncio.sleep(0)
    following.cancel()
    with pytest.raises(KeyUnknown):
        await elsewhere.authenticate(made.device.key)
    with pytest.raises(asyncio.CancelledError):
        await following
