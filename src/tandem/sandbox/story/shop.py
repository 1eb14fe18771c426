"""Paying in a shop: by its codes, by the phone's code, in parts, back in parts, and not at all."""

import asyncio

from tandem.codes import TandemCode, draw_code128, draw_qr, paycode, read_image, read_scan
from tandem.sandbox.story.cast import FEES, Scene
from tandem.sandbox.story.client import Reply
from tandem.sandbox.story.errors import expect
from tandem.sandbox.story.page import yuan

COFFEES = 3_800
NOODLES = 1_250
TEA = 900
BICYCLE = 20_000
CHECKOUT_SECONDS = 24 * 3600


async def dynamic_code(scene: Scene) -> Reply:
    """The shop shows a code for an order, the person scans it and agrees. Returns the payment."""
    page, shop, lin = scene.page, scene.cast.merchant, scene.cast.lin
    page.scene("Scan: the shop shows a code for one order")
    order = {
        "shop_id": scene.cast.gate["id"],
        "amount": COFFEES,
        "currency": "CNY",
        "description": "Two coffees",
        "order_reference": "order-1027",
    }
    made = await shop.post("/v1/payments", order)
    expect(made["status"] == "created", "an order begins as created", made.body)
    page.step("Blue Door", f"makes an order of {yuan(COFFEES)}: Two coffees", made)
    code = await shop.get(f"/v1/payments/{made['id']}/code")
    page.step("Blue Door", "shows its code", code)
    page.code(draw_qr(code["payload"]))
    scanned = await _camera(scene, f"/v1/payments/{made['id']}/code.png", code["payload"])
    found = await lin.api.post("/v1/wallet/scans", {"code": scanned})
    expect(found["kind"] == "order", "the code stands for an order", found.body)
    page.step("Lin", f"scans it and reads: {found['merchant']}, {yuan(COFFEES)}", found)
    waiting = await shop.get(f"/v1/payments/{made['id']}")
    expect(waiting["status"] == "waiting", "the order waits for the person", waiting.body)
    page.step("Blue Door", "sees that somebody has scanned: waiting", waiting)
    await _agree(scene, made["id"])
    return await _paid(scene, made["id"])


async def _camera(scene: Scene, picture: str, payload: str) -> str:
    """Read the picture of the code, as a camera does."""
    texts = read_image(await scene.cast.merchant.content(picture))
    expect(texts == [payload], "the drawn code reads back as its payload", texts)
    scan = read_scan(texts[0])
    expect(isinstance(scan, TandemCode), "it is a Tandem code", scan)
    return texts[0]


async def _agree(scene: Scene, payment_id: str) -> None:
    """Lin agrees; see when each side knows."""
    lin, loop = scene.cast.lin, asyncio.get_running_loop()
    began = loop.time()
    approved = await lin.api.post(f"/v1/wallet/payments/{payment_id}/approve")
    expect(approved["status"] == "captured", "the payment is captured at once", approved.body)
    scene.page.step("Lin", f"agrees: Pay {yuan(approved['amount'])}", approved)
    for who, inbox in (("till", scene.shop_sees), ("phone", scene.lin_sees)):
        seen = await inbox.wait("payment.captured", payment_id)
        delay = int((seen.at_seconds - began) * 1000)
        scene.page.good(f"The {who} sees payment.captured live, {delay} ms after Lin agreed")


async def _paid(scene: Scene, payment_id: str) -> Reply:
    """What it cost the shop, and what its server was told."""
    page = scene.page
    paid = await scene.cast.merchant.get(f"/v1/payments/{payment_id}")
    fee = 33  # 0.60 % of 38.00 is 22.8 fen, rounded to 23, and 10 fen
    expect(FEES == {"fee_basis_points": 60, "fee_fixed": 10}, "the fee is 0.60 % and 0.10", FEES)
    expect(paid["fee"] == fee, f"the fee is {yuan(fee)}", paid.body)
    page.step("Blue Door", f"is paid {yuan(paid['captured'])}, less a fee of {yuan(fee)}", paid)
    hook = await scene.hooks.inbox.wait("payment.captured", payment_id)
    expect(hook.data["status"] == "captured", "the webhook has the payment", hook.data)
    genuine = scene.hooks.genuine("payment.captured", payment_id)
    forged = scene.hooks.genuine("payment.captured", payment_id, changed=True)
    expect(genuine and not forged, "a webhook's signature proves its body", (genuine, forged))
    page.good("Blue Door's server has the webhook payment.captured; its signature is right")
    return paid


async def static_code(scene: Scene) -> Reply:
    """A code on the counter; the person types the amount. Returns the payment."""
    page, lin = scene.page, scene.cast.lin
    page.scene("Scan: a code on the counter, the person types the amount")
    path = f"/v1/tills/{scene.cast.till['id']}/code"
    code = await scene.cast.merchant.get(path)
    page.step("Blue Door", "prints the static code of Till 1", code)
    page.code(draw_qr(code["payload"]))
    scanned = await _camera(scene, f"{path}.png", code["payload"])
    found = await lin.api.post("/v1/wallet/scans", {"code": scanned})
    expect(found["kind"] == "shop", "the code stands for a shop", found.body)
    page.step("Lin", f"scans it and reads: {found['shop']}", found)
    body = {"code": scanned, "amount": NOODLES, "currency": "CNY"}
    paid = await lin.api.post("/v1/wallet/payments", body)
    expect(paid["status"] == "captured", "it is paid at once", paid.body)
    page.step("Lin", f"types {NOODLES // 100}.{NOODLES % 100:02d} and pays", paid)
    await scene.shop_sees.wait("payment.captured", paid["id"])
    page.good(f"The till shows {yuan(NOODLES)} in")
    return paid


async def pay_code(scene: Scene) -> Reply:
    """The person shows a code made without a network; it works once. Returns the payment."""
    page, lin, shop = scene.page, scene.cast.lin, scene.cast.merchant
    page.scene("Scan: the person shows a pay code, made without a network")
    code = lin.pay_code(scene.clock)
    page.step("Lin", f"opens the wallet: {paycode.show(code)}")
    square, bars = draw_qr(code), draw_code128(code)
    page.code(square)
    page.code(bars)
    read = read_image(bars.png())
    expect(read == [code] and read_image(square.png()) == [code], "both codes read back", read)
    body = {
        "till_id": scene.cast.till["id"],
        "amount": TEA,
        "currency": "CNY",
        "description": "Tea",
        "pay_code": read[0],
    }
    paid = await shop.post("/v1/payments", body)
    expect(paid["status"] == "captured", "it is paid at once", paid.body)
    page.step("Till 1", f"scans the bars and charges {yuan(TEA)}", paid)
    page.good(f"Paid by {paid['payer']}, who pressed nothing")
    again = await shop.refused("/v1/payments", body, "pay_code_used")
    page.step("Till 1", "scans the same code again", again)
    page.refused(again)
    return paid


async def in_parts(scene: Scene) -> Reply:
    """Authorise first, capture later in parts. Returns the payment."""
    page, shop, lin = scene.page, scene.cast.merchant, scene.cast.lin
    page.scene("Authorise now, capture later, in parts")
    order = {
        "shop_id": scene.cast.gate["id"],
        "amount": BICYCLE,
        "currency": "CNY",
        "description": "Bicycle for a day, deposit",
        "capture": "manual",
    }
    made = await shop.post("/v1/payments", order)
    page.step("Blue Door", f"asks for a deposit of {yuan(BICYCLE)}", made)
    code = await shop.get(f"/v1/payments/{made['id']}/code")
    held = await lin.api.post("/v1/wallet/payments", {"code": code["payload"]})
    expect(held["status"] == "authorised", "the amount is authorised", held.body)
    page.step("Lin", "scans and agrees: authorised, nothing is paid yet", held)
    wallet = await _balance(scene)
    expect(wallet["reserved"] == BICYCLE, "the deposit is reserved", wallet)
    page.good(f"Reserved {yuan(wallet['reserved'])}; {yuan(wallet['available'])} can be spent")
    path = f"/v1/payments/{made['id']}/capture"
    part = await shop.post(path, {"amount": 12_000})
    page.step("Blue Door", f"captures {yuan(12_000)} for the day", part)
    rest = await shop.post(path, {"amount": 3_000, "final": True})
    expect(rest["captured"] == 15_000, "both parts are captured", rest.body)  # noqa: PLR2004 - 120.00 and 30.00
    page.step("Blue Door", f"captures {yuan(3_000)} for the helmet; the rest is free", rest)
    wallet = await _balance(scene)
    expect(wallet["reserved"] == 0, "nothing is reserved any more", wallet)
    page.good(f"Paid {yuan(rest['captured'])} of {yuan(BICYCLE)}; nothing is reserved any more")
    return rest


async def _balance(scene: Scene) -> dict[str, int]:
    wallet = await scene.cast.lin.api.get("/v1/wallet")
    return next(line for line in wallet["balances"] if line["currency"] == "CNY")


async def refunds(scene: Scene, payment_id: str) -> Reply:
    """Refund in parts, never more than was captured. Returns the payment."""
    page, shop = scene.page, scene.cast.merchant
    page.scene("Refund, in parts")
    path = f"/v1/payments/{payment_id}/refunds"
    for amount, reason in ((1_000, "One coffee was cold"), (800, "And the wait")):
        made = await shop.post(path, {"amount": amount, "reason": reason})
        page.step("Blue Door", f"gives {yuan(amount)} back: {reason}", made)
    await scene.lin_sees.wait("payment.refunded", payment_id)
    page.good("The phone shows the money coming back")
    over = await shop.refused(path, {"amount": 2_500}, "refund_exceeds_captured")
    page.step("Blue Door", f"tries to give {yuan(2_500)} more", over)
    page.refused(over)
    left = await shop.get(f"/v1/payments/{payment_id}")
    expect(left["status"] == "partially_refunded", "it is refunded in part", left.body)
    expect(left["refunded"] == 1_800, "18.00 are refunded", left.body)  # noqa: PLR2004 - 10.00 and 8.00
    return left


async def declined(scene: Scene) -> Reply:
    """Somebody who has not enough. Returns the payment."""
    page, mei = scene.page, scene.cast.mei
    page.scene("A payment that is declined")
    body = {
        "till_id": scene.cast.till["id"],
        "amount": 66_600,
        "currency": "CNY",
        "description": "A samovar",
        "pay_code": mei.pay_code(scene.clock),
    }
    found = await scene.cast.merchant.post("/v1/payments", body)
    expect(found["status"] == "declined", "it is declined", found.body)
    expect(found["decline_reason"] == "payer_cannot_pay", "the shop is told that", found.body)
    page.step("Till 1", f"scans Mei's code and charges {yuan(66_600)}", found)
    page.good(f"Declined: {found['decline_reason']}. Nothing moved; the shop learns no more")
    seen = await mei.api.get(f"/v1/wallet/payments/{found['id']}")
    expect(seen["decline_reason"] == "insufficient_funds", "the person is told why", seen.body)
    page.step("Mei", "reads on her phone that she has too little", seen)
    return found


async def refused_way(scene: Scene) -> None:
    """The shop switches a way off, then limits it; a refusal says which ways remain."""
    page, shop, lake = scene.page, scene.cast.merchant, scene.cast.lake
    page.scene("A way to pay that the shop does not take")
    order = {"shop_id": lake["id"], "amount": 6_000, "currency": "CNY"}
    for says, rule, reason in (
        ("switches scan off at West Lake", {"enabled": False}, "way_off"),
        ("limits scan to 50.00 CNY there", {"max_amount": {"CNY": 5_000}}, "amount_above_limit"),
    ):
        policy = {"ways": {"scan": rule}}
        page.step("Blue Door", says, await shop.put(f"/v1/shops/{lake['id']}/acceptance", policy))
        no = await shop.refused("/v1/payments", order, "way_refused")
        data = no["data"]
        expect(data["reason"] == reason, f"the reason is {reason}", no.body)
        expect(data["ways_left"] == ["click"], "click remains", no.body)
        page.step("Blue Door", f"makes an order of {yuan(6_000)} by scan", no)
        page.refused(no)
    open_again = await shop.put(f"/v1/shops/{lake['id']}/acceptance", {})
    made = await shop.post("/v1/payments", order)
    expect(made["status"] == "created", "scan is taken again", made.body)
    page.step("Blue Door", "takes scan again: the same order is made", open_again)
    await shop.post(f"/v1/payments/{made['id']}/cancel")


async def checkout(scene: Scene) -> str:
    """An order of the online shop that stays open. Returns the address of its page."""
    order = {
        "shop_id": scene.cast.gate["id"],
        "amount": COFFEES,
        "currency": "CNY",
        "order_reference": "order-1031",
        "lines": [{"name": "Flat white", "unit_amount": COFFEES // 2, "quantity": 2}],
        "expires_seconds": CHECKOUT_SECONDS,
    }
    made = await scene.cast.merchant.post("/v1/checkout/sessions", order)
    expect(made["status"] == "created", "the order waits on its page", made.body)
    return str(made["url"])
