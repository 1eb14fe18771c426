"""Send a file as it is made: no faster than the client takes it, and no longer than it does.

What breaks off is not ended as HTTP ends an answer, so the client knows that it is not whole.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog

from tandem.api.operation import Download
from tandem.web.faults import describe
from tandem.web.reading import DisconnectedError

log = structlog.get_logger(__name__)

STALL_SECONDS: Final = 30.0
"""A client that takes nothing for this long is gone."""
MAX_SECONDS: Final = 1800.0

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def send_download(
    download: Download, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send
) -> None:
    """Send it to its end. Raises `DisconnectedError` where it broke off."""
    headers += [
        (b"content-type", download.media_type.encode()),
        (b"content-disposition", f'attachment; filename="{download.name}"'.encode()),
        (b"x-accel-buffering", b"no"),
    ]
    if download.rows is not None:
        headers.append((b"tandem-rows", str(download.rows).encode()))
    gone = asyncio.create_task(_gone(receive), name="download client")
    try:
        async with asyncio.timeout(MAX_SECONDS):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for part in download.parts:
                _still_there(gone)
                async with asyncio.timeout(STALL_SECONDS):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except DisconnectedError:
        raise
    except Exception as error:
        log.error("download broke off", **describe(error))  # noqa: TRY400 - a traceback shows values
        raise DisconnectedError from error
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        await download.close()


def _still_there(gone: "asyncio.Task[None]") -> None:
    if gone.done():
        raise DisconnectedError


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
