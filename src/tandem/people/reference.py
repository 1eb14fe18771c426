"""A person's reference: what they write on a bank transfer so that it reaches their wallet.

A creditor reference (ISO 11649): `RF`, two check digits, and 16 letters and digits that follow from
the person's id (decision 0004), so it is kept nowhere and never changes.

    RF47 0C1X 9KQ3 7TZ2 4B9K     as it is shown
    RF470C1X9KQ37TZ24B9K         as it is written into a payment

Banks check it. A digit for another digit, a letter for another letter, and two digits or letters
beside each other that changed places make another remainder; so does a letter for a digit in 96
cases of 97, and all neighbours but 1B, 2M and 3X. What passes nevertheless is hardly ever the
reference of anybody: they are one in billions of those that can be written.
"""

import re
from typing import Final
from uuid import UUID

from tandem.kernel import Invalid

_EPOCH_MS: Final = 1_577_836_800_000
"""2020, before which nobody had a wallet: what is counted from there fits 41 bits until 2089."""
_TIME_BITS: Final = 41
_COUNT_BITS: Final = 12
_RANDOM_BITS: Final = 29
_LEFT_OUT: Final = 62 - _RANDOM_BITS
_LENGTH: Final = 16
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REFERENCE: Final = re.compile(rf"RF([0-9]{{2}})([0-9A-Z]{{{_LENGTH}}})", re.ASCII)
_MODULUS: Final = 97


def reference_of(person_id: UUID) -> str:
    """The person's reference, without spaces."""
    high, low = person_id.int >> 64, person_id.int & (1 << 64) - 1
    number = ((high >> 16) - _EPOCH_MS) % (1 << _TIME_BITS)
    number = number << _COUNT_BITS | high & (1 << _COUNT_BITS) - 1
    number = number << _RANDOM_BITS | (low >> _LEFT_OUT) & (1 << _RANDOM_BITS) - 1
    body = ""
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        body = _DIGITS[digit] + body
    return f"RF{98 - check_number(body + 'RF00'):02}{body}"


def people_between(text: str) -> tuple[UUID, UUID]:
    """The first and the last id that a person of this reference can have; spaces do not count.

    Raises `Invalid` for what is no reference, or has a mistake in it.
    """
    match = _REFERENCE.fullmatch(re.sub(r"\s", "", text).upper())
    if match is None:
        raise Invalid("reference", "must be RF and 18 letters and digits")
    check, body = match.groups()
    number = int(body, len(_DIGITS))
    wrong = check_number(f"{body}RF{check}") != 1
    if wrong or number >> (_TIME_BITS + _COUNT_BITS + _RANDOM_BITS):
        raise Invalid("reference", "has a mistake in it: its check digits do not fit")
    random = number & (1 << _RANDOM_BITS) - 1
    count = number >> _RANDOM_BITS & (1 << _COUNT_BITS) - 1
    time = (number >> _RANDOM_BITS + _COUNT_BITS) + _EPOCH_MS
    high = time << 16 | 0x7000 | count
    first = high << 64 | 0b10 << 62 | random << _LEFT_OUT
    return UUID(int=first), UUID(int=first | (1 << _LEFT_OUT) - 1)


def looks_like_reference(text: str) -> bool:
    """Whether somebody means a reference with this, right or wrong."""
    return _REFERENCE.fullmatch(re.sub(r"\s", "", text).upper()) is not None


def check_number(text: str) -> int:
    """The remainder of ISO 7064 MOD 97-10, as IBANs and creditor references have it.

    A letter is its number, A is 10. `text` begins with what is checked and ends with the prefix and
    the check digits; right ones leave 1.
    """
    return int("".join(str(int(one, len(_DIGITS))) for one in text)) % _MODULUS
