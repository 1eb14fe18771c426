"""What a command says when it is typed wrongly: the sentence, its help, and status 2."""

import pytest

from tandem.cli.root import execute

ALL = (
    "up, demo, db, keys, ledger, codes, cards, acquiring, terminal, device, tag, reader, operator, "
    "api or help-reference"
)

SAID = {
    "foo": f"tandem has no command 'foo'; use {ALL}. See: tandem --help",
    "operatr": "tandem has no command 'operatr'; did you mean operator? See: tandem --help",
    "--frob": f"tandem has no option --frob; give a command: {ALL}. See: tandem --help",
    "codes": "tandem codes needs a command: read, draw or pay. See: tandem codes --help",
    "codes foo": "tandem codes has no command 'foo'; use read, draw or pay. "
    "See: tandem codes --help",
    "operator person": "tandem operator person needs a command: "
    "add, list, show, suspend, resume or limits. See: tandem operator person --help",
    "codes read": "tandem codes read needs PAYLOAD. See: tandem codes read --help",
    "codes read a b": "tandem codes read has no use for 'b'; leave it out. "
    "See: tandem codes read --help",
    "codes pay --seed x": "tandem codes pay needs --index. See: tandem codes pay --help",
    "codes pay --sed x": "tandem codes pay has no option --sed; did you mean --seed? "
    "See: tandem codes pay --help",
    "codes draw x -x": "tandem codes draw has no option -x; use --bars, --png or --svg. "
    "See: tandem codes draw --help",
    "codes draw x --svg": "--svg needs a value after it. See: tandem codes draw --help",
    "codes draw x --bars=3": "--bars takes no value; give it alone or leave it out. "
    "See: tandem codes draw --help",
    "tag": "tandem tag needs a command: write, read, wipe or virtual. See: tandem tag --help",
    "tag wipe": "tandem tag wipe needs PACKAGE. See: tandem tag wipe --help",
    "tag virtual --port 0": "--port must be a whole number from 1 to 65535, not '0'. "
    "See: tandem tag virtual --help",
    "db upgrade --now": "tandem db upgrade has no option --now; leave it out. "
    "See: tandem db upgrade --help",
    "up --sandbx": "tandem up has no option --sandbx; did you mean --sandbox? "
    "See: tandem up --help",
    "up --port": "--port needs a value after it. See: tandem up --help",
    "up --port 8o8o": "--port must be a whole number from 0 to 65535, not '8o8o'. "
    "See: tandem up --help",
    "up --port 99999": "--port must be a whole number from 0 to 65535, not '99999'. "
    "See: tandem up --help",
    "up --port 1 --port 2": "--port is given more than once; give it once. See: tandem up --help",
    "up --log-level loud": "--log-level must be debug, info, warning or error, not 'loud'. "
    "See: tandem up --help",
    "ledger statement @lin --limit 0": "--limit must be a whole number from 1 to 1000, not '0'. "
    "See: tandem ledger statement --help",
}


@pytest.mark.parametrize("typed", SAID)
def test_what_is_typed_wrongly_is_answered_in_a_sentence(
    typed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATA", "/nonexistent/must-not-be-opened")
    status = execute(typed.split())
    shown = capsys.readouterr()
    assert (status, shown.out, shown.err) == (2, "", f"✗ {SAID[typed]}\n")
