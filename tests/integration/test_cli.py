"""The commands that work on a database: beside a running `tandem up`, and alone.

They run in this process, which has imported everything already; test_processes.py and test_demo.py
run whole programs.
"""

import asyncio
import base64
import itertools
import re
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from conftest import open_folder
from living import Living, fresh_key, living
from tandem.db.migrate import current, upgrade
from tandem.db.schema import head, up_to_date
from tandem.emv.authority import TrustedKeys
from terminal import Cli, shown

BALANCE = ("ledger", "trial-balance")
NOBODY = "ppl_" + "0" * 32
_PEOPLE = itertools.count(1)


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data") as server:
            yield server


@pytest.fixture
def beside(house: Living, cli: Cli) -> Cli:
    """Commands beside a running server."""
    cli.monkeypatch.delenv("TANDEM_KEY_FILE")
    cli.on(data=house.data)
    return cli


def fresh_handle() -> str:
    return f"p{next(_PEOPLE)}"


def ask(house: Living, key: str, path: str, body: Any = None) -> httpx.Response:  # noqa: ANN401 - any JSON
    """Ask the running server."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": fresh_key()}
    if body is None:
        return httpx.get(f"{house.url}{path}", headers=headers, timeout=30)
    return httpx.post(f"{house.url}{path}", headers=headers, json=body, timeout=30)


def test_staff_is_invited_and_commands_are_in_the_audit_log(house: Living, beside: Cli) -> None:
    out = beside.done("operator", "staff", "invite", "Bo", "--role", "owner")
    (link,) = re.findall(r"http\S+/join#(inv_[\w-]{43})", out)
    (staff_id,) = re.findall(r"stf_[0-9a-f]{32}", out)
    told = ask(house, house.operator_key, "/v1/sign-in/invitation/options", {"token": link})
    assert (told.json()["name"], told.json()["role"]) == ("Bo", "owner")
    assert staff_id in beside.done("operator", "staff", "list")
    rows = ask(house, house.operator_key, "/v1/audit/all?owner=operator&actor=" + NOBODY)
    assert rows.json()["data"] == []
    rows = ask(house, house.operator_key, f"/v1/audit/all?object={staff_id}")
    (row,) = rows.json()["data"]
    assert (row["actor"], row["action"]) == ("command", "operator staff invite")
    assert row["outcome"] == "done"
    said = beside.refused("operator", "staff", "invite", "Bo", "--role", "king", status=2)
    assert "support or treasurer or owner" in said
    beside.refused("operator", "staff", "invite", "Bo", "--merchant", "mer_" + "0" * 32)


def test_an_operators_day(house: Living, beside: Cli) -> None:
    done = beside.done
    made = done("operator", "person", "add", "@lin", "Lin Wei")
    person, key = shown("ppl", made), shown("tk_dev", made)
    top_up = ("operator", "top-up", "@lin", "100.00", "CNY", "--reference", "B-1")
    assert "Booked 100.00 CNY for @lin" in done(*top_up)
    wallet = ask(house, key, "/v1/wallet").json()
    assert [line["balance"] for line in wallet["balances"] if line["currency"] == "CNY"] == [10_000]
    again = beside.refused(*top_up)
    assert again == "The bank reference 'B-1' was booked before. Check the bank statement."
    assert person in done("operator", "person", "list", "li")
    assert "100.00 CNY" in done("operator", "person", "show", "lin")
    for account in (person, "@lin", "@LIN"):
        assert "+100.00" in done("ledger", "statement", account)
    entry = shown("ent", done("ledger", "statement", "bank"))
    assert f"person {person}" in done("ledger", "entry", entry)
    assert "nothing differs" in done("ledger", "verify")
    assert re.search(r"^ *Sum +100.00 +100.00 +0.00", done(*BALANCE), re.MULTILINE)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("", "must have 1 to 140 characters"),
        (" ", "must have 1 to 140 characters"),
        ("B" * 141, "must have 1 to 140 characters"),
        ("B-\x1b[31m1", "cannot be shown (U+001B)"),
        ("B-\N{RIGHT-TO-LEFT OVERRIDE}1", "cannot be shown (U+202E)"),
        ("B-\N{ZERO WIDTH SPACE}1", "cannot be shown (U+200B)"),
        ("B\x001", "cannot be shown (U+0000)"),
    ],
    ids=["nothing", "a space", "too long", "an escape", "turned round", "unseen", "nul"],
)
def test_a_reference_that_nobody_can_read_is_not_booked(
    house: Living, beside: Cli, reference: str, says: str
) -> None:
    """The person reads it in their history, the merchant in its payouts."""
    person_id = shown("ppl", beside.done("operator", "person", "add", fresh_handle(), "Eve"))
    merchant = shown("mer", beside.done("operator", "merchant", "add", "Green"))
    before = beside.done(*BALANCE)
    for command, whose in (("top-up", person_id), ("payout", merchant)):
        words = ("operator", command, whose, "1.00", "CNY", "--reference", reference)
        if "\0" not in reference:  # no program can be given that
            assert says in beside.refused(*words, status=2)
    body = {"amount": 100, "currency": "CNY", "reference": reference}
    for path in (f"/v1/people/{person_id}/top-ups", f"/v1/merchants/{merchant}/payouts"):
        refused = ask(house, house.operator_key, path, body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
        assert "reference" in refused.json()["detail"]
    assert beside.done(*BALANCE) == before


def test_a_reference_is_kept_trimmed_and_composed(beside: Cli) -> None:
    """So that the same one, typed on another keyboard, is known to be the same."""
    beside.done("operator", "person", "add", handle := fresh_handle(), "Eve")
    top_up = ("operator", "top-up", handle, "1.00", "CNY", "--reference")
    beside.done(*top_up, " Café 7 ")
    assert "'Café 7' was booked before" in beside.refused(
        *top_up, "Cafe\N{COMBINING ACUTE ACCENT} 7"
    )
    beside.done("ledger", "verify")


def test_limits_and_suspending_hold_at_once(house: Living, beside: Cli) -> None:
    key = shown("tk_dev", beside.done("operator", "person", "add", "mei", "Mei Chen"))
    beside.done("operator", "person", "add", "bo", "Bo")
    beside.done("operator", "top-up", "mei", "50", "CNY", "--reference", "B-2")

    def send(amount: int) -> str | None:
        body = {"to": "@bo", "amount": amount, "currency": "CNY"}
        code: str | None = ask(house, key, "/v1/wallet/sends", body).json().get("code")
        return code

    limits = ("--per-payment", "10.00", "--per-day", "15")
    beside.done("operator", "person", "limits", "@mei", "CNY", *limits)
    assert send(1_001) == "limit_exceeded"
    assert send(1_000) is None
    assert send(501) == "limit_exceeded"
    beside.done("operator", "person", "suspend", "@mei")
    assert send(100) == "person_not_active"
    beside.done("operator", "person", "resume", "@mei")
    assert send(100) is None


def test_a_merchant_with_everything(house: Living, beside: Cli) -> None:
    done = beside.done
    fees = ("--fee-percent", "0.60", "--fee-fixed", "0.10")
    merchant = shown("mer", done("operator", "merchant", "add", "Blue", *fees))
    done("operator", "merchant", "fees", merchant, "EUR", "--fee-percent", "1.2")
    listed = done("operator", "merchant", "list")
    assert merchant in listed
    assert "0.60 % + 0.10 CNY, 1.20 % + 0.00 EUR" in listed
    place = ("--city", "Hangzhou", "--country", "CN")
    shop = shown("shp", done("operator", "shop", "add", merchant, "Gate", *place))
    till = shown("til", done("operator", "till", "add", shop, "Till 1"))
    assert shop in done("operator", "shop", "list", merchant)
    assert till in done("operator", "till", "list", shop)
    scopes = ("--scope", "payments:write", "--scope", "payments:read")
    key = shown("tk_mer", done("operator", "merchant", "key", merchant, "T", *scopes))
    order = {"till_id": till, "amount": 100, "currency": "EUR"}
    assert ask(house, key, "/v1/payments", order).json()["status"] == "created"
    assert ask(house, key, "/v1/shops").json()["code"] == "scope_missing"
    done("operator", "merchant", "suspend", merchant)
    assert ask(house, key, "/v1/payments", order).json()["code"] == "merchant_not_active"
    done("operator", "merchant", "resume", merchant)
    assert ask(house, key, "/v1/payments", order).json()["status"] == "created"
    beside.refused("operator", "payout", merchant, "1.00", "CNY", "--reference", "OUT-1")


def test_a_lost_phone(house: Living, beside: Cli) -> None:
    done = beside.done
    made = done("operator", "person", "add", "leo", "Leo")
    lost, key = shown("dev", made), shown("tk_dev", made)
    again = done("operator", "device", "add", "@leo", "New phone")
    done("operator", "device", "revoke", "@leo", lost)
    time.sleep(1)
    assert ask(house, key, "/v1/wallet").status_code == 401
    assert ask(house, shown("tk_dev", again), "/v1/wallet").is_success
    listed = done("operator", "device", "list", "@leo").splitlines()
    (old,) = [line for line in listed if lost in line]
    (new,) = [line for line in listed if "New phone" in line]
    assert re.search(r"\d\d:\d\d$", old.strip())
    assert not re.search(r"\d\d:\d\d$", new.strip())
    beside.refused("operator", "device", "revoke", "@leo", "dev_" + "0" * 32)


def test_a_payment_is_followed_to_its_entries(house: Living, beside: Cli) -> None:
    done = beside.done
    made = done("operator", "person", "add", "kim", "Kim Lee")
    person, key = shown("ppl", made), shown("tk_dev", made)
    done("operator", "top-up", "@kim", "50", "CNY", "--reference", "K-1")
    fees = ("--fee-percent", "1", "--fee-fixed", "0")
    merchant = shown("mer", done("operator", "merchant", "add", "Red Gate", *fees))
    place = ("--city", "Hangzhou", "--country", "CN")
    shop = shown("shp", done("operator", "shop", "add", merchant, "Red Gate, South", *place))
    till = shown("tk_mer", done("operator", "merchant", "key", merchant, "T"))
    code = ask(house, till, f"/v1/shops/{shop}/code?currency=CNY").json()["payload"]
    paid = {"code": code, "amount": 1000, "currency": "CNY"}
    payment = ask(house, key, "/v1/wallet/payments", paid).json()["id"]
    told = done("operator", "payment", "show", payment)
    for text in (person, merchant, shop, "Kim Lee", "captured", "10.00 CNY", "0.10 CNY", "fee"):
        assert text in told
    for which in (("--person", "@kim"), ("--merchant", merchant), ()):
        assert payment in done("operator", "payment", "list", *which)
    assert payment not in done("operator", "payment", "list", "--person", "@lin")
    line = next(one for one in done("ledger", "statement", merchant).splitlines() if "fee" in one)
    assert payment in line
    assert payment in done("ledger", "entry", shown("ent", line))
    assert re.search(r"9.90 CNY +9.90 CNY", done("operator", "merchant", "show", merchant))
    balances = ask(house, till, "/v1/merchants/me/balances").json()["data"]
    assert [(one["currency"], one["balance"]) for one in balances] == [("CNY", 990)]
    lines = ask(house, till, "/v1/merchants/me/statement").json()["data"]
    assert [one["change"] for one in lines] == [-10, 1000]


def test_keys_and_acceptance_of_a_merchant(house: Living, beside: Cli) -> None:
    done = beside.done
    merchant = shown("mer", done("operator", "merchant", "add", "Green"))
    secret = shown("tk_mer", done("operator", "merchant", "key", merchant, "Lost laptop"))
    (line,) = [
        line
        for line in done("operator", "merchant", "keys", merchant).splitlines()
        if "Lost laptop" in line
    ]
    assert secret not in line
    place = ("--city", "Hangzhou", "--country", "CN")
    shop = shown("shp", done("operator", "shop", "add", merchant, "Green, West", *place))
    till = shown("til", done("operator", "till", "add", shop, "Till 1"))
    said = done(
        *("operator", "shop", "accept", shop, "--refuse", "click", "--refuse", "tap"),
        *("--up-to", "scan 5.00 CNY", "--refuse-wallet", "blue"),
    )
    assert re.search(r"scan +yes +5.00 CNY", said)
    assert re.search(r"click +no", said)
    assert "Not the wallets  blue" in said
    order = {"shop_id": shop, "amount": 501, "currency": "CNY"}
    assert ask(house, secret, "/v1/payments", order).json()["code"] == "way_refused"
    assert ask(house, secret, "/v1/payments", order | {"amount": 500}).is_success
    assert re.search(r"scan +yes +5.00 CNY", done("operator", "shop", "show", shop))
    done("operator", "shop", "accept", shop)
    assert ask(house, secret, "/v1/payments", order).is_success
    done("operator", "till", "accept", till, "--refuse", "scan", "--only-wallet", "tandem")
    at_till = {"till_id": till, "amount": 1, "currency": "CNY"}
    assert ask(house, secret, "/v1/payments", at_till).json()["code"] == "way_refused"
    assert "Only the wallets  tandem" in done("operator", "till", "show", till)
    for term in ("scan", "scan 5 CNY x", "walk 5 CNY", "scan 5 QQQ", "scan x CNY", ""):
        assert beside.run("operator", "shop", "accept", shop, "--up-to", term)[0] == 2
    done("operator", "merchant", "revoke-key", merchant, shown("key", line))
    time.sleep(1)
    assert ask(house, secret, "/v1/shops").status_code == 401


def test_what_was_booked_wrongly_is_put_right(house: Living, beside: Cli) -> None:
    done, refused = beside.done, beside.refused
    key = shown("tk_dev", done("operator", "person", "add", "ada", "Ada"))
    done("operator", "top-up", "@ada", "1000.00", "CNY", "--reference", "C-1")
    said = done("operator", "correct", "C-1", "--amount", "900.00", "--reason", "100.00 came in")
    top_up, correction = shown("top", said), shown("cor", said)
    assert "Took back 900.00 CNY" in said
    line = ask(house, key, "/v1/wallet/history").json()["data"][0]
    assert (line["type"], line["change"], line["balance"]) == ("correction", -90_000, 10_000)
    assert (line["message"], line["object_id"]) == ("100.00 came in", correction)
    again = refused("operator", "correct", top_up, "--reason", "again")
    assert again == (
        f"{top_up} was corrected before, by {correction}. A booking is corrected once."
    )
    sent = done("operator", "withdraw", "@ada", "60", "CNY", "--reference", "W-1")
    assert "60.00 CNY from @ada" in sent
    short = refused("operator", "withdraw", "@ada", "40.01", "CNY", "--reference", "W-2")
    assert short == "40.00 CNY can be withdrawn, not 40.01 CNY."
    done("operator", "correct", shown("wdr", sent), "--reason", "The bank sent it back")
    assert beside.run("operator", "withdraw", "ada", "1", "CNY", "--reference", "W-3")[0] == 2
    refused("operator", "withdraw", "fees", "1.00", "CNY", "--reference", "F-1")
    listed = done("operator", "corrections")
    assert correction in listed
    assert top_up in listed
    assert "The bank sent it back" in listed
    assert "nothing differs" in done("ledger", "verify")
    assert re.search(r"^ *Sum .* 0.00", done(*BALANCE), re.MULTILINE)


def test_keys_are_made_listed_and_revoked(house: Living, beside: Cli) -> None:
    secret = shown("tk_op", beside.done("operator", "key", "add", "laptop"))
    assert ask(house, secret, "/v1/merchants").is_success
    listed = beside.done("operator", "key", "list")
    assert secret not in listed
    line = next(line for line in listed.splitlines() if "laptop" in line)
    beside.done("operator", "key", "revoke", shown("key", line))
    time.sleep(1)
    assert ask(house, secret, "/v1/merchants").status_code == 401


@pytest.mark.parametrize("name", ["", " ", "a\x1b[31m", "\udcff", "n" * 101])
def test_a_key_has_a_name_that_can_be_shown(beside: Cli, name: str) -> None:
    """A byte that is not UTF-8 comes from a terminal as half a surrogate pair."""
    before = beside.done("operator", "key", "list")
    assert beside.refused("operator", "key", "add", name, status=2).startswith("name: ")
    assert beside.done("operator", "key", "list") == before
    assert name == "" or "Since" in beside.done("operator", "person", "list", name)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("operator", "person", "show", "@nobody"), "person"),
        (("operator", "correct", "pyt_" + "0" * 32, "--reason", "x"), "booking"),
        (("operator", "withdraw", "@nobody", "1", "CNY", "--reference", "x"), "person"),
        (("operator", "person", "suspend", NOBODY), "person"),
        (("operator", "merchant", "suspend", "mer_" + "0" * 32), "merchant"),
        (("operator", "till", "add", "shp_" + "0" * 32, "Till"), "shop"),
        (("operator", "tag", "add", "shp_" + "0" * 32, "Counter"), "shop"),
        (("operator", "tag", "revoke", "tag_" + "0" * 32), "tag"),
        (("operator", "key", "revoke", "key_" + "0" * 32), "API key"),
        (("ledger", "entry", "ent_" + "0" * 32), "entry"),
        (("ledger", "statement", "@nobody"), "person"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_what_is_not_there_is_a_sentence(
    beside: Cli, arguments: tuple[str, ...], says: str
) -> None:
    assert beside.refused(*arguments).startswith(f"No {says} ")


def test_books_that_were_tampered_with_are_found(fresh_database: str, cli: Cli) -> None:
    cli.on(url=fresh_database)
    cli.done("operator", "person", "add", "lin", "Lin")
    cli.done("operator", "top-up", "lin", "100", "CNY", "--reference", "B-1")
    change(
        fresh_database,
        "UPDATE accounts SET credits_posted = credits_posted + 1 WHERE code = 2 AND ledger = 156",
    )
    status, out, err = cli.run("ledger", "verify")
    assert status == 1
    assert "account totals" in out
    assert err.startswith("✗ The books differ in 1 place")


def change(url: str, statement: str, *values: object) -> None:
    """Do what somebody with a key to the database can."""

    async def execute_it() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    asyncio.run(execute_it())


def test_a_database_of_ones_own(empty_database: str, cli: Cli) -> None:
    cli.on(url=empty_database)
    assert "none yet" in cli.done("db", "status")
    assert "Brought up to date by" in cli.done("db", "upgrade")
    assert "The schema is up to date." in cli.done("db", "upgrade")
    assert cli.done("db", "url").startswith("postgresql://")
    assert "Nothing is booked yet." in cli.done(*BALANCE)


async def test_the_short_question_about_the_schema_knows_the_head(
    empty_database: str, fresh_database: str
) -> None:
    assert not await up_to_date(empty_database)
    assert await up_to_date(fresh_database)
    assert await current(fresh_database) == head()


def test_a_newer_database_is_not_touched(empty_database: str, cli: Cli) -> None:
    asyncio.run(upgrade(empty_database))
    change(empty_database, "UPDATE alembic_version SET version_num = 'newer'")
    cli.on(url=empty_database)
    for command in (("db", "upgrade"), ("ledger", "verify"), ("operator", "person", "list")):
        assert "newer" in cli.refused(*command)


def test_a_database_that_is_not_there_is_a_sentence(cli: Cli) -> None:
    cli.on(url="postgresql://me:secret@127.0.0.1:1/x")
    for command in (("db", "status"), ("ledger", "verify"), ("up", "--port", "0")):
        assert "secret" not in cli.refused(*command)


def test_names_cannot_move_the_cursor(fresh_database: str, cli: Cli) -> None:
    cli.on(url=fresh_database)
    cli.done("operator", "person", "add", "lin", "Lin")
    name = "\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}x"
    change(fresh_database, "UPDATE people SET name = $1", name)
    assert "\\u001b[2J\\u202ex" in cli.done("operator", "person", "list")


def test_card_keys_and_cards_by_hand(house: Living, beside: Cli, tmp_path: Path) -> None:
    done = beside.done
    nothing = beside.refused("cards", "keys", "show")
    assert "no card was added yet" in nothing
    assert "authority" in done("cards", "keys", "create")
    file = tmp_path / "terminals.json"
    assert "Wrote 1 public keys" in done("cards", "keys", "export", str(file))
    done("cards", "keys", "rotate", "authority")
    done("cards", "keys", "export", str(file))
    assert [key.index for key in TrustedKeys.from_bytes(file.read_bytes().strip()).keys] == [1, 2]
    assert "master" in done("cards", "keys", "rotate", "master")
    key = shown("tk_dev", done("operator", "person", "add", "card", "Card Holder"))
    later = ask(house, key, "/v1/people/me/devices", {"name": "Watch"}).json()["key"]
    public = base64.b64encode(b"\x09".ljust(32, b"\x07")).decode()
    body = {"currency": "CNY", "device_key": public}
    card = ask(house, later, "/v1/people/me/cards", body).json()
    assert card["id"] in done("operator", "card", "list", "@card", "--status", "waiting_code")
    code = re.search(r"\b[0-9]{6}\b", done("operator", "card", "code", card["id"]))
    assert code is not None
    proved = ask(house, later, f"/v1/people/me/cards/{card['id']}/prove", {"code": code[0]})
    assert proved.json()["status"] == "active"
    public = base64.b64encode(b"\x09".ljust(32, b"\x08")).decode()
    given = ask(house, key, "/v1/people/me/cards", body | {"device_key": public}).json()["id"]
    ask(house, key, f"/v1/people/me/cards/{given}/package", {})
    done("operator", "card", "block", given)
    listed = tmp_path / "exceptions.txt"
    listed.write_text("1")
    assert "Wrote 1 card number to" in done("cards", "exceptions", str(listed))
    (number,) = listed.read_text().split()
    assert number.startswith("980123")
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == [listed, file]
    assert "no such file" in beside.refused("cards", "exceptions", str(tmp_path / "no" / "file"))
    for command, status in (("block", "blocked"), ("restore", "active"), ("remove", "removed")):
        said = done("operator", "card", command, card["id"])
        assert f"is {status}" in said
        assert card["last_four"] in said
    assert "does not allow" in beside.refused("operator", "card", "confirm", card["id"])
    assert "does not allow" in beside.refused("operator", "card", "renew", card["id"])
