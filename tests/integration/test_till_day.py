"""A till's day over the API: items, tips, orders that are tapped, shifts, what it accepts."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tapping import PASSCODE, Counter, Phone, counter_at, once, phone_of

from conftest import open_folder
from living import Living, Person, Shop, living, made, open_shop, post, sign_up
from tandem.tap import Payment, Reply, Secret, Unreachable
from tandem.till.rest import tap_body

_NUMBER = itertools.count(1)
COFFEE = {"name": "Flat white", "price": 1900, "currency": "CNY"}


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data", TANDEM_MODE="sandbox", workers=2) as server:
            yield server
            assert server.faults() == []


@pytest.fixture
async def operator(house: Living) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(house.operator_key) as client:
        yield client


@pytest.fixture
async def shop(house: Living, operator: httpx.AsyncClient) -> Shop:
    return await open_shop(house, operator, f"Blue Door {next(_NUMBER)}")


@pytest.fixture
async def till(house: Living, shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(shop.key) as client:
        yield client


@pytest.fixture
async def lin(operator: httpx.AsyncClient) -> Person:
    return await sign_up(operator, f"lin{next(_NUMBER)}x", yuan=1000)


async def refused(answer: httpx.Response, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


async def paid(
    house: Living, till: httpx.AsyncClient, shop: Shop, lin: Person, amount: int, **more: object
) -> dict[str, Any]:
    """An order of the till, paid by its code."""
    order = {"till_id": shop.till_id, "amount": amount, "currency": "CNY", **more}
    payment = await post(till, "/v1/payments", order)
    code = made(await till.get(f"/v1/payments/{payment['id']}/code"))
    async with house.client(lin.key) as phone:
        mine = await post(phone, "/v1/wallet/payments", {"code": code["payload"]})
    assert mine["status"] == "captured"
    found: dict[str, Any] = made(await till.get(f"/v1/payments/{payment['id']}"))
    assert mine["lines"] == found["lines"]
    assert mine["tip"] == found["tip"]
    return found


async def test_a_catalogue_is_kept_and_changed(till: httpx.AsyncClient, shop: Shop) -> None:
    path = f"/v1/shops/{shop.shop_id}/items"
    more = {"category": "Coffee", "colour": "jade", "gtin": "4006381333931", "position": 2}
    key = {"Idempotency-Key": "one item"}
    first = made(await till.post(path, json=COFFEE | more, headers=key))
    assert made(await till.post(path, json=COFFEE | more, headers=key)) == first
    await refused(await till.post(path, json=COFFEE | more, headers=once()), "gtin_taken")
    wrong = {"gtin": "4006381333932"}
    await refused(await till.post(path, json=COFFEE | wrong, headers=once()), "invalid_request")
    second = await post(till, path, COFFEE | {"name": "Tea"})
    listed = made(await till.get(path, params={"limit": 1}))
    assert [one["id"] for one in listed["data"]] == [second["id"]]
    rest = made(await till.get(path, params={"after": listed["next"]}))
    assert [one["id"] for one in rest["data"]] == [first["id"]]
    item = f"/v1/items/{first['id']}"
    changed = made(await till.patch(item, json={"price": 2100, "gtin": None}))
    assert (changed["price"], changed["gtin"], changed["name"]) == (2100, None, "Flat white")
    freed = {"gtin": "4006381333931"}
    assert made(await till.patch(f"/v1/items/{second['id']}", json=freed))["gtin"] == freed["gtin"]
    assert (await till.delete(item)).status_code == 204
    await refused(await till.get(item), "not_found")
    assert len(made(await till.get(path))["data"]) == 1


async def test_lines_and_tip_come_to_the_amount(
    house: Living, till: httpx.AsyncClient, shop: Shop, lin: Person
) -> None:
    lines = [{"name": "<b>Flat white</b>", "quantity": 2, "unit_amount": 1900}]
    payment = await paid(house, till, shop, lin, 4180, lines=lines, tip=380)
    assert (payment["lines"], payment["tip"]) == (lines, 380)
    order = {"till_id": shop.till_id, "amount": 4180, "currency": "CNY"}
    for wrong in (
        {"lines": lines},
        {"lines": lines, "tip": 379},
        {"tip": 4181},
        {"tip": 380, "capture": "manual"},
        {"lines": [lines[0] | {"name": "\u202e"}], "tip": 380},
    ):
        answer = await till.post("/v1/payments", json=order | wrong, headers=once())
        await refused(answer, "invalid_request")


async def test_tips_are_the_shops_to_ask_for(till: httpx.AsyncClient, shop: Shop) -> None:
    path = f"/v1/shops/{shop.shop_id}"
    assert made(await till.get(path))["tips"] == {"percentages": [], "own_amount": False}
    tips = {"percentages": [5, 10], "own_amount": True}
    assert made(await till.put(f"{path}/tips", json=tips))["tips"] == tips
    assert made(await till.get("/v1/shops"))["data"][0]["tips"] == tips
    await refused(await till.put(f"{path}/tips", json={"percentages": [5, 5]}), "invalid_request")


async def test_a_shift_has_what_the_ledger_has(
    house: Living, till: httpx.AsyncClient, shop: Shop, lin: Person
) -> None:
    before = await paid(house, till, shop, lin, 9900)
    path = f"/v1/tills/{shop.till_id}/shifts"
    key = {"Idempotency-Key": "morning"}
    body = {"float": {"CNY": 50_000}}
    shift = made(await till.post(path, json=body, headers=key))
    assert made(await till.post(path, json=body, headers=key)) == shift
    assert (shift["number"], shift["status"], shift["totals"]) == (1, "open", [])
    await refused(await till.post(path, json={}, headers=once()), "shift_open")
    one = await paid(house, till, shop, lin, 4180, tip=380)
    async with house.client(lin.key):
        code = {"till_id": shop.till_id, "amount": 1000, "currency": "CNY"}
        await post(till, "/v1/payments", code | {"pay_code": lin.pay_code()})
    await post(till, f"/v1/payments/{before['id']}/refunds", {"amount": 900})
    await post(till, f"/v1/payments/{one['id']}/refunds", {"amount": 180})
    report = made(await till.get(f"/v1/shifts/{shift['id']}"))
    (totals,) = report["totals"]
    assert totals == {
        "currency": "CNY",
        "payments": 2,
        "paid": 5180,
        "tips": 380,
        "refunds": 2,
        "refunded": 1080,
        "net": 4100,
        "fees": 31,
        "ways": [{"way": "scan", "payments": 2, "amount": 5180}],
    }
    closed = await post(till, f"/v1/shifts/{shift['id']}/close")
    assert (closed["status"], closed["totals"]) == ("closed", report["totals"])
    again = await till.post(f"/v1/shifts/{shift['id']}/close", headers=once())
    await refused(again, "shift_closed")
    # what comes between two shifts is in the next one
    await paid(house, till, shop, lin, 700)
    second = await post(till, path)
    assert (second["number"], second["totals"][0]["paid"]) == (2, 700)
    assert made(await till.get(f"/v1/shifts/{shift['id']}")) == closed
    listed = made(await till.get(path))["data"]
    assert [one["number"] for one in listed] == [2, 1]
    # the ledger's own sum
    balances = made(await till.get("/v1/merchants/me/balances"))["data"]
    balance = next(one for one in balances if one["currency"] == "CNY")
    net = sum(t["net"] - t["fees"] for each in listed for t in each["totals"])
    assert balance["balance"] == net + 9900 - before["fee"]


async def test_a_shift_that_closes_while_people_pay_loses_nothing(
    house: Living, till: httpx.AsyncClient, shop: Shop, operator: httpx.AsyncClient
) -> None:
    """Of payments that come just as a shift closes each is in one shift."""
    people = [await sign_up(operator, f"p{next(_NUMBER)}z", yuan=100) for _ in range(4)]
    path = f"/v1/tills/{shop.till_id}/shifts"
    shift = await post(till, path)
    closed: list[dict[str, Any]] = []

    async def close() -> None:
        await asyncio.sleep(0.05)
        closed.append(await post(till, f"/v1/shifts/{shift['id']}/close"))

    jobs = [paid(house, till, shop, who, 100 + n) for who in people for n in range(4)]
    await asyncio.gather(*jobs, close())
    second = await post(till, path)
    totals = [*closed[0]["totals"], *second["totals"]]
    assert sum(one["payments"] for one in totals) == len(jobs)
    assert sum(one["paid"] for one in totals) == sum(100 + n for _ in people for n in range(4))


async def test_a_till_hears_what_is_accepted_with_the_scope_of_a_cashier(
    house: Living, till: httpx.AsyncClient, shop: Shop
) -> None:
    key = await post(till, "/v1/keys", {"name": "cashier", "scopes": ["shops:read"]})
    async with house.client(key["secret"]) as cashier:
        answer = made(await cashier.get(f"/v1/tills/{shop.till_id}/acceptance"))
        assert answer["active"]
        other = await post(till, "/v1/keys", {"name": "none", "scopes": ["payments:read"]})
    async with house.client(other["secret"]) as nobody:
        await refused(await nobody.get(f"/v1/tills/{shop.till_id}/acceptance"), "scope_missing")


# -- an order that is tapped


class Overhears:
    """Between the terminal and Tandem: keeps what the terminal says, and lets nothing through."""

    def __init__(self) -> None:
        self.said: list[tuple[Payment, Secret]] = []

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        del repeat
        self.said.append((payment, secret))
        raise Unreachable

    advise = reverse = authorise


@pytest.fixture
async def phone(house: Living, operator: httpx.AsyncClient, tmp_path: Path) -> Phone:
    return await phone_of(house, operator, tmp_path / "phone", f"tap{next(_NUMBER)}", yuan=500)


@pytest.fixture
async def counter(
    house: Living,
    operator: httpx.AsyncClient,
    tmp_path: Path,
    phone: Phone,  # noqa: ARG001 - there are no authorities before the first card
) -> Counter:
    return await counter_at(house, operator, tmp_path / "shop")


async def heard(counter: Counter, phone: Phone, amount: int) -> dict[str, Any]:
    """A tap that was never sent: the body that would have been."""
    overhears = Overhears()
    with phone.device() as device:
        device.verify(PASSCODE)
        async with counter.till(device, overhears) as till:
            await till.take(amount)
    ((payment, secret),) = overhears.said
    return tap_body(payment, secret)


async def ordered(counter: Counter, amount: int = 8000) -> dict[str, Any]:
    async with counter.server.client(counter.shop_key) as shop:
        lines = [{"name": "Noodles", "quantity": 1, "unit_amount": amount - 500}]
        order = {"till_id": counter.till_id, "amount": amount, "currency": "CNY"}
        made_: dict[str, Any] = await post(
            shop, "/v1/payments", order | {"lines": lines, "tip": 500, "order_reference": "t-7"}
        )
        return made_


async def tapped(counter: Counter, body: dict[str, Any], order: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    async with counter.server.client(counter.key) as client:
        path = f"/v1/tills/{counter.till_id}/taps"
        sent = body | {"order_id": order["id"]}
        return (await client.post(path, json=sent, headers=once())).json()


async def test_a_tap_pays_the_tills_order_and_its_code_pays_no_more(
    counter: Counter, phone: Phone
) -> None:
    order = await ordered(counter)
    answer = await tapped(counter, await heard(counter, phone, 8000), order)
    assert answer["approved"], answer
    payment = answer["payment"]
    assert (payment["order_id"], payment["tip"], payment["order_reference"]) == (
        order["id"],
        500,
        "t-7",
    )
    assert payment["lines"] == order["lines"]
    assert payment["way"] == "tap"
    async with counter.server.client(counter.shop_key) as shop:
        now = made(await shop.get(f"/v1/payments/{order['id']}"))
        assert now["status"] == "cancelled"
        told = made(await shop.get("/v1/events"))["data"]
        types = [one["type"] for one in told[:2]]
        assert types == ["payment.cancelled", "payment.captured"], "the payment is told of first"
        code = made(await shop.get(f"/v1/payments/{order['id']}/code"))
    async with counter.server.client(phone.key) as wallet:
        again = await wallet.post(
            "/v1/wallet/payments", json={"code": code["payload"]}, headers=once()
        )
        await refused(again, "payment_state")
    assert await phone.balance() == 50_000 - 8000


async def test_a_tap_that_is_declined_leaves_the_order_open(counter: Counter, phone: Phone) -> None:
    first = await ordered(counter, 30_000)
    assert (await tapped(counter, await heard(counter, phone, 30_000), first))["approved"]
    order = await ordered(counter, 30_000)
    answer = await tapped(counter, await heard(counter, phone, 30_000), order)
    assert (answer["approved"], answer["response_code"]) == (False, "05"), "the shop learns no more"
    assert answer["payment"]["order_id"] == order["id"]
    async with counter.server.client(counter.shop_key) as shop:
        assert made(await shop.get(f"/v1/payments/{order['id']}"))["status"] == "created"


async def test_an_order_is_paid_once_by_tap_and_code_at_the_same_moment(
    counter: Counter, phone: Phone
) -> None:
    for _ in range(5):
        order = await ordered(counter, 2500)
        body = await heard(counter, phone, 2500)
        before = await phone.balance()
        async with (
            counter.server.client(counter.shop_key) as shop,
            counter.server.client(phone.key) as wallet,
        ):
            code = made(await shop.get(f"/v1/payments/{order['id']}/code"))
            by_code = wallet.post(
                "/v1/wallet/payments", json={"code": code["payload"]}, headers=once()
            )
            answer, scanned = await asyncio.gather(tapped(counter, body, order), by_code)
        assert [answer.get("approved", False), scanned.is_success].count(True) == 1
        assert await phone.balance() == before - 2500


async def test_no_tap_pays_an_order_that_is_not_this_tills_or_not_so_much(
    counter: Counter, phone: Phone
) -> None:
    order = await ordered(counter)
    body = await heard(counter, phone, 9000)
    assert (await tapped(counter, body, order))["code"] == "invalid_request"
    body = await heard(counter, phone, 8000)
    assert (await tapped(counter, body | {"offline": True}, order))["code"] == "invalid_request"
    async with counter.server.client(counter.shop_key) as shop:
        other = {"shop_id": counter.shop_id, "amount": 8000, "currency": "CNY"}
        elsewhere = await post(shop, "/v1/payments", other)
        assert (await tapped(counter, body, elsewhere))["code"] == "not_found"
        await post(shop, f"/v1/payments/{order['id']}/cancel")
        assert (await tapped(counter, body, order))["code"] == "payment_state"
    assert await phone.balance() == 50_000


async def status_of(counter: Counter, order: dict[str, Any], status: str) -> None:
    """Wait until the order is so."""
    async with asyncio.timeout(30), counter.server.client(counter.shop_key) as shop:
        while made(await shop.get(f"/v1/payments/{order['id']}"))["status"] != status:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.1)


async def line(terminal: asyncio.subprocess.Process, part: str) -> str:
    """The next line that the terminal says with this in it."""
    assert terminal.stdout is not None
    async with asyncio.timeout(60):
        while said := (await terminal.stdout.readline()).decode():
            if part in said:
                return said
    raise AssertionError(part)


async def test_a_terminal_takes_what_the_till_asks_for(counter: Counter, phone: Phone) -> None:
    """The amount is on the reader at once; paid by the code, or cancelled, it waits no more."""
    terminal = await counter.terminal("run", "--follow-till")
    try:
        await line(terminal, "Following the till")
        first = await ordered(counter, 3800)
        await line(terminal, "38.00")
        status, said = await phone.tap(counter.port, "--verify")
        assert status == 0, said
        await status_of(counter, first, "cancelled")
        (payment,) = (one for one in await counter.payments() if one["order_id"] == first["id"])
        assert (payment["status"], payment["way"], payment["tip"]) == ("captured", "tap", 500)
        await line(terminal, "APPROVED")

        second = await ordered(counter, 4200)
        await line(terminal, "42.00")
        async with (
            counter.server.client(counter.shop_key) as shop,
            counter.server.client(phone.key) as wallet,
        ):
            code = made(await shop.get(f"/v1/payments/{second['id']}/code"))
            await post(wallet, "/v1/wallet/payments", {"code": code["payload"]})
            third = await ordered(counter, 5100)
            await line(terminal, "51.00")
            await post(shop, f"/v1/payments/{third['id']}/cancel")
            # tap is switched off and on again while an order waits
            await counter.accepts({"ways": {"tap": {"enabled": False}}})
            fourth = await ordered(counter, 6000)
            await counter.accepts({})
        await line(terminal, "60.00")
        status, said = await phone.tap(counter.port, "--verify")
        assert status == 0, said
        await status_of(counter, fourth, "cancelled")
        assert await phone.balance() == 50_000 - 3800 - 4200 - 6000
    finally:
        terminal.terminate()
        await terminal.wait()


async def test_a_key_of_taps_follows_its_merchants_tills_only(
    counter: Counter, shop: Shop, phone: Phone
) -> None:
    del phone
    async with counter.server.client(counter.key) as client:
        answer = await client.get(f"/v1/tills/{shop.till_id}/orders/stream")
        await refused(answer, "not_found")


# -- the sandbox's phone


async def test_a_phone_of_the_sandbox_taps_the_tills_order(
    house: Living, till: httpx.AsyncClient, shop: Shop, lin: Person
) -> None:
    order = await post(
        till, "/v1/payments", {"till_id": shop.till_id, "amount": 4200, "currency": "CNY"}
    )
    large = await post(
        till, "/v1/payments", {"till_id": shop.till_id, "amount": 30_000, "currency": "CNY"}
    )
    async with house.client(lin.key) as phone:
        near = made(await phone.get("/v1/sandbox/tills"))["data"]
        assert [one["order_id"] for one in near[:2]] == [large["id"], order["id"]]
        assert near[0]["till"] == "Till 1"
        key = once()
        body = {"order_id": order["id"]}
        paid = made(await phone.post("/v1/sandbox/taps", json=body, headers=key))
        assert (paid["result"], paid["payment"]["amount"]) == ("approved", 4200), paid
        assert made(await phone.post("/v1/sandbox/taps", json=body, headers=key)) == paid
        asked = await post(phone, "/v1/sandbox/taps", {"order_id": large["id"]})
        assert (asked["result"], asked["payment"]) == ("verify", None)
        done = await post(phone, "/v1/sandbox/taps", {"order_id": large["id"], "verified": True})
        assert done["result"] == "approved"
        assert made(await phone.get("/v1/wallet"))["balances"][0]["balance"] == 100_000 - 34_200
        cards = made(await phone.get("/v1/people/me/cards"))["data"]
        assert len(cards) == 1
        off = await post(
            till, "/v1/payments", {"till_id": shop.till_id, "amount": 4200, "currency": "CNY"}
        )
        policy = {"ways": {"tap": {"enabled": False}}}
        made(await till.put(f"/v1/shops/{shop.shop_id}/acceptance", json=policy))
        answer = await phone.post("/v1/sandbox/taps", json={"order_id": off["id"]}, headers=once())
        await refused(answer, "way_refused")
    told = made(await till.get(f"/v1/payments/{order['id']}"))
    assert told["status"] == "cancelled"
    listed = made(await till.get("/v1/payments", params={"till_id": shop.till_id}))["data"]
    by_tap = {one["order_id"] for one in listed if one["status"] == "captured"}
    assert by_tap == {order["id"], large["id"]}
