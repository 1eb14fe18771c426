#!/usr/bin/env python3
"""Install locked packages into the environment that runs this, with progress.

    python tools/install.py LOCK

Every package must have one of the hashes that the lock names. It needs only the standard library:
nothing else is installed yet. Ends with 0, or with pip's own exit code and the end of what it said.
"""

import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

LINES_KEPT: Final = 15
REPORT_EVERY_S: Final = 10.0


def locked(lock: Path) -> int:
    """How many packages a lock names."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return sum("==" in line and not line.startswith((" ", "#")) for line in lines)


def install(lock: Path) -> int:
    """Run pip over the lock and show how far it is. Returns pip's exit code."""
    total, seen = locked(lock), 0
    show(f"Installing what {lock} names, with everything's hash checked.", end="\n")
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--no-input", "--progress-bar", "off", "--require-hashes", "-r", str(lock)]
    last: deque[str] = deque(maxlen=LINES_KEPT)
    told = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - our own interpreter and a file of ours, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        assert pip.stdout is not None, "it was asked for"
        for line in pip.stdout:
            last.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
            if sys.stderr.isatty() or time.monotonic() - told >= REPORT_EVERY_S:
                told = time.monotonic()
                show(stage(line, seen, total))
    if sys.stderr.isatty():
        show("", end="")
    if pip.returncode != 0:
        show("".join(last), end="")
        show("The packages could not be installed: pip says why above. Then run make again.", "\n")
    return pip.returncode


def stage(line: str, seen: int, total: int) -> str:
    """What pip is doing, in a few words."""
    if line.startswith("Installing collected packages"):
        return "  unpacking"
    return f"  {min(seen, total)} of {total}"


def show(text: str, end: str | None = None) -> None:
    """Write to the terminal over the line that stands there, or one line to a log."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text + (end or ""))
    else:
        sys.stderr.write(text + ("\n" if end is None else end))
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(install(Path(sys.argv[1])))
    except KeyboardInterrupt:
        show("Interrupted. Run make again to go on.", end="\n")
        sys.exit(130)
