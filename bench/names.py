"""What the people, merchants and keys of the benchmark are called: all of it follows from numbers.

Person number n has an id, an account, a key and a seed that anybody here can work out, so the load
generator, the SQL that fills the tables and pgbench's script agree without passing lists around.
An id holds its number as eight **decimal** digits, since pgbench can write no others.
"""

from functools import cache
from hashlib import sha256
from typing import Final
from uuid import UUID

from tandem.codes.paycode import SEED_BYTES
from tandem.emv.card.profile import luhn
from tandem.kernel import currency
from tandem.ledger import AccountCode

UNIT: Final = currency("CNY")
PUBLIC_URL: Final = "http://127.0.0.1:8080"

FIRST: Final = 10_000_000
"""Added to a number, so that it always has eight digits."""
PERSON: Final = "01990000-0000-7000-8000-"
MERCHANT: Final = "01990000-0000-7000-8001-"
SHOP: Final = "01990000-0000-7000-8002-"
DEVICE: Final = "01990000-0000-7000-8003-"
PERSON_KEY: Final = "01990000-0000-7000-8004-"
MERCHANT_KEY: Final = "01990000-0000-7000-8005-"
TOP_UP: Final = "01990000-0000-7000-8006-"
TILL: Final = "01990000-0000-7000-8007-"
CARD: Final = "01990000-0000-7000-8008-"

LINK_SECRET: Final = bytes(range(1, 17))
"""The key that links' session keys travel under."""

FEE_BASIS_POINTS: Final = 60
AMOUNTS: Final = (100, 999)
"""The smallest and largest amount paid, in minor units: each has a fee of at least one."""
TOPPED_UP: Final = 100_000_000
"""What each person has at first, in minor units."""
LIMIT: Final = 1_000_000_000
"""What a person may spend in a day, above what any run spends, in minor units."""

CARD_RANGE: Final = "980123"
_SECRET_DIGITS: Final = 43


def tail(code: AccountCode) -> str:
    """The last four digits of an account's id, where its owner's id has zeros."""
    return f"{UNIT.number << 6 | code:04x}"


def uuid_of_number(kind: str, number: int) -> UUID:
    """The id of the thing of this kind with this number."""
    return UUID(f"{kind}{FIRST + number}0000")


def device_secret(number: int) -> str:
    """The API key of a person's device."""
    return f"tk_dev_{number:0{_SECRET_DIGITS}d}"


def merchant_secret(number: int) -> str:
    """The API key of a merchant."""
    return f"tk_mer_{number:0{_SECRET_DIGITS}d}"


def token(number: int) -> str:
    """The token of the static code of a merchant's shop."""
    return f"bench{number:015d}"


def seed(number: int) -> bytes:
    """The seed of a person's device, from which it makes pay codes."""
    return sha256(b"bench seed %d" % number).digest()[:SEED_BYTES]


def code_index(number: int) -> str:
    """The eight digits that name a person's device in pay codes."""
    return f"{number:08d}"


@cache
def pan(number: int) -> str:
    """The number of a person's device card."""
    body = f"{CARD_RANGE}{number:09d}"
    return next(full for digit in range(10) if luhn(full := f"{body}{digit}"))


def terminal(number: int) -> str:
    """What a terminal is called in messages."""
    return f"T{number:07d}"
