"""Every target with what is kept for it, with what Hypothesis makes of that, and by coverage.

The last needs atheris, and is skipped by name where there is none; it has so many inputs, not so
much time: the same everywhere.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_targets import TARGETS
from fuzzing import corpus
from hypothesis import given, settings
from hypothesis import strategies as st

RUNS = 1000
HERE = Path(__file__).parent


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_all_that_is_kept(name: str) -> None:
    kept = corpus(name)
    assert kept
    for data in (b"", *kept):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100)
@given(draw=st.data())
def test_a_target_holds_for_what_is_like_it(name: str, draw: st.DataObject) -> None:
    """Two inputs joined, with a byte changed; or anything."""
    kept = st.sampled_from(corpus(name))
    one, other = draw.draw(kept), draw.draw(kept)
    cut, at = draw.draw(st.integers(0, len(one))), draw.draw(st.integers(0, 255))
    data = bytearray(one[:cut] + other[draw.draw(st.integers(0, len(other))) :])
    if at < len(data):
        data[at] = draw.draw(st.integers(0, 255))
    TARGETS[name](bytes(data))
    TARGETS[name](draw.draw(st.binary(max_size=200)))


@pytest.fixture(scope="module")
def guided() -> dict[str, str]:
    """What a run over all targets said, by target: one process, for making it ready takes long."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("there is no atheris here: targets were not fuzzed by coverage")
    command = [sys.executable, str(HERE / "fuzzing.py"), "--runs", str(RUNS), "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter and a file of ours
    said: dict[str, str] = {}
    for line in (done.stdout + done.stderr).splitlines():
        name, _, rest = line.partition(": ")
        if name in TARGETS:
            said[name] = rest
    assert said.keys() == TARGETS.keys(), done.stderr[-2000:]
    return said


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_what_reaches_more(name: str, guided: dict[str, str]) -> None:
    assert guided[name] == "held", guided[name]
