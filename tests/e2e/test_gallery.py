"""Every component in every state: seen in both languages, light and dark, narrow and wide."""

import re

import pytest

from browsing import DESK, PHONE, ROOT, SCREENS, Look, Stage
from pictures import KEPT

LOOKS = [
    Look("en", "light", PHONE),
    Look("en", "dark", DESK),
    Look("zh", "light", DESK),
    Look("zh", "dark", PHONE),
]
COMPONENTS = sorted(path.stem for path in (ROOT / "apps/gallery/plates").glob("*.svelte"))
KEY = re.compile(r"^[a-z]+(?:\.[a-z_]+)+$", re.MULTILINE)
OVER = {"Sheet", "Toasts"}
"""What lies over a page is not on the one with all."""


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_components(stage: Stage, look: Look) -> None:
    async with stage.screen(look) as screen:
        await screen.open("/gallery")
        await screen.page.locator(f"#{COMPONENTS[-1].lower()}").wait_for()
        words = await screen.page.locator("main").inner_text()
        assert not KEY.search(words), "a text's key is seen instead of the text"
        await screen.seen("gallery", whole=True, loading=True, fixed=True)
        await screen.role("button", r"^(Is this right\?|请核对)$").click()
        await screen.page.get_by_role("dialog").wait_for()
        await screen.seen("sheet", loading=True)
        await screen.page.keyboard.press("Escape")
        await screen.page.get_by_role("dialog").wait_for(state="hidden")


async def test_each_component_on_a_page_of_its_own(stage: Stage) -> None:
    look = LOOKS[0]
    async with stage.screen(look) as screen:
        for name in COMPONENTS:
            await screen.open(f"/gallery/{name.lower()}")
            await screen.page.get_by_role("heading", level=1, name=name, exact=True).wait_for()
            picture = f"component-{name.lower()}"
            if name in OVER:
                await screen.seen(picture, whole=True, loading=True, fixed=True)
            else:
                await screen.pictured(picture, whole=True, fixed=True)
    if not SCREENS:  # what is compared: all, and no more than there are
        wanted = {f"component-{name.lower()}-{look.name}.png" for name in COMPONENTS}
        assert {path.name for path in KEPT.glob("component-*")} == wanted


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[-1]], ids=lambda look: look.name)
async def test_components_that_are_pages(stage: Stage, look: Look) -> None:
    async with stage.screen(look) as screen:
        for name in ("away", "out", "offered", "frame", "head", "missing"):
            await screen.open(f"/gallery/{name}")
            await screen.page.get_by_role("main").wait_for()
            await screen.seen(f"gallery-{name}")
