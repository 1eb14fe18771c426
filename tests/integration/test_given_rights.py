"""A PostgreSQL of one's own: which rights it takes, and what is said where they are missing."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from given import Given, given_server

from conftest import open_folder
from tandem.db import open_journal_connection, open_pool
from tandem.db.errors import (
    ApplicationUnbound,
    DatabaseForbids,
    DatabaseOccupied,
    DatabaseReadOnly,
    DatabaseUnsuitable,
    RightsMissing,
    RoleUnusable,
)
from tandem.db.locate import check_server
from tandem.db.migrate import upgrade
from tandem.db.rights import RIGHTS
from tandem.db.schema import up_to_date
from terminal import Cli, shown

ROOT: Final = Path(__file__).parents[2]
TOP_UP: Final = ("operator", "top-up", "@lin", "5.00", "CNY", "--reference", "B-1")


@pytest.fixture(scope="module")
async def given() -> AsyncIterator[Given]:
    with open_folder() as folder:
        async with given_server(folder / "data") as server:
            yield server


async def role_of(url: str) -> str:
    """The role that the application works as, by its own word; and it is bound."""
    pool = await open_pool(url, size=1)
    journal = await open_journal_connection(url)
    try:
        async with pool.acquire() as connection:
            role: str = await connection.fetchval("SELECT current_user")
            assert role == await journal.fetchval("SELECT current_user")
            for table in ("transfers", "events", "top_ups"):
                for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id"):  # noqa: S608 - our own names
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(statement)
    finally:
        await journal.close()
        await pool.close()
    return role


def in_code(sentence: str) -> list[str]:
    """The statements of SQL that a sentence tells one to run."""
    return [part.strip() for part in re.findall(r"(?:CREATE ROLE|GRANT)[^;]*;", sentence)]


def test_an_owner_and_nothing_more_is_told_what_an_administrator_has_to_run(
    given: Given, cli: Cli
) -> None:
    name, url = asyncio.run(given.shop())
    recipe = [f'CREATE ROLE "{name}_app" NOLOGIN;', f'GRANT "{name}_app" TO "{name}";']
    cli.on(url=url)
    for command in (("db", "upgrade"), ("operator", "person", "list"), ("up", "--port", "0")):
        assert in_code(cli.refused(*command)) == recipe
    tables = asyncio.run(
        given.ask("SELECT count(*) FROM pg_tables WHERE schemaname='public'", name)
    )
    assert tables == 0, "nothing is made before it is known that the whole can be"
    asyncio.run(given.sql(*recipe))
    assert "Brought up to date" in cli.done("db", "upgrade")
    assert re.search(rf"Application +{name}_app\b", cli.done("db", "status"))
    cli.done("operator", "person", "add", "lin", "Lin")
    cli.done(*TOP_UP)
    assert "nothing differs" in cli.done("ledger", "verify")
    assert asyncio.run(role_of(url)) == f"{name}_app"


async def test_installations_on_one_server_have_roles_of_their_own(given: Given) -> None:
    """Each database's owner may make roles; none can work as another's application."""
    shops = [await given.shop("CREATEROLE") for _ in range(2)]
    for name, url in shops:
        await upgrade(url)
        assert await role_of(url) == f"{name}_app"
    (_, mine), (other, _) = shops
    connection = await asyncpg.connect(mine)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"SET ROLE {other}_app")
    finally:
        await connection.close()


async def test_a_role_made_beforehand_is_used(given: Given) -> None:
    name, url = await given.shop()
    ready = given.name("books")
    await given.sql(f"CREATE ROLE {ready}")
    with pytest.raises(RoleUnusable) as refused:
        await upgrade(url, role=ready)
    assert in_code(refused.value.sentence()) == [f'GRANT "{ready}" TO "{name}";']
    await given.sql(f"GRANT {ready} TO {name}")
    await upgrade(url, role=ready)
    assert await role_of(url) == ready
    assert await up_to_date(url)
    assert await up_to_date(url, role=ready)
    assert not await up_to_date(url, role="another")


def test_a_service_that_logs_in_as_the_application_can_do_no_more(given: Given, cli: Cli) -> None:
    """Not even who steals its password could change what is booked."""
    name, url = asyncio.run(given.shop())
    service = given.name("service")
    made = (f"CREATE ROLE {service} LOGIN", f"GRANT {service} TO {name}")
    asyncio.run(given.sql(*made))
    asyncio.run(upgrade(url, role=service))
    its_url = given.url(service, name)
    assert asyncio.run(role_of(its_url)) == service
    cli.on(url=its_url)
    assert "up to date" in cli.done("db", "status")
    assert "up to date" in cli.done("db", "upgrade")
    cli.done("operator", "person", "add", "lin", "Lin")
    cli.done(*TOP_UP)
    assert "nothing differs" in cli.done("ledger", "verify")
    for statement in ("RESET ROLE; DELETE FROM transfers", "DROP TABLE transfers"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(given.sql(statement, role=service, database=name))


def test_only_the_owner_brings_the_schema_up_to_date(given: Given, cli: Cli) -> None:
    name, url = asyncio.run(given.shop("CREATEROLE"))
    service = given.name("service")
    asyncio.run(given.sql(f"CREATE ROLE {service} LOGIN"))
    with pytest.raises(DatabaseForbids):
        asyncio.run(upgrade(given.url(service, name), role=service))
    asyncio.run(upgrade(url))
    cli.on(url=given.url(service, name))
    for command in (("db", "status"), ("ledger", "verify"), ("db", "upgrade")):
        assert "permission denied for table alembic_version" in cli.refused(*command)


# -- what the rights are ---------------------------------------------------------------------------


async def test_every_table_has_its_rights_declared(fresh_database: str) -> None:
    connection = await asyncpg.connect(fresh_database)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    assert {row[0] for row in rows} == set(RIGHTS)


async def test_a_restore_without_privileges_is_put_right(given: Given) -> None:
    """`pg_restore --no-privileges`, or onto a server where the role is not there."""
    name, url = await given.shop("CREATEROLE")
    await upgrade(url)
    await given.sql(f"DROP OWNED BY {name}_app", database=name)
    assert not await up_to_date(url)
    with pytest.raises(RightsMissing):
        await role_of(url)
    assert await upgrade(url) == ()
    assert await up_to_date(url)
    assert await role_of(url) == f"{name}_app"


async def test_a_blanket_grant_is_taken_back(given: Given) -> None:
    name, url = await given.shop("CREATEROLE")
    await upgrade(url)
    await given.sql(
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}_app, stranger", database=name
    )
    assert not await up_to_date(url)
    await upgrade(url)
    assert await role_of(url) == f"{name}_app"
    assert await up_to_date(url), "what others were granted is not ours to judge"


@pytest.mark.parametrize("how", ["owner", "superuser", "member", "everybody"])
async def test_a_role_that_nothing_binds_is_refused(given: Given, how: str) -> None:
    name, url = await given.shop()
    role = name if how == "owner" else given.name("role")
    if how != "owner":
        await given.sql(f"CREATE ROLE {role}", f"GRANT {role} TO {name}")
        await upgrade(url, role=role)
    if how == "superuser":
        await given.sql(f"ALTER ROLE {role} SUPERUSER")
    if how == "member":
        await given.sql(f"REVOKE {role} FROM {name}", f"GRANT {name} TO {role}")
        url = given.url("postgres", name)
    if how == "everybody":
        await given.sql("GRANT UPDATE ON transfers TO PUBLIC", database=name)
    assert not await up_to_date(url)
    with pytest.raises(ApplicationUnbound) as refused:
        await upgrade(url, role=role)
    assert refused.value.role == role


async def test_somebodys_login_is_not_taken_by_its_name(given: Given) -> None:
    name, _ = await given.shop()
    await given.sql(f"CREATE ROLE {name}_app LOGIN")
    url = given.url("postgres", name)
    with pytest.raises(RoleUnusable, match="TANDEM_DATABASE_ROLE"):
        await upgrade(url)
    await upgrade(url, role=f"{name}_app")
    assert await role_of(url) == f"{name}_app"


@pytest.mark.parametrize("role", ["none", "public", "pg_mine", "a\0b", "\udcff", "r" * 64])
async def test_what_cannot_be_a_roles_name_is_a_sentence(given: Given, role: str) -> None:
    _, url = await given.shop("CREATEROLE")
    with pytest.raises(RoleUnusable):
        await upgrade(url, role=role)


async def test_a_name_is_one_name_whatever_is_in_it(given: Given) -> None:
    name, url = await given.shop("CREATEROLE")
    odd = f'it\'s "{name}"; DROP TABLE x'
    await upgrade(url, role=odd)
    assert await role_of(url) == odd


async def test_tables_in_a_schema_of_ones_own_are_found(given: Given) -> None:
    """A schema named after its owner comes before `public`, but not for the application."""
    name, url = await given.shop("CREATEROLE")
    await given.sql(f"CREATE SCHEMA {name}", role=name, database=name)
    await upgrade(url)
    assert await role_of(url) == f"{name}_app"
    assert await up_to_date(url)


# -- databases that are there already -------------------------------------------------------------

OLD: Final = "tandem_app"


async def as_0001_was(given: Given, url: str, name: str) -> None:
    """Make the rights what the first revision granted, to a role of the whole server."""
    await upgrade(url)
    await given.sql(f"DROP OWNED BY {name}_app", database=name)
    await given.sql(f"DROP ROLE {name}_app")
    if not await given.ask(f"SELECT to_regrole('{OLD}')", name):
        await given.sql(f"CREATE ROLE {OLD} NOLOGIN")
    await given.sql(f"GRANT {OLD} TO {name}")
    grants = (Path(__file__).parents[1] / "fixtures" / "grants-0001.sql").read_text()
    await given.sql(grants, role=name, database=name)


async def test_a_database_of_the_first_revision_keeps_its_role(given: Given) -> None:
    name, url = await given.shop("CREATEROLE")
    await as_0001_was(given, url, name)
    assert await role_of(url) == OLD, "it works as it is"
    assert await upgrade(url) == ()
    assert await role_of(url) == OLD
    assert await up_to_date(url)


async def test_a_database_moves_to_another_role_when_told(given: Given) -> None:
    name, url = await given.shop("CREATEROLE")
    await as_0001_was(given, url, name)
    assert not await up_to_date(url, role=f"{name}_app")
    await upgrade(url, role=f"{name}_app")
    assert await role_of(url) == f"{name}_app"
    held = "SELECT has_table_privilege('tandem_app', 'transfers', 'SELECT')"
    assert await given.ask(held, name) is False, "the old one has no rights left"


# -- databases that cannot be used ----------------------------------------------------------------


async def test_another_encoding_than_unicode_is_refused(given: Given) -> None:
    _, url = await given.shop("CREATEROLE", "ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(DatabaseUnsuitable, match="LATIN1"):
        await check_server(url)


def test_a_database_that_takes_no_writes_is_a_sentence(given: Given, cli: Cli) -> None:
    name, url = asyncio.run(given.shop("CREATEROLE"))
    read_only = f"ALTER DATABASE {name} SET default_transaction_read_only = on"
    cli.on(url=url)
    asyncio.run(given.sql(read_only))
    with pytest.raises(DatabaseReadOnly):
        asyncio.run(upgrade(url))
    for command in (("db", "upgrade"), ("up", "--port", "0"), ("operator", "key", "add")):
        assert "takes no writes" in cli.refused(*command)
    asyncio.run(given.sql(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    cli.done("operator", "person", "add", "lin", "Lin")
    asyncio.run(given.sql(read_only))
    for also in (("operator", "person", "add", "mei", "Mei"), ("up", "--port", "0")):
        assert "takes no writes" in cli.refused(*also)
    assert "nothing differs" in cli.done("ledger", "verify"), "a replica can be verified"


def test_a_database_of_another_program_is_left_alone(given: Given, cli: Cli) -> None:
    name, url = asyncio.run(given.shop("CREATEROLE"))
    asyncio.run(given.sql("CREATE TABLE people (id int)", role=name, database=name))
    cli.on(url=url)
    with pytest.raises(DatabaseOccupied):
        asyncio.run(upgrade(url))
    for command in (("db", "upgrade"), ("up", "--port", "0"), ("ledger", "verify")):
        assert 'relation "people" already exists' in cli.refused(*command)
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert asyncio.run(given.ask(tables, name)) == 1


def test_a_schema_that_is_closed_to_us_is_a_sentence(given: Given, cli: Cli) -> None:
    name, _ = asyncio.run(given.shop())
    role = given.name("role")
    asyncio.run(given.sql(f"CREATE ROLE {role} LOGIN CREATEROLE"))
    cli.on(url=given.url(role, name))
    assert "permission denied for schema public" in cli.refused("db", "upgrade")


def test_the_recipe_of_the_guide_works_for_a_managed_server(given: Given, cli: Cli) -> None:
    """Its administrator is no superuser: it may make roles and databases, as on RDS."""
    guide = (ROOT / "docs" / "operating.md").read_text()
    statements = re.findall(r"```sql\n(.*?)```", guide, re.DOTALL)[0]
    admin, shop = given.name("admin"), given.name("shop")
    asyncio.run(given.sql(f"CREATE ROLE {admin} LOGIN CREATEDB CREATEROLE"))
    for statement in re.sub(
        r"\btandem\b", shop, statements.replace("tandem_app", f"{shop}_app")
    ).split(";"):
        if statement.strip():
            asyncio.run(given.sql(statement, role=admin, database="postgres"))
    cli.on(url=given.url(shop, shop))
    cli.done("db", "upgrade")
    person = shown("ppl", cli.done("operator", "person", "add", "lin", "Lin"))
    cli.done(*TOP_UP)
    assert "+5.00" in cli.done("ledger", "statement", person)
