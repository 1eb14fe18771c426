"""`tandem acquiring read`: a message taken apart for whoever integrates."""

import io
from pathlib import Path

import pytest

from tandem.acquiring import Codec, De, Frame, Message, Wire, put_frame
from tandem.cli.root import execute

WIRE = Wire(numeric="bcd", prefixes="bcd", header="tpdu")
MESSAGE = Message("0200", {De.PAN: "4761739001010010", De.AMOUNT: "000000001234"})
LINKS = """
[[links]]
name = "harbour"
networks = ["10.0.0.0/8"]
wire = { numeric = "bcd", prefixes = "bcd", header = "tpdu" }
"""


@pytest.fixture
def links(tmp_path: Path) -> Path:
    path = tmp_path / "links.toml"
    path.write_text(LINKS)
    return path


def test_a_message_is_read_by_a_link_s_settings(
    links: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = Codec(WIRE).write(MESSAGE)
    framed = put_frame(WIRE, Frame(b"\x60\x00\x01\x00\x00", body))
    plain = ["acquiring", "read", "--links", str(links), body.hex(" ")]
    whole = ["acquiring", "read", "--links", str(links), "--link", "harbour", "--framed"]
    for arguments in (plain, [*whole, framed.hex()]):
        assert execute(arguments) == 0
        out = capsys.readouterr().out
        assert "476173******0010" in out
        assert "4761739001010010" not in out


def test_a_message_is_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = Codec(Wire()).write(Message("0800", {De.NETWORK_CODE: "301"}))
    monkeypatch.setattr("sys.stdin", io.StringIO(body.hex(" ") + "\n"))
    assert execute(["acquiring", "read", "-"]) == 0
    assert "echo test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("30",), 1, "type"),
        (("3x",), 2, "hexadecimal"),
        (("0005", "--framed"), 2, "no whole message"),
        (("00", "--link", "x", "--links", "/nonexistent"), 1, "no such file"),
        (("00", "--link", "x", "--links", "LINKS"), 1, "No link x"),
    ],
)
def test_what_cannot_be_read_is_said(
    arguments: tuple[str, ...],
    status: int,
    word: str,
    links: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(links) if argument == "LINKS" else argument for argument in arguments]
    assert execute(["acquiring", "read", *given]) == status
    assert word in capsys.readouterr().err


def test_one_of_several_links_must_be_named(
    links: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links.write_text(LINKS + LINKS.replace("harbour", "kiosk").replace("10.", "11."))
    assert execute(["acquiring", "read", "--links", str(links), "00"]) == 2
    assert "--link" in capsys.readouterr().err
