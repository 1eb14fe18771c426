"""What the tests of the HTTP layer share: services that are not there, and a client in process."""

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

import httpx
import msgspec
from msgspec import Meta

from tandem.access import KeyUnknown, Principal
from tandem.api.operation import Body, Call, ListQuery, Live, Operation, Page, Raw, operation, page
from tandem.kernel import Ids, Invalid, ManualClock, NotFound, Refused, show_id
from tandem.ledger import InsufficientFunds, Outcome
from tandem.payments import Landing
from tandem.settings import Settings
from tandem.web.application import App, Lifespan, create_app

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
MERCHANT = UUID("0199f0a4-c0de-7000-8000-000000000001")
KEY = UUID("0199f0a4-c0de-7000-8000-000000000009")
PAYMENT = UUID("0199f0a4-c0de-7000-8000-00000000002a")
PAY = show_id("pay", PAYMENT)
TOKEN = "A" * 20
SCOPES = frozenset({"payments:read", "payments:write"})
KEYS = {
    "tk_mer_good": Principal("merchant", MERCHANT, KEY, None, SCOPES, "till"),
    "tk_mer_read": Principal("merchant", MERCHANT, KEY, None, frozenset({"payments:read"}), "r"),
    "tk_dev_good": Principal(
        "person", UUID(int=5), UUID(int=6), UUID(int=7), frozenset({"wallet"}), "phone"
    ),
}


class Access:
    """Knows the keys of `KEYS`; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.revoked: list[Callable[[UUID], None]] = []

    def on_revoked(self, listener: Callable[[UUID], None]) -> None:
        self.revoked.append(listener)

    def knows(self, secret: str) -> bool:
        return secret in KEYS

    async def authenticate(self, secret: str) -> Principal:
        self.asked += 1
        if secret not in KEYS:
            raise KeyUnknown
        return KEYS[secret]


class Connection:
    async def execute(self, statement: str) -> None:
        assert statement == "SELECT 1"


class Pool:
    """A pool that gives a connection, or fails as a lost database does."""

    def __init__(self) -> None:
        self.away = False

    def acquire(self) -> "Pool":
        return self

    async def __aenter__(self) -> Connection:
        if self.away:
            raise ConnectionRefusedError("postgresql://user:hunter2@db/tandem is away")
        return Connection()

    async def __aexit__(self, *_: object) -> None:
        return None


class Journal:
    running = True


class Landings:
    def __init__(self) -> None:
        self.known: dict[str, Landing] = {}
        self.tags: dict[tuple[str, str], Landing | Refused] = {}

    async def code_landing(self, token: str) -> Landing:
        if token not in self.known:
            raise NotFound("code", token)
        return self.known[token]

    async def tag_landing(self, token: str, query: str) -> Landing:
        found = self.tags.get((token, query), NotFound("tag", "with such a link"))
        if isinstance(found, Refused):
            raise found
        return found


class Framings:
    """Who may frame the checkout page of a token."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, ...]] = {}

    async def frame_origins(self, token: str) -> tuple[str, ...]:
        return self.known.get(token, ())


class Services:
    """All that the application takes. `calls` is what handlers were called with."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.access: Any = Access()
        self.pool: Any = Pool()
        self.journal = Journal()
        self.payments = Landings()
        self.checkout = Framings()
        self.clock = ManualClock(NOW)
        self.ids = Ids(self.clock)
        self.settings = settings or Settings()
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.frames: AsyncIterator[bytes] | None = None

    def entropy(self, size: int) -> bytes:
        return bytes(range(size))


class Thing(msgspec.Struct, frozen=True):
    """A payment, as far as these tests go."""

    id: Annotated[str, Meta(examples=[PAY])]
    amount: Annotated[int, Meta(examples=[3800])]
    note: str | None = None


class Line(Body, frozen=True):
    """A line of an order."""

    name: Annotated[str, Meta(max_length=20, examples=["Tea"])]
    count: Annotated[int, Meta(ge=1, examples=[2])] = 1


class Create(Body, frozen=True):
    """What to pay."""

    amount: Annotated[int, Meta(ge=1, le=10**15, examples=[3800])]
    currency: Annotated[str, Meta(examples=["CNY"])] = "CNY"
    lines: tuple[Line, ...] = ()
    extra: dict[str, str] | None = None


class Change(Body, frozen=True):
    """What to change; nothing must be."""

    note: str | None = None


class Sees(Protocol):
    """What the operations below use."""

    @property
    def calls(self) -> list[tuple[Any, ...]]: ...
    @property
    def failure(self) -> Exception | None: ...
    @property
    def frames(self) -> AsyncIterator[bytes] | None: ...


@operation(
    "POST",
    "/v1/things",
    tag="Things",
    summary="Make a thing",
    who=("merchant",),
    scope="payments:write",
    status=201,
    idempotency="required",
    answer=Thing,
    errors=(InsufficientFunds,),
)
async def create_thing(call: Call[Sees], body: Create) -> Outcome:
    """Makes a thing."""
    call.services.calls.append((call, body))
    if call.services.failure is not None:
        raise call.services.failure
    replayed = len(call.services.calls) > 1
    return Outcome(msgspec.json.encode(Thing(PAY, body.amount)), replayed)


@operation(
    "GET",
    "/v1/things",
    tag="Things",
    summary="List things",
    who=("merchant", "person"),
    scope="payments:read",
)
async def list_things(call: Call[Sees], query: ListQuery) -> Page[Thing]:
    """Lists them."""
    call.services.calls.append((call, query, query.after_id("pay")))
    rows = [Thing(show_id("pay", UUID(int=n)), n) for n in range(1, 6)]
    return page(rows[: query.limit + 1], query.limit, lambda row: row)


@operation(
    "GET",
    "/v1/things/{payment_id}",
    tag="Things",
    summary="Get a thing",
    who=("merchant",),
    scope="payments:read",
)
async def get_thing(call: Call[Sees], payment_id: UUID) -> Thing:
    """Gets one."""
    call.services.calls.append((call, payment_id))
    if payment_id != PAYMENT:
        raise NotFound("payment", show_id("pay", payment_id))
    return Thing(PAY, 3800)


@operation(
    "PATCH",
    "/v1/things/{payment_id}/{currency}",
    tag="Things",
    summary="Change a thing",
    who=("merchant",),
    scope="payments:write",
    idempotency="optional",
)
async def change_thing(call: Call[Sees], payment_id: UUID, currency: str, body: Change) -> Thing:
    """Changes one."""
    call.services.calls.append((call, payment_id, currency, body))
    if body.note == "bad":
        raise Invalid("note", "must be good")
    return Thing(PAY, 1, body.note)


@operation(
    "DELETE",
    "/v1/things/{payment_id}",
    tag="Things",
    summary="Remove a thing",
    who=("merchant",),
    scope="payments:write",
)
async def remove_thing(call: Call[Sees], payment_id: UUID) -> None:
    """Removes one."""
    call.services.calls.append((call, payment_id))


@operation(
    "POST",
    "/v1/strangers",
    tag="Things",
    summary="Sign up",
    who=("anyone", "operator"),
    idempotency="optional",
)
async def sign_up(call: Call[Sees], body: Change) -> Thing:
    """For anyone."""
    call.services.calls.append((call, body))
    return Thing(PAY, 0)


@operation(
    "GET",
    "/v1/things/{payment_id}/picture.png",
    tag="Things",
    summary="A picture",
    who=("merchant",),
    scope="payments:read",
    answer=Raw,
    media_type="image/png",
)
async def picture(call: Call[Sees], payment_id: UUID) -> Raw:
    """Draws one."""
    call.services.calls.append((call, payment_id))
    return Raw(b"\x89PNG", "image/png")


@operation(
    "GET",
    "/v1/things/live",
    tag="Things",
    summary="Follow things",
    who=("merchant",),
    scope="payments:read",
)
async def follow(call: Call[Sees]) -> Live:
    """Goes on."""
    call.services.calls.append((call,))
    if call.services.failure is not None:
        raise call.services.failure
    assert call.services.frames is not None
    return Live(call.services.frames)


OPERATIONS: Sequence[Operation[Any]] = (
    create_thing,
    list_things,
    get_thing,
    change_thing,
    remove_thing,
    sign_up,
    picture,
    follow,
)


def make_app(
    services: Services,
    *,
    tick: Callable[[], float] = lambda: 0.0,
    lifespan: Lifespan = nullcontext,
) -> App[Any]:
    return create_app(services, OPERATIONS, tick=tick, lifespan=lifespan)


def make_client(app: App[Any], client: tuple[str, int] = ("192.0.2.1", 4321)) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=client)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


AUTH = {"authorization": "Bearer tk_mer_good"}
WRITE = AUTH | {"idempotency-key": "k-1"}
BODY = {"amount": 3800}
RAW_WRITE = [
    (b"authorization", b"Bearer tk_mer_good"),
    (b"idempotency-key", b"k-1"),
    (b"content-type", b"application/json"),
]


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a whole problem of this kind; return its data."""
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert (response.status_code, found["status"], found["code"]) == (status, status, code), found
    assert found["type"] == f"/problems/{code}"
    assert found["title"]
    assert found["detail"]
    assert found["request_id"] == response.headers["x-request-id"]
    data: dict[str, Any] = found["data"]
    return data


class Wire:
    """A request by hand, for what a client library would not send."""

    def __init__(self, app: App[Any], *messages: dict[str, Any]) -> None:
        self._app = app
        self._messages = list(messages)
        self.sent: list[Any] = []
        self.received = 0
        self.gone = asyncio.Event()
        self._news = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        if self._messages:
            return self._messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)
        self._news.set()

    async def until(self, sign: Callable[[], bool]) -> None:
        """Wait for a sign in what was sent; at most five seconds."""
        async with asyncio.timeout(5):
            while not sign():
                self._news.clear()
                await self._news.wait()

    async def request(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[bytes, bytes]] = (),
        query: bytes = b"",
    ) -> None:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": list(headers),
            "client": ("192.0.2.1", 4321),
        }
        await self._app(scope, self.receive, self.send)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])
