"""Whether a database's schema is this Tandem's: one short question, without Alembic.

Loading Alembic takes as long as starting the server, and there is nothing to migrate at nearly
every start. A migration's file begins with its revision (a test compares it with Alembic's head).
"""

from pathlib import Path
from typing import Final

import asyncpg

VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"


def head() -> str:
    """The newest revision that this Tandem knows."""
    return max(path.stem.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


async def up_to_date(dsn: str) -> bool:
    """Whether the schema is the newest; False also for one that is newer, unknown or not there."""
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
    return [row["version_num"] for row in found] == [head()]
