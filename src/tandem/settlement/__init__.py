"""Settlement: money out by bank, by hand for now, and putting right what was booked wrongly."""

from tandem.settlement.books import MerchantBalance, MerchantBooks, MerchantLine
from tandem.settlement.corrections import (
    Booking,
    Correction,
    Corrections,
    CorrectionView,
    correction_view,
)
from tandem.settlement.errors import (
    AlreadyCorrected,
    CorrectionNotCovered,
    PayoutNotCovered,
    SettlementNotCovered,
    WithdrawalNotCovered,
)
from tandem.settlement.issuers import (
    IssuerSettlements,
    IssuerSettlementView,
    IssuerView,
    RefusedAdvice,
)
from tandem.settlement.payouts import Payouts, PayoutView, payout_view
from tandem.settlement.statements import Period, PeriodStatement, Statements
from tandem.settlement.withdrawals import (
    Withdrawal,
    Withdrawals,
    WithdrawalView,
    withdrawal_view,
)

__all__ = [
    "AlreadyCorrected",
    "Booking",
    "Correction",
    "CorrectionNotCovered",
    "CorrectionView",
    "Corrections",
    "IssuerSettlementView",
    "IssuerSettlements",
    "IssuerView",
    "MerchantBalance",
    "MerchantBooks",
    "MerchantLine",
    "PayoutNotCovered",
    "PayoutView",
    "Payouts",
    "Period",
    "PeriodStatement",
    "RefusedAdvice",
    "SettlementNotCovered",
    "Statements",
    "Withdrawal",
    "WithdrawalNotCovered",
    "WithdrawalView",
    "Withdrawals",
    "correction_view",
    "payout_view",
    "withdrawal_view",
]
