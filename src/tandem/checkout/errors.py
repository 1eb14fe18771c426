"""Why a checkout, a payment link or an invoice does not do what was asked.

Refused
├── ReturnRefused      the address to return to is not the merchant's, as its settings have it
├── LinkClosed         the payment link takes no more payments
└── InvoiceConflict    the invoice's state does not allow it
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class ReturnRefused(Refused):
    """Checkout returns only to origins that the merchant's settings name. `field` says which."""

    code: ClassVar[str] = "return_refused"
    field: str
    origin: str
    allowed: tuple[str, ...]

    def sentence(self) -> str:
        """Say where the origins are set."""
        return (
            f"{self.field}: checkout does not return to {self.origin}. Add it to return_origins "
            "(PUT /v1/checkout/settings) if it is yours. Nothing was made."
        )


@dataclass(eq=False)
class LinkClosed(Refused):
    """The payment link takes no payment now: `off`, `over` (its time), or `used_up`."""

    code: ClassVar[str] = "link_closed"
    reason: str

    def sentence(self) -> str:
        """Say why, to whoever opened it."""
        why = {
            "off": "The shop has switched this link off.",
            "over": "The time of this link is over.",
            "used_up": "This link was paid as often as it can be, or others are paying it now.",
        }[self.reason]
        return f"{why} Nothing was paid; ask the shop for another one."


@dataclass(eq=False)
class InvoiceConflict(Refused):
    """The invoice's state does not allow it. `status` is what it is, `wanted` what was asked."""

    code: ClassVar[str] = "invoice_state"
    status: str
    wanted: str

    def sentence(self) -> str:
        """Say what it is and that nothing changed."""
        return f"The invoice is {self.status}: {self.wanted} is not possible. Nothing was changed."
