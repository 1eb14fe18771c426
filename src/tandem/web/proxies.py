"""Which network address a request came from, when proxies stand in front.

`X-Forwarded-For` (the usual header; RFC 7239 §5.2 says the same in another form) is a list to which
each proxy adds, on the right, the address that it was asked from. What stands left of that can be
made up by whoever asked, so it is read from the right, and only as far as our own proxies wrote it.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final

from tandem.settings import Network

LOCAL: Final = "local"
"""Who asks over a socket that has no address."""

_HEADER: Final = b"x-forwarded-for"
_WITH_PORT: Final = re.compile(r"\[(.*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The proxies that are believed: those of the operator's setting, and no others."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)

    def client(self, peer: str | None, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The address that a request came from; `peer` is who opened the connection.

        With anything in the header that is no address, it is the last one before that which a
        trusted proxy vouches for.
        """
        if peer is None:
            return LOCAL
        if not self._trusted:
            return peer
        address = _read(peer)
        if address is None or not self._trusts(address):
            return peer
        # A header that is there several times is one list (RFC 9110 §5.3).
        given = b",".join(value for name, value in headers if name == _HEADER)
        for part in reversed(given.decode("latin-1").split(",")):
            before = _read(part.strip(" \t"))
            if before is None:
                break
            address = before
            if not self._trusts(address):
                break
        return str(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _read(text: str) -> Address | None:
    """An address, with or without a port; None if it is none."""
    match = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(match[1] or match[2] if match else text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped  # an IPv4 client of a socket for both (RFC 4291 §2.5.5.2)
    return address
