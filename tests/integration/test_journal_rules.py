"""What the journal promises each caller, on PostgreSQL: neighbours, bounds, stops, listeners."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import pytest
from faults import balances, differences, owner_of
from structlog.testing import capture_logs
from structlog.typing import EventDict

from moves import NOON, Move, account, hold, journal_on, new_ids, once, pay, resolve
from tandem.db import Table
from tandem.db.row_types import row_types
from tandem.kernel import ManualClock, NotFound, Refused, transfer_id
from tandem.ledger import (
    AccountCode,
    AccountKey,
    InsufficientFunds,
    Journal,
    JournalBusy,
    Outcome,
    ReservationExpired,
    TermsChanged,
    Touches,
    Transfer,
    TransferKind,
    View,
    Write,
    due_reservations,
    entry_transfers,
    set_terms,
    statement,
)

BANK: Final = account(0, AccountCode.BANK)
IDS: Final = new_ids()
people = count(1000)


@pytest.fixture(autouse=True)
def _logs() -> Iterator[list[EventDict]]:
    """Kept from the screen: a journal says a lot when everything goes wrong."""
    with capture_logs() as logs:
        yield logs


class Note(msgspec.Struct):
    """A row of a table that some rows do not fit into."""

    id: int
    text: str


NOTES: Final = Table("test_notes", Note)


@pytest.fixture(scope="module", autouse=True)
async def _notes(module_database: str) -> None:
    async with owner_of(module_database) as connection:
        await connection.execute(
            "CREATE TABLE test_notes (id bigint PRIMARY KEY, text text CHECK (text <> 'bad'));"
            "GRANT SELECT, INSERT ON test_notes TO tandem_app"
        )
        for statement in row_types("test_notes"):
            await connection.execute(statement)


@pytest.fixture
async def journal(module_database: str) -> AsyncIterator[Journal]:
    async with journal_on(module_database) as journal:
        yield journal
    assert await differences(module_database) == []


def move(*transfers: Transfer, **more: Any) -> Move:  # noqa: ANN401 - the fields of a Move
    return Move(id=IDS.entry(), transfers=transfers, **more)


def noting(text: str, number: int | None = None) -> Move:
    row = Note(next(people) if number is None else number, text)
    return move(pay(BANK, account(next(people)), 1), writes=[Write(NOTES, row)])


def _raises(error: BaseException) -> Callable[[View], None]:
    def before(_view: View) -> None:
        raise error

    return before


def _looks_at(key: AccountKey) -> Callable[[View], None]:
    def before(view: View) -> None:
        view.account(key)

    return before


class Unanswerable(Move):
    """An entry whose `touches` fails."""

    def touches(self) -> Touches:
        raise RuntimeError("touches")


def bad_entries() -> dict[str, Move]:
    """Entries that the database, the driver or their own decision refuses."""
    ann = account(next(people))
    return {
        "check": noting("bad"),
        "nul": noting("a\0b"),
        "surrogate": noting("\ud800"),
        "too large": noting("x", 2**63),
        "wrong type": noting("x", "seven"),  # type: ignore[arg-type]  # that is what is wrong
        "to oneself": move(pay(BANK, BANK, 1)),
        "not an amount": move(pay(BANK, ann, 0)),
        "no such kind": move(pay(BANK, ann, 1, kind=TransferKind.VOID)),
        "unnamed account": replace(move(), before=_looks_at(ann)),
        "a fault in deciding": move(before=_raises(ZeroDivisionError())),
        "stop iteration": move(before=_raises(StopIteration())),
        "a name too long": move(pay(BANK, ann, 1), idempotency=once(ann.owner_id, "k" * 256)),
        "a key with a nul": move(pay(BANK, ann, 1), idempotency=once(ann.owner_id, "k\0")),
        "a short fingerprint": move(
            pay(BANK, ann, 1), idempotency=once(ann.owner_id, "k")._replace(fingerprint=b"x")
        ),
    }


@pytest.mark.parametrize("name", bad_entries())
async def test_a_bad_entry_fails_alone(journal: Journal, module_database: str, name: str) -> None:
    bad = bad_entries()[name]
    good = [noting("good") for _ in range(6)]
    refused = move(pay(account(next(people)), BANK, 1))
    entries = [*good[:3], bad, refused, *good[3:]]
    came = await asyncio.gather(*map(journal.submit, entries), return_exceptions=True)
    assert isinstance(came[3], Exception)
    assert not isinstance(came[3], Refused)
    assert isinstance(came[4], InsufficientFunds)
    assert {type(one) for one in (*came[:3], *came[5:])} == {Outcome}
    with pytest.raises(type(came[3])):
        await journal.submit(bad)
    assert isinstance(await journal.submit(noting("good")), Outcome)
    async with owner_of(module_database) as connection:
        assert await entry_transfers(connection, bad.id) == []


async def test_a_bad_entry_fails_alone_in_a_large_group(
    journal: Journal, module_database: str
) -> None:
    key, large = account(next(people)), 128
    entries = [
        move(pay(BANK, key, 1), writes=[Write(NOTES, Note(next(people), "good"))])
        for _ in range(large)
    ]
    entries[17] = noting("bad")
    entries[90] = noting("good", 2**63)
    came = await asyncio.gather(*map(journal.submit, entries), return_exceptions=True)
    failed = [n for n, one in enumerate(came) if not isinstance(one, Outcome)]
    assert failed == [17, 90]
    assert isinstance(came[17], asyncpg.CheckViolationError)
    assert await balances(module_database, key) == [large - 2]


async def test_an_entry_whose_rows_cannot_be_told_fails_at_once(journal: Journal) -> None:
    with pytest.raises(RuntimeError, match="touches"):
        await journal.submit(Unanswerable(id=IDS.entry()))
    assert journal.waiting == 0


async def test_a_refusal_is_the_callers_own(journal: Journal) -> None:
    refusal = NotFound("thing", "x")
    with pytest.raises(NotFound) as caught:
        await journal.submit(move(before=_raises(refusal)))
    assert caught.value is refusal


async def test_the_queue_is_bounded(module_database: str) -> None:
    async with journal_on(module_database, queue_max=5) as journal:
        entries = [noting("good") for _ in range(8)]
        came = await asyncio.gather(*map(journal.submit, entries), return_exceptions=True)
        assert [type(one) for one in came] == [Outcome] * 5 + [JournalBusy] * 3
        assert isinstance(await journal.submit(entries[7]), Outcome)


async def test_a_caller_that_goes_away_takes_nothing_back(
    journal: Journal, module_database: str
) -> None:
    key = account(next(people))
    entries = [move(pay(BANK, key, 1)) for _ in range(4)]
    tasks = [asyncio.ensure_future(journal.submit(entry)) for entry in entries]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[2].cancel()
    came = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in came] == [
        *(Outcome, asyncio.CancelledError, asyncio.CancelledError, Outcome)
    ]
    late = asyncio.ensure_future(journal.submit(move(pay(key, BANK, 10**6))))
    await asyncio.sleep(0)
    late.cancel()  # and nobody is left to hear that it was refused
    await journal.submit(noting("good"))
    assert await balances(module_database, key) == [4]


async def test_stopping_commits_what_waits_and_takes_nothing_more(module_database: str) -> None:
    key = account(next(people))
    async with journal_on(module_database, group_max=3) as journal:
        tasks = [asyncio.ensure_future(journal.submit(move(pay(BANK, key, 1)))) for _ in range(10)]
        await asyncio.sleep(0)
    assert all(task.done() for task in tasks)
    assert {type(await task) for task in tasks} == {Outcome}
    with pytest.raises(JournalBusy):
        await journal.submit(move(pay(BANK, key, 1)))
    assert await balances(module_database, key) == [10]


async def test_listeners_hear_of_each_commit_once_and_of_nothing_else(journal: Journal) -> None:
    heard: list[int] = []

    def faulty(_view: View) -> None:
        raise RuntimeError("a listener's own fault")

    journal.on_commit(faulty)
    journal.on_commit(lambda view: heard.append(len(view.inserted[NOTES])))
    await asyncio.gather(*(journal.submit(noting("good")) for _ in range(3)))
    assert sum(heard) == 3
    await asyncio.gather(
        journal.submit(noting("bad")),
        journal.submit(move(pay(account(next(people)), BANK, 1))),
        return_exceptions=True,
    )
    assert sum(heard) == 3


async def test_terms_that_changed_are_stale_even_for_an_account_not_yet_opened(
    journal: Journal, module_database: str
) -> None:
    key = account(next(people))
    async with owner_of(module_database) as connection:
        await set_terms(connection, [key], 4, datetime.now(UTC))
    with pytest.raises(TermsChanged) as stale:
        await journal.submit(move(pay(BANK, key, 5), terms=[(key, 3)]))
    found = stale.value
    assert (found.owner_id, found.read, found.current) == (key.owner_id, 3, 4)
    await journal.submit(move(pay(BANK, key, 5), terms=[(key, 4)]))
    async with owner_of(module_database) as connection:
        await set_terms(connection, [key], 5, datetime.now(UTC))
    with pytest.raises(TermsChanged):
        await journal.submit(move(pay(key, BANK, 1), terms=[(key, 4)]))
    assert await balances(module_database, key) == [5]


async def test_the_outcome_of_an_entry_is_found_by_its_id(
    journal: Journal, module_database: str
) -> None:
    key = account(next(people))
    entry, neighbour = move(pay(BANK, key, 5), hold(key, BANK, 2)), move(pay(BANK, key, 1))
    refused = move(pay(key, BANK, 100))
    await asyncio.gather(*map(journal.submit, (entry, neighbour, refused)), return_exceptions=True)
    async with owner_of(module_database) as connection:
        rows = await entry_transfers(connection, entry.id)
        assert [row.id for row in rows] == [transfer_id(entry.id, n) for n in (1, 2)]
        assert [row.kind for row in rows] == [TransferKind.POSTED, TransferKind.PENDING]
        assert await entry_transfers(connection, rows[1].id) == rows, "or by any of its transfers"
        assert len(await entry_transfers(connection, neighbour.id)) == 1
        assert await entry_transfers(connection, refused.id) == []


async def test_a_reservation_falls_due_and_is_released(module_database: str) -> None:
    clock = ManualClock(NOON)
    key = account(next(people))
    async with journal_on(module_database, clock) as journal:
        held = hold(key, BANK, 4, expires_at=NOON + timedelta(seconds=60))
        await journal.submit(make := move(pay(BANK, key, 10), held, hold(key, BANK, 1)))
        pending = transfer_id(make.id, 2)
        async with owner_of(module_database) as connection:
            assert await due_reservations(connection, clock.now(), 10) == []
            clock.advance(timedelta(seconds=60))
            (due,) = await due_reservations(connection, clock.now(), 10)
            assert (due.id, due.amount, due.expires_at) == (pending, 4, held.expires_at)
            with pytest.raises(ReservationExpired):
                await journal.submit(move(resolve(TransferKind.POST, pending, held)))
            await journal.submit(move(resolve(TransferKind.EXPIRE, pending, held)))
            assert await due_reservations(connection, clock.now(), 10) == []
            lines = await statement(connection, key.id, None, 10)
    assert [(line.number, line.change, line.balance) for line in lines] == [
        *((4, 0, 10), (3, 0, 10), (2, 0, 10), (1, 10, 10))
    ]
    assert await differences(module_database) == []


async def test_a_statement_is_read_page_by_page(journal: Journal, module_database: str) -> None:
    one, two = account(next(people)), account(next(people))
    await journal.submit(move(pay(BANK, one, 10)))
    for n in range(1, 4):
        await journal.submit(move(pay(one, two, n), pay(two, one, 1)))
    async with owner_of(module_database) as connection:
        pages: list[tuple[int, int, int]] = []
        before: int | None = None
        while lines := await statement(connection, one.id, before, 3):
            pages += [(line.number, line.change, line.balance) for line in lines]
            before = lines[-1].number
        assert await statement(connection, UUID(int=1), None, 3) == []
    assert pages == [
        *((7, 1, 7), (6, -3, 6), (5, 1, 9), (4, -2, 8)),
        *((3, 1, 10), (2, -1, 9), (1, 10, 10)),
    ]
