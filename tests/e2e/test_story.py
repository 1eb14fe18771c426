"""The story through the faces at once: money that is seen moving, live."""

import io
import re

import pytest
import zxingcpp
from PIL import Image

from browsing import DESK, PHONE, Look, Screen, Stage, pay_code_of, type_amount
from cafes import cafe
from living import Shop, made, post

LOOKS = [Look(), Look("zh", "dark", DESK), Look("zh", "light", PHONE), Look("en", "dark", PHONE)]
TABLET = (1024, 768)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_person_and_a_shop(stage: Stage, look: Look) -> None:
    async with stage.server.client(stage.mei.key) as mei:
        ask = {"of": "@lin", "amount": 1250, "currency": "CNY", "message": "Cinema tickets"}
        await post(mei, "/v1/wallet/requests", ask)
    before = await stage.balance(stage.lin)
    till_look = Look(look.language, look.scheme, PHONE if look.size == DESK else TABLET)
    async with stage.phone(stage.lin, look) as phone, stage.till(till_look) as till:
        await phone.role("link", "Mei").first.wait_for()
        await phone.seen("wallet-home")

        # a small amount, by the code that the phone shows
        await type_amount(till, "38.5")
        await till.seen("till-amount")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code|订单二维码").wait_for()
        await till.seen("till-order")
        await phone.role("link", "^(Pay|付款)$").first.click()
        code = await pay_code_of(phone)
        await phone.seen("wallet-pay")
        await till.page.keyboard.type(code)
        await till.page.keyboard.press("Enter")
        await till.role("heading", "^(Paid|付款成功)$").wait_for()
        await phone.role("heading", "^(Paid|付款成功)$").wait_for()
        await till.seen("till-paid")
        await phone.seen("wallet-paid")
        assert await stage.balance(stage.lin) == before - 3850

        # a large one waits for the person, who says no
        await till.role("button", "Next customer|下一位").click()
        await type_amount(till, "1288")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code|订单二维码").wait_for()
        await phone.role("button", "Show another code|再出示一个码").click()
        await phone.page.wait_for_function(
            "old => !document.querySelector('button.digits')?.innerText.replaceAll(' ', '')"
            ".startsWith(old)",
            arg=code,
        )
        code = await pay_code_of(phone)
        await till.page.keyboard.type(code)
        await till.page.keyboard.press("Enter")
        await phone.role("heading", "Confirm payment|确认付款").wait_for()
        await (
            till.page.get_by_text("confirms on the phone")
            .or_(till.page.get_by_text("顾客正在手机上确认"))
            .wait_for()
        )
        await phone.seen("wallet-confirm")
        await till.seen("till-waiting")
        await phone.role("button", "Don’t pay|不付款").click()
        await phone.role("heading", "Not paid|未付款").wait_for()
        await till.role("heading", "Not paid|未付款").wait_for()
        await till.seen("till-unpaid")
        assert await stage.balance(stage.lin) == before - 3850

        # the request of a friend
        await phone.role("link", "Done|完成").click()
        await phone.role("link", "Mei").first.click()
        await phone.seen("wallet-request")
        await phone.role("button", "¥12.50").click()
        await phone.role("heading", "^(Sent|转账成功)$").wait_for()
        assert await stage.balance(stage.lin) == before - 3850 - 1250


async def ask(phone: Screen, message: str) -> None:
    """From the wallet's first page: ask Mei for 8.30."""
    await phone.role("link", "^Ask$").click()
    await phone.page.get_by_label("Of whom?").fill("mei")
    await phone.role("button", "Continue").click()
    await type_amount(phone, "8.3")
    await phone.page.get_by_label("Message").fill(message)
    await phone.seen("wallet-ask")
    await phone.role("button", "Ask for ¥8.30").dblclick()
    await phone.role("heading", "^Asked$").wait_for()
    await phone.seen("wallet-asked")
    await phone.role("link", "Done").click()


async def test_sending_and_history(stage: Stage) -> None:
    before = await stage.balance(stage.mei)
    async with stage.phone(stage.lin) as phone:
        await phone.role("link", "^Send$").click()
        await phone.page.get_by_label("To whom?").fill("nobody.here")
        await phone.role("button", "Continue").click()
        await phone.page.get_by_text("Nobody here is called @nobody.here.").wait_for()
        await phone.seen("wallet-whom")
        await phone.page.get_by_label("To whom?").fill("@Mei")
        await phone.role("button", "Continue").click()
        await type_amount(phone, "20")
        message = phone.page.get_by_label("Message")
        dialog = phone.page.get_by_role("dialog")

        # what nobody can read is refused, with nothing sent
        await message.fill("For\u202e you")
        await phone.role("button", "Send ¥20.00").click()
        await dialog.get_by_role("button", name="Send ¥20.00").click()
        await phone.role("alert", "").wait_for()
        assert await stage.balance(stage.mei) == before

        # what looks like a script is only text
        await message.fill("<img src=x onerror=alert(1)> مقهى")
        await phone.seen("wallet-send")
        await phone.role("button", "Send ¥20.00").click()
        await dialog.wait_for()
        await phone.seen("wallet-sure-script")
        await dialog.get_by_role("button", name="Send ¥20.00").dblclick()
        await phone.role("heading", "^Sent$").wait_for()
        await phone.seen("wallet-sent")
        assert await stage.balance(stage.mei) == before + 2000

        await phone.role("link", "Done").click()
        await ask(phone, "For the boat")
        async with stage.server.client(stage.mei.key) as mei:
            asked = made(await mei.get("/v1/wallet/requests"))["data"][0]
        assert (asked["amount"], asked["message"]) == (830, "For the boat")
        await phone.role("link", "^History$").click()
        await phone.page.get_by_text("<img src=x onerror=alert(1)>").wait_for()
        await phone.seen("wallet-history-script")
        await phone.page.get_by_label("Search").fill("onerror")
        await phone.page.get_by_text("Blue Door").first.wait_for(state="detached")
        await phone.page.get_by_text("<img src=x onerror=alert(1)>").wait_for()
        await phone.page.get_by_label("Search").fill("no such thing")
        await phone.page.get_by_text("Nothing found").wait_for()
        await phone.role("link", "^Settings$").click()
        await phone.seen("wallet-settings")
        await phone.page.get_by_text("中文").click()
        await phone.role("heading", "设置").wait_for()


async def test_codes_are_read_as_they_are_drawn(stage: Stage) -> None:
    """A till's scanner reads the bars and the square; a phone's camera reads the order's code."""
    async with stage.phone(stage.lin) as phone, stage.till() as till:
        await phone.role("link", "^Pay$").first.click()
        code = await pay_code_of(phone)
        picture = Image.open(io.BytesIO(await phone.page.screenshot()))
        read = {found.text for found in zxingcpp.read_barcodes(picture)}
        kinds = {str(found.format) for found in zxingcpp.read_barcodes(picture)}
        assert read == {code}
        assert len(kinds) == 2
        await type_amount(till, "7")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        picture = Image.open(io.BytesIO(await till.page.screenshot()))
        (found,) = zxingcpp.read_barcodes(picture)
        await phone.open("/wallet/scan")
        await phone.page.get_by_label("text or link").fill(found.text)
        await phone.role("button", "Look it up").click()
        await phone.role("button", "Pay ¥7.00").click()
        await phone.role("heading", "^Paid$").wait_for()
        await till.role("heading", "^Paid$").wait_for()


async def test_a_link_of_a_shop_leads_through_the_wallet(stage: Stage) -> None:
    order = await stage.order(1700)
    async with stage.phone(stage.lin) as phone:
        await phone.open(order["code"]["url"].removeprefix(stage.server.url))
        await phone.role("link", "Pay with your wallet").click()
        await phone.role("button", "Pay ¥17.00").click()
        await phone.role("heading", "^Paid$").wait_for()
        # a sticker's code asks how much
        await phone.open(stage.shop.code.removeprefix(stage.server.url))
        await phone.role("link", "Pay with your wallet").click()
        await type_amount(phone, "2")
        await phone.seen("wallet-sticker")
        await phone.role("button", "Pay ¥2.00").click()
        await phone.role("heading", "^Paid$").wait_for()
    async with stage.server.client(stage.shop.key) as shop:
        paid = (await shop.get(f"/v1/payments/{order['id']}")).json()
    assert (paid["status"], paid["way"]) == ("captured", "click")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_code_without_the_app_speaks_the_visitors_language(
    stage: Stage, look: Look
) -> None:
    order = await stage.order(1700)
    async with stage.screen(look) as visitor:
        await visitor.open(order["code"]["url"].removeprefix(stage.server.url))
        await visitor.page.get_by_text(re.compile("Nothing is paid yet|尚未付款")).wait_for()
        await visitor.page.get_by_text("¥17.00").first.wait_for()
        await visitor.seen("landing")
        # the type of the apps
        assert await visitor.page.evaluate("""async () => {
            await document.fonts.ready;
            return [...document.fonts].some((face) => face.status === 'loaded');
        }""")
        await visitor.open("/c/AAAAAAAAAAAAAAAAAAAA")
        await visitor.role("heading", "not known here|没有找到").wait_for()
        await visitor.seen("landing-none")
        visitor.complaints.clear()  # of the page that is not there


async def by_pay_code(till: Screen, phone: Screen) -> None:
    """At the till: the phone shows its code."""
    await type_amount(till, "38.5")
    await till.page.keyboard.press("Enter")
    await till.page.get_by_text("Scan, or hold near the reader").wait_for()
    await phone.role("link", "^Pay$").first.click()
    await till.page.keyboard.type(await pay_code_of(phone))
    await till.page.keyboard.press("Enter")
    await till.role("heading", "^Paid$").wait_for()
    await phone.role("heading", "^Paid$").wait_for()


async def by_checkout(stage: Stage, shop: Shop, desk: Screen, phone: Screen) -> None:
    """On the shop's site: the desk shows a code, the phone takes it, the desk sees it paid."""
    async with stage.server.client(shop.key) as client:
        order = {"shop_id": shop.shop_id, "amount": 1250, "currency": "CNY"}
        page = await post(client, "/v1/checkout/sessions", order)
    await desk.open(page["url"].removeprefix(stage.server.url))
    await desk.role("img", "The order’s code").wait_for()
    picture = Image.open(io.BytesIO(await desk.page.screenshot()))
    (found,) = zxingcpp.read_barcodes(picture)
    await phone.open("/wallet/scan")
    await phone.page.get_by_label("text or link").fill(found.text)
    await phone.role("button", "Look it up").click()
    await desk.role("heading", "Confirm in the wallet").wait_for()
    await phone.role("button", "Pay ¥12.50").click()
    await phone.role("heading", "^Paid$").wait_for()
    await desk.role("heading", "^Paid$").wait_for()


async def refund(console: Screen) -> None:
    """The owner gives the first sum back."""
    await console.role("link", "^Payments$").click()
    await console.page.get_by_role("cell", name="¥38.50").first.click()
    await console.role("button", "^Refund$").click()
    dialog = console.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Refund ¥38.50").click()


async def follow_to_the_books(office: Screen, payment_id: str) -> None:
    """The operator finds a payment, its entries, and that the books are right."""
    await office.page.get_by_role("searchbox").fill(payment_id)
    await office.role("button", "^Find$").click()
    await office.page.get_by_role("cell", name="¥38.50").first.wait_for()
    await office.page.locator("td a[title^='ent_']").first.click()
    await office.role("heading", "Journal entry").wait_for()
    await office.role("link", "^Verification$").click()
    await office.role("button", "Begin a verification").first.click()
    await office.page.get_by_text("The books are right").wait_for()


async def test_the_four_faces_at_once(stage: Stage) -> None:
    """A shop's till and site, its owner's console, a phone and the operator: one day, live."""
    before = await stage.balance(stage.lin)
    async with (
        cafe(stage, items=False) as shop,
        stage.till_of(shop, Look(size=TABLET)) as till,
        stage.member("owner", of=shop) as console,
        stage.phone(stage.lin) as phone,
        stage.screen(Look(size=DESK)) as desk,
    ):
        taken = console.page.locator("section.taken")
        await taken.get_by_text("¥0.00").first.wait_for()
        await by_pay_code(till, phone)
        await taken.get_by_text("¥38.50").first.wait_for()
        await by_checkout(stage, shop, desk, phone)
        await taken.get_by_text("¥51.00").first.wait_for()
        assert await stage.balance(stage.lin) == before - 5100

        # NFC is switched off: the till that has an order on its screen says so at once
        await till.page.keyboard.press("Enter")
        await type_amount(till, "20")
        await till.page.keyboard.press("Enter")
        await till.page.get_by_text("Scan, or hold near the reader").wait_for()
        await console.role("link", "^Acceptance$").click()
        await console.role("switch", "Café: Tap").click()
        await till.page.get_by_text(re.compile("^Scan to pay$")).wait_for()

        # the phone sees money come back, without a reload
        await phone.role("link", "^Done$").click()
        await refund(console)
        await phone.page.locator("main").get_by_text("+¥38.50").first.wait_for()
        assert await stage.balance(stage.lin) == before - 1250

        async with stage.server.client(shop.key) as client:
            first = made(await client.get("/v1/payments", params={"limit": 3}))["data"][-1]
        async with stage.member("owner") as office:
            await follow_to_the_books(office, first["id"])
