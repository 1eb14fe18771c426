"""The PostgreSQL that everything is measured on, and the databases made in it for the run."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tandem.db import Connection
from tandem.db.embedded import EmbeddedPostgres
from tandem.db.embedded.cluster import SUPERUSER
from tandem.db.embedded.folder import dsn
from tandem.db.embedded.software import installed
from tandem.db.errors import EmbeddedUnavailable
from tandem.db.locate import check_server

DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

_DROPS: Final = 30

Tell = Callable[[str], None]


class NotMeasurableError(Exception):
    """The benchmark cannot run here, or what it measured cannot be right. Its text says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL. `folder` is on its disk, if that is this machine's."""

    url: str
    admin_url: str
    version: str
    folder: Path | None

    def database(self, name: str) -> str:
        """The URL of one of its databases."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))


@asynccontextmanager
async def open_server(env: Mapping[str, str], tell: Tell) -> AsyncIterator[Server]:
    """The server that TANDEM_BENCH_DATABASE_URL names, or an embedded one for this run.

    A given server's role must be allowed to create databases and roles. Raises
    `NotMeasurableError` if commits are not durable there.
    """
    url = env.get("TANDEM_BENCH_DATABASE_URL", "")
    if url:
        await check_server(url)
        yield Server(url, url, await _check_durable(url), None)
        return
    with _open_folder() as folder:
        async with EmbeddedPostgres(folder / "data", progress=tell) as server:
            admin = dsn(server.data, SUPERUSER, SUPERUSER)
            yield Server(server.dsn, admin, await _check_durable(server.dsn), folder)


@contextmanager
def _open_folder() -> Iterator[Path]:
    """A folder for the run that the server may enter even if it runs as another user."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def _check_durable(url: str) -> str:
    """The server's version, once it is seen that what it commits is safe."""
    async with connected(url) as connection:
        for name, wanted in DURABLE.items():
            found = await connection.fetchval("SELECT current_setting($1)", name)
            if found != wanted:
                raise NotMeasurableError(f"{name} is {found} on this server, and must be {wanted}")
        version: str = await connection.fetchval("SHOW server_version")
    return version.split(maxsplit=1)[0]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection of one's own."""
    connection = await asyncpg.connect(url, command_timeout=600)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def new_database(server: Server, name: str, template: str | None) -> AsyncIterator[str]:
    """Make a database, a copy of `template` if it is given, and drop it afterwards."""
    full = f"tandem_bench_{name}_{secrets.token_hex(3)}"
    of = "" if template is None else f' TEMPLATE "{urlsplit(template).path[1:]}"'
    async with connected(server.url) as connection:
        await connection.execute(f'CREATE DATABASE "{full}"{of}')
    try:
        yield server.database(full)
    finally:
        await _drop(server, full)


async def _drop(server: Server, name: str) -> None:
    for attempt in range(_DROPS):
        async with connected(server.admin_url) as connection:
            try:
                await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            except asyncpg.InsufficientPrivilegeError:
                # autovacuum is in it, which only a superuser may end; it soon does by itself
                if attempt == _DROPS - 1:
                    raise
            else:
                return
        await asyncio.sleep(1)


async def sweep(database: str) -> None:
    """Let each measurement begin alike: dead rows swept."""
    async with connected(database) as connection:
        await connection.execute("VACUUM accounts")


async def checkpoint(server: Server) -> None:
    """Write what is in memory, so that the server does not choose a measurement to do it in."""
    async with connected(server.admin_url) as connection:
        try:
            await connection.execute("CHECKPOINT")
        except asyncpg.InsufficientPrivilegeError:
            return  # a given server, whose role may not: its own checkpoints have to do


def program(name: str, version: str) -> Path:
    """One of PostgreSQL's programs: of the server's version if it is here, else the newest."""
    try:
        found = installed()
    except EmbeddedUnavailable:
        found = ()
    same = [s for s in found if version.split(".", maxsplit=1)[0] == str(s.major)]
    for software in (*same, *found):
        if software.program(name).exists():
            return software.program(name)
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise NotMeasurableError(f"{name} is not installed; it comes with PostgreSQL")
    return Path(elsewhere)
