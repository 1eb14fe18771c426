"""`tandem tag`: a shop's link on an NFC tag, plain or signed anew at each tap."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.cli.errors import FileUnusable
from tandem.cli.show import done, printable, say
from tandem.db.locate import default_data_folder
from tandem.kernel import Invalid, system_entropy
from tandem.tags import TagPackage
from tandem.tap import NoCard, Presence, Transport
from tandem.tap.pcsc import PcscField
from tandem.tap.rolling import wipe as wipe_tag
from tandem.tap.rolling import write_rolling
from tandem.tap.soft_tag import SoftTag
from tandem.tap.soft_tag_store import SoftTagStore
from tandem.tap.tag import find_tag, read_url, write_url
from tandem.tap.vpcd import LOOPBACK, PORT, connect

app = App(name="tag", help="Put a shop's link on an NFC tag.", help_format="markdown")

Package = Annotated[Path | None, Parameter(help="A rolling tag's link and keys, as a file.")]
Folder = Annotated[Path | None, Parameter(help="The tag's folder, if not the usual one.")]
_WAIT_SECONDS: Final = 30.0
_LARGEST: Final = 1 << 16


@app.command
def write(url: str | None = None, /, *, rolling: Package = None, reader: str = "") -> None:
    """Write a link on the tag on the reader, over what is there.

    Phones open it when they are held to the tag: a shop's code without a camera. A plain link is no
    secret and anybody can copy it, as they can a printed code. A rolling one needs an NTAG 424 DNA,
    which signs another link at each tap; the tag is then closed to everybody without its keys.

    Example: `tandem tag write https://pay.example/c/1`

    Parameters
    ----------
    url
        The plain link, as `GET /v1/shops/{shop_id}/code` gives it.
    rolling
        Instead of a link: the file that `tandem operator tag keys` or
        `POST /v1/tags/{tag_id}/keys` gave. It holds keys: delete it afterwards.
    reader
        A part of the reader's name, if there are several.
    """
    if (url is None) == (rolling is None):
        raise Invalid("url", "give a link, or --rolling with a file, and not both")
    if rolling is not None:
        package = _package(rolling)
        with _in_field(reader) as transport:
            counter = write_rolling(transport, package, system_entropy)
        done(f"The tag signs its link; this was its reading {counter}. Delete {rolling}.")
        return
    assert url is not None, "one of the two is there"
    with _in_field(reader) as transport:
        write_url(find_tag(transport), url)
    done("The link is on the tag.")


@app.command
def read(*, reader: str = "") -> int:
    """Read the link on the tag on the reader. Exit status 1 if there is none.

    Each reading of a rolling tag is a tap: the link that is shown can be paid by, once.

    Example: `tandem tag read`

    Parameters
    ----------
    reader
        A part of the reader's name, if there are several.
    """
    with _in_field(reader) as transport:
        url = read_url(find_tag(transport))
    say("There is no link on this tag." if url is None else printable(url))
    return 1 if url is None else 0


@app.command
def wipe(package: Path, /, *, reader: str = "") -> None:
    """Take a rolling link and its keys off a tag, so that it can be written for another shop.

    Revoke the tag first: its keys are given out again then.

    Example: `tandem tag wipe tag.json`

    Parameters
    ----------
    package
        The file with the keys that the tag was written with.
    reader
        A part of the reader's name, if there are several.
    """
    keys = _package(package)
    with _in_field(reader) as transport:
        wipe_tag(transport, keys, system_entropy)
    done(f"The tag is empty and as it came. Delete {package}.")


@app.command
def virtual(
    *,
    folder: Annotated[
        Path | None, Parameter(help="The tag's folder, if not the usual one.")
    ] = None,
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=65535))] = PORT,
) -> None:
    """Hold a tag without a chip to a reader of this machine, until Ctrl-C.

    To try rolling tags without any hardware: it answers as an NTAG 424 DNA does, and keeps what is
    written on it. It protects nothing: its keys are in its folder.

    Example: `tandem tag virtual`

    Parameters
    ----------
    port
        The reader's port: that of the virtual reader (`tandem reader setup-virtual`).
    """
    place = folder or default_data_folder(os.environ) / "tag"
    with SoftTagStore(place, system_entropy) as store:
        tag = SoftTag(store.state(), store.save, system_entropy)
        connection = connect(LOOPBACK, port)
        say(f"The tag {tag.state.uid.hex().upper()} is on the reader. Ctrl-C takes it away.")
        Presence(tag, connection, system_entropy).serve()
    say("The reader let go of the tag.")


@contextmanager
def _in_field(reader: str) -> Iterator[Transport]:
    """What is on the reader. Raises `NoCard`, `ReaderUnusable`."""
    field = PcscField(reader)
    try:
        transport = field.wait(_WAIT_SECONDS)
        if transport is None:
            raise NoCard
        yield transport
    finally:
        field.close()


def _package(path: Path) -> TagPackage:
    """Read a file of keys. Raises `FileUnusable`, and `Invalid` without a word of what it holds."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be read"
        raise FileUnusable(str(path), reason.lower()) from error
    try:
        return msgspec.json.decode(text, type=TagPackage)
    except (msgspec.MsgspecError, ValueError):
        raise Invalid("file", "holds no rolling tag's link and keys, or is damaged") from None
