"""Several journals on one database: no deadlock is heard of, nothing is spent twice."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from faults import balances, differences, owner_of
from structlog.testing import capture_logs
from structlog.typing import EventDict

from moves import Move, account, hold, journal_on, new_ids, pay, resolve
from tandem.kernel import transfer_id
from tandem.ledger import (
    AccountCode,
    InsufficientFunds,
    Outcome,
    ReservationResolved,
    TransferKind,
)

BANK: Final = account(0, AccountCode.BANK)
IDS: Final = new_ids()
RIVAL: Final = Path(__file__).with_name("rival.py")


@pytest.fixture(autouse=True)
def _logs() -> Iterator[list[EventDict]]:
    with capture_logs() as logs:
        yield logs


@pytest.mark.parametrize("journals", [2, 3])
async def test_journals_hammer_the_same_accounts_in_opposite_orders(
    fresh_database: str, journals: int
) -> None:
    ring = [account(number) for number in range(1, 9)]
    spent = 0

    async def hammer(number: int) -> None:
        nonlocal spent
        order = ring if number % 2 else ring[::-1]
        async with journal_on(fresh_database, group_max=8) as journal:
            for turn in range(40):
                entries = [
                    Move(id=IDS.entry(), transfers=(pay(one, order[(n + 1 + turn) % 8], 40),))
                    for n, one in enumerate(order)
                    if n != (n + 1 + turn) % 8
                ]
                came = await asyncio.gather(*map(journal.submit, entries), return_exceptions=True)
                assert {type(one) for one in came} <= {Outcome, InsufficientFunds}
                spent += sum(isinstance(one, Outcome) for one in came)

    async with journal_on(fresh_database) as journal:
        await journal.submit(Move(id=IDS.entry(), transfers=[pay(BANK, key, 100) for key in ring]))
    async with asyncio.timeout(30):
        await asyncio.gather(*map(hammer, range(journals)))
    left = await balances(fresh_database, *ring)
    assert sum(left) == 800
    assert min(left) >= 0
    async with owner_of(fresh_database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM transfers") == 8 + spent
    assert await differences(fresh_database) == []


async def test_one_reservation_and_one_balance_through_three_journals(
    fresh_database: str,
) -> None:
    ann, ben = account(1), account(2)
    async with contextlib.AsyncExitStack() as stack:
        journals = [await stack.enter_async_context(journal_on(fresh_database)) for _ in range(3)]
        for turn in range(10):
            held = hold(ann, ben, 10)
            make = Move(id=IDS.entry(), transfers=(pay(BANK, ann, 15), held))
            await journals[turn % 3].submit(make)
            pending = transfer_id(make.id, 2)
            kinds = (TransferKind.POST, TransferKind.VOID, TransferKind.EXPIRE)
            entries = [
                Move(id=IDS.entry(), transfers=(resolve(kind, pending, held),)) for kind in kinds
            ]
            came = await asyncio.gather(
                *(j.submit(e) for j, e in zip(journals, entries, strict=True)),
                return_exceptions=True,
            )
            assert sorted(type(one).__name__ for one in came) == [
                *("Outcome", "ReservationResolved", "ReservationResolved")
            ]
            assert any(isinstance(one, ReservationResolved) for one in came)
            (left,) = await balances(fresh_database, ann)
            spending = [Move(id=IDS.entry(), transfers=(pay(ann, ben, left),)) for _ in journals]
            came = await asyncio.gather(
                *(j.submit(e) for j, e in zip(journals, spending, strict=True)),
                return_exceptions=True,
            )
            assert sum(isinstance(one, Outcome) for one in came) == 1
    assert await balances(fresh_database, ann) == [0]
    assert await differences(fresh_database) == []


async def test_processes_of_their_own_do_each_request_once(fresh_database: str) -> None:
    """Four processes, two by two with the same requests, in opposite orders of the accounts."""
    turns, ring = 8, [account(number) for number in range(1, 7)]
    async with journal_on(fresh_database) as journal:
        await journal.submit(Move(id=IDS.entry(), transfers=[pay(BANK, key, 500) for key in ring]))
    folder = str(Path(__file__).parent.parent)
    paths = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH", ""))))
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, str(RIVAL), fresh_database, str(number), str(turns)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
        )
        for number in range(4)
    ]
    async with asyncio.timeout(60):
        said = [await process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    done, again, refused = (sum(int(out.split()[place]) for out, _ in said) for place in range(3))
    assert (done, again, refused) == (2 * 6 * turns, 2 * 6 * turns, 0)
    assert sum(await balances(fresh_database, *ring)) == 3000
    async with owner_of(fresh_database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM transfers") == 6 + 2 * done
    assert await differences(fresh_database) == []
