"""`tandem api` and `tandem help-reference`: the references in docs/reference, printed."""

import re
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tandem.api import event_types, problems
from tandem.api.openapi import document, render
from tandem.app import operations
from tandem.cli.errors import FileUnusable
from tandem.cli.show import done
from tandem.settings import Settings

app = App(name="api", help="Print the references of the API.", help_format="markdown")

Write = Annotated[Path | None, Parameter(name="--write")]
_TITLE: Final = "# The command line\n\n"
_NOTE: Final = "Printed by `tandem help-reference`; a test compares it.\n\n"


@app.command
def openapi(*, write: Write = None) -> None:
    """Print the OpenAPI document, with what only a sandbox can do.

    Example: `tandem api openapi --write docs/reference/openapi.json`

    Parameters
    ----------
    write
        Write it to this file instead.
    """
    _give(openapi_reference(), write)


def openapi_reference() -> str:
    """docs/reference/openapi.json."""
    return render(document(operations(Settings(mode="sandbox")))).decode()


@app.command
def errors(*, write: Write = None) -> None:
    """Print every problem that the API answers with: code, status, meaning, data.

    Example: `tandem api errors --write docs/reference/errors.md`

    Parameters
    ----------
    write
        Write it to this file instead.
    """
    _give(problems.reference(), write)


@app.command
def events(*, write: Write = None) -> None:
    """Print every type of event: who is told, when, and what its data is.

    Example: `tandem api events --write docs/reference/events.md`

    Parameters
    ----------
    write
        Write it to this file instead.
    """
    _give(event_types.reference(), write)


def help_reference(*, write: Write = None) -> None:
    """Print the reference of the command line.

    Example: `tandem help-reference --write docs/reference/cli.md`

    Parameters
    ----------
    write
        Write it to this file instead.
    """
    _give(cli_reference(), write)


def cli_reference() -> str:
    """docs/reference/cli.md: every command with its help."""
    from tandem.cli.root import COMMANDS, tree  # noqa: PLC0415 - the root imports this module

    # The library names a command after how this process was started, be it `python -m pytest`.
    started_as, sys.argv = sys.argv, ["tandem"]
    try:
        text = tree(*COMMANDS).generate_docs(output_format="markdown", recursive=True)
    finally:
        sys.argv = started_as
    body = text.partition("\n")[2].lstrip()
    lines = [line.rstrip() for line in (_TITLE + _NOTE + body).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _give(text: str, write: Path | None) -> None:
    if write is None:
        sys.stdout.write(text)
        return
    try:
        write.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileUnusable(str(write), (error.strerror or "cannot be written").lower()) from error
    done(f"Wrote {write}.")
