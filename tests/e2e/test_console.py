"""The console: its shell, for whom it is what, and what a merchant's staff does there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from browsing import DESK, PHONE, Look, Screen, Stage
from living import Shop, post

LOOKS = [
    Look("en", "light", DESK),
    Look("zh", "dark", DESK),
    Look("zh", "light"),
    Look("en", "dark"),
]


@asynccontextmanager
async def member(
    stage: Stage, role: str, look: Look | None = None, *, of: Shop | None = None
) -> AsyncIterator[Screen]:
    """A browser in which a member of a shop's staff is signed in, at the console's first page."""
    shop = of or stage.shop
    async with stage.server.client(stage.server.operator_key) as operator:
        invited: dict[str, Any] = await post(
            operator, f"/v1/merchants/{shop.merchant_id}/staff", {"name": "Xu", "role": role}
        )
    async with stage.screen(look or Look("en", "light", DESK)) as screen:
        answer = await screen.context.request.post(
            f"{stage.server.url}/v1/sandbox/sign-in",
            data={"staff_id": invited["staff"]["id"]},
            headers={"origin": stage.server.url},
        )
        assert answer.ok, await answer.text()
        await screen.open("/console")
        await screen.page.get_by_role("navigation").first.wait_for()
        yield screen


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_the_shell(stage: Stage, look: Look) -> None:
    await stage.order(1234)
    async with member(stage, "owner", look) as screen:
        await screen.open("/console/payments?status=created")
        await screen.page.get_by_role("cell", name="¥12.34").first.wait_for()
        await screen.seen("console-payments")
        if look.size == PHONE:
            await screen.role("link", "Menu|菜单").click()
        else:
            await screen.role("link", "Xu").click()
        await screen.role("heading", "^(Settings|设置)$").wait_for()
        await screen.seen("console-me")
        await screen.open("/console/nothing")
        await screen.role("heading", "There is nothing|没有内容").wait_for()
        await screen.seen("console-nowhere")
        await screen.open("/console/me")
        await screen.role("button", "Sign out|退出登录").click()
        await screen.role("heading", "Sign in|登录").wait_for()
        await screen.seen("console-sign-in")


async def test_filters_live_in_the_address(stage: Stage) -> None:
    await stage.order(4321)
    async with member(stage, "cashier") as screen:
        await screen.open("/console/payments")
        await screen.role("button", "^Filter$").click()
        await screen.page.get_by_label("State").select_option("refunded")
        await screen.role("button", "^Show$").click()
        await screen.role("heading", "No payments here").wait_for()
        assert screen.page.url.endswith("/console/payments?status=refunded")
        await screen.seen("console-payments-none")
        await screen.role("button", "Remove filter: State").click()
        await screen.page.get_by_role("cell", name="¥43.21").first.wait_for()
        await screen.page.go_back()
        await screen.role("heading", "No payments here").wait_for()
        await screen.page.reload()
        await screen.role("heading", "No payments here").wait_for()


async def test_rows_by_keyboard(stage: Stage) -> None:
    await stage.order(1111)
    await stage.order(2222)
    async with member(stage, "manager") as screen:
        await screen.open("/console/payments?status=created")
        await screen.page.get_by_role("cell", name="¥22.22").first.wait_for()
        keys = screen.page.keyboard
        await screen.page.locator("tbody a").first.focus()
        await keys.press("ArrowDown")
        await keys.press("ArrowUp")
        await keys.press("End")
        await keys.press("Home")
        await keys.press("ArrowDown")
        await keys.press("Enter")
        await screen.role("heading", "^Payment$").wait_for()
        await screen.page.get_by_text("¥11.11").first.wait_for()
        await screen.page.go_back()
        await screen.page.get_by_role("cell", name="¥22.22").first.wait_for()
