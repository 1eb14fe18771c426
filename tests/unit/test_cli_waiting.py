"""Word of what takes its time, where nobody sees a spinner."""

import asyncio

import pytest

from tandem.cli import run


async def _wait(capsys: pytest.CaptureFixture[str], *steps: str) -> str:
    with run.waiting("Starting PostgreSQL") as tell:
        for step in steps:
            await asyncio.sleep(0.01)
            tell(step)
        await asyncio.sleep(0.01)
    return capsys.readouterr().err


async def test_what_takes_long_is_told_a_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SILENT_SECONDS", 0.0)
    said = await _wait(capsys, "Bringing the tables up to date", "odd \x1b[31m step")
    assert said.splitlines() == [
        "Starting PostgreSQL …",
        "Bringing the tables up to date …",
        r"odd \u001b[31m step …",
    ]


async def test_what_is_over_sooner_needs_no_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SILENT_SECONDS", 60.0)
    assert not await _wait(capsys, "Bringing the tables up to date", "")
