"""How things are printed: plain words, amounts as people write them, nothing that moves the cursor.

What came from outside (names, messages, codes) may hold terminal escapes or turn the line around;
`printable` shows such characters as escapes. Nothing is read as markup.
"""

import sys
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tandem.kernel import Currency, format_amount

JADE: Final = "#0E8F6E"
EMBER: Final = "#D9542B"
FAINT: Final = "dim"


_WHOLE: Final = frozenset(
    {"Correction", "Device", "Entry", "For", "Key", "Merchant", "Of"}
    | {"Payment", "Person", "Shop", "Till"}
)
"""Columns of ids: one that is broken over two lines cannot be copied."""
_WIDEST: Final = 2000


class _Output(Console):
    """A console that leaves it to the command's end what it means that nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Not an exit with a status of its own: `tandem.cli.root` knows what to do."""
        raise BrokenPipeError


def console() -> Console:
    """Standard output, in colour if it is a terminal (and NO_COLOR is not set)."""
    return _Output(highlight=False, markup=False, emoji=False, soft_wrap=False)


def printable(text: object) -> str:
    """The text with everything that cannot be printed as an escape, on one line."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(text))


def money(minor: int, unit: Currency) -> str:
    """`38.00 CNY`."""
    return f"{format_amount(minor, unit)} {unit.code}"


def complain(sentence: str) -> None:
    """A refusal, on standard error."""
    out = Console(stderr=True, highlight=False, markup=False, emoji=False)
    out.print(Text.assemble(("✗ ", EMBER), printable(sentence)), soft_wrap=True)


def done(sentence: str) -> None:
    """That it worked, on standard output."""
    console().print(Text.assemble(("✓ ", JADE), printable(sentence)), soft_wrap=True)


def say(text: str = "") -> None:
    """A line of plain text."""
    console().print(Text(text), soft_wrap=True)


def facts(pairs: dict[str, str], *, indent: int = 0) -> None:
    """Names and values below each other. Values are never cut or broken."""
    width = max(map(len, pairs), default=0)
    out = console()
    for name, value in pairs.items():
        named = (" " * indent + name.ljust(width) + "  ", FAINT)
        out.print(Text.assemble(named, printable(value)), soft_wrap=True)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A calm table; the columns named in `right` hold numbers. Nothing in it is cut."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style=FAINT, show_edge=False)
    for column in columns:
        if column in right:
            made.add_column(column, justify="right", no_wrap=True)
        else:
            made.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    return made


def show(made: Table) -> None:
    """Print a table; in a file or a pipe as wide as it needs to be."""
    out = console()
    if not sys.stdout.isatty():
        out.width = max(out.width, Console(width=_WIDEST).measure(made).maximum)
    out.print(made)


def cells(*values: object) -> list[Text]:
    """A row's cells, safe to print."""
    return [Text(printable(value)) for value in values]
