"""Commands as somebody at a terminal runs them, in this process: fixture `cli` of conftest."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tandem.cli.root import execute


@dataclass
class Cli:
    """Runs commands and looks at how they end."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def on(self, *, data: Path | None = None, url: str | None = None, role: str = "") -> None:
        """Work on this installation from now on."""
        given = {"TANDEM_DATA": data, "TANDEM_DATABASE_URL": url, "TANDEM_DATABASE_ROLE": role}
        for name, value in given.items():
            self.monkeypatch.delenv(name, raising=False)
            if value:
                self.monkeypatch.setenv(name, str(value))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        status = execute(arguments)
        shown = self.capsys.readouterr()
        return status, shown.out, shown.err

    def done(self, *arguments: str) -> str:
        status, out, err = self.run(*arguments)
        assert status == 0, out + err
        return out

    def refused(self, *arguments: str, status: int = 1) -> str:
        """The sentence that says why not, and nothing else: no output, no traceback."""
        ended, out, err = self.run(*arguments)
        assert (ended, out) == (status, ""), out + err
        assert err.startswith("✗ "), err
        assert err.count("\n") == 1, err
        return err.removeprefix("✗ ").strip()


def shown(prefix: str, text: str) -> str:
    """The first id or key with this prefix in what was printed."""
    found = re.search(rf"\b{prefix}_[\w-]+", text)
    assert found is not None, text
    return found[0]
