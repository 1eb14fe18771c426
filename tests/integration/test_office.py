"""What the operator's staff looks after people, cards and books with, by role."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from browsers import Browser, ok, refused
from offices import Office, do, open_office
from town import key

from authenticator import Facts
from card_phone import Phone
from tandem.db import Connection
from tandem.kernel import read_id, show_id
from tandem.ledger import verification

NOBODY = "0" * 32


@pytest.fixture
async def office(fresh_database: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(fresh_database, tmp_path) as opened:
        yield opened


async def card_of(office: Office, name: str = "Lin Wei") -> tuple[str, str, str]:
    """A person with a card: ids of person, device and card."""
    town = office.site.town
    lin = await town.person(yuan=100, name=name)
    phone = Phone(town.services.cards, lin.id, lin.device_id, town.services.clock)
    await phone.add(key())
    person = show_id("ppl", lin.id)
    (card,) = ok(await office.key.get("/v1/cards", params={"person_id": person}))["data"]
    assert card["person_name"] == name
    return person, card["device_id"], card["id"]


# -- people --------------------------------------------------------------------------------------


async def test_people_are_found_by_handle_name_and_id(office: Office) -> None:
    lin, linda = await office.person("lin"), await office.person("linda")
    await office.person("mei")

    async def found(**query: str) -> list[str]:
        answer = await office.support.get("/v1/people", params=query)
        return [person["id"] for person in ok(answer)["data"]]

    assert await found(search="@lin") == [linda, lin]
    assert await found(search="Linda") == [linda]
    assert await found(search=lin) == [lin]
    assert await found(search="%") == []
    assert await found(search="l_n") == []
    assert await found(search="\\") == []
    ok(await do(office.support, "POST", f"/v1/people/{lin}/suspend"))
    assert await found(status="suspended") == [lin]


async def test_support_sees_how_somebody_signs_in_and_ends_it(office: Office) -> None:
    browser = office.site.browser()
    lin = (await browser.sign_up("lin"))["person"]["id"]
    path = f"/v1/people/{lin}"
    (passkey,) = ok(await office.support.get(f"{path}/passkeys"))["data"]
    assert passkey["name"]
    (session,) = ok(await office.support.get(f"{path}/sessions"))["data"]
    ending = f"{path}/sessions/{session['id']}"
    refused(await office.support.delete(ending), 400, "reason_missing")
    refused(await do(office.treasurer, "DELETE", ending), 403, "scope_missing")
    mei = await office.person("mei")
    refused(await do(office.support, "DELETE", f"/v1/people/{mei}/sessions/{session['id']}"), 404,
            "not_found")  # fmt: skip
    assert (await do(office.support, "DELETE", ending)).status_code == 204
    refused(await browser.get("/v1/people/me"), 401, "session_over")
    ok(await browser.sign_in())
    ok(await do(office.support, "DELETE", f"{path}/sessions"))
    refused(await browser.get("/v1/people/me"), 401, "session_over")


async def test_support_reads_a_history_and_that_is_recorded(office: Office) -> None:
    lin = await office.person("lin", yuan=10)
    lines = ok(await office.support.get(f"/v1/people/{lin}/history"))["data"]
    assert [(line["type"], line["change"]) for line in lines] == [("top_up", 1000)]
    wallet = ok(await office.support.get(f"/v1/people/{lin}/wallet"))
    assert wallet["balances"][0]["balance"] == 1000
    (record,) = await office.log(action="get_history_of_person")
    assert (record["actor_name"], record["object"]) == ("Support", lin)


async def test_who_may_change_limits(office: Office) -> None:
    lin = await office.person("lin")
    path, body = f"/v1/people/{lin}/limits", {"currency": "CNY", "per_payment": 1, "per_day": 2}
    for browser in (office.support, office.treasurer):
        refused(await do(browser, "PUT", path, body), 403, "scope_missing")
    refused(await office.owner.put(path, body), 400, "reason_missing")
    ok(await do(office.owner, "PUT", path, body))
    record = (await office.log(action="set_limits", outcome="done"))[0]
    assert (record["actor_name"], record["object"]) == ("Owner", lin)
    assert record["reason"] == "She lost her phone"


async def test_support_books_no_money(office: Office) -> None:
    lin = await office.person("lin")
    body = {"amount": 1000, "currency": "CNY", "reference": "bank 1"}
    answer = await office.support.post(f"/v1/people/{lin}/top-ups", body)
    refused(answer, 403, "scope_missing")


# -- cards ---------------------------------------------------------------------------------------


async def test_cards_are_found_and_a_lost_phone_pays_no_more(office: Office) -> None:
    person, device, card = await card_of(office)
    shown = ok(await office.support.get(f"/v1/cards/{card}"))
    assert shown["person_id"] == person
    for query in (
        {"last_four": shown["last_four"]},
        {"par": shown["par"]},
        {"device_id": device},
        {"person_id": person, "status": "active"},
    ):
        found = ok(await office.support.get("/v1/cards", params=query))["data"]
        assert [one["id"] for one in found] == [card], query
    assert not ok(await office.support.get("/v1/cards", params={"status": "lost"}))["data"]
    lose = f"/v1/people/{person}/devices/{device}/lost"
    refused(await do(office.treasurer, "POST", lose), 403, "scope_missing")
    mei = await office.person("mei")
    refused(await do(office.support, "POST", f"/v1/people/{mei}/devices/{device}/lost"), 404,
            "not_found")  # fmt: skip
    (lost,) = ok(await do(office.support, "POST", lose))["data"]
    assert lost["status"] == "lost"
    conflict = await do(office.support, "POST", f"/v1/cards/{card}/lost")
    refused(conflict, 409, "card_state")
    assert ok(await do(office.support, "POST", f"/v1/cards/{card}/restore"))["status"] == "active"
    assert ok(await do(office.support, "POST", f"/v1/cards/{card}/lost"))["status"] == "lost"


# -- the ledger ----------------------------------------------------------------------------------


async def test_accounts_by_kind_and_currency(office: Office) -> None:
    lin = await office.person("lin", yuan=10)

    async def found(**query: str) -> list[tuple[str, str, str | None]]:
        data = ok(await office.treasurer.get("/v1/ledger/accounts", params=query))["data"]
        return [(one["kind"], one["currency"], one["owner_name"]) for one in data]

    assert await found(kind="bank", currency="CNY") == [("bank", "CNY", None)]
    assert ("person", "CNY", "Lin") in await found(owner=lin)
    assert await found(owner=lin, kind="person", currency="CNY") == [("person", "CNY", "Lin")]
    assert await found(owner=lin, kind="merchant") == []
    assert {kind for kind, *_ in await found(kind="merchant")} == {"merchant"}


async def test_a_statement_of_days_opens_and_closes(office: Office) -> None:
    lin = await office.person("lin")
    path = f"/v1/people/{lin}/top-ups"
    days = []
    for number in range(5):
        body = {"amount": 100, "currency": "CNY", "reference": f"bank {number}"}
        ok(await office.key.post(path, body))
        days.append(office.site.town.services.clock.now().date())
        office.site.town.wait(days=1)
    statement = f"/v1/ledger/accounts/{lin}/statement"
    whole = ok(await office.key.get(statement))
    assert (whole["opening"], whole["closing"], len(whole["data"])) == (0, 500, 5)
    query = {"since": str(days[1]), "until": str(days[3]), "limit": "2"}
    first = ok(await office.key.get(statement, params=query))
    assert (first["opening"], first["closing"], first["next"]) == (100, 400, 3)
    second = ok(await office.key.get(statement, params=query | {"after": "3"}))
    assert [line["balance"] for line in first["data"] + second["data"]] == [400, 300, 200]
    assert (second["has_more"], second["opening"], second["closing"]) == (False, 100, 400)
    before = {"until": str(days[0] - timedelta(days=9))}
    none = ok(await office.key.get(statement, params=before))
    assert (none["data"], none["opening"], none["closing"]) == ([], 0, 0)
    after = {"since": "9999-12-31", "until": "9999-12-31"}
    none = ok(await office.key.get(statement, params=after))
    assert (none["data"], none["opening"], none["closing"]) == ([], 500, 500)
    turned = {"since": str(days[3]), "until": str(days[1])}
    none = ok(await office.key.get(statement, params=turned))
    assert (none["data"], none["opening"]) == ([], none["closing"])


async def test_everything_leads_to_its_entries_and_back(office: Office) -> None:
    lin = await office.person("lin", yuan=10)
    mei = await office.person("mei")
    made = []
    body = {"amount": 500, "currency": "CNY", "reference": "out 1"}
    made.append(ok(await office.key.post(f"/v1/people/{lin}/withdrawals", body)))
    (top_up,) = ok(await office.key.get(f"/v1/people/{lin}/top-ups"))["data"]
    made.append(top_up)
    correction = {"booking": top_up["id"], "amount": 100, "reason": "too much"}
    made.append(ok(await office.key.post("/v1/corrections", correction)))
    for one in made:
        booked = ok(await office.treasurer.get(f"/v1/ledger/objects/{one['id']}"))["transfers"]
        assert [row["object_id"] for row in booked] == [one["id"]]
        entry = booked[0]["entry_id"]
        assert ok(await office.treasurer.get(f"/v1/ledger/entries/{entry}")) == booked
        (hit,) = ok(await office.support.get("/v1/find", params={"q": one["id"]}))["data"]
        assert (hit["kind"], hit["id"]) == ("object", one["id"])
    for wrong in (f"top_{NOBODY}", f"pay_{NOBODY}", "x", f"cor_{NOBODY}", mei):
        answer = await office.treasurer.get(f"/v1/ledger/objects/{wrong}")
        refused(answer, 404, "not_found")


async def test_anything_is_found(office: Office) -> None:
    person, device, card = await card_of(office)
    digits = ok(await office.key.get(f"/v1/cards/{card}"))["last_four"]

    async def found(text: str) -> list[tuple[str, str]]:
        hits = ok(await office.support.get("/v1/find", params={"q": text}))["data"]
        return [(hit["kind"], hit["id"]) for hit in hits]

    assert await found(device) == [("person", person)]
    assert await found(card) == [("card", card)]
    assert await found(digits) == [("card", card)]
    assert await found("blue d") == [("merchant", office.merchant)]
    assert await found(office.shop) == [("merchant", office.merchant)]
    assert await found("Lin W") == [("person", person)]
    handle = ok(await office.key.get(f"/v1/people/{person}"))["handle"]
    assert (await found(handle))[0] == ("person", person)
    for nothing in ("%", "_", f"pay_{NOBODY}", f"zzz_{NOBODY}", "' OR 1=1", "<script>"):
        assert await found(nothing) == [], nothing


# -- verification --------------------------------------------------------------------------------


async def over(browser: Browser, verification_id: str) -> Facts:
    """A verification when it is over."""
    for _ in range(200):
        answer = await browser.get(f"/v1/ledger/verifications/{verification_id}")
        found: Facts = ok(answer)
        if found["status"] != "running":
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it runs for ever")


async def test_the_books_are_verified_and_it_is_kept(office: Office) -> None:
    await office.person("lin", yuan=10)
    refused(await office.support.post("/v1/ledger/verifications"), 403, "scope_missing")
    begun = ok(await office.treasurer.post("/v1/ledger/verifications"))
    assert (begun["status"], begun["actor_name"]) == ("running", "Treasurer")
    done = await over(office.support, begun["id"])
    assert (done["status"], done["differences"], done["checks_done"]) == (
        *("right", []),
        done["checks"],
    )
    assert done["transfers"] == 1
    (listed,) = ok(await office.support.get("/v1/ledger/verifications"))["data"]
    assert listed == done
    (record,) = await office.log(action="start_verification", outcome="done")
    assert record["object"] == begun["id"]


async def test_what_differs_is_kept(office: Office) -> None:
    lin = await office.person("lin", yuan=10)
    account = ok(await office.key.get(f"/v1/ledger/accounts/{lin}"))["id"]
    async with office.site.town.services.pool.acquire() as connection:
        await connection.execute(
            "UPDATE accounts SET credits_posted = credits_posted + 1 WHERE id = $1",
            read_id("acc", account),
        )
    begun = ok(await office.owner.post("/v1/ledger/verifications"))
    done = await over(office.owner, begun["id"])
    assert done["status"] == "differs"
    assert [(one["kind"], one["id"]) for one in done["differences"]] == [
        ("account totals", account)
    ]
    health = ok(await office.support.get("/v1/installation/health"))
    assert health["status"] == "bad"
    assert "books_differ" in [finding["code"] for finding in health["findings"]]


async def test_one_verification_runs_and_can_be_stopped(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever(connection: Connection, _tell: object) -> None:
        await connection.execute("SELECT pg_sleep(600)")

    monkeypatch.setattr(verification, "verify", for_ever)
    begun = ok(await office.treasurer.post("/v1/ledger/verifications"))
    again = await office.owner.post("/v1/ledger/verifications")
    assert refused(again, 409, "verification_runs") == {"verification_id": begun["id"]}
    stop = f"/v1/ledger/verifications/{begun['id']}/stop"
    refused(await office.support.post(stop), 403, "scope_missing")
    ok(await office.owner.post(stop))
    stopped = await over(office.owner, begun["id"])
    assert (stopped["status"], stopped["ended_at"] is None) == ("stopped", False)
    ok(await office.owner.post(stop))  # harmless
    missing = f"/v1/ledger/verifications/ver_{NOBODY}/stop"
    refused(await office.owner.post(missing), 404, "not_found")


async def test_one_whose_process_died_does_not_stay(office: Office) -> None:
    pool = office.site.town.services.pool
    dead = uuid4()
    await pool.execute(
        "INSERT INTO verifications (id, actor, actor_name, status, checks, checks_done, "
        "differences, stop_asked, started_at, seen_at) VALUES ($1, 'command', 'x', 'running', 6, "
        "1, '[]', false, now(), now() - interval '5 minutes')",
        dead,
    )
    begun = ok(await office.owner.post("/v1/ledger/verifications"))
    assert (await over(office.owner, begun["id"]))["status"] == "right"
    gone = await over(office.owner, show_id("ver", dead))
    assert gone["status"] == "broken_off"


# -- the installation ----------------------------------------------------------------------------


async def test_health_says_what_is_wrong(office: Office) -> None:
    health = ok(await office.support.get("/v1/installation/health"))
    codes = {finding["code"] for finding in health["findings"]}
    assert {"no_process", "never_verified"} <= codes
    newest = await office.site.town.services.pool.fetchval(
        "SELECT version_num FROM alembic_version"
    )
    assert health["database"]["schema"] == newest
    assert health["database"]["max_connections"] >= health["database"]["connections"] >= 1
    vitals = office.site.town.services.vitals
    await vitals.beat()
    await vitals.beat()
    health = ok(await office.support.get("/v1/installation/health"))
    (process,) = health["processes"]
    assert process["state"]["journal"]["running"] is True
    assert process["state"]["disk"]["free"] > 0
    assert abs(process["clock_ahead_ms"]) < 1000
    table = await office.support.get("/v1/installation/health", headers={"Accept": "text/csv"})
    *_, row = csv.DictReader(io.StringIO(table.text, newline=""))
    assert row["list"] == "processes"
    assert (row["host"], row["state.journal.running"]) == (process["host"], "true")
    assert "no_process" not in {finding["code"] for finding in health["findings"]}


async def test_a_process_that_ends_takes_its_row_away(office: Office) -> None:
    services = office.site.town.services
    task = asyncio.create_task(services.vitals.run())
    for _ in range(500):
        if await services.pool.fetchval("SELECT count(*) FROM processes"):
            break
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await services.pool.fetchval("SELECT count(*) FROM processes") == 0


async def test_what_waits_is_counted_and_failed_deliveries_are_sent_again(office: Office) -> None:
    jobs = ok(await office.support.get("/v1/installation/jobs"))["data"]
    assert {job["kind"]: job["waiting"] for job in jobs} == {
        "payments_to_expire": 0,
        "requests_to_expire": 0,
        "packets_to_return": 0,
        "reservations_to_release": 0,
        "webhook_deliveries": 0,
        "issuer_messages": 0,
    }
    site = office.site
    invited = ok(await office.key.post(f"/v1/merchants/{office.merchant}/staff",
                                       {"name": "Bo", "role": "owner"}))  # fmt: skip
    bo = site.browser()
    ok(await bo.join(invited["token"]))
    ok(await bo.post("/v1/webhooks", {"url": "http://127.0.0.1:9/x"}))
    order = {"amount": 500, "currency": "CNY", "shop_id": office.shop}
    ok(await bo.post("/v1/payments", order))
    jobs = {
        one["kind"]: one for one in ok(await office.support.get("/v1/installation/jobs"))["data"]
    }
    assert jobs["webhook_deliveries"]["waiting"] == 1
    assert jobs["payments_to_expire"]["waiting"] == 1
    pool = site.town.services.pool
    await pool.execute(
        "UPDATE webhook_deliveries SET status = 'failed', next_attempt_at = NULL, attempts = 9"
    )
    (failed,) = ok(await office.support.get("/v1/installation/deliveries"))["data"]
    assert (failed["merchant"], failed["type"]) == ("Blue Door", "payment.created")
    again = f"/v1/installation/deliveries/{failed['id']}/resend"
    refused(await office.treasurer.post(again), 403, "scope_missing")
    refused(await bo.post(again), 403, "wrong_kind_of_key")
    assert (await office.support.post(again)).status_code == 204
    for status, count in (("failed", 0), ("pending", 1), ("late", 1)):
        found = await office.support.get("/v1/installation/deliveries", params={"status": status})
        assert len(ok(found)["data"]) == count, status
    nobody = f"/v1/installation/deliveries/whd_{NOBODY}/resend"
    refused(await office.support.post(nobody), 404, "not_found")


async def test_keys_by_their_ids_and_never_a_key(office: Office) -> None:
    await card_of(office)
    keys = ok(await office.support.get("/v1/installation/keys"))
    (ring,) = keys["ring"]
    assert (ring["use"], ring["secrets"] > 0) == ("seals", True)
    assert {one["kind"] for one in keys["cards"]} == {"authority", "issuer", "master"}
    assert all(one["expires"] for one in keys["cards"] if one["kind"] != "master")
    assert set(keys) == {"place", "ring", "cards", "links"}
    assert set(ring) == {"id", "use", "secrets"}
