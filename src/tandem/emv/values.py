"""One value, for people: digits, dates, amounts and texts, its bits and parts in words.

Card numbers, track data and names are masked unless they are asked for.
"""

from collections.abc import Callable, Iterator
from typing import Final

from tandem.emv import bits
from tandem.emv.application_data import IssuerApplicationData
from tandem.emv.dol import Dol, read_tags
from tandem.emv.errors import EmvRefused, Malformed
from tandem.emv.tags import Format, Tag, format_of, name_of
from tandem.kernel import Invalid, currency_by_number, format_amount

_SECRETS: Final = frozenset({0x56, 0x99, 0x5F20, 0x5F53, 0x9F0B, 0x9F1F, 0x9F20})
"""Whose whole value is masked; the card number and track 2 keep their ends."""
_TEXTS: Final = frozenset({Format.A, Format.AN, Format.ANS})
_AMOUNT_DIGITS = 12
_COUNTER_DIGITS = 4
_AMOUNT_BYTES = 4
_CVM_RESULT_BYTES = 3
_AFL_BYTES = 4
_PAN_KEPT = 10
_DIGITS = frozenset("0123456789")


def value_shown(
    tag: int, value: bytes, currency: bytes | None = None, *, unmasked: bool = False
) -> tuple[str, tuple[str, ...]]:
    """A value in words, and what its bits and parts say. All of it is safe to print.

    `currency` is that of its message (5F2A), if there is one, for amounts.
    """
    masked = None if unmasked else _masked(tag, value)
    if masked is not None:
        return masked, ()
    return _plain(tag, value, currency), (*bits.meanings(tag, value), *_parts(tag, value))


def mask_pan(digits: str) -> str:
    """A card number with all but its first six and last four digits masked.

    Of one with ten digits or fewer nothing is left: the rest would say too much.
    """
    if len(digits) <= _PAN_KEPT:
        return "*" * len(digits)
    return f"{digits[:6]}{'*' * (len(digits) - _PAN_KEPT)}{digits[-4:]}"


def _masked(tag: int, value: bytes) -> str | None:
    """How a value that is not for everybody's eyes is shown, or None for the others."""
    if tag in _SECRETS:
        return "*" * min(len(value), 8)
    digits = value.hex().upper()
    if tag == Tag.PAN:
        return mask_pan(digits.rstrip("F"))
    if tag == Tag.TRACK_2:
        number, mark, rest = digits.partition("D")
        return mask_pan(number) + mark + "*" * len(rest)
    return None


def _plain(tag: int, value: bytes, currency: bytes | None) -> str:
    digits = value.hex().upper()
    if tag in {Tag.AMOUNT, Tag.AMOUNT_OTHER}:
        return _amount(digits, currency)
    special = _SPECIAL.get(tag)
    if special is not None:
        return special(digits)
    kind = format_of(tag)
    if kind in _TEXTS:
        return text_shown(value)
    return digits.rstrip("F") if kind is Format.CN else digits


def _amount(digits: str, currency: bytes | None) -> str:
    if not set(digits) <= _DIGITS or len(digits) != _AMOUNT_DIGITS:
        return digits
    try:
        unit = currency_by_number(int((currency or b"").hex() or "0"))
    except (Invalid, ValueError):
        return f"{int(digits)} minor units"
    return f"{format_amount(int(digits), unit)} {unit.code}"


def _with_currency(digits: str) -> str:
    try:
        return f"{digits} {currency_by_number(int(digits or '0')).code}"
    except (Invalid, ValueError):
        return digits


def _date(digits: str) -> str:
    if len(digits) != len("YYMMDD"):
        return digits
    return f"20{digits[:2]}-{digits[2:4]}-{digits[4:]}"


def _time(digits: str) -> str:
    if len(digits) != len("HHMMSS"):
        return digits
    return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def _counter(digits: str) -> str:
    return f"{digits} ({int(digits, 16)})" if 0 < len(digits) <= _COUNTER_DIGITS else digits


def _transaction_type(digits: str) -> str:
    known = {f"{number:02X}": name for number, name in bits.TRANSACTION_TYPES.items()}
    return f"{digits} {known.get(digits, '')}".rstrip()


def text_shown(value: bytes) -> str:
    """Text in ISO/IEC 8859-1, with what cannot be shown as escapes."""
    shown = value.decode("latin-1")
    return "".join(
        character if character.isprintable() else f"\\x{ord(character):02x}" for character in shown
    )


def _parts(tag: int, value: bytes) -> tuple[str, ...]:
    """What a value that has parts is made of; empty for one that has none, or is damaged."""
    divide = _PARTS.get(tag)
    return () if divide is None else tuple(divide(value))


def _dol_parts(value: bytes) -> Iterator[str]:
    try:
        asked = Dol.read(value).entries
    except Malformed as fault:
        yield fault.sentence()
        return
    yield from (f"{tag:X} {name_of(tag)}, {length} bytes" for tag, length in asked)


def _tag_parts(value: bytes) -> Iterator[str]:
    try:
        yield from (f"{found:X} {name_of(found)}" for found in read_tags(value))
    except Malformed as fault:
        yield fault.sentence()


def _files(value: bytes) -> Iterator[str]:
    if len(value) % _AFL_BYTES == 0:
        yield from (_file(value[at : at + 4]) for at in range(0, len(value), _AFL_BYTES))


def _cvm_results(value: bytes) -> Iterator[str]:
    if len(value) == _CVM_RESULT_BYTES:
        yield _rule(value[0], value[1])
        yield bits.CVM_OUTCOMES.get(value[2], f"{value[2]:02X}")


def _file(entry: bytes) -> str:
    sfi, begin, end, signed = entry
    records = f"record {begin}" if begin == end else f"records {begin} to {end}"
    return f"SFI {sfi >> 3}, {records}, {signed} of them signed"


def _results(value: bytes) -> Iterator[str]:
    """What one of our own cards tells its issuer; nothing for another's."""
    try:
        data = IssuerApplicationData.parse(value)
    except EmvRefused:
        return
    results = data.results
    yield f"{data.version.name}, key {data.key_index}, {results.cryptogram.name}"
    if results.verified:
        who, how = results.verifier.name, results.method.name
        yield f"Verified by the {who.lower().replace('_', ' ')}: {how.lower()}"
    else:
        yield "Nobody verified the person"
    if results.failed_tries:
        yield f"{results.failed_tries} wrong tries before"
    if results.transit:
        yield "By the rules for gates of public transport"
    if results.cda:
        yield "Signed by the card (CDA)"


def _cvm_list(value: bytes) -> Iterator[str]:
    amounts, rules = value[: 2 * _AMOUNT_BYTES], value[2 * _AMOUNT_BYTES :]
    if len(amounts) < 2 * _AMOUNT_BYTES or len(rules) % 2:
        yield "cut off"
        return
    yield f"X = {int.from_bytes(amounts[:4], 'big')}, Y = {int.from_bytes(amounts[4:], 'big')}"
    yield from (_rule(rules[at], rules[at + 1]) for at in range(0, len(rules), 2))


def _rule(code: int, condition: int) -> str:
    method = bits.CVM_CODES.get(code & 0x3F, f"Unknown CVM {code & 0x3F:02X}")
    when = bits.CVM_CONDITIONS.get(condition, f"under the unknown condition {condition:02X}")
    otherwise = ", otherwise the next rule" if code & 0x40 else ""
    return f"{method} {when}{otherwise}"


_SPECIAL: Final[dict[int, Callable[[str], str]]] = {
    Tag.TRANSACTION_CURRENCY: _with_currency,
    Tag.CARD_CURRENCY: _with_currency,
    Tag.TRANSACTION_DATE: _date,
    Tag.EXPIRY: _date,
    Tag.EFFECTIVE: _date,
    Tag.TRANSACTION_TIME: _time,
    Tag.TRANSACTION_TYPE: _transaction_type,
    Tag.ATC: _counter,
    Tag.LAST_ONLINE_ATC: _counter,
    Tag.PIN_TRY_COUNTER: _counter,
    Tag.LOWER_OFFLINE_LIMIT: _counter,
    Tag.UPPER_OFFLINE_LIMIT: _counter,
}
"""How the digits of some values are shown."""
_PARTS: Final[dict[int, Callable[[bytes], Iterator[str]]]] = {
    **dict.fromkeys((0x8C, 0x8D, 0x97, 0x9F38, 0x9F49, 0x9F4F), _dol_parts),
    Tag.STATIC_TAGS: _tag_parts,
    Tag.AFL: _files,
    Tag.CVM_LIST: _cvm_list,
    Tag.CVM_RESULTS: _cvm_results,
    Tag.ISSUER_APPLICATION_DATA: _results,
}
"""How some values are taken apart."""
