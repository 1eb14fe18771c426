"""An installation with the operator's staff: an owner, support, a treasurer; and a shop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from browsers import Browser, Site, ok, open_site

from authenticator import Facts
from tandem.kernel import show_id

WHY: Final = {"Tandem-Reason": "She%20lost%20her%20phone"}


@dataclass
class Office:
    """The operator's staff, each signed in, and a merchant."""

    site: Site
    key: Browser
    owner: Browser
    support: Browser
    treasurer: Browser
    merchant: str
    shop: str

    async def person(self, handle: str, *, yuan: int = 0) -> str:
        """A new person, by id."""
        body = {"handle": handle, "name": handle.title()}
        made: str = ok(await self.key.post("/v1/people", body, Idempotency_Key=str(uuid4())))[
            "person"
        ]["id"]
        if yuan:
            top_up = {"amount": yuan * 100, "currency": "CNY", "reference": f"for {handle}"}
            ok(await self.key.post(f"/v1/people/{made}/top-ups", top_up))
        return made

    async def log(self, **filters: str) -> list[Facts]:
        """The audit log, as the operator's key reads it."""
        found: list[Facts] = ok(await self.key.get("/v1/audit/all", params=filters))["data"]
        return found


async def do(
    browser: Browser,
    method: str,
    path: str,
    body: object = None,
    **headers: str,
) -> httpx.Response:
    """A request with a reason, unless other headers are given."""
    more: dict[str, Any] = {} if body is None else {"json": body}
    return await browser.client.request(method, path, headers=headers or WHY, **more)


@asynccontextmanager
async def open_office(url: str, folder: Path, **settings: Any) -> AsyncIterator[Office]:  # noqa: ANN401 - fields of Settings
    """The office on the database of `url`."""
    async with open_site(url, folder, sign_ups_per_hour=1000, **settings) as site:
        key = site.program(await site.operator_key())
        staff = {}
        for role in ("owner", "support", "treasurer"):
            invited = ok(await key.post("/v1/staff", {"name": role.title(), "role": role}))
            staff[role] = site.browser()
            ok(await staff[role].join(invited["token"]))
        door = await site.town.merchant()
        merchant, shop = show_id("mer", door.id), show_id("shp", door.shop_id)
        yield Office(site, key, **staff, merchant=merchant, shop=shop)
