"""How the story looks: 80 columns are enough, and without colour nothing is missing."""

from typing import Final

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tandem.codes import Symbol
from tandem.emv.terminal import UiRequest
from tandem.kernel import currency, format_amount
from tandem.sandbox.story.client import Reply

JADE: Final = "#0E8F6E"
EMBER: Final = "#D9542B"
WIDTH: Final = 80
_NAME: Final = 10
UNIT: Final = currency("CNY")


def yuan(minor: int) -> str:
    """`38.00 CNY`."""
    return f"{format_amount(minor, UNIT)} {UNIT.code}"


def signed(minor: int) -> str:
    """`+38.00` or `-38.00`; nothing for nothing."""
    return f"{'+' if minor > 0 else ''}{format_amount(minor, UNIT)}" if minor else ""


class Page:
    """Prints the story."""

    def __init__(self, console: Console) -> None:
        self._out = console
        self._scene = 0

    def scene(self, title: str) -> None:
        """A new scene begins."""
        self._scene += 1
        self._out.print()
        self._out.print(
            Rule(Text(f"{self._scene}  {title}", style="bold"), align="left", style="dim")
        )

    def step(self, who: str, what: str, reply: Reply | None = None) -> None:
        """Somebody did something; how it was asked for stands on the right."""
        left = Text.assemble((f"  {who:<{_NAME}}", "bold"), what)
        if reply is None:
            self._out.print(left)
            return
        right = Text(reply.call, style="dim")
        room = min(WIDTH, self._out.width) - right.cell_len
        if left.cell_len + 2 > room:
            self._out.print(left)
            left = Text()
        gap = " " * max(2, room - left.cell_len)
        self._out.print(Text.assemble(left, gap, right), soft_wrap=True)

    def good(self, what: str) -> None:
        """It came out well."""
        self._hanging(Text("  ✓", style=JADE), what)

    def refused(self, reply: Reply) -> None:
        """It was refused, as it should be; with the sentence that the API gave."""
        self._hanging(Text("  ✗", style=EMBER), f"{reply['code']}: {reply['detail']}")

    def _hanging(self, mark: Text, what: str) -> None:
        """A mark and a text whose further lines stand below its first."""
        made = Table.grid(padding=(0, 1))
        made.add_row(mark, Text(what))
        self._out.print(made, width=min(WIDTH, self._out.width))

    def no(self, what: str) -> None:
        """It was refused, as it should be."""
        self._hanging(Text("  ✗", style=EMBER), what)

    def lights(self, ui: UiRequest) -> None:
        """What a terminal's reader shows: its four lights, its words, the amount."""
        lit = "●" * ui.lights.lit
        amount = "" if ui.amount is None else f"  {yuan(ui.amount)}"
        words = (f"  {ui.text()}{amount}", "")
        self._out.print(Text.assemble("    ", (lit, JADE), ("○" * (4 - len(lit)), "dim"), words))

    def slip(self, text: str) -> None:
        """A receipt as a terminal prints it."""
        drawn = Padding(Panel(Text(text), box=ROUNDED, expand=False), (0, 0, 0, 4), expand=False)
        self._out.print(drawn)

    def note(self, what: str) -> None:
        """A remark."""
        self._out.print(Text(f"    {what}", style="dim"))

    def code(self, symbol: Symbol) -> None:
        """Draw a code, as a screen shows it."""
        colour = self._out.is_terminal and not self._out.no_color
        drawn = symbol.terminal(colour=colour)
        self._out.print()
        if self._out.width < symbol.width // (1 if symbol.kind == "QR code" else 2):
            self.note(f"(This {symbol.kind} needs a terminal of {symbol.width} columns.)")
            return
        text = Text.from_ansi(drawn) if colour else Text(drawn)
        self._out.print(text, end="", soft_wrap=True)
        self._out.print()

    def receipts(self, *receipts: tuple[str, dict[str, str]]) -> None:
        """Receipts beside each other."""
        width = (min(WIDTH, self._out.width) - 4) // max(1, len(receipts))
        drawn = []
        for title, lines in receipts:
            made = Table.grid(expand=True)
            made.add_column(style="dim")
            made.add_column(justify="right", overflow="fold")
            for name, value in lines.items():
                made.add_row(Text(name), Text(value))
            drawn.append(Panel(made, title=Text(title), box=ROUNDED, width=width))
        self._out.print(Columns(drawn))

    def table(
        self,
        title: str,
        columns: dict[str, bool],
        rows: list[list[str]],
        foot: list[str] | None = None,
    ) -> None:
        """A table; `columns` says of each whether it holds numbers."""
        made = Table(
            title=Text(title, style="bold"),
            title_justify="left",
            box=SIMPLE_HEAD,
            header_style="dim",
            show_edge=False,
            show_footer=foot is not None,
        )
        for at, (name, number) in enumerate(columns.items()):
            made.add_column(
                name,
                footer="" if foot is None else foot[at],
                justify="right" if number else "left",
                no_wrap=number,
            )
        for row in rows:
            made.add_row(*map(Text, row))
        self._out.print()
        self._out.print(made)
