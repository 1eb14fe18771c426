"""The ASGI application: operations under /v1, pages beside them, health, lifespan.

    app = create_app(services, operations)

`/v1/…` goes straight to the dispatcher; everything else is Starlette's: a handful of pages, none
of them hot. A server that shuts down calls `app.stop()` first, so that live updates end and the
server does not wait for them (uvicorn waits for open connections before it ends the lifespan).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeVar

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as PageRoute
from starlette.routing import Router
from starlette.types import ASGIApp

from tandem.api.operation import Operation
from tandem.db import Pool
from tandem.kernel import Entropy
from tandem.settings import Settings
from tandem.web.cookies import Cookies
from tandem.web.dispatch import Dispatcher, Needs, RequestIds, Scope, Send
from tandem.web.faces import Faces, File, Framing, dressed, typefaces
from tandem.web.faults import describe
from tandem.web.limits import Limits
from tandem.web.pages import CodeLandings, Pages
from tandem.web.proxies import Proxies
from tandem.web.reading import Receive
from tandem.web.stream import Streams

log = structlog.get_logger(__name__)

READY_SECONDS: Final = 2.0


class Running(Protocol):
    """Something that runs, or does not any more."""

    @property
    def running(self) -> bool:
        """Whether it does."""
        ...


class WebServices(Needs, Protocol):
    """What the application takes from the services beside what its operations take."""

    @property
    def journal(self) -> Running:
        """The journal, to ask whether it runs."""
        ...

    @property
    def entropy(self) -> Entropy:
        """Randomness, for the names of requests."""
        ...

    @property
    def settings(self) -> Settings:
        """The limits, and whose word about a client's address is taken."""
        ...

    @property
    def payments(self) -> CodeLandings:
        """What is behind a shop's code."""
        ...

    @property
    def checkout(self) -> Framing:
        """Who may frame a checkout page."""
        ...


S = TypeVar("S", bound=WebServices)
Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class App(Generic[S]):
    """The application; call it as ASGI 3 says. Make one with `create_app`."""

    def __init__(self, api: Dispatcher[S], pages: ASGIApp, streams: Streams) -> None:
        self._api = api
        self._pages = pages
        self._streams = streams

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request, or the lifespan."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            return self._api(scope, receive, send)
        return self._pages(scope, receive, send)

    def stop(self) -> None:
        """End all live updates. Call it when the server begins to shut down."""
        self._streams.stop()


def create_app(
    services: S,
    operations: Sequence[Operation[S]],
    *,
    built: Mapping[str, File] = MappingProxyType({}),
    lifespan: Lifespan = contextlib.nullcontext,
    tick: Callable[[], float] = time.monotonic,
) -> App[S]:
    """Put the application together.

    `built` are the files of the web apps (`tandem.web.faces.built_files`); without them there are
    none. `lifespan` makes a context that is entered when the server starts and left when it stops.
    `tick` is the clock of the rate limits, in seconds: it never goes back.
    """
    streams = Streams()
    services.access.on_revoked(streams.end)
    request_ids = RequestIds(services.entropy)
    limits = Limits(services.settings, tick)
    proxies = Proxies(services.settings.trusted_proxies)
    cookies = Cookies(services.settings)
    api = Dispatcher(services, operations, limits, proxies, request_ids, streams, cookies)
    faces = Faces(
        dressed(built, services.settings.accent),
        sandbox=services.settings.sandbox,
        framing=services.checkout,
    )
    pages = Pages(
        operations,
        services.payments,
        request_ids,
        services.clock,
        faces=faces.names,
        typefaces=typefaces(built),
        encrypted=services.settings.public_url.startswith("https:"),
    )

    @contextlib.asynccontextmanager
    async def live(_: object) -> AsyncIterator[None]:
        try:
            async with lifespan():
                yield
        finally:
            streams.stop()

    async def ready(_: Request) -> Response:
        return await _ready(services)

    routes = [
        PageRoute("/healthz", _alive, methods=["GET"]),
        PageRoute("/readyz", ready, methods=["GET"]),
        *pages.routes(),
        *faces.routes(),
    ]
    site = Router(routes=routes, redirect_slashes=False, lifespan=live)
    return App(api, pages.shield(site), streams)


async def _alive(_: Request) -> Response:
    """The process answers; it says nothing about anything else."""
    return JSONResponse({"status": "alive"})


async def _ready(services: WebServices) -> Response:
    """Whether requests can be served: the database answers and the journal runs."""
    checks = {
        "database": await _database_answers(services.pool),
        "journal": services.journal.running,
    }
    ready = all(checks.values())
    shown = {name: "ok" if ok else "away" for name, ok in checks.items()}
    answer = {"status": "ready" if ready else "not ready", **shown}
    return JSONResponse(answer, 200 if ready else 503)


async def _database_answers(pool: Pool) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS), pool.acquire() as connection:
            await connection.execute("SELECT 1")
    except Exception as error:  # noqa: BLE001 - whatever it is, the database did not answer
        log.warning("database does not answer", **describe(error))
        return False
    return True
