"""What staff may give back, of one payment and in a day; who is suspended."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browsers import ok, refused
from houses import House, open_house
from town import key, said

from card_phone import Phone
from tandem.kernel import read_id, show_id
from tandem.payments import At, NewTap, TapTrace


@pytest.fixture
async def house(fresh_database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(fresh_database, tmp_path) as made:
        yield made


# -- refunds -------------------------------------------------------------------------------------


async def test_a_cashier_gives_back_so_much_of_a_payment(house: House) -> None:
    cashier, _ = await house.staff("cashier")
    manager, _ = await house.staff("manager")
    payment = await house.paid(60_000)
    path = f"/v1/payments/{payment}/refunds"
    data = refused(await cashier.post(path, {"amount": 20_001}), 403, "refund_above_limit")
    del data["approval"]  # tests/integration/test_approvals.py
    assert data == {"payment_id": payment, "per": "payment", "limit": 20_000, "amount": 20_001,
                    "refunded": 20_001, "currency": "CNY"}  # fmt: skip
    ok(await cashier.post(path, {"amount": 15_000}))
    refused(await cashier.post(path, {"amount": 5_001}), 403, "refund_above_limit")  # in parts
    ok(await cashier.post(path, {"amount": 5_000}))
    refused(await cashier.post(path, {"amount": 1}), 403, "refund_above_limit")
    ok(await manager.post(path, {"amount": 30_000}))
    ok(await house.owner.post(path, {}))


async def test_what_goes_back_to_a_card_counts_as_well(house: House) -> None:
    town, merchant_id = house.site.town, read_id("mer", house.merchant)
    lin = await town.person(yuan=1000)
    phone = Phone(town.services.cards, lin.id, lin.device_id, town.services.clock)
    await phone.add(key())
    new = NewTap(
        amount=30_000,
        currency="CNY",
        pan=phone.pan,
        sequence=0,
        icc=(await phone.tap(30_000)).online_data,
        day=town.services.clock.now().date(),
        trace=TapTrace(link="test", terminal="T1", reference="staff 1", rrn="000000000777"),
    )
    at = At(merchant_id, shop_id=read_id("shp", house.shop))
    taken = said(await town.services.payments.pay_by_card(at, new, key(owner=merchant_id)))
    assert taken["reason"] is None
    till = ok(await house.owner.post(f"/v1/shops/{house.shop}/tills", {"name": "Till 1"}))["id"]
    cashier, _ = await house.staff("cashier")
    path = f"/v1/tills/{till}/taps/refunds"
    back = {"currency": "CNY", "pan": phone.pan, "number": "000000000777"}
    refused(await cashier.post(path, back | {"amount": 20_001}), 403, "refund_above_limit")
    ok(await cashier.post(path, back | {"amount": 20_000}))
    refused(await cashier.post(path, back | {"amount": 1}), 403, "refund_above_limit")
    ok(await house.owner.post(path, back | {"amount": 10_000}))


async def test_a_member_has_a_limit_of_their_own(house: House) -> None:
    cashier, cashier_id = await house.staff("cashier", refund_limit=0)
    payment = await house.paid(1_000)
    path = f"/v1/payments/{payment}/refunds"
    refused(await cashier.post(path, {"amount": 1}), 403, "refund_above_limit")
    changed = {"role": "cashier", "refund_limit": 500}
    assert ok(await house.owner.put(f"/v1/staff/{cashier_id}", changed))["refund_limit"] == 500
    assert ok(await cashier.sign_in())["refund_limit"] == 500
    ok(await cashier.post(path, {"amount": 500}))


async def test_many_small_refunds_are_one_large_one(house: House) -> None:
    cashier, _cashier_id = await house.staff("cashier", refund_limit=500, refund_day_limit=800)
    assert ok(await cashier.get("/v1/session"))["refund_day_limit"] == 800
    one, two = [f"/v1/payments/{await house.paid(1_000)}/refunds" for _ in range(2)]
    ok(await cashier.post(one, {"amount": 500}))
    data = refused(await cashier.post(two, {"amount": 301}), 403, "refund_above_limit")
    assert (data["per"], data["limit"], data["refunded"]) == ("day", 800, 801)
    both = [await cashier.post(two, {"amount": 150}) for _ in range(2)]
    assert [answer.status_code for answer in both] == [201, 201]
    refused(await cashier.post(two, {"amount": 1}), 403, "refund_above_limit")
    ok(await cashier.delete("/v1/session"))
    ok(await cashier.sign_in())  # another session is the same member
    refused(await cashier.post(two, {"amount": 1}), 403, "refund_above_limit")
    other, _ = await house.staff("cashier", refund_limit=500)
    ok(await other.post(two, {"amount": 100}))  # each has a day of their own
    house.site.town.wait(days=1)
    ok(await cashier.sign_in())
    ok(await cashier.post(two, {"amount": 100}))


async def test_refunds_at_once_do_not_pass_the_day_together(house: House) -> None:
    cashier, _ = await house.staff("cashier", refund_day_limit=500)
    paths = [f"/v1/payments/{await house.paid(1_000)}/refunds" for _ in range(4)]
    answers = await asyncio.gather(*(cashier.post(path, {"amount": 200}) for path in paths))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 403, 403]


async def test_a_key_gives_back_without_a_limit(house: House) -> None:
    key = ok(await house.owner.post("/v1/keys", {"name": "k", "scopes": ["refunds:write"]}))
    payment = await house.paid(500_000)
    ok(await house.site.program(key["secret"]).post(f"/v1/payments/{payment}/refunds", {}))


# -- suspended and resumed ------------------------------------------------------------------------


async def test_who_is_suspended_is_out_until_resumed(house: House) -> None:
    xu, xu_id = await house.staff("cashier")
    manager, _ = await house.staff("manager", "Mo")
    path = f"/v1/staff/{xu_id}"
    stream = asyncio.create_task(xu.get("/v1/events/stream"))
    await asyncio.sleep(0.2)
    assert not stream.done()
    before = ok(await house.owner.post(f"{path}/invitation"))
    suspended = ok(await manager.post(f"{path}/suspend"))
    assert (suspended["status"], suspended["invited_until"]) == ("suspended", None)
    refused(await xu.get("/v1/payments"), 401, "session_over")
    await asyncio.wait_for(stream, 2)
    data = refused(await xu.sign_in(), 403, "staff_suspended")
    assert data == {"employer": "Blue Door"}
    assert ok(await manager.post(f"{path}/suspend"))["status"] == "suspended"  # stays so
    again = ok(await house.owner.post(f"{path}/invitation"))  # which is no way round it
    answer = await house.site.browser().post(
        "/v1/sign-in/invitation/options", {"token": again["token"]}
    )
    refused(answer, 403, "sign_in_code_refused")
    body = {"staff_id": xu_id}
    refused(await house.site.browser().post("/v1/sandbox/sign-in", body), 403, "staff_suspended")
    assert ok(await manager.post(f"{path}/resume"))["status"] == "active"
    assert ok(await xu.sign_in())["role"] == "cashier"
    answer = await house.site.browser().post(
        "/v1/sign-in/invitation/options", {"token": before["token"]}
    )
    refused(answer, 403, "sign_in_code_refused")  # whoever has had it since before
    log = [(row["action"], row["outcome"]) for row in await house.log(object=xu_id)]
    assert ("suspend_staff", "done") in log
    assert ("resume_staff", "done") in log
    assert "staff_suspended" in [row["outcome"] for row in await house.log(actor=xu_id)]


async def test_a_manager_looks_after_cashiers_and_nobody_else(house: House) -> None:
    manager, manager_id = await house.staff("manager", "Mo", refund_limit=10_000)
    _, other_id = await house.staff("manager", "Ma")
    cashier, cashier_id = await house.staff("cashier")
    for whom in (manager_id, other_id, house.owner_id):
        refused(await manager.post(f"/v1/staff/{whom}/suspend"), 403, "scope_missing")
        refused(await manager.post(f"/v1/staff/{whom}/resume"), 403, "scope_missing")
        answer = await manager.put(f"/v1/staff/{whom}", {"role": "cashier"})
        refused(answer, 403, "scope_missing")
    for whom in (manager_id, cashier_id):
        answer = await cashier.post(f"/v1/staff/{whom}/suspend")
        assert refused(answer, 403, "scope_missing") == {"scope": "staff:write"}
    mine = f"/v1/staff/{cashier_id}"
    refused(await manager.put(mine, {"role": "manager"}), 403, "scope_missing")
    refused(await manager.delete(mine), 403, "scope_missing")
    body = {"role": "cashier", "refund_limit": 9_000, "refund_day_limit": 20_000}
    changed = ok(await manager.put(mine, body))
    assert (changed["refund_limit"], changed["refund_day_limit"]) == (9_000, 20_000)
    refused(await cashier.get("/v1/payments"), 401, "session_over")  # it holds at once
    for more in ({"refund_limit": 10_001}, {}, {"refund_limit": 0, "refund_day_limit": 10**9}):
        answer = await manager.put(mine, {"role": "cashier"} | more)
        assert answer.status_code == 422, answer.text
    strange = await house.site.town.merchant()
    path = f"/v1/merchants/{show_id('mer', strange.id)}/staff"
    theirs = ok(await house.operator.post(path, {"name": "Li", "role": "cashier"}))["staff"]["id"]
    refused(await house.owner.post(f"/v1/staff/{theirs}/suspend"), 404, "not_found")
    refused(await manager.post(f"/v1/staff/{theirs}/suspend"), 404, "not_found")


async def test_the_last_owner_is_not_suspended_nor_who_has_not_come(house: House) -> None:
    mine = f"/v1/staff/{house.owner_id}/suspend"
    refused(await house.owner.post(mine), 409, "last_owner")
    second, second_id = await house.staff("owner", "Mo")
    ok(await house.owner.post(f"/v1/staff/{second_id}/suspend"))
    refused(await house.owner.post(mine), 409, "last_owner")  # who is suspended is none
    ok(await house.owner.post(f"/v1/staff/{second_id}/resume"))
    ok(await second.sign_in())
    ok(await second.post(mine))
    invited = ok(await second.post("/v1/staff", {"name": "Xu", "role": "cashier"}))["staff"]
    for path in ("suspend", "resume"):
        refused(await second.post(f"/v1/staff/{invited['id']}/{path}"), 409, "staff_invited")
