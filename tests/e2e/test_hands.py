"""What the wallet's hands do beside scanning: cards, top-ups, receipts, the history, limits."""

import asyncio
import io
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from PIL import Image

from browsing import DESK, Look, Screen, Stage, type_amount
from conftest import open_folder
from living import living, made, post, sign_up
from tandem.kernel import read_id
from tandem.people import reference_of

# Each language, appearance and width once; the gallery has every component in all of them.
LOOKS = [Look(), Look("zh", "dark", DESK)]
"""Both languages, widths and schemes, once each: for what takes long."""
NAMES = "<b>Qāf</b> مقهى الياسمين"
ACCOUNTS = """
[[accounts]]
currencies = ["CNY"]
holder = "Harbour Wallet <AG>"
number = "6222 0200 0000 0000 000"
note = "Only from an account in your own name."

[[accounts]]
currencies = ["EUR"]
holder = "Harbour Wallet AG"
iban = "DE75512108001245126199"
bic = "SOLADEST600"
bank = "Harbour Bank"
"""


async def add_card(stage: Stage, key: str) -> dict[str, str]:
    """A card for the device with this key."""
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    body = {"currency": "CNY", "device_key": b64encode(public).decode()}
    async with stage.server.client(key) as device:
        card: dict[str, str] = await post(device, "/v1/people/me/cards", body)
    return card


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_cards(stage: Stage, look: Look) -> None:
    async with stage.server.client(stage.server.operator_key) as operator:
        person = await sign_up(operator, f"cards.{look.language}.{look.scheme}", yuan=50)
    async with stage.phone(person, look) as phone:
        await phone.role("link", "^(Cards|卡片)").click()
        await phone.page.get_by_text(re.compile("No cards yet|还没有卡片")).wait_for()
        await phone.role("button", "Add a card|添加卡片").click()
        await phone.seen("wallet-card-add")
        assert not await phone.page.get_by_text("tandem device connect").is_visible()
        await phone.page.get_by_text(re.compile("the commands|查看命令")).click()
        await phone.page.get_by_text("tandem device connect").wait_for()
        await phone.seen("wallet-card-commands")
        await phone.page.keyboard.press("Escape")

        # green: on the first device; the page hears of it
        first = await add_card(stage, person.key)
        await phone.role("link", first["last_four"]).wait_for()
        # yellow: on a watch that came after this phone, which therefore shows the code
        async with stage.server.client(person.key) as mine:
            name = "Lin’s watch" if look.language == "en" else NAMES
            watch = await post(mine, "/v1/people/me/devices", {"name": name})
        second = await add_card(stage, watch["key"])
        assert (first["proof"], second["proof"]) == ("green", "yellow")
        await phone.role("link", "Waiting for its code|等待验证码").wait_for()
        await phone.seen("wallet-cards", whole=True)
        # of a card that lies behind others its upper strip is seen and pressed
        waiting = phone.role("link", "Waiting for its code|等待验证码")
        await waiting.click(position={"x": 60, "y": 24})
        await phone.page.get_by_text(name).first.wait_for()
        await phone.role("button", "Show the code|^显示验证码").click()
        digits = (await phone.page.locator(".code .digits").inner_text()).replace(" ", "")
        await phone.seen("wallet-card-code", whole=True)

        # typed here it is on the wrong phone; on the watch it is right, and this page hears of it
        await phone.page.get_by_label(re.compile("is on this device|就在这台设备上")).fill(digits)
        await phone.role("button", "Confirm the card|确认卡片").click()
        await phone.page.get_by_text(re.compile("Type the code there|请在那里输入")).wait_for()
        async with stage.server.client(watch["key"]) as device:
            path = f"/v1/people/me/cards/{second['id']}/prove"
            wrong = await device.post(path, json={"code": f"{(int(digits) + 1) % 10**6:06}"})
            assert wrong.json()["code"] == "card_code_wrong"
            made(await device.post(path, json={"code": digits}))
        await phone.role("button", "Suspend this card|暂停这张卡片").click()
        sure = phone.page.get_by_role("dialog")
        await sure.get_by_text(re.compile("pays nothing until|恢复之前")).wait_for()
        await phone.seen("wallet-card-suspend")
        await sure.get_by_role("button", name=re.compile("Suspend|暂停")).click()
        await phone.role("button", "Let it pay again|恢复付款").wait_for()
        await phone.seen("wallet-card-suspended", whole=True)
        await phone.role("button", "Let it pay again|恢复付款").click()

        await change_funding(phone)
        await lose_and_remove(stage, phone, watch["key"])


async def change_funding(phone: Screen) -> None:
    """Let the card that is open pay from another balance."""
    # another balance; no bank is connected here, so none is offered
    await phone.role("button", "Change what it pays from|更改付款来源").click()
    dialog = phone.page.get_by_role("dialog")
    await dialog.get_by_role("combobox").select_option("EUR")
    assert await dialog.get_by_text("bank", exact=False).count() == 0
    await phone.seen("wallet-card-funding")
    await dialog.get_by_role("button").last.click()
    await phone.page.get_by_text(re.compile("(Balance|余额) EUR")).wait_for()


async def lose_and_remove(stage: Stage, phone: Screen, key: str) -> None:
    """The phone of the card that is open is lost; then the card is removed."""
    # a lost phone: its cards stop, and its key
    await phone.role("button", "I lost this device|我丢了这台设备").click()
    await phone.seen("wallet-card-lost")
    await phone.role("button", "Stop this device|停用这台设备").click()
    await phone.page.get_by_text(re.compile("Only the operator brings|只有运营方能恢复")).wait_for()
    await phone.page.get_by_role("dialog").wait_for(state="hidden")  # the phone, too, is stopped
    async with stage.server.client(key) as device:
        assert (await device.get("/v1/wallet")).status_code == 401

    await phone.role("button", "Remove this card|移除这张卡片").click()
    await phone.page.get_by_role("dialog").get_by_role("button").last.click()
    removed = re.compile("was removed and buys nothing|已移除，不能再")
    await phone.page.get_by_text(removed).wait_for()
    await phone.role("link", "Back|返回").click()
    await phone.role("button", "former|以前").click()
    await phone.role("link", "^.*(Removed|已移除)").wait_for()


async def test_too_many_wrong_codes(stage: Stage) -> None:
    """The card is on the device that this browser is: five wrong codes, and it is refused."""
    async with stage.server.client(stage.server.operator_key) as operator:
        person = await sign_up(operator, "wrong.codes", yuan=1)
    async with stage.phone(person) as phone:
        key = await phone.page.evaluate(
            """() => new Promise((done) => { const open = indexedDB.open('tandem', 1);
            open.onsuccess = () => { const asked = open.result.transaction('kept')
                .objectStore('kept').get('wallet.device');
                asked.onsuccess = () => done(asked.result.key); }; })"""
        )
        card = await add_card(stage, key)
        assert card["proof"] == "yellow"
        await phone.open(f"/wallet/cards/{card['id']}")
        field = phone.page.get_by_label("is on this device")
        go = phone.role("button", "Confirm the card")
        await phone.role("button", "Show the code").click()
        await phone.page.get_by_text("Only a phone that you had before").wait_for()
        await field.fill("12345")
        await go.click()
        await phone.page.get_by_text("A code has six digits.").wait_for()
        await field.fill("123456")
        await go.click()
        await phone.page.get_by_text("no code for this card that is still good").wait_for()
        async with stage.server.client(person.key) as first:
            shown = await post(first, f"/v1/people/me/cards/{card['id']}/code")
        wrong = f"{(int(shown['code']) + 1) % 10**6:06}"
        for left in (4, 3, 2, 1):
            await field.fill(wrong)
            await go.click()
            await phone.page.get_by_text(f"Tries left: {left}.").wait_for()
        await phone.seen("wallet-card-wrong", whole=True)
        await field.fill(wrong)
        await go.click()
        await phone.page.get_by_text("This card was refused and never pays.").wait_for()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_top_up_in_a_sandbox(stage: Stage, look: Look) -> None:
    before = await stage.balance(stage.mei)
    async with stage.phone(stage.mei, look) as phone:
        await phone.role("link", "^(Top up|充值)$").click()
        await phone.page.get_by_text(re.compile("Ask the operator|请联系运营方")).wait_for()
        await type_amount(phone, "30")
        await phone.seen("wallet-topup-none", whole=True)
        await phone.role("button", "¥30.00").dblclick()
        await phone.role("heading", "Topped up|充值成功").wait_for()
        assert await stage.balance(stage.mei) == before + 3000


async def test_top_up_by_bank(tmp_path: Path, stage: Stage) -> None:
    (tmp_path / "accounts.toml").write_text(ACCOUNTS, encoding="utf-8")
    accounts = str(tmp_path / "accounts.toml")
    with open_folder() as folder:
        async with living(folder / "data", TANDEM_TOP_UP_ACCOUNTS=accounts) as server:
            async with server.client(server.operator_key) as operator:
                lin = await sign_up(operator, "lin", yuan=1)
            other = Stage(stage.browser, server, lin, lin, stage.shop)
            for look in LOOKS:
                async with other.phone(lin, look) as phone:
                    await phone.context.grant_permissions(["clipboard-read", "clipboard-write"])
                    await phone.open("/wallet/top-up")
                    reference = reference_of(read_id("ppl", lin.id))
                    await phone.page.get_by_text("6222 0200 0000 0000 000").wait_for()
                    await phone.page.get_by_text("Harbour Wallet <AG>").wait_for()
                    await phone.role("button", "(Copy: Your reference|复制：你的识别码)").click()
                    copied = await phone.page.evaluate("() => navigator.clipboard.readText()")
                    assert copied == reference
                    await phone.page.get_by_text("EUR", exact=True).click()
                    await phone.role("img", "banking app|银行应用").wait_for()
                    await phone.seen("wallet-topup-bank", whole=True)
                    code = zxing(await phone.role("img", "banking app|银行应用").screenshot())
                    assert code.startswith(
                        "BCD\n002\n1\nSCT\nSOLADEST600\nHarbour Wallet AG\nDE7551"
                    )
                    assert code.endswith(reference)


def zxing(picture: bytes) -> str:
    """The one code in a picture."""
    import zxingcpp  # noqa: PLC0415 - only here

    framed = Image.new("RGB", (600, 600), "white")
    framed.paste(Image.open(io.BytesIO(picture)).convert("RGB"), (40, 40))
    (found,) = zxingcpp.read_barcodes(framed)
    return found.text


async def saved(phone: Screen, button: str, path: Path) -> bytes:
    """What a button downloads."""
    async with phone.page.expect_download() as download:
        await phone.role("button", button).click()
    await (await download.value).save_as(path)
    return await asyncio.to_thread(path.read_bytes)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_receipts(stage: Stage, look: Look, tmp_path: Path) -> None:
    async with stage.server.client(stage.server.operator_key) as operator:
        amy = await sign_up(operator, f"amy.{look.language}.{look.scheme}", yuan=100)
        body = {"handle": f"qaf.{look.language}.{look.scheme}", "name": NAMES}
        qaf = made(await operator.post("/v1/people", json=body))["person"]
    message = "للقهوة <script>alert(1)</script> 咖啡"
    async with stage.server.client(amy.key) as mine:
        send = {"to": qaf["handle"], "amount": 1234, "currency": "CNY", "message": message}
        await post(mine, "/v1/wallet/sends", send)
        order = await stage.order(2500)
        await post(mine, "/v1/wallet/scans", {"code": order["code"]["url"]})
        await post(mine, f"/v1/wallet/payments/{order['id']}/approve")
    async with stage.server.client(stage.shop.key) as shop:
        await post(shop, f"/v1/payments/{order['id']}/refunds", {"amount": 500})
    async with stage.phone(amy, look) as phone:
        await phone.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await phone.role("link", "Qāf").first.click()
        await phone.page.get_by_text(message).wait_for()
        await phone.page.get_by_text(re.compile("^(Sent|转出)$")).wait_for()
        await phone.seen("wallet-receipt-send", whole=True)
        picture = await saved(phone, "^(Save as a picture|保存图片)$", tmp_path / "receipt.png")
        drawn = Image.open(io.BytesIO(picture))
        assert (drawn.format, drawn.width) == ("PNG", 1080)
        keep(picture, f"receipt-send-{look.name}")
        await phone.role("button", "^(Share as text|以文字分享)$").click()
        await phone.page.get_by_text(re.compile("^(Copied|已复制)$")).wait_for()
        text = await phone.page.evaluate("() => navigator.clipboard.readText()")
        assert f"\u2068{NAMES}\u2069" in text
        assert f"\u2068{message}\u2069" in text
        assert "12.34" in text
        paper = await phone.page.pdf(format="A5")
        assert paper.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
        (tmp_path / "receipt.pdf").write_bytes(paper)

        await phone.open("/wallet/history?type=refund")
        await phone.role("link", "Blue Door").click()
        await phone.role("heading", "^(Refund|退款)$").wait_for()
        await phone.page.get_by_text("+¥5.00").first.wait_for()
        await phone.seen("wallet-receipt-refund", whole=True)
        await phone.role("link", "See the payment|查看这笔付款").click()
        await phone.page.get_by_text("¥5.00").first.wait_for()
        # the number that the till shows for it, and all of it
        await phone.page.get_by_text(order["id"][-6:].upper(), exact=True).wait_for()
        await phone.role("button", "(Copy|复制).*(Full number|完整编号)").click()
        copied = await phone.page.evaluate("() => navigator.clipboard.readText()")
        assert copied == order["id"]
        picture = await saved(phone, "^(Save as a picture|保存图片)$", tmp_path / "payment.png")
        keep(picture, f"receipt-payment-{look.name}")
        await phone.seen("wallet-receipt-payment", whole=True)

        # numbers of others, and what is none
        for number in ("CNY-999", "CNY-0", "EUR-1", "nothing", "CNY-1%3B"):
            await phone.open(f"/wallet/receipts/{number}")
            await phone.page.get_by_text(re.compile("This was not found.|没有找到")).wait_for()


def keep(picture: bytes, name: str) -> None:
    """Keep what was drawn beside the pictures of the screens."""
    from browsing import SCREENS  # noqa: PLC0415 - only here

    if SCREENS:
        (Path(SCREENS) / f"{name}.png").write_bytes(picture)


async def test_all_of_the_history_is_searched(stage: Stage) -> None:
    async with stage.server.client(stage.server.operator_key) as operator:
        ada = await sign_up(operator, "ada", yuan=100)
    async with stage.server.client(ada.key) as mine:
        packet = {"amount": 200, "currency": "CNY", "shares": 2, "division": "equal", "to": []}
        await post(mine, "/v1/wallet/packets", packet)
        for number in range(130):
            message = "The first tea" if number == 0 else f"Lunch {number}"
            send = {"to": "@mei", "amount": 1, "currency": "CNY", "message": message}
            await post(mine, "/v1/wallet/sends", send)
    async with stage.phone(ada, worker=True) as phone:
        await phone.role("link", "^History$").click()
        await phone.page.get_by_text("Lunch 129").wait_for()
        assert await phone.page.get_by_text("The first tea").count() == 0
        await phone.page.get_by_label("Search").fill("TEA")
        await phone.page.get_by_text("The first tea").wait_for()
        assert phone.page.url.endswith("/wallet/history?search=TEA")
        await phone.seen("wallet-history-found")
        await phone.page.get_by_label("What it is").select_option("top_up")
        await phone.page.get_by_text("Nothing found").wait_for()
        await phone.seen("wallet-history-nothing")
        await phone.role("button", "Show everything").click()
        await phone.page.get_by_text("Lunch 129").wait_for()
        assert phone.page.url.endswith("/wallet/history")
        # a link, a reload: what is looked for stands in the address
        month = f"{datetime.now():%Y-%m}"  # noqa: DTZ005 - the browser's own month
        await phone.open(f"/wallet/history?type=top_up&month={month}")
        await phone.page.get_by_text("bank-ada").wait_for()
        await phone.page.get_by_label("What it is").select_option("Red packet that you made")
        await phone.page.get_by_text("2.00").first.wait_for()
        assert await phone.page.get_by_text("bank-ada").count() == 0
        await phone.open("/wallet/history?search=%27%20OR%201%3D1%20--&type=nonsense&month=x")
        await phone.page.get_by_text("Nothing found").wait_for()

        # without a network: what the phone kept
        await phone.page.wait_for_function("() => navigator.serviceWorker.controller !== null")
        await phone.open("/wallet/history")
        await phone.page.get_by_text("Lunch 129").wait_for()
        await phone.page.wait_for_timeout(300)
        await phone.context.set_offline(True)
        await phone.page.reload()
        await phone.page.get_by_label("Search").fill("lunch 77")
        await phone.page.get_by_text("Lunch 77").wait_for()
        await phone.page.get_by_text("only what this phone kept").wait_for()
        await phone.seen("wallet-history-offline")
        await phone.role("link", "Lunch 77").click()
        await phone.role("heading", "^Transfer$").wait_for()
        await phone.context.set_offline(False)
        phone.complaints.clear()  # of the network that was away


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_limits_and_a_wrong_clock(stage: Stage, look: Look) -> None:
    async with stage.phone(stage.lin, look) as phone:
        await phone.open("/wallet/history")
        await phone.page.get_by_text("bank-lin").first.wait_for()
        await phone.seen("wallet-history-all")
        await phone.role("link", "^(Settings|设置)$").click()
        await phone.role("link", "How the limits work|限额说明").click()
        await phone.role("meter", "today’s limit|今日限额").wait_for()
        await phone.seen("wallet-limits", whole=True)
        await phone.page.clock.install(time=datetime.now(UTC) + timedelta(hours=5))
        await phone.open("/wallet/pay")
        await phone.page.get_by_text(re.compile("5 hours ahead|快了 5")).wait_for()
        # one that was made before the time was known is replaced
        await phone.page.get_by_text(re.compile(r"^New in \d\d? s$|^\d\d? 秒后更新$")).wait_for()
        await phone.seen("wallet-clock")
