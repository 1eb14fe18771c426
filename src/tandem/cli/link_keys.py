"""`tandem acquiring keys`: the keys that links and the host share."""

import getpass
import re
import sys
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.acquiring import KeyKind, LinkKey, combine, split
from tandem.acquiring.keystore import SIZES, check_value
from tandem.cli.beside import services
from tandem.cli.run import run
from tandem.cli.show import cells, done, facts, say, show, table
from tandem.kernel import Invalid, system_entropy

app = App(name="keys", help="The keys that links and the host share.", help_format="markdown")

Name = Annotated[
    str,
    Parameter(
        help="The key's name: what `mac = { key = … }` says, up to 73 "
        "letters, digits, points, hyphens and underscores."
    ),
]
Kind = Annotated[Literal["aes", "tdes"], Parameter(help="The algorithm that it is a key of.")]
Replace = Annotated[
    bool, Parameter(negative=(), help="Take the place of the key that has this name now.")
]
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,73}", re.ASCII)
_BLANKS: Final = re.compile(r"\s+")
_LONGEST: Final = 20_000
_WHOLE: Final = 1


@app.command(name="list")
def list_keys() -> None:
    """List the keys: name, kind, check value and when each was entered. Never the key.

    The check value is what the other side reads to you, to see that both have the same key.

    Example: `tandem acquiring keys list`
    """
    found = run(_list())
    made = table("Name", "Kind", "Check value", "Entered")
    for key in found:
        made.add_row(
            *cells(key.name, key.kind, key.check_value, f"{key.changed_at:%Y-%m-%d %H:%M}")
        )
    if found:
        show(made)
    else:
        say("There are no keys of links yet. `tandem acquiring keys create` makes one.")


async def _list() -> list[LinkKey]:
    async with services() as opened:
        return await opened.link_keys.list()


@app.command
def create(
    name: Name,
    /,
    *,
    kind: Kind = "aes",
    size: Annotated[int, Parameter(validator=Number(gte=16, lte=32))] = 16,
    components: Annotated[int, Parameter(validator=Number(gte=1, lte=3))] = 2,
    replace: Replace = False,
) -> None:
    """Make a random key for a link, and print it once, in components, for the other side.

    Give each component to another person, who enters it at the terminal or the switch by its own
    way. Nobody who has fewer than all of them knows anything of the key.

    Example: `tandem acquiring keys create harbour --components 2`

    Parameters
    ----------
    size
        Its length in bytes: 16, 24 or 32 for AES, 16 or 24 for triple DES.
    components
        In how many parts it is printed: 2 or 3 for as many people; 1 prints the key itself.
    """
    if size not in SIZES[kind]:
        raise Invalid("--size", f"must be {' or '.join(map(str, SIZES[kind]))} for {kind}")
    key, secret = run(_create(_checked(name), kind, size, replace=replace))
    _entered(key)
    shown = {}
    for number, part in enumerate(split(secret, components, system_entropy), 1):
        what = "Key" if components == _WHOLE else f"Component {number}"
        shown[what] = f"{_spaced(part)}   check value {check_value(part, kind)}"
    facts(shown, indent=2)
    say("This is shown once.")


async def _create(name: str, kind: KeyKind, size: int, *, replace: bool) -> tuple[LinkKey, bytes]:
    async with services() as opened:
        return await opened.link_keys.create(name, kind, size, replace=replace)


@app.command
def enter(name: Name, /, *, kind: Kind = "aes", replace: Replace = False) -> None:
    """Enter a key that the other side made, in one to three components.

    In a terminal each is asked for and not shown; an empty line ends. Else they are read from
    standard input, one a line, in hexadecimal digits.

    Example: `tandem acquiring keys enter harbour --kind tdes`
    """
    name = _checked(name)
    secret = combine([_hex(text) for text in _components()], kind)
    _entered(run(_put(name, kind, secret, replace=replace)))


async def _put(name: str, kind: KeyKind, secret: bytes, *, replace: bool) -> LinkKey:
    async with services() as opened:
        return await opened.link_keys.put(name, kind, secret, replace=replace)


@app.command
def export(
    name: Name, /, *, under: str, macs: Annotated[bool, Parameter(negative=())] = False
) -> None:
    """Print a key as a TR-31 key block under another key, to send it over any wire.

    Example: `tandem acquiring keys export harbour.TERM0001 --under zone`

    Parameters
    ----------
    under
        The name of the key that both sides have already.
    macs
        The key makes MACs itself (`keys = "fixed"`); without it, that it wraps other keys.
    """
    say(run(_export(name, under, macs=macs)))


async def _export(name: str, under: str, *, macs: bool) -> str:
    async with services() as opened:
        return await opened.link_keys.export(name, under, macs=macs)


@app.command(name="import")
def import_(
    name: Name,
    block: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    under: str,
    replace: Replace = False,
) -> None:
    """Enter a key that came as a TR-31 key block under a key that is here already.

    Example: `tandem acquiring keys import harbour - --under zone`

    Parameters
    ----------
    block
        The key block, or `-` to read it from standard input.
    under
        The name of the key that it was made under.
    """
    text = sys.stdin.read(_LONGEST) if block == "-" else block
    _entered(run(_import(_checked(name), under, _BLANKS.sub("", text), replace=replace)))


async def _import(name: str, under: str, block: str, *, replace: bool) -> LinkKey:
    async with services() as opened:
        return await opened.link_keys.receive(name, under, block, replace=replace)


@app.command
def remove(name: str, /) -> None:
    """Take a key away. Its link does not sign on any more; who is signed on goes on until then.

    Example: `tandem acquiring keys remove harbour`

    Parameters
    ----------
    name
        The key's name.
    """
    run(_remove(name))
    done(f"There is no key {name} any more.")


async def _remove(name: str) -> None:
    async with services() as opened:
        await opened.link_keys.remove(name)


def _entered(key: LinkKey) -> None:
    done(f"Key {key.name} ({key.kind}) is here. Its check value: {key.check_value}")


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise Invalid("name", "must be 1 to 73 letters, digits, points, hyphens and underscores")
    return name


def _components() -> list[str]:
    if not sys.stdin.isatty():
        return [line for line in sys.stdin.read(_LONGEST).splitlines() if line.strip()]
    found: list[str] = []
    while len(found) < 3:  # noqa: PLR2004 - as many as a key has
        text = getpass.getpass(f"Component {len(found) + 1} (empty: no more): ")
        if not text.strip():
            break
        found.append(text)
    return found


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(_BLANKS.sub("", text))
    except ValueError:
        raise Invalid("component", "must be hexadecimal digits") from None


def _spaced(part: bytes) -> str:
    return part.hex(" ", -4).upper()
