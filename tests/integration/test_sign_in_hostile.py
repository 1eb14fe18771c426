"""Who means harm and wants to be somebody else: refused, and nothing is different afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from browsers import ORIGIN, Browser, Site, ok, open_site, refused

from authenticator import BE, UP, UV, Facts, Says, read, show
from tandem.access.sessions import MOST
from tandem.signin.model import WRONG_MAX

OTHER: Any = "https://evil.example"


@pytest.fixture
async def site(fresh_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(fresh_database, tmp_path, sign_ups_per_hour=1000) as made:
        yield made


async def sign_in_with(browser: Browser, answer: Facts) -> Any:  # noqa: ANN401 - a response
    browser.client.cookies.clear()
    return await browser.post("/v1/sign-in", {"credential": answer})


# -- signing in ----------------------------------------------------------------------------------

FORGED = [
    (Says(origin=OTHER), "origin"),
    (Says(origin="http://localhost:8081"), "origin"),
    (Says(origin="http://localhost:8080.evil.example"), "origin"),
    (Says(domain="evil.example"), "domain"),
    (Says(flags=UP | BE), "not_verified"),
    (Says(flags=UV | BE), "not_verified"),
    (Says(user=uuid4().bytes), "holder"),
    (Says(hide_user=True), "holder"),
    (Says(signature=bytes(70)), "signature"),
    (Says(flags=UP | UV), "signature"),  # a passkey that is no longer one that can be synced
    (Says(type="webauthn.create"), "malformed"),
    (Says(type="payment.get"), "malformed"),
    (Says(client={"crossOrigin": True}), "origin"),
    (Says(client={"topOrigin": OTHER}), "origin"),
    (Says(challenge=show(bytes(32))), "challenge"),
    (Says(challenge="%"), "challenge"),
    (Says(challenge="ä"), "malformed"),
]


@pytest.mark.parametrize(("says", "reason"), FORGED)
async def test_a_forged_answer_lets_nobody_in(site: Site, says: Says, reason: str) -> None:
    browser = site.browser()
    await browser.sign_up("lin")
    browser.client.cookies.clear()
    before = await site.town.count("sessions")
    assert refused(await browser.sign_in(says), 403, "passkey_refused") == {"reason": reason}
    assert await site.town.count("sessions") == before
    assert ok(await browser.sign_in())["handle"] == "@lin", "an honest one goes on"


async def test_a_challenge_is_answered_once_right_or_wrong(site: Site) -> None:
    browser = site.browser()
    await browser.sign_up("lin")
    options = ok(await browser.post("/v1/sign-in/options"))
    wrong = browser.keys.get(options, Says(signature=bytes(70)))
    right = browser.keys.get(options)
    assert (await sign_in_with(browser, wrong)).status_code == 403
    answer = await sign_in_with(browser, right)
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}
    right = browser.keys.get(ok(await browser.post("/v1/sign-in/options")))
    answers = await asyncio.gather(*(sign_in_with(browser, right) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [403] * 7


async def test_a_challenge_is_for_one_thing(site: Site) -> None:
    browser = site.browser()
    await browser.sign_up("lin")
    verify = ok(await browser.post("/v1/session/verify/options"))
    answer = await browser.post("/v1/sign-in", {"credential": browser.keys.get(verify)})
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}
    to_sign_in = ok(await browser.post("/v1/sign-in/options"))
    assertion = browser.keys.get(to_sign_in)
    answer = await browser.post("/v1/session/verify", {"credential": assertion})
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}


async def test_a_challenge_is_old_after_five_minutes(site: Site) -> None:
    browser = site.browser()
    await browser.sign_up("lin")
    options = ok(await browser.post("/v1/sign-in/options"))
    site.town.wait(minutes=5)
    answer = await sign_in_with(browser, browser.keys.get(options))
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}


async def test_anothers_passkey_confirms_nothing_of_mine(site: Site) -> None:
    lin, eve = site.browser(), site.browser()
    await lin.sign_up("lin")
    await eve.sign_up("eve")
    asked_of_lin = ok(await lin.post("/v1/session/verify/options"))
    answer = eve.keys.get(asked_of_lin | {"allowCredentials": []})
    for who in (lin, eve):
        given = await who.post("/v1/session/verify", {"credential": answer})
        assert given.status_code == 403, given.text
    # eve's passkey with lin's user handle, and lin's credential id with eve's signature
    options = ok(await eve.post("/v1/sign-in/options"))
    as_lin = eve.keys.get(options, Says(user=lin.keys.passkeys[0].user))
    assert refused(await sign_in_with(eve, as_lin), 403, "passkey_refused") == {"reason": "holder"}
    options = ok(await eve.post("/v1/sign-in/options"))
    mixed = eve.keys.get(options, Says(user=lin.keys.passkeys[0].user))
    mixed["id"] = mixed["rawId"] = show(lin.keys.passkeys[0].id)
    answered = refused(await sign_in_with(eve, mixed), 403, "passkey_refused")
    assert answered == {"reason": "signature"}


async def test_a_passkey_is_added_by_nobody_else_and_to_nobody_else(site: Site) -> None:
    lin, eve = site.browser(), site.browser()
    await lin.sign_up("lin")
    await eve.sign_up("eve")
    options = ok(await lin.post("/v1/passkeys/options"))
    planted = eve.keys.create(options)
    answer = await eve.post("/v1/passkeys", {"credential": planted})
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}
    # a credential id that is lin's already, under a key of eve's
    options = ok(await eve.post("/v1/passkeys/options"))
    taken = eve.keys.create(options | {"excludeCredentials": []})
    data = read(taken["response"]["attestationObject"])
    forged = data.replace(read(taken["id"]), lin.keys.passkeys[0].id)
    taken["response"]["attestationObject"] = show(forged)
    taken["id"] = taken["rawId"] = show(lin.keys.passkeys[0].id)
    answer = await eve.post("/v1/passkeys", {"credential": taken})
    assert refused(answer, 403, "passkey_refused") == {"reason": "known"}
    keys = ok(await lin.get("/v1/passkeys"))["data"]
    refused(await eve.delete(f"/v1/passkeys/{keys[0]['id']}"), 404, "not_found")
    sessions = ok(await lin.get("/v1/sessions"))["data"]
    refused(await eve.delete(f"/v1/sessions/{sessions[0]['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (Says(origin=OTHER), "origin"),
        (Says(domain="evil.example"), "domain"),
        (Says(flags=UP | BE), "not_verified"),
        (Says(type="webauthn.get"), "malformed"),
        (Says(format="packed", signature=bytes(70)), "malformed"),
    ],
)
async def test_a_forged_passkey_makes_no_wallet(site: Site, says: Says, reason: str) -> None:
    browser = site.browser()
    body = {"handle": "eve", "name": "Eve"}
    made = browser.keys.create(ok(await browser.post("/v1/sign-up/options", body)), says)
    answer = await browser.post("/v1/sign-up", {"credential": made})
    assert refused(answer, 403, "passkey_refused") == {"reason": reason}
    for table in ("people", "devices", "passkeys", "sessions", "api_keys", "audit"):
        assert await site.town.count(table) == 0, table


async def test_a_short_rsa_key_is_not_taken(site: Site) -> None:
    browser = site.browser(algorithm="RS256")
    body = {"handle": "eve", "name": "Eve"}
    options = ok(await browser.post("/v1/sign-up/options", body))
    made = browser.keys.create(options, Says(rsa_bits=1024))
    answer = await browser.post("/v1/sign-up", {"credential": made})
    assert refused(answer, 403, "passkey_refused") == {"reason": "algorithm"}


async def test_a_copied_passkey_signs_nobody_in_any_more(site: Site) -> None:
    browser = site.browser(counts=True)
    await browser.sign_up("lin", Says(flags=UP | UV))
    honest = Says(flags=UP | UV)
    thief = site.browser()
    thief.keys = browser.keys.copy()
    ok(await browser.sign_in(honest))
    refusal = refused(await thief.sign_in(honest), 403, "passkey_refused")
    assert refusal == {"reason": "suspect"}
    # Which of the two is the copy, nobody knows.
    assert refused(await browser.sign_in(honest), 403, "passkey_refused") == {"reason": "suspect"}
    assert ok(await browser.get("/v1/passkeys"))["data"][0]["suspect"]
    found = await site.town.services.pool.fetch(
        "SELECT outcome FROM audit WHERE action = 'sign_in_with_passkey' ORDER BY id"
    )
    assert [row["outcome"] for row in found] == ["done", "passkey_refused", "passkey_refused"]


@pytest.mark.parametrize(
    "broken",
    [
        lambda a: a | {"rawId": "AA"},
        lambda a: a | {"response": a["response"] | {"clientDataJSON": show(b"[]")}},
        lambda a: a | {"response": a["response"] | {"clientDataJSON": show(b"\xff")}},
        lambda a: a | {"response": a["response"] | {"clientDataJSON": show(b"[" * 6000)}},
        lambda a: a | {"response": a["response"] | {"clientDataJSON": show(json.dumps(
            {"type": "webauthn.get", "challenge": 7, "origin": ORIGIN}).encode())}},
        lambda a: a | {"response": a["response"] | {"authenticatorData": "AA"}},
        lambda a: a | {"response": a["response"] | {"authenticatorData": show(bytes(200))}},
    ],
)  # fmt: skip
async def test_a_torn_answer_is_refused_and_no_fault(site: Site, broken: Any) -> None:  # noqa: ANN401 - a function of the answer
    browser = site.browser()
    await browser.sign_up("lin")
    answer = browser.keys.get(ok(await browser.post("/v1/sign-in/options")))
    refused(await sign_in_with(browser, broken(answer)), 403, "passkey_refused")


@pytest.mark.parametrize("held", [b"", b"\xff", bytes(40), b"\xa3" * 300])
async def test_a_torn_attestation_is_refused_and_no_fault(site: Site, held: bytes) -> None:
    browser = site.browser()
    body = {"handle": "eve", "name": "Eve"}
    made = browser.keys.create(ok(await browser.post("/v1/sign-up/options", body)))
    made["response"]["attestationObject"] = show(held) or "A"
    refused(await browser.post("/v1/sign-up", {"credential": made}), 403, "passkey_refused")


# -- sessions ------------------------------------------------------------------------------------


async def test_no_token_that_was_there_before_becomes_a_session(site: Site) -> None:
    """Session fixation: what was planted is no session, and what was signed in with is over."""
    browser, thief = site.browser(), site.browser()
    await browser.sign_up("lin")
    planted = "ts_" + "A" * 43
    for one in (browser, thief):
        one.client.cookies.clear()
        one.client.cookies.set("tandem-person", planted, domain="127.0.0.1")
    ok(await browser.sign_in())
    assert browser.client.cookies["tandem-person"] != planted
    refused(await thief.get("/v1/people/me"), 401, "session_over")
    before = dict(browser.client.cookies)
    thief.client.cookies.clear()
    thief.client.cookies.set("tandem-person", before["tandem-person"])
    ok(await thief.get("/v1/people/me"))
    ok(await browser.sign_in())
    refused(await thief.get("/v1/people/me"), 401, "session_over")


@pytest.mark.parametrize("origin", [None, OTHER, "null", "http://localhost", ORIGIN + "/"])
async def test_another_sites_page_changes_nothing(site: Site, origin: str | None) -> None:
    """CSRF: a cookie alone does nothing."""
    browser = site.browser()
    await browser.sign_up("lin")
    ok(await browser.post("/v1/passkeys/options"))
    rows = {t: await site.town.count(t) for t in ("devices", "sessions", "challenges", "audit")}
    del browser.client.headers["Origin"]
    if origin is not None:
        browser.client.headers["Origin"] = origin
    assert browser.client.cookies
    for call in (
        browser.post("/v1/people/me/devices", {"name": "x"}),
        browser.delete("/v1/session"),
        browser.delete("/v1/sessions"),
        browser.put("/v1/people/me/passkey-above", {"currency": "CNY", "above": None}),
        browser.post("/v1/passkeys/options"),
    ):
        refused(await call, 403, "origin_refused")
    assert rows == {table: await site.town.count(table) for table in rows}
    ok(await browser.get("/v1/people/me"))  # reading is: no other site reads the answer


async def test_no_other_page_signs_its_visitor_in(site: Site) -> None:
    """Login CSRF: the visitor would act in somebody else's wallet."""
    browser = site.browser()
    await browser.sign_up("eve")
    answer = browser.keys.get(ok(await browser.post("/v1/sign-in/options")))
    browser.client.cookies.clear()
    browser.client.headers["Origin"] = OTHER
    response = await browser.post("/v1/sign-in", {"credential": answer})
    refused(response, 403, "origin_refused")
    assert "set-cookie" not in response.headers


async def test_a_session_is_no_key_and_a_key_no_session(site: Site) -> None:
    browser = site.browser()
    made = await browser.sign_up("lin")
    token = browser.client.cookies["tandem-person"]
    as_key = site.program(token)
    refused(await as_key.get("/v1/people/me"), 401, "unauthenticated")
    as_cookie = site.browser()
    as_cookie.client.cookies.set("tandem-person", made["device"]["key"])
    refused(await as_cookie.get("/v1/people/me"), 401, "session_over")
    phone = site.program(made["device"]["key"])
    refused(await phone.get("/v1/session"), 403, "sign_in_needed")


async def test_a_cookie_that_is_there_twice_is_none(site: Site) -> None:
    browser = site.browser()
    await browser.sign_up("lin")
    token = browser.client.cookies["tandem-person"]
    browser.client.cookies.clear()
    pair = f"tandem-person={token}"
    headers = {"Cookie": f"{pair}; tandem-person=ts_{'A' * 43}"}
    refused(await browser.client.get("/v1/people/me", headers=headers), 401, "unauthenticated")
    ok(await browser.client.get("/v1/people/me", headers={"Cookie": f"a=b; {pair}"}))


async def test_a_persons_session_is_nobody_elses(site: Site) -> None:
    browser = site.browser()
    await browser.sign_up("lin")
    token = browser.client.cookies["tandem-person"]
    browser.client.cookies.clear()
    for kind in ("merchant", "operator"):
        browser.client.cookies.set(f"tandem-{kind}", token)
    refused(await browser.get("/v1/people"), 403, "wrong_kind_of_key")
    refused(await browser.get("/v1/payments"), 403, "wrong_kind_of_key")


# -- codes ---------------------------------------------------------------------------------------


async def guess(browser: Browser, handle: str, code: str) -> Any:  # noqa: ANN401 - a response
    return await browser.post("/v1/sign-in/code/options", {"handle": handle, "code": code})


async def test_codes_are_guessed_five_times_and_then_not_looked_at(site: Site) -> None:
    phone = site.browser()
    await phone.sign_up("lin")
    code = ok(await phone.post("/v1/people/me/sign-in-code"))["code"]
    stranger = site.browser()
    for _ in range(WRONG_MAX):
        refused(await guess(stranger, "lin", "AAAA-AAAA"), 403, "sign_in_code_refused")
    answer = await guess(stranger, "lin", code)
    refused(answer, 429, "sign_in_paused")
    assert answer.headers["retry-after"] == "900"
    refused(await guess(site.browser(address="198.51.100.9"), "LIN", code), 429, "sign_in_paused")
    ok(await phone.sign_in())  # passkeys go on
    site.town.wait(minutes=15)
    ok(await phone.sign_in())
    code = ok(await phone.post("/v1/people/me/sign-in-code"))["code"]
    ok(await guess(stranger, "@lin", code))
    for _ in range(WRONG_MAX):
        refused(await guess(stranger, "lin", "AAAA-AAAA"), 403, "sign_in_code_refused")
    refused(await guess(stranger, "lin", "AAAA-AAAA"), 429, "sign_in_paused")


async def test_nobody_keeps_a_person_from_their_recovery_codes(site: Site) -> None:
    phone = site.browser()
    await phone.sign_up("lin")
    codes = ok(await phone.post("/v1/people/me/recovery-codes"))["codes"]
    stranger = site.browser()
    for code in ("AAAA-AAAA-AAAA-AAAA", "AAAA-AAAA", "no code at all"):
        for _ in range(WRONG_MAX):
            await guess(stranger, "lin", code)
    refused(await guess(stranger, "lin", "AAAA-AAAA"), 429, "sign_in_paused")
    refused(await guess(stranger, "lin", "AAAA-AAAA-AAAA-AAAA"), 403, "sign_in_code_refused")
    ok(await guess(phone, "lin", codes[0]))


async def test_of_many_guesses_at_once_none_slips_through(site: Site) -> None:
    phone = site.browser()
    await phone.sign_up("lin")
    stranger = site.browser()
    answers = await asyncio.gather(*(guess(stranger, "lin", "AAAA-AAAA") for _ in range(30)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(403) == WRONG_MAX
    assert statuses.count(429) == 30 - WRONG_MAX


async def test_a_handle_that_nobody_has_is_answered_the_same(site: Site) -> None:
    """Status, body and pause; and the same statements are asked of the database."""
    phone = site.browser()
    await phone.sign_up("lin")
    stranger, asked = site.browser(), {}
    for handle in ("lin", "nobody"):
        said: list[str] = []
        async with site.town.services.pool.acquire() as connection:
            # The pool gives the connection that was given back last.
            connection.add_query_logger(lambda record, said=said: said.append(record.query))
        answers = [await guess(stranger, handle, "AAAA-AAAA") for _ in range(WRONG_MAX + 1)]
        async with site.town.services.pool.acquire() as connection:
            connection._con._query_loggers.clear()  # type: ignore[attr-defined]  # of the proxy
        told = [(a.status_code, a.json()["code"], a.json()["detail"]) for a in answers]
        asked[handle] = (told, said)
    assert sum("recovery_codes" in statement for statement in asked["lin"][1]) == WRONG_MAX + 1
    assert asked["lin"] == asked["nobody"]


async def test_a_code_that_is_used_meanwhile_makes_no_second_passkey(site: Site) -> None:
    phone = site.browser()
    await phone.sign_up("lin")
    code = ok(await phone.post("/v1/people/me/sign-in-code"))["code"]
    one, two = site.browser(), site.browser()
    asked = [ok(await guess(browser, "lin", code)) for browser in (one, two)]
    answers = await asyncio.gather(
        *(
            browser.post("/v1/sign-in/code", {"credential": browser.keys.create(options)})
            for browser, options in zip((one, two), asked, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 403]
    assert len(ok(await phone.get("/v1/passkeys"))["data"]) == 2


async def test_one_address_begins_so_many_sign_ins(fresh_database: str, tmp_path: Path) -> None:
    async with open_site(fresh_database, tmp_path, sign_ins_per_hour=5) as site:
        browser = site.browser()
        for _ in range(5):
            ok(await browser.post("/v1/sign-in/options"))
        refused(await browser.post("/v1/sign-in/options"), 429, "too_many_requests")
        ok(await site.browser(address="198.51.100.9").post("/v1/sign-in/options"))


async def test_more_sessions_than_there_may_be_end_the_oldest(site: Site) -> None:
    phone = site.browser()
    await phone.sign_up("lin")
    others = [site.browser() for _ in range(MOST)]
    for other in others:
        other.keys = phone.keys
        ok(await other.sign_in())
    refused(await phone.get("/v1/session"), 401, "session_over")
    ok(await others[0].get("/v1/session"))
    assert len(ok(await others[-1].get("/v1/sessions", params={"limit": 100}))["data"]) == MOST


async def test_who_is_let_go_while_they_sign_in_is_not_in(site: Site) -> None:
    operator, bo = site.program(await site.operator_key()), site.browser()
    invited = ok(await operator.post("/v1/staff", {"name": "Bo", "role": "support"}))
    ok(await bo.join(invited["token"]))
    for _ in range(5):
        answer = bo.keys.get(ok(await bo.post("/v1/sign-in/options")))
        got, _ = await asyncio.gather(
            bo.post("/v1/sign-in", {"credential": answer}),
            operator.delete(f"/v1/staff/{invited['staff']['id']}"),
        )
        assert got.status_code in {200, 403}
        open_sessions = await site.town.services.pool.fetchval(
            "SELECT count(*) FROM sessions WHERE kind = 'operator' AND ended_at IS NULL"
        )
        assert open_sessions == 0


async def test_who_tries_many_sessions_is_stopped_and_nobody_else(
    fresh_database: str, tmp_path: Path
) -> None:
    async with open_site(fresh_database, tmp_path, sign_ins_per_hour=20) as site:
        lin, thief = site.browser(), site.browser()
        await lin.sign_up("lin")
        ok(await lin.get("/v1/people/me"))
        statuses = []
        for number in range(30):
            cookie = {"Cookie": f"tandem-person=ts_{number:043}"}
            statuses.append((await thief.get("/v1/people/me", headers=cookie)).status_code)
        assert statuses == [401] * 20 + [429] * 10
        ok(await lin.get("/v1/people/me"))  # from the same address
