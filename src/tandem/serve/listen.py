"""The sockets that workers take requests from: opened by the parent, so that they outlive a worker.

One worker has one socket. Several have one each on the same port (SO_REUSEPORT, socket(7)), and
the kernel divides new connections among them; with one socket for all, whoever wakes first takes
most. The parent keeps all of them open: what waits for a worker that died is taken by the next.
"""

import asyncio
import errno
import os
import socket
from typing import Any, Final

from tandem.serve.errors import AddressUnusable, PortTaken

_PATIENCE_S: Final = 3.0
"""Workers of a parent that was killed need a moment to see it and to let the port go."""
_LOOK_EVERY_S: Final = 0.1


Address = tuple[Any, ...]
"""What `socket.bind` takes: its shape is the family's."""


async def open_sockets(host: str, port: int, count: int) -> list[socket.socket]:
    """Bound sockets, `count` of them, on one port (any free one for 0), not listening yet.

    Raises `PortTaken`, `AddressUnusable`.
    """
    family, address = await _resolve(host, port)
    first = await _first(family, address, host, port)
    if count == 1:
        return [first]
    address = first.getsockname()
    first.close()
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            made.append(_bound(family, address, share=True))  # noqa: PERF401 - those made are closed if one fails
    except OSError as error:
        for sock in made:
            sock.close()
        raise AddressUnusable(host, port, _reason(error)) from error
    return made


async def _first(
    family: socket.AddressFamily, address: Address, host: str, port: int
) -> socket.socket:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_S
    while True:
        try:
            # Without sharing, even if it is to be shared: two Tandems must not divide requests.
            return _bound(family, address, share=False)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise AddressUnusable(host, port, _reason(error)) from error
            if loop.time() > deadline:
                raise PortTaken(host, port) from error
        await asyncio.sleep(_LOOK_EVERY_S)


async def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise AddressUnusable(host, port, "it is no name or address of a machine") from error
    family, _, _, _, address = found[0]
    return family, address


def _bound(family: socket.AddressFamily, address: Address, *, share: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "it is refused"
