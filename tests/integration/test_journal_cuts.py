"""The network fails at every message of the journal's transaction, and nothing is lost or doubled.

Whatever is cut, every caller gets an outcome; what was acknowledged is durable once; what was not
happened once at most; and the same idempotency key afterwards gives exactly one effect.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count
from typing import Final, get_args
from uuid import UUID

import pytest
from faults import Cut, CuttingProxy, When, balances, differences, owner_of
from structlog.testing import capture_logs
from structlog.typing import EventDict

from moves import Move, account, hold, journal_on, new_ids, once, owner, pay, resolve
from tandem.kernel import transfer_id
from tandem.ledger import (
    TRANSFERS,
    AccountCode,
    AccountKey,
    InsufficientFunds,
    Journal,
    JournalBusy,
    Outcome,
    OutcomeUnknown,
    TransferKind,
    View,
    entry_transfers,
)
from tandem.ledger.journal import WARY_GROUPS

BANK: Final = account(0, AccountCode.BANK)
IDS: Final = new_ids()
people = count(1)
LARGE: Final = 40
WHENS: Final[tuple[When, ...]] = get_args(When)

Came = Outcome | BaseException
CAME: Final = [Outcome, Outcome, Outcome, InsufficientFunds]


@pytest.fixture(autouse=True)
def _logs() -> Iterator[list[EventDict]]:
    """Kept from the screen: a journal says a lot when everything goes wrong."""
    with capture_logs() as logs:
        yield logs


class Told:
    """A listener: which entries it was told of, by their transfers."""

    def __init__(self, journal: Journal) -> None:
        self.transfers: list[UUID] = []
        journal.on_commit(self)

    def __call__(self, view: View) -> None:
        self.transfers += [row.id for row in view.appended[TRANSFERS]]


class Scene:
    """Fresh accounts, and a group whose effects on them are known.

    Ann has 100 and a reservation of 30. The group: a payment that opens an account, the
    reservation posted, a new reservation, a payment that is refused. The first three are one
    statement and its commit, the refusal is decided again under locks.
    """

    def __init__(self) -> None:
        self.ann, self.ben = account(next(people)), account(next(people))
        self.held = hold(self.ann, self.ben, 30)
        self.first = Move(id=IDS.entry(), transfers=(pay(BANK, self.ann, 100), self.held))
        self.pending = transfer_id(self.first.id, 2)

    def group(self) -> list[Move]:
        """The same requests, each time as new entries: only the idempotency keys tell."""
        asked = (
            (pay(self.ann, self.ben, 20),),
            (resolve(TransferKind.POST, self.pending, self.held, 25),),
            (hold(self.ann, self.ben, 5),),
            (pay(self.ann, self.ben, 1000),),
        )
        return [
            Move(id=IDS.entry(), transfers=transfers, idempotency=once(self.ann.owner_id, str(n)))
            for n, transfers in enumerate(asked)
        ]


@pytest.fixture(scope="module")
async def proxy(module_database: str) -> AsyncIterator[CuttingProxy]:
    async with CuttingProxy(module_database) as proxy:
        yield proxy


async def send(journal: Journal, entries: Sequence[Move]) -> list[Came]:
    """Submit entries at once; an outcome or a refusal for each, in time."""
    async with asyncio.timeout(20):
        return await asyncio.gather(*map(journal.submit, entries), return_exceptions=True)


async def check(url: str, entries: Sequence[Move], came: Sequence[Came]) -> None:
    """What was acknowledged is durable once, what was not at most once."""
    async with owner_of(url) as connection:
        for entry, outcome in zip(entries, came, strict=True):
            rows = await entry_transfers(connection, entry.id)
            if isinstance(outcome, Outcome):
                assert len(rows) == 1
                assert not outcome.replayed
            elif isinstance(outcome, OutcomeUnknown):
                assert len(rows) <= 1
            else:
                assert isinstance(outcome, (InsufficientFunds, JournalBusy)), repr(outcome)
                assert rows == []


async def check_repeats(url: str, journal: Journal, scene: Scene, came: Sequence[Came]) -> None:
    """The same keys again give one effect in all, and the answer of whoever had it."""
    again = await send(journal, scene.group())
    for before, after in zip(came, again, strict=True):
        if isinstance(before, Outcome):
            assert isinstance(after, Outcome)
            assert after == Outcome(before.body, replayed=True)
    assert [type(outcome) for outcome in again] == CAME
    assert await balances(url, scene.ann, scene.ben) == [55, 45]


async def messages_of(proxy: CuttingProxy, journal: Journal) -> list[str]:
    """The messages of one such group on this connection, as they go by."""
    scene = Scene()
    await journal.submit(scene.first)
    proxy.plan()
    await send(journal, scene.group())
    return proxy.seen


async def calm(proxy: CuttingProxy, journal: Journal) -> list[str]:
    """Such groups until they are as usual, and the messages of the last.

    On a new connection statements are prepared anew, and a journal that met a repeat is careful for
    a while: those are other messages.
    """
    seen: list[str] = []
    for _ in range(WARY_GROUPS):
        seen = await messages_of(proxy, journal)
        if "P" not in seen and seen[0] != "QBEGIN":
            break
    return seen


async def commit_of(proxy: CuttingProxy, journal: Journal) -> int:
    """Which message of such a group commits it: the last one before the refusal's transaction."""
    return (await calm(proxy, journal)).index("QBEGIN")


@pytest.mark.parametrize("when", WHENS)
async def test_a_cut_at_every_message_of_a_group(
    proxy: CuttingProxy, module_database: str, when: When
) -> None:
    async with journal_on(proxy.url, reconnect_seconds=10) as journal:
        told = Told(journal)
        usual = await calm(proxy, journal)
        assert usual[-1] == "QCOMMIT", "the refusal was looked at again, and is kept"
        assert usual.index("QBEGIN") == 6, "what is accepted takes a read and a write"
        for message in range(1, len(usual) + 1):
            scene = Scene()
            await calm(proxy, journal)
            await journal.submit(scene.first)
            proxy.plan(Cut(message, when))
            entries = scene.group()
            came = await send(journal, entries)
            assert proxy.cuts == 1
            assert [type(c) for c in came] == CAME
            await check(module_database, entries, came)
            await check_repeats(module_database, journal, scene, came)
            for entry in entries[:3]:
                assert told.transfers.count(transfer_id(entry.id, 1)) == 1
    assert await differences(module_database) == []


async def test_a_refusal_that_may_not_be_kept_is_not_told_as_certain(
    proxy: CuttingProxy, module_database: str
) -> None:
    """The database goes away when the refusal is committed: a repeat may come to another."""
    ann, ben = account(next(people)), account(next(people))

    def poor(key: str) -> Move:
        asked = once(ann.owner_id, key)
        return Move(id=IDS.entry(), transfers=(pay(ann, ben, 10),), idempotency=asked)

    async with journal_on(proxy.url, reconnect_seconds=0.2) as journal:
        await journal.submit(Move(id=IDS.entry(), transfers=(pay(BANK, ann, 5),)))
        for key in ("prepares", "as usual"):
            proxy.plan()
            assert [type(one) for one in await send(journal, [poor(key)])] == [InsufficientFunds]
        assert proxy.seen[-1] == "QCOMMIT"
        proxy.plan(Cut(len(proxy.seen), "before"), *[Cut(1, "before")] * 500)
        assert [type(one) for one in await send(journal, [poor("lost")])] == [OutcomeUnknown]
        proxy.plan()
        await journal.submit(Move(id=IDS.entry(), transfers=(pay(BANK, ann, 5),)))
        assert [type(one) for one in await send(journal, [poor("lost")])] == [Outcome]
    assert await balances(module_database, ann, ben) == [0, 10]


@pytest.mark.parametrize("when", WHENS)
async def test_a_cut_at_every_message_of_a_group_on_a_new_connection(
    proxy: CuttingProxy, module_database: str, when: When
) -> None:
    """Parsing statements, and the COMMIT at the end, when nothing is prepared yet."""
    messages = 1000
    message = 1
    while message <= messages:
        async with journal_on(proxy.url, reconnect_seconds=10) as journal:
            scene = Scene()
            proxy.plan(Cut(message, when))
            came = await send(journal, [scene.first])
            assert [type(c) for c in came] == [Outcome]
            if proxy.planned:  # the group is over and was never cut
                messages = message
            assert await balances(module_database, scene.ann) == [100]
            proxy.plan()
            entries = scene.group()
            await check(module_database, entries, await send(journal, entries))
        message += 3
    assert message > 20
    assert await differences(module_database) == []


@pytest.mark.parametrize("when", WHENS)
async def test_a_cut_at_every_message_of_a_large_group(
    proxy: CuttingProxy, module_database: str, when: When
) -> None:
    """Forty entries, and an account that nobody used yet."""
    async with journal_on(proxy.url, reconnect_seconds=10) as journal:

        def group(key: AccountKey) -> list[Move]:
            return [
                Move(
                    id=IDS.entry(),
                    transfers=(pay(BANK, key, 1),),
                    idempotency=once(key.owner_id, str(n)),
                )
                for n in range(LARGE)
            ]

        for message in range(1, 1000):
            key = account(next(people))
            proxy.plan(Cut(message, when))
            first = await send(journal, group(key))
            if proxy.planned:  # the group was over before
                break
            assert proxy.cuts == 1
            proxy.plan()
            again = await send(journal, group(key))
            bodies = [one.body for one in first if isinstance(one, Outcome)]
            assert again == [Outcome(body, replayed=True) for body in bodies]
            assert await balances(module_database, key) == [LARGE]
        assert message > 6
        proxy.plan()
    assert await differences(module_database) == []


@pytest.mark.parametrize("second", WHENS)
@pytest.mark.parametrize("first", WHENS)
async def test_a_second_cut_while_the_first_is_being_mended(
    proxy: CuttingProxy, module_database: str, first: When, second: When
) -> None:
    """COMMIT gets no answer, and the question what became of it gets none either."""
    async with journal_on(proxy.url, reconnect_seconds=10) as journal:
        for message in range(1, 9):
            commit = await commit_of(proxy, journal)
            scene = Scene()
            await journal.submit(scene.first)
            proxy.plan(Cut(commit, first), Cut(message, second), Cut(message, "before"))
            entries = scene.group()
            came = await send(journal, entries)
            assert proxy.cuts >= 2
            assert [type(c) for c in came] == CAME
            proxy.plan()
            await check(module_database, entries, came)
            await check_repeats(module_database, journal, scene, came)
    assert await differences(module_database) == []


@pytest.mark.parametrize("when", WHENS)
async def test_the_database_stays_away_after_a_commit(
    proxy: CuttingProxy, module_database: str, when: When
) -> None:
    """Nobody can say whether it happened: neither do the callers hear so, nor the listeners."""
    async with journal_on(proxy.url, reconnect_seconds=0.2) as journal:
        told = Told(journal)
        commit = await commit_of(proxy, journal)
        scene = Scene()
        await journal.submit(scene.first)
        proxy.plan(Cut(commit, when), *[Cut(1, "before")] * 500)
        entries = scene.group()
        came = await send(journal, entries)
        assert [type(c) for c in came] == [OutcomeUnknown] * 3 + [JournalBusy]
        named = [c.entry_id for c in came if isinstance(c, OutcomeUnknown)]
        assert named == [entry.id for entry in entries[:3]]
        assert not {transfer_id(entry.id, 1) for entry in entries} & set(told.transfers)
        proxy.plan()
        async with owner_of(module_database) as connection:
            landed = [bool(await entry_transfers(connection, entry.id)) for entry in entries]
        assert landed == ([True, True, True, False] if when == "after" else [False] * 4)
        await check_repeats(module_database, journal, scene, came)
    assert await differences(module_database) == []


async def test_the_database_stays_away_longer_than_callers_wait(
    proxy: CuttingProxy, module_database: str
) -> None:
    async with journal_on(proxy.url, reconnect_seconds=0.15) as journal:
        scene = Scene()
        await journal.submit(scene.first)
        proxy.go_away()
        await send(journal, scene.group())
        came = await send(journal, scene.group())
        assert {type(c) for c in came} == {JournalBusy}
        proxy.come_back()
        await check_repeats(module_database, journal, scene, came)
    assert await differences(module_database) == []


async def test_a_journal_stops_while_its_database_is_away(
    proxy: CuttingProxy, module_database: str
) -> None:
    scene = Scene()
    async with journal_on(proxy.url, reconnect_seconds=0.1) as journal:
        await journal.submit(scene.first)
        proxy.go_away()
        waiting = [asyncio.ensure_future(journal.submit(entry)) for entry in scene.group()]
        await asyncio.sleep(0)
    came = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)
    assert {type(c) for c in came} == {JournalBusy}
    proxy.come_back()
    assert await balances(module_database, scene.ann) == [100]


async def test_backends_are_terminated_under_load(module_database: str) -> None:
    """Two journals at work, their backends ended at random: each payment once, none lost."""
    accounts = [account(next(people)) for _ in range(6)]
    async with contextlib.AsyncExitStack() as stack:
        journals = [
            await stack.enter_async_context(journal_on(module_database, group_max=16))
            for _ in range(2)
        ]
        for key in accounts:
            await journals[0].submit(Move(id=IDS.entry(), transfers=(pay(BANK, key, 1000),)))

        async def payer(number: int) -> None:
            for turn in range(40):
                one = accounts[(number + turn) % 6]
                two = accounts[(number + turn + 1 + turn % 5) % 6]
                key = once(owner(9999), f"{number}-{turn}")
                while True:
                    entry = Move(id=IDS.entry(), transfers=(pay(one, two, 1),), idempotency=key)
                    try:
                        await journals[(number + turn) % 2].submit(entry)
                        break
                    except (JournalBusy, OutcomeUnknown):  # as a caller does who is told so
                        await asyncio.sleep(0.05)

        async def terminator() -> None:
            async with owner_of(module_database) as connection:
                for _ in range(12):
                    await asyncio.sleep(0.04)
                    await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
                        "WHERE application_name = 'tandem journal' "
                        "AND datname = current_database() ORDER BY random() LIMIT 1) AS one"
                    )

        async with asyncio.timeout(30):
            await asyncio.gather(terminator(), *map(payer, range(24)))
    assert sum(await balances(module_database, *accounts)) == 6000
    async with owner_of(module_database) as connection:
        rows = await connection.fetchval(
            "SELECT count(*) FROM transfers WHERE debit_account_id = ANY($1)",
            [key.id for key in accounts],
        )
    assert rows == 24 * 40
    assert await differences(module_database) == []
