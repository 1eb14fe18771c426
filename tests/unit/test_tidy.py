"""Tidy: the repository keeps the rules of the house, and each rule catches what it is for."""

import pytest
from tidy import (
    FILE_LINES,
    FUNCTION_LINES,
    HOSTS,
    RULES,
    WORDS,
    Files,
    Rule,
    decisions_are_listed,
    every_module_is_used,
    every_test_is_collected,
    exceptions_have_reasons,
    files_are_short,
    floors_are_drawn,
    functions_are_short,
    links_lead_somewhere,
    money_is_never_a_float,
    nothing_is_left_for_later,
    nothing_names_a_registry_or_a_machine,
    only_the_command_line_prints,
    only_two_places_commit,
    public_things_are_documented,
    repository,
    rooms_say_what_they_offer,
    time_and_randomness_are_passed_in,
)

LEDGER = "src/tandem/ledger/x.py"
ROOM = "src/tandem/people/x.py"
LAYERS = "[[tool.importlinter.contracts]]\nlayers"
NOQA = "# noq" + "a"
IGNORE = "# type: igno" + "re"

# A rule, a tree that it finds fault with, and a like one that it lets pass.
CASES: list[tuple[Rule, Files, Files]] = [
    (files_are_short, {ROOM: "x = 1\n" * (FILE_LINES + 1)}, {ROOM: "x = 1\n" * FILE_LINES}),
    (
        functions_are_short,
        {ROOM: "async def f():\n" + "    x = 1\n" * FUNCTION_LINES},
        {ROOM: "async def f():\n" + "    x = 1\n" * (FUNCTION_LINES - 1)},
    ),
    *[
        (nothing_is_left_for_later, {ROOM: f"# {word}: more\n"}, {"docs/x.md": f"{word}\n"})
        for word in WORDS
    ],
    (exceptions_have_reasons, {ROOM: f"x = 1  {NOQA}\n"}, {ROOM: f"x = 1  {NOQA}: E1 - why\n"}),
    (exceptions_have_reasons, {ROOM: f"x  {NOQA}: E1\n"}, {ROOM: f"x  {NOQA}: E1, E2 -- why\n"}),
    (exceptions_have_reasons, {ROOM: f"x  {IGNORE}\n"}, {ROOM: f"x  {IGNORE}[arg-type]  # why\n"}),
    (exceptions_have_reasons, {ROOM: f"x  {IGNORE}[misc]\n"}, {ROOM: "x = 1  # type: no\n"}),
    (only_the_command_line_prints, {ROOM: "print(1)"}, {"src/tandem/cli.py": "print(1)"}),
    (only_the_command_line_prints, {ROOM: "tell = print"}, {ROOM: "pprint(1)"}),
    *[
        (time_and_randomness_are_passed_in, {ROOM: bad}, {ROOM: good})
        for bad, good in [
            ("import datetime as dt\ndt.datetime.now(dt.UTC)", "clock.now()"),
            ("from datetime import datetime\nx = datetime.utcnow", "from datetime import date"),
            ("from datetime import date\ndate.today()", "date(2026, 1, 1)"),
            ("import time\ntime.time()", "import time\ntime.sleep"),
            ("from time import time as t\nt()", "loop.time()"),
            ("import random", "entropy(8)"),
            ("from secrets import token_hex", "from hmac import compare_digest"),
            ("import uuid\nuuid.uuid4()", "import uuid\nuuid.UUID(int=1)"),
            ("import os\nos.urandom(8)", "import os\nos.getpid()"),
            ("import time\ntime.monotonic()", "clock.monotonic()"),
        ]
    ],
    *[
        (money_is_never_a_float, {LEDGER: bad}, {LEDGER: good})
        for bad, good in [
            ("rate = 0.5", "rate = 5"),
            ("fee = amount / 2", "fee = amount // 2"),
            ("fee = float(amount)", "fee = int(amount)"),
            ("fee = round(amount)", "fee = basis_points(amount, 5)"),
            ("def f(amount: float) -> None: ...", "def f(pause_s: float) -> None: ..."),
            ("amount: float | None = None", "wait_seconds: float | None = None"),
            ("def rate() -> list[float]: ...", "def pause_seconds() -> float: ..."),
            ("fee = amount / rate", "path = folder / 'name'"),
        ]
    ],
    (money_is_never_a_float, {LEDGER: "x = 1.0"}, {"src/tandem/web/x.py": "x = 1.0"}),
    *[
        (only_two_places_commit, {ROOM: bad}, {ROOM: good})
        for bad, good in [
            ("connection.execute('COMMIT')", '"""After COMMIT."""'),
            ("await connection.commit()", "view.on_commit()"),
            ("connection.transaction()", "connection.transaction(readonly=True)"),
        ]
    ],
    (
        rooms_say_what_they_offer,
        {"src/tandem/__init__.py": '"""x"""', ROOM: "x = 1"},
        {"src/tandem/__init__.py": '"""x"""'},
    ),
    (
        rooms_say_what_they_offer,
        {"src/tandem/people/__init__.py": '"""x"""'},
        {"src/tandem/people/__init__.py": '"""x"""\n__all__ = []'},
    ),
    *[
        (public_things_are_documented, {ROOM: bad}, {ROOM: f'"""x"""\n{good}'})
        for bad, good in [
            ("x = 1", "x = 1"),
            ('"""x"""\ndef f(): ...', "def _f(): ..."),
            ('"""x"""\nclass C:\n    """x"""\n    def f(self): ...', "class _C:\n    x = 1"),
            ('"""x"""\nif x:\n    def f(): ...', "@overload\ndef f(): ..."),
        ]
    ],
    (
        nothing_names_a_registry_or_a_machine,
        {"x.txt": f"--index https://{HOSTS[0]}/simple"},
        {"x.txt": "https://example.org/simple"},
    ),
    (nothing_names_a_registry_or_a_machine, {"x.md": "/ho" + "me/jo/x"}, {"x.md": "~/x /home"}),
    (
        every_module_is_used,
        {"src/tandem/cli.py": "import json", ROOM: "x = 1"},
        {"src/tandem/cli.py": "from tandem.people import x", ROOM: "x = 1"},
    ),
    (
        every_module_is_used,
        {"src/tandem/a.py": "import tandem.b", "src/tandem/b.py": "import tandem.a"},
        {
            "src/tandem/cli.py": "run('tandem.b:app')",
            "src/tandem/b.py": "program = 'c.py'",
            "src/tandem/c.py": "",
        },
    ),
    (
        decisions_are_listed,
        {"docs/decisions/0001-a.md": "", "docs/decisions/README.md": "0001-a.md"},
        {"docs/decisions/0001-a.md": "", "docs/decisions/README.md": "[a](0001-a.md)"},
    ),
    (decisions_are_listed, {ROOM: "# docs/decisions/" + "0099"}, {ROOM: "# docs/decisions"}),
    (links_lead_somewhere, {"docs/a.md": "[x](b.md)"}, {"docs/a.md": "[x](../c.md)", "c.md": ""}),
    (links_lead_somewhere, {"a.md": "[x](#no)"}, {"a.md": "[x](#a-b) `[x](y)`\n## A, b\n"}),
    (links_lead_somewhere, {"a.md": "[x](docs)"}, {"a.md": "[x](docs)", "docs/b.md": ""}),
    (
        every_test_is_collected,
        {"tests/unit/test_x.py": "def helper(): ..."},
        {"tests/unit/test_x.py": "TestMachine = Machine.TestCase"},
    ),
    (
        every_test_is_collected,
        {"tests/unit/helpers.py": "async def test_x(): ..."},
        {"tests/unit/helpers.py": "def made(): ..."},
    ),
    (
        floors_are_drawn,
        {"pyproject.toml": f"{LAYERS} = ['a | b', 'c']", "ARCHITECTURE.md": "| 1 | `b` | x |\n"},
        {
            "pyproject.toml": f"{LAYERS} = ['a | b', 'c']",
            "ARCHITECTURE.md": "| 2 | `b`, `a` | `x` |\n| 1 | `c` | |\n",
        },
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_is_tidy(rule: Rule) -> None:
    found = list(rule(repository()))
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize(("rule", "bad", "good"), CASES)
def test_a_rule_catches_what_it_is_for(rule: Rule, bad: Files, good: Files) -> None:
    assert list(rule(bad))
    assert list(rule(good)) == []


def test_every_rule_has_a_case() -> None:
    assert set(RULES) == {rule for rule, _, _ in CASES}


def test_the_whole_repository_is_read() -> None:
    assert {"src/tandem/kernel/money.py", "Makefile", ".ci/run", "LICENSE"} <= repository().keys()
    assert not any(path.startswith((".git/", ".venv/")) for path in repository())
