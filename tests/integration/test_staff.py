"""Staff: invited by a link, with roles; and the audit log of who did what."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from browsers import Browser, ok, refused
from houses import House, open_house

from tandem.access import ROLES, SCOPES
from tandem.api.examples import example
from tandem.api.operation import PATH_IDS, Live, Operation
from tandem.app import operations
from tandem.kernel import show_id
from tandem.settings import Settings


@pytest.fixture
async def house(fresh_database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(fresh_database, tmp_path) as made:
        yield made


# -- invitations and roles -----------------------------------------------------------------------


async def test_who_is_invited_makes_a_passkey_and_is_in(house: House) -> None:
    invited = ok(await house.owner.post("/v1/staff", {"name": "Xu", "role": "cashier"}))
    assert invited["url"].endswith(f"/join#{invited['token']}")
    assert invited["staff"]["status"] == "invited"
    xu = house.site.browser()
    told = ok(await xu.post("/v1/sign-in/invitation/options", {"token": invited["token"]}))
    assert (told["name"], told["role"], told["employer"]) == ("Xu", "cashier", "Blue Door")
    assert told["options"]["user"]["name"] == "Xu · Blue Door"
    who = ok(await xu.join(invited["token"]))
    assert (who["kind"], who["role"], who["employer_id"]) == ("merchant", "cashier", house.merchant)
    assert set(who["scopes"]) == ROLES["merchant"]["cashier"].scopes
    refused(await house.site.browser().post(
        "/v1/sign-in/invitation/options", {"token": invited["token"]}), 403,
        "sign_in_code_refused")  # fmt: skip
    ok(await xu.delete("/v1/session"))
    assert ok(await xu.sign_in())["name"] == "Xu"
    stored = repr(await house.site.town.services.pool.fetch("SELECT * FROM staff"))
    assert invited["token"] not in stored


async def test_an_invitation_lets_one_in_and_not_for_ever(house: House) -> None:
    body = {"name": "Xu", "role": "cashier"}
    token = ok(await house.owner.post("/v1/staff", body))["token"]
    one, two = house.site.browser(), house.site.browser()
    asked = [
        ok(await b.post("/v1/sign-in/invitation/options", {"token": token}))["options"]
        for b in (one, two)
    ]
    answers = await asyncio.gather(
        *(
            b.post("/v1/sign-in/invitation", {"credential": b.keys.create(options)})
            for b, options in zip((one, two), asked, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 403]
    late = ok(await house.owner.post("/v1/staff", body))["token"]
    house.site.town.wait(days=7)
    for token in (late, "inv_" + "A" * 43, "x"):
        refused(await house.site.browser().post(
            "/v1/sign-in/invitation/options", {"token": token}), 403,
            "sign_in_code_refused")  # fmt: skip


async def test_a_member_who_lost_their_passkeys_is_invited_again(house: House) -> None:
    xu, xu_id = await house.staff("cashier")
    again = ok(await house.owner.post(f"/v1/staff/{xu_id}/invitation"))
    ok(await xu.get("/v1/session"))  # until it is taken
    new = house.site.browser()
    assert ok(await new.join(again["token"]))["name"] == "Xu"
    refused(await xu.get("/v1/session"), 401, "session_over")
    refused(await xu.sign_in(), 403, "passkey_refused")


async def test_each_role_does_what_it_may_and_no_more(house: House) -> None:
    """Every operation, by every role: what the scopes say is what the server does."""
    browsers = {role: (await house.staff(role))[0] for role in ("cashier", "manager")}
    for operation in operations(Settings(mode="sandbox")):
        if "merchant" not in operation.who or "anyone" in operation.who or operation.own:
            continue
        for role, browser in browsers.items():
            scopes = ROLES["merchant"][role].scopes
            may = operation.scope in scopes or operation.or_scope in scopes
            if may and operation.answer_type is Live:
                continue  # it would go on
            answer = await asked(browser, operation)
            if may:
                assert answer.status_code != 403, (role, operation.name, answer.text)
            else:
                data = refused(answer, 403, "scope_missing")
                assert data == {"scope": operation.scope}, (role, operation.name)


async def test_each_office_of_the_operator_does_what_it_may(house: House) -> None:
    browsers = {}
    for role in ("support", "treasurer"):
        body = {"name": role.title(), "role": role}
        token = ok(await house.operator.post("/v1/staff", body))["token"]
        browsers[role] = house.site.browser()
        assert ok(await browsers[role].join(token))["kind"] == "operator"
    for operation in operations(Settings(mode="sandbox")):
        if "operator" not in operation.who or "anyone" in operation.who or operation.own:
            continue
        wanted = operation.scope_of("operator")
        for role, browser in browsers.items():
            answer = await asked(browser, operation)
            if wanted in ROLES["operator"][role].scopes:
                assert answer.status_code != 403, (role, operation.name, answer.text)
            else:
                data = refused(answer, 403, "scope_missing")
                assert data == {"scope": wanted}, (role, operation.name)


async def asked(browser: Browser, operation: Operation[Any]) -> Any:  # noqa: ANN401 - a response
    """An operation with ids of nothing, and its example as the body."""
    path = operation.path
    for name in operation.path_types:
        prefix = PATH_IDS.get(name, ("x", ""))[0]
        path = path.replace(f"{{{name}}}", f"{prefix}_{'0' * 32}")
    more: dict[str, Any] = {"headers": {"Idempotency-Key": f"{operation.name}"}}
    if operation.body_type is not None:
        more["json"] = example(operation.body_type)
    return await browser.client.request(operation.method, path, **more)


async def test_nobody_gives_a_role_that_can_do_more_than_they_can(house: House) -> None:
    key = ok(
        await house.owner.post("/v1/keys", {"name": "k", "scopes": ["staff:write", "staff:read"]})
    )
    program = house.site.program(key["secret"])
    answer = await program.post("/v1/staff", {"name": "Eve", "role": "owner"})
    refused(answer, 403, "scope_missing")
    answer = await program.put(f"/v1/staff/{house.owner_id}", {"role": "owner"})
    refused(answer, 403, "scope_missing")
    refused(await program.post(f"/v1/staff/{house.owner_id}/invitation"), 403, "scope_missing")
    refused(await program.delete(f"/v1/staff/{house.owner_id}"), 403, "scope_missing")
    answer = await house.owner.post("/v1/staff", {"name": "Eve", "role": "treasurer"})
    assert answer.status_code == 422


async def test_another_merchants_staff_is_not_there(house: House) -> None:
    other = await house.site.town.merchant()
    path = f"/v1/merchants/{show_id('mer', other.id)}/staff"
    invited = ok(await house.operator.post(path, {"name": "Li", "role": "owner"}))
    theirs = f"/v1/staff/{invited['staff']['id']}"
    refused(await house.owner.get(theirs), 404, "not_found")
    refused(await house.owner.put(theirs, {"role": "cashier"}), 404, "not_found")
    refused(await house.owner.post(f"{theirs}/invitation"), 404, "not_found")
    refused(await house.owner.delete(theirs), 404, "not_found")
    assert ok(await house.owner.get("/v1/staff"))["data"][0]["id"] == house.owner_id


async def test_another_role_holds_at_once(house: House) -> None:
    xu, xu_id = await house.staff("manager")
    ok(await xu.get("/v1/staff"))
    changed = ok(await house.owner.put(f"/v1/staff/{xu_id}", {"role": "cashier"}))
    assert changed["role"] == "cashier"
    refused(await xu.get("/v1/staff"), 401, "session_over")
    assert ok(await xu.sign_in())["role"] == "cashier"
    refused(await xu.get("/v1/staff"), 403, "scope_missing")


async def test_who_is_let_go_is_out(house: House) -> None:
    xu, xu_id = await house.staff("cashier")
    assert (await house.owner.delete(f"/v1/staff/{xu_id}")).status_code == 204
    refused(await xu.get("/v1/payments"), 401, "session_over")
    refused(await xu.sign_in(), 403, "passkey_refused")
    refused(await house.owner.get(f"/v1/staff/{xu_id}"), 404, "not_found")


async def test_the_last_owner_stays(house: House) -> None:
    mine = f"/v1/staff/{house.owner_id}"
    refused(await house.owner.delete(mine), 409, "last_owner")
    refused(await house.owner.put(mine, {"role": "manager"}), 409, "last_owner")
    invited = ok(await house.owner.post("/v1/staff", {"name": "Mo", "role": "owner"}))
    refused(await house.owner.delete(mine), 409, "last_owner")  # who is only invited is none yet
    ok(await house.site.browser().join(invited["token"]))
    ok(await house.owner.delete(mine))


async def test_one_browser_is_signed_in_as_several(house: House) -> None:
    browser = house.owner
    await browser.sign_up("bo")
    assert ok(await browser.get("/v1/people/me"))["handle"] == "@bo"
    assert ok(await browser.get("/v1/shops"))["data"]
    as_shop = {"Tandem-Session": "merchant"}
    assert ok(await browser.get("/v1/session"))["kind"] == "person"
    assert ok(await browser.get("/v1/session", headers=as_shop))["kind"] == "merchant"
    as_operator = {"Tandem-Session": "operator"}
    refused(await browser.get("/v1/session", headers=as_operator), 401, "unauthenticated")


# -- the audit log -------------------------------------------------------------------------------


async def test_the_log_says_who_did_what(house: House) -> None:
    xu, xu_id = await house.staff("cashier")
    payment = await house.paid(60_000)
    path = f"/v1/payments/{payment}/refunds"
    refund = ok(await xu.post(path, {"amount": 1_000}, X_Request_Id="my-request"))
    refused(await xu.post(path, {"amount": 50_000}), 403, "refund_above_limit")
    refused(await xu.post("/v1/shops", {"name": "x", "city": "y", "country": "CN"}), 403,
            "scope_missing")  # fmt: skip
    none, too_much, done = (await house.log(actor=xu_id))[:3]
    assert done | {"id": "", "created_at": "", "session_id": ""} == {
        "id": "",
        "owner": house.merchant,
        "actor": xu_id,
        "actor_name": "Xu",
        "session_id": "",
        "action": "create_refund",
        "object": payment,
        "outcome": "done",
        "request_id": "my-request",
        "client": "192.0.2.1",
        "created_at": "",
        "reason": None,
        "approver": None,
        "approver_name": None,
    }
    assert (too_much["object"], too_much["outcome"]) == (payment, "refund_above_limit")
    assert (none["action"], none["outcome"]) == ("create_shop", "scope_missing")
    assert refund["amount"] == 1_000


async def test_what_is_made_is_named(house: House) -> None:
    body = {"name": "North", "city": "Hangzhou", "country": "CN"}
    shop = ok(await house.owner.post("/v1/shops", body))
    till = ok(await house.owner.post(f"/v1/shops/{shop['id']}/tills", {"name": "Till"}))
    key = ok(await house.owner.post("/v1/keys", {"name": "k", "scopes": ["shops:read"]}))
    hook = ok(await house.owner.post("/v1/webhooks", {"url": "http://127.0.0.1:9/x"}))
    order = {"amount": 500, "currency": "CNY", "shop_id": shop["id"]}
    payment = ok(await house.owner.post("/v1/payments", order))
    found = {row["action"]: row["object"] for row in await house.log(outcome="done")}
    assert found["create_shop"] == shop["id"]
    assert found["create_till"] == shop["id"], "where it was made"
    assert found["create_key"] == key["id"]
    assert found["create_webhook"] == hook["id"]
    assert found["create_payment"] == payment["id"], "staff's payments are in it"
    assert found["accept_invitation"].startswith("psk_")
    assert till["id"]


async def test_the_log_is_filtered_and_paged(house: House) -> None:
    xu, xu_id = await house.staff("manager")
    for name in ("A", "B", "C"):
        ok(await xu.post("/v1/shops", {"name": name, "city": "y", "country": "CN"}))
    assert [row["action"] for row in await house.log(action="create_shop")] == ["create_shop"] * 3
    assert await house.log(action="create_shop", outcome="refused") == []
    shop = (await house.log(action="create_shop"))[1]
    assert await house.log(object=shop["object"]) == [shop]
    earlier = await house.log(until=shop["created_at"], actor=xu_id)
    assert [row["action"] for row in earlier] == ["create_shop", "accept_invitation"]
    assert shop in await house.log(since=shop["created_at"])
    params = {"limit": 2, "actor": xu_id}
    first = ok(await house.owner.get("/v1/audit", params=params))
    rest = ok(await house.owner.get("/v1/audit", params=params | {"after": first["next"]}))
    assert [*first["data"], *rest["data"]] == await house.log(actor=xu_id)
    for wrong in ({"actor": "x"}, {"after": "pay_" + "0" * 32}, {"outcome": "maybe"}):
        assert (await house.owner.get("/v1/audit", params=wrong)).status_code == 422


async def test_each_sees_their_own_and_the_operator_all(house: House) -> None:
    other = await house.site.town.merchant()
    invited = ok(
        await house.operator.post(
            f"/v1/merchants/{show_id('mer', other.id)}/staff", {"name": "Li", "role": "owner"}
        )
    )
    theirs = house.site.browser()
    ok(await theirs.join(invited["token"]))
    mine = await house.log()
    assert {row["owner"] for row in mine} == {house.merchant}
    assert {row["owner"] for row in ok(await theirs.get("/v1/audit"))["data"]} != {house.merchant}
    whole = ok(await house.operator.get("/v1/audit/all", params={"limit": 100}))["data"]
    assert all(row in whole for row in mine)
    of_operator = {"owner": "operator"}
    rows = ok(await house.operator.get("/v1/audit/all", params=of_operator))["data"]
    assert {row["action"] for row in rows} == {"invite_staff_for_merchant"}
    assert {row["actor"][:4] for row in rows} == {"key_"}
    of_mine = {"owner": house.merchant, "limit": 100}
    assert ok(await house.operator.get("/v1/audit/all", params=of_mine))["data"] == mine
    refused(await house.owner.get("/v1/audit/all"), 403, "wrong_kind_of_key")


async def test_a_repeat_is_in_the_log_once(house: House) -> None:
    payment = await house.paid(60_000)
    path = f"/v1/payments/{payment}/refunds"
    for _ in range(3):
        ok(await house.owner.post(path, {"amount": 100}, Idempotency_Key="once"))
    body = {"name": "North", "city": "Hangzhou", "country": "CN"}
    for _ in range(3):
        ok(await house.owner.post("/v1/shops", body, Idempotency_Key="shop"))
    actions = [row["action"] for row in await house.log()]
    assert (actions.count("create_refund"), actions.count("create_shop")) == (1, 1)


async def test_keys_payments_tell_of_themselves_and_the_rest_is_in_the_log(house: House) -> None:
    key = ok(await house.owner.post("/v1/keys", {"name": "Till", "scopes": sorted(
        SCOPES["merchant"])}))  # fmt: skip
    till = house.site.program(key["secret"])
    order = {"amount": 500, "currency": "CNY", "shop_id": house.shop}
    made = ok(await till.post("/v1/payments", order))
    ok(await till.post(f"/v1/payments/{made['id']}/cancel"))
    ok(await till.put(f"/v1/shops/{house.shop}/acceptance", {"ways": {}}))
    rows = await house.log(actor=key["id"])
    assert [row["action"] for row in rows] == ["set_shop_acceptance", "cancel_payment"]
    assert {row["actor_name"] for row in rows} == {"Till"}


async def test_what_is_in_the_log_stays(house: House) -> None:
    assert await house.log()
    async with house.site.town.services.pool.acquire() as connection:
        for statement in (
            "UPDATE audit SET outcome = 'x'",
            "DELETE FROM audit",
            "TRUNCATE audit",
            "UPDATE audit SET actor_name = 'x' WHERE false",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_what_is_not_done_is_not_said_to_be(house: House) -> None:
    before = await house.log()
    nobody = "/v1/tills/til_" + "0" * 32 + "/acceptance"
    refused(await house.owner.put(nobody, {"ways": {}}), 404, "not_found")
    (row,) = [row for row in await house.log() if row not in before]
    assert (row["action"], row["outcome"]) == ("set_till_acceptance", "not_found")
    assert row["object"] == "til_" + "0" * 32
