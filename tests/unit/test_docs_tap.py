"""docs/tap.md and docs/terminal.md: the transcript is a tap's, and the settings can be read."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
from cyclopts import App

from emv_tap import DATA, FINGER, PROFILE, Device, ready, seeded
from tandem.acquiring import ClientSettings
from tandem.cli.root import tree
from tandem.emv.show import Dialogue, render
from tandem.emv.terminal import Combination, run
from tandem.emv.terminal.tvr import Tvr
from tandem.tap import read_terminal_settings
from tandem.tap.terminal_settings import Aid, TerminalSettings
from tandem.till import HostTls, TandemSettings

DOCS: Final = Path(__file__).parents[2] / "docs"
TAP: Final = (DOCS / "tap.md").read_text(encoding="utf-8")
TERMINAL: Final = (DOCS / "terminal.md").read_text(encoding="utf-8")
_LONG: Final = 72


def transcript() -> str:
    """A tap of a verified person for 80.00 yuan, as `tandem.emv.show` shows it."""
    device, shown, parts = Device(PROFILE()), Dialogue(), list[str]()
    device.card.present(FINGER)

    def transmit(command: bytes) -> bytes:
        answer = device.transmit(command)
        for way, lines in (("→", shown.command(command)), ("←", shown.response(answer))):
            text = render(lines)
            parts.append("\n".join(cut(f"{way} {line}") for line in text.splitlines()))
        return answer

    outcome = run(ready(amount=8000), seeded("terminal"), transmit)
    parts.append(f"= {outcome.result}: {outcome.why}. {outcome.ui.text()}")
    return "\n".join(parts)


def cut(line: str) -> str:
    """Keys and signatures are long: their beginning will do."""
    return line if len(line) <= _LONG else f"{line[: _LONG - 2]} …"


def test_the_transcript_is_what_is_said_in_a_tap() -> None:
    assert f"```text\n{transcript()}\n```" in TAP


def test_the_transcript_shows_no_card_number() -> None:
    assert DATA.pan not in transcript()


def test_the_example_of_settings_can_be_read() -> None:
    (toml,) = re.findall(r"```toml\n(.*?)```", TERMINAL, re.DOTALL)
    read = read_terminal_settings(toml.encode())
    host = dict(read.host)
    host.pop("keys")
    msgspec.convert(host.pop("tls"), HostTls)
    msgspec.convert(host, ClientSettings)
    msgspec.convert(read.tandem, TandemSettings)


@pytest.mark.parametrize(
    ("struct", "elsewhere"),
    [
        (Aid, {"selection"}),
        (TerminalSettings, {"shop", "aids", "host", "tandem"}),
    ],
)
def test_every_setting_is_told(struct: type[msgspec.Struct], elsewhere: set[str]) -> None:
    for name in struct.__struct_fields__:
        assert name in elsewhere or f"| `{name}` |" in TERMINAL, name


def test_the_action_codes_told_are_the_kernels() -> None:
    kernels = Combination(aid=DATA.aid)
    for name in ("tac_denial", "tac_online", "tac_default"):
        assert f"| `{name}` | `{getattr(kernels, name).hex().upper()}` |" in TERMINAL


def test_the_commands_of_the_documents_are_there() -> None:
    for group, name in set(
        re.findall(r"tandem (device|terminal|reader|tag) ([a-z-]+)", TAP + TERMINAL)
    ):
        apps: App = tree(group)
        assert apps.parse_commands([group, name])[0] == (group, name)


def test_action_codes_are_explained_bit_by_bit() -> None:
    """Every bit that can be found has a row, and the dots add up to the defaults."""
    rows = re.findall(r"^\| ([1-5]) \| ([0-9A-F]{2}) \| [^|]+\|(.*)\|$", TERMINAL, re.MULTILINE)
    bits = [int(bit, 16) << 8 * (5 - int(byte)) for byte, bit, _ in rows]
    assert bits == [int(found) for found in Tvr if found]
    defaults = Combination(aid=bytes(5))
    for column, name in enumerate(("tac_denial", "tac_online", "tac_default")):
        dotted = sum(
            bit
            for bit, (_, _, dots) in zip(bits, rows, strict=True)
            if "●" in dots.split("|")[column]
        )
        assert dotted.to_bytes(5, "big") == getattr(defaults, name), name
