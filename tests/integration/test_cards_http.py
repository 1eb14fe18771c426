"""Device cards over HTTP: what a phone, an earlier phone, a stranger and the operator can do."""

import itertools
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from conftest import open_folder
from living import Living, Person, fresh_key, living, made, post, sign_up
from tandem.cards import unwrap
from tandem.kernel import read_id

_NUMBER = itertools.count(1)
MINE = "/v1/people/me/cards"


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data", TANDEM_MODE="sandbox") as server:
            yield server


class Phones(NamedTuple):
    """A person's two devices, and the key that the later one's card is for."""

    first: httpx.AsyncClient
    later: httpx.AsyncClient
    secret: X25519PrivateKey

    async def add(self, client: httpx.AsyncClient) -> Any:  # noqa: ANN401 - any JSON
        public = b64encode(self.secret.public_key().public_bytes_raw()).decode()
        return await post(client, MINE, {"currency": "CNY", "device_key": public})


@pytest.fixture
async def operator(house: Living) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(house.operator_key) as client:
        yield client


@pytest.fixture
async def phones(house: Living, operator: httpx.AsyncClient) -> AsyncIterator[Phones]:
    lin: Person = await sign_up(operator, f"lin{next(_NUMBER)}", yuan=10)
    async with house.client(lin.key) as first:
        watch = await post(first, "/v1/people/me/devices", {"name": "Watch"})
        async with house.client(watch["key"]) as later:
            yield Phones(first, later, X25519PrivateKey.generate())


async def refused(call: Any, code: str) -> Any:  # noqa: ANN401 - a call of the client, any JSON
    answer = (await call).json()
    assert answer["code"] == code, answer
    return answer


async def test_a_later_phone_gets_a_card_by_a_code(
    operator: httpx.AsyncClient, phones: Phones
) -> None:
    first, later, secret = phones
    card = await phones.add(later)
    path = f"{MINE}/{card['id']}"
    assert (card["status"], card["proof"]) == ("waiting_code", "yellow")
    await refused(later.post(f"{path}/code"), "not_found")
    key = {"Idempotency-Key": fresh_key()}
    await refused(later.post(f"{path}/package", headers=key), "card_state")
    shown = await post(first, f"{path}/code")
    guess = f"{(int(shown['code']) + 1) % 10**6:06d}"
    wrong = await refused(later.post(f"{path}/prove", json={"code": guess}), "card_code_wrong")
    assert wrong["data"] == {"tries_left": 4}
    assert (await post(later, f"{path}/prove", {"code": shown["code"]}))["status"] == "active"
    key = {"Idempotency-Key": fresh_key()}
    package = made(await later.post(f"{path}/package", headers=key))
    profile = unwrap(b64decode(package["sealed"]), secret, read_id("crd", card["id"]))
    assert profile.data.pan.endswith(card["last_four"])
    assert made(await later.post(f"{path}/package", headers=key)) == package
    again = {"Idempotency-Key": fresh_key()}
    await refused(later.post(f"{path}/package", headers=again), "card_delivered")
    listed = made(await first.get(MINE))["data"]
    assert [one["id"] for one in listed] == [card["id"]]
    assert profile.data.pan not in str(made(await operator.get("/v1/cards")))


async def test_what_a_person_does_with_a_card(phones: Phones) -> None:
    first = phones.first
    card = await phones.add(first)
    path = f"{MINE}/{card['id']}"
    assert card["status"] == "active"
    assert (await post(first, f"{path}/suspend"))["status"] == "suspended"
    conflict = await refused(first.post(f"{path}/suspend"), "card_state")
    assert set(conflict["data"]["allowed"]) == {"resume", "lose", "fund", "remove"}
    assert (await post(first, f"{path}/resume"))["status"] == "active"
    funded = made(await first.put(f"{path}/funding", json={"currency": "USD"}))
    assert (funded["currency"], funded["last_four"]) == ("USD", card["last_four"])
    await refused(first.post(f"{path}/renew"), "invalid_request")
    assert made(await first.delete(path))["status"] == "removed"
    assert made(await first.get(path))["status"] == "removed"
    events = made(await first.get("/v1/events", params={"limit": 100}))["data"]
    types = [one["type"] for one in events if one["type"].startswith("card.")]
    assert sorted(types) == sorted(
        f"card.{what}" for what in ("added", "suspended", "active", "funded", "removed")
    )


async def test_a_lost_phone_and_the_operator(operator: httpx.AsyncClient, phones: Phones) -> None:
    first, later, _ = phones
    card = await phones.add(first)
    lost = await post(later, f"/v1/people/me/devices/{card['device_id']}/lost")
    assert [one["status"] for one in lost["data"]] == ["lost"]
    await refused(first.post(f"{MINE}/{card['id']}/resume"), "card_state")
    path = f"/v1/cards/{card['id']}"
    assert (await post(operator, f"{path}/restore"))["status"] == "active"
    assert (await post(operator, f"{path}/block"))["status"] == "blocked"
    assert made(await operator.get("/v1/cards", params={"status": "blocked"}))["data"]
    assert made(await operator.get(path))["status"] == "blocked"
    await refused(operator.post(f"{path}/confirm"), "card_state")
    await refused(operator.post(f"{path}/code"), "card_state")
    assert made(await operator.delete(path))["status"] == "removed"


async def test_a_card_that_waits_for_the_operator(
    operator: httpx.AsyncClient, phones: Phones
) -> None:
    first, later, _ = phones
    devices = made(await first.get("/v1/people/me/devices"))["data"]
    oldest = devices[-1]["id"]
    made(await later.delete(f"/v1/people/me/devices/{oldest}"))
    one, other = await phones.add(later), await phones.add(later)
    assert one["status"] == other["status"] == "waiting_operator"
    assert (await post(operator, f"/v1/cards/{one['id']}/confirm"))["status"] == "active"
    assert (await post(operator, f"/v1/cards/{other['id']}/refuse"))["status"] == "refused"


async def test_whoever_asks_for_anothers_card_learns_nothing(
    house: Living, operator: httpx.AsyncClient, phones: Phones
) -> None:
    card = await phones.add(phones.first)
    path, mei = f"{MINE}/{card['id']}", await sign_up(operator, f"mei{next(_NUMBER)}")
    async with house.client(mei.key) as stranger:
        for call in (
            stranger.get(path),
            stranger.post(f"{path}/suspend"),
            stranger.post(f"{path}/code"),
            stranger.post(f"{path}/prove", json={"code": "000000"}),
            stranger.post(f"{path}/package", headers={"Idempotency-Key": fresh_key()}),
            stranger.put(f"{path}/funding", json={"currency": "CNY"}),
            stranger.delete(path),
        ):
            await refused(call, "not_found")
        await refused(stranger.get("/v1/cards"), "wrong_kind_of_key")
    body = {"currency": "CNY", "device_key": b64encode(bytes(32)).decode()}
    key = {"Idempotency-Key": fresh_key()}
    await refused(phones.first.post(MINE, json=body, headers=key), "invalid_request")
