"""Lists as files, and why staff does what it does."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browsers import ok, refused
from offices import WHY, Office, do, open_office

from tandem.web import export

TABLE = {"Accept": "text/csv"}
LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
async def office(fresh_database: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(fresh_database, tmp_path) as opened:
        yield opened


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_list_comes_whole_as_a_table(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROWS", 3)
    names = [f"lin{number}" for number in range(8)]
    for name in names:
        await office.person(name)
    answer = await office.support.get("/v1/people", headers=TABLE)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="people.csv"'
    assert answer.headers["tandem-total"] == "8"
    found = rows(answer.text)
    assert [row["handle"] for row in found] == [f"'@{name}" for name in reversed(names)]
    assert set(found[0]) == {"id", "handle", "name", "status", "created_at"}
    only = await office.support.get("/v1/people", params={"search": "lin3"}, headers=TABLE)
    assert [row["handle"] for row in rows(only.text)] == ["'@lin3"]
    assert only.headers["tandem-total"] == "1"
    (record,) = (await office.log(action="list_people.export"))[1:]
    assert (record["actor_name"], record["outcome"]) == ("Support", "done")


async def test_a_list_comes_whole_as_lines(office: Office) -> None:
    lin = await office.person("lin", yuan=10)
    path = f"/v1/ledger/accounts/{lin}/statement"
    answer = await office.treasurer.get(path, headers=LINES)
    assert answer.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    (line,) = [msgspec.json.decode(text) for text in answer.text.splitlines()]
    assert line == ok(await office.treasurer.get(path))["data"][0]
    table = await office.treasurer.get(path, headers=TABLE)
    (row,) = rows(table.text)
    assert (row["change"], row["transfer.code"]) == ("1000", "top_up")


@pytest.mark.parametrize(
    ("path", "rows_in", "column"),
    [
        ("/v1/ledger/trial-balance", "lines", "debits"),
        ("/v1/people/{lin}/limits", "data", "per_payment"),
        ("/v1/ledger/entries/{entry}", None, "amount"),
        ("/v1/ledger/objects/{top_up}", "transfers", "amount"),
    ],
)
async def test_a_short_list_comes_as_a_table_too(
    office: Office, path: str, rows_in: str | None, column: str
) -> None:
    lin = await office.person("lin", yuan=10)
    statement = ok(await office.treasurer.get(f"/v1/ledger/accounts/{lin}/statement"))
    transfer = statement["data"][0]["transfer"]
    path = path.format(lin=lin, entry=transfer["entry_id"], top_up=transfer["object_id"])
    answered = ok(await office.treasurer.get(path))
    shown = answered if rows_in is None else answered[rows_in]
    table = await office.treasurer.get(path, headers=TABLE)
    assert table.headers["tandem-total"] == str(len(shown))
    found = rows(table.text)
    assert [row[column] for row in found] == [str(row[column]) for row in shown]
    assert found


async def test_a_transfer_says_whose_accounts_it_moves(office: Office) -> None:
    lin = await office.person("lin", yuan=10)
    (line,) = ok(await office.treasurer.get(f"/v1/ledger/accounts/{lin}/statement"))["data"]
    moved = line["transfer"]
    assert (moved["debit_kind"], moved["debit_name"]) == ("bank", None)
    assert (moved["credit_kind"], moved["credit_name"]) == ("person", "Lin")
    assert ok(await office.treasurer.get(f"/v1/ledger/entries/{moved['entry_id']}")) == [moved]


async def test_a_merchants_fees_come_as_a_table(office: Office) -> None:
    """What is a map has its keys as a column."""
    merchant = office.merchant
    shown = ok(await office.support.get(f"/v1/merchants/{merchant}"))["currencies"]
    table = await office.support.get(f"/v1/merchants/{merchant}", headers=TABLE)
    found = rows(table.text)
    assert list(found[0]) == ["currency", "fee_basis_points", "fee_fixed", "overdraft"]
    assert {row["currency"]: int(row["fee_basis_points"]) for row in found} == {
        code: terms["fee_basis_points"] for code, terms in shown.items()
    }
    lines = await office.support.get(f"/v1/merchants/{merchant}", headers=LINES)
    assert [msgspec.json.decode(line) for line in lines.text.splitlines()] == [
        {"currency": code} | terms for code, terms in shown.items()
    ]


async def test_health_is_a_table_of_what_it_finds_and_the_processes(office: Office) -> None:
    shown = ok(await office.support.get("/v1/installation/health"))
    table = await office.support.get("/v1/installation/health", headers=TABLE)
    found = rows(table.text)
    assert [row["code"] for row in found if row["list"] == "findings"] == [
        one["code"] for one in shown["findings"]
    ]
    assert len(found) == len(shown["findings"]) + len(shown["processes"])
    assert shown["findings"]


async def test_an_empty_list_is_a_table_without_rows(office: Office) -> None:
    answer = await office.support.get("/v1/corrections", headers=TABLE)
    assert answer.text.startswith("id,booking_id,")
    assert rows(answer.text) == []


async def test_an_export_is_from_one_moment(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROWS", 1)
    for name in ("ann", "bob", "cy"):
        await office.person(name)
    services = office.site.town.services
    search, pages = services.people.search, 0
    async with services.pool.acquire() as connection:

        async def between(*arguments: Any) -> Any:  # noqa: ANN401 - as search has them
            nonlocal pages
            pages += 1
            await connection.execute("UPDATE people SET name = $1", f"Name {pages}")
            return await search(*arguments)

        monkeypatch.setattr(services.people, "search", between)
        answer = await office.support.get("/v1/people", headers=TABLE)
    assert pages == 3
    assert [row["name"] for row in rows(answer.text)] == ["Name 1"] * 3


async def test_how_many_rows_there_will_be(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by every list that has more than a page, with its filters, from where it begins."""
    monkeypatch.setattr(export, "ROWS", 2)
    people = [await office.person(f"lin{number}", yuan=number + 1) for number in range(5)]
    for _ in range(3):
        ok(await office.key.post(f"/v1/people/{people[0]}/devices", {"name": "x"}))
    account = f"/v1/ledger/accounts/{people[0]}/statement"
    for path in (
        *("/v1/people", "/v1/people?search=lin", f"/v1/people?after={people[3]}"),
        *("/v1/audit/all", "/v1/audit/all?action=create_top_up", account),
        *(f"/v1/people/{people[0]}/devices", "/v1/ledger/accounts"),
    ):
        answer = await office.owner.get(path, headers=LINES)
        assert answer.status_code == 200, path
        assert answer.headers["tandem-total"] == str(len(answer.text.splitlines())), path


async def test_what_takes_long_to_count_is_not_counted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROWS", 2)
    for number in range(5):
        await office.person(f"lin{number}")
    with monkeypatch.context() as few:
        few.setattr(export, "COUNTED", 4)
        answer = await office.owner.get("/v1/people", headers=LINES)
    assert "tandem-total" not in answer.headers
    assert len(answer.text.splitlines()) == 5
    services = office.site.town.services
    search = services.people.search

    async def slowly(*arguments: Any) -> Any:  # noqa: ANN401 - as search has them
        async with services.pool.acquire() as connection:
            await connection.fetch("SELECT pg_sleep($1::int - 3) LIMIT $1", 3)
        return await search(*arguments)

    monkeypatch.setattr(services.people, "search", slowly)
    monkeypatch.setattr(export, "COUNT_SECONDS", 0.05)
    answer = await office.owner.get("/v1/people", headers=LINES)
    assert "tandem-total" not in answer.headers
    assert len(answer.text.splitlines()) == 5


async def test_only_who_may_read_a_list_exports_it(office: Office) -> None:
    lin = office.site.browser()
    await lin.sign_up("lin")
    refused(await lin.get("/v1/people", headers=TABLE), 403, "wrong_kind_of_key")
    stranger = office.site.browser()
    refused(await stranger.get("/v1/people", headers=TABLE), 401, "unauthenticated")
    bad = {"after": "ppl_x"}
    refused(await office.owner.get("/v1/people", params=bad, headers=TABLE), 422, "invalid_request")


async def test_few_exports_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST", 0)
    answer = await office.owner.get("/v1/people", headers=TABLE)
    refused(answer, 429, "too_many_requests")


async def test_what_is_no_list_is_no_file(office: Office) -> None:
    lin = await office.person("lin")
    answer = await office.owner.get(f"/v1/people/{lin}", headers=TABLE)
    assert answer.headers["content-type"] == "application/json"


def test_only_the_limit_of_a_list_is_replaced() -> None:
    page, most = export.ROWS + 1, export.COUNTED + 1
    query = "SELECT * FROM t WHERE amount = $1 AND id < $2 LIMIT $3"
    assert export._unlimited(query, (page, page, page)) == (query, [page, page, most])
    assert export._unlimited(query, (page, page, 5)) is None
    assert export._unlimited("SELECT * FROM t WHERE amount = $1", (page,)) is None
    turned = "SELECT * FROM t WHERE amount = $2 LIMIT $1"
    assert export._unlimited(turned, (page, page)) == (turned, [most, page])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r=", "\n="])
def test_no_cell_is_a_formula(start: str) -> None:
    cells = dict(export._cells({"name": f"{start}HYPERLINK(1)", "amount": -3800}))
    assert cells == {"name": f"'{start}HYPERLINK(1)", "amount": -3800}


# -- reasons -------------------------------------------------------------------------------------


async def test_staff_says_why(office: Office) -> None:
    lin = await office.person("lin")
    path = f"/v1/people/{lin}/suspend"
    refused(await office.support.post(path), 400, "reason_missing")
    assert ok(await office.key.get(f"/v1/people/{lin}"))["status"] == "active"
    ok(await do(office.support, "POST", path))
    done, missing = await office.log(object=lin, action="suspend_person")
    assert (done["reason"], done["outcome"]) == ("She lost her phone", "done")
    assert (missing["reason"], missing["outcome"]) == (None, "reason_missing")


async def test_a_program_need_not_say_why(office: Office) -> None:
    lin = await office.person("lin")
    ok(await office.key.post(f"/v1/people/{lin}/suspend"))
    ok(await do(office.key, "POST", f"/v1/people/{lin}/resume", **WHY))
    resumed, suspended, *_ = await office.log(object=lin)
    assert (resumed["reason"], suspended["reason"]) == ("She lost her phone", None)


async def test_money_that_is_booked_keeps_its_reason(office: Office) -> None:
    lin = await office.person("lin")
    body = {"amount": 1000, "currency": "CNY", "reference": "bank 7"}
    path = f"/v1/people/{lin}/top-ups"
    why = {"Tandem-Reason": "%E6%9F%9C%E5%8F%B0", "Idempotency-Key": "once"}
    ok(await do(office.treasurer, "POST", path, body, **why))
    (record,) = await office.log(action="create_top_up")
    assert record["reason"] == "柜台"


@pytest.mark.parametrize(
    "reason", ["", "%FF", "%00", "%E2%80%AE" + "x", "a" * 301, "%0A", "50%", "%T/", "two words"]
)
async def test_a_reason_that_cannot_be_one(office: Office, reason: str) -> None:
    lin = await office.person("lin")
    answer = await do(
        office.support, "POST", f"/v1/people/{lin}/suspend", **{"Tandem-Reason": reason}
    )
    assert refused(answer, 400, "malformed_header")["header"] == "Tandem-Reason"


# -- what staff looks at -------------------------------------------------------------------------


async def test_looking_at_somebodys_money_is_in_the_log(office: Office) -> None:
    lin = await office.person("lin", yuan=10)
    ok(await office.support.get(f"/v1/ledger/accounts/{lin}/statement"))
    ok(await office.key.get(f"/v1/ledger/accounts/{lin}/statement"))
    (record,) = await office.log(action="get_statement")
    assert (record["actor_name"], record["object"]) == ("Support", lin)


async def test_a_short_list_has_the_doors_of_its_page(office: Office) -> None:
    """Who may not look may not export; what is recorded of a look is recorded of an export."""
    lin = await office.person("lin", yuan=10)
    limits = f"/v1/people/{lin}/limits"
    nobody = limits.replace(lin[-6:], "000000")
    refused(await office.support.get(nobody, headers=TABLE), 404, "not_found")
    asked = await office.support.get(limits, params={"limit": "2"}, headers=TABLE)
    refused(asked, 422, "invalid_request")
    assert ok(await office.support.get("/v1/find", params={"q": "@nobody"}))["data"] == []
    none = await office.support.get("/v1/find", params={"q": "@nobody"}, headers=TABLE)
    assert (none.headers["tandem-total"], rows(none.text)) == ("0", [])
    await office.support.get(limits, headers=TABLE)
    record = (await office.log(action="get_limits.export"))[0]
    assert (record["actor_name"], record["outcome"]) == ("Support", "done")


async def test_lists_that_are_answered_together_share_a_table(office: Office) -> None:
    shown = ok(await office.support.get("/v1/installation/keys"))
    table = await office.support.get("/v1/installation/keys", headers=TABLE)
    found = rows(table.text)
    assert [row["list"] for row in found] == [
        name for name in ("ring", "cards", "links") for _ in shown[name]
    ]
    assert [row["id"] for row in found if row["list"] == "ring"] == [
        one["id"] for one in shown["ring"]
    ]
    assert found
