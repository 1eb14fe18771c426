"""Wallets with passkeys: signing up and in, other devices, recovery, confirming what is paid."""

import json
import re

import pytest
from playwright.async_api import expect

from browsing import DESK, Look, Screen, Stage, type_amount
from living import made, post
from passkeys import Passkeys

LOOKS = [Look(), Look("zh", "dark", DESK)]


async def sign_up(screen: Screen, handle: str, name: str) -> Passkeys:
    """A wallet that is opened with a passkey, in this browser."""
    keys = await Passkeys.of(screen)
    await screen.open("/wallet")
    await screen.page.get_by_label(re.compile("Your name|你的名字")).fill(name)
    await screen.page.get_by_label(re.compile("Your handle|你的账号名")).fill(handle)
    await screen.role("button", "Open my wallet|开通钱包").click()
    await screen.page.get_by_role("navigation").first.wait_for()
    return keys


async def top_up(stage: Stage, handle: str, yuan: int) -> None:
    """Money from the operator."""
    async with stage.server.client(stage.server.operator_key) as operator:
        people = made(await operator.get("/v1/people", params={"search": handle}))["data"]
        found = next(one["id"] for one in people if one["handle"] == f"@{handle}")
        body = {"amount": yuan * 100, "currency": "CNY", "reference": f"bank-{handle}"}
        await post(operator, f"/v1/people/{found}/top-ups", body)


async def security(screen: Screen) -> None:
    """Go to the security page, from wherever it is."""
    await screen.open("/wallet/security")
    await screen.role("heading", "^(Passkeys|通行密钥)$").wait_for()
    await screen.role("heading", "^(Your data|你的数据)$").wait_for()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_wallet_and_its_passkey(stage: Stage, look: Look) -> None:
    handle = f"ada.{look.language}"
    async with stage.screen(look) as phone:
        keys = await Passkeys.of(phone)
        await phone.open("/wallet")
        await phone.role("button", "Open my wallet|开通钱包").wait_for()
        await phone.seen("start-passkey")

        # whoever is not verified has no wallet, and is told so
        await keys.refuse()
        await phone.page.get_by_label(re.compile("Your name|你的名字")).fill("Ada")
        await phone.page.get_by_label(re.compile("Your handle|你的账号名")).fill(handle)
        await phone.role("button", "Open my wallet|开通钱包").click()
        await phone.page.get_by_role("alert").wait_for()
        await phone.seen("start-refused")
        await keys.allow()
        await phone.role("button", "Open my wallet|开通钱包").click()
        await phone.page.get_by_role("navigation").first.wait_for()
        assert len(await keys.all()) == 1

        await security(phone)
        await phone.seen("security", whole=True)

        # leaving and coming back by the same passkey
        await phone.open("/wallet/settings")
        await phone.role("button", "Leave this phone|退出这部手机").click()
        await phone.role("button", "Forget the wallet here|在此忘记钱包").click()
        await phone.role("button", "I have a wallet already|我已有钱包").click()
        await phone.seen("start-back")
        await phone.role("button", "Sign in with a passkey|用通行密钥登录").click()
        await phone.page.get_by_role("navigation").first.wait_for()

        # the device that was left is out of use, and the new one is there instead
        await security(phone)
        devices = phone.page.get_by_role("list", name=re.compile("^(Devices|设备)$"))
        await expect(devices.get_by_role("listitem")).to_have_count(1)


async def test_what_is_above_the_limit_asks(stage: Stage) -> None:
    async with stage.screen() as phone:
        keys = await sign_up(phone, "bea", "Bea")
        await top_up(stage, "bea", 500)
        await security(phone)
        above = phone.page.get_by_label("Above (CNY)")
        await above.fill("many")
        await phone.role("button", "Save the limit").first.click()
        await phone.page.get_by_text("Type an amount").wait_for()
        await above.fill("10")
        await phone.role("button", "Save the limit").first.click()
        await phone.page.get_by_text("Saved").wait_for()
        await phone.seen("security-above", whole=True)

        before = await stage.balance(stage.mei)
        await phone.open("/wallet/send")
        await phone.page.get_by_label("To whom?").fill("@mei")
        await phone.role("button", "Continue").click()
        await type_amount(phone, "20")
        await phone.role("button", "Send ¥20.00").click()
        dialog = phone.page.get_by_role("dialog")
        await keys.refuse()
        await dialog.get_by_role("button", name="Send ¥20.00").click()
        told = "Nothing was paid: {} needs your passkey. No passkey was used."
        await phone.page.get_by_text(told.format("¥20.00")).wait_for()
        await phone.seen("send-refused")
        assert await stage.balance(stage.mei) == before

        await keys.allow()
        await phone.role("button", "Send ¥20.00").click()
        await dialog.get_by_role("button", name="Send ¥20.00").dblclick()
        await phone.role("heading", "^Sent$").wait_for()
        assert await stage.balance(stage.mei) == before + 2000

        # what does not reach the limit asks nobody
        await keys.refuse()
        await phone.open("/wallet/send")
        await phone.page.get_by_label("To whom?").fill("@mei")
        await phone.role("button", "Continue").click()
        await type_amount(phone, "10")
        await phone.role("button", "Send ¥10.00").click()
        await dialog.get_by_role("button", name="Send ¥10.00").click()
        await phone.role("heading", "^Sent$").wait_for()

        # a shop's order waits until it is confirmed
        order = await stage.order(3800)
        await phone.open("/wallet/scan")
        await phone.page.get_by_label("The code’s text or link").fill(order["code"]["url"])
        await phone.role("button", "Look it up").click()
        await phone.role("button", "Pay ¥38.00").click()
        await phone.page.get_by_text(told.format("¥38.00")).wait_for()
        await phone.seen("confirm-refused")
        await keys.allow()
        await phone.role("button", "Pay ¥38.00").click()
        await phone.role("heading", "^Paid$").wait_for()


async def test_a_lost_answer_confirms_once(stage: Stage) -> None:
    """The answer to what was confirmed is lost: the same is sent again, and done once."""
    async with stage.screen() as phone:
        await sign_up(phone, "cem", "Cem")
        await top_up(stage, "cem", 500)
        await security(phone)
        await phone.page.get_by_label("Above (CNY)").fill("0")
        await phone.role("button", "Save the limit").first.click()
        await phone.page.get_by_text("Saved").wait_for()
        lost: list[str] = []

        async def lose(route, request) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - Playwright's
            if '"assertion":{' in (request.post_data or "") and not lost:
                lost.append((await route.fetch()).headers.get("x-request-id", ""))
                await route.abort()
            else:
                await route.continue_()

        await phone.page.route("**/v1/wallet/sends", lose)
        before = await stage.balance(stage.mei)
        await phone.open("/wallet/send")
        await phone.page.get_by_label("To whom?").fill("@mei")
        await phone.role("button", "Continue").click()
        await type_amount(phone, "5")
        await phone.role("button", "Send ¥5.00").click()
        dialog = phone.page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Send ¥5.00").click()
        await phone.role("heading", "^Sent$").wait_for()
        assert len(lost) == 1
        assert await stage.balance(stage.mei) == before + 500
        phone.complaints.clear()  # the browser tells of the answer that was lost


async def test_other_devices_and_recovery(stage: Stage) -> None:
    async with stage.screen() as phone, stage.screen() as tablet, stage.screen() as found:
        await sign_up(phone, "dov", "Dov")
        await security(phone)
        await phone.page.get_by_text("You have no recovery codes").wait_for()
        await phone.role("button", "Make recovery codes").click()
        dialog = phone.page.get_by_role("dialog")
        codes = dialog.get_by_role("listitem")
        await expect(codes).to_have_count(10)
        recovery = await codes.first.inner_text()
        await phone.seen("recovery-codes")
        async with phone.page.expect_download() as download:
            await dialog.get_by_role("button", name="Save as a file").click()
        kept = (await (await download.value).path()).read_text(encoding="utf-8")
        assert recovery in kept
        assert "@dov" in kept
        await dialog.get_by_role("button", name="I have kept them").click()
        await phone.page.get_by_text("10 codes are left").wait_for()

        # a second device, by a code that the first shows
        await phone.role("button", "Show a code").click()
        code = await dialog.locator(".code").inner_text()
        await phone.seen("device-code")
        await dialog.get_by_role("button", name="Done").click()
        await Passkeys.of(tablet)
        await by_code(tablet, "dov", "0000-0000")
        await tablet.page.get_by_text("do not go together").wait_for()
        await tablet.seen("start-code")
        await tablet.page.get_by_label("Code").fill(code.lower())
        await tablet.role("button", "Make a passkey here").click()
        await tablet.page.get_by_role("navigation").first.wait_for()
        await security(tablet)
        passkeys = tablet.page.get_by_role("list", name="Passkeys")
        await expect(passkeys.get_by_role("listitem")).to_have_count(2)
        sessions = tablet.page.get_by_role("list", name="Where you are signed in")
        await expect(sessions.get_by_role("listitem")).to_have_count(2)

        # with nothing left: a recovery code, after which nobody else is signed in
        await Passkeys.of(found)
        await by_code(found, "@Dov", recovery)
        await found.page.get_by_role("navigation").first.wait_for()
        await security(found)
        mine = found.page.get_by_role("list", name="Where you are signed in")
        await expect(mine.get_by_role("listitem")).to_have_count(1)
        await found.page.get_by_text("9 codes are left").wait_for()

        # the lost phone is taken out of use, and forgets the wallet
        devices = found.page.get_by_role("list", name="Devices")
        await expect(devices.get_by_role("listitem")).to_have_count(3)
        await rename_last(found, "Dov’s old phone")
        await devices.get_by_role("button", name="Take out of use").last.click()
        await found.page.get_by_role("dialog").get_by_text("Dov’s old phone").wait_for()
        await found.seen("device-lost")
        await found.page.get_by_role("dialog").get_by_role("button", name="Take out of use").click()
        await expect(devices.get_by_role("listitem")).to_have_count(2)
        await phone.open("/wallet")
        await phone.role("button", "Open my wallet").wait_for()


async def rename_last(screen: Screen, name: str) -> None:
    """Give the last device in the list another name; one that cannot be shown is refused."""
    devices = screen.page.get_by_role("list", name="Devices")
    await devices.get_by_role("button", name="Rename").last.click()
    field = screen.page.get_by_label("Name of the device")
    await field.fill(f"{name}\u202e")
    await screen.role("button", "Save the name").click()
    await screen.page.get_by_role("alert").wait_for()
    await screen.seen("device-rename")
    await field.fill(name)
    await screen.role("button", "Save the name").click()
    await devices.get_by_text(name).wait_for()


async def by_code(screen: Screen, handle: str, code: str) -> None:
    """Come in by a code."""
    await screen.open("/wallet")
    await screen.role("button", "I have a wallet already").click()
    await screen.role("button", "Use a code").click()
    await screen.page.get_by_label("Your handle").fill(handle)
    await screen.page.get_by_label("Code").fill(code)
    await screen.role("button", "Make a passkey here").click()


async def test_an_older_wallet_gets_its_first_passkey(stage: Stage) -> None:
    """At an address of digits it is told where; at a name the key of its device will do."""
    async with stage.phone(stage.lin) as phone:
        await phone.open("/wallet/security")
        await phone.page.get_by_text("On this machine passkeys work under the name").wait_for()
        await phone.seen("security-digits", whole=True)
    async with stage.screen() as phone:
        await Passkeys.of(phone)
        async with stage.server.client(stage.lin.key) as client:
            device = await post(client, "/v1/people/me/devices", {"name": "Laptop"})
        link = ".".join(device[name] for name in ("key", "code_index", "code_seed"))
        await phone.open(f"/wallet/connect#{link}")
        await phone.role("button", "Connect this phone").click()
        await phone.page.get_by_role("navigation").first.wait_for()
        assert device["key"] not in phone.page.url
        await security(phone)
        await phone.role("button", "Add a passkey").click()
        dialog = phone.page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Add a passkey").click()
        await phone.page.get_by_text("You have no recovery codes").wait_for()
        await phone.page.get_by_text("Nowhere at the moment.").wait_for()


async def sign_out_everywhere(phone: Screen) -> None:
    """Ended is what is confirmed."""
    await phone.role("button", "Sign out everywhere").click()
    await phone.seen("passkey-sessions-end")
    sure = phone.page.get_by_role("dialog")
    await sure.get_by_role("button", name="Sign out everywhere").click()


async def test_passkeys_are_looked_after(stage: Stage) -> None:
    """One is named, added and removed, the last one stays; and all that is kept is a file."""
    async with stage.screen() as phone:
        keys = await sign_up(phone, "eva", "Eva")
        await security(phone)
        passkeys = phone.page.get_by_role("list", name="Passkeys")
        await passkeys.get_by_role("button", name="Remove").click()
        dialog = phone.page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Remove").click()
        await phone.page.get_by_text("This is your last passkey.").wait_for()

        # the same device has one already
        await phone.role("button", "Add a passkey").click()
        await dialog.get_by_label("Name of the passkey").fill("<b>Watch</b>")
        await dialog.get_by_role("button", name="Add a passkey").click()
        await dialog.get_by_text("has a passkey for this already").wait_for()
        await phone.seen("passkey-add")
        assert len(await keys.all()) == 1
        await phone.page.keyboard.press("Escape")

        # all sessions are ended; what changes passkeys signs in first
        await sign_out_everywhere(phone)
        await phone.page.get_by_text("Nowhere at the moment.").wait_for()
        await phone.role("button", "Make recovery codes").click()
        await dialog.get_by_role("button", name="I have kept them").click()
        sessions = phone.page.get_by_role("list", name="Where you are signed in")
        await sessions.get_by_text("Here").wait_for()

        # later the passkey is asked for again; without it nothing is changed
        await later(stage)
        await keys.refuse()
        await phone.role("button", "Make new codes").click()
        await phone.page.get_by_text("No passkey was used.").wait_for()
        await phone.page.get_by_text("10 codes are left").wait_for()
        await phone.seen("security-stale")
        await keys.allow()
        await phone.role("button", "Make new codes").click()
        await dialog.get_by_role("button", name="I have kept them").click()

        # and everything as a file
        async with phone.page.expect_download() as download:
            await phone.role("button", "Save my data").click()
        kept = json.loads((await (await download.value).path()).read_text(encoding="utf-8"))
        assert kept["profile"]["handle"] == "@eva"
        assert len(kept["passkeys"]) == 1
        await phone.page.get_by_text("Your data is saved as tandem-eva-").wait_for()

        # a document that is cut off is not saved
        async def cut(route, _) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - Playwright's
            await route.fulfill(status=200, body=json.dumps(kept)[:-1])

        await phone.page.route("**/v1/people/me/data", cut)
        await phone.role("button", "Save my data").click()
        await phone.page.get_by_text("The file did not come whole").wait_for()

        # an older copy of the passkey is used: it signs nobody in any more
        await later(stage)
        await keys.go_back()
        await phone.role("button", "Make new codes").click()
        await phone.page.get_by_text("This passkey may have been copied").wait_for()
        await security(phone)
        await passkeys.get_by_text("May have been copied").wait_for()
        await phone.seen("security-suspect", whole=True)


async def later(stage: Stage) -> None:
    """Longer than a passkey that was asked for is good for changing how one signs in."""
    async with stage.server.client(stage.server.operator_key) as operator:
        await post(operator, "/v1/sandbox/clock/advance", {"seconds": 660})
