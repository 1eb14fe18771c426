import io
import re
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tandem.codes import (
    CodeTooLong,
    Symbol,
    UnreadableImage,
    draw_code128,
    draw_qr,
    merchant_presented,
    read_image,
)
from tandem.codes import read as read_room
from tandem.kernel import Invalid, currency

PAY_CODE = "283456789065134296"
SHOP_CODE = merchant_presented(
    url="https://pay.example/c/0199a3b2c4d57e8f9a0b1c2d3e4f5a6b",
    name="木兰咖啡",
    city="北京",
    country="CN",
    mcc="5814",
    currency=currency("CNY"),
    amount_minor=3800,
    language="zh",
).write()
SVG = "{http://www.w3.org/2000/svg}"
DRAWN: list[tuple[Callable[[str], Symbol], str]] = [
    (draw_qr, SHOP_CODE),
    (draw_qr, PAY_CODE),
    (draw_qr, "é 木 😀"),
    (draw_code128, PAY_CODE),
    (draw_code128, "Till 7 / 123456 <&>"),
]


def elements(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 -- our own output


def picture(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def rasterise(svg: str) -> bytes:
    """Draw the one subset of SVG that we write: a white ground and rectangles in a path."""
    root = elements(svg)
    _, _, width, height = map(int, root.attrib["viewBox"].split())
    scale = int(root.attrib["width"]) // width
    image = Image.new("L", (width * scale, height * scale), 128)
    draw = ImageDraw.Draw(image)
    ground = root.find(f"{SVG}rect")
    assert ground is not None
    assert (ground.attrib["width"], ground.attrib["fill"]) == (str(width), "#fff")
    draw.rectangle((0, 0, width * scale, height * scale), 255)
    path = root.find(f"{SVG}path")
    assert path is not None
    bars = re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z", path.attrib["d"])
    assert "".join(f"M{x} {y}h{w}v{h}h-{b}z" for x, y, w, h, b in bars) == path.attrib["d"]
    for x, y, w, h, back in (map(int, bar) for bar in bars):
        assert w == back
        draw.rectangle((x * scale, y * scale, (x + w) * scale - 1, (y + h) * scale - 1), 0)
    return picture(image)


def photograph(lines: str, *, ink: int, ground: int, cell: tuple[int, int]) -> bytes:
    """What a camera sees of a terminal: cells of characters, each drawn half, full or not."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", lines).splitlines()
    wide, high = cell
    image = Image.new("L", (len(plain[0]) * wide, len(plain) * high), ground)
    draw = ImageDraw.Draw(image)
    halves = {
        "█": (0, 0, wide, high),
        "▀": (0, 0, wide, high // 2),
        "▄": (0, high // 2, wide, high),
        "▌": (0, 0, wide // 2, high),
        "▐": (wide // 2, 0, wide, high),
    }
    for row, line in enumerate(plain):
        assert len(line) == len(plain[0])
        for column, character in enumerate(line):
            if character != " ":
                x, y = column * wide, row * high
                left, top, right, bottom = halves[character]
                draw.rectangle((x + left, y + top, x + right - 1, y + bottom - 1), ink)
    return picture(image)


@pytest.mark.parametrize(("draw", "text"), DRAWN)
def test_a_drawn_code_is_read_back_from_png_and_svg(
    draw: Callable[[str], Symbol], text: str
) -> None:
    symbol = draw(text)
    assert read_image(symbol.png()) == [text]
    assert read_image(symbol.png(scale=3)) == [text]
    assert read_image(rasterise(symbol.svg())) == [text]


@pytest.mark.parametrize(("draw", "text"), DRAWN)
def test_a_code_in_the_terminal_is_read_back_on_dark_and_light(
    draw: Callable[[str], Symbol], text: str
) -> None:
    symbol = draw(text)
    cell = (6, 12) if draw is draw_qr else (8, 16)
    # With colour the ink is black on white; without, the terminal's own light on dark.
    coloured = symbol.terminal()
    assert read_image(photograph(coloured, ink=0, ground=255, cell=cell)) == [text]
    assert all(
        line.startswith("\x1b[38;5;16;48;5;231m") and line.endswith("\x1b[0m")
        for line in coloured.splitlines()
    )
    plain = symbol.terminal(colour=False)
    assert "\x1b" not in plain
    assert read_image(photograph(plain, ink=240, ground=10, cell=cell)) == [text]


def test_a_pay_code_is_drawn_in_pairs_of_digits_and_fits_80_columns() -> None:
    # start, 9 pairs, check character: 11 modules each, stop 13, quiet zones 10 and 10
    symbol = draw_code128(PAY_CODE)
    assert symbol.width == 11 * 11 + 13 + 20
    assert max(map(len, symbol.terminal(colour=False).splitlines())) <= 80
    assert not any(symbol.rows[0][:10])
    assert not any(symbol.rows[0][-10:])


def test_a_qr_code_has_its_quiet_zone() -> None:
    symbol = draw_qr(PAY_CODE)
    for edge in (*symbol.rows[:4], *symbol.rows[-4:], *zip(*symbol.rows, strict=True)):
        if edge in (*symbol.rows[:4], *symbol.rows[-4:]):
            assert not any(edge)
        assert not any(edge[:4])
        assert not any(edge[-4:])


@pytest.mark.parametrize("draw", [draw_qr, draw_code128])
def test_a_title_cannot_break_out_of_the_svg(draw: Callable[[str], Symbol]) -> None:
    title = "</title><script>alert(1)</script>\"'&\x00\x0b\u202e" + chr(0xFFFF)
    root = elements(draw(PAY_CODE).svg(title=title))
    assert {child.tag for child in root.iter()} == {
        *(f"{SVG}svg", f"{SVG}title", f"{SVG}rect", f"{SVG}path"),
    }
    shown = root.findtext(f"{SVG}title")
    assert shown is not None
    assert shown.startswith("</title><script>alert(1)</script>\"'&")
    assert root.attrib["aria-label"] == shown
    assert root.attrib["role"] == "img"
    assert elements(draw(PAY_CODE).svg()).findtext(f"{SVG}title") in {"QR code", "bar code"}


@pytest.mark.parametrize("text", ["", "\ud800"])
def test_no_qr_code_of_nothing(text: str) -> None:
    with pytest.raises(Invalid):
        draw_qr(text)


@pytest.mark.parametrize("text", ["", "é", "a\n", "\x00", "\uff12\uff18"])
def test_no_bar_code_of_what_it_cannot_hold(text: str) -> None:
    with pytest.raises(Invalid):
        draw_code128(text)


def test_no_code_that_is_too_long() -> None:
    assert draw_qr("a" * 2331).rows
    with pytest.raises(CodeTooLong):
        draw_qr("a" * 2332)
    with pytest.raises(CodeTooLong):
        draw_qr("木" * 778)
    assert draw_code128("a" * 48).rows
    with pytest.raises(CodeTooLong):
        draw_code128("a" * 49)


@pytest.mark.parametrize("scale", [0, -1, 65, 10**9])
def test_no_code_of_an_absurd_size(scale: int) -> None:
    with pytest.raises(Invalid):
        draw_qr("a").png(scale=scale)
    with pytest.raises(Invalid):
        draw_qr("a").svg(scale=scale)


@settings(max_examples=25)
@given(st.text("0123456789", min_size=1, max_size=24) | st.from_regex(r"\A[ -~]{1,30}\Z"))
def test_any_bar_code_is_read_back(text: str) -> None:
    assert read_image(draw_code128(text).png(scale=3)) == [text]


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_any_qr_code_is_drawn(text: str) -> None:
    symbol = draw_qr(text)
    assert len({len(row) for row in symbol.rows}) == 1
    assert len(symbol.rows) == symbol.width


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_pictures_of_all_usual_kinds_are_read(kind: str) -> None:
    with Image.open(io.BytesIO(draw_qr(SHOP_CODE).png())) as image:
        assert read_image(picture(image.convert("RGB"), kind)) == [SHOP_CODE]


def test_several_codes_in_one_picture_are_read_each_once() -> None:
    qr, bars = (
        Image.open(io.BytesIO(symbol.png(scale=4)))
        for symbol in (draw_qr(SHOP_CODE), draw_code128(PAY_CODE))
    )
    with qr, bars:
        sheet = Image.new("L", (700, qr.height * 2 + bars.height), 255)
        sheet.paste(qr, (0, 0))
        sheet.paste(qr, (0, qr.height))
        sheet.paste(bars, (20, qr.height * 2))
    assert sorted(read_image(picture(sheet))) == sorted([SHOP_CODE, PAY_CODE])


def test_a_turned_and_a_transparent_code_are_read() -> None:
    with Image.open(io.BytesIO(draw_qr(SHOP_CODE).png())) as image:
        grey = image.convert("L")
    assert read_image(picture(grey.rotate(90, expand=True))) == [SHOP_CODE]
    clear = Image.new("RGBA", grey.size, (0, 0, 0, 0))
    clear.putalpha(grey.point(lambda level: 255 - level))
    assert read_image(picture(clear)) == [SHOP_CODE]


def test_a_picture_without_a_code_has_none() -> None:
    assert read_image(picture(Image.new("L", (50, 50), 255))) == []


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "size", [(5001, 5000), (10_000, 10_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1), (0, 5)]
)
def test_a_picture_that_claims_absurd_sizes_is_not_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("it was decoded")

    data = png_that_claims(*size)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decode)
    with pytest.raises(UnreadableImage):
        read_image(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg/>", b"%PDF-1.7", b"BM" * 50],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableImage):
        read_image(data)


def test_a_kind_that_is_not_needed_is_not_opened() -> None:
    for kind in ("TIFF", "PPM", "ICO"):
        with pytest.raises(UnreadableImage):
            read_image(picture(Image.new("L", (32, 32)), kind))


def test_a_file_that_is_too_large_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_room, "MAX_BYTES", 100)
    with pytest.raises(UnreadableImage, match="more than 100"):
        read_image(draw_qr(SHOP_CODE).png())


def half_pictures() -> list[bytes]:
    with Image.open(io.BytesIO(draw_qr(SHOP_CODE).png())) as image:
        whole = image.convert("RGB")
    return [picture(whole, kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP")]


@pytest.mark.parametrize("data", half_pictures(), ids=["png", "jpeg", "gif", "webp", "bmp"])
def test_a_torn_file_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableImage):
        read_image(data[: len(data) // 2])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(half_pictures()), st.data())
def test_bytes_that_lie_are_read_or_refused(data: bytes, drawn: st.DataObject) -> None:
    lying = bytearray(data)
    for _ in range(drawn.draw(st.integers(1, 6))):
        at = drawn.draw(st.integers(0, min(len(data) - 1, 400)))
        lying[at] = drawn.draw(st.integers(0, 255))
    with suppress(UnreadableImage):
        assert isinstance(read_image(bytes(lying)), list)
