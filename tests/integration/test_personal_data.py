"""A person's own data in one document: all of theirs, and nothing of anybody else's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from browsers import Browser, Site, ok, open_site, refused

PATHS = {
    "devices": "/v1/people/me/devices",
    "passkeys": "/v1/passkeys",
    "sessions": "/v1/sessions",
    "cards": "/v1/people/me/cards",
    "payments": "/v1/wallet/payments",
    "sends": "/v1/wallet/sends",
    "requests": "/v1/wallet/requests",
    "splits": "/v1/wallet/splits",
    "packets": "/v1/wallet/packets",
    "messages": "/v1/wallet/messages",
}
SPAM = "Congratulations! You won a prize, claim your cash at bit.ly/3xYz"
MANY = 103
"""More than are read at a time."""


@pytest.fixture
async def site(fresh_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(fresh_database, tmp_path, sign_ups_per_hour=1000) as made:
        yield made


async def all_of(browser: Browser, path: str, **query: str) -> list[Any]:
    """A list as its person reads it, page by page."""
    rows: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = ok(await browser.get(path, params={"limit": "100", **query, **after}))
        rows += page["data"]
        if page["next"] is None:
            return rows
        after = {"after": str(page["next"])}


async def with_money(site: Site, operator: Browser, handle: str) -> tuple[Browser, dict[str, Any]]:
    browser = site.browser()
    made = await browser.sign_up(handle)
    body = {"amount": 1_000_000, "currency": "CNY", "reference": f"bank-{handle}"}
    ok(await operator.post(f"/v1/people/{made['person']['id']}/top-ups", body))
    return browser, made


async def held_split_and_packed(lin: Browser) -> str:
    """Lin and Mei: what was sent with a message that is held and appealed; a split, a packet."""
    held = {"to": "@mei", "amount": 1, "currency": "CNY", "message": SPAM}
    sent: str = ok(await lin.post("/v1/wallet/sends", held))["id"]
    ok(await lin.post(f"/v1/wallet/messages/{sent}/appeal", {"text": "It is our joke."}))
    split = {"amount": 40, "currency": "CNY", "people": [{"of": "@mei"}]}
    ok(await lin.post("/v1/wallet/splits", split))
    packet = {"amount": 50, "currency": "CNY", "division": "equal", "shares": 1, "to": ["@mei"]}
    ok(await lin.post("/v1/wallet/packets", packet))
    return sent


async def test_all_of_ones_own_and_nothing_of_anothers(site: Site) -> None:
    operator = site.program(await site.operator_key())
    lin, lin_made = await with_money(site, operator, "lin")
    mei, mei_made = await with_money(site, operator, "mei")
    zoe, _ = await with_money(site, operator, "zoe")

    # held words, a split, a packet, money both ways, requests; what passes between two others
    held = await held_split_and_packed(lin)
    for _ in range(MANY):
        body = {"to": "@mei", "amount": 100, "currency": "CNY", "message": "From Lin"}
        ok(await lin.post("/v1/wallet/sends", body))
    body = {"to": "@lin", "amount": 7, "currency": "CNY", "message": "From Mei"}
    ok(await mei.post("/v1/wallet/sends", body))
    ok(await mei.post("/v1/wallet/requests", {"of": "@lin", "amount": 5, "currency": "CNY"}))
    secret = {"amount": 9, "currency": "CNY", "message": "Between Mei and Zoe"}
    ok(await mei.post("/v1/wallet/sends", {"to": "@zoe", **secret}))
    ok(await zoe.post("/v1/wallet/requests", {"of": "@mei", **secret}))
    codes = ok(await lin.post("/v1/people/me/recovery-codes"))["codes"]

    # a shop that both paid
    terms = {"fee_basis_points": 60, "fee_fixed": 0}
    merchant = ok(
        await operator.post("/v1/merchants", {"name": "Blue Door", "currencies": {"CNY": terms}})
    )
    scopes = ["payments:write", "payments:read", "shops:write", "shops:read"]
    key = ok(
        await operator.post(f"/v1/merchants/{merchant['id']}/keys", {"name": "k", "scopes": scopes})
    )
    till = site.program(key["secret"])
    shop = ok(await till.post("/v1/shops", {"name": "Door", "city": "Hangzhou", "country": "CN"}))
    paid = {}
    for name, browser in (("lin", lin), ("mei", mei)):
        order = {"shop_id": shop["id"], "amount": 3800, "currency": "CNY"}
        payment = ok(await till.post("/v1/payments", order))
        code = ok(await till.get(f"/v1/payments/{payment['id']}/code"))["url"]
        ok(await browser.post("/v1/wallet/scans", {"code": code, "way": "scan"}))
        ok(await browser.post(f"/v1/wallet/payments/{payment['id']}/approve"))
        paid[name] = payment["id"]

    answer = await lin.get("/v1/people/me/data")
    data = ok(answer)
    assert answer.headers["content-disposition"] == 'attachment; filename="tandem-data.json"'
    assert data["format"] == "tandem-person-1"
    assert data["profile"] == lin_made["person"]
    assert data["limits"] == ok(await lin.get("/v1/people/me/limits"))["data"]
    assert data["balances"] == ok(await lin.get("/v1/wallet"))["balances"]
    assert data["recovery_codes"] == {"left": 10}
    for name, path in PATHS.items():
        assert data[name] == await all_of(lin, path), name
    history = await all_of(lin, "/v1/wallet/history", currency="CNY")
    assert [one for one in data["history"] if one["currency"] == "CNY"] == history
    assert len(data["sends"]) == MANY + 2
    assert [one["id"] for one in data["payments"]] == [paid["lin"]]

    assert [(one["id"], one["appeal"]) for one in data["messages"]] == [(held, "It is our joke.")]
    assert (len(data["splits"]), len(data["packets"])) == (1, 1)
    assert await all_of(mei, "/v1/wallet/messages") == []

    # not a word of what passed between others, and no secret of her own
    text = answer.text
    foreign = [paid["mei"], mei_made["person"]["id"], mei_made["device"]["id"], "Zoe", "@zoe"]
    device = lin_made["device"]
    secrets = [device["key"], device["code_seed"], device["code_index"], *codes]
    assert [one for one in (*foreign, *secrets, secret["message"]) if one in text] == []


async def test_a_key_of_a_device_will_do_and_nobody_elses(site: Site) -> None:
    operator = site.program(await site.operator_key())
    _, made = await with_money(site, operator, "lin")
    phone = site.program(made["device"]["key"])
    assert ok(await phone.get("/v1/people/me/data"))["profile"]["handle"] == "@lin"
    refused(await operator.get("/v1/people/me/data"), 403, "wrong_kind_of_key")
    stranger = site.browser()
    refused(await stranger.get("/v1/people/me/data"), 401, "unauthenticated")
    head = await phone.client.head("/v1/people/me/data")
    assert (head.status_code, head.content) == (200, b"")


async def test_what_breaks_on_the_way_does_not_look_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = site.program(await site.operator_key())
    lin, _ = await with_money(site, operator, "lin")

    async def broken(*_: object, **__: object) -> None:
        message = "the database went away"
        raise ConnectionError(message)

    monkeypatch.setattr(site.town.services.wallet, "history", broken)
    # the status went out before anybody knew; the transport of these tests wants a whole answer
    with pytest.raises(AssertionError):
        await lin.get("/v1/people/me/data")
