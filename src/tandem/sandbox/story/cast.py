"""Who plays: the operator, two people, a merchant with two shops and a till."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from rich.console import Console

from tandem.access import SCOPES
from tandem.codes import paycode
from tandem.kernel import Clock, Entropy, Ids
from tandem.sandbox.story.client import Api, Json
from tandem.sandbox.story.errors import expect
from tandem.sandbox.story.live import Hooks, Inbox, following, receiving
from tandem.sandbox.story.page import Page, yuan

_TAKEN: Final = 409
_TIMEOUT_SECONDS: Final = 15.0
LINS_TOP_UP: Final = 50_000
MEIS_TOP_UP: Final = 8_000
BOS_LIMIT: Final = 20_000
FEES: Final = {"fee_basis_points": 60, "fee_fixed": 10}


@dataclass(frozen=True, slots=True)
class Person:
    """A person, their key, and what their phone makes pay codes from."""

    id: str
    name: str
    handle: str
    api: Api
    seed: bytes = field(repr=False)
    index: str

    @property
    def first_name(self) -> str:
        """What the others call them."""
        return _first(self.name)

    @property
    def link(self) -> str:
        """The path that makes a browser a device of theirs. Its secrets stay behind the #."""
        seed = base64.urlsafe_b64encode(self.seed).decode().rstrip("=")
        return f"/wallet/connect#{self.api.key}.{self.index}.{seed}"

    def pay_code(self, clock: Clock) -> str:
        """The code that the phone shows now: no network is asked."""
        return paycode.generate(self.seed, self.index, clock.now())


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, with their keys."""

    operator: Api
    merchant_id: str
    merchant: Api
    gate: Json
    lake: Json
    till: Json
    lin: Person
    mei: Person


@dataclass(frozen=True, slots=True)
class Scene:
    """What the scenes play with. `url` is where the API is."""

    url: str
    cast: Cast
    page: Page
    clock: Clock
    entropy: Entropy
    hooks: Hooks
    shop_sees: Inbox
    lin_sees: Inbox


@asynccontextmanager
async def stage(
    url: str, operator_key: str, clock: Clock, entropy: Entropy, console: Console
) -> AsyncIterator[Scene]:
    """Make everybody, over the API of a sandbox at `url`. Raises `StoryBroke`."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_SECONDS, trust_env=False)
        )
        ids = Ids(clock, entropy)
        page = Page(console)
        page.scene("The operator makes a merchant; people make wallets")
        hooks = await stack.enter_async_context(receiving())
        run = ids.new().hex[-6:]
        operator = Api(http, operator_key, ids)
        merchant_id, merchant = await _merchant(page, operator, http, ids)
        gate, lake, till = await _shops(page, merchant)
        made = await merchant.post("/v1/webhooks", {"url": f"http://127.0.0.1:{hooks.port}/hooks"})
        hooks.secret = made["secret"]
        page.step("Blue Door", "says where its server takes webhooks", made)
        lin = await _person(page, http, ids, "lin", "Lin Wei", run)
        mei = await _person(page, http, ids, "mei", "Mei Chen", run)
        for person, amount in ((lin, LINS_TOP_UP), (mei, MEIS_TOP_UP)):
            await _top_up(page, operator, person, amount, f"BANK-{run}-{person.handle}")
        await _staff(page, operator, merchant_id)
        shop_sees = await stack.enter_async_context(following(http, merchant.key))
        lin_sees = await stack.enter_async_context(following(http, lin.api.key))
        cast = Cast(operator, merchant_id, merchant, gate, lake, till, lin, mei)
        yield Scene(url, cast, page, clock, entropy, hooks, shop_sees, lin_sees)


async def _merchant(
    page: Page, operator: Api, http: httpx.AsyncClient, ids: Ids
) -> tuple[str, Api]:
    made = await operator.post("/v1/merchants", {"name": "Blue Door", "currencies": {"CNY": FEES}})
    page.step("Operator", "makes the merchant Blue Door: 0.60 % and 0.10 CNY", made)
    key = await operator.post(
        f"/v1/merchants/{made['id']}/keys",
        {"name": "Blue Door's server", "scopes": sorted(SCOPES["merchant"])},
    )
    page.step("Operator", "makes an API key for it", key)
    return made["id"], Api(http, key["secret"], ids)


async def _shops(page: Page, merchant: Api) -> tuple[Json, Json, Json]:
    place = {"city": "Hangzhou", "country": "CN", "category": "5814"}
    gate = await merchant.post("/v1/shops", {"name": "Blue Door, East Gate", **place})
    lake = await merchant.post("/v1/shops", {"name": "Blue Door, West Lake", **place})
    page.step("Blue Door", "makes two shops: East Gate and West Lake", gate)
    till = await merchant.post(f"/v1/shops/{gate['id']}/tills", {"name": "Till 1"})
    page.step("Blue Door", "makes Till 1 at East Gate", till)
    return gate.body, lake.body, till.body


async def _staff(page: Page, operator: Api, merchant_id: str) -> None:
    """Whoever a sandbox offers to sign in as: at the till, and at the consoles of both."""
    path = f"/v1/merchants/{merchant_id}/staff"
    made = await operator.post(path, {"name": "Ada Shen", "role": "owner"})
    page.step("Operator", "invites Ada, who owns Blue Door", made)
    body = {"name": "Bo Xu", "role": "cashier", "refund_limit": BOS_LIMIT}
    made = await operator.post(path, body)
    page.step("Operator", f"invites Bo, a cashier: refunds up to {yuan(BOS_LIMIT)}", made)
    made = await operator.post("/v1/staff", {"name": "Noor Haddad", "role": "owner"})
    page.step("Operator", "invites Noor, who owns the installation", made)


async def _person(
    page: Page, http: httpx.AsyncClient, ids: Ids, handle: str, name: str, run: str
) -> Person:
    body = {"handle": handle, "name": name, "device_name": f"{_first(name)}'s phone"}
    answer = await http.post("/v1/people", json=body)
    if answer.status_code == _TAKEN:  # data that was kept from the last time
        body["handle"] = f"{handle}.{run}"
        answer = await http.post("/v1/people", json=body)
    made: Any = answer.json()
    expect(answer.is_success, f"{name} can sign up", made)
    device = made["device"]
    shown = made["person"]["handle"]
    page.step(_first(name), f"signs up as {shown}; the phone gets a key and a seed")
    return Person(
        made["person"]["id"],
        name,
        shown,
        Api(http, device["key"], ids),
        base64.b64decode(device["code_seed"]),
        device["code_index"],
    )


def _first(name: str) -> str:
    return name.partition(" ")[0]


async def _top_up(page: Page, operator: Api, person: Person, amount: int, reference: str) -> None:
    body = {"amount": amount, "currency": "CNY", "reference": reference.replace("@", "")}
    made = await operator.post(f"/v1/people/{person.id}/top-ups", body)
    expect(made["amount"] == amount, "the top-up has the amount", made.body)
    page.step("Operator", f"books {yuan(amount)} for {person.handle} from the bank", made)
