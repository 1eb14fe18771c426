"""The web apps: what `make` built from apps/, served as it was built.

    /wallet/…  a page of a face: always its index.html, the app itself knows the rest (`SPA`)
    /apps/…    what the pages load; names in assets/ carry a hash of the content and never change
    /checkout/1.0.0/checkout.js  what shops' pages load: a version never changes

A checkout page may be framed by the origins that its merchant named, every other page by nobody.

Every file is read once and lies in memory under its address, so no path leads anywhere else. Text
was compressed when it was built (RFC 9110 §12.5.3: Brotli, gzip or as it is), and each form has an
entity tag of its own (§8.8.3).
"""

import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

FACES: Final = ("wallet", "till", "checkout", "console")
CHECKOUT: Final = "checkout"
JOIN: Final = "join"
"""The page of an invitation: it belongs to no face, since it leads to the one of who is invited."""
GALLERY: Final = "gallery"
"""Every component in every state: for whoever builds the faces, so in a sandbox only."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types svelte-trusted-html tandem-worker"
)
"""What a face may load: what comes from here, and nothing that stands in the page itself."""
READER: Final = "wallet"
"""The face whose camera reads codes."""
READING_POLICY: Final = POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
"""That of the wallet's page, whose camera reads codes with WebAssembly where the browser itself
cannot. It may compile what comes from here (connect-src), and still no text becomes a script
(W3C CSP 3 §8.1: this is not `unsafe-eval`)."""
_UNFRAMED: Final = "frame-ancestors 'none'"

EMBEDDED: Final = re.compile(r"checkout/([0-9]+\.[0-9]+\.[0-9]+)/checkout\.js", re.ASCII)
"""The script that opens a checkout from a shop's page, by its version."""

PERMISSIONS: Final = (
    "camera=(self), screen-wake-lock=(self), publickey-credentials-get=(self), "
    "publickey-credentials-create=(self), microphone=(), geolocation=(), payment=(), usb=()"
)

_FOREVER: Final = "public, max-age=31536000, immutable"
_A_DAY: Final = "public, max-age=86400"
_AN_HOUR: Final = "public, max-age=3600"
_ASK_FIRST: Final = "no-cache"
_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
_TYPES: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "woff2": "font/woff2",
    "webmanifest": "application/manifest+json",
    "wasm": "application/wasm",
}
_PAGE: Final = re.compile(r"[^.\x00-\x1f\x7f]*")
"""A path within a face: what is no page of it the app says itself, in the language of whoever
looks. One with a point names a file, and there is none."""
_ACCENT: Final = re.compile(rb'(<meta name="accent" content=")#[0-9A-F]{6}(")')
_VERSION: Final = re.compile(rb"(-[0-9a-f]{16})(`)")
"""The end of the name of a worker's cache."""
_TYPEFACE: Final = re.compile(rb"@font-face\s*\{[^}]*\}")
_QUALITY: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Form:
    """A file in one encoding."""

    content: bytes
    encoding: str | None
    tag: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that was built: its forms, the shortest first, the one that is not encoded last.

    What is `shared` is loaded by pages of other origins.
    """

    forms: tuple[Form, ...]
    media_type: str
    caching: str
    shared: bool = False
    policy: str = POLICY

    def answer(self, headers: Mapping[str, str], policy: str | None = None) -> Response:
        """The file in the best form that a request accepts, or 304 if it has that one.

        `policy` is what the page may load, instead of its own.
        """
        accepted = accepted_encodings(headers.get("accept-encoding", ""))
        form = next(f for f in self.forms if f.encoding is None or f.encoding in accepted)
        given = {"etag": form.tag, "cache-control": self.caching}
        if len(self.forms) > 1:
            given["vary"] = "accept-encoding"
        if self.media_type.startswith("text/javascript"):
            # A worker's own policy holds for what it loads (W3C CSP 3 §4.2.1).
            given["content-security-policy"] = POLICY
        if self.media_type.startswith("text/html"):
            given |= {
                "content-security-policy": policy or self.policy,
                "permissions-policy": PERMISSIONS,
                "cross-origin-opener-policy": "same-origin",
            }
        given["cross-origin-resource-policy"] = "cross-origin" if self.shared else "same-origin"
        if self.shared:  # a page that names the script's hash loads it by CORS (W3C SRI §3.5)
            given["access-control-allow-origin"] = "*"
        if _names(headers.get("if-none-match", ""), form.tag):
            return Response(status_code=304, headers=given)
        if form.encoding is not None:
            given["content-encoding"] = form.encoding
        return Response(form.content, headers=given, media_type=self.media_type)


class Framing(Protocol):
    """Knows who may frame a checkout page."""

    async def frame_origins(self, token: str) -> tuple[str, ...]:
        """The origins that its merchant named; none for a page that is not there."""
        ...


class Faces:
    """The faces that were built. An installation without them serves everything else."""

    def __init__(
        self, built: Mapping[str, File], *, sandbox: bool, framing: Framing | None = None
    ) -> None:
        wanted = (*FACES, GALLERY) if sandbox else FACES
        self._files = built
        self._framing = framing
        self._pages = tuple(name for name in (*wanted, JOIN) if f"{name}/index.html" in built)
        self.names = tuple(name for name in self._pages if name != JOIN)

    def routes(self) -> Iterator[Route]:
        """The routes of all faces, and of the page of an invitation."""
        for face in self._pages:
            yield Route(f"/{face}", _slash(f"/{face}/"), methods=["GET"])
            for name in (f"{face}/sw.js", f"{face}/manifest.webmanifest"):
                if name in self._files:
                    yield Route(f"/{name}", _fixed(self._files[name]), methods=["GET"])
            page = self._files[f"{face}/index.html"]
            if face == CHECKOUT:
                yield from self._embedded()
                yield Route(f"/{face}/s/{{token}}", self._framed(page), methods=["GET"])
            yield Route(f"/{face}/{{path:path}}", _page(page), methods=["GET"])
        yield Route("/apps/{path:path}", self._asset, methods=["GET"])

    def _embedded(self) -> Iterator[Route]:
        """The script for shops' pages: each version for ever, and the newest for an hour."""
        found = [match for match in map(EMBEDDED.fullmatch, self._files) if match is not None]
        for match in found:
            yield Route(f"/{match[0]}", _fixed(self._files[match[0]]), methods=["GET"])
        if found:
            newest = max(found, key=lambda match: [int(part) for part in match[1].split(".")])
            file = replace(self._files[newest[0]], caching=_AN_HOUR)
            yield Route("/checkout/checkout.js", _fixed(file), methods=["GET"])

    def _framed(self, page: File) -> Callable[[Request], Any]:
        async def answered(request: Request) -> Response:
            token: str = request.path_params["token"]
            _check_page(token)
            origins = () if self._framing is None else await self._framing.frame_origins(token)
            policy = POLICY
            if origins:
                policy = POLICY.replace(_UNFRAMED, f"frame-ancestors {' '.join(origins)}")
            return page.answer(request.headers, policy)

        return answered

    async def _asset(self, request: Request) -> Response:
        path: str = request.path_params["path"]
        found = self._files.get(path) if path.startswith(("assets/", "icons/")) else None
        if found is None:
            raise HTTPException(404)
        return found.answer(request.headers)


def are_built() -> bool:
    """Whether there are any, without reading them."""
    return (files("tandem.web") / "apps" / READER / "index.html").is_file()


def built_files() -> dict[str, File]:
    """What was built, by its path: `wallet/index.html`. Empty where nothing was."""
    root = files("tandem.web") / "apps"
    contents = dict(_walk(root, "")) if root.is_dir() else {}
    return {
        path: made_file(path, content, contents)
        for path, content in contents.items()
        if not path.endswith(tuple(_ENCODINGS.values()))
    }


def dressed(built: Mapping[str, File], accent: str) -> dict[str, File]:
    """What was built, its pages in the operator's colour: a page names it, and is compressed anew.

    It stands in the page, as text: no request more, and nothing that its policy must allow. The
    worker that keeps a page for when there is no network is another one then, and fetches it anew.
    """
    colour = accent.encode()
    pages = {
        path: _rewritten(file, _ACCENT, rb"\g<1>%b\g<2>" % colour)
        for path, file in built.items()
        if path.endswith("/index.html")
    }
    if all(page is built[path] for path, page in pages.items()):
        return dict(built)
    workers = {
        path: _rewritten(file, _VERSION, rb"\g<1>-%b\g<2>" % colour.removeprefix(b"#"))
        for path, file in built.items()
        if path.endswith("/sw.js")
    }
    return {**built, **pages, **workers}


def typefaces(built: Mapping[str, File]) -> bytes:
    """The rules that load the faces' type, for a style sheet of pages that are none of them."""
    sheets = (file for path, file in built.items() if path.endswith(".css"))
    found = (rule for sheet in sheets for rule in _TYPEFACE.findall(sheet.forms[-1].content))
    return b"".join(rule + b"\n" for rule in dict.fromkeys(found))


def _rewritten(file: File, pattern: re.Pattern[bytes], to: bytes) -> File:
    """A file with what is found replaced, in its forms; the same one if nothing changes."""
    before = file.forms[-1].content
    content = pattern.sub(to, before)
    if content == before:
        return file
    compressed = gzip.compress(content, mtime=0)
    return replace(file, forms=(_form(compressed, "gzip"), _form(content, None)))


def made_file(path: str, content: bytes, beside: Mapping[str, bytes]) -> File:
    """A file with the encoded forms that lie beside it."""
    forms = [
        _form(beside[path + ending], encoding)
        for encoding, ending in _ENCODINGS.items()
        if path + ending in beside
    ]
    caching = _ASK_FIRST
    if path.startswith("assets/"):
        caching = _FOREVER
    elif path.startswith("icons/"):
        caching = _A_DAY
    shared = EMBEDDED.fullmatch(path) is not None
    media_type = _TYPES.get(path.rpartition(".")[2], "application/octet-stream")
    forms.append(_form(content, None))
    policy = READING_POLICY if path == f"{READER}/index.html" else POLICY
    return File(tuple(forms), media_type, _FOREVER if shared else caching, shared, policy)


def accepted_encodings(header: str) -> frozenset[str]:
    """The codings that an Accept-Encoding header takes (RFC 9110 §12.5.3): those not at q=0."""
    found: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, _, weight = part.strip().partition(";")
        found[name.strip()] = quality(weight) > 0
    anything = found.get("*", False)
    return frozenset(name for name in _ENCODINGS if found.get(name, anything))


def quality(weight: str) -> float:
    """How much a part of an Accept header is wanted (RFC 9110 §12.4.2); what is no weight is 0."""
    match = _QUALITY.fullmatch(weight.strip())
    if match is not None:
        return float(match[1])
    return 0.0 if weight else 1.0


def _form(content: bytes, encoding: str | None) -> Form:
    return Form(content, encoding, f'"{sha256(content).hexdigest()[:32]}"')


def _names(header: str, tag: str) -> bool:
    """Whether If-None-Match names this entity tag (RFC 9110 §13.1.2), compared weakly."""
    given = {one.strip().removeprefix("W/") for one in header.split(",")}
    return tag in given or header.strip() == "*"


def _walk(folder: Traversable, prefix: str) -> Iterable[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{path}/")
        else:
            yield path, entry.read_bytes()


def _slash(address: str) -> Callable[[Request], Any]:
    async def redirected(_: Request) -> Response:
        return RedirectResponse(address, 308)

    return redirected


def _fixed(file: File) -> Callable[[Request], Any]:
    async def answered(request: Request) -> Response:
        return file.answer(request.headers)

    return answered


def _page(file: File) -> Callable[[Request], Any]:
    async def answered(request: Request) -> Response:
        _check_page(request.path_params["path"])
        return file.answer(request.headers)

    return answered


def _check_page(path: str) -> None:
    if _PAGE.fullmatch(path) is None:
        raise HTTPException(404)
