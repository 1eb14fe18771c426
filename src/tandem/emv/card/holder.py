"""What the device says of the person at it, and what the card tells the device of a tap."""

from datetime import datetime
from typing import NamedTuple

from tandem.emv.application_data import CryptogramType, Method, Verifier
from tandem.emv.card.risk import Reason


class Verification(NamedTuple):
    """That somebody verified the person, how, and when. Good for one payment."""

    verifier: Verifier
    method: Method
    at: datetime


class Holder(NamedTuple):
    """What the device says of the person at it, for one command.

    `verification` is None if there is none that is still good; `failed_tries` are wrong ones since
    the last right one, `tries_left` how many more the device allows, if it says.
    """

    verification: Verification | None = None
    failed_tries: int = 0
    tries_left: int | None = None


class Tap(NamedTuple):
    """What a transaction came to, for the device to show. `amount` in minor units of `currency`.

    `merchant` is the terminal's own word, in ISO/IEC 8859-1: nobody vouches for it.
    """

    atc: int
    amount: int
    currency: int
    type: int
    merchant: str
    merchant_category: int
    cryptogram: CryptogramType
    reason: Reason
    verification: Verification | None
    transit: bool
    signed: bool
