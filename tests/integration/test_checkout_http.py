"""Checkout over HTTP: what strangers may read and follow, who may do what, and the command line."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from hostile import House, open_house, problem

from living import fresh_key, made, post

SHOP: Final = "https://shop.example"
EXPECTED: Final = {
    *("merchant", "shop", "amount", "currency", "description", "lines", "status"),
    *("decline_reason", "ways", "code", "wallet_path", "return_url", "result", "frame_origins"),
    *("locale", "invoice", "expires_at", "updated_at"),
}
"""All that whoever has the link learns."""


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with open_house() as made_house:
        yield made_house


async def session_of(house: House, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the body
    async with house.server.client(house.mine.key) as client:
        session: dict[str, Any] = await post(client, "/v1/checkout/sessions", house.order(**more))
    return session


def token_of(url: str) -> str:
    return url.rpartition("/")[2]


async def test_a_stranger_reads_the_page_and_nothing_else(house: House) -> None:
    session = await session_of(house, metadata={"margin": "12 %"}, order_reference="secret-ref")
    async with house.server.client() as stranger:
        page = made(await stranger.get(f"/v1/checkout/pages/{token_of(session['url'])}"))
        assert set(page) == EXPECTED
        text = json.dumps(page | {"code": None})
        for hidden in ("margin", "12 %", session["id"], house.mine.shop_id, "pay_"):
            assert hidden not in text
        for wrong in ("A" * 20, "x", "..", "%2e%2e", "A" * 64, session["id"]):
            answer = await stranger.get(f"/v1/checkout/pages/{wrong}")
            assert answer.status_code in (404, 400), wrong


async def test_a_stranger_follows_the_page_live(house: House) -> None:
    session = await session_of(house)
    path = f"/v1/checkout/pages/{token_of(session['url'])}/stream"
    seen: list[str] = []
    async with house.server.client() as stranger, stranger.stream("GET", path) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        other = await session_of(house)  # of the same merchant: not told here
        async with house.server.client(house.mine.key) as client:
            await post(client, f"/v1/payments/{other['payment_id']}/cancel")
            await post(client, f"/v1/payments/{session['payment_id']}/cancel")
        async with asyncio.timeout(20):
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: "))["status"])
                if seen[-1:] == ["cancelled"]:
                    break
    assert seen in (["created", "cancelled"], ["cancelled"])
    async with house.server.client() as stranger:
        problem(await stranger.get(f"/v1/checkout/pages/{'A' * 20}/stream"), 404, "not_found")


async def test_the_page_is_framed_by_whom_the_settings_name(house: House) -> None:
    session = await session_of(house)
    path = session["url"].removeprefix(house.server.url)
    async with house.server.client(house.mine.key) as client:
        answer = await client.get(path)
        if answer.status_code == 404:
            pytest.skip("the apps were not built: make apps")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        settings = {"return_origins": [SHOP], "frame_origins": [SHOP, "https://b.example:8443"]}
        made(await client.put("/v1/checkout/settings", json=settings))
        rules = (await client.get(path)).headers["content-security-policy"].split("; ")
        assert f"frame-ancestors {SHOP} https://b.example:8443" in rules
        for other in ("/wallet/", "/till/", "/checkout/", f"/checkout/l/{'A' * 20}"):
            headers = (await client.get(other)).headers
            assert "frame-ancestors 'none'" in headers["content-security-policy"], other
        script = await client.get("/checkout/checkout.js")
        assert script.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example; script-src *",
        "https://shop.example 'unsafe-inline'",
        "https://shop.example,https://evil.example",
        "https://shop.example\r\nX-Evil: 1",
        "*",
        "'self'",
        "data:",
    ],
)
async def test_no_settings_change_the_policy(house: House, origin: str) -> None:
    async with house.unharmed(), house.server.client(house.mine.key) as client:
        for field in ("frame_origins", "return_origins"):
            answer = await client.put("/v1/checkout/settings", json={field: [origin]})
            problem(answer, 422, "invalid_request")


async def test_foreign_returns_and_shops_are_refused(house: House) -> None:
    async with house.server.client(house.mine.key) as client:
        made(await client.put("/v1/checkout/settings", json={"return_origins": [SHOP]}))
    async with house.unharmed(), house.server.client(house.mine.key) as client:

        async def refused(status: int, code: str, **more: Any) -> None:  # noqa: ANN401 - fields of the body
            answer = await client.post(
                "/v1/checkout/sessions",
                json=house.order(**more),
                headers={"Idempotency-Key": fresh_key()},
            )
            problem(answer, status, code)

        await refused(422, "return_refused", success_url="https://evil.example/")
        await refused(422, "invalid_request", success_url="javascript:alert(1)")
        await refused(422, "invalid_request", cancel_url=f"{SHOP}\\@evil.example")
        await refused(404, "not_found", shop_id=house.theirs.shop_id)
        await refused(422, "invalid_request", amount=1, lines=[{"name": "x", "unit_amount": 2}])
        await refused(422, "invalid_request", metadata={"a b": "x"})
        await refused(422, "invalid_request", lines=[{"name": "a\u202eb", "unit_amount": 500}])


async def test_a_visitor_begins_with_a_key_of_their_own(house: House) -> None:
    async with house.server.client(house.mine.key) as client:
        body = house.order(description="Tea")
        link = await post(client, "/v1/payment-links", body)
    path = f"/v1/checkout/links/{token_of(link['url'])}/visits"
    async with house.server.client() as stranger:
        answer = await stranger.post(path, json={}, headers={"Idempotency-Key": "guessable"})
        assert answer.status_code == 400
        key = {"Idempotency-Key": "7d0f2f0b-4a9e-4c3c-9a65-3f1f2c5d7e90"}
        first = made(await stranger.post(path, json={}, headers=key))
        again = await stranger.post(path, json={}, headers=key)
        assert made(again) == first
        assert again.headers["idempotent-replayed"] == "true"
        problem(await stranger.post(path, json={"amount": 1}), 422, "invalid_request")


async def test_roles_and_scopes(house: House) -> None:
    """A key for payments makes sessions, and neither links nor settings."""
    async with house.server.client(house.mine.key) as client:
        body = {"name": "till", "scopes": ["payments:write", "payments:read"]}
        secret = (await post(client, "/v1/keys", body))["secret"]
    async with house.server.client(secret) as till:
        await post(till, "/v1/checkout/sessions", house.order())
        for method, path in (
            ("GET", "/v1/payment-links"),
            ("GET", "/v1/invoices"),
            ("PUT", "/v1/checkout/settings"),
            ("POST", "/v1/checkout/secret"),
        ):
            json_body: dict[str, str] | None = None if method == "GET" else {}
            problem(await till.request(method, path, json=json_body), 403, "scope_missing")


async def test_it_is_in_the_audit_log(house: House) -> None:
    async with house.server.client(house.mine.key) as client:
        lines = [{"name": "Tea", "unit_amount": 500}]
        body = house.order(lines=lines, customer_name="Xu", due_on="2100-01-01")
        del body["amount"]
        invoice = await post(client, "/v1/invoices", body)
        made(await client.post(f"/v1/invoices/{invoice['id']}/open"))
        made(await client.post(f"/v1/invoices/{invoice['id']}/void"))
        made(await client.post("/v1/checkout/secret", json={}))
        log = made(await client.get("/v1/audit", params={"limit": 20}))["data"]
    done = [(one["action"], one["object"]) for one in log]
    for action in ("create_invoice", "open_invoice", "void_invoice"):
        assert (action, invoice["id"]) in done
    assert "roll_result_secret" in [action for action, _ in done]
    assert not re.search(r"chk_", json.dumps(log))


async def test_the_buyer_of_the_sandbox_pays_it(house: House) -> None:
    async with house.server.client(house.server.operator_key) as operator:
        rules = {"rules": [{"amount": 4711, "action": "pay"}]}
        made(await operator.put("/v1/sandbox/buyer", json=rules))
    session = await session_of(house, amount=4711)
    async with house.server.client() as stranger, asyncio.timeout(20):
        while True:
            page = made(await stranger.get(f"/v1/checkout/pages/{token_of(session['url'])}"))
            if page["status"] == "captured":
                break
            await asyncio.sleep(0.2)
