"""Taps over the REST API: what a terminal's key can do, and what an attacker with one cannot."""

import asyncio
import itertools
import json
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tapping import PASSCODE, Counter, Phone, counter_at, once, phone_of

from conftest import open_folder
from emv_tap import NOW
from living import Living, living, made, post
from tandem.emv.tlv import read
from tandem.merchants import WayRefused
from tandem.tap import (
    Payment,
    Reply,
    Secret,
    Unanswered,
    Unreachable,
    Vault,
    read_terminal_settings,
)
from tandem.tap.provisioning import connected, settle
from tandem.till import RestOnline, open_tandem
from tandem.till.rest import _key, tap_body

_NUMBER = itertools.count(1)
START = 50_000
GUIDE = (Path(__file__).parents[2] / "docs" / "first-tap.md").read_text(encoding="utf-8")


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
async def lin(house: Living, operator: httpx.AsyncClient, tmp_path: Path) -> Phone:
    handle = f"lin{next(_NUMBER)}"
    return await phone_of(house, operator, tmp_path / "phone", handle, yuan=START // 100)


@pytest.fixture
async def counter(
    house: Living,
    operator: httpx.AsyncClient,
    tmp_path: Path,
    lin: Phone,  # noqa: ARG001 - there are no authorities before the first card
) -> Counter:
    return await counter_at(house, operator, tmp_path / "shop")


class Overhears:
    """Between the terminal and Tandem: keeps what the terminal says, and lets nothing through."""

    def __init__(self) -> None:
        self.said: list[tuple[Payment, Secret]] = []

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        del repeat
        self.said.append((payment, secret))
        raise Unreachable

    advise = reverse = authorise


async def heard(counter: Counter, lin: Phone, amount: int = 8000) -> dict[str, Any]:
    """A tap that was never sent: the body that would have been."""
    overhears = Overhears()
    with lin.device() as device:
        device.verify(PASSCODE)
        async with counter.till(device, overhears) as till:
            await till.take(amount)
    ((payment, secret),) = overhears.said
    return tap_body(payment, secret)


def path(counter: Counter, what: str = "taps") -> str:
    return f"/v1/tills/{counter.till_id}/{what}"


async def sent(
    counter: Counter, body: dict[str, Any], key: dict[str, str] | None = None, what: str = "taps"
) -> Any:  # noqa: ANN401 - any JSON
    async with counter.server.client(counter.key) as client:
        answer = await client.post(path(counter, what), json=body, headers=key or once())
        return answer.json()


async def test_a_cryptogram_pays_once(counter: Counter, lin: Phone) -> None:
    body, key = await heard(counter, lin), once()
    first, again = await sent(counter, body, key), await sent(counter, body, key)
    assert (first["approved"], first["response_code"]) == (True, "00")
    assert first["authorisation_code"] == first["payment"]["id"][-6:].upper()
    assert again == first, "a repeat gets the same answer"
    replayed = await sent(counter, body)
    assert (replayed["approved"], replayed["response_code"]) == (False, "63")
    assert replayed["issuer_answer"] is None
    assert replayed["payment"]["decline_reason"] == "payer_cannot_pay", "the shop learns no more"
    assert await lin.balance() == START - 8000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": 800}, "63"),
        ({"amount": 80_000}, "63"),
        ({"currency": "USD"}, "63"),
        ({"day": "2020-01-01"}, "63"),
        ({"offline": True}, "12"),
    ],
)
async def test_what_the_card_did_not_sign_is_not_paid(
    counter: Counter, lin: Phone, change: dict[str, Any], code: str
) -> None:
    answer = await sent(counter, await heard(counter, lin) | change)
    assert (answer["approved"], answer["response_code"]) == (False, code)
    assert await lin.balance() == START


async def test_a_changed_cryptogram_is_wrong_and_counted_until_the_card_is_blocked(
    counter: Counter, lin: Phone
) -> None:
    body = await heard(counter, lin)
    icc = bytearray(b64decode(body["icc"]))
    at = bytes(icc).index(bytes.fromhex("9F2608")) + 3
    icc[at] ^= 1
    for _ in range(5):
        answer = await sent(counter, body | {"icc": b64encode(icc).decode()})
        assert answer["response_code"] == "63"
    assert (await sent(counter, body))["response_code"] == "62", "it is blocked"
    assert await lin.balance() == START


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"pan": "9801239999999995"}, "card_unknown"),
        ({"icc": "AAAA"}, "invalid_request"),
        ({"icc": "AAA"}, "invalid_request"),
        ({"icc": "A" * 344}, "invalid_request"),
        ({"amount": 0}, "invalid_request"),
        ({"pan": "1"}, "invalid_request"),
        ({"more": 1}, "invalid_request"),
    ],
)
async def test_what_is_no_tap_is_refused(
    counter: Counter, lin: Phone, change: dict[str, Any], code: str
) -> None:
    assert (await sent(counter, await heard(counter, lin) | change))["code"] == code


async def test_a_reversal_gives_everything_back_and_forestalls_what_comes_late(
    counter: Counter, lin: Phone
) -> None:
    body, key, other = await heard(counter, lin), once(), once()
    assert (await sent(counter, body, key))["approved"]
    back = {"key": key["Idempotency-Key"]}
    for again in (other, other, once()):
        assert await sent(counter, back, again, "taps/reversals") == back
    assert await lin.balance() == START
    (payment,) = await counter.payments()
    assert (payment["status"], payment["fee"]) == ("refunded", 0), "the fee went back, too"
    late, never = await heard(counter, lin), {"Idempotency-Key": "tap that is late"}
    await sent(counter, {"key": never["Idempotency-Key"]}, None, "taps/reversals")
    assert (await sent(counter, late, never))["code"] == "idempotency_key_reused"
    assert await lin.balance() == START


async def test_a_terminals_key_takes_back_its_own_taps_only(counter: Counter, lin: Phone) -> None:
    """Not what the shop does by other requests, and not another till's."""
    async with counter.server.client(counter.shop_key) as shop:
        order = {"amount": 500, "currency": "CNY", "till_id": counter.till_id}
        key = once()
        order_made = made(await shop.post("/v1/payments", json=order, headers=key))
        await sent(counter, {"key": key["Idempotency-Key"]}, None, "taps/reversals")
        assert made(await shop.get(f"/v1/payments/{order_made['id']}"))["status"] == "created"
        till = await post(shop, f"/v1/shops/{counter.shop_id}/tills", {"name": "Till 2"})
    body, key = await heard(counter, lin), once()
    assert (await sent(counter, body, key))["approved"]
    async with counter.server.client(counter.key) as client:
        other = f"/v1/tills/{till['id']}/taps/reversals"
        back = {"key": key["Idempotency-Key"]}
        made(await client.post(other, json=back, headers=once()))
        for forbidden in ("/v1/payments", "/v1/shops", "/v1/events", "/v1/balance"):
            assert (await client.get(forbidden)).json()["code"] in {"scope_missing", "no_such_path"}
    assert await lin.balance() == START - 8000


async def test_a_refund_goes_to_the_card_that_paid_and_not_above(
    counter: Counter, lin: Phone
) -> None:
    body = await heard(counter, lin)
    await sent(counter, body)
    back = {name: body[name] for name in ("currency", "pan", "number")} | {"amount": 3000}
    for change, code in (
        ({"pan": "9801239999999995"}, "card_unknown"),
        ({"number": "1"}, "not_found"),
        ({"currency": "USD"}, "not_found"),
        ({"amount": 8001}, "refund_exceeds_captured"),
    ):
        refused = await sent(counter, back | change, None, "taps/refunds")
        assert refused["code"] == code
    assert (await sent(counter, back, None, "taps/refunds"))["amount"] == 3000
    assert await lin.balance() == START - 5000


async def test_the_issuers_answer_is_for_the_device_that_tapped(
    counter: Counter, lin: Phone
) -> None:
    answered = await sent(counter, await heard(counter, lin))
    mine = f"/v1/people/me/cards/{lin.card_id}/taps"
    async with counter.server.client(lin.key) as phone:
        (tap,) = made(await phone.get(mine, params={"counter": 1}))["data"]
        assert tap["issuer_answer"] == answered["issuer_answer"]
        assert read(b64decode(tap["issuer_answer"]))[0].tag == 0x91
        assert tap["payment"]["id"] == answered["payment"]["id"]
        assert made(await phone.get(mine, params={"counter": 2}))["data"] == []
        watch = await post(phone, "/v1/people/me/devices", {"name": "Watch"})
    async with counter.server.client(watch["key"]) as other:
        assert (await other.get(mine)).status_code == 404


async def test_an_answer_begins_the_cards_offline_counters_anew(
    counter: Counter, lin: Phone
) -> None:
    def ask(atc: int) -> None:
        with Vault(connected(device._store)) as vault:
            assert settle(device, vault, lin.card_id, atc, 20)

    with lin.device() as device:
        async with counter.till(device) as till:
            for amount in (1000, 1500):
                device.verify(PASSCODE)
                assert (await till.take(amount)).offline
            (card,) = device._store.cards()
            assert (card.state.offline_count, card.state.offline_total) == (2, 2500)
            assert len(await till.send_due()) == 2
            device.verify(PASSCODE)
            paid = await till.take(8000)
            assert (paid.approved, paid.offline) == (True, False)
            await asyncio.to_thread(ask, 3)
        (card,) = device._store.cards()
    assert (card.state.offline_count, card.state.last_online_atc) == (0, 3)
    assert await lin.balance() == START - 10_500


async def test_what_was_approved_offline_is_taken_though_tap_was_switched_off_since(
    counter: Counter, lin: Phone
) -> None:
    with lin.device() as device:
        async with counter.till(device) as till:
            device.verify(PASSCODE)
            assert (await till.take(1000)).offline
            await counter.accepts({"ways": {"tap": {"enabled": False}}})
            assert len(await till.send_due()) == 1
    assert await lin.balance() == START - 1000


# -- what the till accepts, live -----------------------------------------------------------------


async def test_a_change_reaches_the_till_by_the_stream(counter: Counter) -> None:
    """Whichever process made it: there are two."""
    async with counter.server.client(counter.key) as client:
        stream = path(counter, "acceptance/stream")
        async with client.stream("GET", stream) as answer:
            lines = answer.aiter_lines()
            assert await _takes_tap(lines)
            for enabled in (False, True, False):
                await counter.accepts({"ways": {"tap": {"enabled": enabled}}})
                assert await _takes_tap(lines) is enabled
        now = made(await client.get(path(counter, "acceptance")))
        assert now["acceptance"]["ways"]["tap"]["enabled"] is False


@pytest.mark.parametrize("what", ["acceptance", "orders"])
async def test_the_streams_beat_as_often_as_the_terminal_asks(counter: Counter, what: str) -> None:
    async with counter.server.client(counter.key) as client:
        stream = path(counter, f"{what}/stream")
        async with client.stream("GET", stream, params={"beat_seconds": 1}) as answer:
            lines = answer.aiter_lines()
            async with asyncio.timeout(30):  # three usual beats take 45
                for _ in range(3):
                    while await anext(lines) != ":":
                        pass
        assert (await client.get(stream, params={"beat_seconds": 0})).status_code == 422


async def test_a_suspended_merchants_till_takes_no_tap(
    operator: httpx.AsyncClient, counter: Counter, lin: Phone
) -> None:
    async with counter.server.client(counter.shop_key) as shop:
        merchant = made(await shop.get("/v1/merchants/me"))["id"]
    with lin.device() as device:
        async with counter.till(device) as till:
            await post(operator, f"/v1/merchants/{merchant}/suspend")
            async with asyncio.timeout(30):
                while True:
                    try:
                        till._allowed(100)
                    except WayRefused:
                        break
                    await asyncio.sleep(0.05)
            await post(operator, f"/v1/merchants/{merchant}/resume")


@pytest.mark.parametrize("amount", [1500, 8000])
async def test_a_wallet_that_the_shop_refuses_pays_nothing_at_a_terminal_of_the_guide(
    counter: Counter, lin: Phone, amount: int
) -> None:
    """Neither offline nor online; the settings are those of docs/first-tap.md as they stand."""
    (text,) = re.findall(r"cat > terminal\.toml <<EOF\n(.*?)^EOF$", GUIDE, re.DOTALL | re.MULTILINE)
    text = text.replace("$API", counter.server.url).replace("$TILL", counter.till_id)
    await asyncio.to_thread(counter.settings.write_text, text)
    await counter.accepts({"wallets": {"refused": ["tandem"]}})
    overhears = Overhears()
    with lin.device() as device:
        device.verify(PASSCODE)
        async with counter.till(device, overhears) as till:
            payment = await till.take(amount)
    assert (payment.approved, payment.why) == (False, "wallet_refused")
    assert overhears.said == []


@pytest.mark.parametrize("gate", [False, True])
async def test_the_operator_sees_who_verified_the_person_and_how(
    house: Living,
    operator: httpx.AsyncClient,
    tmp_path: Path,
    lin: Phone,
    *,
    gate: bool,
) -> None:
    counter = await counter_at(house, operator, tmp_path / "gate", category="4111")
    counter.write(gate=gate)
    with lin.device() as device:
        if not gate:
            device.verify(PASSCODE)
        async with counter.till(device) as till:
            assert (await till.take(600 if gate else 8000)).approved
    whose = {"person_id": made(await operator.get(f"/v1/cards/{lin.card_id}"))["person_id"]}
    (record,) = made(await operator.get("/v1/ledger/payments", params=whose))["data"]
    seen = made(await operator.get(f"/v1/ledger/payments/{record['id']}"))["tap"]
    assert seen.pop("at").startswith("20")
    assert len(seen.pop("receipt")) == 12
    assert seen.pop("terminal") != ""
    assert seen == {
        "card_id": lin.card_id,
        "counter": 1,
        "verified_by": "nobody" if gate else "operating_system",
        "method": "none" if gate else "passcode",
        "gate": gate,
        "offline": False,
    }


async def test_a_gate_lets_an_unverified_person_through_up_to_its_limit(
    house: Living, operator: httpx.AsyncClient, tmp_path: Path, lin: Phone
) -> None:
    gate = await counter_at(house, operator, tmp_path / "gate", category="4111")
    gate.write(gate=True)
    with lin.device() as device:
        async with gate.till(device) as till:
            paid = await till.take(600)
            assert paid.approved
    assert await lin.balance() == START - 600


async def gates_of(house: Living, operator: httpx.AsyncClient, folder: Path) -> list[Counter]:
    """Two gates, each a merchant of its own."""
    gates = [await counter_at(house, operator, folder / name, category="4111") for name in "ab"]
    for gate in gates:
        gate.write(gate=True)
    return gates


async def test_a_gate_that_was_cut_off_is_paid_though_the_rider_paid_elsewhere_meanwhile(
    house: Living, operator: httpx.AsyncClient, tmp_path: Path, lin: Phone
) -> None:
    here, elsewhere = await gates_of(house, operator, tmp_path)
    with lin.device() as device:
        async with here.till(device, Overhears()) as till:
            assert (await till.take(600)).why == "deferred"
        async with elsewhere.till(device) as till:
            assert (await till.take(500)).approved
        async with here.till(device) as till:
            (told,) = await till.send_due()
    assert (told.unpaid, told.response_code) == (False, "00")
    (payment,) = await here.payments()
    seen = made(await operator.get(f"/v1/ledger/payments/{payment['id']}"))["tap"]
    assert (seen["counter"], seen["gate"], seen["offline"]) == (1, True, True)
    assert await lin.balance() == START - 1100


class LosesAnswers(RestOnline):
    """Tandem hears the gate's question, and the gate not its answer."""

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        await super().authorise(payment, secret, repeat=repeat)
        raise Unanswered


async def test_a_gate_whose_answer_was_lost_is_paid_once(
    house: Living, operator: httpx.AsyncClient, tmp_path: Path, lin: Phone
) -> None:
    gate, _ = await gates_of(house, operator, tmp_path)
    settings = read_terminal_settings(gate.settings.read_bytes()).tandem
    with lin.device() as device:
        async with (
            open_tandem(settings, gate.folder) as tandem,
            gate.till(device, LosesAnswers(tandem)) as till,
        ):
            assert (await till.take(600)).why == "deferred"
            assert await till.send_due() == []
        async with gate.till(device) as till:
            (told,) = await till.send_due()
    assert (told.unpaid, told.response_code) == (False, "00")
    assert told.authorisation_code
    assert len(await gate.payments()) == 1
    assert await lin.balance() == START - 600


async def _takes_tap(lines: AsyncIterator[str]) -> bool:
    """Whether tap is taken, by the next thing that the stream says."""
    async with asyncio.timeout(20):
        while True:
            line = await anext(lines)
            if line.startswith("data: "):
                said = json.loads(line.removeprefix("data: "))
                return bool(said["acceptance"]["ways"]["tap"]["enabled"])


def test_a_key_of_a_payment_is_its_own() -> None:

    one = Payment(number=1, at=NOW, amount=1, currency="CNY")
    keys = {
        _key(one),
        _key(Payment(number=2, at=NOW, amount=1, currency="CNY")),
        _key(Payment(number=1, at=NOW + timedelta(days=1), amount=1, currency="CNY")),
    }
    assert len(keys) == 3
    assert _key(one) == _key(Payment(number=1, at=NOW, amount=1, currency="CNY"))
