"""The ledger's rows and its one decision: may these transfers be booked? Pure.

The terms are those that TigerBeetle made standard: an account keeps four running totals, a transfer
moves an amount from a debit account to a credit account at once or in two phases, transfers of one
journal entry are linked: all or none.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import msgspec

from tandem.db import Integer, SmallInt, Table
from tandem.kernel import MAX_AMOUNT, transfer_id
from tandem.ledger.chart import (
    CREDITS_MUST_NOT_EXCEED_DEBITS,
    DEBITS_MUST_NOT_EXCEED_CREDITS,
    AccountKey,
    TransferCode,
)
from tandem.ledger.errors import (
    AmountExceedsReserved,
    InsufficientFunds,
    ReservationExpired,
    ReservationNotFound,
    ReservationResolved,
)

MAX_TOTAL: Final = 2**63 - 1


class TransferKind(IntEnum):
    """How a transfer moves its amount."""

    POSTED = 0
    """At once."""
    PENDING = 1
    """Reserve it: count it as pending on both accounts."""
    POST = 2
    """Post a pending transfer, in full or in part; what is left of it is released."""
    VOID = 3
    """Release a pending transfer."""
    EXPIRE = 4
    """Release a pending transfer whose time is over."""


class Account(msgspec.Struct):
    """A row of `accounts`. Amounts in minor units of the ledger's currency.

    `transfers` counts the account's transfers and so numbers them. `terms` is the oldest version
    of its owner's terms that an entry may have been decided under. `spent` is what left the
    account on `spent_day` by transfers that count against a daily limit.
    """

    id: UUID
    owner_id: UUID
    ledger: SmallInt
    code: SmallInt
    flags: SmallInt
    overdraft: int
    terms: Integer
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int
    transfers: int
    spent_day: date
    spent: int
    created_at: datetime

    @property
    def balance(self) -> int:
        """Credits less debits that are posted: positive is what the operator owes the owner."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        """What may still be debited, pending amounts counted; a huge number if nothing forbids."""
        if self.flags & DEBITS_MUST_NOT_EXCEED_CREDITS:
            return self.balance - self.debits_pending + self.overdraft
        return MAX_TOTAL

    def spent_on(self, day: date) -> int:
        """What counted against the daily limit on `day`.

        A day before the last one counted gets that one's: two journals' clocks differ by a moment,
        and going back and forth over midnight must not open a new limit each time.
        """
        return self.spent if self.spent_day >= day else 0


class TransferRow(msgspec.Struct, frozen=True):
    """A row of `transfers`, which is never changed.

    `debit_number` and `credit_number` are its places in the order of the two accounts' transfers,
    `debit_balance` and `credit_balance` their balances (credits less debits posted) just after
    it. `reference` is the object that it was made for.
    """

    id: UUID
    debit_account_id: UUID
    credit_account_id: UUID
    amount: int
    ledger: SmallInt
    code: SmallInt
    kind: SmallInt
    pending_id: UUID | None
    reference: UUID
    spends: bool
    expires_at: datetime | None
    created_at: datetime
    debit_number: int
    credit_number: int
    debit_balance: int
    credit_balance: int


class Reservation(msgspec.Struct, frozen=True):
    """A row of `reservations`: a pending transfer that nothing has resolved."""

    id: UUID
    expires_at: datetime | None


class Transfer(msgspec.Struct, frozen=True):
    """A transfer as an entry asks for it. `amount` in minor units.

    A POST gives the pending transfer's id and the amount to post; a VOID or EXPIRE its id and the
    amount reserved. `spends`: it counts against the debit account's daily limit.
    """

    debit: AccountKey
    credit: AccountKey
    amount: int
    code: TransferCode
    reference: UUID
    kind: TransferKind = TransferKind.POSTED
    pending_id: UUID | None = None
    expires_at: datetime | None = None
    spends: bool = False


ACCOUNTS: Final = Table(
    "accounts",
    Account,
    mutable=(
        "debits_pending",
        "debits_posted",
        "credits_pending",
        "credits_posted",
        "transfers",
        "spent_day",
        "spent",
    ),
    guards=("transfers", "terms"),
    rank=100,
    shared=True,
)
TRANSFERS: Final = Table("transfers", TransferRow, rank=101, log=True)
RESERVATIONS: Final = Table("reservations", Reservation, rank=102)
_TOTALS: Final = attrgetter(*ACCOUNTS.mutable)


def new_account(key: AccountKey, now: datetime, day: date) -> Account:
    """An account that has never moved, as its first entry opens it."""
    return Account(
        id=key.id,
        owner_id=key.owner_id,
        ledger=key.ledger,
        code=key.code,
        flags=key.code.flags,
        overdraft=0,
        terms=0,
        debits_pending=0,
        debits_posted=0,
        credits_pending=0,
        credits_posted=0,
        transfers=0,
        spent_day=day,
        spent=0,
        created_at=now,
    )


def book(
    entry_id: UUID,
    transfers: Sequence[Transfer],
    *,
    account: Callable[[AccountKey], Account],
    pending: Mapping[UUID, TransferRow],
    open_ids: set[UUID],
    now: datetime,
    day: date,
    day_of: Callable[[datetime], date],
) -> list[TransferRow]:
    """Book the linked transfers of one entry: all of them, or raise why not and change nothing.

    `account` gives each account's running totals, which this function moves; `pending` are the
    pending transfers that the entry may resolve, and `open_ids` those of them that are still open.
    `day` is the operator's calendar day of `now`, and `day_of` tells that of another moment, for
    the daily limits. Raises the ledger's refusals.
    """
    before: list[tuple[Account, tuple[Any, ...]]] = []
    resolved: set[UUID] = set()
    rows: list[TransferRow] = []
    try:
        for ordinal, transfer in enumerate(transfers, 1):
            debit, credit = account(transfer.debit), account(transfer.credit)
            before += ((debit, _TOTALS(debit)), (credit, _TOTALS(credit)))
            reserved = None
            if transfer.pending_id is not None:
                reserved = _reserved(
                    transfer, transfer.pending_id, pending, open_ids - resolved, now
                )
                resolved.add(reserved.id)
                today = debit.spent_day == day == day_of(reserved.created_at)
                _release(transfer, reserved, debit, credit, today=today)
            _move(transfer, debit, credit, day)
            _check(debit, credit, transfer.amount)
            rows.append(
                _row(transfer_id(entry_id, ordinal), transfer, reserved, debit, credit, now)
            )
    except BaseException:
        for moved, was in reversed(before):
            _restore(moved, was)
        raise
    open_ids -= resolved
    return rows


def _reserved(
    transfer: Transfer,
    pending_id: UUID,
    pending: Mapping[UUID, TransferRow],
    open_ids: set[UUID],
    now: datetime,
) -> TransferRow:
    """The pending transfer that `transfer` resolves, if it may."""
    reserved = pending.get(pending_id)
    if reserved is None:
        raise ReservationNotFound(pending_id)
    if reserved.id not in open_ids:
        raise ReservationResolved(reserved.id)
    if transfer.kind is TransferKind.POST:
        if reserved.expires_at is not None and reserved.expires_at <= now:
            raise ReservationExpired(reserved.id, reserved.expires_at)
        if transfer.amount > reserved.amount:
            raise AmountExceedsReserved(reserved.id, reserved.amount, transfer.amount)
    return reserved


def _release(
    transfer: Transfer, reserved: TransferRow, debit: Account, credit: Account, *, today: bool
) -> None:
    """Take a pending amount off both accounts; what is not posted no longer counts as spent."""
    same = (reserved.debit_account_id, reserved.credit_account_id) == (debit.id, credit.id)
    assert same, "a pending transfer is resolved between its own accounts"
    debit.debits_pending -= reserved.amount
    credit.credits_pending -= reserved.amount
    released = (
        reserved.amount - transfer.amount if transfer.kind is TransferKind.POST else reserved.amount
    )
    if reserved.spends and today:
        debit.spent = max(0, debit.spent - released)


def _move(transfer: Transfer, debit: Account, credit: Account, day: date) -> None:
    """Move the running totals of the two accounts."""
    amount, kind = transfer.amount, transfer.kind
    debit.transfers += 1
    credit.transfers += 1
    assert 1 <= amount <= MAX_AMOUNT, "amounts are checked before they become transfers"
    assert debit.ledger == credit.ledger, "a transfer stays in its currency"
    assert debit is not credit, "a transfer goes from one account to another"
    if kind is TransferKind.POSTED or kind is TransferKind.POST:
        debit.debits_posted += amount
        credit.credits_posted += amount
    elif kind is TransferKind.PENDING:
        debit.debits_pending += amount
        credit.credits_pending += amount
    if transfer.spends and transfer.pending_id is None:
        debit.spent = debit.spent_on(day) + amount
        debit.spent_day = max(day, debit.spent_day)


def _check(debit: Account, credit: Account, amount: int) -> None:
    """Refuse what brings an account beyond what its flags and overdraft permit.

    A transfer moves the debits of the one and the credits of the other, so no other can be.
    """
    debits, most = debit.debits_posted + debit.debits_pending, MAX_TOTAL
    if debit.flags & DEBITS_MUST_NOT_EXCEED_CREDITS:
        most = min(most, debit.credits_posted + debit.overdraft)
    if debits > most:
        raise InsufficientFunds(debit.id, max(0, amount - debits + most), amount)
    credits_, most = credit.credits_posted + credit.credits_pending, MAX_TOTAL
    if credit.flags & CREDITS_MUST_NOT_EXCEED_DEBITS:
        most = min(most, credit.debits_posted + credit.overdraft)
    if credits_ > most:
        raise InsufficientFunds(credit.id, max(0, amount - credits_ + most), amount)


def _row(
    row_id: UUID,
    transfer: Transfer,
    reserved: TransferRow | None,
    debit: Account,
    credit: Account,
    now: datetime,
) -> TransferRow:
    amount = transfer.amount
    if reserved is not None and transfer.kind is not TransferKind.POST:
        amount = reserved.amount  # what was reserved is what is released
    return TransferRow(
        row_id,
        debit.id,
        credit.id,
        amount,
        debit.ledger,
        transfer.code,
        transfer.kind,
        transfer.pending_id,
        transfer.reference,
        transfer.spends,
        transfer.expires_at,
        now,
        debit.transfers,
        credit.transfers,
        debit.balance,
        credit.balance,
    )


def _restore(account: Account, was: tuple[Any, ...]) -> None:
    for column, value in zip(ACCOUNTS.mutable, was, strict=True):
        setattr(account, column, value)
