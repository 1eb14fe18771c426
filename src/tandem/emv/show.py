"""Messages between card and terminal, printed for people: names, values, bits.

Everything that could be on a wire can be shown, also what is damaged. Card numbers, track data and
names are masked unless they are asked for; control characters are shown as escapes.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from tandem.emv import bits
from tandem.emv.apdu import Command, Ins, Response, status_name
from tandem.emv.dol import Dol, read_tags
from tandem.emv.errors import Malformed
from tandem.emv.tags import Format, Tag, format_of, name_of
from tandem.emv.tlv import Tlv, first, read
from tandem.kernel import Invalid, currency_by_number, format_amount


class Line(NamedTuple):
    """A line for people, safe to print. `depth` is how far it stands to the right, from 0.

    `label` is a tag in hex, or empty; `notes` are what the value's bits or parts say.
    """

    depth: int
    label: str
    name: str
    value: str
    notes: tuple[str, ...] = ()


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


def show_tlv(data: bytes, *, unmasked: bool = False) -> tuple[Line, ...]:
    """Every data object of `data`, those inside templates after them; damage is said, not raised.

    `unmasked` shows card numbers, tracks and names as they are.
    """
    try:
        found = read(data)
    except Malformed as fault:
        return (Line(0, "", "Unreadable", _size(data), (fault.sentence(),)),)
    return show_objects(found, unmasked=unmasked)


def show_objects(objects: Iterable[Tlv], *, unmasked: bool = False) -> tuple[Line, ...]:
    """Data objects that were read already."""
    objects = tuple(objects)
    return tuple(_lines(objects, _Context(unmasked, _currency(objects)), 0))


def show_value(tag: int, value: bytes, *, unmasked: bool = False) -> Line:
    """One value, as it would be shown in a message."""
    return _line(tag, value, _Context(unmasked, None), 0)


def show_dol(data: bytes) -> tuple[Line, ...]:
    """The lines of a data object list: what is asked for, and in how many bytes."""
    try:
        asked = Dol.read(data).entries
    except Malformed as fault:
        return (Line(0, "", "Unreadable", _size(data), (fault.sentence(),)),)
    return tuple(Line(0, f"{e.tag:X}", name_of(e.tag), f"{e.length} bytes") for e in asked)


def show_dol_values(dol: Dol, data: bytes, *, unmasked: bool = False) -> tuple[Line, ...]:
    """The answer to a data object list, by name."""
    try:
        values = dol.split(data)
    except Malformed as fault:
        return (Line(0, "", "Unreadable", _size(data), (fault.sentence(),)),)
    context = _Context(unmasked, values.get(Tag.TRANSACTION_CURRENCY))
    return tuple(_line(tag, value, context, 0) for tag, value in values.items())


def show_command(
    data: bytes, *, dol: Dol | None = None, unmasked: bool = False
) -> tuple[Line, ...]:
    """A command: what it asks, and its data.

    `dol` is the list that the data of GET PROCESSING OPTIONS or GENERATE AC answers, if known.
    """
    try:
        command = Command.read(data)
    except Malformed as fault:
        return (Line(0, "", "Unreadable command", _size(data), (fault.sentence(),)),)
    lines = [Line(0, "", command.name, data[:4].hex(" ").upper(), _asked(command))]
    if command.data:
        lines += _indented(_command_data(command, dol, unmasked=unmasked))
    return tuple(lines)


def show_response(data: bytes, *, unmasked: bool = False) -> tuple[Line, ...]:
    """A response: its status word in words, and its data."""
    try:
        response = Response.read(data)
    except Malformed as fault:
        return (Line(0, "", "Unreadable response", _size(data), (fault.sentence(),)),)
    head = Line(0, "", "Status", f"{response.status:04X}", (status_name(response.status),))
    return (head, *_indented(show_tlv(response.data, unmasked=unmasked)))


def render(lines: Iterable[Line]) -> str:
    """The lines as plain text, a line for each and one more for each note."""
    written: list[str] = []
    for line in lines:
        indent = "  " * line.depth
        head = " ".join(part for part in (line.label, line.name) if part)
        written.append(f"{indent}{head}: {line.value}" if line.value else f"{indent}{head}")
        written += (f"{indent}    - {note}" for note in line.notes)
    return "\n".join(written)


def mask_pan(digits: str) -> str:
    """A card number with all but its first six and last four digits masked.

    Of one with ten digits or fewer nothing is left: the rest would say too much.
    """
    if len(digits) <= _PAN_KEPT:
        return "*" * len(digits)
    return f"{digits[:6]}{'*' * (len(digits) - _PAN_KEPT)}{digits[-4:]}"


class _Context(NamedTuple):
    unmasked: bool
    currency: bytes | None


def _currency(objects: Iterable[Tlv]) -> bytes | None:
    """The transaction's currency, if the message says it."""
    for entry in objects:
        found = entry if entry.tag == Tag.TRANSACTION_CURRENCY else None
        found = found or first(entry.children, Tag.TRANSACTION_CURRENCY)
        if found is not None:
            return found.value
    return None


def _lines(objects: Iterable[Tlv], context: _Context, depth: int) -> Iterator[Line]:
    for entry in objects:
        if entry.constructed:
            yield Line(depth, f"{entry.tag:X}", name_of(entry.tag), "")
            yield from _lines(entry.children, context, depth + 1)
        else:
            yield _line(entry.tag, entry.value, context, depth)


def _line(tag: int, value: bytes, context: _Context, depth: int) -> Line:
    shown = _masked(tag, value) if not context.unmasked else None
    if shown is None:
        shown = _plain(tag, value, context.currency)
        notes = (*bits.meanings(tag, value), *_parts(tag, value))
    else:
        notes = ()
    return Line(depth, f"{tag:X}", name_of(tag), shown, notes)


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
        return _text(value)
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


def _text(value: bytes) -> str:
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
    return (f"{line.label} {line.name}, {line.value}".lstrip() for line in show_dol(value))


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


def _asked(command: Command) -> tuple[str, ...]:
    """What the parameters of a command say."""
    if command.ins == Ins.READ_RECORD:
        return (f"SFI {command.p2 >> 3}, record {command.p1}",)
    if command.ins == Ins.GET_DATA:
        tag = command.p1 << 8 | command.p2
        return (f"{tag:X} {name_of(tag)}",)
    if command.ins == Ins.GENERATE_AC:
        kind = ("AAC", "TC", "ARQC", "reserved type")[command.p1 >> 6]
        return (f"{kind} asked for, {'with' if command.p1 & 0x10 else 'without'} CDA",)
    return ()


def _command_data(command: Command, dol: Dol | None, *, unmasked: bool) -> tuple[Line, ...]:
    data = command.data
    if command.ins == Ins.SELECT:
        return (Line(0, "", "Name", f"{data.hex().upper()} {_text(data)}"),)
    if command.ins == Ins.GET_PROCESSING_OPTIONS and dol is not None:
        try:
            data = read(data)[0].value
        except (Malformed, IndexError):
            return show_tlv(data, unmasked=unmasked)
        return show_dol_values(dol, data, unmasked=unmasked)
    if command.ins == Ins.GENERATE_AC:
        if dol is not None:
            return show_dol_values(dol, data, unmasked=unmasked)
        return (Line(0, "", "Values", data.hex().upper()),)
    return show_tlv(data, unmasked=unmasked)


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
}
"""How some values are taken apart."""


def _indented(lines: Iterable[Line]) -> Iterator[Line]:
    return (line._replace(depth=line.depth + 1) for line in lines)


def _size(data: bytes) -> str:
    return f"{len(data)} bytes"
