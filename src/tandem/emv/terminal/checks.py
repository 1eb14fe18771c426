"""What a terminal checks before it asks for a decision (EMV Book 3, 10.4 to 10.7). Pure.

Each check is a function from what was read to bits of the terminal verification results.
"""

from datetime import date
from typing import Final, NamedTuple

from tandem.emv.tags import Tag
from tandem.emv.terminal.entry import Prepared
from tandem.emv.terminal.reading import CardFault, Values
from tandem.emv.terminal.settings import RandomSelection, Terminal, Transaction
from tandem.emv.terminal.tvr import Tvr
from tandem.kernel import Entropy

PURCHASE, CASH, PURCHASE_WITH_CASHBACK = 0x00, 0x01, 0x09

_DOMESTIC_CASH, _INTERNATIONAL_CASH = 0x8000, 0x4000
_DOMESTIC_GOODS, _INTERNATIONAL_GOODS = 0x2000, 0x1000
_DOMESTIC_SERVICES, _INTERNATIONAL_SERVICES = 0x0800, 0x0400
_AT_ATM, _ELSEWHERE = 0x0200, 0x0100
_DOMESTIC_CASHBACK, _INTERNATIONAL_CASHBACK = 0x0080, 0x0040
_ATM_TYPES: Final = frozenset({0x14, 0x15, 0x16})
_CENTURY, _LAST_CENTURY, _PIVOT = 2000, 1900, 50
_RANDOM_BYTES: Final = 8
_PERCENTS: Final = 99


def read_date(value: bytes) -> date:
    """A date of three bytes; years from 50 on are of the last century (Book 4).

    Raises `CardFault` for one that is not in the calendar.
    """
    digits = value.hex()
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    try:
        return date(year + (_LAST_CENTURY if year >= _PIVOT else _CENTURY), month, day)
    except ValueError:
        raise CardFault from None


def restrictions(
    values: Values, prepared: Prepared, terminal: Terminal, transaction: Transaction
) -> Tvr:
    """Processing restrictions: version, usage control, dates (10.4)."""
    found = Tvr.NOTHING
    version = values.get(Tag.VERSION_CARD)
    if version is not None and version != prepared.combination.version:
        found |= Tvr.VERSIONS_DIFFER
    if not _may_be_used(values, terminal, transaction):
        found |= Tvr.SERVICE_NOT_ALLOWED
    today = transaction.at.date()
    effective = values.get(Tag.EFFECTIVE)
    if effective is not None and read_date(effective) > today:
        found |= Tvr.NOT_YET_EFFECTIVE
    if read_date(values.need(Tag.EXPIRY)) < today:
        found |= Tvr.EXPIRED
    return found


def _may_be_used(values: Values, terminal: Terminal, transaction: Transaction) -> bool:
    """Application usage control (10.4.2)."""
    control = values.get(Tag.USAGE_CONTROL)
    if control is None:
        return True
    bits = int.from_bytes(control, "big")
    if not bits & (_AT_ATM if terminal.type in _ATM_TYPES else _ELSEWHERE):
        return False
    country = values.get(Tag.ISSUER_COUNTRY)
    if country is None:
        return True
    domestic = int(country.hex()) == terminal.country
    if transaction.type == CASH:
        return bool(bits & (_DOMESTIC_CASH if domestic else _INTERNATIONAL_CASH))
    if transaction.type in {PURCHASE, PURCHASE_WITH_CASHBACK}:
        goods = _DOMESTIC_GOODS if domestic else _INTERNATIONAL_GOODS
        services = _DOMESTIC_SERVICES if domestic else _INTERNATIONAL_SERVICES
        if not bits & (goods | services):
            return False
    cashback = _DOMESTIC_CASHBACK if domestic else _INTERNATIONAL_CASHBACK
    return not transaction.other or bool(bits & cashback)


class Velocity(NamedTuple):
    """The card's counters for the velocity check, None for one that it does not tell."""

    atc: int | None
    last_online: int | None


def wants_velocity(values: Values) -> bool:
    """Whether the card has limits of consecutive offline payments for terminals (10.6.3)."""
    return None not in {
        values.get(Tag.LOWER_OFFLINE_LIMIT),
        values.get(Tag.UPPER_OFFLINE_LIMIT),
    }


def velocity(values: Values, counters: Velocity) -> Tvr:
    """Velocity checking (10.6.3), for a card that wants it."""
    both = Tvr.LOWER_OFFLINE_LIMIT | Tvr.UPPER_OFFLINE_LIMIT
    atc, last = counters
    if atc is None or last is None:
        return both | Tvr.CARD_DATA_MISSING
    found = Tvr.NEW_CARD if last == 0 else Tvr.NOTHING
    if atc <= last:
        return found | both
    if atc - last > values.need(Tag.LOWER_OFFLINE_LIMIT)[0]:
        found |= Tvr.LOWER_OFFLINE_LIMIT
    if atc - last > values.need(Tag.UPPER_OFFLINE_LIMIT)[0]:
        found |= Tvr.UPPER_OFFLINE_LIMIT
    return found


def risk(prepared: Prepared, transaction: Transaction, entropy: Entropy) -> Tvr:
    """Terminal risk management but for the velocity check (10.6.1, 10.6.2; Book 4, 6.3.5)."""
    found = Tvr.NOTHING
    if transaction.forced_online:
        found |= Tvr.FORCED_ONLINE
    if prepared.floor_limit_exceeded:
        return found | Tvr.FLOOR_LIMIT
    selection = prepared.combination.selection
    floor = prepared.combination.floor_limit
    if not selection.most:
        return found
    number = int.from_bytes(entropy(_RANDOM_BYTES), "big") % _PERCENTS + 1
    if selected_randomly(selection, floor, transaction.amount, number):
        found |= Tvr.RANDOMLY_SELECTED
    return found


def selected_randomly(
    selection: RandomSelection, floor: int | None, amount: int, number: int
) -> bool:
    """Whether a payment under the floor limit goes online all the same (10.6.2).

    `number` is random, 1 to 99. Without a floor limit there is nothing to grow towards.
    """
    if amount < selection.threshold or floor is None or floor <= selection.threshold:
        return number <= selection.percent
    # percent + (most - percent) x (amount - threshold) / (floor - threshold), without a fraction
    span, grown = floor - selection.threshold, amount - selection.threshold
    return number * span <= selection.percent * span + (selection.most - selection.percent) * grown
