"""The comparison of screens sees what a person would see, and nothing else."""

import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from pictures import ALIKE, KEPT, Box, difference

ROOT = Path(__file__).parents[2]

SIZE = (360, 760)
AMOUNT: Box = (20, 60, 200, 100)


def screen(
    *,
    button: str = "#0E8F6E",
    word: str = "Pay with this phone",
    at: tuple[int, int] = (20, 640),
    amount: str = "38.00",
) -> Image.Image:
    """A screen with an amount, a row of text and a button."""
    picture = Image.new("RGB", SIZE, "#FBFAF7")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(24)
    draw.text((AMOUNT[0], AMOUNT[1]), amount, "#0B1020", font)
    draw.text((20, 300), word, "#0B1020", font)
    draw.rounded_rectangle((*at, at[0] + 320, at[1] + 48), 12, button)
    return picture


@pytest.mark.parametrize(
    "now",
    [
        screen(button="#D9542B"),
        screen(word=""),
        screen(word="Add a card to this phone"),
        screen(at=(20, 620)),
        screen().resize((1440, 900)),
    ],
    ids=["colour", "text gone", "other text", "moved", "size"],
)
def test_what_a_person_would_see_is_found(now: Image.Image) -> None:
    assert difference(screen(), now, [AMOUNT]) > ALIKE


def test_what_changes_with_each_run_is_not() -> None:
    now = screen(amount="1,204.99")
    assert difference(screen(), now, [AMOUNT]) == 0
    assert difference(screen(), now, []) > 0


def test_of_fixed_data_all_is_compared() -> None:
    def long(word: str) -> Image.Image:
        picture = Image.new("RGB", (360, 9000))
        picture.paste(screen(word=word), (0, 8000))
        return picture

    kept, now = long("Pay with this phone"), long("")
    assert difference(kept, now, []) == 0
    assert difference(kept, now, [], fixed=True) > ALIKE
    assert difference(kept, kept, [], fixed=True) == 0
    assert difference(kept, now, [(0, 8280, 360, 8340)], fixed=True) == 0


def test_edges_of_letters_are_not() -> None:
    now = screen().resize((720, 1520)).resize(SIZE)
    assert difference(screen(), now, []) <= ALIKE


SEEN = re.compile(r"""\.seen\(\s*f?"([^"]+)\"""")
PLACES = re.compile(r"""^    \("/.*", "([a-z]+)"\),$""", re.MULTILINE)
LOOK = re.compile(r"-(en|zh)-(light|dark)-[0-9]+$")


def test_a_name_is_one_screen() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/e2e").glob("test_*.py")]
    named = Counter(name for source in sources for name in SEEN.findall(source))
    named.update(f"console-{name}" for name in PLACES.findall("".join(sources)))
    assert len(named) > 50
    assert [name for name, times in named.items() if times > 1] == []


def test_a_picture_that_is_kept_is_taken() -> None:
    told = " ".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests/e2e").glob("test_*.py")
    )
    # those of components are held against the folder of plates where they are taken
    names = (LOOK.sub("", path.stem) for path in KEPT.glob("*.png"))
    kept = {name for name in names if not name.startswith("component-")}
    assert len(kept) > 5
    places = re.compile(r"^(console|operator)-")
    lost = [name for name in kept if f'"{name}"' not in told]
    assert [name for name in lost if f'"{places.sub("", name)}"' not in told] == []
