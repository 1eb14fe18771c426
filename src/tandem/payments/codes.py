"""The codes that a shop shows: tokens, links, and what the page behind one says."""

import base64
import re
from typing import Final

import msgspec

from tandem.codes import (
    CodeDamaged,
    LinkCode,
    NotEmvco,
    PersonCode,
    SchemeCode,
    TandemCode,
    UnknownCode,
    code_faults,
    fits_reference,
    link_host,
    merchant_presented,
    read_scan,
)
from tandem.kernel import Currency, Entropy, Invalid
from tandem.merchants import OfferedWay, Place
from tandem.payments.errors import CodeOfAnotherOperator

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,32}", re.ASCII)
TOKEN_BYTES: Final = 15


class Landing(msgspec.Struct, frozen=True):
    """What the page behind a code shows: whom one pays, and for an order how much."""

    shop_name: str
    merchant_name: str
    amount: int | None
    currency: str | None
    status: str | None


def new_token(entropy: Entropy) -> str:
    """A token for a code's link: 120 random bits, so that nobody guesses one."""
    return base64.urlsafe_b64encode(entropy(TOKEN_BYTES)).decode()


def link(public_url: str, token: str) -> str:
    """The URL that a code carries."""
    return f"{public_url}/c/{token}"


def order_code(
    public_url: str,
    place: Place,
    token: str,
    unit: Currency,
    amount: int | None = None,
    reference: str | None = None,
) -> str:
    """The text of a code with this link: an EMVCo payload. Without an amount it is a static one."""
    return merchant_presented(
        url=link(public_url, token),
        name=place.shop_name,
        city=place.shop_city,
        country=place.shop_country,
        mcc=place.shop_category,
        currency=unit,
        amount_minor=amount,
        reference=reference if fits_reference(reference) else None,
        static=amount is None,
        latin_name=place.merchant_name,
        language=place.shop_language,
    ).write()


def is_token(text: str) -> bool:
    """Whether this can be a code's token."""
    return _TOKEN.fullmatch(text) is not None


def link_token(text: str, public_url: str, way: OfferedWay = "scan") -> str:
    """The token in a text that a phone came by: an EMVCo payload of ours, or our link itself.

    Raises `CodeDamaged` for a payload that is torn or changed, and for a link of ours that leads to
    no code; `CodeOfAnotherOperator` for a sound code of others; `NotEmvco` for what no shop shows;
    `Invalid` for a payload that is said to be clicked, as only a link can be.
    """
    token = text.removeprefix(f"{public_url}/c/")
    if token != text and is_token(token):  # our bare link, as an app sends it: read at a glance
        return token
    scanned = read_scan(text)
    if isinstance(scanned, TandemCode) and way == "click":
        raise Invalid("way", "must be scan: only a link can be clicked, and this is a code's text")
    if isinstance(scanned, (TandemCode, LinkCode)):
        return _token(scanned.url, public_url)
    faults = code_faults(scanned.payload) if isinstance(scanned, SchemeCode) else ()
    if faults:
        raise CodeDamaged(faults)
    if isinstance(scanned, UnknownCode):
        raise NotEmvco(scanned.reason)
    if isinstance(scanned, PersonCode):
        raise NotEmvco("it is a pay code, which a person shows to a shop")
    raise CodeOfAnotherOperator(None)


def _token(url: str, public_url: str) -> str:
    path = url.removeprefix(public_url)
    if path == url or path[:1] not in ("", "/", "?", "#"):
        raise CodeOfAnotherOperator(link_host(url))
    token = path.removeprefix("/c/")
    if token == path or not is_token(token):
        raise CodeDamaged(("its link leads to no code here",))
    return token
