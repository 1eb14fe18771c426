"""What people write, in every field that takes their words: script, both directions, no end.

A world is filled with it, and its pages in the four faces are opened on a phone: it stays a text,
keeps its direction to itself, and moves nothing off the screen. That no kind of field is forgotten
is held against the names of the API's own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from msgspec import inspect

from browsing import PHONE, Look, Screen, Stage
from living import ALL_SCOPES, Shop, made, post, sign_up
from tandem.app import operations
from tandem.settings import Settings

MARK: Final = "مقهى"
SCRIPT: Final = f"<img src=x onerror=alert(1)> {MARK} الياسمين \"'&amp; "
ENDLESS: Final = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
DEVICE_KEY: Final = "CQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="


def script(most: int) -> str:
    """Markup, quotes and two directions, up to so many characters."""
    return (SCRIPT * 8)[:most].rstrip()


def endless(most: int) -> str:
    """One word as long as the field takes."""
    return (ENDLESS * 8)[:most]


KINDS: Final = {"script": script, "endless": endless}


def texts_of(kind: inspect.Type, at: str = "") -> Iterator[str]:
    """The fields of a body that take any text, as `lines[].name`; ids and codes have a form."""
    if isinstance(kind, inspect.Metadata):
        yield from texts_of(kind.type, at)
    elif isinstance(kind, inspect.StrType):
        if kind.pattern is None and kind.max_length is not None:
            yield at
    elif isinstance(kind, inspect.StructType):
        for one in kind.fields:
            yield from texts_of(one.type, f"{at}.{one.encode_name}" if at else one.encode_name)
    else:
        for name in ("item_type", "value_type"):
            if hasattr(kind, name):
                yield from texts_of(getattr(kind, name), f"{at}[]")
        for one in getattr(kind, "types", ()):
            yield from texts_of(one, at)


NOT_SHOWN: Final = {
    "acceptance.aids.only[]", "acceptance.aids.refused[]",
    "acceptance.partners.only[]", "acceptance.partners.refused[]",
    "acceptance.wallets.only[]", "acceptance.wallets.refused[]",
    "aids.only[]", "aids.refused[]", "partners.only[]", "partners.refused[]",
    "wallets.only[]", "wallets.refused[]",  # names that the operator's settings know
    "booking", "code", "credential.response.transports[]", "handle", "metadata[]", "role",
    "rules[].name", "token",  # looked up, or for programs; no page shows them
    "cancel_url", "frame_origins[]", "return_origins[]", "success_url", "url",  # addresses
    "device_name", "passkey_name",  # the names of the two, given at sign-up
    "customer_email",  # has a form of its own
}  # fmt: skip
"""Fields whose text is not words of people."""


@dataclass
class World:
    """A server's worth of what people wrote, and where it is read."""

    stage: Stage
    words: Callable[[int], str]
    at: dict[str, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)

    def texts(self, **most: int) -> dict[str, str]:
        """Fields of one body, each with as much text as it takes."""
        self.said |= set(most)
        return {name: self.words(length) for name, length in most.items()}

    def lines(self, most: int) -> dict[str, list[dict[str, Any]]]:
        """Two lines with names, and prices."""
        self.said.add("lines[].name")
        each = {"name": self.words(most), "quantity": 2}
        return {"lines": [each | {"unit_amount": 1900}, each | {"unit_amount": 0}]}

    async def shop(self, operator: httpx.AsyncClient) -> Shop:
        """A merchant with a shop, a till, items, keys, staff and a tag."""
        terms = {"CNY": {"fee_basis_points": 60, "fee_fixed": 0}}
        names = self.texts(name=100)
        merchant = await post(operator, "/v1/merchants", names | {"currencies": terms})
        keys = f"/v1/merchants/{merchant['id']}/keys"
        key = await post(operator, keys, names | {"scopes": list(ALL_SCOPES)})
        staff = f"/v1/merchants/{merchant['id']}/staff"
        await post(operator, staff, names | {"role": "cashier"})
        async with self.stage.server.client(key["secret"]) as shop:
            body = self.texts(name=100, city=60) | {"country": "CN"}
            place = await post(shop, "/v1/shops", body)
            till = await post(shop, f"/v1/shops/{place['id']}/tills", {"name": "Till 1"})
            await post(shop, f"/v1/shops/{place['id']}/tills", names)
            for price in (100, 20_000):
                item = self.texts(name=100, category=40) | {"price": price, "currency": "CNY"}
                await post(shop, f"/v1/shops/{place['id']}/items", item)
            await post(shop, "/v1/webhooks", {"url": f"http://127.0.0.1:9/{'a' * 900}"})
            await post(shop, "/v1/tags", names | {"shop_id": place["id"]})
            code = made(await shop.get(f"/v1/shops/{place['id']}/code"))
        return Shop(merchant["id"], key["secret"], key["id"], place["id"], till["id"], code["url"])

    async def papers(self, shop: Shop) -> None:
        """A payment with lines that is refunded in part, an order, a link, an invoice."""
        here = {"shop_id": shop.shop_id, "currency": "CNY"}
        about = self.texts(description=140, order_reference=140)
        async with (
            self.stage.server.client(shop.key) as client,
            self.stage.server.client(self.stage.lin.key) as lin,
        ):
            order = await post(
                client, "/v1/payments", here | about | self.lines(100) | {"amount": 3800}
            )
            code = made(await client.get(f"/v1/payments/{order['id']}/code"))
            await post(lin, "/v1/wallet/payments", {"code": code["url"]})
            why = self.texts(reason=140) | {"amount": 500}
            await post(client, f"/v1/payments/{order['id']}/refunds", why)
            bill = (
                here
                | about
                | self.lines(140)
                | self.texts(customer_name=100)
                | {"due_on": "2100-01-31"}
            )
            invoice = await post(client, "/v1/invoices", bill)
            await post(client, f"/v1/invoices/{invoice['id']}/open", {})
            paper = made(await client.get(f"/v1/invoices/{invoice['id']}"))
            link = await post(client, "/v1/payment-links", here | about | {"amount": 3800})
            session = await post(
                client,
                "/v1/checkout/sessions",
                here | about | self.lines(140) | {"amount": 3800},
            )
        self.at |= {
            "payment": order["id"],
            "invoice": invoice["id"],
            "link": link["id"],
            "link_page": httpx.URL(link["url"]).path,
            "invoice_page": httpx.URL(paper["url"]).path,
            "session_page": httpx.URL(session["url"]).path,
        }

    async def people(self, operator: httpx.AsyncClient, kind: str) -> None:
        """Somebody of that name, with whom Lin sends, asks, splits and opens packets."""
        noor = await sign_up(operator, f"noor_{kind}", yuan=100, name=self.words(100))
        top_up = self.texts(reference=140) | {"amount": 100, "currency": "CNY"}
        await post(operator, f"/v1/people/{noor.id}/top-ups", top_up)
        money = {"amount": 200, "currency": "CNY"} | self.texts(message=140)
        async with (
            self.stage.server.client(self.stage.lin.key) as lin,
            self.stage.server.client(noor.key) as other,
        ):
            (device, *_) = made(await lin.get("/v1/people/me/devices"))["data"]
            named = self.texts(name=100)
            made(await lin.patch(f"/v1/people/me/devices/{device['id']}", json=named))
            await post(lin, "/v1/people/me/cards", {"currency": "CNY", "device_key": DEVICE_KEY})
            await post(other, "/v1/wallet/sends", money | {"to": "lin"})
            asked = await post(other, "/v1/wallet/requests", money | {"of": "lin"})
            packet = {"shares": 1, "division": "equal", "to": ["lin"]}
            made_packet = await post(other, "/v1/wallet/packets", money | packet)
            split = await post(lin, "/v1/wallet/splits", money | {"people": [{"of": noor.handle}]})
            spam = money | {"to": "lin", "message": "Tell me your PIN code"}
            held = await post(other, "/v1/wallet/sends", spam)
            appeal = f"/v1/wallet/messages/{held['id']}/appeal"
            made(await other.post(appeal, json=self.texts(text=140)))
        self.at |= {
            "person": noor.id,
            "request": asked["id"],
            "packet": made_packet["id"],
            "split": split["id"],
        }


async def built(stage: Stage, kind: str) -> tuple[World, Shop]:
    """Everything that people can write, written."""
    world = World(stage, KINDS[kind])
    async with stage.server.client(stage.server.operator_key) as operator:
        shop = await world.shop(operator)
        await world.people(operator, kind)
        world.said.add("Tandem-Reason")
        reason = {"Tandem-Reason": quote(world.words(140))}
        path = f"/v1/people/{world.at['person']}/suspend"
        made(await operator.post(path, headers=reason))
        await world.papers(shop)
    return world, shop


_ASTRAY: Final = """(mark) => {
  const astray = [];
  if (document.querySelector('img[src="x"]')) astray.push('markup was read');
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) astray.push(`it is ${wide} pixels wide`);
  const inline = (one) => getComputedStyle(one).display.startsWith('inline');
  const apart = (one) => !/^(normal|embed)$/.test(getComputedStyle(one).unicodeBidi);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement: holder } = texts.currentNode;
    if (!data.includes(mark)) continue;
    let [block, kept] = [holder, false];
    for (; inline(block); block = block.parentElement) kept ||= apart(block);
    if (!kept && block.textContent.trim() !== data.trim())
      astray.push(`not kept apart: ${block.outerHTML.slice(0, 300)}`);
  }
  return astray;
}"""


async def stands(screen: Screen, world: World) -> int:
    """The page shows texts as texts; how many."""
    await screen.page.locator("[aria-busy=true]:not(button)").first.wait_for(state="detached")
    assert not await screen.page.evaluate(_ASTRAY, MARK), screen.page.url
    return (await screen.page.inner_text("body")).count(world.words(30))


async def all_stand(screen: Screen, world: World, *paths: str) -> None:
    """So do these pages, and most have one."""
    seen = 0
    for path in paths:
        await screen.open(path)
        await screen.page.locator("h1, main button").first.wait_for()
        seen += await stands(screen, world) > 0
    assert seen >= len(paths) // 2, f"words are seen {seen} times only on {paths}"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_people_write_stays_what_it_is(stage: Stage, kind: str) -> None:
    world, shop = await built(stage, kind)
    at, phone = world.at, Look(size=PHONE)
    assert free_texts() >= NOT_SHOWN, "a name that no field has any more"
    assert world.said >= free_texts() - NOT_SHOWN
    async with stage.phone(stage.lin, phone) as screen:
        wallet = (
            *("history", f"requests/{at['request']}", f"payments/{at['payment']}", "security"),
            *(f"packets/{at['packet']}", f"splits/{at['split']}"),
        )
        await all_stand(screen, world, "/wallet", *(f"/wallet/{path}" for path in wallet))
        await screen.open("/wallet/history?type=send")
        await screen.page.get_by_role("link").filter(has_text=world.words(30)).first.click()
        await screen.role("heading", "^Transfer$").wait_for()
        assert await stands(screen, world)
        pages = (at["link_page"], at["invoice_page"], at["session_page"])
        await all_stand(screen, world, *pages)
    async with stage.till_of(shop, phone) as till:
        await till.page.locator("label", has_text="Items").click()
        await till.page.get_by_text(world.words(30)).first.wait_for()
        assert await stands(till, world)
        await till.page.get_by_text(world.words(30)).last.click()
        assert await stands(till, world)
        await till.role("button", "^Settings$").click()
        await till.role("button", "Items of the shop").click()
        await till.page.get_by_text(world.words(30)).first.wait_for()
        assert await stands(till, world)
    async with stage.member("owner", phone, of=shop, name=world.words(100)) as screen:
        places = (
            *("", "payments", "links", "invoices", "acceptance", "statements", "fees", "shops"),
            *("staff", "audit", "keys", "webhooks", "me", f"payments/{at['payment']}"),
            *(f"links/{at['link']}", f"invoices/{at['invoice']}", f"shops/{shop.shop_id}"),
        )
        await all_stand(screen, world, *(f"/console/{path}" for path in places))
    async with stage.member("owner", phone, name=world.words(100)) as screen:
        offices = (
            *("", "people", "payments", "cards", "messages", "merchants", "ledger", "keys"),
            *("staff", "audit", "me", f"people/{at['person']}", f"people/{stage.lin.id}"),
            *(f"merchants/{shop.merchant_id}", f"payments/{at['payment']}"),
        )
        await all_stand(screen, world, *(f"/console/{path}" for path in offices))


def free_texts() -> set[str]:
    """Every field of the API that takes any text."""
    known = operations(Settings(mode="sandbox"))
    bodies = {one.body_type for one in known if one.body_type is not None}
    return {text for body in bodies for text in texts_of(inspect.type_info(body))}
