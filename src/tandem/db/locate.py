"""Where the database is: the server that TANDEM_DATABASE_URL names, or the embedded one.

The environment is passed in as a mapping, so that nothing here depends on who calls it.
"""

import asyncio
import os
import pwd
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tandem.db.embedded import EmbeddedPostgres, Progress, attach, first_closed, server_account
from tandem.db.errors import (
    DatabaseTooOld,
    DatabaseUnavailable,
    DatabaseUnreachable,
    DatabaseUnsuitable,
    DatabaseUrlInvalid,
    DataFolderUnusable,
)
from tandem.db.trouble import reason_of, refusals

OLDEST_SERVER: Final = 15
"""The oldest major version of PostgreSQL that Tandem runs on."""

ROOTS_DATA: Final = Path("/var/lib/tandem")
"""Root's data folder where its home is closed to the account that PostgreSQL runs as."""

_CONNECT_LIMIT_S: Final = 10.0
_SCHEMES: Final = ("postgresql", "postgres")
_BRACKETED_AMONG_OTHERS: Final = re.compile(r"//[^/?]*(?:,\[|\][^/?@,]*,)")


def default_data_folder(env: Mapping[str, str]) -> Path:
    """The data folder, whether or not it exists yet.

    `TANDEM_DATA`; else `tandem` in `XDG_DATA_HOME` (XDG Base Directory Specification: ignored
    unless absolute) or in ~/.local/share. For root, where PostgreSQL's account cannot reach that,
    /var/lib/tandem; a database that is already in one of the two stays where it is.
    Raises `DataFolderUnusable` if there is no home either.
    """
    given = env.get("TANDEM_DATA", "")
    if given:
        return Path(given).absolute()
    home = _data_home(env) / "tandem"
    if os.geteuid() != 0:
        return home
    for folder in (home, ROOTS_DATA):
        if (folder / "postgres").exists():
            return folder
    closed = first_closed(server_account(home), home)
    return home if closed in (None, home) else ROOTS_DATA


def application_role(env: Mapping[str, str]) -> str | None:
    """The role that the operator chose for the application to work as, if it did."""
    return env.get("TANDEM_DATABASE_ROLE") or None


def _data_home(env: Mapping[str, str]) -> Path:
    given = env.get("XDG_DATA_HOME", "")
    if given.startswith("/"):
        return Path(given)
    home = env.get("HOME", "")
    if not home.startswith("/"):
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            raise DataFolderUnusable(
                Path("~/.local/share/tandem"), "HOME is not set and you have no entry in passwd"
            ) from None
    return Path(home) / ".local" / "share"


@asynccontextmanager
async def open_database(
    env: Mapping[str, str],
    *,
    progress: Progress | None = None,
    share: bool = False,
    on_failure: Callable[[DatabaseUnavailable], None] | None = None,
) -> AsyncIterator[str]:
    """The database's URL, for as long as the block lasts.

    With `TANDEM_DATABASE_URL` that server, once it is seen to answer and to be new enough. Else
    the embedded server of the data folder, started before and stopped after; with `share` one that
    another process already runs there is used as it is (for short commands beside `tandem up`).
    `on_failure` is called if the embedded server dies and cannot be brought back.
    Raises a `DatabaseUnavailable`, also for what the server forbids within the block.
    """
    url = env.get("TANDEM_DATABASE_URL", "")
    if url:
        await check_server(url)
        with refusals(describe(url)):
            yield url
        return
    data = default_data_folder(env)
    running = await attach(data) if share else None
    if running is not None:
        with refusals(describe(running)):
            yield running
        return
    async with EmbeddedPostgres(data, progress=progress) as server:
        watch = asyncio.create_task(_report_failure(server, on_failure))
        try:
            with refusals(describe(server.dsn)):
                yield server.dsn
        finally:
            watch.cancel()
            await asyncio.wait([watch])


async def _report_failure(
    server: EmbeddedPostgres, on_failure: Callable[[DatabaseUnavailable], None] | None
) -> None:
    error = await server.failure()
    if on_failure is not None:
        on_failure(error)


async def check_server(url: str) -> None:
    """See that a given server answers, lets us in, is new enough and keeps every text.

    Raises `DatabaseUrlInvalid`, `DatabaseUnreachable`, `DatabaseTooOld`, `DatabaseUnsuitable`;
    none shows the password. Whether it takes writes is seen by what writes: a replica can be read.
    """
    where = describe(url)
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_LIMIT_S)
    except (asyncpg.ClientConfigurationError, ValueError):
        # Its text may quote the URL.
        raise DatabaseUrlInvalid("has a part that cannot be read") from None
    except TimeoutError:
        raise DatabaseUnreachable(where, f"no answer in {_CONNECT_LIMIT_S:.0f} s") from None
    except asyncpg.InterfaceError:
        # The driver's own words: it, too, may quote the URL.
        raise DatabaseUnreachable(where, "the connection cannot be made as it asks for") from None
    except (OSError, asyncpg.PostgresError) as error:
        raise DatabaseUnreachable(where, reason_of(error)) from None
    try:
        version = connection.get_server_version()
        encoding: str = connection.get_settings().server_encoding
    finally:
        await connection.close(timeout=_CONNECT_LIMIT_S)
    if version.major < OLDEST_SERVER:
        raise DatabaseTooOld(where, f"{version.major}.{version.minor}")
    if encoding != "UTF8":
        raise DatabaseUnsuitable(where, encoding)


def describe(url: str) -> str:
    """Host, port and database of a URL, to be shown: no user, no password, no other options.

    Raises `DatabaseUrlInvalid` unless it is a URL of a PostgreSQL.
    """
    if _BRACKETED_AMONG_OTHERS.search(url):
        # Python's newer releases take a host in brackets for the only one.
        raise DatabaseUrlInvalid(
            "has an IPv6 address among several hosts; write those as ?host=one,::1&port=5432,5432"
        )
    try:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
    except ValueError:
        raise DatabaseUrlInvalid("cannot be read") from None
    if parts.scheme not in _SCHEMES:
        raise DatabaseUrlInvalid("does not begin with postgresql://")
    if "#" in url:
        # Everything behind it would be dropped in silence: a password must be written as %23.
        raise DatabaseUrlInvalid("has a #; in a password, write it as %23")
    if "@" in parts.path:
        # What stands before it is part of a password.
        raise DatabaseUrlInvalid("has a / before its @; in a password, write it as %2F")
    host = parts.netloc.rpartition("@")[2] or ",".join(options.get("host", ["localhost"]))
    return host + parts.path
