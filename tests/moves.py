"""Entries that tests give the journal: they move what they are told to, and nothing decides more.

Shared by unit and integration tests of the ledger, so it stands beside conftest.py.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tandem.db import Connection, Idempotency, open_journal_connection
from tandem.kernel import Clock, Ids, ManualClock, SystemClock, currency
from tandem.ledger import (
    AccountCode,
    AccountKey,
    Decision,
    Journal,
    Touches,
    Transfer,
    TransferCode,
    TransferKind,
    View,
    Write,
)

CNY: Final = currency("CNY")
EUR: Final = currency("EUR")
NOON: Final = datetime(2026, 3, 14, 12, tzinfo=UTC)


def owner(number: int) -> UUID:
    """A made-up owner, the same for the same number (the last 16 bits are the account's)."""
    return UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 | number << 16)


def account(number: int, code: AccountCode = AccountCode.PERSON) -> AccountKey:
    """The account of a made-up owner, in CNY."""
    return AccountKey.of(owner(number), CNY, code)


def new_ids(clock: Clock | None = None) -> Ids:
    """Ids of a clock, with real randomness."""
    return Ids(clock or SystemClock())


def once(owner_id: UUID, key: str, body: str = "") -> Idempotency:
    """An idempotency key for a request with this body."""
    return Idempotency(owner_id, key, hashlib.sha256(body.encode()).digest())


class Moved(msgspec.Struct, frozen=True):
    """The answer of a `Move`: which entry it was, as its id shows who decided."""

    entry: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An entry that books the given transfers and writes the given rows."""

    id: UUID
    transfers: Sequence[Transfer] = ()
    idempotency: Idempotency | None = None
    accounts: Sequence[AccountKey] = ()
    terms: Sequence[tuple[AccountKey, int]] = ()
    writes: Sequence[Write] = ()
    before: Callable[[View], None] | None = None

    def touches(self) -> Touches:
        """The accounts of the transfers (and others that are named), what they resolve."""
        sides = [side for t in self.transfers for side in (t.debit, t.credit)]
        return Touches(
            accounts=(*sides, *self.accounts),
            pending=[t.pending_id for t in self.transfers if t.pending_id is not None],
            terms=self.terms,
        )

    def decide(self, view: View) -> Decision:
        """Move; `before` may raise instead."""
        if self.before is not None:
            self.before(view)
        return Decision(Moved(self.id), self.transfers, self.writes)


def pay(debit: AccountKey, credit: AccountKey, amount: int, **more: Any) -> Transfer:  # noqa: ANN401 - the fields of a Transfer
    """A transfer; at once unless `kind` says otherwise."""
    return Transfer(
        debit,
        credit,
        amount,
        more.pop("code", TransferCode.SEND),
        more.pop("reference", debit.owner_id),
        **more,
    )


def hold(debit: AccountKey, credit: AccountKey, amount: int, **more: Any) -> Transfer:  # noqa: ANN401 - as above
    """A pending transfer."""
    return pay(debit, credit, amount, kind=TransferKind.PENDING, **more)


def resolve(kind: TransferKind, pending_id: UUID, held: Transfer, amount: int = 0) -> Transfer:
    """A transfer that resolves a pending one; it moves the whole amount unless told less."""
    return pay(held.debit, held.credit, amount or held.amount, kind=kind, pending_id=pending_id)


def utc_day(moment: datetime) -> date:
    """The calendar of an operator in UTC."""
    return moment.astimezone(UTC).date()


def new_view(now: datetime = NOON, ids: Ids | None = None) -> View:
    """A view that nothing has been read into."""
    return View(now, utc_day, (ids or new_ids(ManualClock(now))).new)


def journal_on(
    url: str,
    clock: Clock | None = None,
    **options: Any,  # noqa: ANN401 - a Journal's own
) -> AbstractAsyncContextManager[Journal]:
    """A journal on the database of `url`, by a connection of its own."""
    clock = clock or SystemClock()

    async def connect() -> Connection:
        return await open_journal_connection(url)

    return Journal(connect, clock, Ids(clock), day_of=utc_day, **options)
