"""`tandem reader read`: what cards and readers say to each other, in words."""

import re
import sys
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from tandem.cli.show import say
from tandem.emv.show import Dialogue, Line, render, show_dol, show_tlv
from tandem.kernel import Invalid

Kind = Literal["data", "tap", "list"]

_LARGEST: Final = 1 << 20
_MARK: Final = re.compile(r"^\s*(?:(?P<out>[>→])|(?P<back>[<←]))?(?P<digits>[\s0-9A-Fa-f:]*)$")
_UNREADABLE: Final = "Unreadable"


def read(
    *messages: Annotated[str, Parameter(allow_leading_hyphen=True)],
    kind: Kind = "data",
    unmasked: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Say what messages between card and reader mean: each tag by name, with its bits in words.

    Card numbers, tracks and names are masked. Exit status 1 if something cannot be read.

    Example: `tandem reader read 9F02060000000038005F2A02015695050000008000`

    Parameters
    ----------
    messages
        Each in hexadecimal digits; `-` reads them from standard input, one a line.
    kind
        `data`: data objects (BER-TLV), as records and element 55 of ISO 8583 have them. `tap`:
        commands and responses by turns, or each after its mark: `>` to the card, `<` from it.
        `list`: data object lists, such as PDOL and CDOL.
    unmasked
        Show card numbers, tracks and names as they are.
    """
    lines = [line for text in messages for line in _texts(text)]
    if not lines:
        raise Invalid("messages", "must be one message at least, in hexadecimal digits")
    whole = True
    for shown in _shown(lines, kind, unmasked=unmasked):
        say(render(shown))
        whole &= not any(line.name.startswith(_UNREADABLE) for line in shown)
    return 0 if whole else 1


def _texts(text: str) -> list[str]:
    if text != "-":
        return [text]
    return [line for line in sys.stdin.read(_LARGEST).splitlines() if line.strip()]


def _shown(lines: list[str], kind: Kind, *, unmasked: bool) -> Iterator[tuple[Line, ...]]:
    dialogue, to_the_card = Dialogue(unmasked=unmasked), True
    for text in lines:
        mark, data = _read(text)
        if kind == "data":
            yield show_tlv(data, unmasked=unmasked)
        elif kind == "list":
            yield show_dol(data)
        else:
            to_the_card = to_the_card if mark is None else mark
            yield dialogue.command(data) if to_the_card else dialogue.response(data)
            to_the_card = not to_the_card


def _read(text: str) -> tuple[bool | None, bytes]:
    """Whether its mark says that it goes to the card (None without one), and its bytes."""
    match = _MARK.match(text)
    digits = "" if match is None else re.sub(r"[\s:]", "", match["digits"])
    if match is None or not digits or len(digits) % 2:
        raise Invalid("messages", "must be hexadecimal digits, two for each byte")
    mark = None if match["out"] is match["back"] is None else match["out"] is not None
    return mark, bytes.fromhex(digits)
