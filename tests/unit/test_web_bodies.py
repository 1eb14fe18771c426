"""Bodies and idempotency keys, good and hostile."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from web_fakes import AUTH, BODY, MERCHANT, PAY, PAYMENT, RAW_WRITE, WRITE, Services, Wire, problem
from web_fakes import make_app as app_of
from web_fakes import make_client as client_of

from tandem.api.problems import BY_CODE
from tandem.db import STRANGERS

AMOUNT = "must be a whole number of minor units from 1 to 1000000000000000"


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_of(services)) as client:
        yield client


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "ends too early"),
        (b"{", "ends too early"),
        (b'{"amount":NaN}', "byte 10"),
        (b'{"amount":Infinity}', "byte 10"),
        (b'{"amount":1}x', "trailing characters at byte 13"),
        (b'\xef\xbb\xbf{"amount":1}', "byte 0"),
        (b'{"amount":1,"currency":"\xff"}', "UTF-8"),
        (b'{"amount":1,"currency":"\xed\xa0\x80"}', "UTF-8"),
        (b'{"amount":1,"currency":"\\ud800"}', "ends too early"),
        (b'{"amount":1,"currency":"a\x00"}', "byte"),
        ('{"amount":1}'.encode("utf-16"), "byte 0"),
        (b'{"amount":1,"amount":2}', "amount twice"),
        (b'{"amount":1,"\\u0061mount":2}', "amount twice"),
        (b'{"amount":1,"lines":[{"name":"a","name":"a"}]}', "name twice"),
        (b'{"amount":1,"extra":{"a\\u001b":"b","a\\u001b":"c"}}', "a? twice"),
    ],
)
async def test_what_is_not_json(
    client: httpx.AsyncClient, services: Services, content: bytes, place: str
) -> None:
    headers = WRITE | {"content-type": "application/json"}
    response = await client.post("/v1/things", content=content, headers=headers)
    assert place in problem(response, 400, "malformed_request")["reason"]
    assert not services.calls


@pytest.mark.parametrize(
    ("content", "pointer", "reason"),
    [
        (b"{}", "/amount", "is missing"),
        (b"[]", "", "must be an object, not a list"),
        (b"[" * 60_000, "", "must be an object, not a list"),
        (b'{"amount":"1"}', "/amount", f"{AMOUNT}, not a text"),
        (b'{"amount":1.0}', "/amount", f"{AMOUNT}, not a number with decimals"),
        (b'{"amount":true}', "/amount", f"{AMOUNT}, not true or false"),
        (b'{"amount":null}', "/amount", f"{AMOUNT}, not null"),
        (b'{"amount":0}', "/amount", AMOUNT),
        (b'{"amount":1000000000000001}', "/amount", AMOUNT),
        (b'{"amount":' + b"9" * 60_000 + b"}", "/amount", AMOUNT),
        (b'{"amount":1,"tip":2}', "/tip", "is not known here"),
        (b'{"amount":1,"a/b~c":2}', "/a~1b~0c", "is not known here"),
        (
            b'{"amount":1,"lines":[{"name":"a"},{"name":7}]}',
            "/lines/1/name",
            "must be a text of at most 20 characters, not a number",
        ),
        (b'{"amount":1,"lines":[{"name":"a","x":1}]}', "/lines/0/x", "is not known here"),
        (b'{"amount":1,"extra":{"a":"b","c/d":1}}', "/extra/c~1d", "must be a text, not a number"),
        (b'{"amount":1,"extra":{"a\\u001b":1}}', "/extra/a?", "must be a text, not a number"),
        (b'{"amount":1,"extra":7}', "/extra", "must be an object, not a number"),
        (b'{"amount":1,"currency":"\\u0000"}', "/currency", "must not have the character NUL"),
        (
            b'{"amount":1,"lines":[{"name":"\\u0000"}]}',
            "/lines/0/name",
            "must not have the character NUL",
        ),
        (b'{"amount":1,"extra":{"\\u0000":"a"}}', "/extra", "must not have the character NUL"),
        (b'{"amount":1,"\\u001b[31m":2}', "/?[31m", "is not known here"),
    ],
)
async def test_fields_are_checked(
    client: httpx.AsyncClient, services: Services, content: bytes, pointer: str, reason: str
) -> None:
    headers = WRITE | {"content-type": "application/json"}
    response = await client.post("/v1/things", content=content, headers=headers)
    data = problem(response, 422, "invalid_request")
    assert data["pointer"] == pointer
    assert data["reason"] == reason
    assert not services.calls


async def test_the_reference_quotes_what_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/things", json={"amount": 0}, headers=WRITE)
    example = BY_CODE["invalid_request"].example
    assert response.json()["detail"] == example.sentence()
    data = problem(response, 422, "invalid_request")
    assert {name: data[name] for name in example.data()} == example.data()


async def test_an_escaped_backslash_is_not_nul(client: httpx.AsyncClient) -> None:
    body = {"amount": 1, "currency": "\\u0000"}
    assert (await client.post("/v1/things", json=body, headers=WRITE)).status_code == 201


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/jsonp",
        "application/json; charset=latin-1",
        "a/b;charset=utf-8",
    ],
)
async def test_only_json_is_taken(client: httpx.AsyncClient, kind: str) -> None:
    headers = WRITE | {"content-type": kind}
    response = await client.post("/v1/things", content=b"{}", headers=headers)
    problem(response, 415, "media_type_unsupported")


async def test_compressed_bodies_are_not_taken(client: httpx.AsyncClient) -> None:
    headers = WRITE | {"content-encoding": "gzip"}
    response = await client.post("/v1/things", json=BODY, headers=headers)
    problem(response, 415, "media_type_unsupported")


async def test_a_body_that_may_be_left_out(client: httpx.AsyncClient, services: Services) -> None:
    path = f"/v1/things/{PAY}/CNY"
    assert (await client.patch(path, headers=AUTH)).status_code == 200
    assert (await client.patch(path, headers=AUTH, json={"note": "x"})).json()["note"] == "x"
    plain = AUTH | {"content-type": "text/plain"}
    problem(await client.patch(path, headers=plain), 415, "media_type_unsupported")
    response = await client.patch(path, headers=AUTH, content=b'{"note":"x"}')
    problem(response, 415, "media_type_unsupported")
    assert services.calls[0][1:3] == (PAYMENT, "CNY")


async def test_a_text_in_the_path_is_bounded(client: httpx.AsyncClient) -> None:
    for text in ("a" * 65, "%07"):
        problem(await client.patch(f"/v1/things/{PAY}/{text}", headers=AUTH), 404, "not_found")


async def test_a_body_where_none_is_taken(client: httpx.AsyncClient, services: Services) -> None:
    path = f"/v1/things/{PAY}"
    response = await client.request("DELETE", path, headers=AUTH, json={"amount": 1})
    problem(response, 422, "invalid_request")
    assert not services.calls
    assert (await client.request("DELETE", path, headers=AUTH, json={})).status_code == 204


async def test_a_domains_invalid_points_into_the_body(client: httpx.AsyncClient) -> None:
    path = f"/v1/things/{PAY}/CNY"
    response = await client.patch(path, headers=AUTH, json={"note": "bad"})
    assert problem(response, 422, "invalid_request") == {
        "field": "note",
        "reason": "must be good",
        "pointer": "/note",
    }


@pytest.mark.parametrize("key", ["", " ", " a", "a" * 256, "ключ", "a\tb", "a\x7f"])
async def test_idempotency_keys_are_checked(client: httpx.AsyncClient, key: str) -> None:
    headers = {b"authorization": AUTH["authorization"].encode(), b"idempotency-key": key.encode()}
    response = await client.post("/v1/things", json=BODY, headers=headers)
    problem(response, 400, "malformed_header")


async def test_idempotency_keys_are_required(client: httpx.AsyncClient, services: Services) -> None:
    response = await client.post("/v1/things", json=BODY, headers=AUTH)
    problem(response, 400, "idempotency_key_missing")
    headers = AUTH | {"idempotency-key": "a b" + "c" * 252}
    assert (await client.post("/v1/things", json=BODY, headers=headers)).status_code == 201
    await client.patch(f"/v1/things/{PAY}/CNY", headers=AUTH)
    assert services.calls[-1][0].idempotency is None


SECRET = "2f1c9a52-6f0b-4d3e-9c7a-5b1e8d04a7f6"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "order-1027",
        "a" * 36,
        SECRET.replace("-", ""),
        f"{{{SECRET}}}",
        f"{SECRET}\n",
        SECRET.replace("-4d3e-", "-7d3e-"),  # a version whose first half is a clock
        SECRET.replace("-9c7a-", "-cc7a-"),
    ],
)
@pytest.mark.parametrize("headers", [{}, AUTH])
async def test_a_key_that_can_be_guessed_is_not_taken_where_anyone_may_ask(
    client: httpx.AsyncClient, services: Services, key: str, headers: dict[str, str]
) -> None:
    given = {name.encode(): value.encode() for name, value in headers.items()}
    response = await client.post(
        "/v1/strangers", json={}, headers=given | {b"idempotency-key": key.encode()}
    )
    assert problem(response, 400, "malformed_header")["header"] == "Idempotency-Key"
    assert not services.calls


async def test_strangers_keys_are_apart_from_everybodys(
    client: httpx.AsyncClient, services: Services
) -> None:
    for headers in ({}, AUTH):
        for key in (SECRET, SECRET.upper()):
            given = headers | {"idempotency-key": key}
            assert (await client.post("/v1/strangers", json={}, headers=given)).is_success
    await client.post("/v1/strangers", json={})
    *named, without = [call[0].idempotency for call in services.calls]
    assert [each.owner_id for each in named] == [STRANGERS, STRANGERS, MERCHANT, MERCHANT]
    assert {each.key for each in named} == {SECRET}
    assert without is None


async def test_a_header_twice_is_refused(services: Services) -> None:
    for name in (b"authorization", b"idempotency-key", b"content-length"):
        value = {b"content-length": b"13"}.get(name, b"Bearer tk_mer_good")
        wire = Wire(app_of(services), {"type": "http.request", "body": b"{}"})
        await wire.request("POST", "/v1/things", [(name, value), (name, value)])
        assert wire.status == 400
        assert json.loads(wire.body)["code"] == "malformed_header"
    assert not services.calls


@pytest.mark.parametrize(
    "lengths", [[b"content-length", b"10000000"], [b"content-length", b"-1"], []]
)
async def test_long_bodies_are_cut_off(services: Services, lengths: list[bytes]) -> None:
    chunks = [{"type": "http.request", "body": b" " * 40_000, "more_body": True}] * 300
    wire = Wire(app_of(services), *chunks)
    headers = [*RAW_WRITE, *([(lengths[0], lengths[1])] if lengths else [])]
    work = asyncio.create_task(wire.request("POST", "/v1/things", headers))
    wire.gone.set()
    await work
    assert wire.status == 413
    assert wire.headers[b"connection"] == b"close"
    assert json.loads(wire.body)["code"] == "body_too_large"
    assert wire.sent[1]["more_body"], "the answer is out before the rest is dropped"
    assert wire.received == 301
    assert not services.calls


async def test_dropping_a_long_body_ends(services: Services) -> None:
    chunks = [{"type": "http.request", "body": b" " * 1_000_000, "more_body": True}] * 100
    wire = Wire(app_of(services), *chunks)
    await wire.request("POST", "/v1/things", RAW_WRITE)
    assert wire.status == 413
    assert wire.received < 20


async def test_a_body_that_waits_is_not_asked_for(services: Services) -> None:
    wire = Wire(app_of(services))
    headers = [*RAW_WRITE, (b"content-length", b"10000000"), (b"expect", b"100-continue")]
    await wire.request("POST", "/v1/things", headers)
    assert (wire.status, wire.received) == (413, 0)


async def test_chunks_are_put_together_and_a_lying_length_does_not_matter(
    services: Services,
) -> None:
    wire = Wire(
        app_of(services),
        {"type": "http.request", "body": b'{"amo', "more_body": True},
        {"type": "http.request", "body": b'unt":7}', "more_body": False},
    )
    await wire.request("POST", "/v1/things", [*RAW_WRITE, (b"content-length", b"3")])
    assert wire.status == 201
    assert services.calls[0][1].amount == 7


async def test_a_client_that_goes_away_is_not_answered(services: Services) -> None:
    wire = Wire(app_of(services), {"type": "http.request", "body": b"{", "more_body": True})
    wire.gone.set()
    await wire.request("POST", "/v1/things", RAW_WRITE)
    assert not wire.sent
    assert not services.calls
