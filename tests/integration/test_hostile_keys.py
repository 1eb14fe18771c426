"""Clients that mean harm, with others' keys or at the same moment: refused, nothing written."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from hostile import House, head, open_house, problem, say

from living import (
    ALL_SCOPES,
    fresh_key,
    made,
    post,
)
from tandem.api.examples import example
from tandem.api.operation import PATH_IDS, Operation
from tandem.api.operations import OPERATIONS

SOON_SECONDS: Final = 15
"""A third of the time after which a stream would say that it still lives."""

SMALL: Final = {"amount": 2, "currency": "CNY"}
PACKET: Final = SMALL | {"shares": 1, "division": "equal"}
DEVICE_KEY: Final = "CQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with open_house() as made_house:
        yield made_house


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


OF_NOBODY: Final = {
    name: f"{PATH_IDS[name][0]}_{'0' * 32}"
    for name in ("session_id", "passkey_id", "verification_id")
}
"""Of what only browsers have: test_sign_in_hostile.py asks for others'."""

WITH_IDS: Final = [
    op for op in OPERATIONS if any(name in {*PATH_IDS, "object_id"} for name in op.path_types)
]


async def belongings(house: House) -> dict[str, str]:
    """One of everything that is theirs."""
    async with house.server.client(house.theirs.key) as till:
        order = {"amount": 500, "currency": "CNY", "shop_id": house.theirs.shop_id}
        endpoint = await post(till, "/v1/webhooks", {"url": "http://127.0.0.1:9/x"})
        payment = await post(till, "/v1/payments", order)
        item = {"name": "Tea", "price": 900, "currency": "CNY"}
        drawer = await post(till, f"/v1/shops/{house.theirs.shop_id}/tills", {"name": "Till 2"})
        shift = await post(till, f"/v1/tills/{drawer['id']}/shifts")
        item = await post(till, f"/v1/shops/{house.theirs.shop_id}/items", item)
        tag = await post(till, "/v1/tags", {"name": "Counter", "shop_id": house.theirs.shop_id})
        page = await post(till, "/v1/checkout/sessions", order)
        link = await post(till, "/v1/payment-links", order | {"description": "Tea"})
        lines = {"lines": [{"name": "Tea", "unit_amount": 500}], "due_on": "2100-01-01"}
        asked = {"customer_name": "Xu", "currency": "CNY", "shop_id": house.theirs.shop_id}
        invoice = await post(till, "/v1/invoices", asked | lines)
        sent = made(await till.get(f"/v1/webhooks/{endpoint['id']}/deliveries"))["data"]
        return {
            "payment_id": payment["id"],
            "checkout_id": page["id"],
            "link_id": link["id"],
            "invoice_id": invoice["id"],
            "shop_id": house.theirs.shop_id,
            "item_id": item["id"],
            "shift_id": shift["id"],
            "tag_id": tag["id"],
            "till_id": house.theirs.till_id,
            "key_id": house.theirs.key_id,
            "endpoint_id": endpoint["id"],
            "delivery_id": sent[0]["id"],
            "event_id": made(await till.get("/v1/events"))["data"][0]["id"],
            "staff_id": (await post(till, "/v1/staff", {"name": "Xu", "role": "cashier"}))["staff"][
                "id"
            ],
        }


async def test_another_merchants_objects_are_not_there(house: House) -> None:
    ids = await belongings(house)
    async with (
        house.unharmed(),
        house.server.client(house.mine.key) as mine,
        house.server.client(house.theirs.key) as theirs,
    ):
        for operation in WITH_IDS:
            if "merchant" not in operation.who or operation.own:
                continue  # what one does for oneself: test_sign_in_hostile.py
            path, more = prepared(operation, ids)
            problem(await mine.request(operation.method, path, **more), 404, "not_found")
            if operation.method == "GET":
                assert await answered(theirs, path) == 200, path
        for field in ("shop_id", "till_id"):
            body = {"amount": 500, "currency": "CNY", field: ids[field]}
            key = {"Idempotency-Key": fresh_key()}
            problem(await mine.post("/v1/payments", json=body, headers=key), 404, "not_found")
            assert made(await mine.get("/v1/payments", params={field: ids[field]}))["data"] == []


async def answered(client: httpx.AsyncClient, path: str) -> int:
    """The status of an answer, which may go on for ever."""
    async with client.stream("GET", path) as answer:
        return answer.status_code


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
            "packet_id": (await post(lin, "/v1/wallet/packets", PACKET))["id"],
            "split_id": (
                await post(lin, "/v1/wallet/splits", {"people": [{"of": "mei"}], **SMALL})
            )["id"],
            "device_id": made(await lin.get("/v1/people/me/devices"))["data"][0]["id"],
            "card_id": (
                await post(
                    lin, "/v1/people/me/cards", {"currency": "CNY", "device_key": DEVICE_KEY}
                )
            )["id"],
            "event_id": made(await lin.get("/v1/events"))["data"][0]["id"],
            **OF_NOBODY,
        }
        spam = {"to": "mei", "amount": 1, "currency": "CNY", "message": "Send me your PIN"}
        ids["object_id"] = (await post(lin, "/v1/wallet/sends", spam))["id"]
        async with house.unharmed(), house.server.client(house.eve.key) as eve:
            for operation in WITH_IDS:
                if "person" not in operation.who:
                    continue
                path, more = prepared(operation, ids)
                problem(await eve.request(operation.method, path, **more), 404, "not_found")
                if operation.method == "GET":
                    assert await answered(lin, path) == 200, path


async def test_each_operation_wants_its_key_and_its_scope(house: House) -> None:
    ids = await belongings(house)
    ids |= {"merchant_id": house.theirs.merchant_id, "person_id": house.lin.id}
    ids |= {"send_id": "snd_" + "0" * 32, "request_id": "req_" + "0" * 32, "entry_id": "x"}
    ids |= {"packet_id": "pkt_" + "0" * 32, "split_id": "spl_" + "0" * 32}
    ids |= {"device_id": "dev_" + "0" * 32, "correction_id": "cor_" + "0" * 32}
    ids |= {"card_id": "crd_" + "0" * 32, **OF_NOBODY}
    ids |= {"handle": "lin", "account": "bank", "issuer": "harbour-bank"}
    ids["object_id"] = ids["send_id"]
    narrow: dict[str, str] = {}
    async with house.server.client(house.mine.key) as mine:
        for scope in ALL_SCOPES:
            other = {op.or_scope for op in OPERATIONS if op.scope == scope}
            body = {"name": scope, "scopes": sorted({*ALL_SCOPES} - {scope} - other)}
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


async def test_only_who_has_its_key_gets_a_sign_up_answered_again(house: House) -> None:
    """The answer holds the key of somebody's wallet."""
    body = {"handle": "noor", "name": "Noor"}
    lost = {"Idempotency-Key": str(uuid4())}
    async with (
        house.server.client() as stranger,
        house.server.client(house.server.operator_key) as operator,
    ):
        first = made(await stranger.post("/v1/people", json=body, headers=lost))
        async with house.unharmed():
            assert made(await stranger.post("/v1/people", json=body, headers=lost)) == first
            for guess in ({}, {"Idempotency-Key": str(uuid4())}):
                answer = await stranger.post("/v1/people", json=body, headers=guess)
                problem(answer, 409, "handle_taken")
            problem(await operator.post("/v1/people", json=body, headers=lost), 409, "handle_taken")
            eve = {"handle": "eve.2", "name": "Eve"}
            answer = await stranger.post("/v1/people", json=eve, headers=lost)
            problem(answer, 422, "idempotency_key_reused")
            assert first["device"]["key"] not in answer.text
        async with house.server.client(first["device"]["key"]) as phone:
            assert made(await phone.get("/v1/people/me"))["handle"] == "@noor"


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


async def test_a_revoked_keys_live_updates_end_in_every_process(house: House) -> None:
    async with contextlib.AsyncExitStack() as stack:
        mine = await stack.enter_async_context(house.server.client(house.mine.key))
        body = {"name": "k", "scopes": ["events:read"]}
        doomed = await post(mine, "/v1/keys", body)
        kept = await opened(stack, house, house.mine.key)
        streams: dict[str, httpx.Response] = {}
        while len(streams) < 2:  # a request's id begins with its process's own random part
            stream = await opened(stack, house, doomed["secret"])
            process = stream.headers["x-request-id"].partition("-")[0]
            if streams.setdefault(process, stream) is not stream:
                await stream.aclose()  # a key has only so many
        assert (await mine.delete(f"/v1/keys/{doomed['id']}")).status_code == 204
        async with asyncio.timeout(SOON_SECONDS):
            for stream in streams.values():
                await stream.aread()
        await post(mine, "/v1/payments", house.order())
        async with asyncio.timeout(SOON_SECONDS):
            async for line in kept.aiter_lines():
                if line == "event: payment.created":
                    break
            else:
                pytest.fail("another key's stream ended too")


async def opened(stack: contextlib.AsyncExitStack, house: House, key: str) -> httpx.Response:
    """Live updates with this key, over a connection of their own."""
    client = await stack.enter_async_context(house.server.client(key))
    response = await stack.enter_async_context(client.stream("GET", "/v1/events/stream"))
    assert response.status_code == 200
    return response


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
    request = head(house, target=b"/v1/events/stream", verb=b"GET").replace(
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
