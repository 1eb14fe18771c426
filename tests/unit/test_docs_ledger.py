"""docs/ledger.md: its example is booked line by line and leaves the balances that it shows."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

from tandem.kernel import Ids, ManualClock, basis_points, currency
from tandem.ledger import (
    AccountKey,
    Transfer,
    TransferCode,
    TransferKind,
    TransferRow,
    bank,
    fees,
    issuer,
    merchant,
    packet,
    person,
)
from tandem.ledger.model import Account, book, new_account

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "ledger.md"
NOW: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
CNY: Final = currency("CNY")
ANN, BEN, SHOP, BANK, GIFT = (
    UUID(int=(0x7000 << 64 | 0x8000 << 48) + (n << 80)) for n in range(1, 6)
)
NAMES: Final = {
    "Bank": bank(CNY),
    "Ann": person(ANN, CNY),
    "Ben": person(BEN, CNY),
    "Shop": merchant(SHOP, CNY),
    "Fees": fees(CNY),
    "Issuer": issuer(BANK, CNY),
    "Packet": packet(GIFT, CNY),
}
CELL: Final = re.compile(r"\*\*|^ | $")


def table(*head: str) -> list[list[str]]:
    """The rows of the document's table with these columns."""
    text = DOCUMENT.read_text(encoding="utf-8")
    _, _, after = text.partition(f"| {' | '.join(head)} |\n".replace("|  |", "| |"))
    assert after, f"no table {head}"
    rows = after.partition("\n\n")[0].splitlines()[1:]
    return [[CELL.sub("", cell).strip() for cell in row.strip("|").split("|")] for row in rows]


def minor(text: str) -> int:
    """The minor units of an amount as the document writes it."""
    return int(Decimal(text).scaleb(CNY.exponent))


class Books:
    """The accounts, and the pending transfers that the document's lines resolve."""

    def __init__(self) -> None:
        self.ids = Ids(ManualClock(NOW))
        self.accounts: dict[UUID, Account] = {}
        self.pending: dict[UUID, TransferRow] = {}
        self.open_ids: set[UUID] = set()

    def account(self, key: AccountKey) -> Account:
        return self.accounts.setdefault(key.id, new_account(key, NOW, NOW.date()))

    def line(self, debit: str, credit: str, amount: int, how: str) -> None:
        """Book one line of the example, as it says how."""
        kind = TransferKind[how.split(maxsplit=1)[0].upper()]
        resolves = kind in (TransferKind.POST, TransferKind.VOID)
        (pending_id,) = self.open_ids if resolves else (None,)
        transfer = Transfer(
            NAMES[debit],
            NAMES[credit],
            amount,
            TransferCode.PAYMENT,
            ANN,
            kind,
            pending_id,
            NOW + timedelta(days=7) if kind is TransferKind.PENDING else None,
        )
        rows = book(
            self.ids.entry(),
            [transfer],
            account=self.account,
            pending=self.pending,
            open_ids=self.open_ids,
            now=NOW,
            day=NOW.date(),
            day_of=datetime.date,
        )
        if kind is TransferKind.PENDING:
            self.pending[rows[0].id] = rows[0]
            self.open_ids.add(rows[0].id)


def test_the_example_leaves_the_balances_that_it_shows() -> None:
    books = Books()
    for _, debit, credit, amount, how in table("", "Debit", "Credit", "Amount", "How"):
        books.line(debit, credit, minor(amount), how)
    shown = {name: minor(balance) for name, balance in table("Account", "Balance")}
    assert shown == {name: books.account(key).balance for name, key in NAMES.items()}
    assert sum(shown.values()) == 0
    assert not books.open_ids


def test_the_example_charges_the_fees_that_it_names() -> None:
    rows = table("", "Debit", "Credit", "Amount", "How")
    charged = [minor(amount) for _, _, credit, amount, _ in rows if credit == "Fees"]
    assert charged == [basis_points(captured, 60) + 10 for captured in (3800, 2000, 2000)]


def test_every_kind_of_transfer_has_an_example() -> None:
    told = " ".join(row[0] for row in table("", "Debit", "Credit", "Amount", "How")).lower()
    for code in TransferCode:
        assert code.name.lower().replace("_", "-") in told, code
