"""Draw codes: QR (ISO/IEC 18004) and Code 128 (ISO/IEC 15417) as SVG, PNG and for a terminal.

segno makes the QR symbol and zxing-cpp the Code 128 symbol (which switches to set C, two digits in
one character, wherever that is shorter, and adds the check character). Both come out as modules,
dark or light, and one set of renderers draws them, quiet zone included.
"""

import io
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

import segno
import zxingcpp
from PIL import Image

from tandem.codes.errors import CodeTooLong
from tandem.kernel import Invalid

MAX_QR_BYTES: Final = 2331
"""The most bytes that are put into a QR code: what version 40 holds at error correction M."""
MAX_CODE128: Final = 48
"""The most characters of a Code 128: wider ones are no longer read by a till's scanner."""
MAX_SCALE: Final = 64

_QR_QUIET = 4
_CODE128_QUIET = 10
_BAR_HEIGHT = 40  # modules; 15 % of the width of a pay code, and then some
_BAR_LINES = 8  # lines of a terminal
# Colours 16 and 231 of the 256 are black and white whatever the terminal's theme is.
_INK = "\x1b[38;5;16;48;5;231m"
_NO_INK = "\x1b[0m"
_STACKED = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_BESIDE = {(False, False): " ", (True, False): "▌", (False, True): "▐", (True, True): "█"}

Row = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A drawn code: rows of modules, True for dark, with the quiet zone around them.

    A bar code is one row, drawn `stretch` modules high.
    """

    kind: Literal["QR code", "bar code"]
    rows: tuple[Row, ...]
    stretch: int

    @property
    def width(self) -> int:
        """Width in modules, quiet zone included."""
        return len(self.rows[0])

    @property
    def height(self) -> int:
        """Height in modules, quiet zone included."""
        return len(self.rows) * self.stretch

    def svg(self, title: str | None = None, scale: int = 4) -> str:
        """An `<svg>` element to put into a page or a file; `title` is read out to the blind.

        `scale` is the size of a module in pixels. Raises `Invalid` unless it is 1 to 64.
        """
        _check_scale(scale)
        label = escape(_printable(title or self.kind))
        path = "".join(
            f"M{start} {y * self.stretch}h{length}v{self.stretch}h-{length}z"
            for y, row in enumerate(self.rows)
            for start, length in _runs(row)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}"'
            f' width="{self.width * scale}" height="{self.height * scale}"'
            f' viewBox="0 0 {self.width} {self.height}" shape-rendering="crispEdges">'
            f"<title>{label}</title>"
            f'<rect width="{self.width}" height="{self.height}" fill="#fff"/>'
            f'<path fill="#000" d="{path}"/></svg>'
        )

    def png(self, scale: int = 8) -> bytes:
        """A black and white PNG; `scale` is the size of a module in pixels, 1 to 64."""
        _check_scale(scale)
        levels = bytes(0 if dark else 255 for row in self.rows for dark in row)
        image = Image.frombytes("L", (self.width, len(self.rows)), levels)
        size = (self.width * scale, self.height * scale)
        out = io.BytesIO()
        image.resize(size, Image.Resampling.NEAREST).convert("1").save(out, "PNG", optimize=True)
        return out.getvalue()

    def terminal(self, *, colour: bool = True) -> str:
        """Lines of half blocks, each ended by a newline.

        With `colour`, black on white whatever the terminal's theme; without (NO_COLOR, a pipe) the
        light modules are drawn, as is right on a dark ground and read by most phones on any.
        """
        lines = self._bar_lines(colour) if self.kind == "bar code" else self._square_lines(colour)
        return "".join(f"{_INK}{line}{_NO_INK}\n" if colour else f"{line}\n" for line in lines)

    def _square_lines(self, drawn: bool) -> list[str]:  # noqa: FBT001 -- which modules are drawn
        light = (False,) * self.width
        rows = self.rows if len(self.rows) % 2 == 0 else (*self.rows, light)
        return [
            "".join(_STACKED[a == drawn, b == drawn] for a, b in zip(upper, lower, strict=True))
            for upper, lower in zip(rows[::2], rows[1::2], strict=True)
        ]

    def _bar_lines(self, drawn: bool) -> list[str]:  # noqa: FBT001 -- as above
        row = self.rows[0] if self.width % 2 == 0 else (*self.rows[0], False)
        pairs = zip(row[::2], row[1::2], strict=True)
        return ["".join(_BESIDE[a == drawn, b == drawn] for a, b in pairs)] * _BAR_LINES


def draw_qr(text: str) -> Symbol:
    """A QR code of `text` in UTF-8, at error correction M or better, quiet zone 4 modules.

    Raises `Invalid` if it is empty or no Unicode text, `CodeTooLong` above 2,331 bytes.
    """
    try:
        length = len(text.encode())
    except UnicodeEncodeError as error:
        raise Invalid("text", "is not Unicode text") from error
    if not length:
        raise Invalid("text", "is empty")
    if length > MAX_QR_BYTES:
        raise CodeTooLong("the text of the QR code, in bytes,", length, MAX_QR_BYTES)
    symbol = segno.make_qr(text, error="m", encoding="utf-8")
    rows = tuple(tuple(map(bool, row)) for row in symbol.matrix_iter(border=_QR_QUIET))
    return Symbol("QR code", rows, 1)


def draw_code128(text: str) -> Symbol:
    """A Code 128 of printable ASCII, quiet zone 10 modules.

    Raises `Invalid` if it is empty or has other characters, `CodeTooLong` above 48 characters.
    """
    if not text or not (text.isascii() and text.isprintable()):
        raise Invalid("text", "a bar code holds printable ASCII characters, at least one")
    if len(text) > MAX_CODE128:
        raise CodeTooLong("the text of the bar code, in characters,", len(text), MAX_CODE128)
    barcode = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128)
    image = Image.fromarray(barcode.to_image(scale=1, add_hrt=False, add_quiet_zones=False))
    row = tuple(level == 0 for level in image.crop((0, 0, image.width, 1)).tobytes())
    quiet = (False,) * _CODE128_QUIET
    return Symbol("bar code", ((*quiet, *row, *quiet),), _BAR_HEIGHT)


def _runs(row: Row) -> list[tuple[int, int]]:
    """Where dark runs start, and how long they are."""
    edges = [x for x in range(len(row) + 1) if _dark(row, x) != _dark(row, x - 1)]
    return [(start, end - start) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _dark(row: Row, x: int) -> bool:
    return 0 <= x < len(row) and row[x]


def _printable(text: str) -> str:
    """Without what XML forbids and what turns text around."""
    return "".join(character if character.isprintable() else " " for character in text)


def _check_scale(scale: int) -> None:
    if not 1 <= scale <= MAX_SCALE:
        raise Invalid("scale", f"is a number of pixels from 1 to {MAX_SCALE}")
