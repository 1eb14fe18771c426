"""The console of the operator's staff: what it looks after, and how each page looks."""

from typing import Any

import pytest

from browsing import DESK, Look, Screen, Stage
from living import made, post

# Each language, appearance and width once; the gallery has every component in all of them.
LOOKS = [Look("en", "light", DESK), Look("zh", "dark")]
# Each two of them together, for the pages as they are found.
PAIRS = [*LOOKS, Look("en", "dark"), Look("zh", "light", DESK)]
SPAM = "Congratulations! You won a prize, claim your cash at bit.ly/3xYz"
DEVICE_KEY = "CQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="


async def lin_of(stage: Stage) -> dict[str, Any]:
    """Lin, as the operator knows her, with a card and a payment."""
    async with stage.server.client(stage.lin.key) as phone:
        cards = made(await phone.get("/v1/people/me/cards"))["data"]
        if not any(card["status"] == "active" for card in cards):
            body = {"currency": "CNY", "device_key": DEVICE_KEY}
            await post(phone, "/v1/people/me/cards", body)
        order = await stage.order(3800)
        await post(phone, "/v1/wallet/payments", {"code": order["code"]["url"]})
        person: dict[str, Any] = made(await phone.get("/v1/people/me"))
    return person | {"payment": order["id"]}


async def why(screen: Screen, button: str, reason: str = "She lost her phone") -> None:
    """Answer the question of something that changes what is another's."""
    dialog = screen.page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill(reason)
    await dialog.get_by_role("button", name=button, exact=True).click()
    await dialog.wait_for(state="hidden")


PAGES = {
    "overview": "",
    "people": "people",
    "payments": "payments",
    "cards": "cards",
    "messages": "messages",
    "merchants": "merchants",
    "ledger": "ledger",
    "verifications": "verifications",
    "health": "health",
    "jobs": "jobs",
    "keys": "keys",
    "staff": "staff",
    "audit": "audit",
}


# First, so that it shows the same each time: its pictures are compared.
@pytest.mark.parametrize("look", PAIRS, ids=lambda look: look.name)
async def test_each_page(stage: Stage, look: Look) -> None:
    lin = await lin_of(stage)
    await held_message(stage)
    async with stage.server.client(stage.server.operator_key) as operator:
        (card, *_) = made(await operator.get("/v1/cards", params={"person_id": lin["id"]}))["data"]
        booked = made(await operator.get(f"/v1/ledger/payments/{lin['payment']}"))["transfers"]
    single = {
        "person": f"people/{lin['id']}",
        "card": f"cards/{card['id']}",
        "merchant": f"merchants/{stage.shop.merchant_id}",
        "payment": f"payments/{lin['payment']}",
        "account": f"ledger/{booked[0]['debit_account_id']}?since=2026-01-01",
        "entry": f"ledger/{booked[0]['entry_id']}",
    }
    async with stage.member("owner", look) as screen:
        for name, path in (PAGES | single).items():
            await screen.open(f"/console/{path}")
            await screen.page.locator("h1").wait_for()
            await screen.seen(f"operator-{name}", whole=True)
        await screen.open(f"/console/people/{lin['id']}")
        await screen.role("button", "^(Suspend|停用)$").click()
        await screen.page.get_by_role("dialog").wait_for()
        await screen.seen("operator-why")


async def test_a_day_at_the_operators(stage: Stage) -> None:
    """Find a person, change a limit, suspend a lost phone's card, follow a payment, verify."""
    lin = await lin_of(stage)
    async with stage.member("owner") as screen:
        page = screen.page
        await page.get_by_role("searchbox").fill("@lin")
        await screen.role("button", "^Find$").click()
        await screen.role("heading", "^Lin$|^lin$").wait_for()
        # a limit
        await screen.role("button", "Change CNY limits").first.click()
        await page.get_by_role("dialog").get_by_label("For one payment").fill("123.45")
        await why(screen, "Change CNY limits", "Asked for it at the counter")
        await page.get_by_role("cell", name="¥123.45").first.wait_for()
        # the lost phone
        await screen.role("button", "^Lost$").first.click()
        await why(screen, "Lost")
        await page.reload()
        await screen.role("link", "•••• ").first.click()
        await page.get_by_text("Lost", exact=True).first.wait_for()
        await screen.role("button", "^Resume$").click()
        await why(screen, "Resume", "It was in her coat")
        await page.get_by_text("Active", exact=True).first.wait_for()
        # a payment to its entries and back
        await screen.open(f"/console/payments/{lin['payment']}")
        await page.get_by_role("cell", name="¥38.00").first.wait_for()
        await page.locator("td a[title^='ent_']").first.click()
        await screen.role("heading", "Journal entry").wait_for()
        await page.locator("td a[title^='acc_']").first.click()
        await screen.role("heading", "^Statement$").wait_for()
        await page.locator("td a[title^='pay_']").first.click()
        await screen.role("heading", "^Payment$").wait_for()
        # the books
        await screen.role("link", "^Verification$").click()
        await screen.role("button", "Begin a verification").first.click()
        await page.get_by_text("The books are right").wait_for()
        # what was done stands in the log, with why
        await screen.open("/console/audit?action=set_limits")
        await page.get_by_text("Asked for it at the counter").first.wait_for()


async def test_a_payment_by_card_says_who_verified_the_person(stage: Stage) -> None:
    asked = {"till_id": stage.shop.till_id, "amount": 3800, "currency": "CNY"}
    async with stage.server.client(stage.shop.key) as till:
        order = await post(till, "/v1/payments", asked)
    async with stage.server.client(stage.lin.key) as phone:
        tap = {"order_id": order["id"], "verified": True}
        paid = (await post(phone, "/v1/sandbox/taps", tap))["payment"]
    async with stage.member("support") as screen:
        await screen.open(f"/console/payments/{paid['id']}")
        facts = screen.page.locator("section", has=screen.role("heading", "^Tap$"))
        await facts.get_by_text("The device’s operating system").wait_for()
        await facts.get_by_text("Passcode").wait_for()
        await screen.seen("operator-payment-tap", whole=True)
        await facts.get_by_role("link").click()
        await screen.role("heading", "^•••• ").wait_for()


async def test_support_sees_what_it_may_do_and_no_more(stage: Stage) -> None:
    lin = await lin_of(stage)
    async with stage.member("support") as screen:
        await screen.open(f"/console/people/{lin['id']}")
        await screen.role("button", "^Suspend$").wait_for()
        await screen.role("heading", "^Limits$").wait_for()
        assert await screen.role("button", "Change CNY limits").count() == 0
        await screen.open("/console/verifications")
        await screen.role("heading", "^Verification$").wait_for()
        assert await screen.role("button", "Begin a verification").count() == 0
        await screen.open(f"/console/people/{lin['id']}")
        await screen.role("button", "Read the history").click()
        await screen.page.get_by_role("cell", name="Top-up").first.wait_for()
    async with stage.server.client(stage.server.operator_key) as operator:
        log = made(await operator.get("/v1/audit/all", params={"action": "get_history_of_person"}))
    assert (log["data"][0]["actor_name"], log["data"][0]["object"]) == ("Bo", lin["id"])


async def held_message(stage: Stage, appeal: str = "It is our joke.") -> str:
    """The id of money that Lin sent with a message that is held, and that she appealed."""
    async with stage.server.client(stage.lin.key) as phone:
        body = {"to": "mei", "amount": 5, "currency": "CNY", "message": SPAM}
        sent: str = (await post(phone, "/v1/wallet/sends", body))["id"]
        made(await phone.post(f"/v1/wallet/messages/{sent}/appeal", json={"text": appeal}))
    return sent


async def test_an_appeal_is_decided_on(stage: Stage) -> None:
    """Support reads what was held and why, rejects it, and releases it after all."""
    sent = await held_message(stage, "<b>It is</b> our joke.")
    async with stage.member("treasurer") as screen:
        await screen.open("/console/messages")
        await screen.page.get_by_text(SPAM).first.wait_for()
        assert await screen.role("button", "^(Release|Reject)$").count() == 0
    async with stage.member("support") as screen:
        page = screen.page
        await screen.role("link", "Appeals that wait for your decision").click()
        row = page.get_by_role("row").filter(has=page.locator(f"[title='{sent}']"))
        for words in (SPAM, "<b>It is</b> our joke.", "A shortened link", "Held"):
            await row.get_by_text(words).wait_for()
        await row.get_by_role("button", name="Reject").click()
        await why(screen, "Reject", "A prize that nobody gives")
        await row.wait_for(state="detached")
        await screen.open("/console/messages?state=rejected")
        await row.get_by_role("button", name="Release").click()
        assert await row.get_by_role("button", name="Reject").count() == 0
        await why(screen, "Release", "Their daughter called")
        await row.wait_for(state="detached")
    async with stage.server.client(stage.mei.key) as friend:
        assert made(await friend.get(f"/v1/wallet/sends/{sent}"))["message"] == SPAM
    async with stage.server.client(stage.server.operator_key) as operator:
        log = made(await operator.get("/v1/audit/all", params={"action": "release_message"}))
    told = log["data"][0]
    assert (told["object"], told["reason"]) == (sent, "Their daughter called")


async def test_an_export_is_saved_whole(stage: Stage) -> None:
    await lin_of(stage)
    async with stage.member("treasurer") as screen:
        await screen.open("/console/people")
        await screen.role("button", "^Export$").click()
        async with screen.page.expect_download() as coming:
            await screen.role("button", "Save the file").click()
        saved = await coming.value
        assert saved.suggested_filename == "people.csv"
        text = (await saved.path()).read_text(encoding="utf-8-sig")
        assert text.startswith("id,handle,name,status,created_at\n")
        assert "'@lin" in text


async def test_names_that_mean_harm_are_only_names(stage: Stage) -> None:
    async with stage.server.client(stage.server.operator_key) as operator:
        evil = '<img src=x onerror="document.title=1">'
        fees = {"fee_basis_points": 60, "fee_fixed": 10}
        await post(operator, "/v1/merchants", {"name": evil, "currencies": {"CNY": fees}})
    async with stage.member("owner") as screen:
        await screen.open("/console/merchants")
        await screen.page.get_by_text(evil).first.click()
        await screen.role("heading", "onerror").wait_for()
        for path in ("people/ppl_x", "ledger/acc_%3Cscript%3E", "cards/crd_1", "ledger/zzz"):
            await screen.open(f"/console/{path}")
            await screen.page.get_by_role("alert").first.wait_for()
