"""The commands that work on a database: beside a running `tandem up`, and alone.

They run in this process, which has imported everything already; test_processes.py and test_demo.py
run whole programs.
"""

import asyncio
import base64
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from living import Living, fresh_key, living

from conftest import open_folder
from tandem.cli.root import execute
from tandem.db.migrate import current, upgrade
from tandem.db.schema import head, up_to_date
from tandem.emv.authority import TrustedKeys

BALANCE = ("ledger", "trial-balance")
NOBODY = "ppl_" + "0" * 32


@dataclass
class Cli:
    """Runs commands as somebody at a terminal does."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def on(self, *, data: Path | None = None, url: str | None = None) -> None:
        """Work on this installation from now on."""
        for name, value in (("TANDEM_DATA", data), ("TANDEM_DATABASE_URL", url)):
            self.monkeypatch.delenv(name, raising=False)
            if value is not None:
                self.monkeypatch.setenv(name, str(value))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        status = execute(arguments)
        shown = self.capsys.readouterr()
        return status, shown.out, shown.err

    def done(self, *arguments: str) -> str:
        status, out, err = self.run(*arguments)
        assert status == 0, out + err
        return out

    def refused(self, *arguments: str) -> str:
        status, out, err = self.run(*arguments)
        assert (status, out) == (1, "")
        assert err.startswith("✗ ")
        return err.removeprefix("✗ ").strip()


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Cli]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TANDEM_KEY_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("COLUMNS", "80")
    yield Cli(capsys, monkeypatch)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


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


def shown(prefix: str, text: str) -> str:
    found = re.search(rf"\b{prefix}_[\w-]+", text)
    assert found is not None, text
    return found[0]


def ask(house: Living, key: str, path: str, body: Any = None) -> httpx.Response:  # noqa: ANN401 - any JSON
    """Ask the running server."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": fresh_key()}
    if body is None:
        return httpx.get(f"{house.url}{path}", headers=headers, timeout=30)
    return httpx.post(f"{house.url}{path}", headers=headers, json=body, timeout=30)


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


def test_keys_are_made_listed_and_revoked(house: Living, beside: Cli) -> None:
    secret = shown("tk_op", beside.done("operator", "key", "add", "laptop"))
    assert ask(house, secret, "/v1/merchants").is_success
    listed = beside.done("operator", "key", "list")
    assert secret not in listed
    line = next(line for line in listed.splitlines() if "laptop" in line)
    beside.done("operator", "key", "revoke", shown("key", line))
    time.sleep(1)
    assert ask(house, secret, "/v1/merchants").status_code == 401


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("operator", "person", "show", "@nobody"), "person"),
        (("operator", "person", "suspend", NOBODY), "person"),
        (("operator", "merchant", "suspend", "mer_" + "0" * 32), "merchant"),
        (("operator", "till", "add", "shp_" + "0" * 32, "Till"), "shop"),
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
    for command, status in (("block", "blocked"), ("restore", "active"), ("remove", "removed")):
        said = done("operator", "card", command, card["id"])
        assert f"is {status}" in said
        assert card["last_four"] in said
    assert "does not allow" in beside.refused("operator", "card", "confirm", card["id"])
    assert "does not allow" in beside.refused("operator", "card", "renew", card["id"])
