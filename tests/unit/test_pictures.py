"""The comparison of screens sees what a person would see, and nothing else."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from pictures import ALIKE, Box, difference

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


def test_edges_of_letters_are_not() -> None:
    now = screen().resize((720, 1520)).resize(SIZE)
    assert difference(screen(), now, []) <= ALIKE
