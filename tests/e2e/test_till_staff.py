"""A shop's staff: invited by a link, at the till by a passkey, signed out in mid-payment."""

import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from playwright.async_api import Route

from browsing import PHONE, Look, Screen, Stage, end_sessions, pay_code_of, type_amount
from cafes import cafe, pay, scan
from living import made, post
from passkeys import Passkeys

LOOKS = [Look(), Look("zh", "dark", (1024, 768))]


async def invite(stage: Stage, name: str, role: str, **more: int) -> Any:  # noqa: ANN401 - JSON
    """Invite somebody to the shop's staff; the first must be its owner."""
    async with stage.server.client(stage.server.operator_key) as operator:
        path = f"/v1/merchants/{stage.shop.merchant_id}/staff"
        return await post(operator, path, {"name": name, "role": role} | more)


async def accept(screen: Screen, token: str) -> None:
    """Make the passkey that an invitation asks for."""
    await screen.open(f"/join#{token}")
    await screen.role("button", "Make my passkey|创建我的通行密钥").click()
    await screen.role("heading", "^(Welcome|欢迎)").wait_for()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_from_an_invitation_to_the_till(stage: Stage, look: Look) -> None:
    name = "Xu Jia" if look.language == "en" else "Xu <img src=x onerror=alert(1)>"
    token = (await invite(stage, name, "cashier"))["token"]
    async with stage.screen(look) as screen:
        keys = await Passkeys.of(screen)
        await screen.open(f"/join#{token}")
        await screen.role("heading", "Blue Door").wait_for()
        await screen.seen("join")
        await keys.refuse()
        await screen.role("button", "Make my passkey|创建我的通行密钥").click()
        await screen.page.get_by_role("alert").wait_for()
        await screen.seen("join-refused")
        await keys.allow()
        await screen.role("button", "Make my passkey|创建我的通行密钥").click()
        await screen.role("heading", "^(Welcome|欢迎)").wait_for()
        assert token not in screen.page.url
        assert await screen.role("link", "console|控制台").count() == 0
        await screen.seen("join-welcome")

        # straight on to the till
        await screen.role("link", "Open the till|打开收银台").click()
        await screen.role("button", "Till 1").wait_for()
        await screen.seen("till-where")
        await screen.role("button", "Till 1").click()
        await screen.page.get_by_text(re.compile("^(Online|在线)$")).wait_for()
        await screen.page.get_by_text(name[:7]).first.wait_for()
        await screen.seen("till-staff")

        # a link is good once
        await screen.open(f"/join#{token}")
        await screen.page.reload()
        await screen.role("heading", "This invitation is over|邀请已失效").wait_for()
        await screen.seen("join-over")

        # signing out leaves the till where it is, for whoever comes next
        await screen.open("/till")
        await screen.role("button", "^(Settings|设置)$").click()
        await screen.seen("till-settings-staff")
        await screen.role("button", "Sign out|退出登录").click()
        await screen.role("button", "Sign in with a passkey|用通行密钥登录").wait_for()
        await screen.seen("till-signed-out")
        await screen.role("button", "Sign in with a passkey|用通行密钥登录").click()
        await screen.page.get_by_text(re.compile("^(Online|在线)$")).wait_for()


async def test_a_session_that_ends_in_mid_payment(stage: Stage) -> None:
    token = (await invite(stage, "Bo", "manager"))["token"]
    async with stage.screen(Look(size=(1024, 768))) as till, stage.phone(stage.lin) as phone:
        await Passkeys.of(till)
        await accept(till, token)
        await till.role("link", "Open the till").click()
        await till.role("button", "Till 1").click()
        await till.page.get_by_text("Online").wait_for()
        before = await stage.balance(stage.lin)

        # the order is on the screen, and the session is ended elsewhere
        await type_amount(till, "12")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        await end_sessions(stage)
        await till.role("button", "Sign in with a passkey").wait_for()
        await till.seen("till-over")
        assert await stage.balance(stage.lin) == before
        await till.page.reload()  # nor does a new page lose the payment
        await till.role("button", "Sign in with a passkey").click()
        await till.role("img", "order’s code").wait_for()

        # what the shop takes is followed again
        async with stage.server.client(stage.shop.key) as client:
            path = f"/v1/shops/{stage.shop.shop_id}/acceptance"
            both_off = {"scan": {"enabled": False}, "tap": {"enabled": False}}
            made(await client.put(path, json={"ways": both_off}))
            await till.page.get_by_text("takes no way").wait_for()
            made(await client.put(path, json={"ways": {}}))
            await till.role("img", "order’s code").wait_for()

        # whoever signed in goes on with it
        await phone.role("link", "^Pay$").first.click()
        code = await pay_code_of(phone)
        await till.page.keyboard.type(code)
        await till.page.keyboard.press("Enter")
        await till.role("heading", "^Paid$").wait_for()
        assert await stage.balance(stage.lin) == before - 1200


async def test_the_door_of_a_sandbox(stage: Stage) -> None:
    """In a sandbox anybody of the staff may be chosen; a wallet's passkey opens no till."""
    await invite(stage, "Ines", "owner")
    async with stage.screen(Look(size=PHONE)) as screen:
        await Passkeys.of(screen)
        await screen.open("/wallet")
        await screen.page.get_by_label("Your name").fill("Fay")
        await screen.page.get_by_label("Your handle").fill("fay")
        await screen.role("button", "Open my wallet").click()
        await screen.page.get_by_role("navigation").first.wait_for()
        await screen.open("/till")
        await screen.role("button", "Sign in with a passkey").click()
        await screen.page.get_by_text("That is the passkey of a wallet, Fay.").wait_for()
        await screen.seen("till-other-kind")
        await screen.role("button", "Ines").click()
        await screen.role("button", "Till 1").click()
        await screen.page.get_by_text("Online").wait_for()
        found = made(await _who(stage, screen))
        assert found["name"] == "Ines"


async def walk_in(screen: Screen, name: str) -> None:
    """Sign in as one of the staff, without a passkey: it is a sandbox."""
    await screen.role("button", name).click()


async def test_a_cashier_refunds_up_to_a_limit_and_keeps_the_shift(stage: Stage) -> None:
    async with cafe(stage, items=False) as shop, stage.screen(Look()) as till:
        other = replace(stage, shop=shop)
        await invite(other, "Ada of the Café", "owner")
        await invite(other, "Bo of the Café", "cashier", refund_limit=500)
        await invite(stage, "Somebody Else", "owner")
        await Passkeys.of(till)
        await till.open("/till")
        await walk_in(till, "Bo of the Café")
        await till.role("button", "Till 1").click()
        await till.page.get_by_text("Online").wait_for()

        await till.role("button", "^Shift$").click()
        await till.role("button", "Open the shift").click()
        await till.page.get_by_text("X report").wait_for()
        await till.role("button", "^Back$").click()
        await type_amount(till, "12")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code").wait_for()
        paid = await pay(stage, shop)
        await till.role("heading", "^Paid$").wait_for()
        await till.page.keyboard.press("Enter")

        # the limit itself is given back; the answer is lost and the session ends: one refund, once
        # somebody is there again
        await till.role("button", "Charge").wait_for()
        await give_back(till, paid["id"], "5")
        lost = partial(lose_and_end, stage)
        await till.page.route("**/refunds", lost, times=1)
        await till.role("button", "Refund ¥5.00").click()
        await walk_in(till, "Ada of the Café")
        await till.role("heading", "Refunded").wait_for()
        async with stage.server.client(shop.key) as client:
            now = made(await client.get(f"/v1/payments/{paid['id']}"))
            assert now["refunded"] == 500

        # another shop's staff does not take over this one's till
        await end_sessions(stage)
        await walk_in(till, "Somebody Else")
        await till.role("heading", "Which till is this").wait_for()
        till.complaints.clear()  # of what was refused and lost


async def give_back(screen: Screen, payment: str, amount: str) -> None:
    """Find a payment by its receipt's code, and type what is given back of it."""
    await scan(screen, payment)
    await screen.role("button", "^(Refund|退款)$").click()
    dialog = screen.page.get_by_role("dialog")
    await dialog.get_by_label(re.compile("Amount, up to|金额，最多")).fill(amount)


@pytest.mark.parametrize("look", [Look("zh", "dark")], ids=lambda look: look.name)
async def test_a_manager_approves_at_the_till(stage: Stage, look: Look) -> None:
    """A cashier's refund above their limit goes by a manager's own passkey, there and then."""
    mo, yi = f"Mo {look.name}", f"Yi {look.name}"
    async with cafe(stage, items=False) as shop, stage.screen(look) as till:
        other = replace(stage, shop=shop)
        token = (await invite(other, mo, "manager"))["token"]
        yi_id = (await invite(other, yi, "cashier", refund_limit=500))["staff"]["id"]
        keys = await Passkeys.of(till)
        await accept(till, token)
        await till.context.clear_cookies()  # Mo was here, and their passkey is still on this device
        await till.open("/till")
        await walk_in(till, yi)
        await till.role("button", "Till 1").click()
        await till.page.get_by_text(re.compile("^(Online|在线)$")).wait_for()
        await type_amount(till, "12")
        await till.page.keyboard.press("Enter")
        await till.role("img", "order’s code|二维码").wait_for()
        paid = await pay(stage, shop)
        await till.role("heading", "^(Paid|付款成功)").wait_for()
        await till.page.keyboard.press("Enter")
        await till.role("button", "Charge|收款").first.wait_for()

        # above the limit: who can approve it is named; who is not verified approves nothing
        await give_back(till, paid["id"], "6.50")
        await till.role("button", "Refund ¥6.50|退款 ¥6.50").click()
        await till.role("heading", "Needs approval|需要批准").wait_for()
        await till.page.get_by_role("listitem").get_by_text(mo).wait_for()
        await till.seen("till-approve")
        await keys.refuse()
        approve = till.role("button", "Approve the refund of ¥6.50|批准退款 ¥6.50")
        await approve.click()
        await till.page.get_by_role("alert").wait_for()
        await till.seen("till-approve-refused")
        await keys.allow()
        await approve.click()
        await till.role("heading", "Refunded|已退款").wait_for()

        # the session is the cashier's still, and the log has both names
        assert made(await _who(stage, till))["id"] == yi_id
        async with stage.server.client(shop.key) as client:
            assert made(await client.get(f"/v1/payments/{paid['id']}"))["refunded"] == 650
        async with stage.server.client(stage.server.operator_key) as operator:
            params = {"owner": shop.merchant_id, "action": "create_refund", "outcome": "done"}
            (row,) = made(await operator.get("/v1/audit/all", params=params))["data"]
            names = (row["actor_name"], row["approver_name"])
            assert names == (yi, mo)


async def lose_and_end(stage: Stage, route: Route) -> None:
    """Let the request through, lose its answer, and end the session."""
    await route.fetch()
    await end_sessions(stage)
    await route.abort("connectionreset")


async def _who(stage: Stage, screen: Screen) -> Any:  # noqa: ANN401 - a response
    """Who is signed in there, as the API says."""
    cookies = await screen.context.cookies()
    token = next(one["value"] for one in cookies if one["name"] == "tandem-merchant")
    async with stage.server.client() as client:
        return await client.get("/v1/session", headers={"Cookie": f"tandem-merchant={token}"})
