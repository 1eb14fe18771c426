"""What a person may spend, for one payment and in one day: payments and sends ask here. Pure."""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused
from tandem.people.model import PersonTerms


@dataclass(eq=False)
class PayerNotActive(Refused):
    """The person is suspended."""

    code: ClassVar[str] = "payer_not_active"

    def sentence(self) -> str:
        """Say so."""
        return "This wallet cannot pay at the moment. Nothing was paid."


@dataclass(eq=False)
class LimitExceeded(Refused):
    """The amount is above the person's limit. Amounts in minor units."""

    code: ClassVar[str] = "limit_exceeded"
    limit: str
    maximum: int
    left: int
    currency: str

    def sentence(self) -> str:
        """Say which limit and what it leaves."""
        which = "for one payment" if self.limit == "per_payment" else "for one day"
        return (
            f"The limit {which} is {self.maximum} minor units of {self.currency}, "
            f"and {self.left} are left. Nothing was paid."
        )


@dataclass(frozen=True, slots=True)
class Spending:
    """The operator's limits for people who have none of their own, in minor units."""

    per_payment: int
    per_day: int


def objection(
    spending: Spending, payer: PersonTerms, amount: int, currency: str, spent: int
) -> Refused | None:
    """Why this person may not spend the amount, if so; `spent` is what counted today."""
    if payer.status != "active":
        return PayerNotActive()
    own = payer.limits.get(currency)
    per_payment = spending.per_payment if own is None else own.per_payment
    per_day = spending.per_day if own is None else own.per_day
    if amount > per_payment:
        return LimitExceeded("per_payment", per_payment, per_payment, currency)
    if amount > per_day - spent:
        return LimitExceeded("per_day", per_day, max(0, per_day - spent), currency)
    return None
