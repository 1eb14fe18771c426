"""A cashier's day at the till: items, tips, taps, refunds, shifts, and a network that goes away."""

import re
from typing import Any

import pytest

from browsing import PHONE, Look, Screen, Stage, lose_answers, type_amount
from cafes import cafe, pay, scan
from living import Shop, made, post

TABLET = (1024, 768)
SECOND_PRESS = """it => it.dispatchEvent(
    new MouseEvent("click", {detail: 2, bubbles: true, cancelable: true}))"""
"""Of a double press the second comes when another button stands at its place; true if it counts."""
LOOKS = [Look("en", "light", TABLET), Look("zh", "dark", PHONE)]


async def accept(stage: Stage, shop: Shop, ways: dict[str, Any]) -> None:
    async with stage.server.client(shop.key) as client:
        made(await client.put(f"/v1/shops/{shop.shop_id}/acceptance", json={"ways": ways}))


async def look_around_and_come_back(till: Screen) -> None:
    """The browser's Back leads from the till's pages to the pad; the page is loaded anew there."""
    await till.role("button", "^(Settings|设置)$").click()
    await till.role("button", "Items of the shop|商品").click()
    await till.page.go_back()
    await till.role("heading", "^(Settings|设置)$").wait_for()
    await till.page.go_back()
    await till.role("button", "^(Settings|设置)$").wait_for()
    await till.page.reload()


async def give_back(till: Screen, amount: str) -> None:
    """One refund comes of a double press, and its second press does not close the news of it."""
    dialog = till.page.get_by_role("dialog")
    await dialog.get_by_role("button", name=re.compile(amount)).dblclick()
    await till.role("heading", "Refunded|已退款").wait_for()
    close = dialog.get_by_role("button", name=re.compile("^(Done|完成)$"))
    assert not await close.evaluate(SECOND_PRESS)


async def closed_refund_is_listed(till: Screen, paid: dict[str, Any]) -> None:
    """The sheet of a refund that is done is closed without a word; the list knows it."""
    await till.page.keyboard.press("Escape")
    row = till.page.get_by_role("listitem").filter(has_text=paid["id"][-6:].upper())
    await row.get_by_text(re.compile("partly refunded|部分退款")).wait_for()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_items_tip_receipt_and_refund(stage: Stage, look: Look) -> None:
    tips = {"percentages": [5, 10, 15], "own_amount": True}
    cake = "Cheesecake" if look.language == "en" else "<b>Cheesecake</b>"
    async with (
        cafe(stage, tips=tips, named=lambda name: name.replace("Cheesecake", cake)) as shop,
        stage.till_of(shop, look) as till,
    ):
        wide = look.size[0] >= 900
        if not wide:
            await till.page.locator("label", has_text=re.compile("Items|商品")).click()
        await till.role("button", "^Flat white").click()
        await till.role("button", "^Flat white").click()
        await till.role("button", "Cheesecake").click()
        await till.page.get_by_text(cake).first.wait_for()
        await till.seen("till-items")
        await look_around_and_come_back(till)
        if not wide:
            await till.page.locator("label", has_text=re.compile("Items|商品")).click()
        await till.role("button", "^Flat white").wait_for()
        # a scanner finds an item by the number on its package
        await scan(till, "4006381333931")
        await till.role("button", "¥85.00|85.00").wait_for()
        await till.role("button", "One less: Flat white|减少一件：Flat white").click()
        await till.role("button", "66.00").click()
        await till.role("heading", "add a tip|小费").wait_for()
        await till.seen("till-tip")
        await till.role("button", "10 ?%").click()
        await till.role("img", "order’s code|订单二维码").wait_for()
        await till.seen("till-order-tip")
        paid = await pay(stage, shop)
        assert (paid["amount"], paid["tip"]) == (7260, 660)
        assert [(line["name"], line["quantity"]) for line in paid["lines"]] == [
            ("Flat white", 2),
            (cake, 1),
        ]
        await till.role("heading", "^(Paid|付款成功)$").wait_for()
        await till.seen("till-paid-tip")
        await till.role("button", "^(Receipt|收据)$").click()
        await till.page.get_by_role("dialog").get_by_text(cake).wait_for()
        await till.seen("till-receipt")
        await till.page.keyboard.press("Escape")
        await till.role("button", "Next customer|下一位").click()

        # by the receipt's number, in part, with a reason
        await till.role("button", "Payments and refunds|收款与退款").click()
        await till.role("button", "Find|查找").wait_for()
        await till.seen("till-payments")
        await till.page.get_by_role("textbox").first.fill(paid["id"][-6:].upper())
        await till.role("button", "Find|查找").click()
        await till.role("button", "^(Refund|退款)$").click()
        dialog = till.page.get_by_role("dialog")
        await dialog.get_by_role("textbox").first.fill("19")
        await till.seen("till-refund")
        await give_back(till, "19.00")
        await till.seen("till-refunded")
        async with stage.server.client(shop.key) as client:
            now = made(await client.get(f"/v1/payments/{paid['id']}"))
        assert (now["refunded"], now["status"]) == (1900, "partially_refunded")
        await closed_refund_is_listed(till, paid)


async def test_a_shift_is_opened_looked_at_and_closed(stage: Stage) -> None:
    async with (
        cafe(stage, items=False) as shop,
        stage.till_of(shop, Look("en", "light", TABLET)) as till,
    ):
        await till.role("button", "^Shift$").click()
        await till.role("heading", "No shift is open").wait_for()
        await till.seen("till-shift-none")
        await till.page.get_by_label("Cash in the drawer").fill("500")
        await till.role("button", "Open the shift").dblclick()
        await till.page.get_by_text("X report").wait_for()
        await till.role("button", "^Back$").click()
        await type_amount(till, "38")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        await pay(stage, shop)
        await till.role("heading", "^Paid$").wait_for()
        await till.page.keyboard.press("Enter")
        await till.role("button", "^Shift$").click()
        await till.page.get_by_text("¥38.00").first.wait_for()
        await till.seen("till-shift-x")
        await till.role("button", "Close the shift").click()
        await (
            till.page.get_by_role("dialog").get_by_role("button", name="Close the shift").dblclick()
        )
        await till.role("heading", "^Z report$").wait_for()
        await till.seen("till-shift-z")
        async with stage.server.client(shop.key) as client:
            (shift,) = made(await client.get(f"/v1/tills/{shop.till_id}/shifts"))["data"]
        assert (shift["status"], shift["totals"][0]["net"], shift["float"]) == (
            "closed",
            3800,
            {"CNY": 50_000},
        )


async def test_of_many_payments_a_page_is_read_at_a_time(stage: Stage) -> None:
    async with cafe(stage) as shop, stage.server.client(shop.key) as client:
        order = {"till_id": shop.till_id, "amount": 100, "currency": "CNY"}
        for _ in range(51):
            await post(client, "/v1/payments", order)
        async with stage.till_of(shop) as till:
            await till.role("button", "^Payments and refunds$").click()
            await till.role("heading", "^Payments and refunds$").wait_for()
            await till.page.wait_for_timeout(500)
            path = f"GET {stage.server.url}/v1/payments, page "
            asked = sum(len(times) for what, times in till.asked.items() if what.startswith(path))
            assert 1 <= asked < 4


async def test_another_payment_opens_as_its_receipt(stage: Stage) -> None:
    """Also when the one before it was left at its refund."""
    async with cafe(stage, items=False) as shop, stage.server.client(shop.key) as client:
        for amount in (1200, 3400):
            order = {"till_id": shop.till_id, "amount": amount, "currency": "CNY"}
            await post(client, "/v1/payments", order)
            await pay(stage, shop)
        async with stage.till_of(shop) as till:
            await till.role("button", "^Payments and refunds$").click()
            await till.role("button", "¥34.00").click()
            await till.role("button", "^Refund$").click()
            await till.role("heading", "^Refund of receipt").wait_for()
            await till.page.keyboard.press("Escape")
            await till.role("button", "¥12.00").click()
            await till.role("heading", "^Receipt$").wait_for()
            assert await till.role("heading", "^Refund of receipt").count() == 0


async def test_a_way_that_is_switched_off_goes_at_once(stage: Stage) -> None:
    async with (
        cafe(stage, items=False) as shop,
        stage.till_of(shop, Look("en", "dark", TABLET)) as till,
    ):
        await till.role("button", "^Settings$").click()
        await till.page.get_by_text("With a reader").click()
        await till.seen("till-settings", whole=True)
        await till.role("button", "^Back$").click()
        await type_amount(till, "38")
        await till.page.keyboard.press("Enter")
        await till.page.get_by_text("Scan, or hold near the reader").wait_for()
        await till.role("img", "order’s code").wait_for()
        await till.seen("till-order-tap")
        await accept(stage, shop, {"tap": {"enabled": False}})
        await till.page.get_by_text(re.compile("^Scan to pay$")).wait_for()
        assert await till.page.get_by_text("near the reader").count() == 0
        await till.role("img", "order’s code").wait_for()
        await accept(stage, shop, {"scan": {"enabled": False}})
        await till.page.get_by_text(re.compile("^Hold near the reader$")).wait_for()
        assert await till.role("img", "order’s code").count() == 0
        await till.seen("till-order-reader")
        await accept(stage, shop, {"scan": {"enabled": False}, "tap": {"enabled": False}})
        await till.page.get_by_text("takes no way").wait_for()
        await accept(stage, shop, {})
        await till.page.get_by_text("Scan, or hold near the reader").wait_for()
        await till.role("button", "Cancel this payment").click()
        await accept(
            stage, shop, {"tap": {"enabled": False}, "scan": {"max_amount": {"CNY": 5000}}}
        )
        await type_amount(till, "51")
        await till.page.get_by_text("takes no way").wait_for()
        assert await till.role("button", "Charge ¥51.00").is_disabled()


async def test_a_phone_of_the_sandbox_is_held_to_the_till(stage: Stage) -> None:
    before = await stage.balance(stage.lin)
    async with (
        cafe(stage, items=False) as shop,
        stage.till_of(shop, Look("en", "light", TABLET)) as till,
        stage.phone(stage.lin) as phone,
    ):
        await till.page.wait_for_timeout(500)
        await type_amount(till, "42")
        await till.page.keyboard.press("Enter")
        await till.page.get_by_text("Scan, or hold near the reader").wait_for()
        await phone.open("/wallet/pay")
        await phone.role("link", "Tap at a till").click()
        await phone.role("button", "42.00").click()
        await phone.seen("wallet-tap")
        await phone.role("button", "Hold near the reader").dblclick()
        await phone.role("heading", "^Paid$").wait_for()
        await till.role("heading", "^Paid$").wait_for()
        assert await stage.balance(stage.lin) == before - 4200
        await till.page.keyboard.press("Enter")
        await type_amount(till, "260")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        await phone.open("/wallet/tap")
        await phone.role("button", "260.00").click()
        await phone.role("button", "Hold near the reader").click()
        await phone.role("button", "It is me: pay ¥260.00").click()
        await till.role("heading", "^Paid$").wait_for()
        assert await stage.balance(stage.lin) == before - 4200 - 26_000


async def test_items_are_changed_by_whoever_may(stage: Stage) -> None:
    async with cafe(stage, items=False) as shop:
        async with stage.till_of(shop, Look("en", "light", PHONE), worker=True) as till:
            await till.role("button", "^Settings$").click()
            await till.role("button", "Items of the shop").click()
            await till.role("heading", "No items yet").wait_for()
            await till.seen("till-no-items")
            await till.role("button", "Add an item").click()
            dialog = till.page.get_by_role("dialog")
            await dialog.get_by_label("Name").fill("Flat white")
            await dialog.get_by_label("Price").fill("19")
            await dialog.get_by_label("Number on the package").fill("4006381333932")
            await till.page.get_by_text("The last digit does not fit").wait_for()
            await dialog.get_by_label("Number on the package").fill("4006381333931")
            await till.seen("till-item")
            await dialog.get_by_role("button", name="Save").dblclick()
            await till.role("button", "^Flat white").wait_for()
            await till.role("button", "^Back$").click()
            await till.role("button", "^Back$").click()
            await till.page.locator("label", has_text="Items").click()
            await till.role("button", "^Flat white").click()
            # what was loaded stays when the network is away
            await till.context.set_offline(True)
            await till.page.reload()
            await till.page.get_by_text("No network").wait_for()
            await till.page.locator("label", has_text="Items").click()
            await till.role("button", "^Flat white").click()
            await till.seen("till-no-network")
            await till.context.set_offline(False)
            till.complaints.clear()  # of the network that was away
        async with stage.server.client(shop.key) as client:
            assert len(made(await client.get(f"/v1/shops/{shop.shop_id}/items"))["data"]) == 1
            scopes = ["payments:write", "payments:read", "shops:read", "events:read"]
            key = (await post(client, "/v1/keys", {"name": "till", "scopes": scopes}))["secret"]
        async with stage.till_of(shop, key=key) as till:
            await till.role("button", "^Settings$").click()
            await till.role("button", "^10 %$").click()
            await till.page.get_by_text("lacks shops:write").wait_for()
            await till.role("button", "Items of the shop").click()
            await till.role("button", "^Flat white").click()
            await till.page.get_by_role("dialog").get_by_role("button", name="Save").click()
            await till.page.get_by_text("changed by a manager").wait_for()


async def test_an_order_whose_answers_are_lost_is_one(stage: Stage) -> None:
    async with cafe(stage, items=False) as shop, stage.till_of(shop) as till:
        times = [2]
        await till.page.route("**/v1/payments", lambda route: lose_answers(route, times))
        await type_amount(till, "12")
        await till.page.keyboard.press("Enter")
        await till.role("heading", "Not known yet").wait_for()
        await till.seen("till-unknown")
        await till.role("img", "order’s code").wait_for()
        await pay(stage, shop)
        await till.role("heading", "^Paid$").wait_for()
        async with stage.server.client(shop.key) as client:
            assert len(made(await client.get("/v1/payments"))["data"]) == 1
        till.complaints.clear()  # of the answers that were lost


async def test_an_order_that_is_given_up_is_cancelled_later(stage: Stage) -> None:
    async with cafe(stage, items=False) as shop, stage.till_of(shop) as till:
        times = [100]
        await till.page.route("**/v1/payments", lambda route: lose_answers(route, times))
        await type_amount(till, "12")
        await till.page.keyboard.press("Enter")
        await till.role("button", "Back to the amount").click()
        await till.role("button", "Charge ¥12.00").wait_for()
        times[0] = 0
        await till.page.reload()
        await till.role("button", "Charge").wait_for()
        async with stage.server.client(shop.key) as client:
            order: dict[str, Any] = {}
            for _ in range(50):
                (order,) = made(await client.get("/v1/payments"))["data"]
                if order["status"] == "cancelled":
                    break
                await till.page.wait_for_timeout(100)
            assert order["status"] == "cancelled"
        till.complaints.clear()  # of the answers that were lost


async def test_a_refund_whose_answers_are_lost_is_one(stage: Stage) -> None:
    async with cafe(stage, items=False) as shop, stage.till_of(shop) as till:
        await type_amount(till, "12")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        paid = await pay(stage, shop)
        await till.role("heading", "^Paid$").wait_for()
        await till.page.keyboard.press("Enter")
        times = [2]
        await till.page.route("**/refunds", lambda route: lose_answers(route, times))
        # a scanner reads the receipt's code at the pad
        await till.role("button", "Charge").wait_for()
        await scan(till, paid["id"])
        await till.role("button", "^Refund$").click()
        await till.page.get_by_role("dialog").get_by_label("Amount, up to").fill("5")
        await till.role("button", "Refund ¥5.00").click()
        await till.role("heading", "Refunded").wait_for()
        async with stage.server.client(shop.key) as client:
            now = made(await client.get(f"/v1/payments/{paid['id']}"))
            assert now["refunded"] == 500
        till.complaints.clear()  # of the answers that were lost


async def test_the_customers_window_follows_the_till(stage: Stage) -> None:
    async with cafe(stage) as shop, stage.till_of(shop, Look("en", "light", TABLET)) as till:
        window = await till.context.new_page()
        await window.goto(f"{till.url}/till/display")
        await till.role("button", "^Flat white").click()
        await window.get_by_text("Flat white").wait_for()
        await till.role("button", "Charge ¥19.00").click()
        await window.get_by_role("img", name="order’s code").wait_for()
        shown = Screen(window, till.context, till.look, till.url)
        await shown.seen("till-display")
        await pay(stage, shop)
        await window.get_by_role("heading", name="Paid").wait_for()
        await shown.seen("till-display-paid")
        await till.role("button", "Next customer").click()
        await window.get_by_text("Welcome").first.wait_for()
