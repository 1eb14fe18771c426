"""Where webhooks may go: which URLs, and which addresses behind them (OWASP's SSRF prevention).

A merchant chooses the URL, and we connect from inside the operator's network: so only addresses
that anybody on the internet could reach are allowed, whatever name leads there. Pure.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

import httpx

from tandem.events.errors import TargetRefused
from tandem.kernel import Invalid, Rule

MAX_URL: Final = 2000
_MAX_PORT: Final = 65_535
_ADDRESS: Final = Rule("address")
_PORTS: Final = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_.-]{1,253}|[0-9a-f:.]{2,45}", re.ASCII)
_BEGINNING = re.compile(
    r"[a-z]+://(?:\[[0-9a-f:.]+\]|[^][:@/?#\\]+)(?::[0-9]{1,5})?(?:[/?#]|$)",
    re.ASCII | re.IGNORECASE,
)
"""Scheme, host and port, and nothing that two readers of URLs could take for different things."""

_NEVER: Final = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
            "192.88.99.0/24",  # 6to4 relays (RFC 7526)
            "168.63.129.16/32",  # a cloud's metadata, on an address that is otherwise public
            "64:ff9b::/96",  # NAT64 (RFC 6052): IPv4 inside
            "64:ff9b:1::/48",  # NAT64 of one's own (RFC 8215)
            "2001::/23",  # IETF protocol assignments, with Teredo: IPv4 inside
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: IPv4 inside
            "3fff::/20",  # documentation (RFC 9637)
            "5f00::/16",  # segment routing (RFC 9602)
        ),
    )
)
_LOOPBACK_4: Final = ip_network("127.0.0.0/8")
_LOOPBACK_6: Final = ip_address("::1")
_GLOBAL_UNICAST: Final = ip_network("2000::/3")
"""All of IPv6 that is assigned to hosts of the internet (RFC 4291 §2.4, as IANA gives it out)."""


class Target(NamedTuple):
    """A URL, read once, in the parts that are connected to and sent. `host` is ASCII."""

    scheme: str
    host: str
    port: int
    path: bytes

    @property
    def authority(self) -> str:
        """The Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(url: str, *, sandbox: bool) -> Target:
    """Read an endpoint's URL. Raises `Invalid` if it isn't one that Tandem sends to.

    It is https (in the sandbox also http), without credentials and without a fragment.
    """
    schemes = ("https", "http") if sandbox else ("https",)
    if not 1 <= len(url) <= MAX_URL:
        raise Invalid(
            "url", f"must be 1 to {MAX_URL} characters long", rule=Rule("length", 1, MAX_URL)
        )
    if not url.isprintable() or any(c.isspace() for c in url):
        raise Invalid("url", "must not contain spaces or control characters", rule=_ADDRESS)
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Invalid(
            "url", "is not a URL such as https://shop.example/hooks", rule=_ADDRESS
        ) from error
    if parsed.scheme not in schemes or not parsed.raw_host:
        raise Invalid(
            "url", f"must begin with {' or '.join(s + '://' for s in schemes)}", rule=_ADDRESS
        )
    if parsed.userinfo:
        raise Invalid("url", "must not contain a user name or password", rule=_ADDRESS)
    if _BEGINNING.match(url) is None:
        raise Invalid("url", "is not a URL such as https://shop.example/hooks", rule=_ADDRESS)
    if parsed.fragment or "#" in url:
        raise Invalid("url", "must not have a fragment (the part from # on)", rule=_ADDRESS)
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    host = parsed.raw_host.decode("ascii").removesuffix(".")
    if not 1 <= port <= _MAX_PORT or _HOST.fullmatch(host) is None:
        raise Invalid("url", "is not a URL such as https://shop.example/hooks", rule=_ADDRESS)
    return Target(parsed.scheme, host, port, parsed.raw_path)


def is_allowed(address: IPv4Address | IPv6Address, *, sandbox: bool) -> bool:
    """Whether webhooks may be sent to an address: public ones, and loopback in the sandbox."""
    if address == _LOOPBACK_6 or address in _LOOPBACK_4:
        return sandbox
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False  # with it IPv4-mapped addresses, link-local, unique local, multicast
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def check_addresses(host: str, found: Sequence[str], *, sandbox: bool) -> list[str]:
    """The addresses that a name leads to, in order, if every single one is allowed.

    Raises `TargetRefused` otherwise: a name with one inside address among public ones is an attack
    or a mistake.
    """
    if not found:
        raise TargetRefused(host, "has no address")
    for text in found:
        try:
            address = ip_address(text)
        except ValueError:  # with a zone, for example: fe80::1%eth0
            raise TargetRefused(host, _INSIDE) from None
        if not is_allowed(address, sandbox=sandbox):
            raise TargetRefused(host, _INSIDE)
    return list(dict.fromkeys(found))


_INSIDE: Final = "leads to an address that is not on the public internet"
