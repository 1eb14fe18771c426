"""`tandem codes`: read, draw and make QR and pay codes. Needs no database and no network."""

import base64
import binascii
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.text import Text

from tandem.cli.errors import FileUnusable, NothingRead
from tandem.cli.show import (
    cells,
    complain,
    console,
    done,
    facts,
    money,
    printable,
    say,
    show,
    table,
)
from tandem.codes import (
    LinkCode,
    Payload,
    PersonCode,
    Scan,
    SchemeCode,
    Symbol,
    TandemCode,
    WalletCode,
    code_faults,
    draw_code128,
    draw_qr,
    link_host,
    paycode,
    read_image,
    read_scan,
)
from tandem.codes.read import MAX_BYTES
from tandem.kernel import Invalid, SystemClock

app = App(name="codes", help="Read, draw and make QR and pay codes.", help_format="markdown")

_SEED_CHARACTERS: Final = 44
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"})


@app.command
def read(payload: Annotated[str, Parameter(allow_leading_hyphen=True)], /) -> int:
    """Say what a code is: a shop's, a person's, another wallet's, another scheme's.

    EMVCo payloads are taken apart, whoever issued them. Exit status 1 if the code is damaged or
    nothing that is known here.

    Example: `tandem codes read photo.png`

    Parameters
    ----------
    payload
        The text of a code, a picture of it (PNG, JPEG, GIF, WebP, BMP), or `-` to read either
        from standard input.
    """
    statuses = [_tell(text) for text in _texts(payload)]
    return max(statuses)


def _texts(given: str) -> list[str]:
    """The texts of the codes that are meant."""
    if given == "-":
        data, where = sys.stdin.buffer.read(MAX_BYTES + 1), "standard input"
    elif _is_file(given):
        data, where = _contents(given), printable(given)
    else:
        return [given]
    try:
        text = data.decode()
    except UnicodeDecodeError:
        found = read_image(data)
    else:
        found = [text] if text.strip() else []
    if not found:
        raise NothingRead(where)
    return found


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file() or Path(given).suffix.lower() in _IMAGES
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False


def _contents(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileUnusable(path, (error.strerror or "cannot be read").lower()) from error


def _tell(text: str) -> int:
    scan = read_scan(text)
    say(_what(scan))
    if isinstance(scan, TandemCode):
        facts({"Link": scan.url})
    if isinstance(scan, (TandemCode, SchemeCode)):
        return _payload(scan.payload)
    return 1 if scan.kind == "unknown" else 0


def _what(scan: Scan) -> str:
    if isinstance(scan, TandemCode):
        return f"A shop's Tandem code; its link leads to {link_host(scan.url)}."
    if isinstance(scan, SchemeCode):
        schemes = ", ".join(map(str, scan.payload.schemes)) or "a scheme that is not known here"
        return f"An EMVCo merchant-presented code of {schemes}."
    if isinstance(scan, LinkCode):
        return f"A link to {link_host(scan.url)}: {scan.url}"
    if isinstance(scan, PersonCode):
        return (
            f"A pay code that a person shows: {paycode.show(scan.code.digits)}, of the device "
            f"with index {scan.code.index}. Only its wallet can tell whether it is right."
        )
    if isinstance(scan, WalletCode):
        return f"The payment code of another wallet: {scan.digits}"
    return f"Nothing that is known here: {scan.reason}."


def _payload(payload: Payload) -> int:
    unit, amount = payload.currency, payload.amount_minor
    found = {
        "Merchant": ", ".join(filter(None, (payload.merchant_name, payload.merchant_city))),
        "Postal code": payload.postal_code or "",
        "Country": payload.country or "",
        "Category": payload.category_code or "",
        # As it stands, where the currency is not known or does not have such an amount.
        "Amount": money(amount, unit) if unit and amount is not None else payload.amount_text or "",
        "Paid": {True: "many times", False: "once", None: ""}[payload.static],
    }
    facts({name: value for name, value in found.items() if value})
    made = table("Id", "Name", "Value", "Meaning")
    for line in payload.describe():
        made.add_row(*cells(*line))
    show(made)
    faults = code_faults(payload)
    if faults:
        complain(f"This code is damaged: {'; '.join(faults)}.")
        return 1
    return 0


@app.command
def draw(
    text: str,
    /,
    *,
    svg: Path | None = None,
    png: Path | None = None,
    bars: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Draw a text as a QR code, in the terminal or into a file.

    Example: `tandem codes draw https://pay.example/c/1 --png code.png`

    Parameters
    ----------
    text
        What the code holds.
    svg
        Write an SVG file.
    png
        Write a PNG file.
    bars
        Draw a Code 128 bar code, as tills read it, instead of a QR code.
    """
    symbol = draw_code128(text) if bars else draw_qr(text)
    if svg is not None:
        _write(svg, symbol.svg(text).encode())
    if png is not None:
        _write(png, symbol.png())
    if svg is None and png is None:
        print_symbol(symbol)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be written"
        raise FileUnusable(str(path), reason.lower()) from error
    done(f"Wrote {path}.")


def print_symbol(symbol: Symbol) -> None:
    """Draw a code on standard output."""
    out = console()
    colour = out.is_terminal and not out.no_color
    drawn = symbol.terminal(colour=colour)
    out.print(Text.from_ansi(drawn) if colour else Text(drawn), end="", soft_wrap=True)


@app.command
def pay(
    *,
    seed: Annotated[str, Parameter(allow_leading_hyphen=True)],
    index: str,
    counter: Annotated[int, Parameter(validator=Number(gte=0, lte=paycode.COUNTERS - 1))] = 0,
    at: str | None = None,
) -> None:
    """Make the pay code that a phone shows now, without a network.

    Seed and index were given to the device at sign-up (`code_seed`, `code_index`). The code is
    good for about a minute, and once.

    Example: `echo $SEED | tandem codes pay --seed - --index 12345678`

    Parameters
    ----------
    seed
        The seed in base64, or `-` to read it from standard input: what stands in a command can
        be seen by others on the machine.
    index
        The device's eight digits.
    counter
        0 to 3: a further code within the same 15 seconds.
    at
        The moment to make it for instead of now, as RFC 3339 has it, such as
        2026-11-23T12:00:00Z: what a sandbox whose clock was advanced goes by
        (`GET /v1/sandbox/clock`).
    """
    given = sys.stdin.readline(_SEED_CHARACTERS * 2) if seed == "-" else seed
    if len(index) != 8 or not (index.isascii() and index.isdigit()):  # noqa: PLR2004 - eight digits, as the next line says
        raise Invalid("--index", "must be eight digits")
    moment = SystemClock().now() if at is None else _moment(at)
    code = paycode.generate(_seed(given.strip()), index, moment, counter)
    say(paycode.show(code))
    say()
    print_symbol(draw_qr(code))
    print_symbol(draw_code128(code))


def _moment(text: str) -> datetime:
    """A moment of RFC 3339, with its distance from UTC. Raises `Invalid`."""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None or moment < _EPOCH:
        raise Invalid("--at", "must be a moment from 1970 on, such as 2026-11-23T12:00:00Z")
    return moment


def _seed(text: str) -> bytes:
    try:
        seed = base64.b64decode(text.encode("ascii", "replace"), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != paycode.SEED_BYTES:
        raise Invalid("--seed", f"must be {paycode.SEED_BYTES} bytes in base64, as sign-up gave it")
    return seed
