"""`tandem reader`: contactless readers, real and virtual."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tandem.cli.reader_messages import read
from tandem.cli.show import cells, complain, done, facts, say, show, table
from tandem.tap import VirtualReaderRefused, pcsc, virtual
from tandem.tap.vpcd import LOOPBACK, PORT

app = App(name="reader", help="Look after contactless readers.", help_format="markdown")
app.command(read)

_PAUSE_SECONDS: Final = 0.1
_LOOKS: Final = 150
_DEBIAN_ENTRY: Final = Path("/etc/reader.conf.d/vpcd")
_MOVED_ENTRY: Final = "/etc/vpcd.reader-conf.disabled"


@app.command(name="list")
def list_() -> None:
    """List the readers that PC/SC knows: USB readers, and the virtual one.

    Example: `tandem reader list`
    """
    made = table("Reader", "Kind")
    for name in pcsc.readers():
        made.add_row(*cells(name, "virtual" if name.startswith(virtual.NAME) else "hardware"))
    if made.row_count:
        show(made)
    else:
        say("No reader is connected.")


@app.command(name="setup-virtual")
def setup_virtual(
    *,
    install: Annotated[bool, Parameter(negative=())] = False,
    foreground: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Start a virtual reader, for trying payments without hardware. Debian and Ubuntu.

    Devices come to it at 127.0.0.1, port 35963; the network cannot reach it. It runs until
    `tandem reader stop`, and is no reader for real payments: whoever is on this machine may use it.

    Example: `sudo tandem reader setup-virtual --install`

    Parameters
    ----------
    install
        Install the Debian packages that are missing. Only root can.
    foreground
        Stay, until Ctrl-C ends it.
    """
    if virtual.running() is not None:
        done("The virtual reader is running already.")
        return
    if virtual.lacking():
        _install(install=install)
    if foreground:
        virtual.supervise()
        return
    _start()
    done(f"The virtual reader is running: devices come to it at {LOOPBACK}, port {PORT}.")
    if _exposed():
        complain(_warning())


@app.command
def status() -> int:
    """Say whether the virtual reader runs, and what is missing for PC/SC. Exit status 1 if not.

    Example: `tandem reader status`
    """
    pid, lacking = virtual.running(), virtual.lacking()
    facts(
        {
            "Virtual reader": "not running" if pid is None else f"running, process {pid}",
            "Debian packages": f"missing: {' '.join(lacking)}" if lacking else "installed",
            "PC/SC": pcsc.missing() or "can be used",
        }
    )
    if _exposed():
        complain(_warning())
    return 0 if pid is not None else 1


@app.command
def stop() -> None:
    """End the virtual reader.

    Example: `tandem reader stop`
    """
    if not virtual.stop():
        say("The virtual reader is not running.")
        return
    for _ in range(_LOOKS):
        if virtual.running() is None:
            done("The virtual reader has ended.")
            return
        time.sleep(_PAUSE_SECONDS)
    raise VirtualReaderRefused("the one that runs does not end")


def _install(*, install: bool) -> None:
    """Install what is missing, if the person said so. Raises `VirtualReaderRefused`."""
    names = " ".join(virtual.lacking())
    if not install:
        raise VirtualReaderRefused(
            f"these Debian packages are missing: {names}. `--install` installs them, as root"
        )
    if os.geteuid() != 0:
        raise VirtualReaderRefused(f"only root can install {names}")
    # The package brings an entry by which the system's own pcscd would listen on all interfaces:
    # it is put aside before it can be read.
    _apt(
        "dpkg-divert", "--local", "--rename", "--divert", _MOVED_ENTRY, "--add", f"{_DEBIAN_ENTRY}"
    )
    _apt("apt-get", "update", "-qq")
    _apt("apt-get", "install", "-y", "-qq", "--no-install-recommends", *virtual.lacking())


def _apt(*command: str) -> None:
    say(f"$ {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        ended = subprocess.run(  # noqa: S603 -- programs of Debian by name, no shell
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        raise VirtualReaderRefused(f"there is no {command[0]}: this is not Debian") from None
    if ended.returncode:
        raise VirtualReaderRefused(f"{command[0]} ended with status {ended.returncode}")


def _start() -> None:
    """Start the supervisor in the background, and wait until it is ready."""
    command = [sys.executable, "-m", "tandem", "reader", "setup-virtual", "--foreground"]
    started = subprocess.Popen(  # noqa: S603 -- ourselves, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    for _ in range(_LOOKS):
        if started.poll() is not None:
            said = started.stderr.read() if started.stderr is not None else ""
            reason = said.strip().removeprefix("✗ ").rpartition("was not started: ")[2]
            raise VirtualReaderRefused(reason.rstrip(".") or "it ended at once")
        if virtual.ready():
            return
        time.sleep(_PAUSE_SECONDS)
    started.terminate()
    raise VirtualReaderRefused("it is not ready in time")


def _exposed() -> bool:
    """Whether Debian's own entry is there, which opens a port to the network."""
    try:
        return "/dev/null" in _DEBIAN_ENTRY.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _warning() -> str:
    return (
        f"{_DEBIAN_ENTRY} makes the system's own pcscd listen on all interfaces, for anybody. Put "
        f"it aside: dpkg-divert --local --rename --divert {_MOVED_ENTRY} --add {_DEBIAN_ENTRY}"
    )
