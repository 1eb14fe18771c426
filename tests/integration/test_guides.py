"""The guides' commands, run as they stand there: each does what the comment beside it says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from tapping import free_port

from conftest import open_folder
from living import Living, living

DOCS: Final = Path(__file__).parents[2] / "docs"
HERE: Final = "http://127.0.0.1:8080"
LIMIT_S: Final = 120
MARK: Final = "--- block"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the guides use curl")


@pytest.fixture
async def server() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data") as made:
            yield made


def blocks(name: str) -> list[str]:
    """A guide's blocks of commands."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def follow(server: Living, *wanted: str, folder: Path) -> list[str]:
    """What each block prints, run one after another by one shell."""
    script = "set -euo pipefail\n" + "".join(f"{block}\necho\necho '{MARK}'\n" for block in wanted)
    ours = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603 - the guide's own commands, as a reader's shell runs them
        ["/bin/bash", "-c", script.replace(HERE, server.url)],
        cwd=folder,
        env=ours | {"TANDEM_DATA": str(server.data), "PATH": path},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.split(MARK)[:-1]


def check(wanted: list[str], said: list[str]) -> None:
    """Each comment at the end of a line is in what its block prints."""
    assert len(wanted) == len(said)
    promised = 0
    for block, printed in zip(wanted, said, strict=True):
        for promise in re.findall(r'  # ("\S+)$', block, re.MULTILINE):
            assert promise in printed, (promise, printed)
            promised += 1
    assert promised


async def test_a_first_tap(server: Living, tmp_path: Path) -> None:
    port = str(free_port())
    wanted = [block.replace("35970", port) for block in blocks("first-tap.md")]
    said = follow(server, *wanted, folder=tmp_path)
    promises = [re.findall(r"  # → (.+)$", block, re.MULTILINE) for block in wanted]
    assert sum(map(len, promises)) > 10
    for words, printed in zip(promises, said, strict=True):
        for promise in words:
            assert promise in printed, (promise, printed)


async def test_a_first_payment(server: Living, tmp_path: Path) -> None:
    wanted = blocks("first-payment.md")
    check(wanted, follow(server, *wanted, folder=tmp_path))
    assert (tmp_path / "code.svg").read_text(encoding="utf-8").startswith("<svg")


def test_whoever_has_seen_enough_may_close_the_pipe(tmp_path: Path) -> None:
    script = f"""
    set -o pipefail
    {sys.executable} -m tandem codes pay --seed {"A" * 43}= --index 12345678 | head -1
    """
    done = subprocess.run(  # noqa: S603 - our own command
        ["/bin/bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_the_sandbox(server: Living, tmp_path: Path) -> None:
    start = blocks("first-payment.md")[0]
    wanted = blocks("sandbox.md")
    _, *said = follow(server, start, *wanted, folder=tmp_path)
    check(wanted, said)
    rules = '"action":"decline"', '"name":"slow"', '"after_seconds":90', '"action":"ignore"'
    assert all(rule in said[0] for rule in rules)


async def test_a_phone_reads_the_clock_that_its_codes_depend_on(
    server: Living, tmp_path: Path
) -> None:
    """The sandbox's guide says so: with the device's own key."""
    asked = """
    PHONE=$(tandem operator person add @lin "Lin Wei")
    DEVICE=$(echo "$PHONE" | grep -o 'tk_dev_[A-Za-z0-9_-]*')
    curl -s http://127.0.0.1:8080/v1/sandbox/clock -H "Authorization: Bearer $DEVICE"
    """
    (said,) = follow(server, asked, folder=tmp_path)
    assert '"offset_seconds":0' in said
