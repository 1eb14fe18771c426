"""Clients that mean harm, over real sockets: refused clearly, nothing written, and it goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import httpx
import pytest
from living import (
    ALL_SCOPES,
    Living,
    Person,
    Shop,
    fresh_key,
    living,
    made,
    open_shop,
    post,
    sign_up,
)

from conftest import open_folder
from tandem.api.examples import example
from tandem.api.operation import PATH_IDS, Live, Operation
from tandem.api.operations import OPERATIONS

MEGABYTES: Final = 10 * 1024 * 1024
JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class House:
    """A server of two workers with two merchants and three people."""

    server: Living
    mine: Shop
    theirs: Shop
    lin: Person
    mei: Person
    eve: Person

    @asynccontextmanager
    async def unharmed(self) -> AsyncIterator[None]:
        """What happens inside writes nothing, and afterwards the server answers."""
        before = await self.server.rows()
        yield
        assert await self.server.rows() == before
        async with self.server.client() as client:
            assert (await client.get("/readyz")).status_code == 200
        assert self.server.faults() == []

    def order(self, **more: object) -> dict[str, object]:
        """A good order of mine."""
        return {"amount": 500, "currency": "CNY", "shop_id": self.mine.shop_id} | more


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    with open_folder() as folder:
        async with (
            living(folder / "data", workers=2, TANDEM_RATE_PER_SECOND="100000") as server,
            server.client(server.operator_key) as operator,
        ):
            yield House(
                server,
                await open_shop(server, operator, "Blue Door"),
                await open_shop(server, operator, "Red Gate"),
                await sign_up(operator, "lin", yuan=9000),
                await sign_up(operator, "mei", yuan=9000),
                await sign_up(operator, "eve", yuan=9000),
            )


def problem(response: httpx.Response, status: int, code: str) -> None:
    """The answer is this problem, and as a problem must be."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert body["status"] == status
    assert body["type"] == f"/problems/{code}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["detail"]


class Answer(NamedTuple):
    """What came back over a socket, until the server closed it."""

    status: int
    head: bytes
    body: bytes


async def say(server: Living, *parts: bytes) -> Answer:
    """Write bytes to the server, and read until it closes. Status 0 if it says nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(20):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            except ConnectionError:
                pass  # it said no, and we were still talking
            text = b""
            try:
                while chunk := await reader.read(65_536):
                    text += chunk
            except ConnectionError:
                pass
    finally:
        writer.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return Answer(int(head[9:12] or 0), head, body)


def head(
    house: House, *more: bytes, target: bytes = b"/v1/payments", verb: bytes = b"POST"
) -> bytes:
    """The head of a request with my key that asks to close the connection after it."""
    lines = (
        verb + b" " + target + b" HTTP/1.1",
        b"Host: tandem",
        b"Connection: close",
        b"Content-Type: application/json",
        b"Authorization: Bearer " + house.mine.key.encode(),
        b"Idempotency-Key: " + fresh_key().encode(),
        *more,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"


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
    "an unknown field": (b'{"amount":500,"tip":5,', 422, "invalid_request"),
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


# --- keys


def prepared(operation: Operation[Any], ids: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """A request for an operation: its path with these ids, and what httpx needs to send it."""
    path = operation.path
    for name in operation.path_types:
        path = path.replace(f"{{{name}}}", ids[name])
    more: dict[str, Any] = {"headers": {"Idempotency-Key": fresh_key()}}
    if operation.body_type is not None:
        more["json"] = example(operation.body_type)
    return path, more


WITH_IDS: Final = [op for op in OPERATIONS if any(name in PATH_IDS for name in op.path_types)]


async def belongings(house: House) -> dict[str, str]:
    """One of everything that is theirs."""
    async with house.server.client(house.theirs.key) as till:
        order = {"amount": 500, "currency": "CNY", "shop_id": house.theirs.shop_id}
        endpoint = await post(till, "/v1/webhooks", {"url": "http://127.0.0.1:9/x"})
        payment = await post(till, "/v1/payments", order)
        sent = made(await till.get(f"/v1/webhooks/{endpoint['id']}/deliveries"))["data"]
        return {
            "payment_id": payment["id"],
            "shop_id": house.theirs.shop_id,
            "till_id": house.theirs.till_id,
            "key_id": house.theirs.key_id,
            "endpoint_id": endpoint["id"],
            "delivery_id": sent[0]["id"],
            "event_id": made(await till.get("/v1/events"))["data"][0]["id"],
        }


async def test_another_merchants_objects_are_not_there(house: House) -> None:
    ids = await belongings(house)
    async with (
        house.unharmed(),
        house.server.client(house.mine.key) as mine,
        house.server.client(house.theirs.key) as theirs,
    ):
        for operation in WITH_IDS:
            if "merchant" not in operation.who:
                continue
            path, more = prepared(operation, ids)
            problem(await mine.request(operation.method, path, **more), 404, "not_found")
            if operation.method == "GET":
                assert (await theirs.get(path)).status_code == 200, path
        for field in ("shop_id", "till_id"):
            body = {"amount": 500, "currency": "CNY", field: ids[field]}
            key = {"Idempotency-Key": fresh_key()}
            problem(await mine.post("/v1/payments", json=body, headers=key), 404, "not_found")
            assert made(await mine.get("/v1/payments", params={field: ids[field]}))["data"] == []


async def test_another_persons_things_are_not_there(house: House) -> None:
    async with (
        house.server.client(house.lin.key) as lin,
        house.server.client(house.mei.key) as mei,
    ):
        pay = {"amount": 100, "currency": "CNY", "code": house.mine.code}
        ids = {
            "payment_id": (await post(lin, "/v1/wallet/payments", pay))["id"],
            "send_id": (
                await post(lin, "/v1/wallet/sends", {"to": "mei", "amount": 1, "currency": "CNY"})
            )["id"],
            "request_id": (
                await post(
                    mei, "/v1/wallet/requests", {"of": "lin", "amount": 1, "currency": "CNY"}
                )
            )["id"],
            "device_id": made(await lin.get("/v1/people/me/devices"))["data"][0]["id"],
            "event_id": made(await lin.get("/v1/events"))["data"][0]["id"],
        }
        async with house.unharmed(), house.server.client(house.eve.key) as eve:
            for operation in WITH_IDS:
                if "person" not in operation.who:
                    continue
                path, more = prepared(operation, ids)
                problem(await eve.request(operation.method, path, **more), 404, "not_found")
                if operation.method == "GET":
                    assert (await lin.get(path)).status_code == 200, path


async def test_each_operation_wants_its_key_and_its_scope(house: House) -> None:
    ids = await belongings(house)
    ids |= {"merchant_id": house.theirs.merchant_id, "person_id": house.lin.id}
    ids |= {"send_id": "snd_" + "0" * 32, "request_id": "req_" + "0" * 32, "entry_id": "x"}
    ids |= {"device_id": "dev_" + "0" * 32, "account_id": "acc_" + "0" * 32, "handle": "lin"}
    narrow: dict[str, str] = {}
    async with house.server.client(house.mine.key) as mine:
        for scope in ALL_SCOPES:
            body = {"name": scope, "scopes": [name for name in ALL_SCOPES if name != scope]}
            narrow[scope] = (await post(mine, "/v1/keys", body))["secret"]
    keys = {"person": house.eve.key, "merchant": house.mine.key}
    keys["operator"] = house.server.operator_key
    async with house.unharmed(), house.server.client() as client:
        for operation in OPERATIONS:
            if "anyone" in operation.who:
                continue
            path, more = prepared(operation, ids)
            asks = more.pop("headers")
            nobody = await client.request(operation.method, path, headers=asks, **more)
            problem(nobody, 401, "unauthenticated")
            assert nobody.headers["www-authenticate"].startswith("Bearer")
            for kind, key in keys.items():
                if kind in operation.who:
                    continue
                given = asks | {"Authorization": f"Bearer {key}"}
                answer = await client.request(operation.method, path, headers=given, **more)
                problem(answer, 403, "wrong_kind_of_key")
            if operation.scope is not None:
                given = asks | {"Authorization": f"Bearer {narrow[operation.scope]}"}
                answer = await client.request(operation.method, path, headers=given, **more)
                problem(answer, 403, "scope_missing")
                assert answer.json()["data"]["scope"] == operation.scope


async def test_a_key_makes_none_that_can_do_more(house: House) -> None:
    async with house.server.client(house.mine.key) as mine:
        small = await post(mine, "/v1/keys", {"name": "k", "scopes": ["keys:write"]})
    async with house.unharmed(), house.server.client(small["secret"]) as client:
        key = {"Idempotency-Key": fresh_key()}
        body = {"name": "more", "scopes": ["keys:write", "refunds:write"]}
        problem(await client.post("/v1/keys", json=body, headers=key), 403, "scope_missing")


async def test_a_revoked_key_works_no_more_within_a_second(house: House) -> None:
    async with house.server.client(house.mine.key) as mine:
        doomed = await post(mine, "/v1/keys", {"name": "k", "scopes": ["payments:read"]})
        key = doomed["secret"]
        for _ in range(12):  # both workers know it
            async with house.server.client(key) as client:
                assert (await client.get("/v1/payments")).status_code == 200
        assert (await mine.delete(f"/v1/keys/{doomed['id']}")).status_code == 204
    await asyncio.sleep(1)
    for _ in range(12):
        async with house.server.client(key) as client:
            problem(await client.get("/v1/payments"), 401, "unauthenticated")


async def test_who_tries_many_keys_is_stopped_and_nobody_else(house: House) -> None:
    """From another address of this machine, so that the other tests can go on."""
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2", retries=0)
    statuses: list[int] = []
    async with house.unharmed():
        async with house.server.client(transport=transport) as client:
            for number in range(400):
                key = {"Authorization": f"Bearer tk_mer_{number:043}"}
                response = await client.get("/v1/payments", headers=key)
                statuses.append(response.status_code)
                if response.status_code == 429:
                    problem(response, 429, "too_many_requests")
                    assert int(response.headers["retry-after"]) >= 1
                    break
        assert set(statuses[:-1]) == {401}
        assert statuses[-1] == 429
        assert len(statuses) <= 101
        async with house.server.client(house.mine.key) as mine:
            assert (await mine.get("/v1/payments")).status_code == 200


# --- at the same moment


async def test_an_order_is_paid_by_one_of_two(house: House) -> None:
    async with (
        house.server.client(house.mine.key) as till,
        house.server.client(house.lin.key) as lin,
        house.server.client(house.mei.key) as mei,
    ):
        for _ in range(5):
            order = await post(till, "/v1/payments", house.order())
            code = made(await till.get(f"/v1/payments/{order['id']}/code"))["url"]
            answers = await asyncio.gather(
                *(
                    who.post(
                        "/v1/wallet/payments",
                        json={"code": code},
                        headers={"Idempotency-Key": fresh_key()},
                    )
                    for who in (lin, mei, lin, mei)
                )
            )
            won = [answer for answer in answers if answer.status_code == 201]
            assert len(won) == 1, [answer.text for answer in answers]
            for answer in answers:
                if answer not in won:
                    assert answer.json()["code"] in {
                        "payment_state",
                        "not_your_payment",
                        "not_found",
                    }
            after = made(await till.get(f"/v1/payments/{order['id']}"))
            assert (after["status"], after["captured"]) == ("captured", 500)


async def test_a_pay_code_pays_one_of_two_merchants(house: House) -> None:
    code = house.eve.pay_code(datetime.now(UTC))
    async with (
        house.server.client(house.mine.key) as mine,
        house.server.client(house.theirs.key) as theirs,
        house.server.client(house.eve.key) as eve,
    ):
        before = made(await eve.get("/v1/wallet"))["balances"][0]["balance"]
        answers = await asyncio.gather(
            *(
                who.post(
                    "/v1/payments",
                    json={"amount": 500, "currency": "CNY", "shop_id": shop, "pay_code": code},
                    headers={"Idempotency-Key": fresh_key()},
                )
                for who, shop in ((mine, house.mine.shop_id), (theirs, house.theirs.shop_id)) * 3
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
        for answer in answers:
            if answer.status_code == 409:
                problem(answer, 409, "pay_code_used")
        after = made(await eve.get("/v1/wallet"))["balances"][0]["balance"]
        assert before - after == 500


# --- live updates


async def test_streams_are_bounded_and_a_slow_reader_slows_nobody(house: House) -> None:
    stream = next(op for op in OPERATIONS if op.answer_type is Live).path
    request = head(house, target=stream.encode(), verb=b"GET").replace(
        b"Connection: close\r\n", b""
    )
    opened = []
    async with house.unharmed(), asyncio.timeout(30):
        anonymous = request.replace(house.mine.key.encode(), b"tk_mer_wrong")
        answer = await say(
            house.server, anonymous.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        assert answer.status == 401
        statuses = []
        for _ in range(24):  # ten for a key in each of two workers
            reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
            opened.append((reader, writer))
            writer.write(request)
            statuses.append(int((await reader.readline()).split()[1]))
        assert set(statuses) == {200, 429}
        assert 10 <= statuses.count(200) <= 20
    async with house.server.client(house.mine.key) as till:
        for _ in range(50):  # nobody reads the streams
            await post(till, "/v1/payments", house.order(description="x" * 140))
        reader, _ = opened[0]
        async with asyncio.timeout(10):
            while not (await reader.readline()).startswith(b"event: payment."):
                pass
    for _, writer in opened:
        writer.close()
    async with house.unharmed():
        await asyncio.sleep(0.2)
