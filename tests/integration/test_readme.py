"""The README says what is so: its first screen, and every command in it."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FIRST_SCREEN_LINES: Final = 24
LIMIT_S: Final = 240
OURS: Final = ("TANDEM_", "MAKE", "MFLAGS", "PYTEST_", "VIRTUAL_ENV")


def blocks(document: str, language: str) -> list[str]:
    """The code blocks of a document in one language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """The commands of a block, without prompts, comments and what they print."""
    lines = block.splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [command for line in lines if (command := line.partition(" # ")[0].strip())]


def targets() -> set[str]:
    """What `make help` lists."""
    shown = run("make help", {}).stdout
    return set(re.findall(r"^  make (\S+)", shown, re.MULTILINE))


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would: in the checkout, with nothing of this test's around it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(  # noqa: S602 - the README's own commands, as a reader's shell runs them
        command,
        shell=True,
        cwd=ROOT,
        env=clean | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_the_first_screen_has_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    screen = "\n".join(text.splitlines()[:FIRST_SCREEN_LINES])
    first = re.findall(r"^```\w+\n(.*?)^```$", screen, re.MULTILINE | re.DOTALL)
    assert [command for block in first for command in commands(block)] == ["make demo", "make test"]
    assert "operators" in screen
    assert "merchants" in screen


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_make_has_every_target_that_is_named(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    shown = re.findall(r"`make ([a-z]+)[ `]", text)
    for block in blocks(document, "sh") + blocks(document, "console"):
        shown += re.findall(r"^(?:\$ )?make ([a-z]+)", block, re.MULTILINE)
    assert shown
    assert set(shown) <= targets()


def test_the_demo_ends_with_books_that_balance(temporary_folder: Path) -> None:
    shown = run("make demo ARGS=--once", {"TANDEM_DATA": str(temporary_folder / "data")})
    assert shown.returncode == 0, shown.stdout
    assert "Traceback" not in shown.stdout
    story, heading, closing = shown.stdout.lower().rpartition("trial balance")
    assert heading, shown.stdout
    assert story
    sums = re.findall(r"\b(?:sum|total)s?\b.*", closing)
    assert sums, closing
    for line in sums:
        assert re.search(r"(?<![\d.,])0(?:\.0+)?(?![\d.,]*\d)", line), line


def test_the_commands_by_hand_work_in_order(temporary_folder: Path) -> None:
    asked = [command for block in blocks("README.md", "console") for command in commands(block)]
    assert asked
    for command in asked:
        shown = run(command, {"TANDEM_DATA": str(temporary_folder / "data")})
        assert shown.returncode == 0, f"{command}\n{shown.stdout}"
        assert "Traceback" not in shown.stdout, command
