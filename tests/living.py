"""A living Tandem: `tandem up` as a process of its own, and parties that use it over HTTP.

    async with living(Path("/tmp/data")) as server, server.client(server.operator_key) as operator:
        lin = await sign_up(operator, "lin", yuan=100)

Only processes that the server itself started are signalled, each by its own number.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import ssl
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import httpx

from tandem.access import SCOPES, Access
from tandem.codes import paycode
from tandem.db import open_pool, work
from tandem.db.embedded import EmbeddedPostgres, attach
from tandem.db.migrate import upgrade
from tandem.kernel import Ids, SystemClock, system_entropy
from tandem.ledger import OPERATOR_ID

ALL_SCOPES: Final = tuple(SCOPES["merchant"])
START_LIMIT_S: Final = 60
_KEY: Final = itertools.count()
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here is encrypted; a client that reads the certificates of the world takes 20 ms."""


def fresh_key() -> str:
    """An idempotency key that no other request of this run has."""
    return f"test-{os.getpid()}-{next(_KEY)}"


@dataclass
class Living:
    """One installation: its data folder outlives the processes that serve it."""

    data: Path
    workers: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    operator_key: str = ""
    process: Process | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The parent's process id."""
        assert self.process is not None, "it was started"
        return self.process.pid

    @property
    def log(self) -> Path:
        """What it logs, of all its starts."""
        return self.data.with_suffix(".log")

    async def start(self) -> None:
        """Start it, on the same port as before, and wait until it answers."""
        first = self.port == 0
        ours = {"TANDEM_DATA": str(self.data), "PYTHONFAULTHANDLER": "1", **self.environment}
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")}
        options = ("--sandbox", "--port", str(self.port), "--workers", str(self.workers))
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tandem", "up", *options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=PIPE,
                stderr=log,
                env=kept | ours,
                start_new_session=True,
            )
        async with self._in_time("start"):
            url = await self._said("API")
            self.port = int(url.rpartition(":")[2])
        if first:
            self.operator_key = await self._make_key()

    @asynccontextmanager
    async def _in_time(self, what: str) -> AsyncIterator[None]:
        """What takes too long is ended, and says where it was: in its log."""
        try:
            async with asyncio.timeout(START_LIMIT_S):
                yield
        except TimeoutError:
            assert self.process is not None, "it was started"
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGABRT)
            await self.process.wait()
            message = f"no {what} in {START_LIMIT_S} s: {self.log.read_text()[-3000:]}"
            raise AssertionError(message) from None

    async def _make_key(self) -> str:
        """What `tandem operator key add` does, without starting a program for it."""
        url = await attach(self.data)
        assert url is not None, "it runs"
        clock = SystemClock()
        async with await open_pool(url, size=1) as pool, work(pool) as connection:
            access = Access(pool, clock, Ids(clock), system_entropy)
            made = await access.create(
                connection, kind="operator", owner_id=OPERATOR_ID, name="k", scopes=["operator"]
            )
        return made.secret

    async def _said(self, name: str) -> str:
        assert self.process is not None, "it was started"
        assert self.process.stdout is not None, "as above"
        while line := (await self.process.stdout.readline()).decode():
            if line.strip().startswith(name):
                return line.strip().removeprefix(name).strip()
        message = f"it ended with {await self.process.wait()}: {self.log.read_text()[-3000:]}"
        raise AssertionError(message)

    async def stop(self) -> int:
        """Stop it as Ctrl-C does. Returns its exit status."""
        process = self.process
        assert process is not None, "it was started"
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with self._in_time("end"):
            await process.wait()
        assert process.returncode is not None, "it ended"
        return process.returncode

    async def kill(self) -> None:
        """Kill the parent with SIGKILL and nobody else."""
        assert self.process is not None, "it was started"
        self.process.kill()
        await self.process.wait()

    def worker_pids(self) -> list[int]:
        """The processes that answer requests."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"tandem.serve.worker" in _arguments(int(pid))]

    def postmaster_pid(self) -> int:
        """The embedded server's process."""
        return int((self.data / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    def client(self, key: str | None = None, **more: Any) -> httpx.AsyncClient:  # noqa: ANN401 - as httpx takes them
        """A client of the API with this key."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=30, verify=_NO_TLS, **more
        )

    @asynccontextmanager
    async def database(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A connection to its database, to look at what is really there."""
        url = await attach(self.data)
        assert url is not None, "it runs"
        connection = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()

    async def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        async with self.database() as connection:
            names = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            )
            return {
                name: await connection.fetchval(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - names from the catalogue
                for (name,) in names
            }

    def faults(self) -> list[str]:
        """The lines of the log that tell a fault of ours, in a request or in an entry."""
        signs = ("request failed", "entry failed", "task failed", "stream failed", "ASGI")
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(sign in line for sign in signs)]


_made: list[tempfile.TemporaryDirectory[str]] = []
"""The folder of an installation that never served, once it was made; it ends with the process."""


def _folder_for_all() -> tempfile.TemporaryDirectory[str]:
    """A folder that every user may pass: root's PostgreSQL runs as somebody else."""
    folder = tempfile.TemporaryDirectory(prefix="tandem-")
    Path(folder.name).chmod(0o755)
    return folder


def begin(data: Path, made: Path) -> None:
    """Begin a data folder that is not there yet: copying a database is faster than making it."""
    if data.exists():
        return
    data.mkdir(parents=True)
    command = ["/bin/cp", "-a", str(made / "postgres"), str(data / "postgres")]
    subprocess.run(command, check=True)  # noqa: S603 - a program that we name, no shell


@asynccontextmanager
async def living(data: Path, *, workers: int = 1, **environment: str) -> AsyncIterator[Living]:
    """A server on a new data folder; `environment` names settings as TANDEM_… does."""
    server = Living(data, workers, environment)
    if not _made:
        folder = _folder_for_all()
        async with EmbeddedPostgres(Path(folder.name, "data")) as postgres:
            await upgrade(postgres.dsn)
        _made.append(folder)
    begin(data, Path(_made[0].name, "data"))
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


class Person(NamedTuple):
    """Somebody with a wallet, and what their phone knows."""

    id: str
    handle: str
    key: str
    code_index: str
    seed: bytes

    def pay_code(self, at: datetime | None = None, counter: int = 0) -> str:
        """What their phone shows, made without the server."""
        return paycode.generate(self.seed, self.code_index, at or datetime.now(UTC), counter)


class Shop(NamedTuple):
    """A merchant with a shop and a till, and a key with every scope."""

    merchant_id: str
    key: str
    key_id: str
    shop_id: str
    till_id: str
    code: str


def made(response: httpx.Response) -> Any:  # noqa: ANN401 - any JSON
    """The body of an answer that must be a success."""
    assert response.is_success, f"{response.request.url}: {response.status_code} {response.text}"
    return response.json()


async def post(client: httpx.AsyncClient, path: str, body: Any = None) -> Any:  # noqa: ANN401 - any JSON
    """Post under a new idempotency key; it must succeed."""
    headers = {"Idempotency-Key": fresh_key()}
    body = {} if body is None else body
    return made(await client.post(path, json=body, headers=headers))


async def sign_up(
    operator: httpx.AsyncClient, handle: str, *, yuan: int = 0, name: str = ""
) -> Person:
    """A person with that much money."""
    answer = made(
        await operator.post("/v1/people", json={"handle": handle, "name": name or handle.title()})
    )
    person, device = answer["person"], answer["device"]
    if yuan:
        body = {"amount": yuan * 100, "currency": "CNY", "reference": f"bank-{handle}"}
        await post(operator, f"/v1/people/{person['id']}/top-ups", body)
    return Person(
        person["id"], handle, device["key"], device["code_index"], b64decode(device["code_seed"])
    )


async def open_shop(server: Living, operator: httpx.AsyncClient, name: str) -> Shop:
    """A merchant that takes yuan, with a shop, a till and a key."""
    terms = {"fee_basis_points": 60, "fee_fixed": 0}
    merchant = await post(
        operator, "/v1/merchants", {"name": name, "currencies": {"CNY": terms, "USD": terms}}
    )
    key = await post(
        operator,
        f"/v1/merchants/{merchant['id']}/keys",
        {"name": "all", "scopes": list(ALL_SCOPES)},
    )
    async with server.client(key["secret"]) as client:
        body = {"name": name, "city": "Hangzhou", "country": "CN"}
        shop = await post(client, "/v1/shops", body)
        till = await post(client, f"/v1/shops/{shop['id']}/tills", {"name": "Till 1"})
        code = made(await client.get(f"/v1/shops/{shop['id']}/code"))
    return Shop(merchant["id"], key["secret"], key["id"], shop["id"], till["id"], code["url"])


def _arguments(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
