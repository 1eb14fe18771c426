"""A shop of its own for a test at the till, and who pays and scans there."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from browsing import Screen, Stage
from living import Shop, made, open_shop, post

ITEMS = (
    ("Flat white", 1900, "Coffee", "jade", "4006381333931"),
    ("Espresso", 1200, "Coffee", "jade", None),
    ("Oolong tea", 1600, "Tea", "amber", None),
    (
        "Croissant with almonds and a very long name that has to be cut",
        2200,
        "Bakery",
        "ember",
        None,
    ),
    ("Cheesecake", 2800, "Bakery", "violet", None),
    ("桂花糕", 900, "Bakery", "blue", None),
)


@asynccontextmanager
async def cafe(
    stage: Stage,
    *,
    items: bool = True,
    tips: dict[str, Any] | None = None,
    named: Callable[[str], str] = str,
) -> AsyncIterator[Shop]:
    """A shop of its own, so that its payments and shifts are. `named` makes its items' names."""
    async with stage.server.client(stage.server.operator_key) as operator:
        shop = await open_shop(stage.server, operator, "Blue Door Café")
    async with stage.server.client(shop.key) as client:
        for at, (name, price, category, colour, gtin) in enumerate(ITEMS if items else ()):
            body = {"name": named(name), "price": price, "currency": "CNY", "category": category}
            more = {"colour": colour, "gtin": gtin, "position": at}
            await post(client, f"/v1/shops/{shop.shop_id}/items", body | more)
        if tips is not None:
            made(await client.put(f"/v1/shops/{shop.shop_id}/tips", json=tips))
    yield shop


async def pay(stage: Stage, shop: Shop) -> dict[str, Any]:
    """Pay the newest order of the shop by its code."""
    async with stage.server.client(shop.key) as client, stage.server.client(stage.lin.key) as lin:
        order = made(await client.get("/v1/payments", params={"limit": 1}))["data"][0]
        code = made(await client.get(f"/v1/payments/{order['id']}/code"))
        body = {"code": code["payload"]}
        paid: dict[str, Any] = await post(lin, "/v1/wallet/payments", body)
        return paid


async def scan(screen: Screen, text: str) -> None:
    """Type as a scanner does, faster than anybody, and Enter."""
    await screen.page.evaluate(
        "text => { for (const key of [...text, 'Enter']) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })); }",
        text,
    )
