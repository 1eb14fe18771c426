"""A stream of the till, followed by a terminal: what it says, and when it is taken for cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final

import httpx

from tandem.till.tandem import Tandem

ASK_SECONDS: Final = 5.0
"""How long connecting may take, or the answer to a plain question."""
BEAT_SECONDS: Final = 1
"""How often a stream says something though nothing happens."""
SILENT_SECONDS: Final = 3.0
"""A stream that has begun and says nothing for so long is taken for cut."""
FIRST_SECONDS: Final = 10.0
"""How long its first line is waited for. Longer: who asks a slow server anew makes it slower."""

_DATA: Final = "data: "


def opened(tandem: Tandem, what: str) -> AbstractAsyncContextManager[httpx.Response]:
    """The till's stream of this name. Raises `httpx.HTTPError` if there is no answer."""
    return tandem.http.stream(
        "GET",
        f"{tandem.path}/{what}/stream",
        params={"beat_seconds": BEAT_SECONDS},
        timeout=httpx.Timeout(ASK_SECONDS, read=FIRST_SECONDS),
    )


async def said(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The data of each event, until the stream ends. Raises `httpx.HTTPError` when it is cut."""
    lines = answer.aiter_lines()
    patience = FIRST_SECONDS
    while True:
        try:
            async with asyncio.timeout(patience):
                line = await anext(lines)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise httpx.ReadTimeout(f"nothing was said for {patience:g} seconds") from None
        patience = SILENT_SECONDS
        if line.startswith(_DATA):
            yield line.removeprefix(_DATA).encode()
