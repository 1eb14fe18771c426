"""Messages that are held: who wrote sees their own and appeals, who it is for sees that it is."""

import re

import pytest

from browsing import DESK, Look, Screen, Stage, type_amount
from living import post

SENDS = [
    (Look(), "Send me your PIN"),
    (Look("zh", "dark", DESK), "请把验证码发给我"),
]
ASKS = "Tell me your PIN code"
HIDDEN = re.compile("A message is hidden: it looks like spam|有一条留言疑似垃圾信息，已隐藏")
SHOWN_TO = re.compile("Only you see this message: it looks|只有你能看到。其他一切照常")
ASKED = re.compile("The operator was asked to look|已请运营方查看")
ASK = "Ask the operator to look at it|请运营方查看"


async def release(stage: Stage, text: str, appeal: str | None) -> str:
    """The operator finds what was appealed last, and releases it."""
    async with stage.server.client(stage.server.operator_key) as operator:
        listed = (await operator.get("/v1/screening", params={"appealed": "true"})).json()["data"]
        assert (listed[0]["message"], listed[0]["appeal"]) == (text, appeal)
        await post(operator, f"/v1/screening/{listed[0]['id']}/release")
    found: str = listed[0]["id"]
    return found


async def unseen(phone: Screen, text: str) -> None:
    """The note is here, and the text nowhere on the page."""
    await phone.page.get_by_text(HIDDEN).first.wait_for()
    assert text not in await phone.page.content()


@pytest.mark.parametrize(("look", "text"), SENDS, ids=["en", "zh"])
async def test_a_held_message_of_a_send(stage: Stage, look: Look, text: str) -> None:
    async with stage.phone(stage.lin, look) as lin, stage.phone(stage.mei, look) as mei:
        await lin.role("link", "^(Send|转账)$").click()
        await lin.page.get_by_label(re.compile("To whom|转给谁")).fill("@mei")
        await lin.role("button", "Continue|继续").click()
        await type_amount(lin, "3")
        await lin.page.get_by_label(re.compile("^(Message|留言)")).fill(text)
        await lin.role("button", "¥3.00").click()
        await lin.page.get_by_role("dialog").get_by_role("button", name="¥3.00").click()
        await lin.role("heading", "^(Sent|转账成功)$").wait_for()
        await lin.page.get_by_text(SHOWN_TO).wait_for()
        await lin.page.get_by_text(text).last.wait_for()
        await lin.seen("message-sent")

        # who it is for: the money is there, the text is not
        await unseen(mei, text)
        await mei.seen("message-home")
        await mei.page.get_by_role("link").filter(has_text=HIDDEN).first.click()
        await mei.role("heading", "^(Transfer|转账)$").wait_for()
        await unseen(mei, text)
        assert await mei.role("button", ASK).count() == 0
        await mei.seen("message-receipt-hidden")

        # its author asks, with a sentence, once
        await lin.role("button", ASK).click()
        await lin.page.get_by_label(re.compile("operator know|想对运营方")).fill("Our joke <b>")
        await lin.seen("message-why")
        await lin.role("button", "Send to the operator|发给运营方").dblclick()
        await lin.page.get_by_text(ASKED).wait_for()
        assert await lin.role("button", ASK).count() == 0

        await release(stage, text, "Our joke <b>")
        await lin.page.get_by_text(re.compile("is shown now|现已显示")).wait_for()
        await mei.page.get_by_text(text).wait_for()
        await mei.page.get_by_text(HIDDEN).wait_for(state="detached")
        await mei.role("link", "^(Back|返回)$").click()
        await mei.page.get_by_text(text).first.wait_for()
        await mei.seen("message-history-shown")


async def test_a_held_message_of_a_request(stage: Stage) -> None:
    async with stage.server.client(stage.lin.key) as client:
        ask = {"of": "@mei", "amount": 700, "currency": "CNY", "message": ASKS}
        request = await post(client, "/v1/wallet/requests", ask)
    assert request["message_state"] == "held"
    async with stage.phone(stage.lin) as lin, stage.phone(stage.mei) as mei:
        await mei.open(f"/wallet/requests/{request['id']}")
        await unseen(mei, ASKS)
        await mei.seen("message-request-hidden")
        await lin.open(f"/wallet/requests/{request['id']}")
        await lin.page.get_by_text(ASKS).wait_for()
        await lin.page.get_by_text(SHOWN_TO).wait_for()
        await lin.seen("message-request-own")

        # it is paid all the same, and appealed from the receipt of the money that came of it
        await mei.role("button", "¥7.00").click()
        await mei.role("heading", "^Sent$").wait_for()
        await lin.open("/wallet/history")
        await lin.page.get_by_role("link").filter(has_text=ASKS).first.click()
        await lin.role("button", ASK).click()
        await lin.role("button", "Send to the operator").click()
        await lin.page.get_by_text(ASKED).wait_for()
        await lin.seen("message-receipt-asked", whole=True)
        assert await release(stage, ASKS, None) == request["id"]
        await mei.role("link", "^Done$").click()
        await mei.page.get_by_text(ASKS).first.wait_for()
