"""Settlement: paying merchants out, by hand for now."""

from tandem.settlement.payouts import PayoutNotCovered, Payouts, PayoutView, payout_view

__all__ = ["PayoutNotCovered", "PayoutView", "Payouts", "payout_view"]
