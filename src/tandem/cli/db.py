"""`tandem db`: look after the database."""

import asyncio
import contextlib
import os
import shutil
import signal
from typing import Annotated, Final
from urllib.parse import unquote_plus

import asyncpg
from cyclopts import App, Parameter

from tandem.cli.beside import named_database
from tandem.cli.errors import FileUnusable
from tandem.cli.run import run, waiting
from tandem.cli.show import done, facts, say
from tandem.db.embedded import programs
from tandem.db.libpq import environment_of
from tandem.db.locate import application_role, default_data_folder, describe
from tandem.db.migrate import current, pending
from tandem.db.migrate import upgrade as migrate
from tandem.db.rights import application_roles

_GIVEN: Final = "Its own options and arguments."
_PASSWORDS: Final = frozenset({"password", "sslpassword"})

app = App(name="db", help="Look after the database.", help_format="markdown")


@app.command
def upgrade() -> None:
    """Bring the schema up to date, and give the application its rights in the database.

    `tandem up` does it too, at each start; of several at once one does and the others wait. With
    nothing to do it changes nothing. The application works as a role of its own, which cannot
    change what is booked: TANDEM_DATABASE_ROLE, or else one that is made for this database.

    Example: `tandem db upgrade`
    """
    applied = run(_upgrade())
    if applied:
        done(f"Brought up to date by {len(applied)}: {', '.join(applied)}.")
    else:
        done("The schema is up to date.")


async def _upgrade() -> tuple[str, ...]:
    with waiting("Opening the database") as progress:
        async with named_database(progress) as dsn:
            progress("Bringing the schema up to date")
            return await migrate(dsn, progress, role=application_role(os.environ))


@app.command
def status() -> None:
    """Say where the database is, what runs it, and whether its schema is up to date.

    `Application` is the role that Tandem works as in it.

    Starts the embedded server for a moment if none runs.

    Example: `tandem db status`
    """
    found, waits = run(_status())
    facts(found)
    if waits:
        say(f"{waits} to come. Bring it up to date: tandem db upgrade")
    else:
        done("The schema is up to date.")


async def _status() -> tuple[dict[str, str], str]:
    given = os.environ.get("TANDEM_DATABASE_URL", "")
    with waiting("Opening the database") as progress:
        async with named_database(progress) as dsn:
            schema, todo = await current(dsn), await pending(dsn)
            server, roles = await _server(dsn)
    where = describe(given) if given else f"embedded, in {default_data_folder(os.environ)}"
    found = {
        "Database": where,
        "PostgreSQL": server,
        "Schema": schema or "none yet",
        "Application": ", ".join(roles) or "none yet",
    }
    return found, ", ".join(todo)


async def _server(dsn: str) -> tuple[str, list[str]]:
    connection = await asyncpg.connect(dsn)
    try:
        version: str = await connection.fetchval("SHOW server_version")
        return version, await application_roles(connection)
    finally:
        await connection.close()


@app.command(name="run")
def run_program(
    program: str, /, *arguments: Annotated[str, Parameter(allow_leading_hyphen=True, help=_GIVEN)]
) -> int:
    """Run one of PostgreSQL's programs on the database: psql, pg_dump, pg_restore and the like.

    They are there, of the right version, whether the machine has a PostgreSQL or not. The program
    finds the database by its environment (PGHOST, PGUSER and so on), where no password shows. The
    embedded server is started for it if none runs.

    Example: `tandem db run pg_dump --format=custom --file=tandem.dump`

    Parameters
    ----------
    program
        The program's name.
    *arguments
        Its own options and arguments.
    """
    return run(_run_program(program, arguments))


async def _run_program(program: str, arguments: tuple[str, ...]) -> int:
    path = os.pathsep.join([str(programs()), os.environ.get("PATH", os.defpath)])
    found = shutil.which(program, path=path)
    if found is None:
        raise FileUnusable(program, "no program of PostgreSQL has this name")
    with contextlib.ExitStack() as spinner:
        progress = spinner.enter_context(waiting("Opening the database"))
        async with named_database(progress) as dsn:
            spinner.close()
            environment = {**os.environ, "PATH": path, **environment_of(dsn)}
            # Ctrl-C is the program's: in psql it ends a query, not the session.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
            process = await asyncio.create_subprocess_exec(found, *arguments, env=environment)
            try:
                return await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()


@app.command
def url() -> None:
    """Print the database's URL, for psql and other programs.

    A password in TANDEM_DATABASE_URL is left out: give it to psql by PGPASSWORD or ~/.pgpass. The
    embedded database has none, and answers while `tandem up` runs.

    Example: `psql "$(tandem db url)"`
    """
    say(run(_url()))


async def _url() -> str:
    given = os.environ.get("TANDEM_DATABASE_URL", "")
    if given:
        return without_password(given)
    with waiting("Opening the database") as progress:
        async with named_database(progress) as dsn:
            return dsn


def without_password(given: str) -> str:
    """A database URL that may be shown. Raises `DatabaseUrlInvalid`."""
    describe(given)
    before, question, options = given.partition("?")
    kept = [
        option
        for option in options.split("&")
        if unquote_plus(option.partition("=")[0]).lower() not in _PASSWORDS
    ]
    scheme, slashes, rest = before.partition("://")
    credentials, at, place = rest.rpartition("@")
    user = credentials.partition(":")[0]
    query = f"{question}{'&'.join(kept)}" if any(kept) else ""
    return f"{scheme}{slashes}{user}{at}{place}{query}"
