"""Requests of every kind, good and hostile, to operations over fake services."""

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import structlog
from web_fakes import (
    AUTH,
    BODY,
    KEY,
    MERCHANT,
    NOW,
    PAY,
    PAYMENT,
    WRITE,
    Create,
    Line,
    Services,
    Wire,
    problem,
)
from web_fakes import make_app as app_of
from web_fakes import make_client as client_of

from tandem.kernel import Refused
from tandem.ledger import JournalBusy, RefusedEarlier
from tandem.ledger.outcome import answered, kept
from tandem.settings import Settings


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_of(services)) as client:
        yield client


async def test_a_write_reaches_its_handler(client: httpx.AsyncClient, services: Services) -> None:
    body = BODY | {"lines": [{"name": "Tea"}]}
    response = await client.post("/v1/things", json=body, headers=WRITE)
    assert response.status_code == 201
    assert response.json() == {"id": PAY, "amount": 3800, "note": None}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "idempotent-replayed" not in response.headers
    call, given = services.calls[0]
    assert given == Create(amount=3800, lines=(Line(name="Tea"),))
    assert call.principal.owner_id == MERCHANT
    assert call.principal.key_id == KEY
    assert call.client == "192.0.2.1"
    assert call.request_id == response.headers["x-request-id"]
    assert (call.idempotency.owner_id, call.idempotency.key) == (MERCHANT, "k-1")
    assert len(call.idempotency.fingerprint) == 32
    again = await client.post("/v1/things", json=body, headers=WRITE)
    assert again.headers["idempotent-replayed"] == "true"


async def test_fingerprints_are_of_what_was_understood(
    client: httpx.AsyncClient, services: Services
) -> None:
    json_type = WRITE | {"content-type": "application/json; charset=UTF-8"}
    for content in (
        b'{"amount":1,"currency":"CNY"}',
        b' {"currency" : "CNY", "amount":1}',
        b'{"amount": 1}',
        b'{"amount": 2}',
    ):
        await client.post("/v1/things", content=content, headers=json_type)
    path = f"/v1/things/{PAY}"
    for suffix, method in (("EUR", "PATCH"), ("CNY", "PATCH")):
        await client.request(method, f"{path}/{suffix}", headers=WRITE)
    prints = [call[0].idempotency.fingerprint for call in services.calls]
    assert prints[0] == prints[1] == prints[2]
    assert len(set(prints[2:])) == 4


async def test_lists_come_in_pages(client: httpx.AsyncClient, services: Services) -> None:
    first = (await client.get("/v1/things", params={"limit": 2}, headers=AUTH)).json()
    assert [thing["amount"] for thing in first["data"]] == [1, 2]
    assert first["has_more"] is True
    assert first["next"] == first["data"][-1]["id"]
    await client.get("/v1/things", params={"after": PAY}, headers=AUTH)
    assert services.calls[-1][2] == PAYMENT
    last = (await client.get("/v1/things", headers=AUTH)).json()
    assert (len(last["data"]), last["has_more"], last["next"]) == (5, False, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=" + "9" * 3000, "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=", "limit"),
        ("after=pay_1", "after"),
        ("after=" + PAY.replace("pay", "shp"), "after"),
        ("after=%00", "after"),
        ("sort=amount", "sort"),
        ("%1b%5b31m=1", "?[31m"),
        ("a=%ff", "query string"),
        ("&".join(f"a{n}=1" for n in range(50)), "query string"),
        ("a=" + "b" * 5000, "query string"),
    ],
)
async def test_queries_are_checked(client: httpx.AsyncClient, query: str, field: str) -> None:
    response = await client.get(f"/v1/things?{query}", headers=AUTH)
    assert problem(response, 422, "invalid_request")["field"] == field


async def test_no_query_where_none_is_taken(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/v1/things/{PAY}?expand=all", headers=AUTH)
    assert problem(response, 422, "invalid_request")["field"] == "expand"


@pytest.mark.parametrize(
    "shown",
    ["pay_1", "PAY_" + PAY[4:], PAY + "0", PAY[4:], "shp_" + PAY[4:], "pay_" + "٣" * 32, "%00"],
)
async def test_a_malformed_id_names_nothing(
    client: httpx.AsyncClient, services: Services, shown: str
) -> None:
    problem(await client.get(f"/v1/things/{shown}", headers=AUTH), 404, "not_found")
    assert not services.calls


async def test_what_is_not_there(client: httpx.AsyncClient) -> None:
    other = "pay_" + "0" * 32
    response = await client.get(f"/v1/things/{other}", headers=AUTH)
    assert problem(response, 404, "not_found") == {"kind": "payment", "id": other}
    for path in ("/v1/thing", "/v1/", "/v1//things", "/v1/things/", f"/v1/things/{PAY}/", "/v2/x"):
        problem(await client.get(path, headers=AUTH), 404, "no_such_path")
    slash = await client.get("/v1/things/", headers=AUTH)
    assert "slash" in slash.json()["detail"]


async def test_methods(client: httpx.AsyncClient) -> None:
    response = await client.put("/v1/things", headers=AUTH)
    assert problem(response, 405, "method_not_allowed")["allowed"] == [
        "GET",
        "HEAD",
        "POST",
        "OPTIONS",
    ]
    assert response.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    options = await client.options("/v1/things")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    got = await client.get("/v1/things", headers=AUTH)
    head = await client.head("/v1/things", headers=AUTH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert (await client.head("/v1/things/live", headers=AUTH)).status_code == 405
    gone = await client.delete(f"/v1/things/{PAY}", headers=AUTH)
    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-length" not in gone.headers


async def test_pictures(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/v1/things/{PAY}/picture.png", headers=AUTH)
    assert response.headers["content-type"] == "image/png"
    assert response.content == b"\x89PNG"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer tk_mer_wrong",
        "Basic tk_mer_good",
        "Bearer tk_mer_good extra",
        "Bearer other",
        "Bearer tk_" + "a" * 5000,
        "Bearer tk_mer_göod",
    ],
)
async def test_keys_are_needed(
    client: httpx.AsyncClient, services: Services, value: str | None
) -> None:
    headers = {} if value is None else {b"authorization": value.encode()}
    response = await client.get("/v1/things", headers=headers)
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert not services.calls


async def test_kinds_and_scopes(client: httpx.AsyncClient, services: Services) -> None:
    read = {"authorization": "Bearer tk_mer_read", "idempotency-key": "k"}
    response = await client.post("/v1/things", json=BODY, headers=read)
    assert problem(response, 403, "scope_missing") == {"scope": "payments:write"}
    assert 'scope="payments:write"' in response.headers["www-authenticate"]
    person = {"authorization": "bearer tk_dev_good"}
    response = await client.get(f"/v1/things/{PAY}", headers=person)
    assert problem(response, 403, "wrong_kind_of_key") == {"kind": "person", "wanted": ["merchant"]}
    assert not services.calls
    assert (await client.get("/v1/things", headers=person)).status_code == 200


async def test_anyone_may_and_a_key_is_looked_at(
    client: httpx.AsyncClient, services: Services
) -> None:
    assert (await client.post("/v1/strangers", json={})).status_code == 200
    assert (await client.post("/v1/strangers", json={}, headers=AUTH)).status_code == 200
    first, second = (call[0].caller for call in services.calls)
    assert first is None
    assert second.owner_id == MERCHANT
    wrong = {"authorization": "Bearer tk_op_wrong"}
    problem(await client.post("/v1/strangers", json={}, headers=wrong), 401, "unauthenticated")


@pytest.mark.parametrize("given", ["abc", "A.b_c-9", "x" * 64])
async def test_sane_request_ids_are_kept(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/v1/things", headers={"x-request-id": given})
    assert response.headers["x-request-id"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\x1b[0m", "é"])
async def test_other_request_ids_are_replaced(client: httpx.AsyncClient, given: str) -> None:
    headers = {b"x-request-id": given.encode()}
    first = (await client.get("/v1/things", headers=headers)).headers["x-request-id"]
    second = (await client.get("/healthz", headers=headers)).headers["x-request-id"]
    assert given not in {first, second}
    assert first != second


async def test_a_key_has_a_rate(services: Services) -> None:
    now = 0.0
    services = Services(Settings(rate_per_second=2))
    async with client_of(app_of(services, tick=lambda: now)) as client:
        codes = [(await client.get("/v1/things", headers=AUTH)).status_code for _ in range(9)]
        assert codes == [200] * 8 + [429]
        response = await client.get("/v1/things", headers=AUTH)
        assert problem(response, 429, "too_many_requests")["limit"] == "key"
        assert response.headers["retry-after"] == "1"
        person = {"authorization": "Bearer tk_dev_good"}
        assert (await client.get("/v1/things", headers=person)).status_code == 200
        now = 0.5
        assert (await client.get("/v1/things", headers=AUTH)).status_code == 200


async def test_sign_ups_of_an_address_have_a_rate() -> None:
    app = app_of(Services(Settings(sign_ups_per_hour=3)))
    async with client_of(app) as client, client_of(app, ("192.0.2.2", 1)) as neighbour:
        codes = [(await client.post("/v1/strangers")).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        refused = await client.post("/v1/strangers")
        assert int(refused.headers["retry-after"]) == 1200
        assert (await neighbour.post("/v1/strangers")).status_code == 200


async def test_wrong_keys_of_an_address_have_a_rate() -> None:
    services = Services(Settings(sign_ups_per_hour=3))
    app = app_of(services)
    async with client_of(app) as client, client_of(app, ("2001:db8::1", 1)) as other:
        assert (await client.get("/v1/things", headers=AUTH)).status_code == 200
        wrong = {"authorization": "Bearer tk_mer_wrong"}
        codes = [(await client.get("/v1/things", headers=wrong)).status_code for _ in range(4)]
        assert codes == [401, 401, 401, 429]
        asked = services.access.asked
        assert (await client.get("/v1/things", headers=wrong)).status_code == 429
        assert services.access.asked == asked, "beyond the limit nothing is looked up"
        assert (await client.get("/v1/things", headers=AUTH)).status_code == 200
        assert (await other.get("/v1/things", headers=wrong)).status_code == 401


async def test_refusals_of_the_journal(client: httpx.AsyncClient, services: Services) -> None:
    services.failure = JournalBusy(3)
    response = await client.post("/v1/things", json=BODY, headers=WRITE)
    assert problem(response, 503, "busy") == {"retry_after_seconds": 3}
    assert response.headers["retry-after"] == "3"
    assert "idempotent-replayed" not in response.headers
    with pytest.raises(RefusedEarlier) as earlier:
        answered(kept(RefusedEarlier("unknown_since")))
    services.failure = earlier.value
    response = await client.post("/v1/things", json=BODY, headers=WRITE)
    assert problem(response, 409, "refused_earlier") == {"reason": "unknown_since"}
    assert response.headers["idempotent-replayed"] == "true"


class OfNobody(Refused):
    code = "of_nobody"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (
            RuntimeError("tk_mer_secret at postgresql://u:hunter2@db\nDETAIL: x"),
            500,
            "internal_error",
        ),
        (OfNobody(), 500, "internal_error"),
        (ConnectionResetError("hunter2"), 503, "database_unavailable"),
        (TimeoutError(), 503, "database_unavailable"),
        (asyncpg.InterfaceError("connection is closed"), 503, "database_unavailable"),
        (asyncpg.InternalClientError("cannot switch to state"), 503, "database_unavailable"),
        (asyncpg.AdminShutdownError("hunter2"), 503, "database_unavailable"),
        (asyncpg.TooManyConnectionsError("hunter2"), 503, "database_unavailable"),
        (asyncpg.UniqueViolationError("x\nDETAIL: hunter2"), 500, "internal_error"),
    ],
)
async def test_our_faults_show_nothing(
    client: httpx.AsyncClient, services: Services, failure: Exception, status: int, code: str
) -> None:
    services.failure = failure
    with structlog.testing.capture_logs() as logs:
        response = await client.post("/v1/things", json=BODY, headers=WRITE)
    problem(response, status, code)
    assert "hunter2" not in response.text
    (line,) = logs
    assert line["request_id"] == response.headers["x-request-id"]
    assert line["error"] == type(failure).__qualname__
    assert line["where"][-1].startswith("web_fakes.py:")
    assert "secret" not in str(line)
    assert "DETAIL" not in str(line)
    assert "tk_mer_good" not in str(line)


async def test_a_request_that_the_stopping_server_gives_up_is_told_to_come_again(
    services: Services,
) -> None:
    """uvicorn cancels what is under way when its patience ends, and says 500 by itself."""
    wire = Wire(app_of(services))
    headers = [(b"content-type", b"application/json"), (b"x-request-id", b"mine")]
    headers += [(name.lower().encode(), value.encode()) for name, value in WRITE.items()]
    asking = asyncio.create_task(wire.request("POST", "/v1/things", headers))
    await asyncio.sleep(0.01)
    assert wire.received, "it waits for the body"
    asking.cancel("Task cancelled, timeout graceful shutdown exceeded")
    await asking
    assert (wire.status, wire.headers[b"retry-after"]) == (503, b"2")
    assert json.loads(wire.body)["code"] == "server_stopping"
    assert wire.headers[b"x-request-id"] == b"mine"


async def test_times_are_the_services(client: httpx.AsyncClient, services: Services) -> None:
    assert services.clock.now() == NOW
    assert (await client.get("/v1/things", headers=AUTH)).status_code == 200
