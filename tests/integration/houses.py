"""A merchant with staff: an owner, and whoever they invite, each with a browser and a passkey."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from browsers import Browser, Site, ok, open_site

from authenticator import Facts
from tandem.kernel import show_id


@dataclass
class House:
    """A merchant with a shop and an owner, and the operator."""

    site: Site
    operator: Browser
    merchant: str
    shop: str
    owner: Browser
    owner_id: str

    async def staff(self, role: str, name: str = "Xu", **more: Any) -> tuple[Browser, str]:  # noqa: ANN401 - fields of InviteStaff
        """A new member with this role, signed in."""
        body = {"name": name, "role": role} | more
        invited = ok(await self.owner.post("/v1/staff", body))
        browser = self.site.browser()
        ok(await browser.join(invited["token"]))
        return browser, invited["staff"]["id"]

    async def paid(self, amount: int) -> str:
        """A payment to the shop, by its id."""
        town = self.site.town
        payer = await town.person(yuan=9000)
        order = {"amount": amount, "currency": "CNY", "shop_id": self.shop}
        made = ok(await self.owner.post("/v1/payments", order))
        code = ok(await self.owner.get(f"/v1/payments/{made['id']}/code"))["url"]
        ok(await self.site.program(payer.secret).post("/v1/wallet/payments", {"code": code}))
        payment: str = made["id"]
        return payment

    async def log(self, **filters: str) -> list[Facts]:
        """The merchant's log, as its owner reads it."""
        found: list[Facts] = ok(await self.owner.get("/v1/audit", params=filters))["data"]
        return found


@asynccontextmanager
async def open_house(url: str, folder: Path) -> AsyncIterator[House]:
    """A house in an installation of its own, on the database of `url`."""
    async with open_site(url, folder, sign_ups_per_hour=1000) as site:
        operator = site.program(await site.operator_key())
        door = await site.town.merchant()
        merchant = show_id("mer", door.id)
        invited = ok(
            await operator.post(f"/v1/merchants/{merchant}/staff", {"name": "Bo", "role": "owner"})
        )
        owner = site.browser()
        ok(await owner.join(invited["token"]))
        shop = show_id("shp", door.shop_id)
        yield House(site, operator, merchant, shop, owner, invited["staff"]["id"])
