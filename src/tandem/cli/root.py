"""The tree of commands, and what every command has in common: how it ends and how it refuses.

Commands are imported when they are used (`tandem codes` needs no database), so each is named here
with the sentence that `tandem --help` shows; a test compares it with the command's own.
"""

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from cyclopts import App, CycloptsError

from tandem import __version__
from tandem.cli import misuse
from tandem.cli.run import Interrupted, typed
from tandem.cli.show import complain
from tandem.kernel import Invalid, Refused

OK: Final = 0
REFUSED: Final = 1
MISUSED: Final = 2

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_HELP: Final = """\
Mobile payments that you can run yourself.

`tandem demo` shows what it does; `tandem up` serves it. `tandem COMMAND --help` teaches the rest.
"""

COMMANDS: Final = {
    "up": ("tandem.cli.up:up", "Serve Tandem: the database, the API and its pages."),
    "demo": ("tandem.cli.demo:demo", "Watch people and shops pay each other over real HTTP."),
    "db": ("tandem.cli.db:app", "Look after the database."),
    "keys": ("tandem.cli.keys:app", "Look after the keys that secrets are sealed under."),
    "ledger": ("tandem.cli.ledger:app", "Read and verify the books."),
    "codes": ("tandem.cli.codes:app", "Read, draw and make QR and pay codes."),
    "cards": ("tandem.cli.cards:app", "Look after the keys of device cards."),
    "acquiring": ("tandem.cli.acquiring:app", "Look after the ISO 8583 host of shops' terminals."),
    "issuer": ("tandem.cli.issuers:app", "Simulate the bank that cards are from."),
    "terminal": ("tandem.cli.terminal:app", "Take payments by tap: the till's reader."),
    "device": ("tandem.cli.device:app", "Hold cards and pay by tap: the phone."),
    "tag": ("tandem.cli.tag:app", "Put a shop's link on an NFC tag."),
    "reader": ("tandem.cli.reader:app", "Look after contactless readers."),
    "operator": ("tandem.cli.operator:app", "Do by hand what an operator does."),
    "api": ("tandem.cli.api:app", "Print the references of the API."),
    "help-reference": ("tandem.cli.api:help_reference", "Print the reference of the command line."),
}
"""Where each command is, and the sentence about it."""


def tree(*whole: str) -> App:
    """All commands. Those named in `whole` are imported for their help, the others are not."""
    app = App(
        name="tandem",
        help=_HELP,
        help_format="markdown",
        version=__version__,
        version_flags=["--version"],
        suppress_keyboard_interrupt=False,
    )
    for name, (path, sentence) in COMMANDS.items():
        app.command(path, name=name, help=None if name in whole else sentence)
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process: 0 done, 1 refused, 2 misused, 130 interrupted."""
    sys.exit(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit status; no refusal and no misuse leaves as an exception."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know all letters
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except (CycloptsError, Refused) as error:
        return _refuse(error)
    except Interrupted as interrupted:
        return 128 + interrupted.number
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read us has seen enough (`tandem … | head`). Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        complain("What this prints cannot be written: no room is left there.")
        return REFUSED
    return status if isinstance(status, int) else OK


def _run(arguments: Sequence[str]) -> object:
    """What the command returns. Raises `CycloptsError`, and whatever the command raises.

    For a group of commands without one of them the library would print help and be content.
    """
    app = tree(*arguments[:1])
    chain, apps, rest = app.parse_commands(arguments)
    if chain and not rest and apps[-1].default_command is None:
        raise misuse.CommandMissing(app=apps[-1], command_chain=chain)
    typed.set(" ".join(chain))
    return app(
        arguments or ["--help"],
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
    )


def _refuse(error: CycloptsError | Refused) -> int:
    if isinstance(error, CycloptsError):
        complain(misuse.sentence(error))
        return MISUSED
    complain(error.sentence())
    return MISUSED if isinstance(error, Invalid) else REFUSED
