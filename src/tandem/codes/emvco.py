"""EMVCo merchant-presented QR payloads (EMV QRCPS MPM v1.1), of any scheme: read and written back.

A payload is a row of **data objects**: two digits of id, two of length, and as many characters of
value (characters, not bytes: `最佳运输` has length 04). Some are **templates** whose value is
such a row again: merchant account information 26 to 51, additional data 62 (and in it 50 to 99),
language 64, unreserved 80 to 99. The last one is the CRC, 63, over everything before its four
digits (ISO/IEC 13239 with polynomial 1021 and initial value FFFF, over the text in UTF-8).

Reading never changes anything: `Payload.parse(text).write() == text`, also for a payload that is
damaged or odd. What is wrong with it stands in `faults`; `Payload.parse_strict` refuses those.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from tandem.codes.emvco_names import Scheme, name_of, scheme_of_guid, scheme_of_network
from tandem.codes.errors import CodeDamaged, CodeTooLong, NotEmvco
from tandem.kernel import MAX_AMOUNT, Currency, Invalid, currency_by_number, format_amount

MAX_CHARACTERS: Final = 4296
"""More than the largest QR code holds in letters; longer texts are not looked at."""
MAX_VALUE: Final = 99
"""The longest value of a data object, in characters: its length has two digits."""

_HEADER = re.compile(r"([0-9]{2})([0-9]{2})", re.ASCII)
_BEGIN = re.compile(r"0002[0-9]{2}", re.ASCII)
_DECIMAL = re.compile(r"([0-9]{1,13})(?:\.([0-9]*))?", re.ASCII)
_PERCENT = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2})?", re.ASCII)
_CURRENCY = re.compile(r"[0-9]{3}", re.ASCII)
_CRC_ID = "63"
_CRC_HEADER = "6304"
_MAX_DECIMAL = 13
_MEANINGS = {
    ("01", "11"): "static: the same code for many payments",
    ("01", "12"): "dynamic: for one payment",
    ("55", "01"): "the payer is asked for a tip",
    ("55", "02"): "a fixed sum is added",
    ("55", "03"): "a percentage is added",
}


@dataclass(frozen=True, slots=True)
class DataObject:
    """An id, its value as it stands, and for a template that divides cleanly what is in it."""

    id: str
    value: str
    children: tuple["DataObject", ...] | None = None

    @property
    def raw(self) -> str:
        """As it stands in the payload: id, length, value."""
        return data_object(self.id, self.value)

    def get(self, object_id: str) -> str | None:
        """The value of the first data object of that id inside, or None."""
        return next((c.value for c in self.children or () if c.id == object_id), None)


class Account(NamedTuple):
    """A merchant account information: where the money should go, in the words of a scheme."""

    scheme: Scheme | None
    guid: str | None
    object: DataObject


class Tip(NamedTuple):
    """What the payer is to add (55 to 57): asked for it, a fixed sum, or a part of the amount."""

    kind: Literal["ask", "fixed", "percentage"]
    fixed_minor: int | None = None
    percentage: Decimal | None = None


class Line(NamedTuple):
    """A line of `Payload.describe`, safe to print: control characters are shown as escapes."""

    path: str
    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Payload:
    """A merchant-presented payload: its data objects in order, and `rest`, what did not divide."""

    objects: tuple[DataObject, ...]
    rest: str = ""

    @staticmethod
    def parse(text: str) -> "Payload":
        """Read a payload, also a damaged one. Raises `NotEmvco` if it does not begin as one."""
        if len(text) > MAX_CHARACTERS:
            raise NotEmvco(f"it has more than {MAX_CHARACTERS} characters")
        if _BEGIN.match(text) is None:
            raise NotEmvco("it does not begin with 000201")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise NotEmvco("it is not Unicode text") from error
        found, rest = _divide(text)
        return Payload(tuple(_with_children(entry) for entry in found), rest)

    @staticmethod
    def parse_strict(text: str) -> "Payload":
        """Read a payload to act on. Raises `NotEmvco`, and `CodeDamaged` if it has any fault."""
        payload = Payload.parse(text)
        if payload.faults:
            raise CodeDamaged(payload.faults)
        return payload

    def write(self) -> str:
        """The payload's text, exactly as it was read."""
        return "".join(entry.raw for entry in self.objects) + self.rest

    def get(self, path: str) -> str | None:
        """The value at a path such as `59` or `62.05` (the first one, if there are several)."""
        root, _, inner = path.partition(".")
        found = next((entry for entry in self.objects if entry.id == root), None)
        while found is not None and inner:
            root, _, inner = inner.partition(".")
            found = next((entry for entry in found.children or () if entry.id == root), None)
        return None if found is None else found.value

    @property
    def static(self) -> bool | None:
        """True for a code that is paid many times (11), False for one payment (12), else None."""
        return {"11": True, "12": False}.get(self.get("01") or "")

    @property
    def category_code(self) -> str | None:
        """The merchant category code (ISO 18245), four digits."""
        return self.get("52")

    @property
    def currency(self) -> Currency | None:
        """The currency, or None if there is none or it is not in ISO 4217."""
        number = self.get("53") or ""
        if _CURRENCY.fullmatch(number) is None:
            return None
        try:
            return currency_by_number(int(number))
        except Invalid:
            return None

    @property
    def amount_text(self) -> str | None:
        """The amount as it stands, with a decimal point; None if the payer types it."""
        return self.get("54")

    @property
    def amount_minor(self) -> int | None:
        """The amount in minor units of `currency`, or None if there is none or it cannot be."""
        return self._minor("54")

    @property
    def tip(self) -> Tip | None:
        """What the payer is to add, or None if nothing or it cannot be read."""
        kind = self.get("55")
        if kind == "01":
            return Tip("ask")
        fixed = self._minor("56")
        if kind == "02" and fixed is not None:
            return Tip("fixed", fixed_minor=fixed)
        percentage = self.get("57") or ""
        if kind == "03" and _PERCENT.fullmatch(percentage):
            return Tip("percentage", percentage=Decimal(percentage))
        return None

    @property
    def country(self) -> str | None:
        """The country of the merchant, ISO 3166-1 alpha-2."""
        return self.get("58")

    @property
    def merchant_name(self) -> str | None:
        """The name that the merchant does business under."""
        return self.get("59")

    @property
    def merchant_city(self) -> str | None:
        """Where the merchant is."""
        return self.get("60")

    @property
    def postal_code(self) -> str | None:
        """The merchant's postal code."""
        return self.get("61")

    @property
    def reference(self) -> str | None:
        """The merchant's reference label (62.05)."""
        return self.get("62.05")

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All merchant account information, 02 to 51, in order."""
        return tuple(_account(entry) for entry in self.objects if "02" <= entry.id <= "51")

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """The schemes that are known here and can take this code, each once, in order."""
        return tuple(dict.fromkeys(a.scheme for a in self.accounts if a.scheme is not None))

    @property
    def crc(self) -> str | None:
        """The CRC that the payload ends with, or None if it does not end with one."""
        tail = self.write()[-len(_CRC_HEADER) - 4 :]
        return tail[-4:] if tail.startswith(_CRC_HEADER) else None

    @property
    def crc_expected(self) -> str:
        """The CRC that it should end with."""
        text = self.write()
        return crc16(text if self.crc is None else text[:-4])

    @property
    def crc_ok(self) -> bool:
        """Whether it ends with the right CRC."""
        return self.crc is not None and self.crc.upper() == self.crc_expected

    @property
    def faults(self) -> tuple[str, ...]:
        """All that keeps this from being a payload to act on, in words; empty for a sound one.

        Data objects that the specification demands but whole schemes leave out (52, 59, 60) are no
        faults.
        """
        return tuple(self._faults())

    def describe(self) -> list[Line]:
        """Every data object, those inside templates after them, with name and meaning."""
        # Once, and not for each of the thousand CRCs that a hostile payload may have.
        crc = "right" if self.crc_ok else f"wrong: it should be {self.crc_expected}"
        lines = [
            Line(
                path,
                name_of(path, guid),
                _shown(entry.value),
                crc if path == _CRC_ID else _shown(self._meaning(path, entry)),
            )
            for path, guid, entry in _walk(self.objects)
        ]
        if self.rest:
            lines.append(Line("", "Unread", _shown(self.rest), "does not divide into data objects"))
        return lines

    def _minor(self, path: str) -> int | None:
        text, unit = self.get(path), self.currency
        match = _DECIMAL.fullmatch(text) if text and len(text) <= _MAX_DECIMAL else None
        if match is None or unit is None:
            return None
        # Some write 100.00 in a currency without decimals: zeros beyond the minor unit say nothing.
        decimals = (match[2] or "").rstrip("0")
        if len(decimals) > unit.exponent:
            return None
        minor = int(match[1] + decimals.ljust(unit.exponent, "0"))
        return minor if minor <= MAX_AMOUNT else None

    def _meaning(self, path: str, entry: DataObject) -> str:
        if path in {"53", "54", "56"}:
            return self._meaning_of_money(path)
        if "." not in path and "02" <= path <= "51":
            return _account(entry).scheme or ""
        if path.startswith("62.") and entry.value == "***":
            return "the payer is asked"
        return _MEANINGS.get((path, entry.value), "")

    def _meaning_of_money(self, path: str) -> str:
        unit, minor = self.currency, self._minor(path)
        if unit is None:
            return ""
        if path == "53":
            return unit.code
        return "" if minor is None else f"{format_amount(minor, unit)} {unit.code}"

    def _faults(self) -> Iterator[str]:
        if self.get("00") != "01":
            yield "the format is not 01"
        if self.crc is None:
            yield "it does not end with a CRC"
        elif not self.crc_ok:
            yield f"the CRC is {_shown(self.crc)} and should be {self.crc_expected}"
        if self.rest:
            yield f"{len(self.rest)} characters at the end do not divide into data objects"
        elif not self.objects or self.objects[-1].id != _CRC_ID:
            yield "the CRC is not the last data object"
        yield from self._object_faults()
        if self.get("53") is not None and self.currency is None:
            yield "53 is not an ISO 4217 number"
        yield from (
            f"{path} is not an amount of the currency"
            for path in ("54", "56")
            if self.get(path) is not None and self._minor(path) is None
        )
        if self.get("55") is not None and self.tip is None:
            yield "55 to 57 do not say what to add"

    def _object_faults(self) -> Iterator[str]:
        seen = set[str]()
        for path, _, entry in _walk(self.objects):
            if path in seen:
                yield f"{path} stands there twice"
            seen.add(path)
            if not entry.value:
                yield f"{path} is empty"
            if entry.children is None and _is_template(path):
                yield f"{path} does not divide into data objects"


def data_object(object_id: str, value: str) -> str:
    """Write a data object: id, length, value. Raises `CodeTooLong` above 99 characters."""
    if len(value) > MAX_VALUE:
        raise CodeTooLong(f"data object {object_id}, in characters,", len(value), MAX_VALUE)
    return f"{object_id}{len(value):02d}{value}"


def sealed(*objects: str) -> Payload:
    """A payload of data objects that are written already, closed with its CRC."""
    text = "".join(objects) + _CRC_HEADER
    return Payload.parse(text + crc16(text))


def crc16(text: str) -> str:
    """CRC-16/CCITT-FALSE (polynomial 1021, initial value FFFF) of the UTF-8, four hex digits."""
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def _divide(text: str) -> tuple[list[DataObject], str]:
    """Divide into data objects; what is left where that is no longer possible comes second."""
    found: list[DataObject] = []
    at = 0
    while (header := _HEADER.match(text, at)) is not None:
        end = header.end() + int(header[2])
        if end > len(text):
            break
        found.append(DataObject(header[1], text[header.end() : end]))
        at = end
    return found, text[at:]


def _with_children(entry: DataObject, path: str = "", guid: str = "") -> DataObject:
    """The same data object with what is inside it, if it is a template and divides cleanly."""
    path = f"{path}.{entry.id}" if path else entry.id
    if not _is_template(path) and not _is_nested(path, guid):
        return entry
    found, rest = _divide(entry.value)
    if rest:
        return entry
    guid = next((child.value for child in found if child.id == "00"), "")
    children = tuple(_with_children(child, path, guid) for child in found)
    return DataObject(entry.id, entry.value, children)


def _is_template(path: str) -> bool:
    """Whether the specification makes the data object at this path a template."""
    root, _, inner = path.partition(".")
    if inner:
        return root == "62" and "." not in inner and inner >= "50"
    return "26" <= root <= "51" or root in {"62", "64"} or root >= "80"


def _is_nested(path: str, guid: str) -> bool:
    """VietQR has a template within its template, and is alone in that."""
    in_account = "26" <= path[:2] <= "51" and path[2:] == ".01"
    return in_account and scheme_of_guid(guid) is Scheme.VIETQR


def _account(entry: DataObject) -> Account:
    guid = entry.get("00")
    scheme = scheme_of_network(entry.id) if entry.id <= "25" else scheme_of_guid(guid or "")
    return Account(scheme, guid, entry)


def _walk(
    entries: tuple[DataObject, ...], path: str = "", guid: str = ""
) -> Iterator[tuple[str, str, DataObject]]:
    """Every data object with its path and the identifier of the template it stands in."""
    for entry in entries:
        here = f"{path}.{entry.id}" if path else entry.id
        yield here, guid, entry
        if entry.children:
            yield from _walk(entry.children, here, guid or entry.get("00") or "")


def _shown(text: str) -> str:
    """Safe to print: nothing in it moves the cursor or turns the line around."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
