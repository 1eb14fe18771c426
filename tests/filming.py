"""A camera that sees what a test shows it: Chromium's fake one, playing a film made here."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import segno
from PIL import Image
from playwright.async_api import Browser, async_playwright

from browsing import FLAGS, program_of_browser

SIZE: Final = (640, 480)
FRAMES: Final = 4


def picture_of(text: str, *, scale: int = 5) -> Image.Image:
    """A photo of a code: on a grey table, not quite straight."""
    drawn = io.BytesIO()
    segno.make(text, error="m").save(drawn, kind="png", scale=scale, border=4)
    code = Image.open(drawn).convert("L")
    photo = Image.new("L", SIZE, 96)
    turned = code.rotate(6, expand=True, fillcolor=96, resample=Image.Resampling.BICUBIC)
    turned.thumbnail((SIZE[1], SIZE[1]))
    photo.paste(turned, ((SIZE[0] - turned.width) // 2, (SIZE[1] - turned.height) // 2))
    return photo


def film(path: Path, text: str | None) -> Path:
    """A film of a code, or of an empty table: YUV4MPEG2, 4:2:0, without colour."""
    photo = Image.new("L", SIZE, 96) if text is None else picture_of(text)
    colour = bytes([128]) * (SIZE[0] * SIZE[1] // 2)
    frame = b"FRAME\n" + photo.tobytes() + colour
    path.write_bytes(b"YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420\n" % SIZE + frame * FRAMES)
    return path


@asynccontextmanager
async def seeing(path: Path) -> AsyncIterator[Browser]:
    """A browser whose camera plays this film; its person allows it."""
    flags = (
        *FLAGS,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
        "--use-fake-ui-for-media-stream",
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program_of_browser(), args=list(flags)
        )
        try:
            yield browser
        finally:
            await browser.close()
