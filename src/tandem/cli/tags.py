"""`tandem operator tag`: rolling tags of shops, and the keys that are written on their chips."""

import os
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.app import Services
from tandem.cli.acceptance import owner_of, till_of
from tandem.cli.beside import services
from tandem.cli.errors import FileUnusable
from tandem.cli.run import run
from tandem.cli.show import cells, done, say, show, table
from tandem.kernel import read_id, show_id
from tandem.tags import Tag, TagPackage, tag_view

tag_app = App(name="tag", help="Rolling tags of shops.", help_format="markdown")

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]
_TILL: Final = "til_"


@tag_app.command
def add(place: str, name: str, /) -> None:
    """Make a rolling tag for a shop or a till. Its keys are written on a chip next.

    Example: `tandem operator tag add shp_0199… "Counter, left"`

    Parameters
    ----------
    place
        The shop, shp_…, or the till, til_…
    name
        What the list of tags calls it.
    """
    made = run(_add(place, name))
    shown = show_id("tag", made.id)
    done(f"Made {made.name}: {shown}")
    say(f"Write it on a chip: tandem operator tag keys {shown} tag.json")
    say("and then: tandem tag write --rolling tag.json")


async def _add(place: str, name: str) -> Tag:
    async with services() as opened:
        if place.startswith(_TILL):
            owner, till_id = await till_of(opened, place)
            return await opened.tags.create(owner, name, None, till_id=till_id)
        owner, shop_id = await owner_of(opened.pool, place)
        return await opened.tags.create(owner, name, None, shop_id=shop_id)


@tag_app.command(name="list")
def list_tags(shop: str, /, *, limit: Limit = 50) -> None:
    """List a shop's rolling tags, newest first, with their newest taps.

    Example: `tandem operator tag list shp_0199…`

    Parameters
    ----------
    shop
        The shop, shp_…
    limit
        The most tags to list.
    """
    made = table("Tag", "Name", "Status", "Readings", "Last tap", right=("Readings",))
    for tag in map(tag_view, run(_list(shop, limit))):
        tapped = "" if tag.tapped_at is None else f"{tag.tapped_at:%Y-%m-%d %H:%M}"
        made.add_row(*cells(tag.id, tag.name, tag.status, tag.counter, tapped))
    show(made)


async def _list(shop: str, limit: int) -> list[Tag]:
    async with services() as opened:
        owner, shop_id = await owner_of(opened.pool, shop)
        return await opened.tags.all(owner, shop_id, None, limit)


@tag_app.command
def keys(tag: str, file: Path, /) -> None:
    """Write a tag's link and keys into a new file, for `tandem tag write --rolling`.

    Only of a tag that was never tapped, or that is revoked: with its keys a tag can be copied. The
    link leads to `TANDEM_PUBLIC_URL`, which must be the one that `tandem up` serves.

    Example: `tandem operator tag keys tag_0199… tag.json`

    Parameters
    ----------
    tag
        The tag, tag_…
    file
        The file, which only you may read. Delete it afterwards.
    """
    package = run(_keys(tag))
    text = msgspec.json.format(msgspec.json.encode(package), indent=2) + b"\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(text)
    except OSError as error:
        raise FileUnusable(str(file), (error.strerror or "cannot be written").lower()) from error
    done(f"Written to {file}. Delete it when the tag is written.")
    say(f"Its link leads to {package.url.partition('?')[0]}")


async def _keys(tag: str) -> TagPackage:
    async with services() as opened:
        return await opened.tags.keys(*await _owned(opened, tag))


@tag_app.command
def rename(tag: str, name: str, /) -> None:
    """Call a tag otherwise.

    Example: `tandem operator tag rename tag_0199… "Counter, right"`

    Parameters
    ----------
    tag
        The tag, tag_…
    name
        What the list of tags calls it.
    """
    _done(run(_rename(tag, name)))


async def _rename(tag: str, name: str) -> Tag:
    async with services() as opened:
        return await opened.tags.rename(*await _owned(opened, tag), name)


@tag_app.command
def suspend(tag: str, /) -> None:
    """Switch a tag off until it is resumed: nobody pays at it.

    Example: `tandem operator tag suspend tag_0199…`

    Parameters
    ----------
    tag
        The tag, tag_…
    """
    _done(run(_switch(tag, on=False)))


@tag_app.command
def resume(tag: str, /) -> None:
    """Switch a tag on again: one that was switched off, or blocked because of wrong links.

    Example: `tandem operator tag resume tag_0199…`

    Parameters
    ----------
    tag
        The tag, tag_…
    """
    _done(run(_switch(tag, on=True)))


async def _switch(tag: str, *, on: bool) -> Tag:
    async with services() as opened:
        return await opened.tags.switch(*await _owned(opened, tag), on=on)


@tag_app.command
def revoke(tag: str, /) -> None:
    """Switch a tag off for good: it is lost, or its chip is to be another tag.

    Example: `tandem operator tag revoke tag_0199…`

    Parameters
    ----------
    tag
        The tag, tag_…
    """
    _done(run(_revoke(tag)))


async def _revoke(tag: str) -> Tag:
    async with services() as opened:
        return await opened.tags.revoke(*await _owned(opened, tag))


async def _owned(opened: Services, tag: str) -> tuple[UUID, UUID]:
    """Whose tag it is, and its id. Raises `NotFound`, `Invalid`."""
    tag_id = read_id("tag", tag, "tag")
    return await opened.tags.owner_of(tag_id), tag_id


def _done(tag: Tag) -> None:
    done(f"{tag.name} is {tag.status.value}.")
