"""The machine that it ran on, as far as it matters for the figures, and who else used it."""

import os
import platform
import re
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.result import Machine

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")

_BLOCK = bytes(8192)
_TRIES = 300
_TURNS: Final = 2_000
_LOOPS: Final = 200


def this_machine(postgresql: str, folder: Path | None) -> Machine:
    """Describe this machine. `folder` is on the disk that the database writes to, if it is here."""
    cpu, cores = _cpu(), len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    kernel = re.match(r"[0-9.]+[0-9]", platform.release())
    return Machine(
        name=f"{cores} x {cpu}, {memory / 1024:.0f} GiB",
        cpu=cpu,
        cores=cores,
        memory_mib=memory,
        kernel=f"{platform.system()} {kernel[0] if kernel else '?'}",
        python=platform.python_version(),
        postgresql=postgresql,
        fdatasync_ms=None if folder is None else _fdatasync_ms(folder),
        python_said="--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")),
        python_turn_ns=min(_turn_ns() for _ in range(_LOOPS)),
    )


@dataclass(slots=True)
class _Thing:
    number: int


def _turn_ns() -> float:
    """What a turn of a loop takes that makes objects, keeps them and looks at them."""
    kept: dict[int, int] = {}
    began = time.perf_counter()
    for number in range(_TURNS):
        thing = _Thing(number)
        kept[number & 255] = thing.number + 1
    return (time.perf_counter() - began) / _TURNS * 1e9


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _fdatasync_ms(folder: Path) -> float:
    """How long it takes to make 8 KiB durable in place, as PostgreSQL's log does: the median."""
    times: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        descriptor = file.fileno()
        os.pwrite(descriptor, _BLOCK * _TRIES, 0)
        os.fsync(descriptor)
        for number in range(_TRIES):
            os.pwrite(descriptor, _BLOCK, number * len(_BLOCK))
            began = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - began)
    return median(times) * 1000


class Others:
    """How many of the cores other programs take, from now on.

    Ours are this process and those that it started, with theirs.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._used, self._ours = _used(), _ours()

    def cores(self) -> float:
        """The cores that others took until now, on average."""
        now = _ours()
        ours = sum(ticks - self._ours.get(pid, 0) for pid, ticks in now.items())
        theirs = (_used() - self._used - ours) * _TICK
        return max(0.0, theirs / (time.monotonic() - self._began))


def _used() -> int:
    """The ticks in which the cores were not idle (proc(5): user, nice, system, irq, …, steal)."""
    values = (_PROC / "stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, soft_irq, steal = map(int, values)
    return user + nice + system + irq + soft_irq + steal


def _ours() -> dict[int, int]:
    """The ticks of each process of ours, with those of its children that have ended."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended meanwhile
        fields = text.rpartition(")")[2].split()
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        ticks[pid] = sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    found = ours
    while found:
        found = {pid for pid, parent in parents.items() if parent in ours} - ours
        ours |= found
    return {pid: ticks[pid] for pid in ours if pid in ticks}
