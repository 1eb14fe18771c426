"""The machine that it ran on, as far as it matters for the figures."""

import os
import platform
import re
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.result import Machine

_BLOCK = bytes(8192)
_TRIES = 300


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
    )


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
