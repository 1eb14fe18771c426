"""The sandbox: a virtual clock and a buyer that pays by itself. Never there in production."""

from tandem.sandbox.buyer import Buyer, BuyerRule, BuyerRules
from tandem.sandbox.clock import ClockView, VirtualClock

__all__ = ["Buyer", "BuyerRule", "BuyerRules", "ClockView", "VirtualClock"]
