"""Why a shop does not take a payment.

Refused
└── WayRefused    not this way: switched off, above its limit, or not this wallet or partner
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused, show_money


@dataclass(eq=False)
class WayRefused(Refused):
    """The shop does not take this payment in this way. Amounts in minor units.

    `reason` is way_off, amount_above_limit, wallet_refused or partner_refused; `limit` the largest
    amount of `currency` that this way takes, if that is the reason; `ways_left` the ways that would
    take it.
    """

    code: ClassVar[str] = "way_refused"
    way: str
    reason: str
    limit: int | None
    currency: str
    ways_left: tuple[str, ...]

    def sentence(self) -> str:
        """Say why, and which ways remain."""
        limit = show_money(self.limit or 0, self.currency)
        why = {
            "way_off": f"This shop does not take {self.way} payments at the moment.",
            "amount_above_limit": f"This shop takes {self.way} payments up to {limit}.",
            "wallet_refused": "This shop does not take this wallet.",
            "partner_refused": "This shop does not take wallets of this partner.",
        }[self.reason]
        if not self.ways_left:
            return f"{why} No way is left for this payment; pay otherwise."
        return f"{why} Pay by {' or '.join(self.ways_left)} instead."
