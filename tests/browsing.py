"""What the browser tests share: one Tandem with people and a shop, and Debian's Chromium.

`stage`     who takes part; it opens phones and tills
`chromium`  the browser

Without Chromium (or without the apps built) these tests are skipped, and say so; `.ci/run` installs
it. `TANDEM_TEST_SCREENS` names a folder in which pictures are kept. conftest.py loads this file.
"""

import asyncio
import json
import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Request,
    Route,
    async_playwright,
)

import pictures
from conftest import open_folder
from living import Living, Person, Shop, living, made, open_shop, post, sign_up
from tandem.access.service import FOLLOW_SECONDS

ROOT: Final = Path(__file__).parents[1]
AXE: Final = ROOT / "apps/node_modules/axe-core/axe.min.js"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
LOCALES: Final = {"en": "en-GB", "zh": "zh-CN"}
SCREENS: Final = os.environ.get("TANDEM_TEST_SCREENS")
PHONE: Final = (360, 760)
DESK: Final = (1440, 900)
_SEE: Final = "(found, how) => found.forEach((one) => { one.style.visibility = how; })"
TURN: Final = 15
TURN_SECONDS: Final = 2
"""A page that asks for the same thing more often in so many seconds asks because it got it."""


_NO_FAULT: Final = re.compile(
    r"error: Failed to load resource: the server responded with a status of 4\d\d"
    "|warning: Service Worker registration blocked by Playwright"
)
"""What a browser says of the API's refusals, and of what a test has switched off."""

# Tables on a phone that scroll sideways, and rows that have an amount and show none.
_CUT: Final = """() => {
  const said = (one) => one.textContent.trim().slice(0, 60);
  const frames = [...document.querySelectorAll('[role=region]:has(> table)')];
  const rows = [...document.querySelectorAll('[role=region] > table tbody tr')];
  const seen = (one) => {
    const { left, right, width } = one.getBoundingClientRect();
    return width > 0 && left >= 0 && right <= innerWidth;
  };
  const hidden = (row) => {
    const amounts = [...row.querySelectorAll('td .amount')];
    return amounts.length > 0 && !amounts.some(seen);
  };
  return [
    ...frames.filter((one) => one.scrollWidth > one.clientWidth).map(said),
    ...rows.filter(hidden).map(said),
  ];
}"""

# What moves has arrived.
_ARRIVED: Final = """async () => {
  const ends = (one) => one.effect.getComputedTiming().endTime < Infinity;
  const moving = () => document.getAnimations().filter(ends);
  await new Promise(requestAnimationFrame);
  while (moving().some((one) => one.playState === 'running'))
    await Promise.allSettled(moving().map((one) => one.finished));
  await new Promise(requestAnimationFrame);
}"""


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    language: str = "en"
    scheme: str = "light"
    size: tuple[int, int] = PHONE

    @property
    def name(self) -> str:
        """As part of a picture's name."""
        return f"{self.language}-{self.scheme}-{self.size[0]}"


@dataclass
class Screen:
    """A page in a browser of its own, and all that it complained of."""

    page: Page
    context: BrowserContext
    look: Look
    url: str
    complaints: list[str] = field(default_factory=list)
    asked: defaultdict[str, list[float]] = field(default_factory=partial(defaultdict, list))
    opened: int = 0

    def ask(self, request: Request) -> None:
        """Note what the page asks of the API: the same again and again is a page that turns."""
        if "/v1/" in request.url:
            path = request.url.partition("?")[0]  # each page of a list has a query of its own
            self.asked[f"{request.method} {path}, page {self.opened}"].append(time.monotonic())

    def turning(self) -> list[str]:
        """What was asked again and again."""
        return [
            what
            for what, times in self.asked.items()
            if any(then - at < TURN_SECONDS for at, then in zip(times, times[TURN:], strict=False))
        ]

    def complain(self, text: str) -> None:
        """Note what a browser complains of, unless it is no fault of the page."""
        if not _NO_FAULT.match(text):
            self.complaints.append(text)

    async def open(self, path: str) -> None:
        """Go to an address of the server."""
        self.opened += 1
        await self.page.goto(f"{self.url}{path}")

    def role(self, role: Any, name: str) -> Locator:  # noqa: ANN401 - Playwright's names of roles
        """What people call it, by its role; `name` is a regular expression."""
        return self.page.get_by_role(role, name=re.compile(name))

    async def seen(
        self, name: str, *, whole: bool = False, loading: bool = False, fixed: bool = False
    ) -> None:
        """Check a page as it is now: no violation of WCAG, no overflow, the look that is kept.

        On a phone no table scrolls sideways, and every row with an amount shows one.

        `whole` is the page with what lies below the screen's edge; `loading`: as it looks while
        something is still loading; `fixed`: its data is the same each time, and all is compared.
        """
        if not loading:
            await self.page.locator("[aria-busy=true]:not(button)").first.wait_for(state="detached")
        await self.pictured(name, whole=whole, fixed=fixed)
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        # A frame of another origin does not answer it, and the browser complains of the question.
        asked = """async () => (await axe.run({ resultTypes: ['violations'], iframes: false }))
            .violations.map((one) => [one.id, one.nodes.map((at) => at.failureSummary)])
        """
        shown = await self.page.evaluate(asked)
        assert not shown, f"{name} {self.look.name}: {json.dumps(shown, indent=1)}"
        wide = await self.page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= self.look.size[0], f"{name} is {wide} pixels wide"
        if self.look.size == PHONE:
            cut = await self.page.evaluate(_CUT)
            assert not cut, f"{name}: tables that a phone cannot show: {cut}"

    async def pictured(self, name: str, *, whole: bool = False, fixed: bool = False) -> None:
        """Keep the page's picture where one wants them, else compare it with the one kept."""
        await self.page.evaluate(_ARRIVED)
        await self.page.mouse.move(0, 0)  # nothing is pictured as it looks below a pointer
        name = f"{name}-{self.look.name}"
        if not SCREENS and not pictures.kept(name).exists():
            return
        # What turns without an end is pictured as it begins, and without what is said for a moment.
        toasts = self.page.locator(".toasts")
        await toasts.evaluate_all(_SEE, "" if fixed else "hidden")
        png = await self.page.screenshot(full_page=whole, animations="disabled")
        await toasts.evaluate_all(_SEE, "")
        if SCREENS:
            pictures.keep(Path(SCREENS), name, png)
        else:
            boxes = await pictures.changing(self.page, whole=whole, fixed=fixed)
            pictures.compare(name, png, boxes, fixed=fixed)


@dataclass
class Stage:
    """Who takes part."""

    browser: Browser
    server: Living
    lin: Person
    mei: Person
    shop: Shop

    @asynccontextmanager
    async def screen(
        self, look: Look | None = None, *, worker: bool = False
    ) -> AsyncIterator[Screen]:
        """A browser of one's own. Whatever it complains of in its console fails the test.

        `worker`: it may keep the app for when there is no network, which is work.
        """
        look = look or Look()
        context = await self.browser.new_context(
            viewport={"width": look.size[0], "height": look.size[1]},
            locale=LOCALES[look.language],
            color_scheme="dark" if look.scheme == "dark" else "light",
            service_workers="allow" if worker else "block",
        )
        page = await context.new_page()
        screen = Screen(page, context, look, self.server.url)
        page.on("console", lambda said: screen.complain(f"{said.type}: {said.text}"))
        page.on("request", screen.ask)
        page.on("pageerror", lambda error: screen.complaints.append(str(error)))
        try:
            yield screen
        finally:
            await context.close()
        assert not screen.complaints, screen.complaints
        assert not screen.turning(), f"asked again and again: {screen.turning()}"

    @asynccontextmanager
    async def phone(
        self, person: Person, look: Look | None = None, *, worker: bool = False
    ) -> AsyncIterator[Screen]:
        """A phone that is a new device of a person's, at the wallet's first page."""
        async with self.server.client(person.key) as client:
            device = await post(client, "/v1/people/me/devices", {"name": "Phone"})
        async with self.screen(look, worker=worker) as screen:
            await screen.open("/wallet")
            await screen.role("button", "I have a wallet already|我已有钱包").click()
            fields = screen.page.get_by_role("textbox")
            for at, name in enumerate(("key", "code_index", "code_seed")):
                await fields.nth(at).fill(device[name])
            await screen.role("button", "Connect this phone|连接这部手机").click()
            await screen.page.get_by_role("navigation").first.wait_for()
            yield screen

    @asynccontextmanager
    async def till(
        self, look: Look | None = None, *, worker: bool = False
    ) -> AsyncIterator[Screen]:
        """A till at its amount pad."""
        async with self.screen(look, worker=worker) as screen:
            await screen.open("/till")
            await screen.page.get_by_label(re.compile("Merchant’s key|商户密钥")).fill(
                self.shop.key
            )
            await screen.role("button", "Continue|继续").click()
            await screen.role("button", "Till 1").click()
            await screen.page.get_by_text(re.compile("^(Online|在线)$")).wait_for()
            yield screen

    @asynccontextmanager
    async def member(
        self, role: str, look: Look | None = None, *, of: Shop | None = None, name: str = ""
    ) -> AsyncIterator[Screen]:
        """A member of a shop's staff, or of the operator's, at the first page of the console."""
        path, usual = (f"/v1/merchants/{of.merchant_id}/staff", "Xu") if of else ("/v1/staff", "Bo")
        async with self.server.client(self.server.operator_key) as operator:
            invited = await post(operator, path, {"name": name or usual, "role": role})
        async with self.screen(look or Look(size=DESK)) as screen:
            answer = await screen.context.request.post(
                f"{self.server.url}/v1/sandbox/sign-in",
                data={"staff_id": invited["staff"]["id"]},
                headers={"origin": self.server.url},
            )
            assert answer.ok, await answer.text()
            await screen.open("/console")
            await screen.page.get_by_role("navigation").first.wait_for()
            yield screen

    def till_of(
        self, shop: Shop, look: Look | None = None, *, key: str = "", worker: bool = False
    ) -> AbstractAsyncContextManager[Screen]:
        """A till of another shop's, at its amount pad."""
        other = replace(self, shop=shop._replace(key=key or shop.key))
        return other.till(look, worker=worker)

    async def balance(self, person: Person) -> int:
        """What they have, in fen."""
        async with self.server.client(person.key) as client:
            balances = made(await client.get("/v1/wallet"))["balances"]
        found: int = next(one["balance"] for one in balances if one["currency"] == "CNY")
        return found

    async def order(self, amount: int) -> dict[str, Any]:
        """An order of the shop's, with its code."""
        async with self.server.client(self.shop.key) as client:
            body = {"shop_id": self.shop.shop_id, "amount": amount, "currency": "CNY"}
            payment: dict[str, Any] = await post(client, "/v1/payments", body)
            code = made(await client.get(f"/v1/payments/{payment['id']}/code"))
        return payment | {"code": code}


async def end_sessions(stage: Stage) -> None:
    """End the sessions of all shops' staff, as if elsewhere."""
    async with stage.server.database() as database:
        await database.execute("UPDATE sessions SET ended_at = now() WHERE kind = 'merchant'")
    await asyncio.sleep(2 * FOLLOW_SECONDS)  # the server hears of it


async def type_amount(screen: Screen, text: str) -> None:
    """Type an amount as a keyboard does."""
    await screen.page.locator("output").wait_for()
    for key in text:
        await screen.page.keyboard.press(key)


async def pay_code_of(screen: Screen) -> str:
    """The digits of the code that a phone shows."""
    digits = screen.page.locator("button.digits")
    await digits.wait_for()
    if await digits.get_attribute("aria-expanded") == "false":
        await digits.click()
    return (await digits.inner_text()).replace(" ", "")


async def lose_answers(route: Route, times: list[int]) -> None:
    """Let the request through, and lose its answer, as often as `times` says."""
    if times[0] > 0:
        times[0] -= 1
        await route.fetch()
        await route.abort("connectionreset")
    else:
        await route.continue_()


def program_of_browser() -> str | None:
    """Debian's Chromium; better the one without a desktop's parts, less than half of the work."""
    found = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))
    return next(filter(None, found), None)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser."""
    program = program_of_browser()
    if program is None:
        pytest.skip("there is no Chromium here: apt-get install chromium-headless-shell")
    if not (ROOT / "src/tandem/web/apps/wallet/index.html").exists():
        pytest.skip("the apps were not built: make apps")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture(scope="module")
async def server(chromium: Browser) -> AsyncIterator[Living]:  # noqa: ARG001 - no server without one
    """One Tandem for the browser tests of a file: a person has twenty devices at most."""
    with open_folder() as folder:
        async with living(folder / "data") as server:
            yield server


@pytest.fixture(scope="module")
async def stage(chromium: Browser, server: Living) -> Stage:
    """People with money, and a shop."""
    async with server.client(server.operator_key) as operator:
        lin = await sign_up(operator, "lin", yuan=12_345)
        mei = await sign_up(operator, "mei", yuan=500)
        shop = await open_shop(server, operator, "Blue Door")
    return Stage(chromium, server, lin, mei, shop)
