"""BER-TLV, data object lists, commands and responses, and all of them shown to people."""

from contextlib import suppress

from bytes_in import Taken

from tandem.emv import show as shown
from tandem.emv.apdu import Command, Response
from tandem.emv.application_data import IssuerApplicationData
from tandem.emv.dol import MAX_VALUES, Dol, read_tags
from tandem.emv.errors import ApduMalformed, DolMalformed, EmvRefused, TlvMalformed
from tandem.emv.tags import fits
from tandem.emv.tlv import LIMITS, Tlv, constructed, primitive, read, tag_bytes, write
from tandem.emv.values import value_shown


def tlv(data: bytes) -> None:
    """What is read stands in the input in order; made anew from its parts it says the same."""
    try:
        found = read(data)
    except TlvMalformed as refused:
        assert 0 <= refused.at <= len(data)
        return
    written = write(found)
    assert read(written) == found
    at = 0
    for entry in found:
        start = data.index(entry.raw, at)
        assert not any(data[at:start]), "only zeros are passed over"
        at = start + len(entry.raw)
    assert not any(data[at:])
    count = sum(map(_objects, found))
    assert count <= LIMITS.objects
    again = read(write(map(_made, found)))
    assert list(map(_told, again)) == list(map(_told, found))


def dol(data: bytes) -> None:
    """A list is written back as it stood; its answers are divided as they were put together."""
    with suppress(DolMalformed):
        assert b"".join(map(tag_bytes, read_tags(data))) == data
    taken = Taken(data)
    values = {0x9F02: taken.piece(), 0x9A: taken.piece(), 0x5A: taken.piece()}
    for text in (data, taken.rest()):
        try:
            made = Dol.read(text)
        except DolMalformed as refused:
            assert 0 <= refused.at <= len(text)
            continue
        assert made.write() == text
        assert made.length <= MAX_VALUES
        answer = made.fill(values)
        assert len(answer) == made.length
        divided = made.split(answer)
        assert divided.keys() == {tag for tag, _ in made.entries}
        for tag, value in divided.items():
            fits(tag, value)


def apdu(data: bytes) -> None:
    """A command and a response are written back as they stood."""
    with suppress(ApduMalformed):
        assert Command.read(data).write() == data
    with suppress(ApduMalformed):
        assert Response.read(data).write() == data


def show(data: bytes) -> None:
    """Anything can be shown: in lines that can be printed, and short beside what they show."""
    dialogue = shown.Dialogue()
    lines = [
        *shown.show_tlv(data),
        *shown.show_dol(data),
        *dialogue.command(data),
        *dialogue.response(data),
    ]
    taken = Taken(data)
    while taken:
        lines += dialogue.response(taken.piece())
        lines += dialogue.command(taken.piece())
    tag = taken.number()
    notes = value_shown(tag, data)
    text = shown.render(lines) + "".join((notes[0], *notes[1]))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(text) < 20_000 + 400 * len(data)


def application_data(data: bytes) -> None:
    """Issuer Application Data of our cards is written back as it stood; all else is refused."""
    with suppress(EmvRefused):
        assert IssuerApplicationData.parse(data).write() == data


def _objects(entry: Tlv) -> int:
    return 1 + sum(map(_objects, entry.children))


def _made(entry: Tlv) -> Tlv:
    if entry.constructed:
        return constructed(entry.tag, *map(_made, entry.children))
    return primitive(entry.tag, entry.value)


def _told(entry: Tlv) -> tuple[int, object]:
    """What a data object says, however its lengths were written."""
    inner: object = tuple(map(_told, entry.children)) if entry.constructed else entry.value
    return entry.tag, inner
