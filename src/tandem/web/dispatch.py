"""Serve operations: from an ASGI request to a call of the handler, and from its answer back.

In this order, cheapest first: route, key or session, limit, kind and scope, headers, query, body.
Whatever is raised on the way becomes a problem (`tandem.api.problems`) with the request's id.
Nothing here is awaited but who asks, the body and the handler itself.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from hashlib import sha256
from typing import Any, Final, Generic, Protocol, TypeVar

import asyncpg
import msgspec
import structlog

from tandem.access import Access, Principal
from tandem.api import problems
from tandem.api.errors import (
    BodyTooLarge,
    DatabaseAway,
    InternalFault,
    InvalidBody,
    MethodNotAllowed,
    NoSuchPath,
    ServerStopping,
)
from tandem.api.operation import Call, Operation, Query, Raw, Streamed, WithSession
from tandem.db import STRANGERS, Idempotency, Pool, sqlstate, work
from tandem.db.audit import Act, acting
from tandem.kernel import Clock, Entropy, Ids, Invalid, Refused
from tandem.ledger import Outcome
from tandem.web.callers import Callers, check_may
from tandem.web.cookies import Cookies
from tandem.web.export import Export, Exports, asked_for
from tandem.web.faults import describe
from tandem.web.limits import Limits
from tandem.web.proxies import Proxies
from tandem.web.reading import (
    DisconnectedError,
    Headers,
    Receive,
    check_media_type,
    check_once,
    decode_body,
    decode_query,
    read_body,
    read_headers,
    read_key,
)
from tandem.web.register import Register, give_reason
from tandem.web.routing import Found, Route, Routes
from tandem.web.stream import Streams

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

SHIELDS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Headers of every answer of the API: not kept, not guessed at, not framed."""

DRAIN_BYTES: Final = 16 * 1024 * 1024
DRAIN_SECONDS: Final = 5.0
AWAY_SECONDS: Final = 2

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_AWAY_STATES: Final = ("08", "53", "57P")
_AWAY: Final = (
    OSError,
    asyncpg.InterfaceError,  # the driver's word for a connection lost between statements
    asyncpg.InternalClientError,  # and for one lost between two messages
)
_JSON_TYPE: Final = (b"content-type", b"application/json")
_PROBLEM_TYPE: Final = (b"content-type", problems.MEDIA_TYPE.encode())
_REPLAYED: Final = (b"idempotent-replayed", b"true")
_canonical: Final = msgspec.json.Encoder(order="deterministic").encode
_UNREAD: Final = frozenset({b"", b"{}"})

S = TypeVar("S", bound="Needs")


class Needs(Protocol):
    """What dispatching itself takes from the services."""

    @property
    def access(self) -> Access:
        """Knows keys."""
        ...

    @property
    def clock(self) -> Clock:
        """Tells the time, for Retry-After."""
        ...

    @property
    def pool(self) -> Pool:
        """The database, for what was refused to staff."""
        ...

    @property
    def ids(self) -> Ids:
        """Makes the ids of the audit log."""
        ...


class RequestIds:
    """Names requests: random once for each process, then counted."""

    def __init__(self, entropy: Entropy) -> None:
        self._start = entropy(8).hex()
        self._count = 0

    def read(self, value: bytes | None) -> str:
        """The client's own id if it is sane, else a new one."""
        if value is not None and _REQUEST_ID.fullmatch(value) is not None:
            return value.decode()
        self._count += 1
        return f"{self._start}-{self._count:x}"


class Dispatcher(Generic[S]):
    """The ASGI application of the operations."""

    def __init__(
        self,
        services: S,
        operations: Sequence[Operation[S]],
        limits: Limits,
        proxies: Proxies,
        request_ids: RequestIds,
        streams: Streams,
        cookies: Cookies,
    ) -> None:
        self._cookies = cookies
        self._callers = Callers(services.access, limits, cookies)
        self._register = Register(services.pool, services.ids, services.clock)
        self._services = services
        self._routes = Routes(operations)
        self._proxies = proxies
        self._request_ids = request_ids
        self._streams = streams
        self._exports = Exports(services.pool)
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        caller: Principal | None = None
        act: Act | None = None
        route: Route | None = None
        answering = False
        method: str = scope["method"]
        headers, twice = read_headers(scope["headers"])
        request_id = self._request_ids.read(headers.get(b"x-request-id"))
        try:
            check_once(twice)
            found = self._find(scope["path"])
            route = found.methods.get(method)
            if route is None:
                await self._other_method(method, found, request_id, send)
                return
            peer = scope["client"][0] if scope.get("client") else None
            client = self._proxies.client(peer, scope["headers"])
            caller = await self._callers.find(route, headers, client)
            exports = _export_kind(route, headers) is not None
            act = self._register.act(route, caller, found, request_id, client, exports=exports)
            call = Call(
                self._services,
                caller,
                None,
                request_id,
                client,
                _text(headers, b"last-event-id") if route.live else None,
                _text(headers, b"user-agent") if route.open else None,
            )
            if act is None:
                result = await self._perform(route, call, found, headers, scope, receive)
            else:
                with acting(act):
                    result = await self._perform(route, call, found, headers, scope, receive)
                    await self._register.keep_reading(act, route)
            answering = True
            if isinstance(result, Export):
                file_headers = [*SHIELDS, (b"x-request-id", request_id.encode())]
                await self._exports.send(result, file_headers, receive, send)
                return
            if route.live:
                live_headers = [*SHIELDS, (b"x-request-id", request_id.encode())]
                await self._streams.send(result, caller, client, live_headers, receive, send)
                return
            cookies = await self._cookies_of(result, headers)
            await self._send(route, result, request_id, method, send, cookies)
        except DisconnectedError:
            return
        except asyncio.CancelledError:
            # The server stops and waits no longer. Not raised on: the server would answer 500.
            if answering:
                raise
            stopping = ServerStopping(AWAY_SECONDS)
            await self._refuse(stopping, scope, headers, request_id, receive, send)
        except Refused as refused:
            await self._register.keep_refusal(act, refused, route)
            await self._refuse(refused, scope, headers, request_id, receive, send)
        except Exception as error:  # noqa: BLE001 - the last door: everything becomes a problem
            fault = self._fault(error, request_id, scope)
            await self._refuse(fault, scope, headers, request_id, receive, send)

    def _find(self, path: str) -> Found:
        found = self._routes.find(path)
        if found is None:
            raise NoSuchPath("".join(c if c.isprintable() else "?" for c in path[:200]))
        return found

    async def _cookies_of(self, result: object, headers: Headers) -> Pairs:
        """The cookie that an answer sets. The session that it had before is over."""
        if not isinstance(result, WithSession):
            return []
        before = self._cookies.read(headers.get(b"cookie")).get(result.kind)
        if result.token is not None and before is not None:
            async with work(self._services.pool, changes=False) as connection:
                await self._services.access.sessions.end_by_token(connection, before)
        return [(b"set-cookie", self._cookies.put(result.kind, result.token))]

    async def _perform(
        self,
        route: Route,
        call: Call[S],
        found: Found,
        headers: Headers,
        scope: Scope,
        receive: Receive,
    ) -> Any:  # noqa: ANN401 - what a handler returns
        """See that the caller may, read what the handler takes, and call it."""
        operation = route.operation
        if call.caller is not None:
            check_may(route, call.caller)
            give_reason(route, call.caller, headers)
        values = route.arguments(found.values)
        key = None
        if operation.idempotency is not None:
            required = operation.idempotency == "required"
            key = read_key(headers, required=required, random=route.open)
        query = scope["query_string"]
        if route.query is not None:
            values["query"] = decode_query(route.query, query)
        elif query:
            decode_query(Query, query)
        if operation.method != "GET":
            body = await _read(route, headers, receive)
            if body is not None:
                values["body"] = body
            if key is not None:
                call = _with_key(call, key, operation.method, scope["path"], body)
        return await self._answer(route, call, values, _export_kind(route, headers))

    async def _answer(
        self,
        route: Route,
        call: Call[S],
        values: dict[str, Any],
        kind: str | None,
    ) -> Any:  # noqa: ANN401 - what a handler returns
        """What the handler answers, or a file of all that it lists."""
        try:
            if kind is not None:
                return await self._exports.begin(route, call, values, kind)
            result = await route.operation.handler(call, **values)
            return await self._exports.of(result) if isinstance(result, Streamed) else result
        except Invalid as invalid:
            known = () if route.body is None else route.body.type.__struct_fields__
            if type(invalid) is not Invalid or invalid.field not in known:
                raise
            pointer = f"/{invalid.field}"
            raise InvalidBody(
                invalid.field, invalid.reason, pointer, rule=invalid.rule
            ) from invalid

    async def _send(
        self,
        route: Route,
        result: object,
        request_id: str,
        method: str,
        send: Send,
        cookies: Pairs,
    ) -> None:
        pairs: Pairs = [*SHIELDS, (b"x-request-id", request_id.encode()), *cookies]
        body = b""
        if isinstance(result, WithSession):
            result = result.answer
        if isinstance(result, Outcome):
            pairs.append(_JSON_TYPE)
            if result.replayed:
                pairs.append(_REPLAYED)
            body = result.body
        elif isinstance(result, Raw):
            pairs.append((b"content-type", result.media_type.encode()))
            body = result.content
        elif result is not None:
            pairs.append(_JSON_TYPE)
            body = self._encode(result)
        await _respond(send, route.operation.status, pairs, body, head=method == "HEAD")

    async def _other_method(self, method: str, found: Found, request_id: str, send: Send) -> None:
        """Say what the path takes (RFC 9110 §9.3.7), or that it does not take this."""
        allowed = (*sorted(found.methods), "OPTIONS")
        if method != "OPTIONS":
            raise MethodNotAllowed("".join(c for c in method[:20] if c.isalpha()), allowed)
        pairs = [
            *SHIELDS,
            (b"x-request-id", request_id.encode()),
            (b"allow", ", ".join(allowed).encode()),
        ]
        await _respond(send, 204, pairs, b"")

    def _fault(self, error: Exception, request_id: str, scope: Scope) -> Refused:
        """Log what went wrong, and say no more than whether it is the database."""
        state = sqlstate(error)
        away = isinstance(error, _AWAY) or (state is not None and state.startswith(_AWAY_STATES))
        log.error(
            "database away" if away else "request failed",
            request_id=request_id,
            method=scope["method"],
            path=scope["path"],
            **describe(error),
        )
        return DatabaseAway(AWAY_SECONDS) if away else InternalFault()

    async def _refuse(
        self,
        refused: Refused,
        scope: Scope,
        headers: Headers,
        request_id: str,
        receive: Receive,
        send: Send,
    ) -> None:
        if problems.row_of(type(refused)) is None:
            refused = self._fault(refused, request_id, scope)
        status, extra, body = problems.answer(refused, request_id, self._services.clock.now())
        pairs: Pairs = [
            *SHIELDS,
            _PROBLEM_TYPE,
            (b"x-request-id", request_id.encode()),
            *extra,
        ]
        if refused.replayed:
            pairs.append(_REPLAYED)
        if isinstance(refused, BodyTooLarge):
            await _respond_and_drain(send, receive, headers, status, pairs, body)
            return
        await _respond(send, status, pairs, body, head=scope["method"] == "HEAD")


async def _read(route: Route, headers: Headers, receive: Receive) -> msgspec.Struct | None:
    """The body that the operation takes. One that takes none is not given one."""
    if route.body is not None:
        if route.body_needed or b"content-type" in headers:
            check_media_type(headers)
        raw = await read_body(headers, receive)
        if not raw and not route.body_needed:
            raw = b"{}"
        elif b"content-type" not in headers:
            check_media_type(headers)
        return decode_body(route.body, raw, route.body_names)
    raw = await read_body(headers, receive)
    if raw.strip() not in _UNREAD:
        raise InvalidBody("", "must be empty here", "")
    return None


def _export_kind(route: Route, headers: Headers) -> str | None:
    """Which file of the whole list is asked for, if the operation lists and one is."""
    return None if route.row_type is None else asked_for(headers.get(b"accept"))


def _with_key(
    call: Call[S], key: str, method: str, path: str, body: msgspec.Struct | None
) -> Call[S]:
    """The call, done once under this key.

    The fingerprint is of what was understood: white space and the order of members do not matter.
    """
    canonical = b"" if body is None else _canonical(body)
    fingerprint = sha256(f"{method} {path}\n".encode() + canonical).digest()
    owner = STRANGERS if call.caller is None else call.caller.owner_id
    idempotency = Idempotency(owner, key, fingerprint)
    return msgspec.structs.replace(call, idempotency=idempotency)


async def _respond(
    send: Send, status: int, pairs: Pairs, body: bytes, *, head: bool = False
) -> None:
    if status != 204:  # noqa: PLR2004 - No Content has no length either (RFC 9110 §8.6)
        pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def _respond_and_drain(
    send: Send, receive: Receive, headers: Headers, status: int, pairs: Pairs, body: bytes
) -> None:
    """Answer at once, then drop what still comes, for a while, and close.

    A connection closed while the client still writes is reset, and the client may never see the
    answer (RFC 9112 §9.6). One that waits for `100 Continue` writes nothing more.
    """
    pairs += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if b"expect" not in headers:
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            pass
    await send({"type": "http.response.body", "body": b""})


def _text(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
