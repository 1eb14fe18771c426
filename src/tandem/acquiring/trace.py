"""A message for people: every element with its name and meaning, and nothing that pays.

Card numbers keep their first six and last four digits, as PCI DSS (v4, 3.4.1) lets them be shown;
tracks, PIN blocks and dates of expiry are masked, what networks and shops use as they like is shown
by its length, and of the chip's data only what is known to be harmless.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple

from tandem.acquiring.codes import (
    ENTRY_MODES,
    NETWORK_CODES,
    RESPONSES,
    SETTLEMENT_CODES,
    TRANSACTIONS,
)
from tandem.acquiring.elements import ELEMENTS, De
from tandem.acquiring.icc import describe_icc
from tandem.acquiring.message import Message, mti_name
from tandem.kernel import Currency, Invalid, currency_by_number, format_amount

_FIRST: Final = 6
_LAST: Final = 4
_HIDDEN_MIN: Final = 2
_SECRET: Final = frozenset({De.EXPIRY, De.TRACK2, De.TRACK1, De.PIN, 36})
_NUMBERS: Final = frozenset({De.PAN, 34, 102, 103})
_FREE: Final = frozenset({44, 46, 47, 48, *range(56, 64), *range(104, 128)})
"""What networks and shops fill as they like."""
_LEADING: Final[Mapping[int, Mapping[str, str]]] = {
    De.PROCESSING_CODE: TRANSACTIONS,
    De.ENTRY_MODE: ENTRY_MODES,
}
_WORDS: Final[Mapping[int, Mapping[str, str]]] = {
    De.RESPONSE_CODE: RESPONSES,
    De.NETWORK_CODE: NETWORK_CODES,
    De.SETTLEMENT_CODE: SETTLEMENT_CODES,
}


class Line(NamedTuple):
    """An element as it may be shown. The number of one of the chip's data objects is its tag."""

    number: str
    name: str
    value: str
    meaning: str


def mask(number: str) -> str:
    """A card number with its first six and last four digits, if enough between them is hidden."""
    hidden = len(number) - _FIRST - _LAST
    if hidden < _HIDDEN_MIN:
        return "*" * len(number)
    return number[:_FIRST] + "*" * hidden + number[-_LAST:]


def describe(message: Message) -> list[Line]:
    """The type and every element, in order, safe to print and to keep."""
    lines = [Line("", "Message type", message.mti, mti_name(message.mti))]
    unit = _currency(message)
    for number in sorted(message.fields):
        value = message.fields[number]
        name = ELEMENTS[number].name
        lines.append(Line(str(number), name, _shown(number, value), _meaning(number, value, unit)))
        if number == De.ICC:
            lines += _chip(value)
    return lines


def render(message: Message, at: datetime, link: str, direction: Literal["in", "out"]) -> str:
    """One message of a link's trace, as text of several lines."""
    head, *rest = describe(message)
    time = at.isoformat(timespec="milliseconds")
    lines = [f"{time} {link} {direction} {head.value} {head.meaning}"]
    lines += (
        f"  {line.number:>4} {line.name:<44} {line.value}  {line.meaning}".rstrip() for line in rest
    )
    return "\n".join(lines)


def _chip(value: str) -> Iterator[Line]:
    for tag, name, shown in describe_icc(bytes.fromhex(value)):
        yield Line(tag, name, shown, "")


def _shown(number: int, value: str) -> str:
    if number == De.TRACK2:
        account, separator, rest = value.partition("=")
        return mask(account) + separator + "*" * len(rest) if separator else "*" * len(value)
    if number in _SECRET:
        return "*" * len(value)
    if number in _NUMBERS:
        return mask(value)
    if number == De.ICC:
        return f"{len(value) // 2} bytes"
    if number in _FREE:
        return f"{len(value)} characters"
    return value


def _meaning(number: int, value: str, unit: Currency | None) -> str:
    if number == De.AMOUNT:
        return "" if unit is None else f"{format_amount(int(value), unit)} {unit.code}"
    if number == De.CURRENCY:
        return "" if unit is None else unit.code
    if number in _LEADING:
        return _LEADING[number].get(value[:2], "")
    return _WORDS.get(number, {}).get(value, "")


def _currency(message: Message) -> Currency | None:
    try:
        return currency_by_number(int(message.text(De.CURRENCY) or ""))
    except (Invalid, ValueError):
        return None
