"""`tandem acquiring`: what integrators of shops' terminals need. Needs no database."""

import re
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tandem.acquiring import Codec, Deframer, Frame, Link, describe, read_host_settings
from tandem.acquiring.wire import Wire
from tandem.cli.errors import FileUnusable
from tandem.cli.show import cells, show, table
from tandem.kernel import Invalid, NotFound

app = App(
    name="acquiring",
    help="Read ISO 8583 messages of shops' terminals.",
    help_format="markdown",
)

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
    try:
        text = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be read"
        raise FileUnusable(str(path), reason.lower()) from error
    found = [link for link in read_host_settings(text).links if name in {None, link.name}]
    if not found:
        raise NotFound("link", name or "at all")
    if len(found) > 1:
        raise Invalid("--link", "must name one of the links in this file")
    return found[0]
