"""`tandem db`: look after the database."""

import os
from typing import Final
from urllib.parse import unquote_plus

import asyncpg
from cyclopts import App

from tandem.cli.beside import named_database
from tandem.cli.run import run, waiting
from tandem.cli.show import done, facts, say
from tandem.db.locate import application_role, default_data_folder, describe
from tandem.db.migrate import current, pending
from tandem.db.migrate import upgrade as migrate
from tandem.db.rights import application_roles

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
