"""What can go wrong between a journal and PostgreSQL, made to go wrong where a test says.

`CuttingProxy` stands between them on a Unix socket of its own. It reads the frontend's messages
(PostgreSQL's documentation, "Frontend/Backend Protocol", Message Formats: a type byte and a length,
but for the first, which has no type byte), counts them, and cuts the connection at one of them.
"""

import asyncio
import contextlib
import struct
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import asyncpg

from tandem.db import Connection
from tandem.ledger import AccountKey, Difference, verify

ANSWER_WAIT_S: Final = 0.03
"""How long the proxy waits for an answer that it swallows: not every message has one."""
_PORT: Final = 5432

When = Literal["before", "after"]


class Cut(NamedTuple):
    """Cut at the `message`-th message (from 1): before it is forwarded, or after it was carried
    out and before its answer gets back."""

    message: int
    when: When


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    muted: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def cut(self) -> None:
        for side in (self.client, self.server):
            side.transport.abort()


class CuttingProxy:
    """Forwards connections to the server of `url`; `url` of its own leads through it."""

    def __init__(self, url: str) -> None:
        self._upstream = url
        self._folder = tempfile.TemporaryDirectory(prefix="tandem-")
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._plan: deque[Cut] = deque()
        self._away = False
        self._server: asyncio.Server | None = None
        self.seen: list[str] = []
        """The messages that came since `plan` was called: a type byte, and the text of a query."""
        self.cuts = 0

    async def __aenter__(self) -> Self:
        path = Path(self._folder.name) / f".s.PGSQL.{_PORT}"
        self._server = await asyncio.start_unix_server(self._accept, path)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        assert self._server is not None, "entered"
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """The URL that leads through the proxy."""
        parts = urlsplit(self._upstream)
        user = parts.username or parse_qs(parts.query).get("user", [""])[0]
        who = user + (f":{parts.password}" if parts.password else "")
        return f"postgresql://{who}@{parts.path}?host={quote(self._folder.name)}&port={_PORT}"

    def plan(self, *cuts: Cut) -> None:
        """Cut at these messages, one after another; each counts from the one before it."""
        self._plan = deque(cuts)
        self.seen = []
        self.cuts = 0

    @property
    def planned(self) -> int:
        """How many cuts have not happened yet."""
        return len(self._plan)

    def cut(self) -> None:
        """Cut every connection now."""
        for link in list(self._links):
            link.cut()

    def go_away(self) -> None:
        """Cut every connection and take no new one."""
        self._away = True
        self.cut()

    def come_back(self) -> None:
        """Take connections again."""
        self._away = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "called in a task"
        self._tasks.add(task)
        try:
            if self._away:
                return
            up_reader, up_writer = await self._connect()
            link = _Link(writer, up_writer)
            self._links.add(link)
            try:
                await asyncio.gather(self._forward(reader, link), self._back(up_reader, link))
            finally:
                self._links.discard(link)
                link.cut()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._upstream)
        query = parse_qs(parts.query)
        host = query.get("host", [parts.hostname or "localhost"])[0]
        port = int(query.get("port", [str(parts.port or _PORT)])[0])
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _forward(self, reader: asyncio.StreamReader, link: _Link) -> None:
        """From the journal to the server, a message at a time."""
        try:
            size = await reader.readexactly(4)
            link.server.write(size + await reader.readexactly(struct.unpack("!I", size)[0] - 4))
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                await self._pass(head, body, link)
        finally:
            link.cut()

    async def _pass(self, head: bytes, body: bytes, link: _Link) -> None:
        text = body.split(b"\0")[0].decode() if head[:1] == b"Q" else ""
        self.seen.append(head[:1].decode() + text)
        cut = self._plan[0] if self._plan else None
        if cut is None or len(self.seen) < cut.message:
            link.server.write(head + body)
            return
        self._plan.popleft()
        if cut.when == "after":
            link.muted = True
            link.server.write(head + body)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(link.answered.wait(), ANSWER_WAIT_S)
        self.cuts += 1
        self.seen = []
        link.cut()
        raise ConnectionAbortedError

    async def _back(self, reader: asyncio.StreamReader, link: _Link) -> None:
        """From the server to the journal, unless what it says is to be lost."""
        try:
            while data := await reader.read(65536):
                if link.muted:
                    link.answered.set()
                else:
                    link.client.write(data)
        finally:
            link.cut()


@asynccontextmanager
async def owner_of(url: str) -> AsyncIterator[Connection]:
    """A connection as the role that owns the tables: it may do what the application may not."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def differences(url: str) -> list[Difference]:
    """What verification finds."""
    async with owner_of(url) as connection:
        found, _, _ = await verify(connection)
    return found


async def balances(url: str, *keys: AccountKey) -> list[int]:
    """The balances of accounts; of one that was never opened, zero."""
    async with owner_of(url) as connection:
        rows = await connection.fetch(
            "SELECT id, credits_posted - debits_posted FROM accounts WHERE id = ANY($1)",
            [key.id for key in keys],
        )
    found: dict[UUID, int] = {row[0]: row[1] for row in rows}
    return [found.get(key.id, 0) for key in keys]
