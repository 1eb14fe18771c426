"""What the web apps must have in common with the server, and their lock with our other locks."""

import json
import re
from pathlib import Path

from iso4217 import Currency

from tandem.codes import paycode
from tandem.kernel import Invalid, currency

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
