"""The console: its shell, for whom it is what, and what a merchant's staff does there."""

from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Route

from browsing import DESK, PHONE, Look, Stage, end_sessions, lose_answers
from hooks import receiver, status
from living import fresh_key, made, post

# Each language, appearance and width once; the gallery has every component in all of them.
LOOKS = [Look("en", "light", DESK), Look("zh", "dark")]
# Each two of them together, for the pages as they are found.
PAIRS = [*LOOKS, Look("en", "dark"), Look("zh", "light", DESK)]


async def taken(stage: Stage, amount: int) -> str:
    """A payment that Lin has made at the shop's static code, by its id."""
    async with stage.server.client(stage.lin.key) as lin:
        body = {"code": stage.shop.code, "amount": amount, "currency": "CNY"}
        paid: dict[str, Any] = await post(lin, "/v1/wallet/payments", body)
    found: str = paid["id"]
    return found


NOT_NOW = status(503, body=b"<script>alert(1)</script>\nno room")
PLACES = [
    ("/", "^(Today|今天)$", "today"),
    ("/payments", "^(Payments|收款)$", "payments"),
    ("/links", "^(Payment links|收款链接)$", "links"),
    ("/invoices", "^(Invoices|账单)$", "invoices"),
    ("/acceptance", "^(Acceptance|收款方式)$", "acceptance"),
    ("/statements", "^(Statements|对账单)$", "statements"),
    ("/fees", "^(Fees|费率)$", "fees"),
    ("/shops", "^(Shops and tills|门店与收银台)$", "shops"),
    ("/staff", "^(Staff|员工)$", "staff"),
    ("/audit", "^(Who did what|操作记录)$", "audit"),
    ("/keys", "^(API keys|API 密钥)$", "keys"),
    ("/webhooks", "^(Webhooks|事件推送)$", "webhooks"),
]


async def papers(stage: Stage) -> tuple[tuple[str, str, str], ...]:
    """A link that Lin has begun to pay, an invoice, a payout: the pages of each."""
    async with (
        stage.server.client(stage.shop.key) as shop,
        stage.server.client(stage.server.operator_key) as operator,
    ):
        of_shop = {"shop_id": stage.shop.shop_id, "currency": "CNY"}
        tea = {"description": "Tea for the whole long table by the window", "amount": 3800}
        link = await post(shop, "/v1/payment-links", of_shop | tea)
        token = link["url"].rpartition("/")[2]
        visit = {"Idempotency-Key": str(uuid4())}
        made(await shop.post(f"/v1/checkout/links/{token}/visits", json={}, headers=visit))
        lines = [
            {"name": "Flour, 25 kg", "unit_amount": 12_500, "quantity": 4, "tax": 3000},
            {"name": "Discount", "unit_amount": -2500},
        ]
        asked = {"customer_name": "Harbour Bakery", "lines": lines, "due_on": "2100-01-31"}
        invoice = await post(shop, "/v1/invoices", of_shop | asked)
        await post(shop, f"/v1/invoices/{invoice['id']}/open", {})
        number = fresh_key()
        paid = {"amount": 100, "currency": "CNY", "reference": number}
        await post(operator, f"/v1/merchants/{stage.shop.merchant_id}/payouts", paid)
    return (
        (f"/links/{link['id']}", "^(Payment link|收款链接详情)$", "link"),
        (f"/invoices/{invoice['id']}", "^(Invoice|账单) [0-9]+$", "invoice"),
        (f"/shops/{stage.shop.shop_id}", "^Blue Door", "code"),
    )


async def busy(route: Route) -> None:
    """Today as it is after weeks of business: a server that has just begun has a single bar."""
    answer = await route.fetch()
    hours = [0, 4200, 15_600, 9800, 6100, 24_900, 31_700, 12_400, 5800]
    usual = [0, 5100, 12_300, 8800, 7400, 22_000, 27_500, 14_100, 9600, 11_200, 18_900, 6300]
    sums = {"count": 29, "amount": sum(hours)}
    clicked = {"way": "click", "count": 4, "amount": 15_300}
    day = {
        "day": "2026-05-04",
        "taken": sums,
        "usual": sum(usual[: len(hours)]),
        "weeks": 4,
        "by_hour": [0] * 7 + hours + [0] * (17 - len(hours)),
        "usual_hours": [0] * 7 + usual + [0] * (17 - len(usual)),
        "by_way": [{"way": "scan", "count": 25, "amount": sum(hours) - 15_300}, clicked],
    }
    found = await answer.json()
    shops = [sums | {"shop_id": one["shop_id"]} for one in found["by_shop"][:1]]
    await route.fulfill(response=answer, json=found | day | {"by_shop": shops})


# First, so that it shows the same each time: its pictures are compared.
@pytest.mark.parametrize("look", PAIRS, ids=lambda look: look.name)
async def test_every_place(stage: Stage, look: Look) -> None:
    await taken(stage, 3800)
    pages = await papers(stage)
    async with stage.member("owner", look, of=stage.shop) as screen:
        await screen.page.route("**/v1/merchants/me/day?*", busy)
        for path, heading, name in (*PLACES, *pages):
            await screen.open(f"/console{path}")
            await screen.role("heading", heading).first.wait_for()
            await screen.seen(f"console-{name}", whole=True)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_the_shell(stage: Stage, look: Look) -> None:
    await stage.order(1234)
    async with stage.member("owner", look, of=stage.shop) as screen:
        await screen.open("/console/payments?status=created")
        await screen.page.get_by_role("cell", name="¥12.34").first.wait_for()
        await screen.seen("console-payments-waiting")
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


async def test_the_numbers_of_today_lead_to_what_they_count(stage: Stage) -> None:
    await taken(stage, 900)
    async with stage.member("cashier", of=stage.shop) as screen:
        for more in ("", "&way=scan", f"&shop={stage.shop.shop_id}"):
            await screen.open("/console")
            link = screen.page.locator(f"main a[href$='&currency=CNY&paid=yes{more}']")
            number = link.locator(".soft") if more else screen.page.locator("main dd").first
            counted = int(await number.inner_text())
            await link.click()
            await screen.page.get_by_role("cell", name="¥9.00").first.wait_for()
            assert await screen.page.locator("tbody a").count() == counted


async def test_filters_live_in_the_address(stage: Stage) -> None:
    await stage.order(4321)
    async with stage.member("cashier", of=stage.shop) as screen:
        await screen.open("/console/payments")
        await screen.role("button", "^Filter$").click()
        await screen.page.get_by_label("State").select_option("refunded")
        await screen.role("button", "^Show$").click()
        await screen.role("heading", "No payments here").wait_for()
        assert screen.page.url.endswith("/console/payments?status=refunded")
        assert await screen.role("button", "^Export$").count() == 0
        await screen.seen("console-payments-none")
        await screen.role("button", "Remove filter: State").click()
        await screen.page.get_by_role("cell", name="¥43.21").first.wait_for()
        await screen.role("button", "^Export$").wait_for()
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


async def test_a_refund_leads_back_to_the_books(stage: Stage) -> None:
    payment = await taken(stage, 3800)
    before = await stage.balance(stage.lin)
    members = f"/v1/merchants/{stage.shop.merchant_id}/staff"
    async with stage.server.client(stage.server.operator_key) as operator:
        await post(operator, members, {"name": "Lu", "role": "cashier"})
    async with stage.member("cashier", Look(), of=stage.shop, name="Kay") as screen:
        await screen.open(f"/console/payments/{payment}")
        await screen.role("button", "^Refund$").click()
        dialog = screen.page.get_by_role("dialog")
        await dialog.get_by_label("Amount, up to ¥38.00").fill("99")
        await dialog.get_by_text("Only ¥38.00 are left.").wait_for()
        await dialog.get_by_label("Amount, up to ¥38.00").fill("8")
        await dialog.get_by_label("Reason").fill("<img src=x onerror=alert(1)>")
        await screen.seen("console-refund")
        # the answer is lost, and then the session ends: the form is kept, and it is one refund
        times = [1]
        await screen.page.route("**/refunds", lambda route: lose_answers(route, times))
        await dialog.get_by_role("button", name="Refund ¥8.00").click()
        await dialog.get_by_text("No answer came").wait_for()
        await end_sessions(stage)
        await dialog.get_by_role("button", name="Refund ¥8.00").click()
        await screen.role("heading", "^Sign in again$").wait_for()
        assert await screen.page.get_by_role("dialog").count() == 0
        await screen.role("button", "^Kay").first.click()
        await dialog.get_by_role("button", name="Refund ¥8.00").dblclick()
        await dialog.wait_for(state="detached")
        await screen.page.get_by_text("<img src=x onerror=alert(1)>").wait_for()
        await screen.seen("console-payment", whole=True)
        assert await stage.balance(stage.lin) == before + 800
        await screen.page.get_by_role("cell", name="−¥8.00").wait_for()
        # whoever comes instead begins anew
        await screen.role("button", "^Refund$").click()
        await dialog.get_by_label("Reason").fill("Kay’s")
        await end_sessions(stage)
        await dialog.get_by_role("button", name="Refund ¥30.00").click()
        await screen.role("button", "^Lu").first.click()
        await screen.role("button", "^Refund$").wait_for()
        assert await dialog.count() == 0
        screen.complaints.clear()  # of the answer that was lost


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
        await dialog.get_by_text("Your role refunds up to ¥200.00 here.").wait_for()
        await dialog.get_by_label("Amount").fill("200.01")
        await dialog.get_by_role("button", name="Refund ¥200.01").click()
        await dialog.get_by_text(
            "Nothing was refunded: it is above your limit of ¥200.00"
        ).wait_for()
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


async def test_a_link_and_an_invoice_are_made(stage: Stage) -> None:
    async with stage.member("manager", of=stage.shop) as screen:
        await screen.open("/console/links")
        await screen.role("button", "^Make a link$").first.click()
        dialog = screen.page.get_by_role("dialog")
        await dialog.get_by_label("What it is for").fill("<i>Cake</i>")
        await dialog.get_by_label("Amount", exact=True).last.fill("38.005")
        await dialog.get_by_text("Type an amount such as 38.00.").wait_for()
        await dialog.get_by_label("Amount", exact=True).last.fill("38")
        await dialog.get_by_text("Once", exact=True).click()
        await screen.seen("console-link-new")
        await dialog.get_by_role("button", name="Make a link").dblclick()
        await screen.role("heading", "^Payment link$").wait_for()
        await screen.page.get_by_text("<i>Cake</i>").wait_for()
        await screen.page.get_by_text("0 of 1 times").wait_for()
        await screen.page.get_by_role("switch").click()
        await screen.page.get_by_text("Off", exact=True).wait_for()
        async with stage.server.client(stage.shop.key) as shop:
            links = made(await shop.get("/v1/payment-links"))["data"]
        (link,) = [one for one in links if one["description"] == "<i>Cake</i>"]
        assert (link["amount"], link["max_payments"], link["active"]) == (3800, 1, False)

        await screen.open("/console/invoices")
        await screen.role("button", "^Draft an invoice$").first.click()
        await dialog.get_by_label("Customer").fill("Harbour Bakery")
        await dialog.get_by_label("Goods or service").fill("Flour")
        await dialog.get_by_label("Quantity").fill("4")
        await dialog.get_by_label("Price of one").fill("12.50")
        await dialog.get_by_role("button", name="Add a line").click()
        await dialog.get_by_label("Goods or service").last.fill("Discount")
        await dialog.get_by_label("Price of one").last.fill("-5")
        await screen.seen("console-invoice-new")
        await dialog.get_by_role("button", name="Save the draft of ¥45.00").dblclick()
        await screen.role("heading", "^Invoice$").wait_for()
        await screen.role("button", "^Open the invoice$").click()
        await dialog.get_by_role("button", name="Open the invoice").click()
        await screen.role("heading", "^Invoice [0-9]+$").wait_for()
        await screen.page.get_by_label("Code of the address").wait_for()
        await screen.role("button", "^Make it void$").click()
        await dialog.get_by_role("button", name="Make it void").click()
        await screen.page.locator("main").get_by_text("Void").first.wait_for()
        await screen.open("/console/audit")
        await screen.page.get_by_text("Xu made invoice inv_").first.wait_for()


async def test_what_is_wrong_with_a_field_is_said_in_ones_language(stage: Stage) -> None:
    for language, why in (("en", "Address: must be an address such as"), ("zh", "“地址”：需是")):
        async with stage.member("owner", Look(language, size=DESK), of=stage.shop) as screen:
            await screen.open("/console/webhooks")
            await screen.role("button", "^(Add a webhook|添加推送地址)$").first.click()
            dialog = screen.page.get_by_role("dialog")
            await dialog.get_by_role("textbox").fill("https://lin@shop.example/hooks#now")
            await dialog.locator("button[type=submit]").click()
            await dialog.get_by_text(why).wait_for()


async def test_a_webhook_is_tried_and_a_till_is_closed(stage: Stage) -> None:
    async with receiver() as hook, stage.member("owner", of=stage.shop) as screen:
        hook.answers = [NOT_NOW]
        await screen.open("/console/webhooks")
        await screen.role("button", "^Add a webhook$").first.click()
        dialog = screen.page.get_by_role("dialog")
        await dialog.get_by_label("Address").fill(hook.url)
        await dialog.get_by_text("Only some").click()
        await dialog.get_by_label("A payment was refunded").check()
        await screen.seen("console-webhook-new")
        await dialog.get_by_role("button", name="Add a webhook").click()
        await dialog.get_by_role("button", name="I have kept it").click()
        await screen.page.get_by_role("link", name=hook.url).click()
        await screen.page.get_by_text("A payment was refunded").wait_for()
        await screen.role("button", "^Send a test event$").click()
        for _ in range(50):
            if hook.requests:
                break
            await screen.page.wait_for_timeout(100)
        await screen.page.wait_for_timeout(300)  # it is written down
        await screen.role("button", "^Look again$").click()
        await screen.page.get_by_role("cell", name="503").wait_for()
        await screen.seen("console-webhook", whole=True)
        await screen.role("button", "^A test$").click()
        await dialog.get_by_text("<script>alert(1)</script>").wait_for()
        await screen.seen("console-delivery")

        await screen.open("/console/shops")
        await screen.role("button", "^Change.*Till 1$").first.click()
        await dialog.get_by_label("Name").fill("Till <1>")
        await dialog.get_by_role("button", name="Save").click()
        await screen.role("button", "^Change.*Till <1>").click()
        await screen.seen("console-till")
        await dialog.get_by_role("button", name="Close the till").click()
        await screen.page.get_by_text("Closed", exact=True).wait_for()
        async with (
            stage.server.client(stage.shop.key) as shop,
            stage.server.client(stage.lin.key) as lin,
        ):
            code = made(await shop.get(f"/v1/tills/{stage.shop.till_id}/code"))["url"]
            body = {"code": code, "amount": 100, "currency": "CNY"}
            refused = await lin.post(
                "/v1/wallet/payments", json=body, headers={"Idempotency-Key": fresh_key()}
            )
            assert refused.json()["code"] == "way_refused"
        await screen.role("button", "^Change.*Till <1>").click()
        await dialog.get_by_role("button", name="Open it again").click()
        await screen.page.get_by_text("Closed", exact=True).wait_for(state="detached")
