"""`book`: may these transfers be booked? Tables of cases, and that a refusal changes nothing."""

from collections.abc import Iterable
from copy import deepcopy
from datetime import timedelta
from uuid import UUID

import pytest

from moves import CNY, EUR, NOON, account, hold, owner, pay, resolve, utc_day
from tandem.kernel import MAX_AMOUNT, Refused, transfer_id
from tandem.ledger import (
    Account,
    AccountCode,
    AccountKey,
    AmountExceedsReserved,
    ChangedMeanwhile,
    InsufficientFunds,
    JournalBusy,
    OutcomeUnknown,
    ReservationExpired,
    ReservationNotFound,
    ReservationResolved,
    TermsChanged,
    Transfer,
    TransferCode,
    TransferKind,
    TransferRow,
    bank,
    fees,
    merchant,
    person,
)
from tandem.ledger.chart import DEBITS_MUST_NOT_EXCEED_CREDITS
from tandem.ledger.model import MAX_TOTAL, book, new_account

BANK, ANN, BEN = account(0, AccountCode.BANK), account(1), account(2)
SHOP, FEES = account(3, AccountCode.MERCHANT), account(0, AccountCode.FEES)
POST, VOID, EXPIRE = TransferKind.POST, TransferKind.VOID, TransferKind.EXPIRE
TODAY = utc_day(NOON)
DAY = timedelta(days=1)


class Books:
    """Accounts in memory, and `book` on them. Everybody has `start` to spend."""

    def __init__(self, start: int = 100) -> None:
        self.now = NOON
        self.accounts: dict[UUID, Account] = {}
        self.pending: dict[UUID, TransferRow] = {}
        self.open_ids: set[UUID] = set()
        self.entries = 0
        for key in (ANN, BEN, SHOP) if start else ():
            self.book(pay(BANK, key, start))

    def account(self, key: AccountKey) -> Account:
        if key.id not in self.accounts:
            self.accounts[key.id] = new_account(key, self.now, utc_day(self.now))
        return self.accounts[key.id]

    def book(self, *transfers: Transfer) -> list[TransferRow]:
        self.entries += 1
        rows = book(
            UUID(int=self.entries << 8),
            transfers,
            account=self.account,
            pending=self.pending,
            open_ids=self.open_ids,
            now=self.now,
            day=utc_day(self.now),
            day_of=utc_day,
        )
        for row in rows:
            if row.kind == TransferKind.PENDING:
                self.pending[row.id] = row
                self.open_ids.add(row.id)
        return rows

    def refuses(self, kind: type[Exception], *transfers: Transfer) -> Exception:
        """Book what must be refused, and see that nothing at all has changed."""
        for transfer in transfers:
            self.account(transfer.debit)
            self.account(transfer.credit)
        was = deepcopy((self.accounts, self.pending, self.open_ids))
        with pytest.raises(kind) as refused:
            self.book(*transfers)
        assert type(refused.value) is kind
        assert (self.accounts, self.pending, self.open_ids) == was
        return refused.value

    def totals(self, key: AccountKey) -> tuple[int, int, int, int]:
        """Debits pending and posted, credits pending and posted."""
        a = self.account(key)
        return a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted


@pytest.fixture
def books() -> Books:
    return Books()


# -- at once -------------------------------------------------------------------------------------


def test_a_transfer_moves_its_amount_at_once(books: Books) -> None:
    (row,) = books.book(pay(ANN, SHOP, 30, reference=owner(9), code=TransferCode.PAYMENT))
    assert books.totals(ANN) == (0, 30, 0, 100)
    assert books.totals(SHOP) == (0, 0, 0, 130)
    assert (books.account(ANN).balance, books.account(ANN).available) == (70, 70)
    assert row == TransferRow(
        id=UUID(int=4 << 8 | 1),
        debit_account_id=ANN.id,
        credit_account_id=SHOP.id,
        amount=30,
        ledger=CNY.number,
        code=TransferCode.PAYMENT,
        kind=TransferKind.POSTED,
        pending_id=None,
        reference=owner(9),
        spends=False,
        expires_at=None,
        created_at=NOON,
        debit_number=2,
        credit_number=2,
        debit_balance=70,
        credit_balance=130,
    )


@pytest.mark.parametrize(
    ("amount", "fits"), [(99, True), (100, True), (101, False), (10**15, False)]
)
def test_nobody_spends_more_than_they_have(books: Books, amount: int, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    if fits:
        books.book(pay(ANN, BEN, amount))
        assert books.account(ANN).balance == 100 - amount
        return
    refusal = books.refuses(InsufficientFunds, pay(ANN, BEN, amount))
    assert isinstance(refusal, InsufficientFunds)
    assert refusal.data() == {"account_id": ANN.id, "available": 100, "amount": amount}


@pytest.mark.parametrize("overdraft", [0, 1, 50])
def test_an_overdraft_loosens_the_limit_by_its_amount(books: Books, overdraft: int) -> None:
    books.account(SHOP).overdraft = overdraft
    assert books.account(SHOP).available == 100 + overdraft
    books.refuses(InsufficientFunds, pay(SHOP, ANN, 101 + overdraft))
    books.book(pay(SHOP, ANN, 100 + overdraft))
    assert (books.account(SHOP).balance, books.account(SHOP).available) == (-overdraft, 0)
    books.refuses(InsufficientFunds, pay(SHOP, ANN, 1))
    books.book(pay(BEN, SHOP, 1))
    assert books.account(SHOP).available == 1


def test_the_bank_pays_in_without_limit_but_out_only_what_came_in(books: Books) -> None:
    assert books.account(BANK).balance == -300
    books.book(pay(SHOP, BANK, 100))
    for key in (ANN, BEN):
        books.book(pay(key, BANK, 100))
    books.account(FEES).overdraft = 10
    refusal = books.refuses(InsufficientFunds, pay(FEES, BANK, 1))
    assert isinstance(refusal, InsufficientFunds)
    assert (refusal.account_id, refusal.available) == (BANK.id, 0)


@pytest.mark.parametrize("code", sorted({*AccountCode} - {AccountCode.ISSUER}))
def test_each_kind_of_account_forbids_one_direction(code: AccountCode) -> None:
    books = Books(0)
    plain, other = account(7, code), account(8, AccountCode.BANK)
    if code.flags & DEBITS_MUST_NOT_EXCEED_CREDITS:
        books.refuses(InsufficientFunds, pay(plain, account(9), 1))
        books.book(pay(other, plain, 1))
    else:
        books.book(pay(other, account(9), 1))
        books.refuses(InsufficientFunds, pay(account(9), plain, 1))
    assert books.account(plain).flags in (1, 2)
    assert type(books.account(plain).flags) is int  # an IntFlag would be sent as an array


def test_an_account_without_flags_goes_anywhere() -> None:
    books = Books(0)
    free = books.account(ANN)
    free.flags = 0
    books.book(pay(ANN, BEN, 10**15))
    assert (free.balance, free.available) == (-(10**15), MAX_TOTAL)


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1, 2**63])
def test_an_amount_out_of_range_is_our_fault_and_changes_nothing(books: Books, amount: int) -> None:
    books.account(ANN).overdraft = 2**62
    for kind in (TransferKind.POSTED, TransferKind.PENDING):
        books.refuses(AssertionError, pay(ANN, BEN, 1), pay(ANN, BEN, amount, kind=kind))


def test_totals_stop_at_what_the_database_can_hold() -> None:
    books = Books(0)
    full = books.account(ANN)
    full.credits_posted = MAX_TOTAL - 10
    books.account(BANK).debits_posted = MAX_TOTAL - 10
    books.book(pay(BANK, ANN, 10))
    assert full.credits_posted == MAX_TOTAL
    books.refuses(InsufficientFunds, pay(BANK, ANN, 1))
    books.refuses(InsufficientFunds, hold(BANK, ANN, 1))
    books.refuses(InsufficientFunds, hold(BANK, BEN, 1))


def test_money_stays_in_its_currency(books: Books) -> None:
    euros = AccountKey.of(owner(2), EUR, AccountCode.PERSON)
    books.refuses(AssertionError, pay(ANN, BEN, 5), pay(ANN, euros, 5))


# -- two phases ----------------------------------------------------------------------------------


def test_a_pending_amount_is_reserved_and_not_yet_spent(books: Books) -> None:
    (row,) = books.book(hold(ANN, SHOP, 60, expires_at=NOON + DAY))
    assert books.totals(ANN) == (60, 0, 0, 100)
    assert books.totals(SHOP) == (0, 0, 60, 100)
    assert (books.account(ANN).balance, books.account(ANN).available) == (100, 40)
    assert books.account(SHOP).available == 100, "what is only reserved cannot be spent on"
    assert (row.debit_balance, row.credit_balance, row.expires_at) == (100, 100, NOON + DAY)
    books.refuses(InsufficientFunds, pay(ANN, BEN, 41))
    books.refuses(InsufficientFunds, hold(ANN, BEN, 41))
    books.refuses(InsufficientFunds, pay(SHOP, BEN, 101))
    books.book(pay(ANN, BEN, 40))


def test_pending_credits_count_for_an_account_that_credits_must_not_exceed(books: Books) -> None:
    books.book(hold(ANN, BANK, 100), hold(BEN, BANK, 100), hold(SHOP, BANK, 100))
    books.account(FEES).overdraft = 1
    books.refuses(InsufficientFunds, hold(FEES, BANK, 1))


@pytest.mark.parametrize("amount", [1, 59, 60])
def test_a_post_moves_its_part_and_releases_the_rest(books: Books, amount: int) -> None:
    held = hold(ANN, SHOP, 60)
    (pending,) = books.book(held)
    (row,) = books.book(resolve(POST, pending.id, held, amount))
    assert books.totals(ANN) == (0, amount, 0, 100)
    assert books.totals(SHOP) == (0, 0, 0, 100 + amount)
    assert books.account(ANN).available == 100 - amount
    assert (row.kind, row.pending_id, row.amount) == (POST, pending.id, amount)
    assert (row.debit_balance, row.credit_balance) == (100 - amount, 100 + amount)
    assert (pending.debit_number, row.debit_number) == (2, 3)


@pytest.mark.parametrize("kind", [VOID, EXPIRE])
def test_a_void_and_an_expiry_release_everything(books: Books, kind: TransferKind) -> None:
    held = hold(ANN, SHOP, 60)
    (pending,) = books.book(held)
    (row,) = books.book(resolve(kind, pending.id, held))
    assert books.totals(ANN) == (0, 0, 0, 100)
    assert books.totals(SHOP) == (0, 0, 0, 100)
    assert (row.kind, row.debit_balance, row.credit_balance) == (kind, 100, 100)


@pytest.mark.parametrize("first", [POST, VOID, EXPIRE])
@pytest.mark.parametrize("second", [POST, VOID, EXPIRE])
def test_a_reservation_is_resolved_once(
    books: Books, first: TransferKind, second: TransferKind
) -> None:
    held = hold(ANN, SHOP, 60)
    (pending,) = books.book(held)
    one, two = resolve(first, pending.id, held, 20), resolve(second, pending.id, held, 20)
    books.refuses(ReservationResolved, one, two)
    assert books.open_ids == {pending.id}
    books.book(one)
    books.refuses(ReservationResolved, two)
    assert books.open_ids == set()


def test_no_more_is_posted_than_was_reserved(books: Books) -> None:
    held = hold(ANN, SHOP, 60)
    (pending,) = books.book(held)
    refusal = books.refuses(AmountExceedsReserved, resolve(POST, pending.id, held, 61))
    assert refusal.data() == {"pending_id": pending.id, "reserved": 60, "amount": 61}  # type: ignore[attr-defined]  # a Refused


@pytest.mark.parametrize("kind", [POST, VOID, EXPIRE])
def test_what_was_never_reserved_cannot_be_resolved(books: Books, kind: TransferKind) -> None:
    books.refuses(ReservationNotFound, resolve(kind, UUID(int=77), hold(ANN, SHOP, 60)))


@pytest.mark.parametrize(
    ("left", "posts"),
    [(timedelta(microseconds=1), True), (timedelta(), False), (-DAY, False)],
)
def test_nothing_is_posted_from_the_moment_that_the_time_is_over(
    books: Books,
    left: timedelta,
    posts: bool,  # noqa: FBT001 - a column of the table
) -> None:
    held = hold(ANN, SHOP, 60, expires_at=NOON + DAY)
    (pending,) = books.book(held)
    books.now = NOON + DAY - left
    if posts:
        books.book(resolve(POST, pending.id, held))
        return
    refusal = books.refuses(ReservationExpired, resolve(POST, pending.id, held))
    assert refusal.data() == {"pending_id": pending.id, "expired_at": NOON + DAY}  # type: ignore[attr-defined]  # a Refused
    assert books.account(ANN).available == 40, "it stays reserved until something releases it"
    books.book(resolve(EXPIRE, pending.id, held))
    assert books.account(ANN).available == 100


@pytest.mark.parametrize("kind", [POST, VOID, EXPIRE])
@pytest.mark.parametrize("other", [(BEN, SHOP), (ANN, BEN), (SHOP, ANN)])
def test_a_reservation_is_resolved_between_its_own_accounts(
    books: Books, kind: TransferKind, other: tuple[AccountKey, AccountKey]
) -> None:
    (pending,) = books.book(hold(ANN, SHOP, 60))
    books.refuses(AssertionError, resolve(kind, pending.id, hold(*other, 60)))


# -- linked --------------------------------------------------------------------------------------


def test_linked_transfers_see_each_other_in_order(books: Books) -> None:
    rows = books.book(pay(ANN, BEN, 100), pay(BEN, SHOP, 200), pay(SHOP, FEES, 300))
    assert [books.account(key).balance for key in (ANN, BEN, SHOP, FEES)] == [0, 0, 0, 300]
    entry = UUID(int=books.entries << 8)
    assert [row.id for row in rows] == [transfer_id(entry, n) for n in (1, 2, 3)]
    assert [(r.debit_number, r.credit_number) for r in rows] == [(2, 2), (3, 2), (3, 1)]
    books.refuses(InsufficientFunds, pay(FEES, BEN, 50), pay(BEN, SHOP, 51))


def _spoiled(
    held: Transfer, pending: UUID, gone: UUID
) -> Iterable[tuple[type[Exception], Transfer]]:
    yield InsufficientFunds, pay(ANN, BEN, 91)
    yield InsufficientFunds, hold(ANN, BEN, 91)
    yield ReservationNotFound, resolve(POST, UUID(int=5), held)
    yield ReservationResolved, resolve(VOID, gone, held)
    yield ReservationResolved, resolve(POST, pending, held)
    yield AssertionError, pay(ANN, BEN, 0)


@pytest.mark.parametrize("case", range(6))
def test_one_that_fails_takes_the_others_back_exactly(books: Books, case: int) -> None:
    held, gone = hold(ANN, SHOP, 60, spends=True), hold(ANN, SHOP, 10)
    (pending,), (other,) = books.book(held), books.book(gone)
    books.book(resolve(VOID, other.id, gone))
    kind, last = list(_spoiled(held, pending.id, other.id))[case]
    books.now += DAY  # so that the day of what is spent would change too
    good = (
        resolve(POST, pending.id, held, 10),
        pay(BANK, ANN, 1),
        pay(ANN, FEES, 1, spends=True),
        hold(BEN, SHOP, 1, spends=True),
    )
    books.refuses(kind, *good, last)
    books.book(*good)


def test_an_entry_of_nothing_books_nothing(books: Books) -> None:
    assert books.book() == []


def test_an_entry_holds_255_transfers_and_no_more(books: Books) -> None:
    assert len(books.book(*[pay(BANK, ANN, 1)] * 255)) == 255
    books.refuses(ValueError, *[pay(BANK, ANN, 1)] * 256)


# -- daily limits and numbering ------------------------------------------------------------------


def test_only_what_spends_counts_against_the_day(books: Books) -> None:
    ann = books.account(ANN)
    books.book(pay(ANN, BEN, 10))
    assert ann.spent_on(TODAY) == 0
    books.book(pay(ANN, BEN, 10, spends=True), pay(ANN, BEN, 5, spends=True))
    assert (ann.spent_on(TODAY), books.account(BEN).spent_on(TODAY)) == (15, 0)


def test_a_new_day_counts_from_nothing(books: Books) -> None:
    ann = books.account(ANN)
    books.book(pay(ANN, BEN, 10, spends=True))
    books.now += DAY
    assert ann.spent_on(TODAY + DAY) == 0
    books.book(pay(ANN, BEN, 7, spends=True))
    assert (ann.spent_on(TODAY + DAY), ann.spent_day) == (7, TODAY + DAY)


@pytest.mark.parametrize(
    ("kind", "amount", "spent"), [(POST, 60, 65), (POST, 20, 25), (VOID, 60, 5), (EXPIRE, 60, 5)]
)
def test_what_is_released_on_the_same_day_no_longer_counts(
    books: Books, kind: TransferKind, amount: int, spent: int
) -> None:
    held = hold(ANN, SHOP, 60, spends=True)
    (pending,) = books.book(held)
    books.book(pay(ANN, BEN, 5, spends=True))
    assert books.account(ANN).spent_on(TODAY) == 65
    books.book(resolve(kind, pending.id, held, amount))
    assert books.account(ANN).spent_on(TODAY) == spent


@pytest.mark.parametrize("kind", [POST, VOID])
def test_what_is_released_on_another_day_takes_nothing_off_that_day(
    books: Books, kind: TransferKind
) -> None:
    held = hold(ANN, SHOP, 60, spends=True)
    (pending,) = books.book(held)
    books.now += DAY
    books.book(pay(ANN, BEN, 5, spends=True))
    books.book(resolve(kind, pending.id, held, 1))
    assert books.account(ANN).spent_on(TODAY + DAY) == 5


def test_a_clock_that_steps_back_over_midnight_opens_no_new_limit(books: Books) -> None:
    """Two journals' clocks differ by a moment: the later day goes on counting."""
    ann = books.account(ANN)
    books.now = NOON + DAY
    books.book(pay(ANN, BEN, 10, spends=True))
    books.now = NOON
    assert ann.spent_on(TODAY) == 10
    books.book(pay(ANN, BEN, 5, spends=True))
    assert (ann.spent_on(TODAY), ann.spent_on(TODAY + DAY)) == (15, 15)


def test_an_account_numbers_its_transfers_without_a_gap(books: Books) -> None:
    rows = [row for n in range(1, 6) for row in books.book(pay(ANN, BEN, n), pay(BEN, ANN, n))]
    books.refuses(InsufficientFunds, pay(ANN, BEN, 1000))
    rows += books.book(pay(ANN, BEN, 1))
    numbers = [
        row.debit_number if row.debit_account_id == ANN.id else row.credit_number for row in rows
    ]
    assert numbers == list(range(2, 13))
    assert books.account(ANN).transfers == 12


# -- the chart of accounts -----------------------------------------------------------------------


def test_an_accounts_id_follows_from_whose_it_is_and_what() -> None:
    keys = {make(owner(1), unit) for make in (person, merchant) for unit in (CNY, EUR)} | {
        bank(CNY),
        bank(EUR),
        fees(CNY),
        person(owner(2), CNY),
    }
    assert len({key.id for key in keys}) == len(keys) == 8
    assert person(owner(1), CNY) == person(owner(1), CNY)
    key = person(owner(1), CNY)
    assert (key.id.int >> 16, key.ledger, key.code) == (owner(1).int >> 16, 156, AccountCode.PERSON)
    assert key.id.int & 0xFFFF == 156 << 6 | 2
    assert key.id.version == 7


@pytest.mark.parametrize("number", [1, 999])
@pytest.mark.parametrize("code", list(AccountCode))
def test_currency_and_kind_fit_into_the_ids_last_bits(number: int, code: AccountCode) -> None:
    key = AccountKey.of(owner(1), CNY._replace(number=number), code)
    assert (key.id.int & 0xFFFF) >> 6 == number
    assert key.id.int & 0x3F == code


REFUSALS: list[Refused] = [
    InsufficientFunds(ANN.id, 5, 7),
    ReservationNotFound(ANN.id),
    ReservationResolved(ANN.id),
    ReservationExpired(ANN.id, NOON),
    AmountExceedsReserved(ANN.id, 5, 7),
    ChangedMeanwhile(owner(1)),
    TermsChanged(owner(1), 1, 2),
    JournalBusy(3),
    OutcomeUnknown(ANN.id),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_every_refusal_says_what_happened_and_what_to_do(refusal: Refused) -> None:
    same = [other for other in REFUSALS if other.code == refusal.code]
    assert len(same) == (2 if isinstance(refusal, ChangedMeanwhile) else 1)
    assert refusal.sentence().endswith(".")
    assert len(refusal.sentence()) > 20
    assert bool(refusal.data()) == (not isinstance(refusal, ChangedMeanwhile)), (
        "which rows is our affair"
    )


def test_days_follow_the_operators_calendar() -> None:
    accounts = {key.id: new_account(key, NOON, TODAY) for key in (BANK, ANN)}
    book(
        UUID(int=256),
        [pay(BANK, ANN, 5, spends=True)],
        account=lambda key: accounts[key.id],
        pending={},
        open_ids=set(),
        now=NOON,
        day=TODAY + DAY,
        day_of=utc_day,
    )
    assert (accounts[BANK.id].spent_day, accounts[BANK.id].spent) == (TODAY + DAY, 5)
