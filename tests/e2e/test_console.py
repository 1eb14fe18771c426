"""The console: its shell, for whom it is what, and what a merchant's staff does there."""

from typing import Any

import pytest

from browsing import DESK, PHONE, Look, Stage
from living import post

# Each language, appearance and width once; the gallery has every component in all of them.
LOOKS = [Look("en", "light", DESK), Look("zh", "dark")]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_the_shell(stage: Stage, look: Look) -> None:
    await stage.order(1234)
    async with stage.member("owner", look, of=stage.shop) as screen:
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
    async with stage.member("cashier", of=stage.shop) as screen:
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
    async with stage.member("manager", of=stage.shop) as screen:
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


async def taken(stage: Stage, amount: int) -> str:
    """A payment that Lin has made at the shop's static code, by its id."""
    async with stage.server.client(stage.lin.key) as lin:
        body = {"code": stage.shop.code, "amount": amount, "currency": "CNY"}
        paid: dict[str, Any] = await post(lin, "/v1/wallet/payments", body)
    found: str = paid["id"]
    return found


PLACES = [
    ("/", "^(Today|今天)$", "today"),
    ("/payments", "^(Payments|收款)$", "payments"),
    ("/acceptance", "^(Acceptance|收款方式)$", "acceptance"),
    ("/statements", "^(Statements|对账单)$", "statements"),
    ("/fees", "^(Fees|费率)$", "fees"),
    ("/shops", "^(Shops and tills|店铺与收银台)$", "shops"),
    ("/staff", "^(Staff|员工)$", "staff"),
    ("/audit", "^(Who did what|操作记录)$", "audit"),
    ("/keys", "^(API keys|API 密钥)$", "keys"),
    ("/webhooks", "^(Webhooks|事件推送)$", "webhooks"),
]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_every_place(stage: Stage, look: Look) -> None:
    await taken(stage, 3800)
    async with stage.member("owner", look, of=stage.shop) as screen:
        for path, heading, name in PLACES:
            await screen.open(f"/console{path}")
            await screen.role("heading", heading).first.wait_for()
            await screen.seen(f"console-{name}", whole=True)


async def test_a_refund_leads_back_to_the_books(stage: Stage) -> None:
    payment = await taken(stage, 3800)
    before = await stage.balance(stage.lin)
    async with stage.member("cashier", Look(), of=stage.shop) as screen:
        await screen.open(f"/console/payments/{payment}")
        await screen.role("button", "^Refund$").click()
        dialog = screen.page.get_by_role("dialog")
        await dialog.get_by_label("Amount, up to ¥38.00").fill("99")
        await dialog.get_by_text("Only ¥38.00 are left.").wait_for()
        await dialog.get_by_label("Amount, up to ¥38.00").fill("8")
        await dialog.get_by_label("Reason").fill("<img src=x onerror=alert(1)>")
        await screen.seen("console-refund")
        await dialog.get_by_role("button", name="Refund ¥8.00").dblclick()
        await screen.page.get_by_text("<img src=x onerror=alert(1)>").wait_for()
        await screen.seen("console-payment", whole=True)
        assert await stage.balance(stage.lin) == before + 800
        await screen.page.get_by_role("cell", name="−¥8.00").wait_for()


async def test_what_a_cashier_may_not(stage: Stage) -> None:
    large = await taken(stage, 50_000)
    async with stage.member("cashier", of=stage.shop) as screen:
        await screen.page.get_by_role("link", name="Payments").wait_for()
        for hidden in ("Statements", "API keys", "Staff", "Who did what"):
            assert await screen.page.get_by_role("link", name=hidden).count() == 0
        await screen.open("/console/keys")
        await screen.role("heading", "Your role does not see this").wait_for()
        await screen.open(f"/console/payments/{large}")
        await screen.role("button", "^Refund$").click()
        dialog = screen.page.get_by_role("dialog")
        await dialog.get_by_text("Your role gives back up to ¥200.00 here.").wait_for()
        await dialog.get_by_label("Amount").fill("200.01")
        await dialog.get_by_role("button", name="Refund ¥200.01").click()
        await dialog.get_by_text("Nothing was given back: your role gives back up to").wait_for()
        await screen.open("/console/acceptance")
        await screen.page.get_by_text("Managers and owners change this.").wait_for()
        assert await screen.page.get_by_role("switch").first.is_disabled()


async def test_tap_off_holds_at_once(stage: Stage) -> None:
    async with stage.member("manager", of=stage.shop) as screen:
        await screen.open("/console/acceptance")
        switch = screen.page.get_by_role("switch", name="Blue Door: Tap").first
        await switch.click()
        await screen.page.wait_for_function(
            "() => document.querySelector('[role=switch]')?.getAttribute('aria-checked')==='false'"
        )
        async with stage.server.client(stage.shop.key) as till:
            answer = await till.get(f"/v1/shops/{stage.shop.shop_id}")
            assert answer.json()["acceptance"]["ways"]["tap"]["enabled"] is False
        await switch.click()
        await screen.page.wait_for_function(
            "() => document.querySelector('[role=switch]')?.getAttribute('aria-checked')==='true'"
        )


async def test_a_key_is_shown_once(stage: Stage) -> None:
    async with stage.member("owner", of=stage.shop) as screen:
        await screen.open("/console/keys")
        await screen.role("button", "^Make a key$").first.click()
        dialog = screen.page.get_by_role("dialog")
        await dialog.get_by_label("Name").fill("Till <b>server</b>")
        await screen.seen("console-key-new")
        await dialog.get_by_role("button", name="Make a key").click()
        secret = dialog.get_by_text("tk_mer_")
        await secret.wait_for()
        key = await secret.inner_text()
        async with stage.server.client(key) as program:
            assert (await program.get("/v1/payments")).status_code == 200
        await screen.seen("console-key-once")
        await dialog.get_by_role("button", name="I have kept it").click()
        await screen.page.get_by_text("Till <b>server</b>").first.wait_for()
        assert key not in await screen.page.content()


async def test_an_export_is_saved(stage: Stage) -> None:
    await taken(stage, 4200)
    async with stage.member("owner", of=stage.shop) as screen:
        await screen.open("/console/payments?paid=yes")
        await screen.page.get_by_role("cell", name="¥42.00").first.wait_for()
        await screen.role("button", "^Export$").click()
        async with screen.page.expect_download() as saved:
            await screen.role("button", "Save the file").click()
        path = await (await saved.value).path()
        text = path.read_text(encoding="utf-8-sig")
        assert text.splitlines()[0].startswith("id,status,amount")
        assert ",4200," in text
        assert "created," not in text.replace("created_at,", "")
