"""The journal on PostgreSQL against the plain model, its groups submitted at once."""

import asyncio
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final
from uuid import UUID

import hypothesis
from faults import differences, owner_of
from hypothesis.stateful import run_state_machine_as_test

from ledger_play import Play
from moves import NOON, Move, journal_on
from tandem.kernel import Refused
from tandem.ledger import (
    ACCOUNTS,
    TRANSFERS,
    Account,
    AccountKey,
    Outcome,
    TransferRow,
    set_overdraft,
)


class SetClock:
    """A clock that stands where the play says."""

    moment = NOON

    def now(self) -> datetime:
        return self.moment


class OnPostgres:
    """A journal with an event loop of its own, for Hypothesis calls it from outside of one."""

    in_order: ClassVar = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = SetClock()
        self.runner = asyncio.Runner()
        self.journal = journal_on(url, self.clock, group_max=3)
        self.submit = self.runner.run(self.journal.__aenter__()).submit

    def open(self, key: AccountKey, overdraft: int) -> None:
        async def insert() -> None:
            async with owner_of(self.url) as connection:
                await set_overdraft(connection, key, overdraft, self.clock.now())

        self.runner.run(insert())

    def commit(self, now: datetime, entries: list[Move]) -> list[tuple[str, bytes]]:
        self.clock.moment = now

        async def all_at_once() -> list[Outcome | BaseException]:
            return await asyncio.gather(*map(self.submit, entries), return_exceptions=True)

        return list(map(_word, self.runner.run(all_at_once())))

    def accounts(self, keys: list[AccountKey]) -> dict[UUID, Account]:
        rows = self._fetch(ACCOUNTS.columns, "accounts WHERE id = ANY($1)", keys)
        return {account.id: account for account in (Account(*row) for row in rows)}

    def transfers(self, keys: list[AccountKey]) -> list[TransferRow]:
        rows = self._fetch(TRANSFERS.columns, "transfers WHERE debit_account_id = ANY($1)", keys)
        return [TransferRow(*row) for row in rows]

    def reservations(self) -> set[UUID]:
        return {row[0] for row in self._fetch(("id",), "reservations WHERE $1::uuid[] <> '{}'", [])}

    def close(self) -> None:
        try:
            self.runner.run(self.journal.__aexit__(None, None, None))
            assert self.runner.run(differences(self.url)) == []
        finally:
            self.runner.close()

    def _fetch(
        self, columns: tuple[str, ...], rest: str, keys: list[AccountKey]
    ) -> list[tuple[Any, ...]]:
        async def fetch() -> list[tuple[Any, ...]]:
            async with owner_of(self.url) as connection:
                ids = [key.id for key in keys] or [UUID(int=0)]
                statement = f"SELECT {', '.join(columns)} FROM {rest}"  # noqa: S608 - our own names
                return [tuple(row) for row in await connection.fetch(statement, ids)]

        return self.runner.run(fetch())


def _word(outcome: Outcome | BaseException) -> tuple[str, bytes]:
    if isinstance(outcome, Outcome):
        return "again" if outcome.replayed else "done", outcome.body
    if isinstance(outcome, Refused):
        return outcome.code, b""
    raise outcome


SETTINGS: Final = hypothesis.settings(
    max_examples=8,
    stateful_step_count=10,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


def test_the_journal_does_what_the_model_says(module_database: str) -> None:
    class PlayOnPostgres(Play):
        system_of = partial(OnPostgres, module_database)

    run_state_machine_as_test(PlayOnPostgres, settings=SETTINGS)
