"""Where the database is, by the environment alone."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tandem.db import locate
from tandem.db.errors import DatabaseUrlInvalid, DataFolderUnusable, printable
from tandem.db.locate import default_data_folder, describe


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"TANDEM_DATA": "/d", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/d"),
        ({"TANDEM_DATA": "", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/tandem"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/tandem"),
        ({"HOME": "/h"}, "/h/.local/share/tandem"),
        ({"HOME": "", "XDG_DATA_HOME": ""}, "/passwd/.local/share/tandem"),
        ({}, "/passwd/.local/share/tandem"),
    ],
)
def test_the_data_folder_of_an_ordinary_user(
    env: Mapping[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    entry = type("Entry", (), {"pw_dir": "/passwd"})
    monkeypatch.setattr("pwd.getpwuid", lambda _: entry)
    assert default_data_folder(env) == Path(expected)


def test_a_relative_folder_is_meant_from_here() -> None:
    assert default_data_folder({"TANDEM_DATA": "here"}) == Path.cwd() / "here"


def test_without_any_home_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody_knows)
    with pytest.raises(DataFolderUnusable, match="HOME"):
        default_data_folder({})


@pytest.mark.parametrize(
    ("closed", "there", "expected"),
    [
        (None, (), "home/tandem"),
        ("/root", (), "var"),
        (None, ("var",), "var"),  # a database stays where it is, whatever opens or closes
        ("/root", ("home/tandem",), "home/tandem"),
    ],
)
def test_the_data_folder_of_root(
    closed: str | None,
    there: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(locate, "ROOTS_DATA", tmp_path / "var")
    monkeypatch.setattr(locate, "server_account", lambda _: None)
    monkeypatch.setattr(locate, "first_closed", lambda *_: closed and Path(closed))
    for folder in there:
        (tmp_path / folder / "postgres").mkdir(parents=True)
    env = {"XDG_DATA_HOME": str(tmp_path / "home")}
    assert default_data_folder(env) == tmp_path / expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@ss@db.example:5433/pay?sslmode=require", "db.example:5433/pay"),
        ("postgres://u:secret@db/pay?password=hidden", "db/pay"),
        ("postgresql:///pay?host=/run/pg&user=u&password=secret", "/run/pg/pay"),
        ("postgresql:///pay", "localhost/pay"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert describe(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        *("", "mysql://u:secret@h/d", "postgresql://[secret", "secret"),
        *("postgresql://u:se#cret@h", "postgresql://u:12/secret@h/d"),
        *("postgresql://u:secret@one:1,[::1]:3/d", "postgresql://u:secret@[::1],two/d"),
    ],
)
def test_what_is_no_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(DatabaseUrlInvalid) as refusal:
        describe(url)
    assert "secret" not in refusal.value.sentence()
    assert "cret" not in repr(refusal.value)


def test_text_from_outside_cannot_move_the_cursor() -> None:
    assert printable("a\n\x1b[2J\u202eb\x00") == "a ?[2J?b?"
    assert len(printable("x" * 10_000)) == 300
