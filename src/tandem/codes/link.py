"""The links that codes carry: absolute https URLs in plain ASCII (RFC 3986).

Stricter than a browser, because two readers of one link must see the same host: no user name
before the host, no backslash, no characters outside RFC 3986, international hosts in their
`xn--` form only. `http` passes for the machine itself (W3C Secure Contexts §3.1), so that a
sandbox needs no certificate.
"""

import re
from typing import Final

from tandem.kernel import Invalid

MAX_LINK: Final = 2048
"""The longest link read, in characters."""

_LINK = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[::1\])"
    r"(?::[0-9]{1,5})?"
    r"(?:[/?#][a-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?",
    re.ASCII | re.IGNORECASE,
)
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]", re.ASCII | re.IGNORECASE)


def link_host(text: str) -> str | None:
    """The host of a link that a code may carry, in lower case, or None if it is no such link."""
    match = _LINK.fullmatch(text) if len(text) <= MAX_LINK else None
    if match is None:
        return None
    host = match["host"].lower()
    if match["scheme"].lower() == "http" and _LOOPBACK.fullmatch(host) is None:
        return None
    return host


def check_link(text: str, field: str = "url") -> str:
    """Return `text` if it is a link that a code may carry. Raises `Invalid` otherwise."""
    if link_host(text) is None:
        raise Invalid(field, "must be an https URL in plain ASCII, such as https://pay.example/c/1")
    return text
