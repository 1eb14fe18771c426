import base64
import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cyclopts import App

from tandem.cli.api import cli_reference, openapi_reference
from tandem.cli.db import without_password
from tandem.cli.merchants import basis_points_of
from tandem.cli.root import COMMANDS, execute, tree
from tandem.codes import data_object, draw_qr, paycode, sealed
from tandem.db.errors import DatabaseUrlInvalid
from tandem.kernel import Invalid

ROOT = Path(__file__).parents[2]
PROMPTPAY = "00020101021129370016A000000677010111011300660000000005802TH530376463048956"
PERSON = "ppl_0199f0a4c0de70008000000000000001"


def commands(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command that does something, with its place in the tree."""
    below = [name for name in app if not name.startswith("-")]
    for name in below:
        yield from commands(app[name], (*path, name))
    if not below:
        yield path, app


ALL = list(commands(tree(*COMMANDS)))
NAMES = [" ".join(path) for path, _ in ALL]


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = execute(arguments)
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_the_tree_has_what_the_readme_and_the_makefile_name() -> None:
    wanted = {"up", "demo", "db upgrade", "ledger verify", "codes read", "api openapi"}
    assert wanted | {"operator top-up", "operator person add", "codes pay"} <= set(NAMES)


@pytest.mark.parametrize(("path", "app"), ALL, ids=NAMES)
def test_help_says_what_it_is_for_and_gives_an_example(path: tuple[str, ...], app: App) -> None:
    sentence, _, rest = app.help.partition("\n")
    assert re.fullmatch(r"[A-Z][^\n]+[.:]", sentence), sentence
    examples = re.findall(r"Example: `(.*)`", rest)
    assert len(examples) == 1, rest
    own = examples[0].partition("tandem ")[2].removesuffix(')"')  # of `psql "$(tandem db url)"`
    tokens = shlex.split(own)
    assert tuple(tokens[: len(path)]) == path
    command, bound, _ = tree(path[0]).parse_args(
        tokens, exit_on_error=False, print_error=False, help_on_error=False
    )
    assert command.__doc__ is not None
    assert sentence in command.__doc__
    assert bound.arguments or len(tokens) == len(path)


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=NAMES)
def test_help_is_printed(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(*path, "--help", capsys=capsys)
    assert (status, err) == (0, "")
    assert f"Usage: tandem {' '.join(path)}" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_page_says_the_same_as_the_command(name: str) -> None:
    own = tree(name)[name].help.partition("\n")[0]
    assert own == COMMANDS[name][1]


def test_the_first_page_needs_none_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys=capsys)
    assert status == 0
    assert all(sentence in out for _, sentence in COMMANDS.values())


def test_references_are_what_is_so() -> None:
    reference = ROOT / "docs" / "reference"
    assert (reference / "cli.md").read_text(encoding="utf-8") == cli_reference(), "make docs"
    assert (reference / "openapi.json").read_text(encoding="utf-8") == openapi_reference(), (
        "make docs"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("frob",),
        ("up", "--frob"),
        ("up", "--port", "99999"),
        ("up", "--port", "-1"),
        ("up", "--port", "8o8o"),
        ("up", "--workers", "0"),
        ("up", "--log-level", "loud"),
        ("db", "frob"),
        ("codes", "draw"),
        ("codes", "draw", ""),
        ("codes", "draw", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "--bars"),
        ("codes", "draw", "\udcff"),
        ("codes", "pay", "--seed", "short", "--index", "12345678"),
        ("codes", "pay", "--seed", base64.b64encode(bytes(32)).decode(), "--index", "1234567"),
        ("codes", "pay", "--seed", base64.b64encode(bytes(32)).decode(), "--index", "\u0661" * 8),
        ("codes", "pay", "--seed", "x", "--index", "12345678", "--counter", "4"),
        ("codes", "pay", "--seed", "x", "--index", "12345678", "--at", "tomorrow"),
        ("codes", "pay", "--seed", "x", "--index", "12345678", "--at", "2026-11-23T12:00:00"),
        ("codes", "pay", "--seed", "x", "--index", "12345678", "--at", "1969-12-31T23:59:59Z"),
        ("ledger", "statement", "lin"),
        ("ledger", "statement", "ppl_zz"),
        ("ledger", "statement", PERSON, "--currency", "XXQ"),
        ("ledger", "statement", PERSON, "--limit", "0"),
        ("ledger", "entry", "ent_1"),
        ("operator", "top-up", "@lin", "1,00", "CNY", "--reference", "B"),
        ("operator", "top-up", "@lin", "-1", "CNY", "--reference", "B"),
        ("operator", "top-up", "@lin", "0", "CNY", "--reference", "B"),
        ("operator", "top-up", "@lin", "1.005", "CNY", "--reference", "B"),
        ("operator", "top-up", "@lin", "\u0661", "CNY", "--reference", "B"),
        ("operator", "top-up", "@lin", "1e3", "CNY", "--reference", "B"),
        ("operator", "top-up", "@lin", "9" * 40, "CNY", "--reference", "B"),
        ("operator", "top-up", "@lin", "1", "cny", "--reference", "B"),
        ("operator", "top-up", "@lin", "1", "CNY"),
        ("operator", "merchant", "add", "Blue Door", "--fee-percent", "101"),
        ("operator", "merchant", "add", "Blue Door", "--fee-percent", "0.605"),
        ("operator", "key", "revoke"),
    ],
    ids=" ".join,
)
def test_misuse_is_a_sentence(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATA", "/nonexistent/must-not-be-opened")
    status, out, err = run(*arguments, capsys=capsys)
    assert (status, out) == (2, "")
    assert err.startswith("✗ ")
    assert "Traceback" not in err
    assert "Error" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("codes", "read", "/nonexistent/photo.png"),
        ("codes", "draw", "x" * 3000),
        ("codes", "draw", "x", "--png", "/nonexistent/x.png"),
        ("codes", "draw", "x", "--svg", "/"),
        ("api", "openapi", "--write", "/nonexistent/x.json"),
        ("db", "url"),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_what_cannot_be_done_is_a_sentence(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_URL", "mysql://nowhere")
    status, out, err = run(*arguments, capsys=capsys)
    assert (status, out) == (1, "")
    assert err.startswith("✗ ")


@pytest.mark.parametrize("arguments", [("\x1b[31mred",), ("codes", "read", "x\x1b]0;gotcha\x07")])
def test_nothing_moves_the_cursor(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = run(*arguments, capsys=capsys)
    assert not set(out + err) & {"\x1b", "\x07"}


def test_a_damaged_code_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run("codes", "read", PROMPTPAY, capsys=capsys)
    assert (status, err) == (0, "")
    assert "PromptPay" in out
    status, out, err = run("codes", "read", PROMPTPAY[:-1] + "7", capsys=capsys)
    assert status == 1
    assert "damaged" in err
    assert "should be 8956" in out


def test_what_a_code_says_of_the_shop_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"52": "4111", "53": "392", "54": "9.80", "58": "JP", "59": "Gate", "61": "100-0001"}
    objects = [data_object(name, value) for name, value in {"00": "01", **facts}.items()]
    status, out, _ = run("codes", "read", sealed(*objects).write(), capsys=capsys)
    assert status == 1  # the yen has no decimals, so the amount is shown as it stands
    for line in ("Postal code  100-0001", "Category     4111", "Amount       9.80"):
        assert line in out.splitlines()
    objects[3] = data_object("54", "980")
    status, out, _ = run("codes", "read", sealed(*objects).write(), capsys=capsys)
    assert status == 0
    assert "Amount       980 JPY" in out.splitlines()


def test_a_drawn_code_reads_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "code.png"
    assert run("codes", "draw", PROMPTPAY, "--png", str(picture), capsys=capsys)[0] == 0
    status, out, _ = run("codes", "read", str(picture), capsys=capsys)
    assert status == 0
    assert "PromptPay" in out
    assert "0066000000000" in out


class Piped(io.TextIOWrapper):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "says", "status"),
    [
        (f"{PROMPTPAY}\n".encode(), "PromptPay", 0),
        (draw_qr(PROMPTPAY).png(), "PromptPay", 0),
        (b"281234567812345678", "2812 3456 7812 3456 78", 0),
        (b"https://pay.example/c/1", "pay.example", 0),
        (b"hello", "Nothing that is known", 1),
    ],
    ids=["text", "picture", "pay code", "link", "nothing"],
)
def test_standard_input_is_read(
    data: bytes,
    says: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(data))
    found, out, _ = run("codes", "read", "-", capsys=capsys)
    assert found == status
    assert says in out


def test_a_pay_code_is_made_from_what_the_phone_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setattr(sys, "stdin", Piped(f"{seed}\n".encode()))
    status, out, _ = run("codes", "pay", "--seed", "-", "--index", "12345678", capsys=capsys)
    assert status == 0
    code = paycode.parse(out.splitlines()[0])
    assert code.index == "12345678"


def test_a_pay_code_is_made_for_another_moment(capsys: pytest.CaptureFixture[str]) -> None:
    seed = bytes(range(32))
    typed = ("codes", "pay", "--seed", base64.b64encode(seed).decode(), "--index", "12345678")
    wanted = paycode.generate(seed, "12345678", datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC))
    for moment in ("2027-01-02T03:04:05Z", "2027-01-02T11:04:05.5+08:00"):
        status, out, _ = run(*typed, "--at", moment, capsys=capsys)
        assert status == 0
        assert paycode.parse(out.splitlines()[0]).digits == wanted


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://me:secret@db/tandem", "postgresql://me@db/tandem"),
        ("postgresql://db/x?password=secret&user=me", "postgresql://db/x?user=me"),
        ("postgresql:///x?PassWord=secret", "postgresql:///x"),
        ("postgresql:///x?pass%77ord=secret&a=1", "postgresql:///x?a=1"),
        ("postgresql://me:s%40cret@h1,h2/x", "postgresql://me@h1,h2/x"),
        ("postgresql://me:p@ss@db/x", "postgresql://me@db/x"),
    ],
)
def test_a_shown_url_has_no_password(given: str, shown: str) -> None:
    assert without_password(given) == shown


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(DatabaseUrlInvalid):
        without_password("mysql://me:secret@db/tandem")


@pytest.mark.parametrize(
    ("text", "points"), [("0", 0), ("0.6", 60), ("0.60", 60), ("1", 100), ("100", 10_000)]
)
def test_percentages_are_read_without_floats(text: str, points: int) -> None:
    assert basis_points_of(text) == points


@pytest.mark.parametrize("text", ["", "-1", "1.", ".5", "1e1", "100.01", "0.001", "\u0663", "nan"])
def test_other_percentages_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        basis_points_of(text)


def test_whoever_stops_reading_is_not_shouted_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("tandem.cli.codes.say", broken)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1, raising=False)
    status, out, err = run("codes", "read", "hello", capsys=capsys)
    assert (status, out, err) == (0, "", "")


def test_a_full_disk_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full, pytest.MonkeyPatch.context() as now:
        now.setattr(sys, "stdout", full)
        status = execute(["codes", "read", "hello"])
        now.undo()
        with contextlib.suppress(OSError):
            full.close()
    assert status == 1
    assert capsys.readouterr().err.startswith("✗ What this prints cannot be written")


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("tandem.cli", ("tandem.db", "tandem.serve", "tandem.payments", "uvicorn", "httpx")),
        ("tandem.cli.up", ("tandem.api", "tandem.payments", "tandem.web.application", "webauthn")),
        ("tandem.cli.device", ("tandem.payments", "tandem.signin", "tandem.serve", "webauthn")),
    ],
)
def test_a_command_loads_no_more_than_it_needs(module: str, without: tuple[str, ...]) -> None:
    """What is loaded in vain is waited for at each start."""
    asked = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        (sys.executable, "-c", asked), capture_output=True, text=True, check=True
    )
    assert not set(without) & set(done.stdout.split())
