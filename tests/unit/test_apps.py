"""What the web apps must have in common with the server, and their lock with our other locks."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from iso4217 import Currency

from tandem.codes import paycode
from tandem.kernel import Invalid, currency
from tandem.web.visitors import TEXTS

APPS = Path(__file__).parents[2] / "apps"


def source(path: str) -> str:
    return (APPS / path).read_text(encoding="utf-8")


def test_currencies_have_the_same_decimals_on_both_sides() -> None:
    given = re.findall(r"\b([A-Z]{3}): (\d)", source("lib/money.ts"))
    digits = {code: int(count) for code, count in given}
    assert digits
    for entry in Currency:
        try:
            unit = currency(entry.code)
        except Invalid:  # gold and the like, which nobody pays with
            continue
        assert digits.get(unit.code, 2) == unit.exponent, unit.code


def test_pages_without_an_app_have_the_apps_tokens_and_drawings() -> None:
    """What a shop's code opens looks like the wallet, and calls things as it does."""
    pages = files("tandem.web")
    style = (pages / "assets/tandem.css").read_text(encoding="utf-8")
    tokens = tokens_of(source("lib/design/tokens.css"))
    given = tokens_of(style)
    assert given
    assert given.items() <= tokens.items()
    # Before it stands what browsers take that know no light-dark().
    for name, value in re.findall(r"(--[\w-]+): light-dark\((#\w+),", style):
        assert f"{name}: {value};" in style.partition("@supports")[0]
    used = set(re.findall(r"var\((--[\w-]+)\)", style))
    assert used == set(given)
    drawings = re.findall(
        r'icon\("([^"]+)", size', (pages / "templates/icons.html").read_text(encoding="utf-8")
    )
    assert drawings
    for drawing in drawings:
        assert f"'{drawing}'" in source("lib/design/icons.ts")


def tokens_of(style: str) -> dict[str, str]:
    return {
        name: " ".join(value.split())
        for name, value in re.findall(r"(--[\w-]+):([^;]+);", style.partition("@media")[0])
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_without_an_app_use_the_apps_words(language: str) -> None:
    said = TEXTS[language]
    sources = (f"lib/i18n/{language}.ts", f"wallet/texts/later.{language}.ts")
    texts = " ".join(source(path) for path in sources)
    words = dict(re.findall(r"'([\w.]+)':\s+'([^']+)'", texts))
    for key, text in said.items():
        if key.startswith(("status.", "problem.")):
            assert text == words[key], key
    assert said["known"] == words["known.title"]
    assert said["unpaid"] == words["outcome.unpaid"]


def test_pay_codes_are_made_by_the_same_numbers() -> None:
    given = re.findall(
        r"^(?:export )?const (\w+) = ([^;]+);", source("lib/codes/paycode.ts"), re.MULTILINE
    )
    numbers = dict(given)
    assert int(numbers["STEP_S"]) == paycode.STEP_S
    assert int(numbers["COUNTERS"]) == paycode.COUNTERS
    assert int(numbers["SHOWN_S"]) <= paycode.STEP_S * paycode.STEPS_BACK
    assert numbers["PREFIX"] == f"'{paycode.PREFIX}'"


def test_packages_are_locked_by_hash_and_without_an_address() -> None:
    packages = json.loads(source("package-lock.json"))["packages"]
    assert len(packages) > 100
    for name, package in packages.items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name
    settings = source(".npmrc").split()
    assert "omit-lockfile-registry-resolved=true" in settings
    assert "ignore-scripts=true" in settings


def test_packages_are_pinned() -> None:
    wanted = json.loads(source("package.json"))
    for version in {**wanted["dependencies"], **wanted["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), version
