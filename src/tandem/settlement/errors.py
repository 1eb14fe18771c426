"""Why settlement refuses.

Refused
├── PayoutNotCovered        the merchant's balance, or the bank's, is less
├── WithdrawalNotCovered    the wallet's balance or the income, or the bank's, is less
├── SettlementNotCovered    not so much is owed between an issuer and us
├── CorrectionNotCovered    what would be taken back is not there any more
└── AlreadyCorrected        a booking is corrected once
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused, show_money


@dataclass(eq=False)
class PayoutNotCovered(Refused):
    """The merchant's balance, or the bank's, does not cover the payout. Amounts in minor units."""

    code: ClassVar[str] = "payout_not_covered"
    available: int
    amount: int
    currency: str

    def sentence(self) -> str:
        """Give both amounts."""
        return (
            f"{show_money(self.available, self.currency)} can be paid out, "
            f"not {show_money(self.amount, self.currency)}."
        )


@dataclass(eq=False)
class WithdrawalNotCovered(Refused):
    """The wallet (or the income from fees), or the bank, has less. Amounts in minor units."""

    code: ClassVar[str] = "withdrawal_not_covered"
    available: int
    amount: int
    currency: str

    def sentence(self) -> str:
        """Give both amounts."""
        return (
            f"{show_money(self.available, self.currency)} can be withdrawn, "
            f"not {show_money(self.amount, self.currency)}."
        )


@dataclass(eq=False)
class CorrectionNotCovered(Refused):
    """What would be taken back was spent, or is reserved. Amounts in minor units."""

    code: ClassVar[str] = "correction_not_covered"
    available: int
    amount: int
    currency: str

    def sentence(self) -> str:
        """Say what is there, and that nothing goes below zero."""
        return (
            f"{show_money(self.available, self.currency)} are there to take back, "
            f"not {show_money(self.amount, self.currency)}; no wallet goes below zero. "
            "Correct a part, or wait until it is there: a suspended wallet spends nothing."
        )


@dataclass(eq=False)
class AlreadyCorrected(Refused):
    """The booking was corrected before. `booking` and `correction` are their ids."""

    code: ClassVar[str] = "already_corrected"
    booking: str
    correction: str

    def sentence(self) -> str:
        """Name the correction that stands."""
        return (
            f"{self.booking} was corrected before, by {self.correction}. "
            "A booking is corrected once."
        )


@dataclass(eq=False)
class SettlementNotCovered(Refused):
    """Not so much is owed between the issuer and us. Amounts in minor units."""

    code: ClassVar[str] = "settlement_not_covered"
    owed: int
    amount: int
    currency: str
    direction: str

    def sentence(self) -> str:
        """Give both amounts."""
        there, asked = (show_money(minor, self.currency) for minor in (self.owed, self.amount))
        who = "The issuer owes" if self.direction == "received" else "The issuer can be paid"
        return (
            f"{who} {there}, not {asked}. Compare its statement with `tandem operator issuer list`."
        )
