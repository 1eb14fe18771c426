"""What a journal remembers decides nothing that the database does not confirm."""

import asyncio
import errno
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, NoReturn

import asyncpg
import msgspec
import pytest
from faults import balances, differences, owner_of
from structlog.testing import capture_logs
from structlog.typing import EventDict

from moves import Move, account, journal_on, new_ids, once, pay
from tandem.db import Connection
from tandem.kernel import NotFound
from tandem.ledger import (
    ACCOUNTS,
    AccountCode,
    AccountKey,
    Decision,
    InsufficientFunds,
    Journal,
    Outcome,
    OutcomeUnknown,
    TermsChanged,
    Transfer,
    View,
    set_terms,
    store,
)
from tandem.ledger import journal as journal_module
from tandem.ledger.journal import WARY_GROUPS
from tandem.ledger.store import Changes

BANK: Final = account(0, AccountCode.BANK)
IDS: Final = new_ids()
people = count(1)


@pytest.fixture(autouse=True)
def _logs() -> Iterator[list[EventDict]]:
    with capture_logs() as logs:
        yield logs


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[Changes]:
    """What all journals write, as they write it."""
    real, written = store.write_changes, list[Changes]()

    async def noted(connection: Connection, changes: Changes) -> None:
        written.append(changes)
        await real(connection, changes)

    monkeypatch.setattr(journal_module, "write_changes", noted)
    return written


class Unsayable(Move):
    """An entry whose answer is no JSON."""

    def decide(self, view: View) -> Decision:
        return msgspec.structs.replace(super().decide(view), answer=Odd(object()))


class Odd(msgspec.Struct, frozen=True):
    thing: object


def move(*transfers: Transfer) -> Move:
    return Move(id=IDS.entry(), transfers=transfers)


async def opened(*journals: Journal) -> tuple[AccountKey, AccountKey]:
    """Ann with 100 and Ben with nothing, known to each of the journals as they are."""
    ann, ben = account(next(people)), account(next(people))
    await journals[0].submit(move(pay(BANK, ann, 100)))
    for journal in journals:
        await journal.submit(move(pay(BANK, ann, 1), pay(BANK, ben, 1)))
        await journal.submit(move(pay(ann, BANK, 1), pay(ben, BANK, 1)))
    return ann, ben


async def calm(journal: Journal) -> None:
    """Let it be careful no more."""
    for _ in range(WARY_GROUPS):
        await journal.submit(move(pay(BANK, account(next(people)), 1)))


async def test_money_that_a_rival_spent_is_not_spent_again(module_database: str) -> None:
    async with journal_on(module_database) as one, journal_on(module_database) as two:
        ann, ben = await opened(one, two)
        await calm(one)
        await one.submit(move(pay(ann, ben, 10)))
        await two.submit(move(pay(ann, ben, 85)))
        with pytest.raises(InsufficientFunds) as short:
            await one.submit(move(pay(ann, ben, 6)))
        assert short.value.available == 5
        await one.submit(move(pay(ann, ben, 5)))
    assert await balances(module_database, ann, ben) == [0, 100]
    assert await differences(module_database) == []


async def test_money_that_came_through_a_rival_can_be_spent(module_database: str) -> None:
    """A refusal on memory is looked at again before it is told."""
    async with journal_on(module_database) as one, journal_on(module_database) as two:
        ann, ben = await opened(one, two)
        await calm(one)
        await one.submit(move(pay(ann, ben, 100)))
        await two.submit(move(pay(BANK, ann, 50)))
        assert isinstance(await one.submit(move(pay(ann, ben, 50))), Outcome)
    assert await balances(module_database, ann, ben) == [0, 150]
    assert await differences(module_database) == []


async def test_terms_are_those_of_now_also_for_who_only_looks(module_database: str) -> None:
    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        await calm(journal)
        await journal.submit(move(pay(ann, ben, 1)))
        async with owner_of(module_database) as connection:
            await set_terms(connection, [ann], 2, datetime.now(UTC))
        looks = Move(
            id=IDS.entry(),
            accounts=(ann,),
            terms=((ann, 1),),
            idempotency=once(ann.owner_id, "look"),
        )
        with pytest.raises(TermsChanged):
            await journal.submit(looks)


async def test_who_only_looks_changes_nothing(module_database: str) -> None:
    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        await calm(journal)
        await journal.submit(move(pay(ann, ben, 1)))
        looks = Move(
            id=IDS.entry(), accounts=(ann, ben), idempotency=once(ann.owner_id, "only looks")
        )
        both = await asyncio.gather(journal.submit(looks), journal.submit(move(pay(ann, ben, 1))))
        assert all(isinstance(one, Outcome) for one in both)
        await journal.submit(move(pay(ann, ben, 1)))
    assert await balances(module_database, ann, ben) == [97, 3]
    assert await differences(module_database) == []


async def test_what_was_decided_on_a_group_that_fails_is_decided_again(
    module_database: str, statements: list[Changes]
) -> None:
    """Ben spends what he gets in a group that the database refuses, because of another in it."""
    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        await calm(journal)
        await journal.submit(move(pay(ann, ben, 1), pay(ben, ann, 1)))
        long = once(ann.owner_id, "k" * 256)
        bad = Move(id=IDS.entry(), transfers=(pay(ann, ben, 1),), idempotency=long)
        first = [move(pay(ann, ben, 99)), bad]
        statements.clear()
        under_way = [asyncio.ensure_future(journal.submit(entry)) for entry in first]
        while not statements:  # noqa: ASYNC110 - until it is under way
            await asyncio.sleep(0)
        decided: list[View] = []
        entry = Move(id=IDS.entry(), transfers=(pay(ben, BANK, 99),), before=decided.append)
        then = asyncio.ensure_future(journal.submit(entry))
        await asyncio.sleep(0)
        assert len(decided) == 1, "on what the group under way leaves"
        came = await asyncio.gather(*under_way, then, return_exceptions=True)
        assert [isinstance(one, Outcome) for one in came] == [True, False, True]
        assert len(decided) > 1
    assert await balances(module_database, ann, ben) == [1, 0]
    assert await differences(module_database) == []


async def test_a_refusal_makes_nobody_forget(module_database: str) -> None:
    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        await calm(journal)
        before = set(journal._remembered[ACCOUNTS])
        assert {ann.id, ben.id} <= before
        poor = Move(
            id=IDS.entry(), transfers=(pay(ben, ann, 999),), idempotency=once(ben.owner_id, "poor")
        )
        with pytest.raises(InsufficientFunds):
            await journal.submit(poor)
        assert set(journal._remembered[ACCOUNTS]) == before
        await journal.submit(move(pay(ann, ben, 1)))
    assert await differences(module_database) == []


async def test_memory_is_bounded(module_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "REMEMBERED_MAX", 5)
    keys = [account(next(people)) for _ in range(20)]
    async with journal_on(module_database, group_max=3) as journal:
        for _ in range(3):
            entries = [move(pay(BANK, key, 1)) for key in keys]
            await asyncio.gather(*map(journal.submit, entries))
            assert len(journal._remembered[ACCOUNTS]) <= 5 + 2 * 4
    assert await balances(module_database, *keys) == [3] * 20


async def test_a_lone_entry_on_known_accounts_is_one_statement(
    module_database: str, statements: list[Changes]
) -> None:
    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        await calm(journal)
        await journal.submit(move(pay(ann, ben, 1)))
        connection = journal._connection
        assert connection is not None
        queries: list[str] = []
        with connection.query_logger(lambda query: queries.append(query.query)):
            await journal.submit(move(pay(ann, ben, 1)))
        assert queries == [statements[-1].statement]


async def test_what_a_repeat_was_decided_as_in_memory_is_forgotten(fresh_database: str) -> None:
    """A repeat taken for new and then found out leaves no money behind, though nobody writes."""

    def refuse(_: View) -> None:
        raise NotFound("thing", "x")

    ann, ben = account(next(people)), account(next(people))

    def fund() -> Move:
        paid = pay(BANK, ann, 100)
        return Move(id=IDS.entry(), transfers=(paid,), idempotency=once(ann.owner_id, "fund"))

    def spend() -> Move:
        paid = pay(ann, ben, 100)
        return Move(id=IDS.entry(), transfers=(paid,), idempotency=once(ann.owner_id, "spend"))

    async with journal_on(fresh_database) as one, journal_on(fresh_database) as two:
        for entry in (fund(), spend(), spend(), fund()):
            await one.submit(entry)
        await two.submit(move(pay(BANK, ann, 1)))
        for _ in range(WARY_GROUPS):
            with pytest.raises(NotFound):
                await one.submit(Move(id=IDS.entry(), accounts=(ann,), before=refuse))
        with pytest.raises(InsufficientFunds):
            await one.submit(move(pay(ann, ben, 100)))
    assert await balances(fresh_database, ann, ben) == [1, 100]
    assert await differences(fresh_database) == []


async def test_what_cannot_be_answered_does_not_happen(module_database: str) -> None:
    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        await calm(journal)
        await journal.submit(move(pay(ann, ben, 1)))
        unsayable = Unsayable(id=IDS.entry(), transfers=(pay(ann, ben, 5),))
        with pytest.raises(TypeError):
            await journal.submit(unsayable)
        await journal.submit(move(pay(ann, ben, 1)))
    assert await balances(module_database, ann, ben) == [98, 2]


async def test_a_fault_of_the_journals_own_leaves_nobody_waiting(
    module_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks, and the log has no room to say so."""

    class Full:
        def __getattr__(self, _: str) -> NoReturn:
            raise OSError(errno.ENOSPC, "no room")

    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        assert journal._connection is not None
        journal._connection.terminate()
        with monkeypatch.context() as patch:
            patch.setattr(journal_module, "log", Full())
            async with asyncio.timeout(5):
                with pytest.raises(OutcomeUnknown):
                    await journal.submit(move(pay(ann, ben, 1)))
        async with asyncio.timeout(5):
            await journal.submit(move(pay(ann, ben, 2)))
    assert await balances(module_database, ann, ben) == [98, 2]


async def test_a_column_more_disturbs_nobody(fresh_database: str) -> None:
    async with journal_on(fresh_database) as journal:
        ann, ben = await opened(journal)
        async with owner_of(fresh_database) as connection:
            for table in ("accounts", "transfers"):
                await connection.execute(f"ALTER TABLE {table} ADD COLUMN more bigint")
        await journal.submit(move(pay(ann, ben, 1)))
    async with journal_on(fresh_database) as journal:
        await journal.submit(move(pay(ann, ben, 1)))
    assert await balances(fresh_database, ann, ben) == [98, 2]


async def test_what_was_decided_long_ago_is_decided_again(
    module_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with journal_on(module_database) as journal:
        ann, ben = await opened(journal)
        await calm(journal)
        await journal.submit(move(pay(ann, ben, 1)))
        moments: list[View] = []
        entry = Move(id=IDS.entry(), transfers=(pay(ann, ben, 1),), before=moments.append)
        monkeypatch.setattr(journal_module, "DECIDED_WITHIN", timedelta(microseconds=-1))
        await journal.submit(entry)
        first, second = moments
        assert first.now < second.now
    assert await balances(module_database, ann, ben) == [98, 2]


def test_a_server_that_panics_is_lost_whatever_its_reason() -> None:
    """It may have committed: its state says disk full, but not that nothing was written."""
    error = asyncpg.DiskFullError("could not write to file")
    error.severity_en = "ERROR"
    assert not journal_module._is_lost(error)
    error.severity_en = "PANIC"
    assert journal_module._is_lost(error)
