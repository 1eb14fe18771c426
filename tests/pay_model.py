"""What must be, by what the house promises: the plain model that `pay_play` plays against.

A dictionary of balances, a list of what was spent on which day, and a dictionary for each payment,
request and red packet; the list of what was booked by hand and may be corrected.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from tills import LIN_LIMITS, RULES, SPENDING, TERMS

LIMITS: Final = (LIN_LIMITS, SPENDING)
Facts = dict[str, Any]


@dataclass
class Model:
    """What must be. People are 0 and 1; `at` is the house's time in seconds from the beginning."""

    balance: Counter[str] = field(default_factory=Counter)
    spent: Counter[tuple[int, int]] = field(default_factory=Counter)
    payments: dict[str, Facts] = field(default_factory=dict)
    requests: dict[str, Facts] = field(default_factory=dict)
    packets: dict[str, Facts] = field(default_factory=dict)
    bookings: list[Facts] = field(default_factory=list)
    at: int = 0

    @property
    def day(self) -> int:
        return (self.at + 12 * 3600) // 86_400

    def held(self, who: int) -> int:
        mine = [p for p in self.payments.values() if p["who"] == who]
        return sum(p["amount"] - p["captured"] for p in mine if p["status"] == "authorised")

    def may_spend(self, who: int, amount: int) -> str | None:
        """Why this person cannot spend the amount today, if so."""
        limits = LIMITS[who]
        if amount > limits.per_payment:
            return "limit_per_payment"
        if amount > limits.per_day - self.spent[who, self.day]:
            return "limit_per_day"
        covered = amount <= self.balance[f"p{who}"] - self.held(who)
        return None if covered else "insufficient_funds"

    def move(self, source: str, target: str, amount: int) -> None:
        self.balance[source] -= amount
        self.balance[target] += amount

    def fee(self, p: Facts, part: int) -> int:
        percent = (Decimal(part) * TERMS.fee_basis_points / 10_000).quantize(
            Decimal(1), ROUND_HALF_EVEN
        )
        return min(part, int(percent) + (0 if p["captured"] else TERMS.fee_fixed))

    def take(self, p: Facts, part: int) -> None:
        """Money goes from the person to the merchant, and the fee from there."""
        charge = self.fee(p, part)
        self.move(f"p{p['who']}", "door", part)
        self.move("door", "fees", charge)
        p["captured"] += part
        p["fee"] += charge

    def agree(self, p: Facts, who: int) -> None:
        """The person agrees."""
        self.spent[who, self.day] += p["amount"]
        p.update(who=who, day=self.day, authorised=p["amount"], status="captured")
        p.update(until=None, ends=None)
        if p["manual"]:
            p.update(status="authorised", until=self.at + RULES.authorisation_seconds)
        else:
            self.take(p, p["amount"])

    def free(self, p: Facts, ends: str) -> None:
        """What is reserved goes free, and counts no more if it was reserved today."""
        if p["status"] == "authorised" and p["day"] == self.day:
            self.spent[p["who"], p["day"]] -= p["amount"] - p["captured"]
        p.update(status=self.stands(p) if p["captured"] else ends, until=None, ends=None)

    def stands(self, p: Facts) -> str:
        """Where a payment of which money was taken stands, by what came back of it."""
        back = ("captured", "partially_refunded", "refunded")
        return back[(p["refunded"] > 0) + (p["refunded"] == p["captured"])]

    def over(self, p: Facts) -> bool:
        return p["until"] is not None and self.at >= p["until"]

    def settled(self, p: Facts) -> Facts:
        """A payment as time has left it: who scans and does not pay holds an order for a while."""
        if p["status"] != "waiting" or p["ends"] is None or not p["until"] <= self.at < p["ends"]:
            return p
        return p | {"status": "created", "who": None, "until": p["ends"], "ends": None}


def code_of(reason: str | None) -> str:
    """The code that is raised for what a decline calls by a longer name."""
    return "done" if reason is None else "limit_exceeded" if "limit" in reason else reason


def no_amount(amount: int) -> bool:
    return not 1 <= amount <= 10**15
