"""Clients that mean harm, over real sockets: refused clearly, nothing written, and it goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
from hostile import House, head, open_house, problem, say

from living import (
    fresh_key,
)

MEGABYTES: Final = 10 * 1024 * 1024
JSON: Final = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with open_house() as made_house:
        yield made_house


# --- bodies

GOOD: Final = b'"currency":"CNY","shop_id":"%s"}'
BODIES: Final = {
    "ten megabytes": (b'{"description":"' + b"x" * MEGABYTES + b'",', 413, "body_too_large"),
    "nothing": (None, 400, "malformed_request"),
    "no JSON": (b"amount=5&", 400, "malformed_request"),
    "cut off": (None, 400, "malformed_request"),
    "deep in an unknown field": (b'{"x":' + b"[" * 60_000 + b",", 422, "invalid_request"),
    "deep in a field": (b'{"amount":' + b"[" * 60_000 + b",", 422, "invalid_request"),
    "NaN": (b'{"amount":NaN,', 400, "malformed_request"),
    "Infinity": (b'{"amount":Infinity,', 400, "malformed_request"),
    "1e400": (b'{"amount":1e400,', None, None),
    "a fraction": (b'{"amount":1.5,', 422, "invalid_request"),
    "a huge whole number": (b'{"amount":1' + b"0" * 5000 + b",", None, None),
    "above the largest amount": (b'{"amount":1000000000000001,', 422, "invalid_request"),
    "zero": (b'{"amount":0,', 422, "invalid_request"),
    "negative": (b'{"amount":-5,', 422, "invalid_request"),
    "text for a number": (b'{"amount":"500",', 422, "invalid_request"),
    "truth for a number": (b'{"amount":true,', 422, "invalid_request"),
    "an unknown field": (b'{"amount":500,"gratuity":5,', 422, "invalid_request"),
    "a field twice": (b'{"amount":1,"amount":500,', 400, "malformed_request"),
    "a field twice, once escaped": (b'{"amount":1,"\\u0061mount":500,', 400, "malformed_request"),
    "NUL": (b'{"amount":500,"description":"a\\u0000b",', 422, "invalid_request"),
    "a lone surrogate": (b'{"amount":500,"description":"\\ud800",', 400, "malformed_request"),
    "no UTF-8": (b'{"amount":500,"description":"\xff\xfe",', 400, "malformed_request"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused(house: House, name: str) -> None:
    start, status, code = BODIES[name]
    body = b"" if start is None else start + GOOD % house.mine.shop_id.encode()
    if name == "cut off":
        body = b'{"amount":500,'
    headers = JSON | {"Idempotency-Key": fresh_key()}
    async with house.unharmed(), house.server.client(house.mine.key) as client:
        response = await client.post("/v1/payments", content=body, headers=headers)
        if status is None or code is None:
            assert response.json()["code"] in {"invalid_request", "malformed_request"}, (
                response.text
            )
            return
        problem(response, status, code)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
async def test_what_is_not_json_by_its_headers_is_refused(
    house: House, headers: dict[str, str]
) -> None:
    body = b'{"amount":500,' + GOOD % house.mine.shop_id.encode()
    given = headers | {"Idempotency-Key": fresh_key()}
    async with house.unharmed(), house.server.client(house.mine.key) as client:
        response = await client.post("/v1/payments", content=body, headers=given)
        problem(response, 415, "media_type_unsupported")


async def test_ten_megabytes_in_chunks_are_refused(house: House) -> None:
    chunks = [b"10000\r\n" + b"x" * 0x10000 + b"\r\n"] * (MEGABYTES // 0x10000)
    chunks.append(b"0\r\n\r\n")
    async with house.unharmed():
        answer = await say(house.server, head(house, b"Transfer-Encoding: chunked"), *chunks)
        assert answer.status == 413, answer
        assert b"body_too_large" in answer.body


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Content-Length: 600"),
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Content-Length: -1",),
        (b"Content-Length: +5",),
        (b"Content-Length: 5, 6",),
        (b"Content-Length: 99999999999999999999999999",),
        (b"Content-Length: 0x10",),
        (b"Content-Length: \xd9\xa5",),
        (b"Transfer-Encoding: chunked, identity",),
    ],
)
async def test_lengths_that_lie_are_refused(house: House, lines: tuple[bytes, ...]) -> None:
    body = b'{"amount":500,' + GOOD % house.mine.shop_id.encode()
    async with house.unharmed():
        answer = await say(house.server, head(house, *lines), body)
        assert 400 <= answer.status < 500, answer


async def test_a_body_that_ends_early_does_nothing(house: House) -> None:
    body = b'{"amount":500,' + GOOD % house.mine.shop_id.encode()
    async with house.unharmed():
        _, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
        writer.write(head(house, b"Content-Length: 60000") + body)
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.2)


async def test_slow_clients_are_cut_off_and_hold_nobody_up(house: House) -> None:
    async def drip(start: bytes, letters: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
        try:
            writer.write(start)
            for letter in letters:
                writer.write(bytes((letter,)))
                await writer.drain()
                await asyncio.sleep(0.4)
        except ConnectionError:
            return b""
        finally:
            writer.close()
        return await reader.read()

    async with house.unharmed(), asyncio.timeout(40):
        heads = [drip(b"GET /v1/payments HTTP/1.1\r\nX-Slow: ", b"x" * 60) for _ in range(40)]
        body = head(house, b"Content-Length: 60")
        bodies = [drip(body, b'{"amount":500,"curr' + b" " * 40) for _ in range(10)]
        slow = [asyncio.create_task(one) for one in (*heads, *bodies)]
        await asyncio.sleep(0.5)
        async with house.server.client(house.mine.key) as client:
            assert (await client.get("/v1/payments")).status_code == 200
        began = asyncio.get_running_loop().time()
        assert set(await asyncio.gather(*slow)) == {b""}
        assert asyncio.get_running_loop().time() - began < 20


# --- heads


@pytest.mark.parametrize(
    "key", [b"", b" ", b"k" * 256, "schlüssel".encode(), b"a\tb", b"\x80\xff", b"a\x01b"]
)
async def test_an_idempotency_key_that_cannot_be_one_is_refused(house: House, key: bytes) -> None:
    body = b'{"amount":500,' + GOOD % house.mine.shop_id.encode()
    text = head(house, b"Content-Length: %d" % len(body)).split(b"\r\n")
    lines = [b"Idempotency-Key: " + key if x.startswith(b"Idem") else x for x in text]
    async with house.unharmed():
        answer = await say(house.server, b"\r\n".join(lines), body)
        assert answer.status == 400, answer
        assert b"malformed_header" in answer.body or key == b"a\x01b"


async def test_headers_that_are_there_twice_or_not_at_all_are_refused(house: House) -> None:
    async with house.unharmed(), house.server.client(house.mine.key) as client:
        twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        problem(
            await client.post("/v1/payments", json=house.order(), headers=twice),
            400,
            "malformed_header",
        )
        problem(
            await client.post("/v1/payments", json=house.order()), 400, "idempotency_key_missing"
        )


@pytest.mark.parametrize(
    "value", [b"a b", b"x" * 65, b"a%0d%0aSet-Cookie: a=b", "é".encode(), b"<script>", b"a\tb", b""]
)
async def test_a_strange_request_id_is_not_echoed(house: House, value: bytes) -> None:
    async with house.unharmed():
        answer = await say(house.server, head(house, b"X-Request-Id: " + value, verb=b"GET"))
        assert answer.status == 200
        echoed = [x for x in answer.head.lower().split(b"\r\n") if x.startswith(b"x-request-id")]
        assert len(echoed) == 1
        assert not value or value.lower() not in echoed[0]
        assert b"set-cookie" not in answer.head.lower()


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        (b"/v1/../../../etc/passwd", {404}),
        (b"/v1/payments/../../../etc/passwd", {404}),
        (b"/assets/../../../../etc/passwd", {404}),
        (b"/assets/%2e%2e/%2e%2e/pages.py", {404}),
        (b"/v1/payments/%00", {404}),
        (b"/v1/payments/pay_%00%0d%0aX:y", {404}),
        (b"/v1/payments/%ff%fe", {404}),
        (b"//v1//payments", {404}),
        (b"/v1/payments/", {404}),
        (b"/V1/payments", {404}),
        (b"/c/%00", {404}),
        (b"/c/..%2f..%2fetc", {404}),
        (b"/problems/%3Cscript%3E", {404}),
        (b"/v1/payments?limit=%00", {422}),
        (b"/v1/payments?limit=1&limit=2", {422}),
        (b"/v1/payments?after=' OR 1=1 --".replace(b" ", b"%20"), {422}),
        (b"/v1/payments?x=" + b"y" * 8000, {422}),
        (b"/v1/" + b"a" * 100_000, {400, 414, 431}),
        (b"/v1/payments?" + b"a" * 100_000, {400, 414, 431}),
    ],
)
async def test_a_strange_path_leads_nowhere(
    house: House, target: bytes, statuses: set[int]
) -> None:
    async with house.unharmed():
        answer = await say(house.server, head(house, target=target, verb=b"GET"))
        assert answer.status in statuses, answer
        assert b"root:" not in answer.body
        assert b"<script>" not in answer.body


@pytest.mark.parametrize("verb", [b"PUT", b"DELETE", b"PATCH", b"TRACE", b"PROPFIND"])
async def test_other_methods_are_refused_and_say_what_is_taken(house: House, verb: bytes) -> None:
    async with house.unharmed():
        answer = await say(house.server, head(house, verb=verb))
        assert answer.status == 405
        assert b"allow: GET, HEAD, POST, OPTIONS" in answer.head


@pytest.mark.parametrize("verb", [b"get", b"G\xc3\x89T", b"GET\x00", b"STEAL", b"CONNECT", b""])
async def test_what_is_no_method_is_no_request(house: House, verb: bytes) -> None:
    async with house.unharmed():
        answer = await say(house.server, head(house, verb=verb))
        assert 400 <= answer.status < 500, answer
