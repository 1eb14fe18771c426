"""What a person may spend, for one payment and in one day: payments and sends ask here. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from tandem.kernel import Refused, currency, of_hundredths, show_money
from tandem.people.model import Limits, PersonTerms


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
        most, left = (show_money(minor, self.currency) for minor in (self.maximum, self.left))
        return f"The limit {which} is {most}, and {left} are left. Nothing was paid."


class Confirmed(msgspec.Struct, frozen=True):
    """What a person has confirmed with their passkey: whom they pay, and how much (minor units)."""

    payee_id: UUID
    amount: int
    currency: str


@dataclass(eq=False)
class PasskeyNeeded(Refused):
    """The amount is above what the person's passkey is asked for. Amounts in minor units.

    `options` is what their browser is to sign with it (WebAuthn §5.5); the same request with what
    it answers as `assertion` is done.
    """

    code: ClassVar[str] = "passkey_needed"
    passing: ClassVar[bool] = True  # the request is not over: it comes again, confirmed
    payee_id: UUID
    amount: int
    currency: str
    above: int
    options: dict[str, Any] | None = None

    def sentence(self) -> str:
        """Say what to do."""
        return (
            f"You asked to confirm payments above {show_money(self.above, self.currency)}. "
            f"Confirm {show_money(self.amount, self.currency)} with your passkey; "
            "nothing was paid yet."
        )


@dataclass(frozen=True, slots=True)
class Spending:
    """The operator's limits for people who have none of their own.

    In hundredths of a currency's unit, as settings are: the same for every currency.
    """

    per_payment: int
    per_day: int

    def of(self, payer: PersonTerms, code: str) -> Limits:
        """What this person may spend in a currency, in minor units: their own limits, or these."""
        own = payer.limits.get(code)
        if own is not None:
            return own
        return _limits(self.per_payment, self.per_day, code)


@lru_cache(maxsize=256)
def _limits(per_payment: int, per_day: int, code: str) -> Limits:
    unit = currency(code)
    return Limits(of_hundredths(per_payment, unit), of_hundredths(per_day, unit))


def objection(
    spending: Spending, payer: PersonTerms, amount: int, code: str, spent: int
) -> Refused | None:
    """Why this person may not spend the amount, if so; `spent` is what counted today."""
    if payer.status != "active":
        return PayerNotActive()
    limits = spending.of(payer, code)
    if amount > limits.per_payment:
        return LimitExceeded("per_payment", limits.per_payment, limits.per_payment, code)
    if amount > limits.per_day - spent:
        return LimitExceeded("per_day", limits.per_day, max(0, limits.per_day - spent), code)
    return None


def unconfirmed(
    payer: PersonTerms, payee_id: UUID, amount: int, code: str, confirmed: Confirmed | None
) -> Refused | None:
    """Why the person must confirm this payment first, if so: above their own limit, not yet done.

    What they confirmed is for one payee and one amount, and for nothing else.
    """
    above = payer.passkey_above.get(code)
    if above is None or amount <= above:
        return None
    if confirmed == Confirmed(payee_id, amount, code):
        return None
    return PasskeyNeeded(payee_id, amount, code, above)
