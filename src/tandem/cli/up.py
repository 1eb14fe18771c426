"""`tandem up`: serve."""

import contextlib
import os
import sys
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tandem import __version__
from tandem.cli.run import Interrupted, run, waiting
from tandem.cli.show import complain, facts, money, say
from tandem.db.locate import describe
from tandem.logs import Level, Logs
from tandem.serve import Options, Server, serving
from tandem.web.faces import are_built

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]
_LOOPBACK = ("127.", "localhost", "::1")


def up(
    *,
    host: str = "127.0.0.1",
    port: Port = 8080,
    workers: Annotated[int, Parameter(validator=Number(gte=1, lte=64))] = 1,
    sandbox: Annotated[bool, Parameter(negative=())] = False,
    log_level: Level = "info",
) -> int:
    """Serve Tandem: the database, the API and its pages.

    Starts the embedded database in the data folder (or uses the one that TANDEM_DATABASE_URL
    names), brings its schema up to date, and answers requests until Ctrl-C. In a terminal the very
    first start prints the operator's key, once; where what is printed is kept, `tandem operator key
    add` makes it. Logs go to standard error: lines in a terminal, else JSON.

    Example: `tandem up --port 8080 --sandbox`

    Parameters
    ----------
    host
        The address to listen on. The default is reachable from this machine only; put a proxy
        with TLS in front to serve others, and set TANDEM_PUBLIC_URL to its https address.
    port
        The port to listen on; 0 takes any free one.
    workers
        How many processes answer requests. About one for each core.
    sandbox
        Play money, a clock that can be advanced, a buyer who pays by rule. The same as
        TANDEM_MODE=sandbox; a database stays what it was made as.
    log_level
        How much to log.
    """
    environment = dict(os.environ)
    if sandbox:
        environment["TANDEM_MODE"] = "sandbox"
    options = Options(
        host=host,
        port=port,
        workers=workers,
        logs=Logs.of_this_process(log_level),
        operator_key="first" if sys.stdout.isatty() else "never",
    )
    try:
        run(_up(options, environment), logs=options.logs)
    except Interrupted:
        return 0  # being told to stop is how this ends well
    return 0


async def _up(options: Options, environment: dict[str, str]) -> None:
    with contextlib.ExitStack() as spinner:
        progress = spinner.enter_context(waiting())
        async with serving(options, environment, progress) as server:
            spinner.close()
            _introduce(server, options, environment)
            await server.wait()


def _introduce(server: Server, options: Options, environment: dict[str, str]) -> None:
    given, found = environment.get("TANDEM_DATABASE_URL", ""), server.found
    say(f"tandem {__version__} ({server.settings.mode}) is up.")
    pairs = {"API": server.url, "Docs": f"{server.url}/docs", "Data": str(server.data)}
    if server.acquirer is not None:
        pairs["ISO 8583"] = server.acquirer.addresses
    if are_built():
        pairs = {"Apps": f"{server.url}/", **pairs}
    if given:
        pairs["Database"] = describe(given)
    if found.new_key is not None:
        pairs["Operator key"] = found.new_key
    facts(pairs, indent=2)
    if found.new_key is not None:
        say("The operator's key is shown this once; keep it. `tandem operator key add` makes more.")
    elif not found.has_key:
        say("The operator has no key yet. This makes one: tandem operator key add")
    _warn(server, options)


def _warn(server: Server, options: Options) -> None:
    """Say what was set in a way that people will not expect."""
    settings = server.settings
    alone = settings.sandbox and options.host.startswith(_LOOPBACK)
    if not settings.reaches_others and not alone:
        complain(
            f"The codes that shops show lead to {settings.public_url}, which is this machine only. "
            "Set TANDEM_PUBLIC_URL to the https address where people's phones reach this Tandem."
        )
    for name in server.acquirer.unguarded if server.acquirer is not None else ():
        complain(
            f"The link {name} has no MACs, and not all listeners ask for a client certificate: "
            "whoever connects from its networks pays and refunds in its name. Set mac, or tls with "
            "clients."
        )
    if server.found.left_out:
        amounts = " and ".join(money(minor, unit) for unit, minor in server.found.left_out)
        complain(
            f"TANDEM_CURRENCIES leaves out what somebody here still has: {amounts}. It is shown, "
            "spent, sent and paid out as before, and nothing more comes in."
        )
