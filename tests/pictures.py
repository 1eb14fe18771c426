"""Pictures of screens that are kept in docs/screens, and whether a screen still looks like its own.

Compared is what a person would call the look: where things stand, their colours and their words.
What is another at each run is put out of sight in both pictures first: text with digits (amounts,
times, codes), the codes themselves and charts. So is what differs from machine to machine: each
tile of 4 by 4 pixels counts as its mean colour, since browsers draw the edges of letters
differently.
"""

import io
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops, ImageDraw
from playwright.async_api import Page

KEPT: Final = Path(__file__).parents[1] / "docs/screens"
APART: Final = Path(__file__).parents[1] / "build/screens-apart"
TILE: Final = 4
"""Pixels of a tile's side."""
NEAR: Final = 40
"""How far two tiles may be from each other in red, green or blue (of 255)."""
ALIKE: Final = 0.004
"""The part of all tiles that may differ in two pictures of the same look: half a line of text."""
ALIKE_FIXED: Final = 0.001
"""The same of a page whose data is the same each time: less than an icon on a phone."""
LONGEST: Final = 1000
"""How much of a page is compared at once; of most pages no more: below, lists grow with what tests
did before."""

_CHANGING: Final = r"""([drawn, digits, whole]) => {
  const boxes = [...document.querySelectorAll(drawn)]
    .map((one) => one.getBoundingClientRect());
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (digits && texts.nextNode()) {
    if (!/\d/.test(texts.currentNode.data)) continue;
    range.selectNodeContents(texts.currentNode);
    boxes.push(...range.getClientRects());
  }
  const [x, y] = whole ? [scrollX, scrollY] : [0, 0];
  return boxes.map((box) => [box.left + x, box.top + y, box.right + x, box.bottom + y]);
}"""

Box = tuple[float, float, float, float]


def kept(name: str) -> Path:
    """Where the picture of a screen in a look is, if one is kept."""
    return KEPT / f"{name}.png"


async def changing(page: Page, *, whole: bool = False, fixed: bool = False) -> list[Box]:
    """Where a page shows what is another at each run: left, top, right, bottom in pixels.

    They are counted from the corner of the screen, or from that of the `whole` page.

    What is drawn and written on a page whose data is `fixed` is the same each time, but for what
    moves.
    """
    drawn = "svg.turning, video" if fixed else "svg[role=img], svg.turning, figure, canvas, video"
    found: list[Any] = await page.evaluate(_CHANGING, [drawn, not fixed, whole])
    return [(left, top, right, bottom) for left, top, right, bottom in found]


def difference(
    kept: Image.Image, now: Image.Image, boxes: list[Box], *, fixed: bool = False
) -> float:
    """The part of the tiles, 0 to 1, that differ; 1 if the pictures have different sizes.

    Of a page that is longer than its screen the first `LONGEST` pixels count; of one whose data is
    `fixed` all do, and the part is that of the `LONGEST` pixels that differ most.
    """
    if not fixed:
        return _difference(_part(kept, 0), _part(now, 0), boxes)
    if kept.size != now.size:
        return 1.0
    return max(
        _difference(
            _part(kept, top),
            _part(now, top),
            [(left, up - top, right, down - top) for left, up, right, down in boxes],
        )
        for top in range(0, kept.height, LONGEST)
    )


def _difference(kept: Image.Image, now: Image.Image, boxes: list[Box]) -> float:
    if kept.size != now.size:
        return 1.0
    small = [_tiles(picture, boxes) for picture in (kept, now)]
    apart = ImageChops.difference(small[0], small[1])
    red, green, blue = apart.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    counts = most.histogram()
    return sum(counts[NEAR + 1 :]) / sum(counts)


def _part(picture: Image.Image, top: int) -> Image.Image:
    return picture.crop((0, top, picture.width, min(picture.height, top + LONGEST)))


def _tiles(picture: Image.Image, boxes: list[Box]) -> Image.Image:
    covered = picture.convert("RGB")
    draw = ImageDraw.Draw(covered)
    for left, top, right, bottom in boxes:
        draw.rectangle((left - TILE, top - TILE, right + TILE, bottom + TILE), fill="grey")
    return covered.reduce(TILE)


def compare(name: str, png: bytes, boxes: list[Box], *, fixed: bool = False) -> None:
    """Hold a screen against the picture that is kept of it.

    Raises AssertionError, and keeps both beside each other in build/screens-apart, if they differ:
    `make screens` takes the kept ones anew.
    """
    path = kept(name)
    with Image.open(path) as old, Image.open(io.BytesIO(png)) as now:
        part = difference(old, now, boxes, fixed=fixed)
        if part <= (ALIKE_FIXED if fixed else ALIKE):
            return
        APART.mkdir(parents=True, exist_ok=True)
        beside = APART / f"{name}.png"
        both = Image.new("RGB", (old.width + now.width, max(old.height, now.height)))
        both.paste(old, (0, 0))
        both.paste(now, (old.width, 0))
        both.save(beside)
    message = f"{name} looks different from {path.name}: {part:.1%} of it; both are in {beside}"
    raise AssertionError(message)


def keep(folder: Path, name: str, png: bytes) -> None:
    """Keep a screen's picture, as small as it can be without losing anything."""
    with Image.open(io.BytesIO(png)) as now:
        now.convert("RGB").save(folder / f"{name}.png", optimize=True)
