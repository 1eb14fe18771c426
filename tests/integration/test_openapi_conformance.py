"""What the OpenAPI document says is what the living server does: schemathesis, by operation.

Requests that the document calls good and requests that it calls bad, with the keys of those who may
and with objects that are there and objects that are not. Every answer has a status, a media type,
headers and a body that the document names; none is a fault of ours; what is bad is refused.
"""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from conftest import open_folder
from living import Living, Person, Shop, living, made, open_shop, post, sign_up
from tandem.api.openapi import document
from tandem.api.operation import Live, Operation
from tandem.app import operations
from tandem.settings import Settings

OPERATIONS: Final = operations(Settings(mode="sandbox"))
API: Final = schemathesis.openapi.from_dict(document(OPERATIONS))
API.config.generation.update(with_security_parameters=False)
EXAMPLES: Final = 8
LIMIT_S: Final = 20
REFUSED: Final = 300
"""A status from here on is no success."""
CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
BOUNDED: Final = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class House:
    """A server with something of everything, and the keys to it. `there` has ids by kind of key."""

    server: Living
    keys: dict[str, str]
    there: dict[str, dict[str, list[str]]]
    session: requests.Session
    sense: dict[str, object]
    seen: dict[str, set[int]] = field(default_factory=dict)


OF_ANOTHER_DAY: Final = {"prove_my_card", "renew_my_card", "renew_card"}
"""What takes a code that nobody here is told, or years; test_cards.py does it."""

OF_BROWSERS: Final = {
    *("sign_up_with_passkey", "sign_in_with_passkey", "begin_with_code", "come_in_by_code"),
    *("read_invitation", "accept_invitation", "renew_recovery_codes", "get_session", "sign_out"),
    *("begin_verify", "verify_session", "end_session", "add_passkey", "remove_passkey"),
    *("set_passkey_above", "end_session_of_person"),
}
"""What takes a passkey or a session; test_sign_in.py does it."""

OF_CHIPS: Final = {"take_tap", "refund_tap", "tap_in_sandbox"}
"""What takes a card's cryptogram; test_taps_http.py and test_till_day.py do it."""

PACKET: Final = {"amount": 100, "currency": "CNY", "shares": 1, "division": "luck"}
DEVICE_KEY: Final = "CQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
"""A point that nobody has the private half of: what is sealed for it stays so."""


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    with open_folder() as folder, requests.Session() as session:
        async with living(folder / "data", TANDEM_RATE_PER_SECOND="1000000") as server:
            yield await furnish(server, session)
            assert server.faults() == []


async def furnish(server: Living, session: requests.Session) -> House:
    """Make something of everything. What the operator may spoil belongs to nobody who asks."""
    async with server.client(server.operator_key) as operator:
        lin, mei, spare = [
            await sign_up(operator, handle, yuan=9000) for handle in ("lin", "mei", "spare")
        ]
        shop = await open_shop(server, operator, "Blue Door")
        other = await open_shop(server, operator, "Red Gate")
        found = made(await operator.get(f"/v1/people/{spare.id}/devices"))
        top_up = {"amount": 100, "currency": "CNY", "reference": "wrong"}
        await post(operator, f"/v1/people/{lin.id}/top-ups", top_up)
        wrong = {"booking": "wrong", "reason": "It was nobody's"}
        corrected = await post(operator, "/v1/corrections", wrong)
        lines = made(await operator.get("/v1/ledger/accounts/bank/statement"))["data"]
        verified = await post(operator, "/v1/ledger/verifications")
        of_operator = {
            "correction_id": [corrected["id"]],
            "verification_id": [verified["id"]],
            "account": ["bank", "fees", "@lin", spare.id, other.merchant_id],
            "entry_id": [lines[0]["transfer"]["entry_id"], lines[0]["transfer"]["id"]],
            "person_id": [spare.id],
            "merchant_id": [other.merchant_id],
            "device_id": [found["data"][0]["id"]],
            "key_id": [other.key_id],
            "handle": ["lin", "@mei"],
            "card_id": await furnish_cards(server, spare),
            "staff_id": await furnish_staff(operator, "support"),
        }
    async with server.client(lin.key) as phone, server.client(mei.key) as friend:
        of_merchant = await furnish_shop(server, shop, lin)
        of_operator["payment_id"] = of_merchant["payment_id"]
        send = {"to": "mei", "amount": 100, "currency": "CNY"}
        ask = {"amount": 100, "currency": "CNY"}
        of_person = {
            "send_id": [(await post(phone, "/v1/wallet/sends", send))["id"]],
            "request_id": [
                (await post(who, "/v1/wallet/requests", ask | {"of": of}))["id"]
                for who, of in ((friend, "lin"), (friend, "lin"), (phone, "mei"))
            ],
            "device_id": [(await post(phone, "/v1/people/me/devices", {"name": "x"}))["id"]],
            "event_id": [made(await phone.get("/v1/events"))["data"][0]["id"]],
            "payment_id": [
                view["id"] for view in made(await phone.get("/v1/wallet/payments"))["data"]
            ],
            "handle": ["lin", "@mei"],
            "card_id": await furnish_cards(server, lin),
        }
        of_person |= await furnish_together(phone, friend)
        spam = send | {"message": "Send me your PIN"}
        held = [(await post(phone, "/v1/wallet/sends", spam))["id"] for _ in range(6)]
        of_person["object_id"] = of_operator["object_id"] = held
        link = await post(friend, "/v1/wallet/packets", PACKET)
        url = made(await friend.get(f"/v1/wallet/packets/{link['id']}/link"))["url"]
    keys = {"operator": server.operator_key, "merchant": shop.key, "person": lin.key}
    nobody = {"page_token": of_merchant["page_token"]}
    there = {
        "operator": of_operator,
        "merchant": of_merchant,
        "person": of_person,
        "nobody": nobody,
    }
    sense = sensible(shop, url)
    return House(server, keys, there, session, sense)


def sensible(shop: Shop, packet_url: str) -> dict[str, Any]:
    """Values that make sense, by the names of fields."""
    sense = {"currency": "CNY", "amount": 1, "shop_id": shop.shop_id, "to": "mei", "of": "mei"}
    sense |= {
        "device_key": DEVICE_KEY,
        "code": shop.code,
        "url": "http://127.0.0.1:9/x",
        "scopes": ["shops:read"],
        "token": packet_url.partition("#")[2],
        "people": [{"of": "mei"}],
    }
    sense |= {"customer_name": "Xu", "customer_email": "xu@shop.example", "metadata": {}}
    sense |= {"lines": [{"name": "Tea", "unit_amount": 1}], "due_on": "2100-01-01"}
    sense |= dict.fromkeys(("success_url", "cancel_url", "min_amount", "max_amount", "ends_at"))
    sense |= {"return_origins": ["https://shop.example"], "frame_origins": []}
    texts = ("name", "device_name", "city", "description", "order_reference", "message", "reason")
    sense |= dict.fromkeys(texts, "Tea")
    sense["currencies"] = {"CNY": {"fee_basis_points": 60, "fee_fixed": 10}}
    return sense


async def furnish_together(
    phone: httpx.AsyncClient, friend: httpx.AsyncClient
) -> dict[str, list[str]]:
    """Red packets that Lin can open and such that she made, and splits of hers."""
    named = PACKET | {"to": ["lin"]}
    split = {"amount": 100, "currency": "CNY", "people": [{"of": "mei"}]}
    return {
        "packet_id": [
            (await post(who, "/v1/wallet/packets", body))["id"]
            for who, body in ((friend, named), (phone, PACKET)) * 3
        ],
        "split_id": [(await post(phone, "/v1/wallet/splits", split))["id"] for _ in range(3)],
    }


async def furnish_cards(server: Living, person: Person) -> list[str]:
    """Cards of a person's: some that are active, and some that wait for a code."""
    body = {"currency": "CNY", "device_key": DEVICE_KEY}
    async with server.client(person.key) as phone:
        later = await post(phone, "/v1/people/me/devices", {"name": "Watch"})
        async with server.client(later["key"]) as watch:
            devices = (watch, phone, watch)
            return [(await post(one, "/v1/people/me/cards", body))["id"] for one in devices]


async def furnish_staff(employer: httpx.AsyncClient, role: str) -> list[str]:
    """Some who are invited to work there."""
    body = {"name": "Xu", "role": role}
    return [(await post(employer, "/v1/staff", body))["staff"]["id"] for _ in range(3)]


async def furnish_shop(server: Living, shop: Shop, payer: Person) -> dict[str, list[str]]:
    """A shop's payments in several states, its webhook, an event and a delivery."""
    order = {"amount": 500, "currency": "CNY", "shop_id": shop.shop_id}
    async with server.client(shop.key) as till, server.client(payer.key) as phone:
        hook = {"url": "http://127.0.0.1:9/hook"}
        endpoint = (await post(till, "/v1/webhooks", hook))["id"]
        created = (await post(till, "/v1/payments", order))["id"]
        held = order | {"capture": "manual", "pay_code": payer.pay_code()}
        authorised = (await post(till, "/v1/payments", held))["id"]
        for counter in (1, 2):  # large, so that they wait for the person
            large = {"amount": 100_001, "pay_code": payer.pay_code(counter=counter)}
            await post(till, "/v1/payments", order | large)
        for _ in range(3):  # and orders that do, because they were scanned
            scanned = (await post(till, "/v1/payments", order))["id"]
            code = made(await till.get(f"/v1/payments/{scanned}/code"))["payload"]
            await post(phone, "/v1/wallet/scans", {"code": code})
        paid = {"amount": 700, "currency": "CNY", "code": shop.code}
        captured = (await post(phone, "/v1/wallet/payments", paid))["id"]
        await post(till, f"/v1/payments/{captured}/refunds", {"amount": 1})
        spare = await post(till, "/v1/keys", {"name": "spare", "scopes": ["shops:read"]})
        tag = {"name": "Counter", "shop_id": shop.shop_id}
        tags = [(await post(till, "/v1/tags", tag))["id"] for _ in range(3)]
        deliveries = made(await till.get(f"/v1/webhooks/{endpoint}/deliveries"))["data"]
        pages = await furnish_checkout(till, order)
        cake = {"name": "Cake", "price": 900, "currency": "CNY"}
        items = f"/v1/shops/{shop.shop_id}/items"
        pages["item_id"] = [(await post(till, items, cake))["id"] for _ in range(4)]
        shift = await post(till, f"/v1/tills/{shop.till_id}/shifts", {})
        pages["shift_id"] = [shift["id"]]
        return pages | {
            "payment_id": [created, authorised, captured],
            "shop_id": [shop.shop_id],
            "till_id": [shop.till_id],
            "tag_id": tags,
            "endpoint_id": [endpoint],
            "delivery_id": [view["id"] for view in deliveries],
            "event_id": [made(await till.get("/v1/events"))["data"][0]["id"]],
            "key_id": [spare["id"]],
            "staff_id": await furnish_staff(till, "cashier"),
        }


async def furnish_checkout(till: httpx.AsyncClient, order: dict[str, Any]) -> dict[str, list[str]]:
    """Checkout sessions, payment links and invoices, with the pages of an open one of each."""
    page = await post(till, "/v1/checkout/sessions", order)
    shop = {"shop_id": order["shop_id"], "currency": "CNY"}
    link = await post(till, "/v1/payment-links", shop | {"description": "Tea"})
    lines = {"lines": [{"name": "Tea", "unit_amount": 500}], "due_on": "2100-01-01"}
    asked = shop | lines | {"customer_name": "Xu"}
    drafts = [(await post(till, "/v1/invoices", asked))["id"] for _ in range(5)]
    invoice = made(await till.post(f"/v1/invoices/{drafts[0]}/open"))
    opened = made(await till.post(f"/v1/invoices/{drafts[1]}/open"))
    return {
        "checkout_id": [page["id"]],
        "link_id": [link["id"]],
        "invoice_id": [*drafts[2:], opened["id"]],
        "page_token": [one["url"].rpartition("/")[2] for one in (page, link, invoice)],
    }


def takes_anything(operation: Operation[Any]) -> bool:
    """Whether there is anything in its request that could be wrong."""
    described = API[operation.path][operation.method].definition.raw
    return bool(described.get("parameters") or described.get("requestBody"))


def make_sense(body: dict[str, Any], sense: dict[str, object]) -> None:
    """Put what is there in place of what only looks right: a shop, a currency, a little money."""
    body |= {name: sense[name] for name in sense.keys() & body.keys()}
    if "people" in body:  # an amount or a payment, not both
        body |= {"amount": 100, "currency": "CNY", "payment_id": None}
    if body.keys() & {"till_id", "pay_code", "order_reference"}:
        body |= {"shop_id": sense["shop_id"], "till_id": None}
        body |= dict.fromkeys({"pay_code"} & body.keys())


CASES: Final = [
    pytest.param(operation, mode, id=f"{operation.name}-{mode.value}")
    for operation in OPERATIONS
    for mode in schemathesis.GenerationMode
    if operation.answer_type is not Live  # a stream has no end, and is tested by itself
    if mode is schemathesis.GenerationMode.POSITIVE or takes_anything(operation)
]


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_the_document_is_true(
    house: House, operation: Operation[Any], mode: schemathesis.GenerationMode
) -> None:
    described = API[operation.path][operation.method]

    @BOUNDED
    @given(case=described.as_strategy(generation_mode=mode), data=st.data())
    def every(case: schemathesis.Case[Any], data: st.DataObject) -> None:
        kinds: list[str] = [kind for kind in operation.who if kind != "anyone"]
        who = data.draw(st.sampled_from(kinds or ["nobody"]))
        there = house.there[who]
        # once something worked, a quarter is left as it was made up
        worked = min(house.seen.get(operation.name, {599})) < REFUSED
        sense = data.draw(st.integers(0, 3)) or not worked
        if mode is schemathesis.GenerationMode.POSITIVE and sense:
            for name in there.keys() & case.path_parameters.keys():
                ids = there[name]
                # the draws are the same for each operation, and should not always meet one thing
                place = data.draw(st.integers(0, len(ids) - 1)) + OPERATIONS.index(operation)
                case.path_parameters[name] = ids[place % len(ids)]
            if isinstance(case.body, dict):
                make_sense(case.body, house.sense)
            for name in {"Idempotency-Key"} & case.headers.keys():
                case.headers[name] = str(uuid.uuid4())
        response = case.call_and_validate(
            base_url=house.server.url,
            session=house.session,
            headers={"Origin": house.server.url}
            | ({"Authorization": f"Bearer {house.keys[who]}"} if kinds else {}),
            checks=CHECKS,
            timeout=LIMIT_S,
        )
        if mode is schemathesis.GenerationMode.POSITIVE:
            house.seen.setdefault(operation.name, set()).add(response.status_code)

    every()


def test_nearly_everything_was_also_done(house: House) -> None:
    """What is refused each time says little about the answers: most of it must have worked."""
    done = {
        name: seen
        for name, seen in house.seen.items()
        if name not in OF_ANOTHER_DAY | OF_BROWSERS | OF_CHIPS
    }
    never = {name: seen for name, seen in done.items() if min(seen) >= REFUSED}
    assert len(never) <= len(done) // 10, " ".join(sorted(never))
