#!/usr/bin/env python3
"""Draw the icons of the installed apps into apps/public/icons: run when the mark changes.

    .venv/bin/python tools/icons.py

Two rings that overlap; where they meet the colour changes. The wallet's lie on paper, the till's on
ink, so that the two are told apart. The rings keep within the middle 80 %, which a mask leaves.
"""

from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageDraw

OUT: Final = Path(__file__).parents[1] / "apps" / "public" / "icons"
GROUNDS: Final = {"wallet": "#FBFAF7", "till": "#0B1020"}
SIZES: Final = (180, 192, 512)
FINE: Final = 4  # drawn larger and made smaller: smooth edges
TAP, SCAN, MEET = "#0E8F6E", "#5C7CFA", "#E0A100"


def draw(size: int, ground: str) -> Image.Image:
    """The icon, `size` pixels wide."""
    full = size * FINE
    unit = full * 0.64 / 44  # the mark is 44 x 28
    left, top = full / 2 - 22 * unit, full / 2 - 14 * unit

    def disc(x: float, radius: float) -> Image.Image:
        mask = Image.new("L", (full, full), 0)
        cx, cy, r = left + x * unit, top + 14 * unit, radius * unit
        ImageDraw.Draw(mask).ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
        return mask

    def ring(x: float) -> Image.Image:
        return ImageChops.subtract(disc(x, 13), disc(x, 8))

    image = Image.new("RGB", (full, full), ground)
    image.paste(TAP, mask=ring(14))
    image.paste(SCAN, mask=ring(30))
    image.paste(MEET, mask=ImageChops.multiply(ring(30), disc(14, 13)))
    return image.resize((size, size), Image.Resampling.LANCZOS)


for name, colour in GROUNDS.items():
    for width in SIZES:
        draw(width, colour).save(OUT / f"{name}-{width}.png", optimize=True)
