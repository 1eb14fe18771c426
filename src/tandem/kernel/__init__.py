"""Values that every room speaks: money, ids, time, randomness, refusals. No I/O, no framework."""

from tandem.kernel.cache import Lru
from tandem.kernel.clock import Clock, ManualClock, SystemClock
from tandem.kernel.errors import Invalid, NotFound, Refused, Rule
from tandem.kernel.ids import (
    Entropy,
    Ids,
    entry_of,
    first_id,
    read_id,
    show_id,
    system_entropy,
    transfer_id,
    uuid_of,
)
from tandem.kernel.money import (
    MAX_AMOUNT,
    Currency,
    basis_points,
    check_amount,
    currency,
    currency_by_number,
    equal_part,
    format_amount,
    of_hundredths,
    parse_amount,
    show_money,
)
from tandem.kernel.text import NOTE_LENGTH, clean_note, clean_text

__all__ = [
    "MAX_AMOUNT",
    "NOTE_LENGTH",
    "Clock",
    "Currency",
    "Entropy",
    "Ids",
    "Invalid",
    "Lru",
    "ManualClock",
    "NotFound",
    "Refused",
    "Rule",
    "SystemClock",
    "basis_points",
    "check_amount",
    "clean_note",
    "clean_text",
    "currency",
    "currency_by_number",
    "entry_of",
    "equal_part",
    "first_id",
    "format_amount",
    "of_hundredths",
    "parse_amount",
    "read_id",
    "show_id",
    "show_money",
    "system_entropy",
    "transfer_id",
    "uuid_of",
]
