"""A shop, its people and their money in memory: payments without a database.

`Books` keeps tables in dictionaries and gives each entry a `View` of what it touches, as the
journal reads it, so that the real entries decide. Shared by unit and integration tests.
"""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from moves import CNY, NOON, new_ids, owner, utc_day
from tandem.api.event_types import KINDS
from tandem.events import EVENTS, Event
from tandem.kernel import ManualClock, Refused
from tandem.ledger import ACCOUNTS, Account, AccountKey, Entry, Outcome, View, bank, fees
from tandem.ledger import merchant as merchant_account
from tandem.ledger import person as person_account
from tandem.ledger.entry import ANSWERS
from tandem.ledger.model import RESERVATIONS, TRANSFERS, new_account
from tandem.merchants import Acceptance, CurrencyTerms, Place, WayRule
from tandem.payments import Capture, NewPayment, Shop, Source
from tandem.payments.decisions import Rules
from tandem.people import DEVICES, Device, Limits, PersonTerms, Spending

LIN_ID, MEI_ID, DOOR_ID = owner(101), owner(102), owner(103)
SHOP_ID, DEVICE_IDS = owner(104), (owner(105), owner(106))
LIN, MEI, DOOR = (
    person_account(LIN_ID, CNY),
    person_account(MEI_ID, CNY),
    merchant_account(DOOR_ID, CNY),
)
BANK, FEES = bank(CNY), fees(CNY)
EVERYONE: Final = (BANK, FEES, LIN, MEI, DOOR)

SPENDING: Final = Spending(per_payment=800, per_day=2000)
RULES: Final = Rules("tandem", SPENDING, 400, 700, 2 * 86_400 + 100)
TERMS: Final = CurrencyTerms(fee_basis_points=100, fee_fixed=2, overdraft=150)
LIN_LIMITS: Final = Limits(per_payment=500, per_day=1200)
MOST_BY_SCAN: Final = 900

lin = PersonTerms(LIN_ID, "lin", "Lin Wei", "active", 1, {"CNY": LIN_LIMITS})
mei = PersonTerms(MEI_ID, "mei", "Mei Chen", "active", 1, {})
place = Place(
    DOOR_ID, "Blue Door", "active", 1, {"CNY": TERMS}, SHOP_ID, "Blue Door, East Gate", "Hangzhou",
    "CN", "5814", "t" * 20, None, None, None,
    Acceptance({"scan": WayRule(max_amount={"CNY": MOST_BY_SCAN})}),
)  # fmt: skip
shop = Shop(place, ())


def asked(amount: int, *, manual: bool = False, source: Source = Source.ORDER) -> NewPayment:
    """What a payment of this amount is asked for with."""
    capture = Capture.MANUAL if manual else Capture.AUTOMATIC
    return NewPayment(amount=amount, currency="CNY", way="scan", source=source, capture=capture)


class Runs(Protocol):
    """Something that decides entries and keeps what comes of them."""

    async def run(self, entry: Entry, now: datetime) -> tuple[str, bytes]:
        """`done` and the answer, or a refusal's code."""
        ...

    async def row(self, table: Any, key: Any) -> Any:  # noqa: ANN401 - any table's row
        """A row as it stands."""
        ...

    async def account(self, key: AccountKey) -> Account:
        """An account as it stands; new if nobody used it."""
        ...

    async def reservations(self) -> set[UUID]:
        """The ids of the open reservations."""
        ...


Tables = defaultdict[Any, dict[Any, Any]]


@dataclass
class Books:
    """All tables, in memory."""

    tables: Tables = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        self.ids = new_ids(ManualClock(NOON))
        door = new_account(DOOR, NOON, utc_day(NOON))
        door.overdraft = TERMS.overdraft
        self.tables[ACCOUNTS].setdefault(DOOR.id, door)
        for device_id, who in zip(DEVICE_IDS, (LIN_ID, MEI_ID), strict=True):
            row = Device(device_id, who, "Phone", 1, b"", 0, 0, 0, None, NOON, None)
            self.tables[DEVICES].setdefault(device_id, row)

    def copy(self) -> "Books":
        """Other books with the same rows: rows are values, and accounts are copied when read."""
        return Books(defaultdict(dict, {table: dict(rows) for table, rows in self.tables.items()}))

    def view(self, entry: Entry, now: datetime) -> View:
        """What the journal would have read for an entry."""
        view, touches = View(now, utc_day, self.ids.new), entry.touches()
        for key in touches.accounts:
            view.looked_up.add(key.id)
        wanted = [(ACCOUNTS, key.id) for key in touches.accounts] + list(touches.rows)
        if entry.idempotency is not None:
            wanted.append((ANSWERS, entry.idempotency[:2]))
        for table, key in wanted:
            if key in self.tables[table]:
                view.rows[table][key] = deepcopy(self.tables[table][key])
        for pending_id in touches.pending:
            view.pending[pending_id] = self.tables[TRANSFERS][pending_id]
            if pending_id in self.tables[RESERVATIONS]:
                view.open_pending.add(pending_id)
        return view

    def decide(self, entry: Entry, now: datetime) -> Outcome:
        """Decide an entry and keep what it writes. Raises its refusal, having changed nothing."""
        view = self.view(entry, now)
        before = deepcopy(_read(view))
        try:
            outcome = view.decide(entry, entry.touches().terms)
        except Refused:
            assert _read(view) == before
            assert not any(view.inserted.values()), "a refusal inserts nothing"
            assert not any(view.updated.values()), "a refusal updates nothing"
            assert not any(view.appended.values()), "a refusal appends nothing"
            assert not view.released
            raise
        for event in view.appended.get(EVENTS, ()):
            _check_told(event)
        for changes in (view.inserted, view.updated):
            for table, rows in changes.items():
                self.tables[table].update(rows)
        for table, logged in view.appended.items():
            self.tables[table].update({table.key_of(row): row for row in logged})
        for pending_id in view.released:
            del self.tables[RESERVATIONS][pending_id]
        return outcome

    async def run(self, entry: Entry, now: datetime) -> tuple[str, bytes]:
        try:
            return "done", self.decide(entry, now).body
        except Refused as refusal:
            return refusal.code, b""

    async def row(self, table: Any, key: Any) -> Any:  # noqa: ANN401 - any table's row
        return self.tables[table].get(key)

    async def account(self, key: AccountKey) -> Account:
        found: Account | None = self.tables[ACCOUNTS].get(key.id)
        return found or new_account(key, NOON, utc_day(NOON))

    async def reservations(self) -> set[UUID]:
        return set(self.tables[RESERVATIONS])

    def balance(self, key: AccountKey) -> int:
        """An account's balance."""
        found: Account | None = self.tables[ACCOUNTS].get(key.id)
        return 0 if found is None else found.balance


def _check_told(event: Event) -> None:
    """The data of an event has just one of the forms that the reference names."""
    assert sum(_fits(event.data.encode(), shape) for shape in KINDS[event.type].shapes) == 1, event


def _fits(data: bytes, shape: type[msgspec.Struct]) -> bool:
    try:
        return msgspec.json.encode(msgspec.json.decode(data, type=shape)) == data
    except msgspec.ValidationError:
        return False


def _read(view: View) -> Any:  # noqa: ANN401 - only compared
    rows = {table.name: rows for table, rows in view.rows.items() if rows}
    return rows, view.pending, view.open_pending
