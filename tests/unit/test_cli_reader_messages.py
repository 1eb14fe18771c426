"""`tandem reader read`: messages of a tap in words, for whoever connects a reader."""

import io

import pytest

from emv_tap import PAN, verified
from tandem.cli.root import execute
from tap_play import pay

Out = pytest.CaptureFixture[str]
DATA = "9F02060000000038005F2A0201569505000000 8000"


def said(capsys: Out, *arguments: str, status: int = 0) -> str:
    assert execute(["reader", "read", *arguments]) == status
    return capsys.readouterr().out


def test_data_objects_are_named_and_their_bits_told(capsys: Out) -> None:
    shown = said(capsys, DATA)
    assert "9F02 Amount, Authorised (Numeric): 38.00 CNY" in shown
    assert "Transaction exceeds floor limit" in shown


def test_a_whole_tap_is_told_from_what_was_sent(
    capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = verified()
    pay(device)
    turns = zip(device.commands, device.answers, strict=True)
    plain = [message.hex() for turn in turns for message in turn]
    marked = [f"{'<>'[n % 2 == 0]} {text}" for n, text in enumerate(plain)]
    told = set[str]()
    for lines in (plain, marked):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n\n".join(lines) + "\n"))
        told.add(said(capsys, "--kind", "tap", "-"))
    (shown,) = told
    assert "9F02 Amount, Authorised (Numeric): 38.00 CNY" in shown, "by the card's own lists"
    assert PAN not in shown
    assert PAN in said(capsys, "--kind", "tap", "--unmasked", *plain)
    assert "GENERATE AC" in said(capsys, "--kind", "tap", "<6A82", ">" + plain[-2], "< 6985")


def test_a_list_says_what_is_asked_for(capsys: Out) -> None:
    assert "9F37 Unpredictable Number: 4 bytes" in said(capsys, "--kind", "list", "9f 37 04")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        (("9F0",), 2),
        (("zz",), 2),
        (("",), 2),
        ((">",), 2),
        (("9F0206",), 1),
        ((DATA, "9F0206"), 1),
        (("--kind", "tap", "00"), 1),
        (("--kind", "list", "9F"), 1),
        (("--kind", "words", "00"), 2),
    ],
)
def test_what_cannot_be_read_is_said(capsys: Out, arguments: tuple[str, ...], status: int) -> None:
    said(capsys, *arguments, status=status)
