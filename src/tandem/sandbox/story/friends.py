"""People among themselves: sending money, and asking for it."""

import asyncio

from tandem.sandbox.story.cast import Scene
from tandem.sandbox.story.errors import expect
from tandem.sandbox.story.page import yuan

LUNCH = 2_000
TICKETS = 1_500


async def friends(scene: Scene) -> None:
    """One sends, the other asks and is paid."""
    page, lin, mei = scene.page, scene.cast.lin, scene.cast.mei
    page.scene("People send each other money, and ask for it")
    body = {"to": mei.handle, "amount": LUNCH, "currency": "CNY", "message": "Lunch"}
    sent = await lin.api.post("/v1/wallet/sends", body)
    expect(sent["direction"] == "sent", "Lin has sent it", sent.body)
    page.step("Lin", f"sends {yuan(LUNCH)} to {mei.handle}: Lunch", sent)
    body = {"of": lin.handle, "amount": TICKETS, "currency": "CNY", "message": "Tickets"}
    asked = await mei.api.post("/v1/wallet/requests", body)
    expect(asked["status"] == "open", "the request is open", asked.body)
    page.step("Mei", f"asks {lin.handle} for {yuan(TICKETS)}: Tickets", asked)
    loop = asyncio.get_running_loop()
    await scene.lin_sees.wait("request.received", asked["id"])
    page.good("Lin's phone shows the request")
    began = loop.time()
    paid = await lin.api.post(f"/v1/wallet/requests/{asked['id']}/accept")
    expect(paid["status"] == "accepted" and paid["send_id"], "the request is paid", paid.body)
    page.step("Lin", f"accepts: Send {yuan(TICKETS)}", paid)
    seen = await scene.lin_sees.wait("send.sent", paid["send_id"])
    page.good(f"The phone sees send.sent live, {int((seen.at_seconds - began) * 1000)} ms later")
