"""Red packets and splits between phones: made, opened and followed live; and what goes wrong."""

import re

import pytest

from browsing import DESK, Look, Screen, Stage, type_amount
from living import Person, made, post, sign_up

# Each language, appearance and width once; the gallery has every component in all of them.
LOOKS = [Look(), Look("zh", "dark", DESK)]
SCRIPT = "<img src=x onerror=alert(1)> مقهى الياسمين"
WORDS = {"en": "To a good evening!", "zh": SCRIPT}
LONG = "Maximiliane-Theodora von und zu Hohenstein-Waldenburg-Schillingsfürst"


async def friend(stage: Stage, handle: str, name: str, yuan: int = 100) -> Person:
    """Another person with a wallet."""
    async with stage.server.client(stage.server.operator_key) as operator:
        return await sign_up(operator, handle, yuan=yuan, name=name)


async def new_packet(stage: Stage, maker: Person, **more: object) -> tuple[str, str]:
    """A packet by the API: its id, and the path of its link."""
    body = {"amount": 1000, "currency": "CNY", "shares": 2, "division": "equal"} | more
    async with stage.server.client(maker.key) as client:
        packet = (await post(client, "/v1/wallet/packets", body))["id"]
        if more.get("to"):
            return packet, f"/wallet/packets/{packet}"
        url = made(await client.get(f"/v1/wallet/packets/{packet}/link"))["url"]
    return packet, "/wallet/" + url.partition("/wallet/")[2]


async def listed(screen: Screen, count: int) -> None:
    """Wait until so many have a share."""
    rows = screen.page.get_by_role("list", name=re.compile("Who got|领取详情")).get_by_role(
        "listitem"
    )
    await rows.nth(count - 1).wait_for()
    assert await rows.count() == count


async def make_by_hand(lin: Screen) -> None:
    """A packet of 20.00 for two, by luck and by link, with a message."""
    await lin.role("link", "Red packets and splits|红包与 AA 收款").click()
    await lin.role("heading", "^(Splits|AA 收款)$").first.wait_for()
    await lin.seen("together", whole=True)
    await lin.page.locator("nav a").first.click()
    await type_amount(lin, "20")
    await lin.seen("packet-amount")
    await lin.role("button", "Continue|继续").click()
    shares = lin.page.get_by_label(re.compile("^(Shares|红包个数)$"))
    await shares.fill("0")
    await lin.page.get_by_text(re.compile("whole number|整数")).wait_for()
    await shares.fill("2")
    await lin.page.get_by_label(re.compile("Message|留言")).fill(WORDS[lin.look.language])
    await lin.seen("packet-details", whole=True)
    await lin.role("button", "Look it over|下一步").click()
    dialog = lin.page.get_by_role("dialog")
    await dialog.wait_for()
    await lin.seen("packet-sure")
    await dialog.get_by_role("button", name=re.compile("¥20.00")).dblclick()
    await lin.role("img", "QR|二维码").wait_for()
    await lin.seen("packet-made", whole=True)


async def path_of_last(stage: Stage, maker: Person) -> tuple[str, str]:
    """The id and the link of the last packet that somebody made."""
    async with stage.server.client(maker.key) as client:
        packet = made(await client.get("/v1/wallet/packets"))["data"][0]["id"]
        url = made(await client.get(f"/v1/wallet/packets/{packet}/link"))["url"]
    return packet, "/wallet/" + url.partition("/wallet/")[2]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_packet_goes_round(stage: Stage, look: Look) -> None:
    noor = await friend(stage, f"noor{LOOKS.index(look)}", LONG)
    before = await stage.balance(stage.lin), await stage.balance(stage.mei)
    async with (
        stage.phone(stage.lin, look) as lin,
        stage.phone(stage.mei, look) as mei,
        stage.phone(noor, look) as third,
    ):
        await make_by_hand(lin)
        assert await stage.balance(stage.lin) == before[0] - 2000
        packet, path = await path_of_last(stage, stage.lin)

        # the first is seen live by the maker, the second by both
        await mei.open(path)
        seal = mei.page.locator("button.seal")
        await seal.wait_for()
        await mei.page.get_by_text(WORDS[look.language]).wait_for()
        await mei.seen("packet-sealed")
        await seal.dblclick()
        await mei.page.get_by_text(re.compile("in your balance|已存入余额")).wait_for()
        await listed(lin, 1)
        await mei.seen("packet-opened", whole=True)
        await third.open(path)
        await third.page.locator("button.seal").click()
        for screen in (lin, mei, third):
            await listed(screen, 2)
            await screen.page.get_by_text(re.compile("Luckiest|手气最佳")).wait_for()
        await lin.seen("packet-emptied", whole=True)
        await third.seen("packet-long-name", whole=True)
        got = await stage.balance(stage.mei) - before[1] + await stage.balance(noor) - 10_000
        assert got == 2000
        await mei.open("/wallet/history")
        await mei.page.get_by_text(WORDS[look.language]).first.wait_for()

    # whoever comes later, and whoever has a wrong link
    late = await friend(stage, f"late{LOOKS.index(look)}", "Late")
    async with stage.phone(late, look) as screen:
        await screen.open(path)
        await screen.role("heading", "All shares are gone|红包派完了").wait_for()
        await screen.seen("packet-gone")
        await screen.open("/wallet/packet#" + "A" * 22)
        await screen.role("heading", "No such red packet|找不到这个红包").wait_for()
        await screen.open(f"/wallet/packets/{packet}")
        await screen.role("heading", "No such red packet|找不到这个红包").wait_for()
        await screen.seen("packet-none")


async def test_two_tabs_open_one_share(stage: Stage) -> None:
    _, path = await new_packet(stage, stage.lin)
    before = await stage.balance(stage.mei)
    async with stage.phone(stage.mei) as phone:
        other = await phone.context.new_page()
        await other.goto(f"{phone.url}{path}")
        await phone.open(path)
        for page in (phone.page, other):
            await page.locator("button.seal").wait_for()
        await phone.page.locator("button.seal").click()
        await phone.page.get_by_text("in your balance").wait_for()
        # the other tab hears of it, or finds out when it is pressed
        await other.evaluate("() => document.querySelector('button.seal')?.click()")
        await other.get_by_text("in your balance").wait_for()
    assert await stage.balance(stage.mei) == before + 500


async def test_a_named_packet_waits_at_home_and_is_opened_without_motion(stage: Stage) -> None:
    async with stage.phone(stage.mei) as phone:
        await phone.page.emulate_media(reduced_motion="reduce")
        await new_packet(stage, stage.lin, to=["mei"], shares=1, message="Happy birthday")
        await phone.role("link", "Lin has a red packet for you").click()
        await phone.page.locator("button.seal").focus()
        await phone.page.keyboard.press("Enter")
        await phone.page.get_by_text("in your balance").wait_for()
        await phone.seen("packet-still")


async def test_a_lost_network_opens_nothing_twice(stage: Stage) -> None:
    """The answer to the opening is lost: the phone says so, asks again, and it is one share."""
    _, path = await new_packet(stage, stage.lin)
    before = await stage.balance(stage.mei)
    async with stage.phone(stage.mei) as phone:
        await phone.open(path)
        lost = 0

        async def lose(route: object) -> None:
            nonlocal lost
            lost += 1
            if lost == 1:
                await route.fetch()  # type: ignore[attr-defined]  # Playwright's Route
                await route.abort()  # type: ignore[attr-defined]  # as above
            else:
                await route.continue_()  # type: ignore[attr-defined]  # as above

        await phone.page.route("**/open", lose)
        await phone.page.locator("button.seal").click()
        await phone.page.get_by_text("nothing is done twice").wait_for()
        await phone.page.get_by_text("in your balance").wait_for()
        await phone.page.get_by_text("nothing is done twice").wait_for(state="detached")
        phone.complaints.clear()  # the browser notes what was aborted
    assert lost == 2
    assert await stage.balance(stage.mei) == before + 500


async def test_it_is_taken_back(stage: Stage) -> None:
    before = await stage.balance(stage.lin)
    packet, path = await new_packet(stage, stage.lin)
    async with stage.phone(stage.lin) as phone, stage.phone(stage.mei) as other:
        await phone.open(f"/wallet/packets/{packet}")
        await phone.role("button", "Take it back").click()
        await phone.role("button", "Take ¥10.00 back").click()
        await phone.page.get_by_text("Came back to you").wait_for()
        await phone.seen("packet-back")
        await other.open(path)
        await other.role("heading", "Taken back").wait_for()
    assert await stage.balance(stage.lin) == before


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_bill_is_split(stage: Stage, look: Look) -> None:
    number = LOOKS.index(look)
    noor = await friend(stage, f"noor.s{number}", LONG)
    async with (
        stage.phone(stage.lin, look) as lin,
        stage.phone(stage.mei, look) as mei,
    ):
        await lin.open("/wallet/splits/new")
        await type_amount(lin, "100")
        await lin.role("button", "Continue|继续").click()
        for handle in ("mei", "lin", noor.handle):
            await lin.page.get_by_label(re.compile("Add somebody|添加一个人")).fill(handle)
            await lin.role("button", "^(Add|添加)$").click()
            await lin.page.wait_for_timeout(150)
        await lin.role("button", "off the list|移除").nth(1).wait_for()
        await lin.page.get_by_label(re.compile("Message|留言")).fill(WORDS[look.language])
        await lin.seen("split-people", whole=True)
        await lin.role("button", "¥66.66").dblclick()
        await lin.page.get_by_role("progressbar").wait_for()
        await lin.seen("split-made", whole=True)

        # one pays, and it is seen at once; the other says no
        await mei.role("link", "Lin").first.click()
        await mei.role("button", "¥33.33").click()
        await mei.role("heading", "^(Sent|转账成功)$").wait_for()
        await lin.page.get_by_text(re.compile("^(Paid|已付款)$")).wait_for()
        await lin.role("button", "Remind|提醒还没付的人").click()
        await lin.page.get_by_text(re.compile("Remind again|可再次提醒")).wait_for()
        async with stage.server.client(noor.key) as client:
            (request,) = made(await client.get("/v1/wallet/requests"))["data"]
            await post(client, f"/v1/wallet/requests/{request['id']}/decline", {})
        await lin.page.get_by_text(re.compile("Everybody has answered|都已答复")).wait_for()
        await lin.seen("split-done", whole=True)
        split = lin.page.url.rpartition("/")[2]
        await mei.open(f"/wallet/splits/{split}")
        await mei.role("heading", "No such split|找不到这笔").wait_for()

        # those who were chosen before are offered the next time
        await lin.open("/wallet/splits/new")
        await type_amount(lin, "5")
        await lin.role("button", "Continue|继续").click()
        await lin.role("button", "^Mei$").click()
        await lin.role("button", "off the list|移除").wait_for()


async def test_a_payment_is_split_by_amounts(stage: Stage) -> None:
    async with stage.server.client(stage.lin.key) as client:
        pay = {"amount": 3801, "currency": "CNY", "code": stage.shop.code}
        payment = (await post(client, "/v1/wallet/payments", pay))["id"]
    async with stage.phone(stage.lin) as phone:
        await phone.open(f"/wallet/payments/{payment}")
        await phone.role("link", "Split with others").click()
        await phone.page.get_by_label("Add somebody").fill("mei")
        await phone.role("button", "^Add$").click()
        await phone.page.get_by_text("By amounts").click()
        part = phone.page.get_by_label("Part of Mei")
        await part.fill("99")
        await phone.page.get_by_text("¥60.99 more than there is").wait_for()
        await phone.seen("split-over", whole=True)
        await part.fill("12.34")
        await phone.role("button", "Ask for ¥12.34").click()
        await phone.page.get_by_role("progressbar").wait_for()
        await phone.role("link", "See the payment").click()
        await phone.page.get_by_text(payment).wait_for()
        # what was half done is withdrawn
        await phone.open("/wallet/together")
        await phone.role("link", "0 of 1 paid").first.click()
        await phone.role("button", "Cancel what is unpaid").click()
        await phone.role("button", "^Withdraw$").click()
        await phone.page.get_by_text("Everybody has answered.").wait_for()
