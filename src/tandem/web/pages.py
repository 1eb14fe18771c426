"""The pages beside the API: what this is, the reference, problems, and what a shop's code opens.

Rendered by Jinja2 with escaping on, without JavaScript, under a policy that allows our own style
sheet, its typefaces and pictures and nothing else. They look as the faces do: the style sheet has
the faces' tokens (a test compares them), and their typefaces where the faces were built.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, NamedTuple, Protocol

import jinja2
import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from tandem import __version__
from tandem.api import problems
from tandem.api.errors import InternalFault, MethodNotAllowed, NoSuchPath
from tandem.api.openapi import document, render
from tandem.api.operation import Operation
from tandem.kernel import Clock, NotFound, Refused, currency
from tandem.payments import Landing
from tandem.tags import TagOff, TagTapUsed, TagWrong
from tandem.web.dispatch import RequestIds, Scope, Send
from tandem.web.faults import describe
from tandem.web.reading import Receive, read_headers
from tandem.web.reference import pretty, prose, reference_of
from tandem.web.visitors import Texts, amount_of, language_of

log = structlog.get_logger(__name__)

POLICY: Final = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HSTS: Final = "max-age=31536000"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,32}", re.ASCII)
_PRIVATE: Final = {"x-robots-tag": "noindex, nofollow", "cache-control": "no-store"}
_A_DAY: Final = "public, max-age=86400"


class CodeLandings(Protocol):
    """Looks up what a shop's code stands for."""

    async def code_landing(self, token: str) -> Landing:
        """What the page shows. Raises `NotFound`."""
        ...

    async def tag_landing(self, token: str, query: str) -> Landing:
        """What the page of a tap shows. Raises `NotFound`, or why nobody can pay by it."""
        ...


class _Reference(NamedTuple):
    """What the API can do: for people, and as an OpenAPI document."""

    page: bytes
    document: bytes


class Pages:
    """All pages, rendered once where they do not change.

    The reference is made from `operations` when it is first asked for, beside what the loop does: a
    start waits for nothing that most processes are never asked. `faces` are the web apps that the
    first page leads to, `typefaces` the rules that load their type; `encrypted` is whether people
    come over TLS, and are to come by nothing else from now on.
    """

    def __init__(
        self,
        operations: Sequence[Operation[Any]],
        landings: CodeLandings,
        request_ids: RequestIds,
        clock: Clock,
        *,
        faces: Sequence[str] = (),
        typefaces: bytes = b"",
        encrypted: bool = False,
    ) -> None:
        here = files("tandem.web")
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("tandem.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["prose"] = prose
        self._operations = operations
        self._making: asyncio.Future[_Reference] | None = None
        self._landings = landings
        self._request_ids = request_ids
        self._clock = clock
        self._encrypted = encrypted
        self._wallet = "wallet" in faces
        self._style = typefaces + (here / "assets" / "tandem.css").read_bytes()
        # Browsers keep the sheet for a day: another one has another address.
        self._templates.globals["style"] = sha256(self._style).hexdigest()[:12]
        self._mark = (here / "assets" / "mark.svg").read_bytes()
        self._home = self._page("home.html", version=__version__, faces=faces)
        self._problems = self._page("problems.html", rows=[_explained(r) for r in problems.ROWS])

    async def _reference(self) -> _Reference:
        """The reference: made once, in a thread of its own, for all who wait for it."""
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self._make_reference))
        return await asyncio.shield(self._making)

    def _make_reference(self) -> _Reference:
        made = document(self._operations)
        return _Reference(self._page("docs.html", **reference_of(made)), render(made))

    async def _docs(self, _: Request) -> Response:
        return HTMLResponse((await self._reference()).page)

    async def _openapi(self, _: Request) -> Response:
        made = (await self._reference()).document
        return Response(made, headers={"cache-control": _A_DAY}, media_type="application/json")

    def routes(self) -> list[Route]:
        """The routes of all pages."""
        fixed = {
            "/": (self._home, "text/html; charset=utf-8"),
            "/problems": (self._problems, "text/html; charset=utf-8"),
            "/assets/tandem.css": (self._style, "text/css; charset=utf-8"),
            "/assets/mark.svg": (self._mark, "image/svg+xml"),
        }
        return [
            *(Route(path, _fixed(*page), methods=["GET"]) for path, page in fixed.items()),
            Route("/docs", self._docs, methods=["GET"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            Route("/problems/{code}", self._problem, methods=["GET"]),
            Route("/c/{token}", self._landing, methods=["GET"]),
            Route("/t/{token}", self._tapped, methods=["GET"]),
        ]

    def shield(self, site: ASGIApp) -> ASGIApp:
        """Around all pages: security headers, the request's id, refusals as problems."""

        async def shielded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await site(scope, receive, send)
                return
            headers, _ = read_headers(scope["headers"])
            request_id = self._request_ids.read(headers.get(b"x-request-id"))
            started = False

            async def sent(message: Message) -> None:
                nonlocal started
                if message["type"] == "http.response.start":
                    started = True
                    _add_headers(message, request_id, encrypted=self._encrypted)
                await send(message)

            try:
                # With an "app", Starlette's router raises where it would answer in plain text.
                await site({**scope, "app": self}, receive, sent)
            except Exception as error:
                if started:
                    raise
                response = self._refused(error, scope, request_id)
                await response(scope, receive, sent)

        return shielded

    async def _problem(self, request: Request) -> Response:
        row = problems.BY_CODE.get(request.path_params["code"])
        if row is None:
            raise NoSuchPath("/problems/…")
        return HTMLResponse(self._page("problem.html", row=_explained(row)))

    async def _landing(self, request: Request) -> Response:
        token, say = request.path_params["token"], _language(request)
        landing = await self._look_up(token)
        if landing is None:
            return self._visited("no_code.html", say, 404)
        return self._shown(landing, say, wallet=f"/wallet/c/{token}" if self._wallet else None)

    async def _tapped(self, request: Request) -> Response:
        """The page of a rolling tag's link. It looks and changes nothing: the wallet opens taps."""
        token, query, say = request.path_params["token"], request.url.query, _language(request)
        try:
            landing = await self._landings.tag_landing(token, query)
        except NotFound:
            return self._visited("no_code.html", say, 404)
        except (TagWrong, TagTapUsed, TagOff) as refused:
            row = problems.row_of(type(refused))
            assert row is not None, "the API answers with them too"
            sentence = say[f"problem.{refused.code}"]
            return self._visited("no_tap.html", say, row.status, sentence=sentence)
        wallet = f"/wallet/t/{token}?{query}" if self._wallet else None
        return self._shown(landing, say, tapped=True, wallet=wallet)

    def _shown(
        self, landing: Landing, say: Texts, *, tapped: bool = False, wallet: str | None = None
    ) -> Response:
        """The page; `wallet` is where our wallet pays it, if that is here."""
        amount = None
        if landing.amount is not None and landing.currency is not None:
            amount = amount_of(landing.amount, currency(landing.currency), say["language"])
        return self._visited(
            "landing.html",
            say,
            shop=_plain(landing.shop_name),
            merchant=_plain(landing.merchant_name),
            amount=amount,
            state=say.get(f"status.{landing.status}", landing.status),
            payable=landing.status in (None, "created"),
            wallet=wallet,
            tapped=tapped,
        )

    def _visited(self, template: str, say: Texts, status: int = 200, **values: object) -> Response:
        """A page for whoever has no app open, in their language; nobody keeps or lists it."""
        return HTMLResponse(self._page(template, say=say, **values), status, _PRIVATE)

    async def _look_up(self, token: str) -> Landing | None:
        if _TOKEN.fullmatch(token) is None:
            return None
        try:
            return await self._landings.code_landing(token)
        except NotFound:
            return None

    def _refused(self, error: Exception, scope: Scope, request_id: str) -> Response:
        refused: Refused
        if isinstance(error, HTTPException):
            refused = _not_here(error, scope)
        elif isinstance(error, Refused) and problems.row_of(type(error)) is not None:
            refused = error
        else:
            log.error("page failed", request_id=request_id, path=scope["path"], **describe(error))
            refused = InternalFault()
        status, headers, body = problems.answer(refused, request_id, self._clock.now())
        response = Response(body, status, media_type=problems.MEDIA_TYPE)
        response.raw_headers.extend(headers)
        return response

    def _page(self, template: str, **values: object) -> bytes:
        return self._templates.get_template(template).render(**values).encode()


def _not_here(error: HTTPException, scope: Scope) -> Refused:
    """Starlette's 404 and 405 as our refusals."""
    if error.status_code == 405:  # noqa: PLR2004 - Method Not Allowed
        allowed = (error.headers or {}).get("Allow", "GET").split(", ")
        method = "".join(c for c in scope["method"][:20] if c.isalpha())
        return MethodNotAllowed(method, tuple(sorted(allowed)))
    return NoSuchPath("".join(c if c.isprintable() else "?" for c in scope["path"][:200]))


def _explained(row: problems.Row) -> dict[str, Any]:
    refused = row.example
    return {
        "status": row.status,
        "code": refused.code,
        "title": problems.title_of(refused.code),
        "meaning": problems.meaning(refused),
        "sentence": refused.sentence(),
        "data": list(problems.shown_data(refused)),
        "example": pretty(problems.example(row)),
    }


def _language(request: Request) -> Texts:
    return language_of(request.headers.get("accept-language", ""))


def _plain(text: str) -> str:
    """A name as its owner's text: no control characters, nothing that turns text around."""
    return "".join(c if c.isprintable() else " " for c in text)[:100]


def _fixed(content: bytes, media_type: str) -> Callable[[Request], Any]:
    async def page(_: Request) -> Response:
        headers = {} if media_type.startswith("text/html") else {"cache-control": _A_DAY}
        return Response(content, headers=headers, media_type=media_type)

    return page


def _add_headers(message: Message, request_id: str, *, encrypted: bool) -> None:
    headers = MutableHeaders(scope=message)
    headers["x-request-id"] = request_id
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "no-referrer"
    headers.setdefault("content-security-policy", POLICY)
    if encrypted:  # RFC 6797; a browser that came over http ignores it
        headers["strict-transport-security"] = HSTS
    headers.setdefault("cache-control", "no-cache")
