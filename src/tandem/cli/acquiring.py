"""`tandem acquiring`: what integrators of shops' terminals need. Only keys need a database."""

import re
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tandem.acquiring import (
    Codec,
    Deframer,
    Frame,
    HostSettings,
    Link,
    check_files,
    describe,
    read_links,
)
from tandem.acquiring.wire import Wire
from tandem.cli.show import cells, done, show, table
from tandem.kernel import Invalid, NotFound

app = App(
    name="acquiring",
    help="Look after the ISO 8583 host of shops' terminals.",
    help_format="markdown",
)
app.command("tandem.cli.link_keys:app", name="keys", help="The keys that links and the host share.")

_LARGEST: Final = 1 << 20
_BLANKS: Final = re.compile(r"\s+")


@app.command
def read(
    message: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    links: Path | None = None,
    link: str | None = None,
    framed: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Take an ISO 8583 message apart: every element with its name and what it means.

    Card numbers, tracks and PIN blocks are masked. Exit status 1 if the message is malformed.

    Example: `tandem acquiring read 303830300020000000000000303030303031`

    Parameters
    ----------
    message
        The message in hexadecimal digits, or `-` to read them from standard input.
    links
        The file of the links' settings; without it the settings are those of a link that sets
        nothing.
    link
        The name of the link in that file whose settings the message goes by.
    framed
        The message still has its length and header before it.
    """
    wire = Wire() if links is None else _link(links, link).wire
    codec = Codec(wire)
    data = _bytes(sys.stdin.read(_LARGEST) if message == "-" else message)
    made = table("Id", "Name", "Value", "Meaning")
    for frame in _frames(wire, data) if framed else [Frame(b"", data)]:
        for line in describe(codec.read(frame.body)):
            made.add_row(*cells(*line))
    show(made)


def _frames(wire: Wire, data: bytes) -> list[Frame]:
    deframer = Deframer(wire, _LARGEST)
    deframer.feed(data)
    found = list(iter(deframer.next, None))
    if deframer.waiting or not found:
        raise Invalid("message", f"{deframer.waiting} bytes are no whole message with its length")
    return found


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(_BLANKS.sub("", text))
    except ValueError:
        raise Invalid("message", "must be hexadecimal digits") from None


def _link(path: Path, name: str | None) -> Link:
    found = [link for link in read_links(path).links if name in {None, link.name}]
    if not found:
        raise NotFound("link", name or "at all")
    if len(found) > 1:
        raise Invalid("--link", "must name one of the links in this file")
    return found[0]


@app.command
def check(links: Path, /) -> None:
    """See whether a file of links can be used, and show what it says.

    `tandem up` reads it where TANDEM_ACQUIRING_CONFIG names it, and looks besides whether the keys
    and tills that it names are there.

    Example: `tandem acquiring check links.toml`

    Parameters
    ----------
    links
        The file of the links' settings (docs/acquiring.md).
    """
    settings = read_links(links)
    check_files(settings)
    made = table("Link", "Known by", "Terminals", "Header", "MAC", "Key")
    for link in settings.links:
        made.add_row(*cells(*_row(link)))
    show(made)
    done(f"{links} can be used; it listens on {_listens(settings)}.")


def _listens(settings: HostSettings) -> str:
    return ", ".join(
        f"{one.host} port {one.port}{' with TLS' if one.tls else ''}" for one in settings.listeners
    )


def _row(link: Link) -> tuple[str, ...]:
    count = len(link.certificates)
    certificates = "" if not count else "1 certificate" if count == 1 else f"{count} certificates"
    places = [f"port {link.port}"] if link.port is not None else []
    known = ", ".join([*([certificates] if certificates else []), *link.networks, *places])
    terminals = ", ".join(sorted({*link.terminals, *link.tills})) or "none"
    mac, key = ("none", "") if link.mac is None else (link.mac.algorithm, link.mac.key_of("…"))
    return link.name, known, terminals, link.wire.header, mac, key
