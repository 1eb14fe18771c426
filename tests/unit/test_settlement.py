"""Putting right what was booked by hand, and money out to people and to the operator."""

from typing import Any

import msgspec
import pytest

from moves import CNY, NOON
from tandem.events import EVENTS, Endpoint
from tandem.kernel import Invalid, Refused
from tandem.ledger import AccountKey, TransferCode, TransferKind
from tandem.ledger.model import TRANSFERS
from tandem.payments import Command, Source
from tandem.payments.entries import ByMerchant, GiveBack, PayStatic
from tandem.payments.model import PAYMENTS
from tandem.settlement import Booking, CorrectionNotCovered, WithdrawalNotCovered
from tandem.settlement.corrections import CORRECTIONS, MakeCorrection
from tandem.settlement.payouts import PAYOUTS, MakePayout
from tandem.settlement.withdrawals import WITHDRAWALS, MakeWithdrawal
from tandem.wallet.entries import MakeTopUp
from tandem.wallet.model import TOP_UPS
from tills import BANK, DOOR, DOOR_ID, FEES, LIN, LIN_ID, RULES, TERMS, Books, asked, lin, shop

HOOK = Endpoint(DOOR_ID, DOOR_ID, "https://shop.example", (), enabled=True, created_at=NOON)
Facts = dict[str, Any]


class House:
    """Books, and an operator who books by hand. Lin has 1000."""

    def __init__(self) -> None:
        self.books = Books()
        self.do(MakeTopUp, receiver=lin, amount=1000, currency="CNY", reference="B-1")

    def do(self, kind: Any, **fields: Any) -> Facts:  # noqa: ANN401 - an entry and its fields
        entry = kind(id=self.books.ids.entry(), idempotency=None, **fields)
        answer: Facts = msgspec.json.decode(self.books.decide(entry, NOON).body)
        return answer

    def pay(self, amount: int, *, manual: bool = False) -> None:
        new = asked(amount, manual=manual, source=Source.STATIC_CODE)
        self.do(PayStatic, shop=shop, rules=RULES, new=new, payer=lin)

    def payout(self, amount: int) -> Facts:
        return self.do(
            MakePayout,
            merchant_id=DOOR_ID,
            terms=shop.place.terms,
            endpoints=(),
            amount=amount,
            unit=CNY,
            reference="O-1",
        )

    def withdraw(self, who: Any, amount: int) -> Facts:  # noqa: ANN401 - an id or None
        return self.do(MakeWithdrawal, person_id=who, amount=amount, unit=CNY, reference="W-1")

    def booked(self, table: Any) -> Booking:  # noqa: ANN401 - any table
        """The only row of a table, as a correction reads it."""
        (row,) = self.books.tables[table].values()
        owner_id = row.merchant_id if table is PAYOUTS else row.person_id
        kind: Any = table.name.removesuffix("s")
        return Booking(kind, row.id, owner_id, row.amount, CNY, row.reference)

    def correct(self, table: Any, amount: int | None = None, **more: Any) -> Facts:  # noqa: ANN401 - as above
        booking = self.booked(table)
        return self.do(MakeCorrection, booking=booking, amount=amount, reason="wrong", **more)

    def balances(self, *keys: AccountKey) -> list[int]:
        return [self.books.balance(key) for key in keys]

    def last(self) -> Any:  # noqa: ANN401 - a row
        return list(self.books.tables[TRANSFERS].values())[-1]

    def told(self, owner_id: Any) -> list[str]:  # noqa: ANN401 - an id
        events = self.books.tables[EVENTS].values()
        return [event.type for event in events if event.owner_id == owner_id]


@pytest.fixture
def house() -> House:
    return House()


def test_a_top_up_is_taken_back_by_an_entry_that_names_it(house: House) -> None:
    made = house.correct(TOP_UPS)
    assert (made["amount"], made["currency"], made["reason"]) == (1000, "CNY", "wrong")
    assert made["booking_id"] == f"top_{house.booked(TOP_UPS).id.hex}"
    assert made["owner_id"] == f"ppl_{LIN_ID.hex}"
    assert house.balances(BANK, LIN) == [0, 0]
    moved, (row,) = house.last(), house.books.tables[CORRECTIONS].values()
    assert (moved.code, moved.kind) == (TransferCode.CORRECTION, TransferKind.POSTED)
    assert (moved.debit_account_id, moved.credit_account_id) == (LIN.id, BANK.id)
    assert moved.reference == row.id
    assert not moved.spends
    assert house.told(LIN_ID) == ["top_up.received", "top_up.corrected"]
    (event,) = [e for e in house.books.tables[EVENTS].values() if e.type == "top_up.corrected"]
    assert msgspec.json.decode(event.data) == made


def test_a_part_leaves_the_rest(house: House) -> None:
    assert house.correct(TOP_UPS, 900)["amount"] == 900
    assert house.balances(BANK, LIN) == [-100, 100]


@pytest.mark.parametrize("amount", [0, -1, 1001, 2**63])
def test_no_more_is_taken_back_than_was_booked(house: House, amount: int) -> None:
    with pytest.raises(Invalid) as refused:
        house.correct(TOP_UPS, amount)
    assert refused.value.field == "amount"
    assert house.balances(BANK, LIN) == [-1000, 1000]


def test_what_is_spent_or_reserved_is_not_taken_back(house: House) -> None:
    house.pay(300)
    house.pay(200, manual=True)
    with pytest.raises(CorrectionNotCovered) as refused:
        house.correct(TOP_UPS)
    assert (refused.value.available, refused.value.amount) == (500, 1000)
    assert refused.value.sentence().startswith("5.00 CNY are there to take back, not 10.00 CNY;")
    assert house.correct(TOP_UPS, 500)["amount"] == 500
    assert house.books.tables[PAYMENTS]
    assert house.balances(LIN) == [200]


def test_what_the_bank_does_not_have_is_not_taken_back(house: House) -> None:
    """A merchant that owes makes people have more than the bank does."""
    house.pay(400)
    (payment,) = house.books.tables[PAYMENTS].values()
    house.payout(400 - payment.fee)
    house.do(GiveBack, shop=shop, payment=payment, amount=TERMS.overdraft, reason=None)
    house.withdraw(None, payment.fee)
    there = house.balances(BANK, LIN, DOOR)
    assert there == [-600, 600 + TERMS.overdraft, -TERMS.overdraft]
    with pytest.raises(CorrectionNotCovered) as refused:
        house.correct(TOP_UPS, 601)
    assert refused.value.available == 600
    with pytest.raises(WithdrawalNotCovered) as short:
        house.withdraw(LIN_ID, 601)
    assert short.value.available == 600
    house.correct(TOP_UPS, 600)
    assert house.balances(BANK, LIN) == [0, TERMS.overdraft]


def test_a_payout_that_came_back_is_the_merchants_again(house: House) -> None:
    house.pay(400)
    before = house.balances(BANK, DOOR)
    house.payout(100)
    made = house.correct(PAYOUTS, terms=shop.place.terms, endpoints=(HOOK,))
    assert made["owner_id"] == f"mer_{DOOR_ID.hex}"
    assert made["booking_id"].startswith("pyt_")
    assert house.balances(BANK, DOOR) == before
    assert house.told(DOOR_ID)[-2:] == ["payout.made", "payout.corrected"]
    delivery = [t for t in house.books.tables if t.name == "webhook_deliveries"]
    assert len(house.books.tables[delivery[0]]) == 1


def test_a_person_withdraws_what_is_not_reserved(house: House) -> None:
    house.pay(200, manual=True)
    with pytest.raises(WithdrawalNotCovered) as refused:
        house.withdraw(LIN_ID, 801)
    assert refused.value.sentence() == "8.00 CNY can be withdrawn, not 8.01 CNY."
    made = house.withdraw(LIN_ID, 800)
    assert (made["person_id"], made["amount"], made["corrected"]) == (f"ppl_{LIN_ID.hex}", 800, 0)
    assert house.balances(BANK, LIN) == [-200, 200]
    assert not house.last().spends
    assert house.told(LIN_ID)[-1] == "withdrawal.made"
    house.correct(WITHDRAWALS)
    assert house.balances(BANK, LIN) == [-1000, 1000]
    assert house.told(LIN_ID)[-1] == "withdrawal.corrected"


def test_the_operator_takes_its_income_and_no_more(house: House) -> None:
    house.pay(400)
    (income,) = house.balances(FEES)
    assert income > 0
    with pytest.raises(WithdrawalNotCovered):
        house.withdraw(None, income + 1)
    events = len(house.books.tables[EVENTS])
    assert house.withdraw(None, income)["person_id"] is None
    assert house.balances(BANK, FEES) == [income - 1000, 0]
    made = house.correct(WITHDRAWALS)
    assert made["owner_id"] is None
    assert house.balances(BANK, FEES) == [-1000, income]
    assert len(house.books.tables[EVENTS]) == events, "nobody is told of the operator's own money"


@pytest.mark.parametrize("amount", [0, -1, 10**15 + 1])
def test_amounts_are_checked(house: House, amount: int) -> None:
    with pytest.raises(Refused) as refused:
        house.withdraw(LIN_ID, amount)
    assert refused.value.code == "invalid_request"


def test_books_balance_after_all_of_it(house: House) -> None:
    house.pay(400)
    house.payout(100)
    house.withdraw(None, 1)
    house.correct(PAYOUTS, 50, terms=shop.place.terms)
    house.correct(TOP_UPS, 600)
    assert sum(house.balances(BANK, LIN, DOOR, FEES)) == 0
    (payment,) = house.books.tables[PAYMENTS].values()
    with pytest.raises(Refused):  # a payment is no booking: it is refunded
        house.do(ByMerchant, shop=shop, payment=payment, command=Command.CANCEL)
