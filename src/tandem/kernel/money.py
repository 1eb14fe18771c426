"""Money: integer minor units of an ISO 4217 currency. No float comes near it.

An amount is always an `int` of minor units (fen, cents, yen) beside a `Currency`; the two are
joined only to be read from people or shown to them. One function rounds: `basis_points`.
"""

import re
from decimal import Decimal
from typing import Final, NamedTuple

import iso4217

from tandem.kernel.errors import Invalid, Rule

MAX_AMOUNT: Final = 10**15
"""The largest single amount, in minor units. A bigint balance holds over nine thousand of them,
so that no sum of a group of transfers can overflow before it is checked."""

_BASIS: Final = 10_000
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]{1,4}))?", re.ASCII)


class Currency(NamedTuple):
    """An ISO 4217 currency.

    `code` is CNY, `number` 156 (it also names the currency's ledger), `exponent` the count of
    decimal places of the minor unit: 2; yen 0, dinar 3.
    """

    code: str
    number: int
    exponent: int


_BY_CODE: Final = {
    entry.code: Currency(entry.code, entry.number, entry.exponent)
    for entry in iso4217.Currency
    if entry.exponent is not None and entry.number is not None
}
_BY_NUMBER: Final = {entry.number: entry for entry in _BY_CODE.values()}


def currency(code: str, field: str = "currency") -> Currency:
    """The currency of an ISO 4217 alphabetic code. Raises `Invalid` if there is none."""
    found = _BY_CODE.get(code)
    if found is None:
        reason = f"{code[:8]!r} is not an ISO 4217 currency code such as CNY or EUR"
        raise Invalid(field, reason, rule=Rule("form"))
    return found


def currency_by_number(number: int) -> Currency:
    """The currency of an ISO 4217 number (156 is CNY). Raises `Invalid` if there is none."""
    found = _BY_NUMBER.get(number)
    if found is None:
        raise Invalid("currency", f"{number:03d} is not an ISO 4217 currency number")
    return found


def parse_amount(text: str, unit: Currency, field: str = "amount") -> int:
    """Read an amount as a person writes it (`38` or `38.00`) into minor units.

    Raises `Invalid` for anything else: signs, grouping, exponents, more decimals than the currency
    has, zero, and amounts above `MAX_AMOUNT`.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise Invalid(field, f"write it in digits with a point, such as 38.00, not {text[:24]!r}")
    whole, decimals = match[1], match[2] or ""
    if len(decimals) > unit.exponent:
        raise Invalid(field, f"{unit.code} has {unit.exponent} decimal places, not {len(decimals)}")
    minor = int(whole + decimals.ljust(unit.exponent, "0"))
    return check_amount(minor, field)


def check_amount(minor: int, field: str = "amount") -> int:
    """Return an amount that can be moved: 1 to `MAX_AMOUNT`. Raises `Invalid` otherwise."""
    if not 1 <= minor <= MAX_AMOUNT:
        raise Invalid(
            field,
            f"must be a whole number of minor units from 1 to {MAX_AMOUNT}",
            rule=Rule("amount", 1, MAX_AMOUNT),
        )
    return minor


def of_hundredths(hundredths: int, unit: Currency) -> int:
    """An amount that was set for any currency, in minor units of this one.

    500000 hundredths are 5000.00 yuan, 5000 yen and 5000.000 dinars; what is less than a minor unit
    is left out, and nothing is above `MAX_AMOUNT`.
    """
    minor: int = hundredths * 10**unit.exponent // 100
    return min(minor, MAX_AMOUNT)


def format_amount(minor: int, unit: Currency) -> str:
    """The amount in the plain form that `parse_amount` reads, with a minus sign if negative."""
    value = Decimal(minor).scaleb(-unit.exponent)
    return f"{value:.{unit.exponent}f}"


def show_money(minor: int, code: str) -> str:
    """The amount with its currency as a sentence has it: `38.00 CNY`."""
    return f"{format_amount(minor, _BY_CODE[code])} {code}"


def equal_part(minor: int, parts: int) -> int:
    """What each of so many parts gets of an amount, in whole minor units.

    What is left over is less than a minor unit for each; whose it is says who divides.
    """
    return minor // parts


def basis_points(minor: int, rate: int) -> int:
    """`rate` hundredths of a percent of an amount. The one place that rounds: half to even."""
    quotient, remainder = divmod(minor * rate, _BASIS)
    if remainder * 2 > _BASIS or (remainder * 2 == _BASIS and quotient % 2):
        quotient += 1
    return quotient
