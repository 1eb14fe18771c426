"""Addresses of shops: origins (RFC 6454) that a merchant names, and where checkout returns to.

Read by one strict pattern in plain ASCII, so that no two readers of URLs can take the same text for
different places: no user name, no backslash, no control character, no letter of another script
that looks like one of ours (a name in one is written as its `xn--` form). Pure.
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl

from tandem.checkout.errors import ReturnRefused
from tandem.kernel import Invalid, Rule

MAX_URL: Final = 1000
MAX_ORIGINS: Final = 20
RESULT: Final = "tandem_result"
"""The parameter in which the signed result comes back."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN: Final = rf"(https?)://((?:{_LABEL}\.)*{_LABEL}|\[::1\])(?::([0-9]{{1,5}}))?"
_WHOLE: Final = re.compile(rf"{_ORIGIN}/?", re.ASCII | re.IGNORECASE)
_URL: Final = re.compile(
    rf"({_ORIGIN})(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.ASCII | re.IGNORECASE,
)
_LOOPBACK: Final = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]", re.ASCII)
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_ADDRESS: Final = Rule("address")
_PORTS: Final = {"http": 80, "https": 443}
_MAX_PORT: Final = 65_535


def read_origin(text: str, field: str, *, sandbox: bool) -> str:
    """An origin as browsers write it: lower case, no port that is the scheme's own.

    https only; in a sandbox also http of this machine. Raises `Invalid`.
    """
    match = _WHOLE.fullmatch(text) if len(text) <= MAX_URL else None
    if match is None:
        raise Invalid(field, _form(text), rule=_ADDRESS)
    return _origin(match[1], match[2], match[3], field, sandbox=sandbox)


def read_return(text: str, field: str, allowed: Collection[str], *, sandbox: bool) -> str:
    """An address to return to, as it was given, if the merchant named its origin.

    Raises `Invalid`, `ReturnRefused`.
    """
    match = _URL.fullmatch(text) if len(text) <= MAX_URL else None
    if match is None:
        raise Invalid(field, _form(text), rule=_ADDRESS)
    origin = _origin(match[2], match[3], match[4], field, sandbox=sandbox)
    query = text.partition("?")[2]
    if any(name == RESULT for name, _ in parse_qsl(query, keep_blank_values=True)):
        raise Invalid(field, f"must leave the parameter {RESULT} to Tandem", rule=_ADDRESS)
    if origin not in allowed:
        raise ReturnRefused(field, origin, tuple(allowed))
    return text


def with_result(url: str, result: str) -> str:
    """The address with the signed result (Base64url and points, so nothing to escape)."""
    return f"{url}{'&' if '?' in url else '?'}{RESULT}={result}"


def _origin(scheme: str, host: str, port: str | None, field: str, *, sandbox: bool) -> str:
    scheme, host = scheme.lower(), host.lower()
    here = _LOOPBACK.fullmatch(host) is not None
    if scheme == "http" and not (sandbox and here):
        raise Invalid(
            field,
            "must begin with https:// (http only for this machine, in a sandbox)",
            rule=_ADDRESS,
        )
    if not here and (_NUMERIC.fullmatch(host) or "." not in host):
        raise Invalid(field, "must name a host such as shop.example", rule=_ADDRESS)
    number = _PORTS[scheme] if port is None else int(port)
    if not 1 <= number <= _MAX_PORT:
        raise Invalid(field, "has no such port: ports go from 1 to 65535", rule=_ADDRESS)
    return f"{scheme}://{host}" if number == _PORTS[scheme] else f"{scheme}://{host}:{number}"


def _form(text: str) -> str:
    if not text.isascii():
        return "must be plain ASCII: write a name in another script in its form that begins xn--"
    return "must be an address such as https://shop.example, without a user name or a fragment"
