"""The same idempotency key: one effect and one answer, alone, at once, through several journals."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import msgspec
import pytest
from faults import balances, differences, owner_of
from structlog.testing import capture_logs
from structlog.typing import EventDict

from moves import Move, account, hold, journal_on, new_ids, new_view, once, pay, resolve
from tandem.db import Connection, IdempotencyConflict, Table, open_journal_connection
from tandem.db.row_types import row_types
from tandem.kernel import transfer_id
from tandem.ledger import (
    ACCOUNTS,
    TRANSFERS,
    AccountCode,
    ChangedMeanwhile,
    InsufficientFunds,
    Journal,
    Outcome,
    Transfer,
    TransferKind,
    View,
    Write,
    store,
)
from tandem.ledger import journal as journal_module
from tandem.ledger.entry import ANSWERS
from tandem.ledger.store import RivalError, fate_of, mark_session

BANK: Final = account(0, AccountCode.BANK)
ANN, BEN, CAT, DAN = (account(number) for number in range(1, 5))
IDS: Final = new_ids()


@pytest.fixture(autouse=True)
def _logs() -> Iterator[list[EventDict]]:
    """Kept from the screen: a journal says a lot when everything goes wrong."""
    with capture_logs() as logs:
        yield logs


def move(*transfers: Transfer, key: str = "", body: str = "") -> Move:
    return Move(
        id=IDS.entry(),
        transfers=transfers,
        idempotency=once(ANN.owner_id, key, body) if key else None,
    )


async def came(journal: Journal, *entries: Move) -> list[Outcome | BaseException]:
    return await asyncio.gather(*map(journal.submit, entries), return_exceptions=True)


async def counted(url: str) -> int:
    async with owner_of(url) as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM transfers")
    return count


async def test_64_at_once_have_one_effect_and_one_answer(fresh_database: str) -> None:
    async with journal_on(fresh_database) as journal:
        await journal.submit(move(pay(BANK, ANN, 100)))
        entries = [move(pay(ANN, BEN, 30), key="k") for _ in range(64)]
        outcomes = await came(journal, *entries)
        bodies = {outcome.body for outcome in outcomes if isinstance(outcome, Outcome)}
        assert len(bodies) == 1
        assert [o.replayed for o in outcomes if isinstance(o, Outcome)] == [False] + [True] * 63
        other = await came(journal, *[move(pay(ANN, BEN, 31), key="k", body="x")] * 2)
        assert {type(outcome) for outcome in other} == {IdempotencyConflict}
    assert await balances(fresh_database, ANN, BEN) == [70, 30]
    assert await counted(fresh_database) == 2
    assert await differences(fresh_database) == []


@pytest.mark.parametrize("neighbours", [0, 3])
async def test_a_repeat_gets_its_answer_where_it_would_be_refused_by_now(
    fresh_database: str, neighbours: int
) -> None:
    """Alone and in a group: the money is spent, the reservation resolved, the body another."""
    async with journal_on(fresh_database) as journal:
        held = hold(ANN, BEN, 30)
        await journal.submit(make := move(pay(BANK, ANN, 100), held))
        post = resolve(TransferKind.POST, transfer_id(make.id, 2), held)
        requests: Sequence[tuple[str, Transfer]] = (("pay", pay(ANN, BEN, 70)), ("post", post))
        first = [await journal.submit(move(t, key=key)) for key, t in requests]
        assert await balances(fresh_database, ANN) == [0]
        for (key, transfer), outcome in zip(requests, first, strict=True):
            others = [move(pay(ANN, BEN, 1)) for _ in range(neighbours)]
            again, *refused = await came(journal, move(transfer, key=key), *others)
            assert again == Outcome(outcome.body, replayed=True)
            assert {type(one) for one in refused} <= {InsufficientFunds}
            conflict, *_ = await came(journal, move(transfer, key=key, body="x"), *others)
            assert isinstance(conflict, IdempotencyConflict)
        refused_alone, *_ = await came(journal, move(pay(ANN, BEN, 1), key="new"))
        assert isinstance(refused_alone, InsufficientFunds)
    assert await differences(fresh_database) == []


@pytest.mark.parametrize("neighbours", [0, 3])
async def test_a_request_that_was_refused_stays_refused(
    fresh_database: str, neighbours: int
) -> None:
    """A late copy of it moves no money, though by then there is enough."""

    def others() -> list[Move]:
        return [move(pay(BANK, BEN, 1)) for _ in range(neighbours)]

    async with journal_on(fresh_database) as journal:
        await journal.submit(move(pay(BANK, ANN, 10)))
        first, *_ = await came(journal, move(pay(ANN, BEN, 70), key="k"), *others())
        assert isinstance(first, InsufficientFunds)
        await journal.submit(move(pay(BANK, ANN, 100)))
    async with journal_on(fresh_database) as journal:  # another process, that remembers nothing
        for _ in range(2):
            again, *_ = await came(journal, move(pay(ANN, BEN, 70), key="k"), *others())
            assert isinstance(again, InsufficientFunds)
            assert again.data() == first.data()
        other, *_ = await came(journal, move(pay(ANN, BEN, 7), key="k", body="x"), *others())
        assert isinstance(other, IdempotencyConflict)
        done, *_ = await came(journal, move(pay(ANN, BEN, 70), key="new"), *others())
        assert isinstance(done, Outcome)
        assert not done.replayed
    assert await balances(fresh_database, ANN) == [40]
    assert await differences(fresh_database) == []


async def test_what_only_this_moment_refused_may_be_tried_again(fresh_database: str) -> None:
    def refused(_: View) -> None:
        raise ChangedMeanwhile(ANN.owner_id)

    def entry(*, stale: bool) -> Move:
        return Move(
            id=IDS.entry(),
            transfers=(pay(BANK, ANN, 10),),
            idempotency=once(ANN.owner_id, "k"),
            before=refused if stale else None,
        )

    async with journal_on(fresh_database) as journal:
        stale, *_ = await came(journal, entry(stale=True))
        assert isinstance(stale, ChangedMeanwhile)
        done, *_ = await came(journal, entry(stale=False))
        assert isinstance(done, Outcome)
    assert await balances(fresh_database, ANN) == [10]


class TopUp(msgspec.Struct):
    """A row with a key of its own that nobody may use twice."""

    id: int
    reference: str


TOP_UPS = Table("test_references", TopUp)


async def test_a_lone_repeat_whose_rows_exist_gets_its_answer(fresh_database: str) -> None:
    async with owner_of(fresh_database) as connection:
        await connection.execute(
            "CREATE TABLE test_references (id bigint PRIMARY KEY, reference text UNIQUE);"
            "GRANT SELECT, INSERT ON test_references TO tandem_app"
        )
        for statement in row_types("test_references"):
            await connection.execute(statement)

    def top_up(row: int) -> Move:
        return Move(
            id=IDS.entry(),
            transfers=(pay(BANK, ANN, 5),),
            idempotency=once(ANN.owner_id, "top-up"),
            writes=(Write(TOP_UPS, TopUp(row, "bank 1")),),
        )

    async with journal_on(fresh_database) as journal:
        first = await journal.submit(top_up(1))
        assert await journal.submit(top_up(2)) == Outcome(first.body, replayed=True)
    assert await balances(fresh_database, ANN) == [5]


async def test_one_key_through_two_journals_at_once_has_one_effect(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The accounts differ, so that no lock keeps the journals apart: only the key does."""
    rivals = 0

    async def write_changes(connection: Connection, changes: store.Changes) -> None:
        nonlocal rivals
        await asyncio.sleep(0.02)  # until both have looked for the key and found nothing
        try:
            await real(connection, changes)
        except RivalError:
            rivals += 1
            raise

    real = store.write_changes
    monkeypatch.setattr(journal_module, "write_changes", write_changes)
    async with journal_on(fresh_database) as one, journal_on(fresh_database) as two:
        await one.submit(move(pay(BANK, ANN, 100), pay(BANK, CAT, 100)))
        for turn in range(8):
            lone = turn % 2 == 0
            noise = () if lone else (move(pay(BANK, account(900 + turn), 1)),)
            key = f"k{turn}"
            left, right = await asyncio.gather(
                came(one, move(pay(ANN, BEN, 1), key=key), *noise),
                came(two, move(pay(CAT, DAN, 1), key=key)),
            )
            a, b = left[0], right[0]
            assert isinstance(a, Outcome)
            assert isinstance(b, Outcome)
            assert a.body == b.body
            assert sorted((a.replayed, b.replayed)) == [False, True]
    assert rivals >= 8, "the rival's way was never taken"
    assert sum(await balances(fresh_database, BEN, DAN)) == 8
    assert await differences(fresh_database) == []


async def test_new_accounts_opened_by_two_journals_at_once(fresh_database: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        journals = [
            await stack.enter_async_context(journal_on(fresh_database, group_max=4))
            for _ in range(3)
        ]
        keys = [account(number) for number in range(100, 130)]
        entries = [
            [move(pay(BANK, key, 1), key=f"{n}-{key.id}") for key in keys[:: 1 if n % 2 else -1]]
            for n in range(3)
        ]
        outcomes = await asyncio.gather(
            *(came(journal, *mine) for journal, mine in zip(journals, entries, strict=True))
        )
        assert {type(outcome) for mine in outcomes for outcome in mine} == {Outcome}
    assert await balances(fresh_database, *keys) == [3] * 30
    assert await differences(fresh_database) == []


async def test_what_became_of_a_lost_session_is_told_by_its_rows(fresh_database: str) -> None:
    async with journal_on(fresh_database) as journal:
        views: list[View] = []
        journal.on_commit(views.append)
        await journal.submit(move(pay(BANK, ANN, 1), key="k"))
    (done,) = views
    (transfer,) = done.appended[TRANSFERS]
    lost, answer_only, answered_by_another, without_rows = (new_view(done.now) for _ in range(4))
    lost.appended[TRANSFERS] = [msgspec.structs.replace(transfer, id=IDS.new())]
    answer_only.inserted[ANSWERS] = done.inserted[ANSWERS]
    answered_by_another.inserted[ANSWERS] = done.inserted[ANSWERS]
    answered_by_another.now += timedelta(microseconds=1)
    without_rows.inserted[ACCOUNTS] = done.inserted[ACCOUNTS]
    old = await open_journal_connection(fresh_database)
    new = await open_journal_connection(fresh_database)
    try:
        await mark_session(old, 7)
        assert await fate_of(new, 7, done) == "in progress", "it may still commit something"
        await old.close()
        async with asyncio.timeout(5):
            while await fate_of(new, 7, done) == "in progress":  # noqa: ASYNC110 - nobody tells when a session is over
                await asyncio.sleep(0.01)
        assert await fate_of(new, 7, done) == "committed"
        assert await fate_of(new, 7, lost) == "aborted"
        assert await fate_of(new, 7, answer_only) == "committed"
        assert await fate_of(new, 7, answered_by_another) == "aborted"
        assert await fate_of(new, 7, without_rows) is None
    finally:
        await new.close()
