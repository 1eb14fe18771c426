"""The migrations runner, on a real server."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from tandem.db import migrate
from tandem.db.errors import DatabaseNewer

REVISION = '''
"""{doc}."""
from alembic import op
from tandem.db.migrate import run
revision = "{id}"
down_revision = {down!r}
branch_labels = None
depends_on = None
def upgrade() -> None:
    run(op, {statements!r})
'''


def write_revision(folder: Path, id_: str, down: str | None, *statements: str) -> None:
    text = REVISION.format(doc=f"Step {id_}", id=id_, down=down, statements=statements)
    (folder / "versions" / f"{id_}.py").write_text(text)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Migrations of our own, run by Tandem's env.py."""
    target = tmp_path / "migr%ations"
    (target / "versions").mkdir(parents=True)
    shutil.copy(migrate._FOLDER / "env.py", target)
    monkeypatch.setattr(migrate, "_FOLDER", target)
    return target


async def fetch(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_the_real_migrations_reach_the_newest_and_then_do_nothing(
    empty_database: str,
) -> None:
    assert await migrate.current(empty_database) is None
    todo = await migrate.pending(empty_database)
    assert todo[0] == "0001"
    said: list[str] = []
    assert await migrate.upgrade(empty_database, said.append) == todo
    assert len(said) == len(todo)
    assert await migrate.current(empty_database) == todo[-1]
    assert await migrate.pending(empty_database) == ()
    assert await migrate.upgrade(empty_database) == ()


async def test_statements_run_exactly_as_written(empty_database: str, folder: Path) -> None:
    write_revision(
        folder,
        "a1",
        None,
        "CREATE TABLE t AS SELECT ':name %s %% 100%'::text AS v, 'x'::text AS \"a:b\"",
    )
    await migrate.upgrade(empty_database)
    assert await fetch(empty_database, "SELECT v FROM t") == ":name %s %% 100%"


async def test_many_at_once_apply_each_migration_once(empty_database: str, folder: Path) -> None:
    write_revision(folder, "a1", None, "CREATE TABLE t (n int)", "SELECT pg_sleep(0.3)")
    write_revision(folder, "a2", "a1", "INSERT INTO t VALUES (2)")
    applied = await asyncio.gather(*(migrate.upgrade(empty_database) for _ in range(6)))
    assert sorted(applied) == [()] * 5 + [("a1", "a2")]
    assert await fetch(empty_database, "SELECT count(*) FROM t") == 1


async def test_the_wait_for_another_process_is_reported(
    empty_database: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_revision(folder, "a1", None, "CREATE TABLE t (n int)")
    monkeypatch.setattr(migrate, "_REPORT_EVERY_S", 0.1)
    other = await asyncpg.connect(empty_database)
    await other.execute(f"SELECT pg_advisory_lock({migrate._LOCK_KEY})")
    said: asyncio.Queue[str] = asyncio.Queue()
    waiting = asyncio.create_task(migrate.upgrade(empty_database, said.put_nowait))
    assert "Another process" in await asyncio.wait_for(said.get(), 10)
    assert not waiting.done()
    other.terminate()  # it dies: its lock goes with its session
    assert await waiting == ("a1",)


async def test_a_migration_that_fails_leaves_those_before_it(
    empty_database: str, folder: Path
) -> None:
    write_revision(folder, "a1", None, "CREATE TABLE t (n int)")
    write_revision(folder, "a2", "a1", "INSERT INTO t VALUES (2)", "SELECT 1 / 0")
    with pytest.raises(Exception, match="division by zero"):
        await migrate.upgrade(empty_database)
    assert await migrate.current(empty_database) == "a1"
    assert await fetch(empty_database, "SELECT count(*) FROM t") == 0
    write_revision(folder, "a2", "a1", "INSERT INTO t VALUES (2)")
    assert await migrate.upgrade(empty_database) == ("a2",)


async def test_a_newer_schema_is_refused_and_left_alone(empty_database: str, folder: Path) -> None:
    write_revision(folder, "a1", None, "CREATE TABLE t (n int)")
    await migrate.upgrade(empty_database)
    (folder / "versions" / "a1.py").unlink()
    write_revision(folder, "b1", None, "DROP TABLE t")
    for call in (migrate.upgrade, migrate.pending):
        with pytest.raises(DatabaseNewer) as refusal:
            await call(empty_database)
        assert refusal.value.found == "a1"
    assert await fetch(empty_database, "SELECT count(*) FROM t") == 0


async def test_a_fresh_database_is_migrated_and_its_own(fresh_database: str) -> None:
    assert await migrate.pending(fresh_database) == ()
    assert await fetch(fresh_database, "SELECT count(*) FROM transfers") == 0
