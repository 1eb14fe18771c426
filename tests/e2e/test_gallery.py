"""Every component in every state: seen in both languages, light and dark, narrow and wide."""

import pytest

from browsing import DESK, PHONE, Look, Stage

LOOKS = [
    Look("en", "light", PHONE),
    Look("en", "dark", DESK),
    Look("zh", "light", DESK),
    Look("zh", "dark", PHONE),
]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_components(stage: Stage, look: Look) -> None:
    async with stage.screen(look) as screen:
        await screen.open("/gallery")
        await screen.page.locator("#outcomes").wait_for()
        await screen.seen("gallery", whole=True, loading=True, fixed=True)
        await screen.role("button", r"^(Is this right\?|请核对)$").click()
        await screen.page.get_by_role("dialog").wait_for()
        await screen.seen("sheet", loading=True)
        await screen.page.keyboard.press("Escape")
        await screen.page.get_by_role("dialog").wait_for(state="hidden")


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[-1]], ids=lambda look: look.name)
async def test_components_that_are_pages(stage: Stage, look: Look) -> None:
    async with stage.screen(look) as screen:
        for name in ("away", "out", "offered", "frame", "head", "missing"):
            await screen.open(f"/gallery/{name}")
            await screen.page.get_by_role("main").wait_for()
            await screen.seen(f"gallery-{name}")
