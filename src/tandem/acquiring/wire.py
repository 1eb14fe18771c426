"""How a link writes its messages: what an integrator has to know first, as settings.

The message itself, in order: type, bitmaps, elements. Around it, on TCP: a length, and a header if
the link has one. All of these differ from network to network, so all are settings of the link.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from tandem.acquiring.elements import ELEMENTS, De, Form, read_form
from tandem.kernel import Invalid

Pad = Literal["left-0", "right-0", "right-f"]
_HALVES: Final = 2
_MAC_BYTES: Final = 8
_OF_ONE_KIND: Final = frozenset({De.PAN, De.SEQUENCE_NUMBER, De.TRACK2, De.PIN, De.ICC})
_SET: Final = frozenset(De) - _OF_ONE_KIND - {
    De.CATEGORY, De.ENTRY_MODE, De.NETWORK, De.CONDITION, De.ACQUIRER, De.LOCATION, De.TRACK1,
    De.PRIVATE, De.SECURITY,
}  # fmt: skip
"""Elements that the host takes apart or makes: they keep their format."""


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link's encodings.

    `length` is the form of the length before each message: two bytes, two bytes of BCD, or four
    ASCII digits; `length_counts_itself` says whether it includes those. `header` stands between
    length and message: none, a TPDU of five bytes (60, destination, source), or 12 characters
    beginning with ISO.

    `text` encodes letters and whatever is set to `text`; `numeric` the elements of digits and the
    type; `prefixes` the lengths of elements of variable length; `track2` element 35. `bitmap`,
    `binary` (PIN, MAC) and `icc` (element 55) are bytes or their hexadecimal digits.

    BCD needs an even count of digits: `pad_fixed`, `pad_variable` and `pad_track2` say what an odd
    one gets and where. `elements` gives an element another format than the standard's, as
    `{48: "b...500"}`, unless the host has to understand it.
    """

    length: Literal["binary", "bcd", "ascii"] = "binary"
    length_counts_itself: bool = False
    header: Literal["none", "tpdu", "iso"] = "none"
    text: Literal["ascii", "cp037", "cp500"] = "ascii"
    numeric: Literal["text", "bcd"] = "text"
    prefixes: Literal["text", "bcd", "binary"] = "text"
    track2: Literal["text", "bcd"] = "text"
    bitmap: Literal["binary", "hex"] = "binary"
    binary: Literal["binary", "hex"] = "binary"
    icc: Literal["binary", "hex"] = "binary"
    pad_fixed: Pad = "left-0"
    pad_variable: Pad = "left-0"
    pad_track2: Pad = "right-f"
    elements: dict[int, str] = {}

    def __post_init__(self) -> None:
        for number, text in self.elements.items():
            if number not in ELEMENTS or number in _SET:
                raise ValueError(f"elements: {number} is no element that can have another format")
            try:
                form = read_form(text)
            except Invalid as error:
                raise ValueError(f"elements: {number}: {error.reason}") from error
            kind = read_form(ELEMENTS[number].form).kind
            if number in _OF_ONE_KIND and form.kind is not kind:
                raise ValueError(f"elements: {number} must be of kind {kind}")

    def forms(self) -> Mapping[int, Form]:
        """The format of every element on this link."""
        texts = {number: element.form for number, element in ELEMENTS.items()} | self.elements
        return {number: read_form(text) for number, text in texts.items()}

    @property
    def mac_size(self) -> int:
        """How many bytes a MAC takes in a message."""
        return _MAC_BYTES * (_HALVES if self.binary == "hex" else 1)
