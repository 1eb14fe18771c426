"""What PyPI's pyiso8583 makes of a message: a second opinion on the codec."""

from typing import Any, Final

import iso8583

from tandem.acquiring.elements import De, Form, Kind
from tandem.acquiring.message import Message
from tandem.acquiring.wire import Pad, Wire

_HALVES: Final = 2


def their_bytes(wire: Wire, message: Message) -> bytes:
    """The message as the library writes it."""
    forms = wire.forms()
    document = {"t": message.mti}
    for number, value in message.fields.items():
        packed = forms[number].kind is Kind.TRACK and wire.track2 == "bcd"
        document[str(number)] = value.replace("=", "D") if packed else value
    written, _ = iso8583.encode(document, specification(wire))
    return bytes(written)


def their_reading(wire: Wire, body: bytes) -> dict[int, str] | None:
    """The elements that the library reads in these bytes; None if it reads no message."""
    try:
        document, _ = iso8583.decode(body, specification(wire))
    except (iso8583.DecodeError, KeyError):
        return None
    return {
        int(name): value for name, value in document.items() if name not in {"h", "t", "p", "1"}
    }


def specification(wire: Wire) -> dict[str, dict[str, Any]]:
    """A wire as pyiso8583 wants it, with each element that can be there and no other."""
    spec = {str(number): _field(wire, number, form) for number, form in wire.forms().items()}
    bits = _raw(wire, 8) if wire.bitmap == "binary" else _text(wire, 16, 0)
    spec["h"] = _text(wire, 0, 0)
    spec["t"] = _raw(wire, 2) if wire.numeric == "bcd" else _text(wire, 4, 0)
    spec["p"] = spec["1"] = bits
    return spec


def _field(wire: Wire, number: int, form: Form) -> dict[str, Any]:
    kind, prefix, size = form
    if kind is Kind.BYTES:
        written = wire.icc if number == De.ICC else wire.binary
        if written == "hex":
            digits = size * _HALVES
            return _text(wire, min(digits, 10**prefix - 1) if prefix else digits, prefix)
        return {"data_enc": "b", "max_len": size, **_prefix(wire, prefix)}
    if kind is Kind.DIGITS and wire.numeric == "bcd":
        return _halves(wire, size, prefix, wire.pad_variable if prefix else wire.pad_fixed)
    if kind is Kind.TRACK and wire.track2 == "bcd":
        return _halves(wire, size, prefix, wire.pad_track2)
    return _text(wire, size, prefix)


def _text(wire: Wire, size: int, prefix: int) -> dict[str, Any]:
    return {"data_enc": wire.text, "max_len": size, **_prefix(wire, prefix)}


def _raw(wire: Wire, size: int) -> dict[str, Any]:
    return {"data_enc": "b", "max_len": size, **_prefix(wire, 0)}


def _halves(wire: Wire, size: int, prefix: int, pad: Pad) -> dict[str, Any]:
    side, _, digit = pad.partition("-")
    return {
        "data_enc": "b",
        "len_count": "nibbles",
        "max_len": size,
        f"{side}_pad": digit.upper(),
        **_prefix(wire, prefix),
    }


def _prefix(wire: Wire, digits: int) -> dict[str, Any]:
    if wire.prefixes == "text":
        return {"len_enc": wire.text, "len_type": digits}
    # Two digits fit into one byte and three into two, in BCD as in binary.
    form = "b" if wire.prefixes == "binary" else "bcd"
    return {"len_enc": form, "len_type": (digits + 1) // _HALVES}
