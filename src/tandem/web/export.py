"""Exports: a whole list as one file, streamed page by page from one snapshot of the database.

A list is exported at its own address, with its own filters, by whoever may read it:
`Accept: text/csv` (RFC 4180) or `application/x-ndjson` asks for all of it instead of a page. The
columns of a table are the fields of what the list shows, `payment.amount` for a field within a
field. A text that a spreadsheet would take for a formula begins with an apostrophe there.

How many rows there will be stands before them in `Tandem-Total`, where that is counted quickly: by
the list's own statement, in the same snapshot, so that it is true.

An export that breaks off ends without its last chunk (RFC 9112 §7.1), so that nobody takes a part
for the whole.
"""

import asyncio
import csv
import io
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from itertools import chain
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import asyncpg
import msgspec

from tandem.api.errors import TooManyRequests
from tandem.api.operation import CSV, NDJSON, Call, Rows, Streamed
from tandem.db import Connection, Pool, reading_from, snapshot
from tandem.web.routing import Route

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

ROWS: Final = 500
"""How many rows are read at once."""
MOST: Final = 3
"""Exports that one process makes at once: each keeps a connection and a snapshot."""
LONGEST_SECONDS: Final = 1800
COUNTED: Final = 1_000_000
"""How far rows are counted before the first is sent."""
COUNT_SECONDS: Final = 1.0
"""How long that may take."""
TOTAL: Final = b"tandem-total"
_RETRY_AFTER_SECONDS: Final = 15
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How what a spreadsheet takes for a formula begins (OWASP, "CSV Injection")."""
_LIMITED: Final = re.compile(r" LIMIT \$([0-9]+)\s*$")
"""How the statement of a list ends, and which of its arguments is the limit."""
_KINDS: Final = {kind.encode(): kind for kind in (CSV, NDJSON)}


class Export(NamedTuple):
    """An answer that is a file, as it is made. `name` is what to call it.

    `total` is how many rows it will have; None: nobody counted.
    """

    media_type: str
    name: str
    frames: AsyncGenerator[bytes]
    total: int | None = None


class _Rows(NamedTuple):
    """A page of a list; the first one knows how many rows there are in all, if that was counted."""

    rows: Sequence[Any]
    total: int | None = None


def asked_for(accept: bytes | None) -> str | None:
    """The kind of file that is asked for; None for a page."""
    if accept is None:
        return None
    return _KINDS.get(accept.partition(b",")[0].partition(b";")[0].strip().lower())


def columns_of(row_type: Any, prefix: str = "") -> Iterator[str]:  # noqa: ANN401 - any struct
    """The columns of a table of these rows: their fields, those of structs within them by path.

    Rows of several types share a table, whose first column is the list that they are of.
    """
    if isinstance(row_type, tuple):
        yield from dict.fromkeys(("list", *chain.from_iterable(map(columns_of, row_type))))
        return
    for name, hint in get_type_hints(row_type).items():
        kinds = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
        inner = [kind for kind in kinds if isinstance(kind, type) and _is_struct(kind)]
        if len(inner) == 1:
            yield from columns_of(inner[0], f"{prefix}{name}.")
        else:
            yield prefix + name


def _rows_of(answer: Any, rows: Rows) -> Sequence[Any]:  # noqa: ANN401 - of any operation
    """The rows of an answer; of several lists they say of which they are, of a map their key."""
    if isinstance(answer, list):
        return answer
    if isinstance(rows, str):
        found: Sequence[Any] = getattr(answer, rows)
        return found
    if isinstance(rows, Mapping):
        ((name, key),) = rows.items()
        return [{key: at} | msgspec.to_builtins(row) for at, row in getattr(answer, name).items()]
    return [
        {"list": name} | msgspec.to_builtins(row) for name in rows for row in getattr(answer, name)
    ]


def _is_struct(kind: type) -> bool:
    return issubclass(kind, msgspec.Struct)


class Exports:
    """Makes exports, a few at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open = 0

    async def begin(
        self, route: Route, call: Call[Any], values: Mapping[str, Any], media_type: str
    ) -> Export:
        """Read the first page, so that what is refused is refused before an answer begins.

        Raises `TooManyRequests` while there are as many as one process makes.
        """
        self._check()
        read = self._pages if route.paged else self._whole
        pages = read(route, call, dict(values))
        first = await anext(pages)
        name = route.operation.name.removeprefix("list_").removeprefix("get_")
        ending = "csv" if media_type == CSV else "ndjson"
        columns = list(columns_of(route.row_type)) if media_type == CSV else None
        return Export(
            media_type,
            f"{name.replace('_', '-')}.{ending}",
            _frames(first.rows, pages, columns),
            first.total,
        )

    async def of(self, file: Streamed) -> Export:
        """A file that an operation makes itself; its first part is read, too. Raises as `begin`."""
        self._check()
        parts = self._parts(file.parts)
        return Export(file.media_type, file.filename, _begun(await anext(parts), parts))

    def _check(self) -> None:
        if self._open >= MOST:
            raise TooManyRequests("key", _RETRY_AFTER_SECONDS)

    async def _parts(self, parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        self._open += 1
        try:
            async with asyncio.timeout(LONGEST_SECONDS), snapshot(self._pool) as connection:
                while True:
                    with reading_from(connection):
                        part = await anext(parts, None)
                    if part is None:
                        return
                    yield part
        finally:
            self._open -= 1

    async def _whole(
        self, route: Route, call: Call[Any], values: dict[str, Any]
    ) -> AsyncGenerator[_Rows]:
        """A list that is not read by pages. What is sent holds nothing of the database."""
        async with snapshot(self._pool) as connection:
            with reading_from(connection):
                answer = await route.operation.handler(call, **values)
        rows = _rows_of(answer, route.rows)
        yield _Rows(rows, len(rows))

    async def _pages(
        self, route: Route, call: Call[Any], values: dict[str, Any]
    ) -> AsyncGenerator[_Rows]:
        self._open += 1
        try:
            async with asyncio.timeout(LONGEST_SECONDS), snapshot(self._pool) as connection:
                asked: list[Any] = []

                async def read(after: str | None) -> Any:  # noqa: ANN401 - a page of any list
                    query = msgspec.structs.replace(values["query"], limit=ROWS, after=after)
                    with reading_from(connection):
                        return await route.operation.handler(call, **values | {"query": query})

                with connection.query_logger(asked.append):
                    page = await read(values["query"].after)
                    await asyncio.sleep(0)  # the driver tells at the loop's next turn
                total = await _count(connection, asked) if page.has_more else len(page.data)
                yield _Rows(page.data, total)
                while page.has_more:
                    page = await read(page.next)
                    yield _Rows(page.data)
        finally:
            self._open -= 1

    async def send(self, export: Export, headers: Pairs, receive: Receive, send: Send) -> None:
        """Send it to its end, or until the client goes away."""
        headers += [
            (b"content-type", f"{export.media_type}; charset=utf-8".encode()),
            (b"content-disposition", f'attachment; filename="{export.name}"'.encode()),
        ]
        if export.total is not None:
            headers.append((TOTAL, b"%d" % export.total))
        gone = asyncio.create_task(_gone(receive), name="export client")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for frame in export.frames:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            await export.frames.aclose()


async def _count(connection: Connection, asked: Sequence[Any]) -> int | None:
    """How many rows a list has, by the statement that read its first page; None: too many.

    That statement is the one whose limit is a page and one row more, by which the list knows that
    there is another page. Where it is not found, or takes long, nobody knows how many there are.
    """
    found = next(filter(None, (_unlimited(one.query, one.args) for one in asked)), None)
    if found is None:
        return None
    query, arguments = found
    try:
        # A savepoint: what ends the count ends nothing else.
        async with connection.transaction(readonly=True):
            counting = f"SELECT count(*) FROM ({query}) AS listed"  # noqa: S608 - it is ours
            count: int = await connection.fetchval(counting, *arguments, timeout=COUNT_SECONDS)
    except (TimeoutError, asyncpg.QueryCanceledError):
        return None
    return count if count <= COUNTED else None


def _unlimited(query: str, arguments: Sequence[Any]) -> tuple[str, list[Any]] | None:
    """The statement of a list's first page with the limit of what is counted; None: it is none."""
    ending = _LIMITED.search(query)
    if ending is None:
        return None
    place = int(ending[1]) - 1
    if arguments[place] != ROWS + 1:
        return None
    return query, [*arguments[:place], COUNTED + 1, *arguments[place + 1 :]]


async def _begun(first: bytes, parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for part in parts:
            yield part
    finally:
        await parts.aclose()


async def _frames(
    first: Sequence[Any],
    pages: AsyncGenerator[_Rows],
    columns: list[str] | None,
) -> AsyncGenerator[bytes]:
    """The file, a page at a time; a table if it has columns."""
    try:
        yield (b"" if columns is None else _table([columns])) + _shown(first, columns)
        async for page in pages:
            yield _shown(page.rows, columns)
    finally:
        await pages.aclose()


def _shown(rows: Sequence[Any], columns: list[str] | None) -> bytes:
    if columns is None:
        return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    table = []
    for row in rows:
        cells = dict(_cells(msgspec.to_builtins(row)))
        table.append([cells.get(column, "") for column in columns])
    return _table(table)


def _table(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cells(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The cells of a row by column. What is no text, number or truth value stands as JSON."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _cells(inner, f"{prefix}{name}.")
            yield prefix + name, msgspec.json.encode(inner).decode()
        elif isinstance(inner, list):
            yield prefix + name, msgspec.json.encode(inner).decode()
        elif isinstance(inner, str):
            yield prefix + name, f"'{inner}" if inner.startswith(_FORMULA) else inner
        elif isinstance(inner, bool):
            yield prefix + name, str(inner).lower()
        elif inner is not None:
            yield prefix + name, inner


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
