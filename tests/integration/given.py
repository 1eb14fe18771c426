"""A PostgreSQL as others run one: roles of every kind, and whoever asks may log in as any.

The embedded server lets only its own two roles in. Here a copy of it believes everybody, so that
what a role may do is all that stands between it and a database.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from servers import execute, value

from tandem.db.embedded import EmbeddedPostgres
from tandem.db.embedded.cluster import SUPERUSER
from tandem.db.embedded.folder import dsn

_NUMBERS = itertools.count(1)


@dataclass
class Given:
    """The server. `admin` is the URL of its superuser's own database."""

    admin: str
    names: list[str] = field(default_factory=list)

    def name(self, kind: str) -> str:
        """A name that nothing on this server has."""
        return f"{kind}{next(_NUMBERS)}"

    def url(self, role: str, database: str) -> str:
        """The URL by which a role uses a database."""
        query = urlsplit(self.admin).query
        return urlunsplit(("postgresql", f"{role}:hunter2@", f"/{database}", query, ""))

    async def sql(self, *statements: str, role: str = SUPERUSER, database: str = "") -> None:
        """Run statements, each by itself, as the server's superuser or as a role."""
        for statement in statements:
            await execute(self.url(role, database or SUPERUSER), statement)

    async def ask(self, question: str, database: str, role: str = SUPERUSER) -> object:
        """The value that a question has."""
        return await value(self.url(role, database), question)

    async def shop(self, options: str = "", of_database: str = "") -> tuple[str, str]:
        """A role and a database of its own, with the same name; the URL by which it uses it."""
        name = self.name("shop")
        await self.sql(
            f"CREATE ROLE {name} LOGIN {options}",
            f"CREATE DATABASE {name} OWNER {name} {of_database}",
        )
        return name, self.url(name, name)


@asynccontextmanager
async def given_server(data: Path) -> AsyncIterator[Given]:
    """Run one in this data folder."""
    async with EmbeddedPostgres(data) as server:
        admin = dsn(server.data, SUPERUSER, SUPERUSER)
        (data / "conf" / "hba.conf").write_text("local all all trust\n")
        await execute(admin, "SELECT pg_reload_conf()")
        given = Given(admin)
        await given.sql("CREATE ROLE stranger LOGIN")
        await _believed(given)
        yield given


async def _believed(given: Given) -> None:
    """Wait until the server has read whom it lets in."""
    async with asyncio.timeout(20):
        while True:
            try:
                await given.ask("SELECT 1", SUPERUSER, "stranger")
            except asyncpg.InvalidAuthorizationSpecificationError:
                await asyncio.sleep(0.05)
            else:
                return
