"""The ledger: accounts, transfers, and the journal that commits them."""

from tandem.ledger.chart import (
    OPERATOR_ID,
    AccountCode,
    AccountFlags,
    AccountKey,
    TransferCode,
    bank,
    fees,
    merchant,
    person,
)
from tandem.ledger.entry import Decision, Entry, Outcome, Touches, View, Write
from tandem.ledger.errors import (
    AmountExceedsPending,
    InsufficientFunds,
    JournalBusy,
    OutcomeUnknown,
    PendingExpired,
    PendingNotFound,
    PendingResolved,
    StaleTerms,
)
from tandem.ledger.journal import Journal
from tandem.ledger.model import (
    ACCOUNTS,
    RESERVATIONS,
    TRANSFERS,
    Account,
    Transfer,
    TransferKind,
    TransferRow,
)

__all__ = [
    "ACCOUNTS",
    "OPERATOR_ID",
    "RESERVATIONS",
    "TRANSFERS",
    "Account",
    "AccountCode",
    "AccountFlags",
    "AccountKey",
    "AmountExceedsPending",
    "Decision",
    "Entry",
    "InsufficientFunds",
    "Journal",
    "JournalBusy",
    "Outcome",
    "OutcomeUnknown",
    "PendingExpired",
    "PendingNotFound",
    "PendingResolved",
    "StaleTerms",
    "Touches",
    "Transfer",
    "TransferCode",
    "TransferKind",
    "TransferRow",
    "View",
    "Write",
    "bank",
    "fees",
    "merchant",
    "person",
]
