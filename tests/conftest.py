"""What all tests share: one PostgreSQL for the session, a database of one's own, closed sockets.

`database_url`     the session's server: embedded, or the one that TANDEM_TEST_DATABASE_URL names
                   (its role must be allowed to create databases and roles)
`fresh_database`   the URL of an empty, migrated database for one test
`module_database`  the same for all tests of a module
`empty_database`   the URL of a database without a schema, for one test
`cli`              runs commands in this process (terminal.py)
`new_data`, `data` a data folder that is not there yet, or one with a stopped server in it

Tests under tests/unit get no network; browsing.py adds what browser tests share.
HYPOTHESIS_PROFILE chooses `dev` (the default) or `ci`.
"""

import asyncio
import logging
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest
import structlog
from pytest_socket import disable_socket, enable_socket

from living import begin
from tandem.cli import run
from tandem.db.embedded import EmbeddedPostgres
from tandem.db.locate import check_server
from tandem.db.migrate import upgrade
from terminal import Cli

pytest_plugins = ["browsing"]

UNIT_TESTS = Path(__file__).parent / "unit"

# No deadline: how long an example takes says more about the machine's other work than about us.
hypothesis.settings.register_profile("dev", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture(autouse=True)
def _closed_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Unit tests are pure. (An event loop wakes itself over a Unix socket pair: those stay.)"""
    if not request.path.is_relative_to(UNIT_TESTS):
        yield
        return
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Cli]:
    """A terminal of one's own: no setting of Tandem is in the environment but the key file."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TANDEM_KEY_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(run, "SILENT_SECONDS", 60.0)  # a busy machine is no news
    yield Cli(capsys, monkeypatch)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A short folder that every user may pass: root's PostgreSQL runs as somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def temporary_folder() -> Iterator[Path]:
    """An empty folder for one test, removed after it."""
    with open_folder() as folder:
        yield folder


@pytest.fixture
def new_data(temporary_folder: Path) -> Path:
    """A data folder that is not there yet."""
    return temporary_folder / "data"


@pytest.fixture(scope="session")
async def _made_once() -> AsyncIterator[Path]:
    """A data folder whose server ran once and is stopped: copying it is faster than making it."""
    with open_folder() as folder:
        async with EmbeddedPostgres(folder / "data"):
            pass
        yield folder / "data"


@pytest.fixture
def data(new_data: Path, _made_once: Path) -> Path:
    """A data folder with a stopped cluster in it, for one test."""
    begin(new_data, _made_once)
    return new_data


@pytest.fixture(scope="session")
async def database_url() -> AsyncIterator[str]:
    """The URL of the session's server; its database itself stays empty."""
    given = os.environ.get("TANDEM_TEST_DATABASE_URL", "")
    if given:
        await check_server(given)
        yield given
        return
    with open_folder() as folder:
        async with EmbeddedPostgres(folder / "data") as server:
            _without_waiting(folder / "data/postgres")
            yield server.dsn


def _without_waiting(cluster: Path) -> None:
    """Let a server wait for no disk: what it has is gone after the tests, whatever happens.

    Hundreds of databases are made and dropped in it, each a reason to write all of it out. Tests of
    what outlives a crash have servers of their own.
    """
    with (cluster / "postgresql.auto.conf").open("a") as settings:
        settings.write("fsync = off\nfull_page_writes = off\n")
    postmaster = int((cluster / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGHUP)


@pytest.fixture(scope="session")
async def _template(database_url: str) -> AsyncIterator[str]:
    """The migrated database that the others are copies of: migrating once, not once a test."""
    async with created(database_url, f"tandem_template_{secrets.token_hex(4)}") as url:
        await upgrade(url, role="tandem_app")
        yield _name(url)


@pytest.fixture
async def empty_database(database_url: str) -> AsyncIterator[str]:
    """A database without a schema, for one test."""
    async with created(database_url, f"tandem_empty_{secrets.token_hex(4)}") as url:
        yield url


@pytest.fixture
async def fresh_database(database_url: str, _template: str) -> AsyncIterator[str]:
    """An empty, migrated database for one test."""
    name = f"tandem_test_{secrets.token_hex(4)}"
    async with created(database_url, name, template=_template) as url:
        yield url


@pytest.fixture(scope="module")
async def module_database(database_url: str, _template: str) -> AsyncIterator[str]:
    """An empty, migrated database for the tests of one module, which see each other's rows."""
    name = f"tandem_module_{secrets.token_hex(4)}"
    async with created(database_url, name, template=_template) as url:
        yield url


@asynccontextmanager
async def created(url: str, name: str, *, template: str = "template1") -> AsyncIterator[str]:
    """Create a database on the server of `url`; drop it afterwards, whoever is still in it."""
    await _execute(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        await _drop(url, name)


async def _drop(url: str, name: str) -> None:
    for attempt in range(20):
        try:
            await _execute(url, f"DROP DATABASE {name} WITH (FORCE)")
        except asyncpg.InsufficientPrivilegeError:  # autovacuum is in it, and may not be ended
            if attempt == 19:
                raise
            await asyncio.sleep(0.25)
        else:
            await _execute(url, f"DROP ROLE IF EXISTS {name}_app")  # made by its migration
            return


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
