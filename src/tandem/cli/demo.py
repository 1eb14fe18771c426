"""`tandem demo`: the story, played over real HTTP on a sandbox of its own."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tandem.cli.ledger import verify_database
from tandem.cli.run import Interrupted, run, waiting
from tandem.cli.show import console, done, facts, say
from tandem.cli.up import Port
from tandem.db.embedded.folder import FolderLock, prepare
from tandem.db.errors import DataFolderUnusable
from tandem.db.locate import default_data_folder
from tandem.kernel import SystemClock, system_entropy
from tandem.logs import Logs
from tandem.sandbox.story import Cast, checkout, play, stage
from tandem.serve import Options, Server, serving
from tandem.web.faces import are_built

_KEPT: Final = ("PATH", "HOME", "XDG_DATA_HOME")
_MADE: Final = ("postgres", "keys", "run", "conf", "log", "software")
_MARK: Final = "demo"
"""A file that says of a data folder that it is a demo's: no other is ever cleared."""
_TRIES: Final = 10
_PAUSE_SECONDS: Final = 0.5


def demo(
    *,
    once: Annotated[bool, Parameter(negative=())] = False,
    port: Port = 0,
    keep: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Watch people and shops pay each other over real HTTP.

    Makes people, shops and a till in a sandbox of its own (the folder `demo` in the data folder:
    real data is never touched), plays the story, checks every step of it, verifies the books, and
    serves until Ctrl-C, with keys to play with. Exit status 1 if a step did not come out right.

    Example: `tandem demo --once`

    Parameters
    ----------
    once
        End after the story.
    port
        The port to serve on; any free one if not given.
    keep
        Keep what earlier demos left instead of starting anew.
    """
    try:
        run(_demo(once=once, port=port, keep=keep))
    except Interrupted:
        if once:
            raise
    return 0


async def _demo(*, once: bool, port: int, keep: bool) -> None:
    folder = default_data_folder(os.environ) / "demo"
    # Nothing else of the environment counts: the demo is the same everywhere, and never near a
    # database with money in it.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"TANDEM_DATA": str(folder), "TANDEM_MODE": "sandbox"}
    with contextlib.ExitStack() as spinner:
        progress = spinner.enter_context(waiting("Preparing the demo"))
        await _own(folder, keep=keep)
        options = Options(port=port, logs=Logs(json=False, level="warning"), operator_key="always")
        async with serving(options, environment, progress) as server:
            spinner.close()
            cast, page = await _story(server)
            if not once:
                _invite(server, cast, page)
                await server.wait()


async def _own(folder: Path, *, keep: bool) -> None:
    """Make the demo's folder, or empty it. Raises `DataFolderInUse`, `DataFolderUnusable`."""
    prepare(folder)
    try:
        _mark(folder)
    except OSError as error:
        raise DataFolderUnusable(folder, (error.strerror or "it is full").lower()) from error
    if not keep:
        await _clear(folder)


def _mark(folder: Path) -> None:
    if (folder / _MARK).exists():
        return
    if any((folder / name).exists() for name in _MADE):
        raise DataFolderUnusable(folder, "it was not made by `tandem demo`, so it is not cleared")
    (folder / _MARK).touch()


async def _clear(folder: Path) -> None:
    """Remove what earlier demos left, if no other demo is using it."""
    lock = FolderLock(folder)
    await lock.take()
    try:
        for attempt in range(_TRIES):
            if _emptied(folder, last=attempt == _TRIES - 1):
                break
            await asyncio.sleep(_PAUSE_SECONDS)
    except OSError as error:
        raise DataFolderUnusable(folder, (error.strerror or "cannot be cleared").lower()) from error
    finally:
        lock.release()


def _emptied(folder: Path, *, last: bool) -> bool:
    """Remove what a server made there. False if something is left: try again then.

    A server whose demo was killed may be writing its last files.
    """
    for path in map(folder.joinpath, _MADE):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=not last)
        else:
            path.unlink(missing_ok=True)
    return not any((folder / name).exists() for name in _MADE)


async def _story(server: Server) -> tuple[Cast, str]:
    """Everybody, and the address of a checkout page whose order is open."""
    key = server.found.new_key
    assert key is not None, "a key was asked for"
    say(f"A sandbox serves at {server.url}. What follows are real HTTP calls.")
    async with stage(server.url, key, SystemClock(), system_entropy, console()) as scene:
        await play(scene)
        cast, page = scene.cast, await checkout(scene)
    say()
    await verify_database(server.dsn)
    done("The story came out as it should.")
    return cast, page


def _invite(server: Server, cast: Cast, page: str) -> None:
    say()
    say("It goes on serving until Ctrl-C. To play with:")
    built = are_built()
    apps = {
        f"{cast.lin.first_name}'s wallet": f"{server.url}{cast.lin.link}",
        f"{cast.mei.first_name}'s wallet": f"{server.url}{cast.mei.link}",
        "Blue Door's till": f"{server.url}/till/#{cast.merchant.key}",
        "Blue Door's console": f"{server.url}/console#merchant",
        "Operator's console": f"{server.url}/console#operator",
        "A checkout page": page,
    }
    facts(
        {
            **(apps if built else {}),
            "API": server.url,
            "Docs": f"{server.url}/docs",
            "Operator's key": cast.operator.key,
            "Blue Door's key": cast.merchant.key,
            f"{cast.lin.handle}'s key": cast.lin.api.key,
            f"{cast.mei.handle}'s key": cast.mei.api.key,
            "Data": str(server.data),
        },
        indent=2,
    )
    if built:
        say("Each wallet wants a browser of its own: for the second one, a private window.")
        say("In the consoles, and at a till, sign in as whoever is offered: Ada, Bo or Noor.")
    say(f"curl -H 'Authorization: Bearer {cast.lin.api.key}' {server.url}/v1/wallet")
