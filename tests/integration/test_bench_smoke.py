"""The benchmark runs: every way, a few payments each, with its own check that the books are whole.

Its figures say nothing here; that they are there, and from real payments, is what is shown.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conftest import open_folder
from tandem.db.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
WAYS = {
    "bare",
    "tandem journal",
    "usual pgbench",
    "tandem http",
    "usual http",
    "tandem http pay code",
    "tandem iso 8583",
    "tandem iso 8583 half",
    "tandem http first",
    "usual http first",
    "tap in process",
}
AT_READER = "tap pc/sc"
"""Only where the virtual reader can be started."""


def bench(*arguments: str, database_url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "TANDEM_BENCH_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
async def durable() -> AsyncIterator[str]:
    """The URL of a server that waits for the disk: no other is measured."""
    with open_folder() as folder:
        async with EmbeddedPostgres(folder / "data") as server:
            yield server.dsn


@pytest.fixture(scope="module")
def ran(
    durable: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple["subprocess.CompletedProcess[str]", dict[str, Any]]:
    written = tmp_path_factory.mktemp("bench") / "run.json"
    done = bench("--smoke", "--json", str(written), database_url=durable)
    assert done.returncode == 0, done.stderr
    return done, json.loads(written.read_text())


def test_every_way_pays_and_the_books_are_whole(
    ran: tuple["subprocess.CompletedProcess[str]", dict[str, Any]],
) -> None:
    _, run = ran
    assert {measure["way"] for measure in run["measures"]} - {AT_READER} == WAYS
    paid = 0
    for measure in run["measures"]:
        (sample,) = measure["samples"]
        assert 0 < sample["count"] <= sample["acknowledged"], measure
        assert 0 < sample["p50_ms"] <= sample["p99_ms"], measure
        paid += (
            0 if measure["way"] in {"bare", "tap in process", AT_READER} else sample["acknowledged"]
        )
        if measure["way"].startswith("tap"):
            *parts, whole = sample["parts"].values()
            assert min(parts) > 0
            assert sum(parts) < whole
    # two transfers for each payment, and the top-ups of the hundred people of both databases
    assert run["verified_transfers"] >= 2 * paid + 2 * 100


def test_the_table_fits_and_names_every_target(
    ran: tuple["subprocess.CompletedProcess[str]", dict[str, Any]],
) -> None:
    done, run = ran
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert run["machine"]["name"] in done.stdout
    assert sum(line.startswith(("✓ ", "✗ ", "- ")) for line in lines) == 11
    assert "cryptography" in done.stdout
    taps = [measure for measure in run["measures"] if measure["way"] == AT_READER]
    assert taps or "No taps over PC/SC: " in done.stderr


def test_a_payment_takes_no_more_steps_than_it_did(durable: str) -> None:
    """Counted, so the same on every machine; who needs more of them changes the bound knowingly."""
    done = bench("--steps", database_url=durable)
    assert done.returncode == 0, done.stderr
    first, _, *rows = done.stdout.splitlines()
    found = re.match(r"([\d,]+) bytecodes and (\d+) calls", first)
    assert found is not None, first
    codes = int(found[1].replace(",", ""))
    assert codes > 1_000
    assert 100 < int(found[2]) < 250
    if sys.version_info[:2] == (3, 11):  # each version has bytecodes of its own
        assert codes < 6_500
    assert any("PayStatic.decide" in row for row in rows)


def test_a_server_that_is_not_durable_is_not_measured(durable: str) -> None:
    joined = "&" if "?" in durable else "?"
    url = f"{durable}{joined}options=-c%20synchronous_commit%3Doff"
    done = bench("--smoke", database_url=url)
    assert done.returncode == 1
    assert "synchronous_commit is off on this server, and must be on" in done.stderr
    assert "Traceback" not in done.stderr
