"""The rules of the house that no linter knows: test_tidy.py runs them.

A rule is a function from the repository's files (path and text) to what it finds.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[2]
Files = Mapping[str, str]
Rule = Callable[[Files], Iterator[str]]

FILE_LINES: Final = 500
FUNCTION_LINES: Final = 70
PACKAGE: Final = "src/tandem/"
MIGRATIONS: Final = "src/tandem/db/migrations/"
CODE: Final = ("src/", "tests/", "bench/", "tools/")
ENTRANCES: Final[tuple[str, ...]] = ("tandem.__main__", "tandem.cli", "tandem.emv")
"""Where a program or a library begins: `emv` is one that others can use by itself."""

COMMITTERS: Final = {
    "src/tandem/ledger/journal.py": "commits everything that moves money",
    "src/tandem/db/unit.py": "commits everything else",
    "src/tandem/db/migrate.py": "takes the advisory lock of whoever migrates",
}
PRINTERS: Final = ("src/tandem/cli", "src/tandem/sandbox/story")
MONEY_ROOMS: Final = ("kernel", "ledger", "payments", "wallet", "merchants", "settlement")
PAUSES: Final = {
    "src/tandem/ledger/journal.py": "waits fractions of a second for its database to come back",
}
STOPWATCHES: Final = {
    "src/tandem/web/application.py": "rate limits go by how long the machine has been up",
}
"""Files of the package that may measure how long something takes, and why."""

AMBIENT: Final = {
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "strftime")),
    *("os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7"),
}
RANDOM_MODULES: Final = ("random", "secrets")
MEASURING: Final = {
    f"time.{name}{unit}" for name in ("monotonic", "perf_counter") for unit in ("", "_ns")
}
# Put together from parts, so that this file does not find itself.
WORDS: Final = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "NotImplemented" + "Error")
HOSTS: Final = (
    *("pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "npmjs" + ".com"),
    *("crates" + ".io", "golang" + ".org", "maven" + ".org", "deb.debian" + ".org"),
)
MACHINE: Final = re.compile("/wo" + r"rk/|/ro" + r"ot/[\w.]|/ho" + r"me/[a-z]+/|/op" + "t/")
REASON: Final = re.compile(
    r"#\s*(?:ruff: )?noq" + r"a\b(?!: [A-Z]+\d+(?:, ?[A-Z]+\d+)* --? \S)"
    r"|#\s*type: igno" + r"re\b(?!\[[\w, -]+\]  # \S)"
)
_SECONDS: Final = re.compile(r"(?:^|_)(?:s|seconds)$", re.IGNORECASE)


# -- what there is -------------------------------------------------------------------------------


@cache
def repository() -> Files:
    """Every file of the repository, apart from what git ignores."""
    ignored = [
        line.strip() for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ]
    found: dict[str, str] = {}
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            shown = path.relative_to(ROOT).as_posix()
            if path.name == ".git" or any(_ignores(line, shown, path.name) for line in ignored):
                continue
            if path.is_dir():
                folders.append(path)
                continue
            try:
                found[shown] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                found[shown] = ""  # a picture: it is there, and says nothing
    return found


def _ignores(pattern: str, path: str, name: str) -> bool:
    wanted = pattern.strip("/")
    return bool(wanted) and (path == wanted if pattern.startswith("/") else fnmatch(name, wanted))


@lru_cache(maxsize=1024)
def parsed(text: str) -> ast.Module:
    """The syntax tree of a file, parsed once for all rules."""
    return ast.parse(text)


def python(files: Files, *under: str) -> Iterator[tuple[str, ast.Module]]:
    """The Python files below these folders."""
    for path, text in files.items():
        if path.endswith(".py") and path.startswith(under):
            yield path, parsed(text)


def dotted(path: str) -> str:
    """The module's name: `tandem.db.pool`."""
    parts = PurePosixPath(path).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def origins(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: `dt` is `datetime`, `now` is `time.time`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def full_name(node: ast.AST, names: Mapping[str, str]) -> str | None:
    """The dotted name that an expression stands for, by the imports of its file."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        left = full_name(node.value, names)
        return None if left is None else f"{left}.{node.attr}"
    return None


def at(path: str, node: ast.AST, message: str) -> str:
    """One finding, as editors understand it."""
    return f"{path}:{getattr(node, 'lineno', 1)}: {message}"


# -- the rules -----------------------------------------------------------------------------------


def files_are_short(files: Files) -> Iterator[str]:
    """A file that one cannot keep in mind is two files."""
    for path, text in files.items():
        lines = text.count("\n")
        if path.startswith(CODE) and path.endswith((".py", ".sh")) and lines > FILE_LINES:
            yield f"{path}: {lines} lines, more than {FILE_LINES}"


def functions_are_short(files: Files) -> Iterator[str]:
    """A function can be seen whole."""
    for path, tree in python(files, *CODE):
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield at(path, node, f"{node.name} has {lines} lines: over {FUNCTION_LINES}")


def nothing_is_left_for_later(files: Files) -> Iterator[str]:
    """What is not done is an issue, not a comment."""
    words = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")
    for path, text in files.items():
        for number, line in enumerate(text.splitlines() if path.startswith(CODE) else (), 1):
            if words.search(line):
                yield f"{path}:{number}: {line.strip()}"


def exceptions_have_reasons(files: Files) -> Iterator[str]:
    """Whoever silences a linter says which rule and why, in the same line."""
    for path, text in files.items():
        for number, line in enumerate(text.splitlines() if path.endswith(".py") else (), 1):
            if REASON.search(line):
                yield f"{path}:{number}: say which rule and why: {line.strip()[-60:]}"


def only_the_command_line_prints(files: Files) -> Iterator[str]:
    """Everything else returns values or logs."""
    for path, tree in python(files, PACKAGE):
        for node in ast.walk(tree):
            prints = isinstance(node, ast.Name) and node.id == "print"
            if prints and not path.startswith(PRINTERS):
                yield at(path, node, "print belongs to the command line")


def time_and_randomness_are_passed_in(files: Files) -> Iterator[str]:
    """Nothing outside the kernel asks the machine for either."""
    for path, tree in python(files, PACKAGE):
        if path.startswith(f"{PACKAGE}kernel/"):
            continue
        names = origins(tree)
        banned = AMBIENT if path in STOPWATCHES else AMBIENT | MEASURING
        for name, origin in names.items():
            if origin.partition(".")[0] in RANDOM_MODULES or origin in banned:
                yield f"{path}: imports {origin} as {name}; take a Clock or Entropy instead"
        for node in ast.walk(tree):
            found = full_name(node, names) if isinstance(node, ast.Attribute) else None
            if found in banned:
                yield at(path, node, f"{found}: take a Clock or Entropy instead")


def money_is_never_a_float(files: Files) -> Iterator[str]:
    """In the rooms that count money only a time in seconds may be a float."""
    for path, tree in python(files, *(f"{PACKAGE}{room}" for room in MONEY_ROOMS)):
        for node in ast.walk(tree):
            if path not in PAUSES and isinstance(node, ast.Constant) and type(node.value) is float:
                yield at(path, node, f"the float {node.value}")
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                if not (_is_text(node.left) or _is_text(node.right)):
                    yield at(path, node, "division makes a float; // and divmod do not")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in {"float", "round"}:
                    yield at(path, node, f"{node.func.id}(): amounts are integers")
            elif annotation := float_annotation(node):
                yield at(path, node, f"{annotation} is a float; only times may be, named …_seconds")


def _is_text(node: ast.expr) -> bool:
    """Whether it is a part of a file's path, which `/` joins."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def float_annotation(node: ast.AST) -> str | None:
    """The name that a node annotates as a float, if it does and the name is not a time's."""
    if isinstance(node, ast.arg):
        name, annotation = node.arg, node.annotation
    elif isinstance(node, ast.AnnAssign):
        name, annotation = ast.unparse(node.target), node.annotation
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        name, annotation = node.name, node.returns
    else:
        return None
    if annotation is None or _SECONDS.search(name):
        return None
    return name if re.search(r"\bfloat\b", ast.unparse(annotation)) else None


def only_two_places_commit(files: Files) -> Iterator[str]:
    """The journal and the unit of work; a read-only transaction writes nothing."""
    for path, tree in python(files, PACKAGE):
        if path in COMMITTERS:
            continue
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if id(node) not in prose and re.search(r"\bCOMMIT\b", node.value):
                    yield at(path, node, "commits")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                reads = any(word.arg == "readonly" for word in node.keywords)
                if node.func.attr == "commit" or (node.func.attr == "transaction" and not reads):
                    yield at(path, node, f".{node.func.attr}(): use the journal or tandem.db.work")


def rooms_say_what_they_offer(files: Files) -> Iterator[str]:
    """Each package has a docstring, and `__all__` for the others."""
    folders = {
        PurePosixPath(path).parent.as_posix()
        for path, _ in python(files, PACKAGE)
        if not path.startswith(MIGRATIONS)
    }
    for folder in sorted(folders):
        entrance = f"{folder}/__init__.py"
        if entrance not in files:
            yield f"{entrance} is missing"
            continue
        tree = parsed(files[entrance])
        assigned = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if ast.get_docstring(tree) is None:
            yield f"{entrance} has no docstring"
        if "__all__" not in assigned and folder != PACKAGE.rstrip("/"):
            yield f"{entrance} has no __all__"


def public_things_are_documented(files: Files) -> Iterator[str]:
    """Modules, classes and functions without an underscore have docstrings."""
    for path, tree in python(files, PACKAGE):
        if ast.get_docstring(tree) is None:
            yield f"{path}: no docstring"
        bodies: list[list[ast.stmt]] = [tree.body]
        while bodies:
            for node in bodies.pop():
                if isinstance(node, ast.If):
                    bodies += (node.body, node.orelse)
                if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    continue
                if node.name.startswith("_") or _told_elsewhere(node):
                    continue
                if ast.get_docstring(node) is None:
                    yield at(path, node, f"{node.name} has no docstring")
                if isinstance(node, ast.ClassDef):
                    bodies.append(node.body)


def _told_elsewhere(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    shown = [ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list]
    return any(name in {"overload", "override", "setter"} for name in shown)


def nothing_names_a_registry_or_a_machine(files: Files) -> Iterator[str]:
    """What is committed works from any registry, on any machine."""
    for path, text in files.items():
        for number, line in enumerate(text.splitlines(), 1):
            hosts = [host for host in HOSTS if host in line]
            if hosts or MACHINE.search(line):
                yield f"{path}:{number}: {line.strip()[:80]}"


def every_module_is_used(files: Files) -> Iterator[str]:
    """Each module is reached by imports from where a program, library or migration begins."""
    modules = {
        dotted(path): (path, tree)
        for path, tree in python(files, PACKAGE)
        if not path.startswith(MIGRATIONS)  # Alembic loads them by their path
    }
    if not modules.keys() & set(ENTRANCES):
        yield f"none of {', '.join(ENTRANCES)} is there"
        return
    reached: set[str] = set()
    waiting = [name for name in ENTRANCES if name in modules]
    for path, tree in python(files, MIGRATIONS):
        waiting += mentions(path, tree)
    while waiting:
        name = waiting.pop()
        if name not in modules or name in reached:
            continue
        reached.add(name)
        waiting += (name.rpartition(".")[0], *mentions(*modules[name]))
    for name in sorted(modules.keys() - reached):
        yield f"{modules[name][0]}: nothing that is used imports it"


def mentions(path: str, tree: ast.Module) -> Iterator[str]:
    """Names that may be modules: what is imported, and programs and factories named in strings."""
    folder = dotted(path) if path.endswith("__init__.py") else dotted(path).rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]
            yield f"{folder}.{node.value.removesuffix('.py')}"


def decisions_are_listed(files: Files) -> Iterator[str]:
    """Each record is linked from the list, and each one mentioned is there."""
    folder = "docs/decisions/"
    listed = files.get(f"{folder}README.md", "")
    records = [path.removeprefix(folder) for path in files if re.match(rf"{folder}\d", path)]
    for record in records:
        if f"]({record})" not in listed:
            yield f"{folder}README.md does not link {record}"
    numbers = [record[:4] for record in records]
    yield from (f"two records have the number {n}" for n in set(numbers) if numbers.count(n) > 1)
    for path, text in files.items():
        for number in re.findall(r"docs/decisions/(\d{4})", text):
            if number not in numbers:
                yield f"{path}: there is no docs/decisions/{number}"


def links_lead_somewhere(files: Files) -> Iterator[str]:
    """Relative links in the documents lead to a file, and to a heading in it."""
    places = {parent.as_posix() for path in files for parent in PurePosixPath(path).parents}
    for path, text in files.items():
        if not path.endswith(".md"):
            continue
        prose = re.sub(r"```.*?```|`[^`\n]*`", "`", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = _joined(path, name) if name else path
            if there not in files and there not in places:
                yield f"{path}: {target} is not there"
            elif anchor and anchor not in headings(files.get(there, "")):
                yield f"{path}: {there} has no heading for #{anchor}"


def headings(text: str) -> set[str]:
    """The anchors of a Markdown file's headings, as they are shown on the web."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in found}


def _joined(path: str, target: str) -> str:
    parts = list(PurePosixPath(path).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts) or "."


def every_test_is_collected(files: Files) -> Iterator[str]:
    """A file of tests is called test_*.py, and one called so has tests."""
    for path, tree in python(files, "tests/"):
        named = PurePosixPath(path).name.startswith("test_")
        has = any(
            (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.name.startswith("test_")
            )
            or (isinstance(node, ast.ClassDef) and node.name.startswith("Test"))
            or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("Test"))
            for node in tree.body
        )
        if named != has:
            yield f"{path}: " + ("no test in it" if named else "tests that nobody collects")


def floors_are_drawn(files: Files) -> Iterator[str]:
    """ARCHITECTURE.md shows the floors that import-linter holds, from the top."""
    contracts = tomllib.loads(files["pyproject.toml"])["tool"]["importlinter"]["contracts"]
    held = [sorted(re.split(r" [|:] ", layer)) for layer in contracts[0]["layers"]]
    rows = re.findall(r"^\| \d+ \| (.*?) \|", files["ARCHITECTURE.md"], re.MULTILINE)
    drawn = [sorted(re.findall(r"`(\w+)`", row)) for row in rows]
    if drawn != held:
        yield f"ARCHITECTURE.md: the floors are {held}, not {drawn}"


RULES: Final[tuple[Rule, ...]] = (
    files_are_short,
    functions_are_short,
    nothing_is_left_for_later,
    exceptions_have_reasons,
    only_the_command_line_prints,
    time_and_randomness_are_passed_in,
    money_is_never_a_float,
    only_two_places_commit,
    rooms_say_what_they_offer,
    public_things_are_documented,
    nothing_names_a_registry_or_a_machine,
    every_module_is_used,
    decisions_are_listed,
    links_lead_somewhere,
    every_test_is_collected,
    floors_are_drawn,
)
