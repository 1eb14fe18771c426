"""`tandem tag`: a shop's URL on an NFC tag."""

from collections.abc import Iterator
from contextlib import contextmanager

from cyclopts import App

from tandem.cli.show import done, printable, say
from tandem.tap import NoCard
from tandem.tap.pcsc import PcscField
from tandem.tap.tag import Tag, find_tag, read_url, write_url

app = App(name="tag", help="Put a shop's link on an NFC tag.", help_format="markdown")

_WAIT_SECONDS = 30.0


@app.command
def write(url: str, /, *, reader: str = "") -> None:
    """Write a link on the tag on the reader, over what is there.

    Phones open it when they are held to the tag: a shop's code without a camera. A link is no
    secret and anybody can copy it, as they can a printed code.

    Example: `tandem tag write https://pay.example/c/1`

    Parameters
    ----------
    url
        The link, as `GET /v1/shops/{shop_id}/code` gives it.
    reader
        A part of the reader's name, if there are several.
    """
    with _tag(reader) as tag:
        write_url(tag, url)
    done("The link is on the tag.")


@app.command
def read(*, reader: str = "") -> int:
    """Read the link on the tag on the reader. Exit status 1 if there is none.

    Example: `tandem tag read`

    Parameters
    ----------
    reader
        A part of the reader's name, if there are several.
    """
    with _tag(reader) as tag:
        url = read_url(tag)
    say("There is no link on this tag." if url is None else printable(url))
    return 1 if url is None else 0


@contextmanager
def _tag(reader: str) -> Iterator[Tag]:
    """The tag that is put on the reader. Raises `NoCard`, `ReaderUnusable`, `TagUnusable`."""
    field = PcscField(reader)
    try:
        transport = field.wait(_WAIT_SECONDS)
        if transport is None:
            raise NoCard
        yield find_tag(transport)
    finally:
        field.close()
