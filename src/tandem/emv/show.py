"""Messages between card and terminal, printed for people: names, values, bits.

Everything that could be on a wire can be shown, also what is damaged. Card numbers, track data and
names are masked unless they are asked for; control characters are shown as escapes.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from tandem.emv.apdu import Command, Ins, Response, status_name
from tandem.emv.dol import Dol
from tandem.emv.errors import Malformed
from tandem.emv.tags import Tag, name_of
from tandem.emv.tlv import Tlv, first, read
from tandem.emv.values import text_shown, value_shown


class Line(NamedTuple):
    """A line for people, safe to print. `depth` is how far it stands to the right, from 0.

    `label` is a tag in hex, or empty; `notes` are what the value's bits or parts say.
    """

    depth: int
    label: str
    name: str
    value: str
    notes: tuple[str, ...] = ()


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


class Dialogue:
    """Shows a tap as it goes on: it remembers the lists that the card asked by."""

    def __init__(self, *, unmasked: bool = False) -> None:
        self._unmasked = unmasked
        self._lists: dict[int, Dol] = {}

    def command(self, data: bytes) -> tuple[Line, ...]:
        """A command, its values by name if the card's list for it was seen."""
        known = self._lists.get(_ANSWERED_LIST.get(data[1:2], 0))
        return show_command(data, dol=known, unmasked=self._unmasked)

    def response(self, data: bytes) -> tuple[Line, ...]:
        """The response to it. A SELECT that brings another list replaces the one before."""
        # Nothing can be learnt of what cannot be read; it is shown all the same.
        with suppress(Malformed):
            self._remember(read(Response.read(data).data))
        return show_response(data, unmasked=self._unmasked)

    def _remember(self, objects: Iterable[Tlv]) -> None:
        for entry in objects:
            if entry.tag in {Tag.PDOL, Tag.CDOL1}:
                self._lists[entry.tag] = Dol.read(entry.value)
            self._remember(entry.children)


def render(lines: Iterable[Line]) -> str:
    """The lines as plain text, a line for each and one more for each note."""
    written: list[str] = []
    for line in lines:
        indent = "  " * line.depth
        head = " ".join(part for part in (line.label, line.name) if part)
        written.append(f"{indent}{head}: {line.value}" if line.value else f"{indent}{head}")
        written += (f"{indent}    - {note}" for note in line.notes)
    return "\n".join(written)


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
    shown, notes = value_shown(tag, value, context.currency, unmasked=context.unmasked)
    return Line(depth, f"{tag:X}", name_of(tag), shown, notes)


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
        return (Line(0, "", "Name", f"{data.hex().upper()} {text_shown(data)}"),)
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


_ANSWERED_LIST: Final = {
    bytes((Ins.GET_PROCESSING_OPTIONS,)): int(Tag.PDOL),
    bytes((Ins.GENERATE_AC,)): int(Tag.CDOL1),
}
"""Which list the data of a command answers."""


def _indented(lines: Iterable[Line]) -> Iterator[Line]:
    return (line._replace(depth=line.depth + 1) for line in lines)


def _size(data: bytes) -> str:
    return f"{len(data)} bytes"
