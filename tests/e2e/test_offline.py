"""Without a network: the wallet starts, shows what it knew, and makes pay codes that are good."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Page

from browsing import Stage, pay_code_of, type_amount
from living import post
from tandem.codes import paycode


async def ready_for_offline(page: Page) -> None:
    """Wait until the worker has kept what the face needs."""
    await page.wait_for_function("() => navigator.serviceWorker.controller !== null")


async def test_a_pay_code_made_offline_is_good(stage: Stage) -> None:
    async with stage.phone(stage.lin, worker=True) as phone:
        await ready_for_offline(phone.page)
        await phone.page.get_by_text("12,").first.wait_for()
        await phone.context.set_offline(True)
        await phone.page.reload()
        await phone.page.get_by_text("Offline. This is how it was at").wait_for()
        await phone.seen("wallet-offline")
        await phone.role("link", "^Pay$").first.click()
        code = await pay_code_of(phone)
        await phone.page.get_by_text("You are offline. The code works").wait_for()
        await phone.seen("wallet-pay-offline")

        async with stage.server.client(stage.shop.key) as shop:
            body = {"shop_id": stage.shop.shop_id, "amount": 990, "currency": "CNY"}
            paid = await post(shop, "/v1/payments", body | {"pay_code": code})
        assert paid["status"] == "captured"

        # what happened meanwhile is told when the network is back
        await phone.context.set_offline(False)
        await phone.role("heading", "^Paid$").wait_for()
        phone.complaints.clear()  # of the network that was away


async def test_a_payment_opened_offline_is_read_when_the_network_is_back(stage: Stage) -> None:
    async with stage.server.client(stage.lin.key) as lin:
        body = {"code": stage.shop.code, "amount": 450, "currency": "CNY"}
        paid = await post(lin, "/v1/wallet/payments", body)
    async with stage.phone(stage.lin, worker=True) as phone:
        await ready_for_offline(phone.page)
        await phone.context.set_offline(True)
        await phone.open(f"/wallet/payments/{paid['id']}")
        await phone.role("button", "^Try again$").wait_for()
        await phone.context.set_offline(False)
        await phone.page.get_by_text(paid["id"]).wait_for()
        phone.complaints.clear()  # of the network that was away


async def test_a_code_is_never_shown_again_as_a_new_one(stage: Stage) -> None:
    """Pressed often, the phone makes at most four codes in a step of 15 seconds, and none twice."""
    async with stage.phone(stage.lin) as phone:
        await phone.role("link", "^Pay$").first.click()
        shown = [await pay_code_of(phone)]
        for _ in range(6):
            await phone.role("button", "^New code$").click()
            await phone.page.wait_for_timeout(150)
            if await phone.page.locator("button.digits").count():
                shown.append(await pay_code_of(phone))
        assert len(shown) == len(set(shown))
        # reloaded, it goes on with the last one while that lives
        last = shown[-1]
        await phone.page.reload()
        assert await pay_code_of(phone) == last or len(shown) < 7


async def test_a_phone_whose_clock_is_wrong(stage: Stage) -> None:
    """Codes go by the server's clock, not by the phone's."""
    async with stage.phone(stage.lin) as phone:
        await phone.page.clock.install(time=datetime.now(UTC) + timedelta(hours=5))
        await phone.page.reload()
        await phone.page.get_by_text("12,").first.wait_for()
        await phone.page.wait_for_timeout(500)
        await phone.role("link", "^Pay$").first.click()
        code = await pay_code_of(phone)
        assert paycode.parse(code).digits == code
        async with stage.server.client(stage.shop.key) as shop:
            body = {"shop_id": stage.shop.shop_id, "amount": 110, "currency": "CNY"}
            paid = await post(shop, "/v1/payments", body | {"pay_code": code})
        assert paid["status"] == "captured"


async def test_a_till_over_a_short_loss(stage: Stage) -> None:
    """An order that is paid while the till hears nothing is shown as paid when it hears again."""
    async with stage.till(worker=True) as till, stage.server.client(stage.lin.key) as lin:
        await ready_for_offline(till.page)
        await type_amount(till, "5")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        await till.context.set_offline(True)
        async with stage.server.client(stage.shop.key) as shop:
            order = (await shop.get("/v1/payments", params={"limit": 1})).json()["data"][0]
        scanned = await post(
            lin, "/v1/wallet/scans", {"code": f"{stage.server.url}/c/{order['code_token']}"}
        )
        await post(lin, f"/v1/wallet/payments/{scanned['payment']['id']}/approve")
        await till.context.set_offline(False)
        await till.role("heading", "^Paid$").wait_for()
        till.complaints.clear()  # of the network that was away
