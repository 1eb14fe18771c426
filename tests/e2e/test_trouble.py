"""What goes wrong on the way: answers that are lost, pages that are closed, others' objects."""

import base64
import re
from dataclasses import replace

import pytest
from playwright.async_api import Locator

from browsing import Screen, Stage, lose_answers, type_amount
from living import post

DUE = "2100-06-01"
FOREIGN = "pay_0199f0a4c0de7000800000000000002a"


async def not_known(phone: Screen, amount: str, whom: str) -> None:
    """Wait until the phone says that it does not know yet, and of what."""
    told = phone.page.get_by_role("status").filter(has_text="Not known yet")
    await told.filter(has_text=amount).filter(has_text=whom).wait_for()


async def test_a_send_whose_answers_are_lost_happens_once(stage: Stage) -> None:
    before = await stage.balance(stage.mei)
    async with stage.phone(stage.lin) as phone:
        times = [2]
        await phone.page.route("**/v1/wallet/sends", lambda route: lose_answers(route, times))
        await phone.role("link", "^Send$").click()
        await phone.page.get_by_label("To whom?").fill("mei")
        await phone.role("button", "Continue").click()
        await type_amount(phone, "3")
        await phone.page.get_by_label("Message").fill("For the tea")
        await phone.role("button", "Send ¥3.00").click()
        await phone.seen("wallet-sure")
        await phone.page.get_by_role("dialog").get_by_role("button", name="Send ¥3.00").click()
        await not_known(phone, "¥3.00", "Mei")
        await phone.seen("wallet-unknown")
        await phone.role("heading", "^Sent$").wait_for()
        await phone.role("link", "Done").click()
        await phone.role("link", "^History$").click()
        await phone.page.get_by_text("For the tea").wait_for()
        await phone.seen("wallet-history")
        phone.complaints.clear()  # of the answers that were lost
    assert await stage.balance(stage.mei) == before + 300


async def about_to_send(phone: Screen, amount: str) -> Locator:
    """The button of the last question before money goes to Mei."""
    await phone.open("/wallet/send")
    await phone.page.get_by_label("To whom?").fill("mei")
    await phone.role("button", "Continue").click()
    await type_amount(phone, amount)
    await phone.role("button", f"Send ¥{amount}.00").click()
    return phone.page.get_by_role("dialog").get_by_role("button", name=f"Send ¥{amount}.00")


async def test_back_and_escape_leave_a_question_and_nothing_is_sent(stage: Stage) -> None:
    """On a phone Back is the browser's close request, as Escape here (HTML, "close watchers")."""
    before = await stage.balance(stage.mei)
    async with stage.phone(stage.lin) as phone:
        await phone.role("link", "^Send$").click()
        await phone.page.get_by_label("To whom?").fill("mei")
        await phone.role("button", "Continue").click()
        await type_amount(phone, "6")
        send = phone.role("button", "Send ¥6.00")
        sure = phone.page.get_by_role("dialog")
        await send.click()
        await sure.wait_for()
        await phone.page.keyboard.press("Escape")
        await sure.wait_for(state="hidden")
        await send.click()
        await sure.wait_for()
        # where Back leaves the page itself, its question goes with it and holds nobody off the rest
        await phone.page.go_back()
        await phone.role("link", "^Send$").click()
        await phone.page.get_by_label("To whom?").wait_for()
        assert await sure.count() == 0
    assert await stage.balance(stage.mei) == before


async def test_pages_closed_over_sends_bring_each_to_its_end(stage: Stage) -> None:
    before = await stage.balance(stage.mei)
    async with stage.phone(stage.lin) as phone:
        times = [100]
        await phone.context.route("**/v1/wallet/sends", lambda route: lose_answers(route, times))
        other = replace(phone, page=await phone.context.new_page())
        one, two = await about_to_send(phone, "4"), await about_to_send(other, "5")
        # a browser that closes the question by itself: it is asked again when one presses again
        await phone.page.evaluate("() => document.querySelector('dialog').close()")
        await one.wait_for(state="hidden")
        await phone.role("button", "Send ¥4.00").click()
        for tab, sure in ((phone, one), (other, two)):
            await sure.click()
            await tab.role("heading", "Not known yet").wait_for()
        await other.open("/gallery")
        await phone.open("/wallet/send")
        await not_known(phone, "¥4.00", "Mei")
        times[0] = 0
        await phone.role("heading", "^Sent$").wait_for()
        await phone.role("button", "^Continue$").click()
        await phone.role("link", "^Done$").click()
        phone.complaints.clear()  # of the answers that were lost
    assert await stage.balance(stage.mei) == before + 900


async def ask_of_mei(phone: Screen) -> None:
    await phone.page.get_by_label("Of whom?").fill("mei")
    await phone.role("button", "Continue").click()
    await type_amount(phone, "2")
    await phone.role("button", "Ask for ¥2.00").click()


async def fill_a_packet(phone: Screen) -> None:
    await type_amount(phone, "5")
    await phone.role("button", "Continue").click()
    await phone.role("button", "Look it over").click()
    await phone.page.get_by_role("dialog").get_by_role("button", name="¥5.00").click()


async def split_with_mei(phone: Screen) -> None:
    await type_amount(phone, "8")
    await phone.role("button", "Continue").click()
    await phone.page.get_by_label("Add somebody").fill("mei")
    await phone.role("button", "^Add$").click()
    await phone.role("button", "Ask for ¥4.00").click()


MADE = {
    "money_requests": ("requests", "/wallet/ask", ask_of_mei, "Asked"),
    "packets": ("packets", "/wallet/packets/new", fill_a_packet, "Red packet"),
    "splits": ("splits", "/wallet/splits/new", split_with_mei, "Split"),
}


@pytest.mark.parametrize("table", MADE)
async def test_a_page_closed_over_what_it_makes_makes_it_once(stage: Stage, table: str) -> None:
    name, path, make, told = MADE[table]
    before = (await stage.server.rows())[table]
    async with stage.phone(stage.lin) as phone:
        times = [100]
        address = f"**/v1/wallet/{name}"
        await phone.context.route(address, lambda route: lose_answers(route, times))
        await phone.open(path)
        await make(phone)
        await phone.page.get_by_text(re.compile("Not known yet|No answer yet")).first.wait_for()
        await phone.open("/gallery")
        if table == "money_requests":  # opened again, it still says how much, and of whom
            await phone.open(path)
            await not_known(phone, "¥2.00", "Mei")
        times[0] = 0
        await phone.open(path)
        await phone.role("heading", f"^{told}$").first.wait_for()
        phone.complaints.clear()  # of the answers that were lost
    assert (await stage.server.rows())[table] == before + 1


async def test_a_page_closed_over_an_answer_pays_what_was_asked_once(stage: Stage) -> None:
    before = await stage.balance(stage.lin)
    async with stage.server.client(stage.mei.key) as mei:
        asked = {"of": "lin", "amount": 700, "currency": "CNY"}
        path = f"/wallet/requests/{(await post(mei, '/v1/wallet/requests', asked))['id']}"
    async with stage.phone(stage.lin) as phone:
        times = [100]
        await phone.context.route("**/accept", lambda route: lose_answers(route, times))
        await phone.open(path)
        await phone.role("button", "¥7.00").click()
        await not_known(phone, "¥7.00", "Mei")
        await phone.open("/gallery")
        # also where the request itself cannot be read
        unread = "**/v1/wallet/requests/*"
        await phone.context.route(unread, lambda route: route.abort())
        await phone.open(path)
        await not_known(phone, "¥7.00", "Mei")
        await phone.context.unroute(unread)
        times[0] = 0
        await phone.role("heading", "^Sent$").wait_for()
        phone.complaints.clear()  # of the answers that were lost
    assert await stage.balance(stage.lin) == before - 700


async def test_a_page_closed_over_a_payment_at_a_shops_code_pays_once(stage: Stage) -> None:
    before = await stage.balance(stage.lin)
    async with stage.phone(stage.lin) as phone:
        looks, times = [2], [100]
        await phone.page.route("**/v1/wallet/scans", lambda route: lose_answers(route, looks))
        await phone.page.route("**/v1/wallet/payments", lambda route: lose_answers(route, times))
        await phone.open(f"/wallet/c/{stage.shop.code.rsplit('/', 1)[1]}")
        await phone.page.get_by_text("No answer yet. Asking again").wait_for()
        await type_amount(phone, "99999")
        await phone.role("link", "^Top up$").wait_for()
        assert await phone.role("button", "Pay ¥99,999.00").is_disabled()
        await phone.seen("wallet-sticker-short")
        for _ in range(5):
            await phone.page.keyboard.press("Backspace")
        await type_amount(phone, "6")
        await phone.role("button", "Pay ¥6.00").click()
        await not_known(phone, "¥6.00", "Blue Door")
        await phone.page.reload()
        await not_known(phone, "¥6.00", "Blue Door")
        times[0] = 0
        await phone.role("heading", "^Paid$").wait_for()
        await phone.role("link", "^Done$").click()
        phone.complaints.clear()  # of the answers that were lost
    assert await stage.balance(stage.lin) == before - 600


async def test_an_order_whose_approvals_are_not_answered_is_paid_once(stage: Stage) -> None:
    before = await stage.balance(stage.lin)
    order = await stage.order(1300)
    async with stage.phone(stage.lin) as phone:
        async with stage.server.client(stage.lin.key) as lin:
            await post(lin, "/v1/wallet/scans", {"code": order["code"]["url"]})
        times = [2]
        path = "**/v1/wallet/payments/*/approve"
        await phone.page.route(path, lambda route: lose_answers(route, times))
        await phone.open(f"/wallet/payments/{order['id']}")
        await phone.role("button", "Pay ¥13.00").click()
        await not_known(phone, "¥13.00", "Blue Door")
        await phone.role("heading", "^Paid$").wait_for()
        assert times == [0]
        phone.complaints.clear()  # of the answers that were lost
    assert await stage.balance(stage.lin) == before - 1300


async def test_a_tap_whose_answers_are_lost_pays_once(stage: Stage) -> None:
    before = await stage.balance(stage.lin)
    async with stage.till() as till, stage.phone(stage.lin) as phone:
        await type_amount(till, "14")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        times = [2]
        await phone.page.route("**/v1/sandbox/taps", lambda route: lose_answers(route, times))
        await phone.open("/wallet/tap")
        await phone.role("button", "14.00").click()
        await phone.role("button", "Hold near the reader").click()
        held = phone.page.get_by_role("dialog")
        await held.get_by_text("The answer was lost on its way.").wait_for()
        await phone.role("heading", "^Paid$").wait_for()
        assert times == [0]
        phone.complaints.clear()  # of the answers that were lost
    assert await stage.balance(stage.lin) == before - 1400


async def test_an_invoice_whose_answers_are_lost_makes_one_order(stage: Stage) -> None:
    lines = [{"name": "Flour", "unit_amount": 1500, "quantity": 1}]
    asked = {"shop_id": stage.shop.shop_id, "customer_name": "Harbour Bakery", "lines": lines}
    async with stage.server.client(stage.shop.key) as shop:
        draft = await post(shop, "/v1/invoices", asked | {"currency": "CNY", "due_on": DUE})
        invoice = await post(shop, f"/v1/invoices/{draft['id']}/open", {})
    before = (await stage.server.rows())["payments"]
    async with stage.screen() as page:
        times = [2]
        await page.page.route("**/visits", lambda route: lose_answers(route, times))
        await page.open(invoice["url"].removeprefix(stage.server.url))
        await page.role("button", "^Pay ¥15.00$").click()
        await page.page.get_by_text("No answer yet. Asking again").wait_for()
        await page.page.wait_for_url(re.compile("/checkout/s/"))
        assert times == [0]
        page.complaints.clear()  # of the answers that were lost
    assert (await stage.server.rows())["payments"] == before + 1


async def test_a_payment_that_could_not_be_read_is_read_again(stage: Stage) -> None:
    order = await stage.order(1600)
    async with stage.phone(stage.lin) as phone:
        async with stage.server.client(stage.lin.key) as lin:
            await post(lin, "/v1/wallet/scans", {"code": order["code"]["url"]})
        path = "**/v1/wallet/payments/*"
        await phone.page.route(path, lambda route: route.abort())
        # No event brings it either: the stream is asked for and never begins.
        await phone.page.route("**/v1/events/stream", lambda _: None)
        await phone.open(f"/wallet/payments/{order['id']}")
        again = phone.role("button", "^Try again$")
        await again.wait_for()
        await phone.page.unroute(path)
        await again.click()
        await phone.role("button", "Pay ¥16.00").wait_for()
        assert await again.count() == 0
        phone.complaints.clear()  # of the answer that did not come


async def test_two_tabs_pay_an_order_once(stage: Stage) -> None:
    before = await stage.balance(stage.lin)
    order = await stage.order(2100)
    async with stage.phone(stage.lin) as phone:
        async with stage.server.client(stage.lin.key) as lin:
            await post(lin, "/v1/wallet/scans", {"code": order["code"]["url"]})
        other = await phone.context.new_page()
        for page in (phone.page, other):
            await page.goto(f"{stage.server.url}/wallet/payments/{order['id']}")
            await page.get_by_role("button", name="Pay ¥21.00").wait_for()
        await phone.role("button", "Pay ¥21.00").click()
        await phone.role("heading", "^Paid$").wait_for()
        await other.get_by_role("heading", name="Paid").wait_for()
        await phone.role("button", "See the receipt").click()
        await phone.seen("wallet-receipt")
    assert await stage.balance(stage.lin) == before - 2100


async def test_what_is_not_ones_own_is_not_found(stage: Stage) -> None:
    order = await stage.order(500)
    async with stage.phone(stage.mei) as phone:
        for path in (FOREIGN, order["id"], "pay_%3Cscript%3E", "nothing"):
            await phone.open(f"/wallet/payments/{path}")
            await phone.page.get_by_text("This was not found.").wait_for()
        await phone.seen("wallet-not-found")


async def test_codes_that_are_none(stage: Stage) -> None:
    async with stage.phone(stage.lin) as phone:
        await phone.open("/wallet/scan")
        for text, told in {
            "hello": "This is no shop’s code.",
            "https://elsewhere.example/c/Zm9vYmFyYmF6cXV4MTIz": "belongs to another operator",
            f"{stage.server.url}/c/Zm9vYmFyYmF6cXV4MTIz": "This was not found.",
        }.items():
            await phone.page.get_by_label("text or link").fill(text)
            await phone.role("button", "Look it up").click()
            await phone.page.get_by_text(told).wait_for()
        await phone.seen("wallet-scan")


async def test_a_device_that_was_taken_out_of_use_forgets(stage: Stage) -> None:
    async with stage.phone(stage.mei) as phone, stage.server.client(stage.mei.key) as mei:
        devices = (await mei.get("/v1/people/me/devices")).json()["data"]
        answer = await mei.delete(f"/v1/people/me/devices/{devices[0]['id']}")
        assert answer.is_success
        await phone.role("heading", "Open your wallet").wait_for()
        await phone.page.reload()
        await phone.role("heading", "Open your wallet").wait_for()


async def test_a_link_brings_what_is_to_be_typed_and_does_nothing_alone(stage: Stage) -> None:
    mei = stage.mei
    seed = base64.urlsafe_b64encode(mei.seed).decode().rstrip("=")
    async with stage.screen() as phone:
        await phone.open(f"/wallet/connect#{mei.key}.{mei.code_index}.{seed}")
        await phone.role("heading", "Connect this phone").wait_for()
        assert "#" not in phone.page.url
        await phone.role("button", "Connect this phone").click()
        await phone.page.get_by_text("@mei").wait_for()
        await phone.open(f"/wallet/connect#{stage.lin.key}.{mei.code_index}.{seed}")
        await phone.page.get_by_text("@mei").wait_for()
        assert "#" not in phone.page.url
    async with stage.screen() as till:
        await till.open(f"/till/#{stage.shop.key}")
        await till.role("button", "Continue").click()
        await till.role("button", "Till 1").wait_for()
        assert "#" not in till.page.url


async def test_signing_up_with_a_lost_answer_makes_one_wallet(stage: Stage) -> None:
    async with stage.screen() as phone:
        await phone.open("/wallet")
        await phone.seen("wallet-start")
        times = [1]
        await phone.page.route("**/v1/people", lambda route: lose_answers(route, times))
        await phone.role("button", "Open my wallet").click()
        await phone.page.get_by_text("Type your name.").wait_for()
        await phone.page.get_by_label("Your name").fill("Ya Smin مقهى")
        await phone.page.get_by_label("Your handle").fill("@Yasmin")
        await phone.role("button", "Open my wallet").click()
        await phone.page.get_by_text("Nothing yet").wait_for()
        await phone.seen("wallet-new")
        phone.complaints.clear()  # of the answer that was lost
    async with stage.screen() as second:
        await second.open("/wallet")
        await second.page.get_by_label("Your name").fill("Someone")
        await second.page.get_by_label("Your handle").fill("yasmin")
        await second.role("button", "Open my wallet").click()
        await second.page.get_by_text("The handle @yasmin is taken.").wait_for()


async def test_a_till_shows_what_is_wrong_with_a_code(stage: Stage) -> None:
    async with stage.till() as till:
        await type_amount(till, "6")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        await till.page.keyboard.type("123")
        await till.page.keyboard.press("Enter")
        await till.page.get_by_text("A pay code has 18 digits").wait_for()
        await till.page.get_by_label("customer’s code").fill("280000000000000000")
        await till.role("button", "^Charge$").click()
        await till.page.get_by_text("this code is not right").wait_for()
        await till.role("img", "order’s code").wait_for()
        await till.seen("till-wrong-code")
        await till.role("button", "Cancel this payment").click()
        await till.page.locator("output").wait_for()


LISTENING = """
    window.heard = [];
    window.OscillatorNode = class extends OscillatorNode {
        constructor(context, options) {
            super(context, options);
            window.heard.push(options.frequency);
        }
    };
    navigator.vibrate = (pattern) => window.heard.push('' + pattern) > 0;
"""


async def test_success_is_heard_and_felt_unless_it_is_switched_off(stage: Stage) -> None:
    async with stage.phone(stage.lin) as phone:
        await phone.context.add_init_script(LISTENING)
        for heard in (["20,60,30", 659.25, 987.77], []):
            await (await about_to_send(phone, "1")).click()
            await phone.role("heading", "^Sent$").wait_for()
            assert await phone.page.evaluate("() => window.heard") == heard
            await phone.open("/wallet/settings")
            await phone.page.get_by_text("Off", exact=True).click()
