"""Tandem's own merchant-presented code: a link in a template of its own, in an EMVCo payload.

    50 LL                    merchant account information (any id from 26 to 51 is read)
       00 14 org.tandem.pay  globally unique identifier
       01 LL https://…       the link, at most 77 characters

A phone that knows Tandem opens the link; any other reader sees name, city, amount and currency.
Amount and name are there to be shown: what is paid is what the server behind the link says.
"""

import re
import unicodedata
from typing import Final

from tandem.codes.emvco import MAX_VALUE, Payload, data_object, sealed
from tandem.codes.emvco_names import TANDEM_GUID, TANDEM_LINK, Scheme
from tandem.codes.errors import CodeTooLong
from tandem.codes.link import check_link, link_host
from tandem.kernel import Currency, Invalid, check_amount, format_amount

TEMPLATE_ID: Final = "50"
MAX_CODE_LINK: Final = MAX_VALUE - len(data_object("00", TANDEM_GUID)) - len("0177")
"""The longest link that fits into the template: 77 characters."""

_MAX_NAME, _MAX_CITY, _MAX_REFERENCE, _MAX_AMOUNT = 25, 15, 25, 13
_ASK = "***"
_CATEGORY = re.compile(r"[0-9]{4}", re.ASCII)
_TWO_LETTERS = re.compile(r"[A-Za-z]{2}", re.ASCII)
# Letters that Unicode does not take apart into a Latin letter and an accent.
_LATIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D"}
    | {
        "ð": "d",
        "Ð": "D",
        "ł": "l",
        "Ł": "L",
        "þ": "th",
        "Þ": "Th",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    }
)


def merchant_presented(
    *,
    url: str,
    name: str,
    city: str,
    country: str,
    mcc: str,
    currency: Currency,
    amount_minor: int | None = None,
    reference: str | None = None,
    static: bool = False,
    latin_name: str | None = None,
    language: str | None = None,
) -> Payload:
    """Make the code that a shop shows.

    `static` is a code paid many times (a sticker), else one payment; without `amount_minor` the
    payer types the amount. The specification allows printable ASCII in name (25 characters) and
    city (15): accents are dropped and the end is cut. Where nothing is left, as of 木兰咖啡,
    `latin_name` stands in for the name, then the link's host, and the country for the city. With
    `language` (ISO 639-1) a name or city in another script goes as it is into the language
    template, which readers prefer. `reference` is one of those that `fits_reference`.

    Raises `Invalid` for a field that cannot be used, `CodeTooLong` for a link above 77 characters.
    """
    if len(check_link(url)) > MAX_CODE_LINK:
        raise CodeTooLong("the link in the code, in characters,", len(url), MAX_CODE_LINK)
    _check(_CATEGORY, mcc, "mcc", "must be four digits (ISO 18245), such as 5812")
    _check(_TWO_LETTERS, country, "country", "must be two letters (ISO 3166-1), such as CN")
    if not _plain(name, _MAX_NAME):
        raise Invalid("name", "must have at least one character that can be seen")
    account = data_object("00", TANDEM_GUID) + data_object(TANDEM_LINK, url)
    stand_in = _latin(latin_name or "", _MAX_NAME) or (link_host(url) or "")[:_MAX_NAME]
    return sealed(
        data_object("00", "01"),
        data_object("01", "11" if static else "12"),
        data_object(TEMPLATE_ID, account),
        data_object("52", mcc),
        data_object("53", f"{currency.number:03d}"),
        "" if amount_minor is None else data_object("54", _amount(amount_minor, currency)),
        data_object("58", country.upper()),
        data_object("59", _latin(name, _MAX_NAME) or stand_in),
        data_object("60", _latin(city, _MAX_CITY) or country.upper()),
        "" if reference is None else data_object("62", data_object("05", _reference(reference))),
        "" if language is None else _in_language(language, name, city),
    )


def fits_reference(text: str | None) -> bool:
    """Whether a reference goes into a code: 1 to 25 characters of printable ASCII.

    It goes in whole or not at all: cut, it would be another one. `***` would ask the payer for it.
    """
    return (
        text is not None
        and text.isascii()
        and text.isprintable()
        and 1 <= len(text) <= _MAX_REFERENCE
        and text != _ASK
    )


def tandem_link(payload: Payload) -> str | None:
    """The link that a payload carries for Tandem, or None: also if it has any of `code_faults`."""
    links = _links(payload)
    return links[0] if links and not code_faults(payload) else None


def code_faults(payload: Payload) -> tuple[str, ...]:
    """All that keeps a payload from being acted on, in words: its own faults, or its link's.

    A sound payload of other schemes has none. If two templates claim to be Tandem's, two readers
    might choose differently, so neither counts.
    """
    if payload.faults:
        return payload.faults
    links = _links(payload)
    if len(links) > 1:
        return ("more than one template is Tandem's",)
    if links and (links[0] is None or link_host(links[0]) is None):
        return ("Tandem's template has no link that a code may carry",)
    return ()


def _links(payload: Payload) -> list[str | None]:
    return [a.object.get(TANDEM_LINK) for a in payload.accounts if a.scheme is Scheme.TANDEM]


def _in_language(language: str, name: str, city: str) -> str:
    _check(_TWO_LETTERS, language, "language", "must be two letters (ISO 639-1), such as zh")
    if name.isascii() and city.isascii():
        return ""
    inner = data_object("00", language.upper()) + data_object("01", _plain(name, _MAX_NAME))
    local_city = _plain(city, _MAX_CITY)
    return data_object("64", inner + (data_object("02", local_city) if local_city else ""))


def _amount(minor: int, unit: Currency) -> str:
    text = format_amount(check_amount(minor, "amount_minor"), unit)
    if len(text) > _MAX_AMOUNT and "." in text:  # zeros may be left out, and make room
        text = text.rstrip("0").rstrip(".")
    if len(text) > _MAX_AMOUNT:
        raise CodeTooLong("the amount in the code, in characters,", len(text), _MAX_AMOUNT)
    return text


def _reference(text: str) -> str:
    if not fits_reference(text):
        raise Invalid("reference", f"must be 1 to {_MAX_REFERENCE} printable ASCII characters")
    return text


def _latin(text: str, limit: int) -> str:
    """The text in printable ASCII, as far as it can be, cut at `limit`.

    Empty if letters of another script are all that it had: `(2)` is no name for 蓝门(2).
    """
    apart = unicodedata.normalize("NFKD", text.translate(_LATIN))
    latin = _plain("".join(c for c in apart if c.isascii()), limit)
    return latin if text.isascii() or any(c.isalpha() for c in latin) else ""


def _plain(text: str, limit: int) -> str:
    """On one line without control characters, cut at `limit`."""
    printable = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(printable.split())[:limit].rstrip()


def _check(form: re.Pattern[str], text: str, field: str, reason: str) -> None:
    if form.fullmatch(text) is None:
        raise Invalid(field, reason)
