"""Fuzz, guided by coverage: `make fuzz ARGS="--seconds 600 kernel card"`.

    python tests/fuzz/fuzzing.py [--seconds N | --runs N] [--keep] [--seed N] [TARGET ...]

Without targets all of them, one after another. What one is begun with is in `corpus/TARGET.txt`,
one input a line in hexadecimal digits; `--keep` adds the smallest that reach what nothing there
reaches. A finding ends its target: its input is printed in hexadecimal digits, to be put into the
corpus, where `test_fuzz.py` runs it for ever. Ends with 1 if there was one.

It needs atheris (libFuzzer for Python), which there is for Linux on x86-64.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from coverage import Coverage

Target = Callable[[bytes], None]

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus"
_MEMORY_MB: Final = 1024
_INPUT_SECONDS: Final = 30
_LONGEST: Final = 2048


def corpus(target: str) -> list[bytes]:
    """What is kept for a target."""
    path = CORPUS / f"{target}.txt"
    if not path.exists():
        return []
    return [bytes.fromhex(line) for line in path.read_text(encoding="ascii").split()]


def fuzz(target: str, function: Target, limit: Sequence[str], *, keep: bool) -> bool:
    """Fuzz one target in a process of its own. Returns whether it held."""
    parent, folder = os.getpid(), Path(tempfile.mkdtemp(prefix="tandem-fuzz-"))
    try:
        seeds, found, faults = folder / "seeds", folder / "found", folder / "faults"
        for each in (seeds, found, faults):
            each.mkdir()
        for number, data in enumerate(corpus(target)):
            (seeds / f"{number:04d}").write_bytes(data)
        options = [
            f"-artifact_prefix={faults}/",
            f"-rss_limit_mb={_MEMORY_MB}",
            f"-timeout={_INPUT_SECONDS}",
            f"-max_len={_LONGEST}",
            "-print_final_stats=1",
            "-verbosity=0",
            *limit,
        ]
        held = _child(function, [*options, str(found), str(seeds)]) == 0
        for path in sorted(faults.iterdir()):
            sys.stdout.write(f"{target}: a finding: {path.read_bytes().hex()}\n")
        if held:
            sys.stdout.write(f"{target}: held\n")
        if keep and held:
            inputs = {path.read_bytes() for path in found.iterdir()} - {b""}
            lines = "".join(f"{d.hex()}\n" for d in reaching(function, corpus(target), inputs))
            (CORPUS / f"{target}.txt").write_text(lines, encoding="ascii")
        return held
    finally:
        if os.getpid() == parent:
            shutil.rmtree(folder)


def _child(function: Target, options: Sequence[str]) -> int:
    """libFuzzer ends the process that it runs in: so that is another one. Its exit code."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        atheris = import_module("atheris")
        atheris.Setup([sys.argv[0], *options], function, enable_python_coverage=True)
        atheris.Fuzz()  # which writes its finding down while the process ends
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def reaching(function: Target, held: list[bytes], found: Iterable[bytes]) -> list[bytes]:
    """What is held, and the smallest of what was found that go ways through Tandem beyond that."""
    kept: list[bytes] = []
    known: set[tuple[str, tuple[int, int]]] = set()
    for data in (*held, *sorted(found, key=lambda data: (len(data), data))):
        seen = Coverage(data_file=None, branch=True, include=["*/tandem/*"])
        with seen.collect():
            function(data)
        taken = seen.get_data()
        ways = {(file, way) for file in taken.measured_files() for way in taken.arcs(file) or ()}
        if data in held or not ways <= known:
            kept.append(data)
            known |= ways
    return kept


def main() -> int:
    """Fuzz what the command line names."""
    parser = argparse.ArgumentParser(description="Fuzz Tandem, guided by coverage.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which; without: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--runs", type=int, help="inputs for each target, instead of seconds")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--keep", action="store_true", help="write what is found into the corpus")
    given = parser.parse_args()
    try:
        atheris = import_module("atheris")
    except ImportError:
        sys.stderr.write("There is no atheris here: it comes for Linux on x86-64 (make does it).\n")
        return 2
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    with atheris.instrument_imports(include=["tandem"], enable_loader_override=False):
        from fuzz_targets import TARGETS  # noqa: PLC0415 -- instrumented as it is imported
    unknown = set(given.targets) - TARGETS.keys()
    if unknown:
        sys.stderr.write(f"There is no target {', '.join(sorted(unknown))}: {', '.join(TARGETS)}\n")
        return 2
    limit = [f"-max_total_time={given.seconds}"] if given.runs is None else [f"-runs={given.runs}"]
    limit.append(f"-seed={given.seed}")
    held = True
    for name in given.targets or TARGETS:
        sys.stdout.write(f"Fuzzing {name}\n")
        held &= fuzz(name, TARGETS[name], limit, keep=given.keep)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
