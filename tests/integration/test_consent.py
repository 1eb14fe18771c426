"""Payments above a person's own limit ask for the passkey: for this payment alone, and once."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from browsers import Browser, Site, ok, open_site, refused
from town import Door, Someone

from authenticator import Facts, Says, read
from tandem.codes import paycode
from tandem.kernel import read_id, show_id

ABOVE = 5_000


@dataclass
class Scene:
    """Lin, who is asked above 50 yuan, with 10000 yuan; a shop; and mei."""

    site: Site
    lin: Browser
    lin_id: UUID
    seed: Facts
    door: Door
    mei: Someone

    async def order(self, amount: int) -> dict[str, Any]:
        """What pays an order."""
        order = await self.site.town.order(self.door, amount)
        token = await self.site.town.services.pool.fetchval(
            "SELECT code_token FROM payments WHERE id = $1", order
        )
        return {"code": f"http://127.0.0.1:8080/c/{token}"}

    def typed(self, amount: int) -> dict[str, Any]:
        """What pays a typed amount at the shop's static code."""
        code = f"http://127.0.0.1:8080/c/{self.door.token}"
        return {"code": code, "amount": amount, "currency": "CNY"}

    def send(self, amount: int, to: str | None = None) -> dict[str, Any]:
        """What sends money."""
        return {"to": to or self.mei.handle, "amount": amount, "currency": "CNY"}

    async def spent(self) -> int:
        """What of the 10000 yuan is gone."""
        wallet = await self.site.town.services.wallet.view(self.lin_id)
        return 1_000_000 - wallet.balances[0].balance


@pytest.fixture
async def scene(fresh_database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_site(fresh_database, tmp_path) as site:
        lin = site.browser()
        made = await lin.sign_up("lin")
        lin_id = read_id("ppl", made["person"]["id"])
        await site.town.top_up(lin_id, 1_000_000)
        ok(await lin.put("/v1/people/me/passkey-above", {"currency": "CNY", "above": ABOVE}))
        door, mei = await site.town.merchant(), await site.town.person(name="Mei Chen")
        yield Scene(site, lin, lin_id, made["device"], door, mei)
        await site.town.check()


def to_sign(response: httpx.Response) -> Facts:
    """What the browser is to sign."""
    options: Facts = refused(response, 403, "passkey_needed")["options"]
    return options


async def paid(scene: Scene, path: str, body: dict[str, Any], key: str = "k") -> httpx.Response:
    """Pay as a wallet does: asked, it signs and sends the same again, under the same key."""
    options = to_sign(await scene.lin.post(path, body, Idempotency_Key=key))
    signed = body | {"assertion": scene.lin.keys.get(options)}
    return await scene.lin.post(path, signed, Idempotency_Key=key)


async def test_what_is_below_the_limit_is_not_asked_about(scene: Scene) -> None:
    ok(await scene.lin.post("/v1/wallet/payments", scene.typed(ABOVE)))
    ok(await scene.lin.post("/v1/wallet/sends", scene.send(ABOVE)))
    assert await scene.spent() == 2 * ABOVE
    shown = ok(await scene.lin.get("/v1/people/me/limits"))["data"]
    assert {one["currency"]: one["passkey_above"] for one in shown}["CNY"] == ABOVE


async def test_what_is_above_is_paid_when_it_is_signed(scene: Scene) -> None:
    amount, made = ABOVE + 1, []
    made.append(ok(await paid(scene, "/v1/wallet/payments", scene.typed(amount), "1")))
    made.append(ok(await paid(scene, "/v1/wallet/payments", await scene.order(amount), "2")))
    made.append(ok(await paid(scene, "/v1/wallet/sends", scene.send(amount), "3")))
    assert [one.get("status") for one in made] == ["captured", "captured", None]
    assert await scene.spent() == 3 * amount


async def test_a_payment_that_waits_and_a_request_are_confirmed_too(scene: Scene) -> None:
    town, amount = scene.site.town, ABOVE + 1
    scanned = ok(await scene.lin.post("/v1/wallet/scans", await scene.order(amount)))
    waiting = f"/v1/wallet/payments/{scanned['payment']['id']}/approve"
    assert ok(await paid(scene, waiting, {}, "1"))["status"] == "captured"
    asked = await town.services.wallet.ask(scene.mei.id, scene.lin_id, amount, "CNY", None, None)
    request = read_id("req", json.loads(asked.body)["id"])
    accept = f"/v1/wallet/requests/{show_id('req', request)}/accept"
    assert ok(await paid(scene, accept, {}, "2"))["status"] == "accepted"
    assert await scene.spent() == 2 * amount


async def test_a_pay_code_above_the_limit_waits_for_the_person(scene: Scene) -> None:
    seed, index = b64decode(scene.seed["code_seed"]), scene.seed["code_index"]
    now = scene.site.town.services.clock.now()
    outcome = await scene.site.town.by_code(
        scene.door, paycode.generate(seed, index, now, 1), ABOVE + 1
    )
    assert b'"waiting"' in outcome.body
    outcome = await scene.site.town.by_code(
        scene.door, paycode.generate(seed, index, now, 2), ABOVE
    )
    assert b'"captured"' in outcome.body


async def test_a_signature_is_for_one_payee_one_amount_and_one_person(scene: Scene) -> None:
    site, amount = scene.site, ABOVE + 1
    other = await site.town.merchant()
    options = to_sign(await scene.lin.post("/v1/wallet/payments", scene.typed(amount)))
    signed = scene.lin.keys.get(options)
    elsewhere = scene.typed(amount) | {"code": f"http://127.0.0.1:8080/c/{other.token}"}
    answer = await scene.lin.post("/v1/wallet/payments", elsewhere | {"assertion": signed})
    options = to_sign(answer)  # asked anew, for the other shop
    signed = scene.lin.keys.get(options)
    more = scene.typed(amount + 1) | {"code": elsewhere["code"], "assertion": signed}
    to_sign(await scene.lin.post("/v1/wallet/payments", more))
    to_sign(await scene.lin.post("/v1/wallet/sends", scene.send(amount) | {"assertion": signed}))
    assert await scene.spent() == 0


async def test_a_signature_pays_once(scene: Scene) -> None:
    body = scene.typed(ABOVE + 1)
    options = to_sign(await scene.lin.post("/v1/wallet/payments", body))
    signed = body | {"assertion": scene.lin.keys.get(options)}
    answers = await asyncio.gather(
        *(scene.lin.post("/v1/wallet/payments", signed) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 7
    assert await scene.spent() == ABOVE + 1


async def test_a_lost_answer_is_asked_for_again(scene: Scene) -> None:
    body = scene.typed(ABOVE + 1)
    options = to_sign(await scene.lin.post("/v1/wallet/payments", body, Idempotency_Key="x"))
    signed = body | {"assertion": scene.lin.keys.get(options)}
    first = await scene.lin.post("/v1/wallet/payments", signed, Idempotency_Key="x")
    again = await scene.lin.post("/v1/wallet/payments", signed, Idempotency_Key="x")
    assert ok(again) == ok(first)
    assert again.headers["idempotent-replayed"] == "true"
    assert await scene.spent() == ABOVE + 1


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (Says(signature=bytes(70)), "signature"),
        (Says(origin="https://evil.example"), "origin"),
        (Says(flags=0x01 | 0x08), "not_verified"),
    ],
)
async def test_a_forged_signature_pays_nothing(scene: Scene, says: Says, reason: str) -> None:
    body = scene.typed(ABOVE + 1)
    options = to_sign(await scene.lin.post("/v1/wallet/payments", body))
    signed = body | {"assertion": scene.lin.keys.get(options, says)}
    answer = await scene.lin.post("/v1/wallet/payments", signed)
    assert refused(answer, 403, "passkey_refused") == {"reason": reason}
    assert await scene.spent() == 0


async def test_nobody_elses_passkey_confirms(scene: Scene) -> None:
    eve = scene.site.browser()
    await eve.sign_up("eve")
    body = scene.typed(ABOVE + 1)
    options = to_sign(await scene.lin.post("/v1/wallet/payments", body))
    signed = body | {"assertion": eve.keys.get(options | {"allowCredentials": []})}
    answer = await scene.lin.post("/v1/wallet/payments", signed)
    assert refused(answer, 403, "passkey_refused") == {"reason": "unknown"}
    options = to_sign(await scene.lin.post("/v1/wallet/payments", body))
    stolen = body | {"assertion": scene.lin.keys.get(options)}
    answer = await eve.post("/v1/wallet/payments", stolen)
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}
    assert await scene.spent() == 0


async def test_signing_in_confirms_no_payment_and_the_other_way_round(scene: Scene) -> None:
    options = ok(await scene.lin.post("/v1/sign-in/options"))
    body = scene.typed(ABOVE + 1) | {"assertion": scene.lin.keys.get(options)}
    answer = await scene.lin.post("/v1/wallet/payments", body)
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}
    options = to_sign(await scene.lin.post("/v1/wallet/payments", scene.typed(ABOVE + 1)))
    answer = await scene.lin.post("/v1/sign-in", {"credential": scene.lin.keys.get(options)})
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}


async def test_a_confirmation_is_old_after_five_minutes(scene: Scene) -> None:
    body = scene.typed(ABOVE + 1)
    options = to_sign(await scene.lin.post("/v1/wallet/payments", body))
    scene.site.town.wait(minutes=5)
    late = body | {"assertion": scene.lin.keys.get(options)}
    assert to_sign(await scene.lin.post("/v1/wallet/payments", late)) != options
    assert await scene.spent() == 0


async def test_a_devices_key_is_asked_as_well(scene: Scene) -> None:
    phone = scene.site.program(scene.seed["key"])
    to_sign(await phone.post("/v1/wallet/payments", scene.typed(ABOVE + 1)))
    put = {"currency": "CNY", "above": None}
    refused(await phone.put("/v1/people/me/passkey-above", put), 403, "sign_in_needed")


async def test_the_limit_is_taken_away_by_who_confirms(scene: Scene) -> None:
    scene.site.town.wait(minutes=11)
    put = {"currency": "CNY", "above": None}
    refused(await scene.lin.put("/v1/people/me/passkey-above", put), 403, "sign_in_stale")
    await scene.lin.confirm()
    ok(await scene.lin.put("/v1/people/me/passkey-above", put))
    ok(await scene.lin.post("/v1/wallet/payments", scene.typed(ABOVE + 1)))


async def test_a_limit_that_was_just_set_holds_at_once(scene: Scene) -> None:
    """Terms that a process remembers are checked by the write."""
    ok(await scene.lin.post("/v1/wallet/payments", scene.typed(100)))
    ok(await scene.lin.put("/v1/people/me/passkey-above", {"currency": "CNY", "above": 99}))
    to_sign(await scene.lin.post("/v1/wallet/payments", scene.typed(100)))


async def test_a_refusal_that_would_come_anyway_comes_first(scene: Scene) -> None:
    refused(await scene.lin.post("/v1/wallet/payments", scene.typed(600_000)), 402,
            "limit_exceeded")  # fmt: skip


async def test_the_challenge_is_made_of_the_payment(scene: Scene) -> None:
    """So the signature itself says whom and how much, and a dispute can show it."""
    options = to_sign(await scene.lin.post("/v1/wallet/payments", scene.typed(ABOVE + 1)))
    kept = await scene.site.town.services.pool.fetchrow(
        "SELECT facts, holder_id FROM challenges WHERE challenge = $1", read(options["challenge"])
    )
    assert kept is not None
    assert kept["holder_id"] == scene.lin_id
    for fact in (str(scene.door.id), str(ABOVE + 1), "CNY"):
        assert fact.encode() in kept["facts"]
