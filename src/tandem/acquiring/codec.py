"""Messages read from bytes and written to bytes, by a link's `Wire` and pyiso8583.

What pyiso8583 (4.0.1) lets pass is caught here: lengths such as `+5` and `1_0`, bitmaps with blanks
among their digits, a third bitmap, elements without a format (a KeyError), nibbles beyond 9 and
letters in elements of digits. What it raises carries the whole message, so it goes no further.
"""

import re
from typing import Any, Final

import iso8583

from tandem.acquiring.elements import Kind
from tandem.acquiring.errors import MessageMalformed
from tandem.acquiring.message import Message
from tandem.acquiring.wire import Wire

TYPE: Final = 0
BITMAPS: Final = 1
_MTI: Final = re.compile(r"[0-9]{4}", re.ASCII)
_BITMAP: Final = re.compile(r"[0-9A-Fa-f]{16}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+", re.ASCII)
_PLACES: Final = {"h": TYPE, "t": TYPE, "p": BITMAPS, "1": BITMAPS}


class Codec:
    """Reads and writes the messages of one link. `read(write(message)) == message`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._forms = wire.forms()
        self._fits = {number: form.pattern.fullmatch for number, form in self._forms.items()}
        self._specification = wire.specification()
        self._bytes = self._of(Kind.BYTES)
        self._tracks = self._of(Kind.TRACK)
        self._lettered = wire.prefixes == "text"

    def read(self, body: bytes) -> Message:
        """Read a message without length and header. Raises `MessageMalformed` and nothing else."""
        try:
            decoded, encoded = iso8583.decode(body, self._specification)
        except iso8583.DecodeError as error:
            place, reason, found = _place(error.field), _reason(error.msg), dict(error.doc_dec)
            found.pop(error.field, None)
        except KeyError as error:
            # Only an element that no format was given for: a third bitmap's.
            raise MessageMalformed(_place(str(error.args[0])), "has no format") from None
        else:
            return self._checked(decoded, encoded)
        raise MessageMalformed(place, reason, self._part(found))

    def write(self, message: Message) -> bytes:
        """Write a message. Raises `MessageMalformed` naming the element that cannot be written."""
        document = {"t": self._type(message.mti)}
        for number, value in message.fields.items():
            fits = self._fits.get(number)
            if fits is None:
                raise MessageMalformed(number, "has no format")
            if fits(value) is None:
                raise MessageMalformed(number, self._fault(number, value))
            packed = number in self._tracks and self.wire.track2 == "bcd"
            document[str(number)] = value.replace("=", "D") if packed else value
        try:
            written, _ = iso8583.encode(document, self._specification)
        except iso8583.EncodeError as error:
            place, reason = _place(error.field), _reason(error.msg)
        else:
            return bytes(written)
        raise MessageMalformed(place, reason)

    def mac_text(self, mac: bytes) -> bytes:
        """A MAC as it stands at the end of a message."""
        return mac if self.wire.binary == "binary" else mac.hex().upper().encode(self.wire.text)

    def _checked(self, decoded: dict[str, str], encoded: dict[str, Any]) -> Message:
        mti = self._type(decoded.pop("t"))
        for name in ("p", "1"):
            if name in decoded and _BITMAP.fullmatch(decoded.pop(name)) is None:
                raise MessageMalformed(BITMAPS, "is not a bitmap of 1987: 64 bits, or twice that")
        fields: dict[int, str] = {}
        for name, text in decoded.items():
            number = int(name)
            value = self._value(number, text)
            if self._fits[number](value) is None:
                raise MessageMalformed(number, self._fault(number, value), Message(mti, fields))
            prefix = encoded[name]["len"]
            if prefix and self._lettered and not self._is_number(prefix):
                reason = "has a length that is not a number"
                raise MessageMalformed(number, reason, Message(mti, fields))
            fields[number] = value
        return Message(mti, fields)

    def _of(self, kind: Kind) -> frozenset[int]:
        return frozenset(number for number, form in self._forms.items() if form.kind is kind)

    def _type(self, mti: str) -> str:
        if _MTI.fullmatch(mti) is None:
            raise MessageMalformed(TYPE, "is not a type of four digits")
        return mti

    def _value(self, number: int, text: str) -> str:
        if number in self._bytes:
            return text.upper()
        return text.replace("D", "=") if number in self._tracks else text

    def _fault(self, number: int, value: str) -> str:
        return self._forms[number].fault(value) or "cannot be"

    def _is_number(self, prefix: bytes) -> bool:
        return _NUMBER.fullmatch(prefix.decode(self.wire.text)) is not None

    def _part(self, found: dict[str, str]) -> Message | None:
        """What was read before the fault; None without a type, as nobody knows what to answer."""
        mti = found.pop("t", "")
        if _MTI.fullmatch(mti) is None:
            return None
        fields: dict[int, str] = {}
        for name, text in found.items():
            number = int(name) if name.isdigit() else TYPE
            if number in self._forms:
                value = self._value(number, text)
                if self._fits[number](value) is not None:
                    fields[number] = value
        return Message(mti, fields)


def _place(name: str) -> int:
    return _PLACES[name] if name in _PLACES else int(name)


def _reason(text: str) -> str:
    """The library's words as the end of a sentence; they hold lengths, and nothing of a value."""
    return f"cannot be: {text[:1].lower()}{text[1:]}"
