"""The operator's bank accounts: what their file may say, and what people are shown of it."""

from pathlib import Path
from uuid import UUID

import pytest

from tandem.people import reference_of
from tandem.settings import Settings, read_settings
from tandem.wallet import AccountsUnusable
from tandem.wallet.bank import read_accounts, top_up_details

LIN = UUID("0199f0a4-c0de-7000-8000-000000000001")
EURO = """
[[accounts]]
currencies = ["EUR", "USD"]
holder = "Harbour Wallet AG"
iban = "de75 5121 0800 1245 1261 99"
bic = "SOLADEST600"
"""
YUAN = """
[[accounts]]
currencies = ["CNY"]
holder = "海港钱包"
number = "6222 0200 0000 0000 000"
bank = "Harbour Bank, Hangzhou"
note = "Only from an account in your own name."
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "accounts.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_people_see_the_account_of_each_currency(tmp_path: Path) -> None:
    details = top_up_details(read_accounts(written(tmp_path, EURO + YUAN)), LIN)
    assert details.reference == reference_of(LIN)
    euro, dollar, yuan = details.accounts
    assert (euro.currency, euro.iban, euro.number) == ("EUR", "DE75512108001245126199", None)
    assert euro.code == (
        "BCD\n002\n1\nSCT\nSOLADEST600\nHarbour Wallet AG\nDE75512108001245126199\n\n\n"
        + reference_of(LIN)
    )
    assert (dollar.currency, dollar.iban, dollar.code) == ("USD", euro.iban, None)
    assert (yuan.holder, yuan.number, yuan.iban) == ("海港钱包", "6222 0200 0000 0000 000", None)
    assert yuan.code is None
    assert yuan.note == "Only from an account in your own name."


def test_a_code_is_for_sepa_alone(tmp_path: Path) -> None:
    abroad = EURO.replace("de75 5121 0800 1245 1261 99", "TR330006100519786457841326")
    details = top_up_details(read_accounts(written(tmp_path, abroad)), LIN)
    assert [one.code for one in details.accounts] == [None, None]


def test_without_a_file_there_is_no_account() -> None:
    assert top_up_details(read_accounts(None), LIN).accounts == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("1261 99", "1261 98", "iban DE75512108001245126198 has a mistake in it"),
        ("SOLADEST600", "SOLA", "bic SOLA is none"),
        ("Harbour Wallet AG", "A" * 71, "holder must have 1 to 70"),
        ("Harbour Wallet AG", "Har\\u202Ebour", "holder has a character that cannot be shown"),
        ('"EUR", "USD"', '"EUR", "XXQ"', "currencies"),
        ('"EUR", "USD"', "", "length >= 1"),
        ('"EUR", "USD"', '"EUR", "EUR"', "EUR has two accounts"),
        ("iban =", 'number = "1"\niban =', "give one of them"),
        ("iban =", "iben =", "unknown field"),
        ("[[accounts]]", "[[accounts", "Expected"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = written(tmp_path, EURO.replace(old, new))
    with pytest.raises(AccountsUnusable) as refused:
        read_accounts(path)
    assert str(path) in refused.value.sentence()
    assert told in refused.value.sentence()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AccountsUnusable, match="no such file"):
        read_accounts(tmp_path / "none.toml")


def test_the_setting_names_the_file(tmp_path: Path) -> None:
    assert Settings().top_up_accounts is None
    read = read_settings({"TANDEM_TOP_UP_ACCOUNTS": str(tmp_path / "accounts.toml")})
    assert read.top_up_accounts == tmp_path / "accounts.toml"
