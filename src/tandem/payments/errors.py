"""Why a payment is refused.

Refused
├── PaymentConflict           not in this state
├── CurrencyNotTaken          the merchant has no account in this currency
├── MerchantNotActive         the merchant is suspended
├── PaymentTaken              another person has scanned this code
├── CaptureExceedsAuthorised  more is captured than is authorised
├── RefundExceedsCaptured     more is refunded than was captured
├── RefundNotCovered          the merchant's balance does not cover the refund
│   └── ReversalNotCovered    or what a till takes back, for now
├── RefundAboveLimit          more than this member of staff may give back
├── CardUnknown               no card of this operator's has this number
├── CodePaused                too many wrong codes: a pause
└── CodeOfAnotherOperator     the code is sound, and somebody else's
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Literal
from uuid import UUID

from tandem.kernel import Refused, currency, of_hundredths, show_id, show_money
from tandem.signin import Deed, Limits, NeedsApproval

_DONE: Final = {
    "scan": "scanned",
    "approve": "approved",
    "decline": "declined",
    "leave": "left",
    "capture": "captured",
    "cancel": "cancelled",
    "refund": "refunded",
    "expire": "ended",
    "reduce": "reduced",
    "take_back": "restored",
}
"""What a payment is after a command, in the words of a sentence."""


@dataclass(eq=False)
class PaymentConflict(Refused):
    """The payment's state does not allow this.

    `command` is what was asked for and `allowed` what can be: of `scan`, `approve`, `decline`,
    `leave`, `capture`, `cancel` and `refund`.
    """

    code: ClassVar[str] = "payment_state"
    status: str
    command: str
    allowed: tuple[str, ...]

    def sentence(self) -> str:
        """Say the state and what it allows."""
        can = " or ".join(_DONE[command] for command in self.allowed)
        rest = f"it can be {can}" if can else "nothing more can be done"
        status = self.status.replace("_", " ")
        return f"The payment is {status}, so it cannot be {_DONE[self.command]}; {rest}."


@dataclass(eq=False)
class CurrencyNotTaken(Refused):
    """The merchant does not take this currency."""

    code: ClassVar[str] = "currency_not_taken"
    currency: str
    taken: tuple[str, ...]

    def sentence(self) -> str:
        """Name the currencies that it takes."""
        return f"This merchant does not take {self.currency}; it takes {', '.join(self.taken)}."


@dataclass(eq=False)
class MerchantNotActive(Refused):
    """The merchant is suspended."""

    code: ClassVar[str] = "merchant_not_active"

    def sentence(self) -> str:
        """Say so."""
        return "This merchant cannot take payments at the moment. Nothing was paid."


@dataclass(eq=False)
class PaymentTaken(Refused):
    """Another person has scanned this code. `until` is when it is open to others at the latest."""

    code: ClassVar[str] = "payment_taken"
    until: datetime | None

    def sentence(self) -> str:
        """Say what to do."""
        return (
            "Somebody else is paying this. Ask the shop for a code of your own, or scan it later."
        )


@dataclass(eq=False)
class CaptureExceedsAuthorised(Refused):
    """More would be captured than is authorised. Amounts in minor units."""

    code: ClassVar[str] = "capture_exceeds_authorised"
    left: int
    amount: int
    currency: str

    def sentence(self) -> str:
        """Give both amounts."""
        left, asked = (show_money(minor, self.currency) for minor in (self.left, self.amount))
        return f"{left} are left to capture, not {asked}."


@dataclass(eq=False)
class RefundExceedsCaptured(Refused):
    """More would be refunded than was captured. Amounts in minor units."""

    code: ClassVar[str] = "refund_exceeds_captured"
    left: int
    amount: int
    currency: str

    def sentence(self) -> str:
        """Give both amounts."""
        left, asked = (show_money(minor, self.currency) for minor in (self.left, self.amount))
        return f"{left} are left to refund, not {asked}."


@dataclass(eq=False)
class RefundNotCovered(Refused):
    """The merchant's balance and overdraft do not cover the refund. Amounts in minor units."""

    code: ClassVar[str] = "refund_not_covered"
    available: int
    amount: int
    currency: str

    def sentence(self) -> str:
        """Say what to do."""
        there, asked = (show_money(minor, self.currency) for minor in (self.available, self.amount))
        return (
            f"The merchant's balance covers {there}, not {asked}. "
            "Take payments or pay in first, or ask the operator for an overdraft."
        )


@dataclass(eq=False)
class ReversalNotCovered(RefundNotCovered):
    """The same of a reversal, which comes again until it is done: somebody waits for it."""

    code: ClassVar[str] = "reversal_not_covered"
    passing: ClassVar[bool] = True


@dataclass(eq=False)
class CodePaused(Refused):
    """Too many wrong pay codes were tried."""

    code: ClassVar[str] = "pay_code_paused"
    passing: ClassVar[bool] = True
    until: datetime

    def sentence(self) -> str:
        """Say until when and what works meanwhile."""
        return (
            f"Too many wrong codes were shown; pay codes are paused until "
            f"{self.until.isoformat(timespec='seconds')}. Scanning the shop's code still works."
        )


@dataclass(eq=False)
class CardUnknown(Refused):
    """No card of this operator's has this number."""

    code: ClassVar[str] = "card_unknown"

    def sentence(self) -> str:
        """Say so."""
        return "This is no card of this operator's. Nothing was paid."


@dataclass(eq=False)
class CodeOfAnotherOperator(Refused):
    """The code is sound, and not one of this operator's. `host` is where its link leads, if any."""

    code: ClassVar[str] = "code_of_another_operator"
    host: str | None

    def sentence(self) -> str:
        """Say what to do."""
        return "This code belongs to another wallet or operator. Ask the shop for a Tandem code."


@dataclass(eq=False)
class RefundAboveLimit(NeedsApproval):
    """More would be given back than this member of staff may: `per` payment, or `per` day.

    In minor units. `refunded` is what would have been given back in all, of the payment or by this
    member on this day; `amount` what was to be given back now.
    """

    code: ClassVar[str] = "refund_above_limit"
    payment_id: UUID
    per: Literal["payment", "day"]
    limit: int
    refunded: int
    amount: int
    currency: str
    approval: dict[str, Any] | None = None

    def deed(self) -> Deed:
        """The refund of just this amount, of this payment."""
        return Deed("refund", show_id("pay", self.payment_id), self.amount, self.currency)

    def within(self, limits: Limits) -> bool:
        """As far as is known here: what they gave back today themselves is looked at later."""
        unit = currency(self.currency)
        of_payment = self.refunded if self.per == "payment" else self.amount
        wanted = ((limits.of_payment, of_payment), (limits.of_day, self.amount))
        return all(most is None or amount <= of_hundredths(most, unit) for most, amount in wanted)

    def sentence(self) -> str:
        """Say the limit and who may approve it."""
        limit, refunded = (show_money(m, self.currency) for m in (self.limit, self.refunded))
        of = "of one payment" if self.per == "payment" else "in a day"
        return (
            f"You may give back {limit} {of}, and this would make it {refunded}. "
            "A manager or an owner may approve it."
        )
