"""What is it that was scanned? One answer for any text, also for garbage."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from tandem.codes.emvco import Payload
from tandem.codes.errors import NotEmvco, PayCodeMalformed
from tandem.codes.link import link_host
from tandem.codes.merchant import tandem_link
from tandem.codes.paycode import PayCode
from tandem.codes.paycode import parse as parse_pay_code

MAX_SCAN: Final = 8192
"""Longer texts are not looked at: no code holds them."""

_WALLET_CODE = re.compile(r"(?:2[5-9]|30)[0-9]{14,22}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TandemCode:
    """A sound EMVCo payload with a Tandem link.

    Whoever opens the link first compares its host with the operators that it knows.
    """

    kind: ClassVar[str] = "tandem"
    url: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class SchemeCode:
    """An EMVCo payload of other schemes, or a damaged one, which has `code_faults`."""

    kind: ClassVar[str] = "scheme"
    payload: Payload


@dataclass(frozen=True, slots=True)
class LinkCode:
    """A bare link; its host is to be compared as that of a `TandemCode`."""

    kind: ClassVar[str] = "link"
    url: str


@dataclass(frozen=True, slots=True)
class PersonCode:
    """A pay code that a person shows. Other wallets make 18 digits from 28 too: the index tells."""

    kind: ClassVar[str] = "pay_code"
    code: PayCode


@dataclass(frozen=True, slots=True)
class WalletCode:
    """The authorisation code of another wallet: 16 to 24 digits that begin with 25 to 30."""

    kind: ClassVar[str] = "wallet_code"
    digits: str


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """Nothing that is known here."""

    kind: ClassVar[str] = "unknown"
    reason: str


Scan = TandemCode | SchemeCode | LinkCode | PersonCode | WalletCode | UnknownCode


def read_scan(text: str) -> Scan:
    """Decide what a scanned text is. White space around it, as some scanners add, is left out."""
    if len(text) > MAX_SCAN:
        return UnknownCode(f"it has more than {MAX_SCAN} characters")
    text = text.strip()
    if link_host(text) is not None:
        return LinkCode(text)
    try:
        return PersonCode(parse_pay_code(text))
    except PayCodeMalformed:
        pass
    digits = text.replace(" ", "")
    if _WALLET_CODE.fullmatch(digits) is not None:
        return WalletCode(digits)
    try:
        payload = Payload.parse(text)
    except NotEmvco as refused:
        return UnknownCode(refused.reason)
    url = tandem_link(payload)
    return SchemeCode(payload) if url is None else TandemCode(url, payload)
