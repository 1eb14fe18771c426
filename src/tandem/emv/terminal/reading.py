"""What a card answers, taken apart: processing options, file locator, records (EMV Book 3).

Whatever is wrong raises `CardFault`, which the kernel turns into an outcome; nothing else leaves.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final, NamedTuple

from tandem.emv.errors import Malformed
from tandem.emv.tags import DICTIONARY, Source, Tag, fits
from tandem.emv.terminal.outcome import Why
from tandem.emv.tlv import Tlv, primitive, read_one

MAX_RECORDS: Final = 64
"""More than any card has; a locator that names more would keep the reader busy for nothing."""

_ENTRY = 4
_LOW_SFI_BITS: Final = 0x07
_LAST_SFI: Final = 30
_LAST_TLV_SFI: Final = 10
_AIP_BYTES: Final = 2
_PAN = re.compile(r"[0-9]{8,19}", re.ASCII)
_TRACK_2 = re.compile(r"([0-9]{8,19})d[0-9]{4}[0-9]{3}[0-9]*", re.ASCII)
_LONGEST_TRACK_2: Final = 37
"""Characters that an acquirer's message has room for (ISO 8583, data element 35)."""
_FCI_TEMPLATES: Final = frozenset({Tag.FCI, Tag.FCI_PROPRIETARY, Tag.ISSUER_DISCRETIONARY})
FCI_TAGS: Final = frozenset(
    tag for tag, entry in DICTIONARY.items() if not _FCI_TEMPLATES.isdisjoint(entry.templates)
)
"""What a terminal takes from an FCI (Book 1, 11.3.4): no card number, nothing else of a record."""


class CardFault(Exception):
    """The card did something that ends the dialogue; `why` says what kind of thing."""

    def __init__(self, why: Why = Why.CARD_ERROR) -> None:
        super().__init__(why)
        self.why = why


class Location(NamedTuple):
    """A record to be read; `signed` if it is part of what the card's certificate vouches for."""

    sfi: int
    record: int
    signed: bool


class Values:
    """The card's data objects, as they come in. Each may come once (Book 3, 7)."""

    def __init__(self) -> None:
        self._values: dict[int, bytes] = {}

    def take(self, objects: Iterable[Tlv], only: Container[int] | None = None) -> None:
        """Take primitive data objects, those of templates too; with `only`, those of these tags.

        What is not the card's to say is not taken from it. Raises `CardFault` for one that
        comes a second time, or that cannot be what its tag says.
        """
        for entry in objects:
            if entry.constructed:
                self.take(entry.children, only)
                continue
            known = DICTIONARY.get(entry.tag)
            if known is not None and known.source is not Source.CARD:
                continue
            if only is not None and entry.tag not in only:
                continue
            if entry.tag in self._values or not fits(entry.tag, entry.value):
                raise CardFault
            self._values[entry.tag] = entry.value

    def get(self, tag: int) -> bytes | None:
        """The value of a data object, or None if the card did not send it."""
        return self._values.get(tag)

    def need(self, tag: int) -> bytes:
        """The value of a data object that has to be there. Raises `CardFault`."""
        value = self._values.get(tag)
        if value is None:
            raise CardFault(Why.DATA_MISSING)
        return value

    def agree(self, before: "Values", but: int | None = None) -> None:
        """Raise `CardFault` if something stands here otherwise than the card said it before.

        Some of its answers are signed and others are not: whoever stands between could otherwise
        let the one speak for the other. `but` is a tag whose value may be another now.
        """
        for tag, value in self._values.items():
            if tag != but and before.get(tag) not in {None, value}:
                raise CardFault

    def all(self) -> dict[int, bytes]:
        """All of them, by tag."""
        return dict(self._values)


def one_template(data: bytes, *tags: int) -> Tlv:
    """The one data object that `data` is, which has one of these tags. Raises `CardFault`."""
    try:
        found = read_one(data)
    except Malformed:
        raise CardFault from None
    if found.tag not in tags:
        raise CardFault
    return found


def take_processing_options(data: bytes, values: Values) -> None:
    """Take the response to GET PROCESSING OPTIONS, of either format (Book 3, 6.5.8.4)."""
    found = one_template(data, Tag.FORMAT_1, Tag.FORMAT_2)
    if found.tag == Tag.FORMAT_2:
        values.take(found.children)
    elif len(found.value) > _AIP_BYTES:
        values.take(_format_1(found.value, (Tag.AIP, _AIP_BYTES), (Tag.AFL, None)))
    else:
        raise CardFault
    values.need(Tag.AIP)


def take_cryptogram(data: bytes, values: Values) -> tuple[Tlv, ...]:
    """Take the response to GENERATE AC (6.5.5.4) and return its data objects, as they stand."""
    found = one_template(data, Tag.FORMAT_1, Tag.FORMAT_2)
    if found.tag == Tag.FORMAT_2:
        objects = found.children
    else:
        objects = tuple(
            _format_1(
                found.value,
                (Tag.CRYPTOGRAM_INFORMATION, 1),
                (Tag.ATC, 2),
                (Tag.CRYPTOGRAM, 8),
                (Tag.ISSUER_APPLICATION_DATA, None),
            )
        )
    values.take(objects)
    values.need(Tag.ATC)
    return objects


def locations(locator: bytes) -> tuple[Location, ...]:
    """The records that a file locator names, in order (10.2). Raises `CardFault`."""
    if not locator or len(locator) % _ENTRY:
        raise CardFault
    found: list[Location] = []
    for at in range(0, len(locator), _ENTRY):
        first_byte, begin, end, signed = locator[at : at + _ENTRY]
        sfi = first_byte >> 3
        sound = 1 <= sfi <= _LAST_SFI and not first_byte & _LOW_SFI_BITS
        if not sound or not 1 <= begin <= end or signed > end - begin + 1:
            raise CardFault
        if len(found) + end - begin >= MAX_RECORDS:
            raise CardFault
        found += (
            Location(sfi, record, record < begin + signed) for record in range(begin, end + 1)
        )
    return tuple(found)


def check_card_number(values: Values) -> None:
    """Raise `CardFault` if the card has two numbers, or none that can be (Book 3, Annex A: 5A, 57).

    A number has 8 to 19 digits (ISO/IEC 7812-1). In track 2 it is followed by a month of expiry, a
    service code and more digits (ISO/IEC 7813), so that a host can be sent it.
    """
    pan, track = values.get(Tag.PAN), values.get(Tag.TRACK_2)
    digits = None if pan is None else pan.hex().rstrip("f")
    if digits is not None and _PAN.fullmatch(digits) is None:
        raise CardFault
    if track is None:
        return
    text = track.hex().removesuffix("f")
    match = _TRACK_2.fullmatch(text)
    if match is None or len(text) > _LONGEST_TRACK_2 or digits not in {None, match[1]}:
        raise CardFault


def take_record(data: bytes, location: Location, values: Values) -> bytes:
    """Take a record, and return what of it is signed: nothing, if it is not to be (10.3).

    Files 1 to 10 hold templates 70, of which the contents are signed; of the others all is.
    """
    if location.sfi > _LAST_TLV_SFI:
        return data if location.signed else b""
    found = one_template(data, Tag.RECORD)
    values.take(found.children)
    return found.value if location.signed else b""


def _format_1(data: bytes, *parts: tuple[Tag, int | None]) -> Iterator[Tlv]:
    """The values of a template 80, which stand there without tags; None takes what is left."""
    at = 0
    for tag, length in parts:
        end = len(data) if length is None else at + length
        value = data[at:end]
        if length is not None and len(value) != length:
            raise CardFault
        if value:
            yield primitive(tag, value)
        at = end
