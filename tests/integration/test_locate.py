"""A given server is checked before it is used, and its password stays secret."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tandem.db import locate
from tandem.db.errors import DatabaseTooOld, DatabaseUnreachable, DatabaseUrlInvalid
from tandem.db.locate import open_database


async def test_a_given_server_is_used_as_it_is(fresh_database: str) -> None:
    async with open_database({"TANDEM_DATABASE_URL": fresh_database}) as url:
        assert url == fresh_database


async def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        url = f"postgresql://someone:hunter2@127.0.0.1:{taken.getsockname()[1]}/pay"
        with pytest.raises(DatabaseUnreachable) as refusal:
            async with open_database({"TANDEM_DATABASE_URL": url}):
                pass
    for shown in (refusal.value.sentence(), repr(refusal.value.data())):
        assert "127.0.0.1" in shown
        assert "hunter2" not in shown
        assert "someone" not in shown


async def test_a_server_that_lets_nobody_in_is_quoted(database_url: str) -> None:
    missing = urlunsplit(urlsplit(database_url)._replace(path="/nowhere"))
    with pytest.raises(DatabaseUnreachable, match='"nowhere" does not exist'):
        await locate.check_server(missing)


@pytest.mark.parametrize("password", ["x", "exist", "nowhere", "1"])
async def test_what_the_server_says_stays_whole_whatever_the_password(
    database_url: str, password: str
) -> None:
    """A password cut out of a sentence that never had it shows what the password is."""
    parts = urlsplit(database_url)
    place = parts.netloc.replace("@", f":{password}@")
    missing = urlunsplit(parts._replace(netloc=place, path="/nowhere"))
    assert password in missing
    with pytest.raises(DatabaseUnreachable, match='database "nowhere" does not exist'):
        await locate.check_server(missing)


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "_CONNECT_LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/pay"
        with pytest.raises(DatabaseUnreachable, match="no answer"):
            await locate.check_server(url)


async def test_a_part_that_cannot_be_read_is_refused_without_quoting() -> None:
    with pytest.raises(DatabaseUrlInvalid) as refusal:
        await locate.check_server("postgresql://u:hunter2@localhost:hunter2/pay")
    assert "hunter2" not in str(refusal.value)


async def test_an_old_server_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "OLDEST_SERVER", 99)
    with pytest.raises(DatabaseTooOld):
        await locate.check_server(database_url)


async def test_the_embedded_server_is_started_shared_and_stopped(temporary_folder: Path) -> None:
    env = {"TANDEM_DATA": str(temporary_folder / "data")}
    async with open_database(env) as url, open_database(env, share=True) as shared:
        assert shared == url
        connection = await asyncpg.connect(shared)
        await connection.close()
    async with asyncio.timeout(20), open_database(env, share=True) as own:
        assert own == url
    with pytest.raises(OSError, match=r"socket|refused|No such file"):
        await asyncpg.connect(url)
