"""Checkout in a browser: the example shop, its page, the wallet, and back with a signed result."""

import asyncio
import json
import os
import re
import socket
import sys
from base64 import urlsafe_b64decode as b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from browsing import DESK, PHONE, Look, Screen, Stage, lose_answers
from living import made, post

EXAMPLE: Final = Path(__file__).parents[2] / "docs/examples/shop/shop.py"
# Each language, appearance and width once; the gallery has every component in all of them.
LOOKS = [Look("en", "light", DESK), Look("zh", "dark", PHONE)]
LINES = [
    {"name": "Flat white", "unit_amount": 1900, "quantity": 2},
    {"name": "Oat milk, the one that comes from the far side of the river", "unit_amount": 300},
    {"name": "Loyal customers", "unit_amount": -300},
]


@dataclass
class ExampleShop:
    """The example of the documents, as a process of its own."""

    home: str
    secret: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def example_shop(stage: Stage, *, framed: bool = True) -> AsyncIterator[ExampleShop]:
    """The shop, with the settings that its developer makes."""
    port = free_port()
    home = f"http://127.0.0.1:{port}"
    async with stage.server.client(stage.shop.key) as client:
        settings = {"return_origins": [home], "frame_origins": [home] if framed else []}
        made(await client.put("/v1/checkout/settings", json=settings))
        secret = made(await client.post("/v1/checkout/secret", json={"at_once": True}))["secret"]
    ours = {
        "TANDEM_URL": stage.server.url,
        "TANDEM_KEY": stage.shop.key,
        "TANDEM_SECRET": secret,
        "TANDEM_SHOP": stage.shop.shop_id,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLE),
        str(port),
        env={**os.environ, **ours},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        yield ExampleShop(home, secret)
    finally:
        process.terminate()
        await process.wait()


async def make_session(stage: Stage, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the body
    order = {"shop_id": stage.shop.shop_id, "amount": 3800, "currency": "CNY"}
    async with stage.server.client(stage.shop.key) as client:
        session: dict[str, Any] = await post(client, "/v1/checkout/sessions", order | more)
    return session


def path_of(stage: Stage, url: str) -> str:
    return url.removeprefix(stage.server.url)


async def confirm(phone: Screen, amount: str = "38.00") -> None:
    """Say yes in the wallet."""
    await phone.role("button", f"¥{amount}").click()
    await phone.role("heading", "^(Paid|付款成功)$").wait_for()


async def test_from_the_shop_to_the_wallet_and_back(stage: Stage) -> None:
    """On a phone: one press at the shop, one in checkout, one in the wallet, one back."""
    async with example_shop(stage) as shop, stage.phone(stage.lin) as phone:
        await phone.page.goto(shop.home)
        await phone.role("button", "^Pay$").dblclick()
        await phone.role("link", "Pay ¥38.00").wait_for()
        await phone.seen("checkout-phone")
        await phone.role("link", "Pay ¥38.00").click()
        await confirm(phone)
        await phone.seen("checkout-wallet-paid")
        await phone.role("link", "Back to the shop").click()
        await phone.role("heading", r"Thank you: order-\w+ is paid").wait_for()
        address = phone.page.url

        # what was changed on the way is not believed
        head, body, mac = address.partition("tandem_result=")[2].split(".")
        for forged in (f"{head}.{body}.{mac[::-1]}", f"{head}.{body[:-4]}AAAA.{mac}", "a.b.c", ""):
            await phone.page.goto(f"{shop.home}/thanks?tandem_result={forged}")
            await phone.role("heading", "^Not paid$").wait_for()
        # and one of another session says nothing about this order
        number = json.loads(b64decode(body + "=" * (-len(body) % 4)))["reference"]
        other = await make_session(stage, order_reference=number)
        async with stage.server.client(stage.lin.key) as lin:
            page = f"/v1/checkout/pages/{other['url'].rpartition('/')[2]}"
            code = made(await lin.get(page))["wallet_path"].rpartition("/")[2]
            pays = {"code": f"{stage.server.url}/c/{code}", "way": "click"}
            await post(lin, "/v1/wallet/payments", pays)
            paid = made(await lin.get(page))
        assert paid["status"] == "captured"
        result = paid["result"]
        await phone.page.goto(f"{shop.home}/thanks?tandem_result={result}")
        await phone.role("heading", "^Not paid$").wait_for()


async def test_over_the_shops_page_on_a_desktop(stage: Stage) -> None:
    look = Look(size=DESK)
    async with (
        example_shop(stage) as shop,
        stage.screen(look) as desk,
        stage.phone(stage.mei) as phone,
    ):
        await desk.page.goto(shop.home)
        await desk.role("button", "^Pay$").dblclick()
        frame = desk.page.frame_locator("iframe")
        await frame.get_by_role("img", name="The order’s code").wait_for()
        assert await desk.page.locator("dialog").count() == 1
        await desk.seen("checkout-overlay")
        assert desk.page.url == f"{shop.home}/"
        link = await frame.get_by_role("link", name="Pay on this device").get_attribute("href")
        assert link is not None
        await phone.open(link)
        await frame.get_by_role("heading", name="Confirm in the wallet").wait_for()
        await confirm(phone)
        await desk.role("heading", r"Thank you: order-\w+ is paid").wait_for()


async def test_a_shop_that_is_not_named_frames_nothing(stage: Stage) -> None:
    """The browser refuses the frame; the script then goes to the page itself."""
    async with example_shop(stage, framed=False) as shop, stage.screen(Look(size=DESK)) as desk:
        await desk.page.goto(shop.home)
        await desk.role("button", "^Pay$").click()
        await desk.page.wait_for_url(re.compile(f"{stage.server.url}/checkout/s/"), timeout=60_000)
        await desk.role("img", "The order’s code").wait_for()
        assert [text for text in desk.complaints if "frame-ancestors" in text]
        of_the_frame = ("frame-ancestors", "postMessage")  # said hello to, and not there
        desk.complaints = [
            text for text in desk.complaints if not any(one in text for one in of_the_frame)
        ]


async def test_nothing_of_the_wallet_is_ever_framed(stage: Stage) -> None:
    async with example_shop(stage) as shop, stage.screen(Look(size=DESK)) as desk:
        await desk.page.goto(shop.home)
        for path in ("/wallet/", f"/checkout/l/{'A' * 20}", f"/checkout/i/{'A' * 20}", "/console/"):
            await desk.page.evaluate(
                """(url) => new Promise((done) => {
                    const frame = document.createElement('iframe');
                    frame.onload = done;
                    frame.src = url;
                    document.body.append(frame);
                })""",
                stage.server.url + path,
            )
        frames = [frame.url for frame in desk.page.frames[1:]]
        assert all(url.startswith("chrome-error:") for url in frames), frames
        desk.complaints.clear()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_the_page_in_every_state(stage: Stage, look: Look) -> None:
    session = await make_session(stage, lines=LINES, description="Order 81", locale=look.language)
    async with stage.screen(look) as screen, stage.phone(stage.lin) as phone:
        await screen.open(path_of(stage, session["url"]))
        await screen.role("img", "order’s code|订单二维码").wait_for()
        await screen.seen("checkout", whole=True)
        token = session["url"].rpartition("/")[2]
        async with stage.server.client() as anyone:
            page = made(await anyone.get(f"/v1/checkout/pages/{token}"))
        await phone.open(page["wallet_path"])
        await phone.role("heading", "Confirm payment").wait_for()
        await screen.role("heading", "Confirm in the wallet|请在钱包中确认").wait_for()
        await screen.seen("checkout-waiting", whole=True)

        await screen.context.set_offline(offline=True)
        await screen.page.evaluate("dispatchEvent(new Event('online'))")
        await screen.page.get_by_text(re.compile("^(No network|没有网络)")).wait_for()
        await screen.seen("checkout-offline", whole=True)
        screen.complaints = [text for text in screen.complaints if "ERR_" not in text]
        await screen.context.set_offline(offline=False)
        await confirm(phone)
        await screen.page.evaluate("dispatchEvent(new Event('online'))")
        await screen.role("heading", "^(Paid|付款成功)$").wait_for()
        await screen.seen("checkout-paid")
        # opened again, in another tab, it is paid already
        await screen.page.reload()
        await screen.role("heading", "^(Paid|付款成功)$").wait_for()
        screen.complaints = [text for text in screen.complaints if "ERR_" not in text]

        description = "<b>Order</b> 82 مقهى"
        declined = await make_session(
            stage, amount=1200, description=description, locale=look.language
        )
        await screen.open(path_of(stage, declined["url"]))
        await screen.page.get_by_text(description).wait_for()
        await screen.role("img", "order’s code|订单二维码").wait_for()
        async with stage.server.client(stage.shop.key) as client:
            await post(client, f"/v1/payments/{declined['payment_id']}/cancel")
        await screen.role("heading", "^(Not paid|未付款)$").wait_for()
        await screen.seen("checkout-cancelled")
        await screen.open(f"/checkout/s/{'A' * 20}")
        await screen.role("heading", "There is no such page|没有这个页面").wait_for()
        await screen.seen("checkout-missing")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_payment_links(stage: Stage, look: Look) -> None:
    shop_id = stage.shop.shop_id
    async with stage.server.client(stage.shop.key) as client:
        body = {"shop_id": shop_id, "description": "Tea round", "currency": "CNY"}
        bounds = {"min_amount": 100, "max_amount": 5000}
        link = await post(client, "/v1/payment-links", body | bounds)
        async with stage.screen(look) as screen:
            await screen.open(path_of(stage, link["url"]))
            go = screen.role("button", "Continue with|继续")
            await go.wait_for()
            assert await go.is_disabled()
            await screen.seen("checkout-link", whole=True)
            for key in "12.5":
                await screen.page.keyboard.press(key)
            times = [2]
            await screen.page.route("**/visits", lambda route: lose_answers(route, times))
            await go.dblclick()
            await screen.page.get_by_text(re.compile("No answer yet|还没有收到答复")).wait_for()
            await screen.role("img", "order’s code|订单二维码").wait_for()
            screen.complaints.clear()  # of the answers that were lost
            sessions = made(
                await client.get("/v1/checkout/sessions", params={"link_id": link["id"]})
            )
            assert [one["amount"] for one in sessions["data"]] == [1250]
            made(await client.patch(f"/v1/payment-links/{link['id']}", json={"active": False}))
            await screen.open(path_of(stage, link["url"]))
            await screen.role("alert", "").wait_for()
            await screen.seen("checkout-link-off")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_invoices(stage: Stage, look: Look) -> None:
    body = {
        "shop_id": stage.shop.shop_id,
        "customer_name": "Harbour Bakery & Daughters, Wholesale",
        "customer_email": "books@harbour.example",
        "description": "May",
        "lines": [*LINES, {"name": "Delivery", "unit_amount": 500, "tax": 30}],
        "currency": "CNY",
        "due_on": "2100-06-01",
    }
    async with stage.server.client(stage.shop.key) as client:
        draft = await post(client, "/v1/invoices", body)
        invoice = made(await client.post(f"/v1/invoices/{draft['id']}/open"))
    async with stage.phone(stage.lin, look) as phone:
        await phone.open(path_of(stage, invoice["url"]))
        pay = phone.role("button", "(Pay|付款) ¥43.30")
        await pay.wait_for()
        await phone.seen("checkout-invoice", whole=True)
        assert "books@harbour.example" not in await phone.page.content()
        await pay.dblclick()
        await phone.page.wait_for_url(re.compile("/checkout/s/"))
        await phone.page.locator("a[href^='/wallet/c/']").click()
        await confirm(phone, "43.30")
        await phone.role("link", "Back to the shop|返回商家").click()
        await phone.role("link", "See the receipt|查看收据").click()
        await phone.page.get_by_text(re.compile("Receipt for invoice|的收据")).wait_for()
        await phone.seen("checkout-receipt", whole=True)
