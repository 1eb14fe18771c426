"""Passkeys as people use them: signing up and in, other devices, recovery, sessions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from browsers import Browser, Site, ok, open_site, refused

from authenticator import Algorithm, Says
from tandem.db.migrate import upgrade
from tandem.kernel import read_id, show_id


@pytest.fixture
async def site(fresh_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(fresh_database, tmp_path, sign_ups_per_hour=1000) as made:
        yield made


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
@pytest.mark.parametrize("attestation", ["none", "packed"])
async def test_a_person_signs_up_and_in(site: Site, algorithm: Algorithm, attestation: str) -> None:
    browser = site.browser(algorithm=algorithm)
    made = await browser.sign_up("lin", Says(format=attestation))  # type: ignore[arg-type]  # one of two
    assert made["person"]["handle"] == "@lin"
    assert made["device"]["code_seed"]
    assert made["session"]["device_id"] == made["device"]["id"]
    me = ok(await browser.get("/v1/people/me"))
    assert me == made["person"]
    ok(await browser.delete("/v1/session"))
    refused(await browser.get("/v1/people/me"), 401, "unauthenticated")
    who = ok(await browser.sign_in())
    assert (who["kind"], who["name"], who["handle"]) == ("person", "Lin", "@lin")
    assert who["session"]["name"] == "Chrome on Android"
    assert ok(await browser.get("/v1/people/me")) == me


async def test_a_session_is_a_cookie_that_scripts_do_not_see(site: Site) -> None:
    browser = site.browser()
    await browser.sign_up("lin")
    answer = await browser.sign_in()
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("tandem-person=ts_")
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=7776000"):
        assert f"; {part}" in cookie
    assert "Secure" not in cookie, "this site is plain HTTP on the machine itself"
    token = cookie.partition("=")[2].partition(";")[0]
    stored = await site.town.services.pool.fetch("SELECT * FROM sessions")
    assert not any(token in repr(tuple(row)) for row in stored)


async def test_over_tls_the_cookie_is_of_this_host_alone(
    fresh_database: str, tmp_path: Path
) -> None:
    url = "https://pay.example"
    async with open_site(fresh_database, tmp_path, public_url=url) as site:
        browser = site.browser(origin=url)
        browser.client.base_url = url
        await browser.sign_up("lin")
        cookie = (await browser.sign_in()).headers["set-cookie"]
        assert cookie.startswith("__Host-tandem-person=ts_")
        assert "; Secure" in cookie
        ok(await browser.get("/v1/people/me"))


async def test_a_device_of_today_gets_a_passkey_and_goes_on(site: Site) -> None:
    lin = await site.town.person()
    phone, browser = site.program(lin.secret), site.browser()
    made = browser.keys.create(ok(await phone.post("/v1/passkeys/options")))
    ok(await phone.post("/v1/passkeys", {"credential": made, "name": "Laptop"}))
    assert ok(await browser.sign_in())["handle"] == f"@{lin.handle}"
    assert ok(await phone.get("/v1/people/me")) == ok(await browser.get("/v1/people/me"))
    assert [one["name"] for one in ok(await phone.get("/v1/passkeys"))["data"]] == ["Laptop"]
    # From now on only who signs in changes how one signs in.
    refused(await phone.post("/v1/passkeys/options"), 403, "sign_in_needed")
    refused(await phone.post("/v1/people/me/sign-in-code"), 403, "sign_in_needed")


async def test_a_further_passkey_is_added_and_removed(site: Site) -> None:
    browser, other = site.browser(), site.browser()
    await browser.sign_up("lin")
    options = ok(await browser.post("/v1/passkeys/options"))
    assert len(options["excludeCredentials"]) == 1
    made = other.keys.create(options)
    added = ok(await browser.post("/v1/passkeys", {"credential": made, "name": "Key ring"}))
    assert added["name"] == "Key ring"
    assert ok(await other.sign_in())["handle"] == "@lin"
    first = ok(await browser.get("/v1/passkeys"))["data"][1]
    ok(await browser.delete(f"/v1/passkeys/{first['id']}"))
    refused(await browser.sign_in(), 403, "passkey_refused")
    refused(await other.delete(f"/v1/passkeys/{added['id']}"), 409, "last_passkey")


async def test_what_changes_signing_in_asks_for_the_passkey_a_moment_before(site: Site) -> None:
    browser = site.browser()
    made = await browser.sign_up("lin")
    site.town.wait(minutes=11)
    key = ok(await browser.get("/v1/passkeys"))["data"][0]["id"]
    for call in (
        browser.post("/v1/passkeys/options"),
        browser.delete(f"/v1/passkeys/{key}"),
        browser.post("/v1/people/me/sign-in-code"),
        browser.post("/v1/people/me/recovery-codes"),
        browser.post("/v1/people/me/devices", {"name": "Watch"}),
        browser.put("/v1/people/me/passkey-above", {"currency": "CNY", "above": 1}),
    ):
        assert refused(await call, 403, "sign_in_stale") == {"minutes": 10}
    assert made["session"]["id"] == ok(await browser.get("/v1/session"))["session"]["id"]
    await browser.confirm()
    ok(await browser.post("/v1/passkeys/options"))
    ok(await browser.post("/v1/people/me/devices", {"name": "Watch"}))


async def test_another_device_comes_in_by_a_code(site: Site) -> None:
    phone, laptop = site.browser(), site.browser()
    await phone.sign_up("lin")
    shown = ok(await phone.post("/v1/people/me/sign-in-code"))
    typed = {"handle": "lin", "code": shown["code"].lower().replace("-", " ")}
    options = ok(await laptop.post("/v1/sign-in/code/options", typed))
    made = laptop.keys.create(options)
    who = ok(await laptop.post("/v1/sign-in/code", {"credential": made, "name": "Laptop"}))
    assert who["handle"] == "@lin"
    assert len(ok(await laptop.get("/v1/passkeys"))["data"]) == 2
    assert len(ok(await phone.get("/v1/sessions"))["data"]) == 2
    refused(await laptop.post("/v1/sign-in/code/options", typed), 403, "sign_in_code_refused")


async def test_a_code_for_another_device_is_good_for_ten_minutes(site: Site) -> None:
    phone, laptop = site.browser(), site.browser()
    await phone.sign_up("lin")
    typed = {"handle": "lin", "code": ok(await phone.post("/v1/people/me/sign-in-code"))["code"]}
    site.town.wait(minutes=10)
    refused(await laptop.post("/v1/sign-in/code/options", typed), 403, "sign_in_code_refused")


async def test_recovery_codes_work_once_each_and_are_renewed_together(site: Site) -> None:
    phone = site.browser()
    await phone.sign_up("lin")
    codes = ok(await phone.post("/v1/people/me/recovery-codes"))["codes"]
    assert len(set(codes)) == 10
    stored = repr(await site.town.services.pool.fetch("SELECT * FROM recovery_codes"))
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)
    new = site.browser()
    who = ok(await recover(new, codes[3]))
    assert who["handle"] == "@lin"
    assert ok(await new.get("/v1/people/me/recovery-codes")) == {"left": 9}
    refused(await phone.get("/v1/people/me"), 401, "session_over")  # it may be lost
    typed = {"handle": "lin", "code": codes[3]}
    refused(await site.browser().post("/v1/sign-in/code/options", typed), 403,
            "sign_in_code_refused")  # fmt: skip
    renewed = ok(await new.post("/v1/people/me/recovery-codes"))["codes"]
    typed = {"handle": "lin", "code": codes[4]}
    refused(await site.browser().post("/v1/sign-in/code/options", typed), 403,
            "sign_in_code_refused")  # fmt: skip
    ok(await recover(site.browser(), renewed[0]))


async def recover(browser: Browser, code: str) -> httpx.Response:
    options = ok(await browser.post("/v1/sign-in/code/options", {"handle": "@lin", "code": code}))
    made = browser.keys.create(options)
    return await browser.post("/v1/sign-in/code", {"credential": made})


async def test_the_operator_lets_in_who_lost_everything(site: Site) -> None:
    made = await site.browser().sign_up("lin")
    operator, new = site.program(await site.operator_key()), site.browser()
    code = ok(await operator.post(f"/v1/people/{made['person']['id']}/sign-in-code"))["code"]
    assert ok(await recover(new, code))["handle"] == "@lin"
    nobody = "/v1/people/ppl_" + "0" * 32 + "/sign-in-code"
    refused(await operator.post(nobody), 404, "not_found")


async def test_sessions_are_listed_and_ended(site: Site) -> None:
    phone = site.browser()
    await phone.sign_up("lin")
    laptop, till = site.browser(), site.browser(address="198.51.100.7")
    laptop.keys = till.keys = phone.keys
    ok(await laptop.sign_in())
    ok(await till.sign_in())
    listed = ok(await phone.get("/v1/sessions"))["data"]
    assert [one["current"] for one in listed] == [False, False, True]
    assert listed[0]["client"] == "198.51.100.7"
    page = ok(await phone.get("/v1/sessions", params={"limit": 2}))
    rest = ok(await phone.get("/v1/sessions", params={"limit": 2, "after": page["next"]}))
    assert page["data"] + rest["data"] == listed
    ok(await phone.delete(f"/v1/sessions/{listed[0]['id']}"))
    refused(await till.get("/v1/session"), 401, "session_over")
    ok(await laptop.get("/v1/session"))
    answer = await laptop.delete("/v1/sessions")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    refused(await phone.get("/v1/session"), 401, "session_over")
    refused(await laptop.get("/v1/session"), 401, "unauthenticated")


async def test_a_session_ends_idle_and_at_last(site: Site) -> None:
    settings, browser = site.town.services.settings, site.browser()
    await browser.sign_up("lin")
    came = 0
    while came + settings.session_idle_seconds - 1 < settings.session_seconds:
        site.town.wait(seconds=settings.session_idle_seconds - 1)
        came += settings.session_idle_seconds - 1
        ok(await browser.get("/v1/session"))
    site.town.wait(seconds=settings.session_seconds - came)
    refused(await browser.get("/v1/session"), 401, "session_over")
    ok(await browser.sign_in())
    site.town.wait(seconds=settings.session_idle_seconds)
    refused(await browser.get("/v1/session"), 401, "session_over")
    assert ok(await browser.sign_in())["handle"] == "@lin"
    assert len(ok(await browser.get("/v1/sessions"))["data"]) == 1


async def test_a_device_out_of_use_takes_its_session_along(site: Site) -> None:
    phone, laptop = site.browser(), site.browser()
    made = await phone.sign_up("lin")
    laptop.keys = phone.keys
    ok(await laptop.sign_in())
    ok(await laptop.delete(f"/v1/people/me/devices/{made['device']['id']}"))
    refused(await phone.get("/v1/session"), 401, "session_over")


async def test_a_device_is_called_what_its_owner_calls_it(site: Site) -> None:
    phone, other = site.browser(), site.browser()
    made = (await phone.sign_up("lin"))["device"]
    await other.sign_up("mei")
    path = f"/v1/people/me/devices/{made['id']}"
    name = "Lin's old phone 📱"
    renamed = ok(await phone.client.patch(path, json={"name": f"  {name} "}))
    assert renamed == {key: made[key] for key in ("id", "created_at")} | {
        "name": name,
        "revoked_at": None,
    }
    assert ok(await phone.get("/v1/people/me/devices"))["data"] == [renamed]
    for bad in ("", " ", "a\u202eb", "a\nb", "x" * 101):
        assert (await phone.client.patch(path, json={"name": bad})).status_code == 422
    refused(await other.client.patch(path, json={"name": "Mine"}), 404, "not_found")
    device = site.program(made["key"]).client
    for again in ("Desk", "Shelf"):
        ok(await device.patch(path, json={"name": again}))
    office = site.program(await site.operator_key())
    named = [
        (row["actor_kind"], row["actor_name"])
        for row in ok(await office.get("/v1/audit/all"))["data"]
        if row["action"] == "rename_my_device" and row["object"] == made["id"]
    ]
    assert named == [("device", "Desk"), ("device", name), ("person", "Lin")]


async def test_a_browser_becomes_a_device(site: Site) -> None:
    phone, laptop = site.browser(), site.browser()
    await phone.sign_up("lin")
    laptop.keys = phone.keys
    ok(await laptop.sign_in())
    card = {"currency": "CNY", "device_key": "CQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}
    refused(await laptop.post("/v1/people/me/cards", card), 403, "device_needed")
    added = ok(await laptop.post("/v1/people/me/devices", {"name": "Laptop"}))
    assert ok(await laptop.get("/v1/session"))["session"]["device_id"] == added["id"]
    assert ok(await laptop.post("/v1/people/me/cards", card))["status"] == "waiting_code"


async def test_sign_up_is_as_the_operator_has_it(fresh_database: str, tmp_path: Path) -> None:
    async with open_site(fresh_database, tmp_path, sign_up="operator") as site:
        body = {"handle": "lin", "name": "Lin"}
        refused(await site.browser().post("/v1/sign-up/options", body), 403, "sign_up_closed")


async def test_a_handle_is_taken_once(site: Site) -> None:
    await site.browser().sign_up("lin")
    body = {"handle": "lin", "name": "Other Lin"}
    refused(await site.browser().post("/v1/sign-up/options", body), 409, "handle_taken")
    one, two = site.browser(), site.browser()
    asked = [ok(await b.post("/v1/sign-up/options", body | {"handle": "mei"})) for b in (one, two)]
    answers = [
        await b.post("/v1/sign-up", {"credential": b.keys.create(options)})
        for b, options in zip((one, two), asked, strict=True)
    ]
    ok(answers[0])
    refused(answers[1], 409, "handle_taken")


async def test_a_sandbox_is_walked_into_and_production_is_not(
    site: Site, empty_database: str, tmp_path: Path
) -> None:
    lin, browser = await site.town.person(), site.browser()
    who = ok(await browser.post("/v1/sandbox/sign-in", {"handle": f"@{lin.handle}"}))
    lin_id = show_id("ppl", lin.id)
    assert (who["handle"], who["id"]) == (f"@{lin.handle}", lin_id)
    ok(await browser.get("/v1/people/me"))
    operator = site.program(await site.operator_key())
    bo = ok(await operator.post("/v1/staff", {"name": "Bo", "role": "support"}))["staff"]["id"]
    offered = ok(await site.browser().get("/v1/sandbox/sign-in"))["data"]
    told = {one["id"]: (one["kind"], one["name"], one["handle"], one["role"]) for one in offered}
    assert told[lin_id] == ("person", who["name"], f"@{lin.handle}", None)
    assert told[bo] == ("operator", "Bo", None, "support")
    for _ in range(2):
        who = ok(await browser.post("/v1/sandbox/sign-in", {"staff_id": bo}))
        assert (who["role"], who["id"]) == ("support", bo)
    ok(await operator.post("/v1/staff", {"name": "Mo", "role": "owner"}))
    ok(await operator.delete(f"/v1/staff/{bo}"))
    refused(await browser.post("/v1/sandbox/sign-in", {"staff_id": bo}), 403, "passkey_refused")
    refused(await browser.post("/v1/sandbox/sign-in", {"handle": "no"}), 404, "not_found")
    assert (await browser.post("/v1/sandbox/sign-in", {})).status_code == 422
    browser.client.headers["Origin"] = "https://evil.example"
    answer = await browser.post("/v1/sandbox/sign-in", {"handle": lin.handle})
    refused(answer, 403, "origin_refused")
    await upgrade(empty_database)
    async with open_site(empty_database, tmp_path, mode="production") as real:
        answer = await real.browser().post("/v1/sandbox/sign-in", {"handle": "lin"})
        refused(answer, 404, "no_such_path")
        refused(await real.browser().get("/v1/sandbox/sign-in"), 404, "no_such_path")


async def test_a_session_that_is_ended_is_over_in_every_process(
    site: Site, fresh_database: str, tmp_path: Path
) -> None:
    browser, told, ended = site.browser(), list[object](), asyncio.Event()
    made = await browser.sign_up("lin")
    async with open_site(fresh_database, tmp_path) as other:
        access = other.town.services.access
        access.on_revoked(told.append)
        access.on_revoked(lambda _: ended.set())
        elsewhere = other.browser()
        elsewhere.client.cookies.update(browser.client.cookies)
        ok(await elsewhere.get("/v1/session"))
        following = asyncio.create_task(access.follow())
        await asyncio.sleep(0.1)
        ok(await browser.delete("/v1/session"))
        async with asyncio.timeout(10):
            await ended.wait()
        refused(await elsewhere.get("/v1/people/me"), 401, "session_over")
        following.cancel()
    assert told[0] == read_id("ses", made["session"]["id"])


async def test_what_nobody_answers_is_taken_away(site: Site) -> None:
    browser = site.browser()
    ok(await browser.post("/v1/sign-in/options"))
    assert await site.town.count("challenges") == 1
    site.town.wait(minutes=6)
    assert await site.town.services.sign_in.purge_due() == 1
    assert await site.town.count("challenges") == 0
