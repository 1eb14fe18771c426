"""Whether a database's schema and rights are this Tandem's: a short question, without Alembic.

Loading Alembic takes as long as starting the server, and there is nothing to migrate at nearly
every start. A migration's file begins with its revision (a test compares it with Alembic's head).
"""

from pathlib import Path
from typing import Final

import asyncpg

from tandem.db.rights import settled

VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"


def head() -> str:
    """The newest revision that this Tandem knows."""
    return max(path.stem.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


async def up_to_date(dsn: str, role: str | None = None) -> bool:
    """Whether there is nothing for `tandem.db.migrate.upgrade` to do.

    False also for a schema that is newer, unknown or not there, and if the application does not
    have its rights, or has them as another role than the one that is given.
    """
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch("SELECT version_num FROM alembic_version")
        if [row["version_num"] for row in found] != [head()]:
            return False
        return await settled(connection, role)
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
