"""Browsers with passkeys, in front of a whole installation in one process.

async with open_site(url, folder) as site:
    lin = site.browser()
    await lin.sign_up("lin")
    await lin.get("/v1/session")
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from town import Town, open_town

from authenticator import HONEST, Algorithm, Authenticator, Facts, Says
from tandem.app import operations
from tandem.db import work
from tandem.ledger import OPERATOR_ID
from tandem.web.application import App, create_app

URL: Final = "http://127.0.0.1:8080"
ORIGIN: Final = "http://localhost:8080"
PHONE: Final = (
    "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)
_KEYS: Final = itertools.count(1)


def ok(response: httpx.Response) -> Any:  # noqa: ANN401 - any JSON
    """The body of an answer that must be a success."""
    assert response.is_success, f"{response.request.url}: {response.status_code} {response.text}"
    return response.json() if response.content else None


def refused(response: httpx.Response, status: int, code: str) -> Facts:
    """The data of an answer that must be this problem."""
    body: Facts = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    data: Facts = body["data"]
    return data


@dataclass
class Browser:
    """A browser: cookies, an address, an authenticator."""

    client: httpx.AsyncClient
    keys: Authenticator

    async def get(self, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx takes them
        """GET."""
        return await self.client.get(path, **more)

    async def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        """POST from a page of ours, under a new idempotency key unless one is given."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        named.setdefault("Idempotency-Key", f"browser {next(_KEYS)}")
        sent = {} if body is None else body
        return await self.client.post(path, json=sent, headers=named)

    async def put(self, path: str, body: object) -> httpx.Response:
        """PUT from a page of ours."""
        return await self.client.put(path, json=body)

    async def delete(self, path: str) -> httpx.Response:
        """DELETE from a page of ours."""
        return await self.client.delete(path)

    async def sign_up(self, handle: str, says: Says = HONEST) -> Facts:
        """A new person; the browser is signed in, and their device."""
        options = ok(
            await self.post("/v1/sign-up/options", {"handle": handle, "name": handle.title()})
        )
        made = self.keys.create(options, says)
        answer: Facts = ok(await self.post("/v1/sign-up", {"credential": made}))
        return answer

    async def sign_in(self, says: Says = HONEST) -> httpx.Response:
        """Sign in with the newest passkey."""
        options = ok(await self.post("/v1/sign-in/options"))
        return await self.post("/v1/sign-in", {"credential": self.keys.get(options, says)})

    async def confirm(self) -> None:
        """Confirm that it is still oneself."""
        options = ok(await self.post("/v1/session/verify/options"))
        ok(await self.post("/v1/session/verify", {"credential": self.keys.get(options)}))

    async def join(self, token: str) -> httpx.Response:
        """Accept an invitation."""
        told = ok(await self.post("/v1/sign-in/invitation/options", {"token": token}))
        made = self.keys.create(told["options"])
        return await self.post("/v1/sign-in/invitation", {"credential": made})


@dataclass
class Site:
    """An installation, and browsers on it."""

    town: Town
    app: App[Any]
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(
        self,
        *,
        algorithm: Algorithm = "ES256",
        counts: bool = False,
        address: str = "192.0.2.1",
        origin: str = ORIGIN,
        **headers: str,
    ) -> Browser:
        """A new browser with an authenticator of its own."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(address, 4711)),
            base_url=URL,
            headers={"Origin": origin, "User-Agent": PHONE} | headers,
        )
        self.opened.append(client)
        return Browser(client, Authenticator(origin, algorithm, counts))

    def program(self, key: str) -> Browser:
        """A program with an API key."""
        browser = self.browser()
        browser.client.headers = httpx.Headers({"Authorization": f"Bearer {key}"})
        return browser

    async def operator_key(self) -> str:
        """A key of the operator's."""
        services = self.town.services
        async with work(services.pool) as connection:
            made = await services.access.create(
                connection, kind="operator", owner_id=OPERATOR_ID, name="k", scopes=["operator"]
            )
        return made.secret


@asynccontextmanager
async def open_site(url: str, folder: Path, **settings: Any) -> AsyncIterator[Site]:  # noqa: ANN401 - fields of Settings
    """A site on the database of `url`."""
    async with open_town(url, folder, **settings) as town:
        services = town.services
        site = Site(town, create_app(services, operations(services.settings)))
        try:
            yield site
        finally:
            for client in site.opened:
                await client.aclose()
