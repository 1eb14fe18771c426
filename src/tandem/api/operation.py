"""Operations: what the API can do, declared once; routes, checks and the OpenAPI follow from it.

An operation is an async function with a declaration above it. What it takes is what it names:

    class CreatePayment(Body):
        shop_id: Annotated[str, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])]
        amount: Annotated[int, Meta(description="Minor units", examples=[3800])]

    class Services(Protocol):                    # what this file's handlers use, and no more
        @property
        def payments(self) -> Payments: ...

    @operation(
        "POST", "/v1/payments", tag="Payments", summary="Create a payment",
        who=("merchant",), scope="payments:write", status=201, idempotency="required",
        answer=PaymentView, errors=(WayRefused, CurrencyNotTaken),
    )
    async def create_payment(call: Call[Services], body: CreatePayment) -> Outcome:
        '''What the reader of the API's documentation reads. Markdown.'''
        return await call.services.payments.create(call.principal.owner_id, ..., call.idempotency)

    @operation("GET", "/v1/payments", tag="Payments", summary="List payments",
               who=("merchant",), scope="payments:read")
    async def list_payments(call: Call[Services], query: ListQuery) -> Page[PaymentView]:
        rows = await call.services.payments.list(
            call.principal.owner_id, query.after_id("pay"), query.limit + 1)
        return page(rows, query.limit, merchant_view)

    @operation("GET", "/v1/payments/{payment_id}", tag="Payments", summary="Get a payment",
               who=("merchant",), scope="payments:read")
    async def get_payment(call: Call[Services], payment_id: UUID) -> PaymentView: ...

    OPERATIONS = (create_payment, list_payments, get_payment)

`call` comes first and always. `body` is the JSON body, `query` the query string; every name in
braces in the path is an argument of the same name: a `UUID` for a name in `PATH_IDS` (a malformed
id is answered 404 before the handler runs), a `str` for any other. The answer's type is the
return annotation, or `answer` where the handler returns the journal's ready JSON (`Outcome`).
Refusals are raised; `api.problems` says what they become.
"""

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Concatenate,
    Final,
    Generic,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Kind, Principal
from tandem.db import Idempotency
from tandem.kernel import Refused, read_id
from tandem.ledger import Outcome

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Who = Literal["anyone", "person", "merchant", "operator"]
Idempotent = Literal["required", "optional"]
Office = Literal["read", "support", "money"]
"""What of the operator's work it is; None: what only reading, or only an owner does."""
Limit = Literal["sign_up", "sign_in", "visit"]
"""Which limit a stranger's request counts against."""

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
"""The files that a list is exported as (tandem.web.export)."""
Rows = str | tuple[str, ...] | Mapping[str, str]
"""The field of an answer that is exported, several, or one that is a map, by what its keys are."""

MAX_REASON: Final = 300
"""The longest reason that staff gives, in characters."""
MAX_LIST: Final = 100
"""The most objects that one page of a list has."""

PATH_IDS: Final[Mapping[str, tuple[str, str]]] = {
    "account_id": ("acc", "account"),
    "card_id": ("crd", "card"),
    "checkout_id": ("chs", "checkout session"),
    "correction_id": ("cor", "correction"),
    "delivery_id": ("whd", "delivery"),
    "device_id": ("dev", "device"),
    "endpoint_id": ("whe", "webhook endpoint"),
    "event_id": ("evt", "event"),
    "invoice_id": ("inv", "invoice"),
    "item_id": ("itm", "item"),
    "key_id": ("key", "API key"),
    "link_id": ("lnk", "payment link"),
    "merchant_id": ("mer", "merchant"),
    "packet_id": ("pkt", "red packet"),
    "passkey_id": ("psk", "passkey"),
    "payment_id": ("pay", "payment"),
    "payout_id": ("pyt", "payout"),
    "person_id": ("ppl", "person"),
    "refund_id": ("ref", "refund"),
    "request_id": ("req", "money request"),
    "send_id": ("snd", "send"),
    "session_id": ("ses", "session"),
    "shift_id": ("shf", "shift"),
    "shop_id": ("shp", "shop"),
    "split_id": ("spl", "split"),
    "staff_id": ("stf", "staff"),
    "tag_id": ("tag", "tag"),
    "till_id": ("til", "till"),
    "top_up_id": ("top", "top-up"),
    "transfer_id": ("trf", "transfer"),
    "verification_id": ("ver", "verification"),
}
"""Names of arguments in paths that are ids: the prefix, and what a person calls the thing."""

_PARAMETER = re.compile(r"\{([a-z_]+)\}", re.ASCII)


class Body(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The base of every request body, and of every struct within one: no unknown fields."""


class Query(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The base of every query string: flat, every parameter at most once, none unknown."""


PageLimit = Annotated[
    int, Meta(ge=1, le=MAX_LIST, description="The most objects to return", examples=[20])
]
PageAfter = Annotated[
    str | None, Meta(description="The `next` of the page before: what comes after it")
]


class ListQuery(Query, frozen=True):
    """How a list is read: a page at a time, each from where the last one ended."""

    limit: PageLimit = 20
    after: PageAfter = None

    def after_id(self, prefix: str) -> UUID | None:
        """The cursor as an id. Raises `Invalid` if it isn't one of these."""
        return None if self.after is None else read_id(prefix, self.after, "after")


class HasId(Protocol):
    """What can be listed: a view with its shown id."""

    @property
    def id(self) -> str:
        """The id as the API shows it."""
        ...


V = TypeVar("V")
R = TypeVar("R")
Shown = TypeVar("Shown", bound=HasId)


class Page(msgspec.Struct, Generic[V], frozen=True):
    """A page of a list."""

    data: Annotated[Sequence[V], Meta(description="The objects, newest first")]
    has_more: Annotated[bool, Meta(description="Whether more follow", examples=[False])]
    next: Annotated[str | None, Meta(description="The cursor to pass as `after` for the next page")]


def page(rows: Sequence[R], limit: int, show: Callable[[R], Shown]) -> Page[Shown]:
    """A page of at most `limit` objects. Read one more row than that: it says whether more follow.

    `show` makes the view of a row; the last view's id is the cursor.
    """
    return page_of([show(row) for row in rows], limit)


def page_of(views: Sequence[Shown], limit: int) -> Page[Shown]:
    """A page of at most `limit` views, of which one more was read."""
    shown, more = views[:limit], len(views) > limit
    return Page(shown, more, shown[-1].id if more else None)


class Raw(NamedTuple):
    """An answer that is not JSON: a picture, say."""

    content: bytes
    media_type: str


class Streamed(NamedTuple):
    """An answer that is sent as a file while it is made, from one moment of the database.

    The operation says by `answer=` what the parts make together.
    """

    parts: AsyncIterator[bytes]
    media_type: str
    filename: str


class Live(NamedTuple):
    """An answer that goes on: server-sent events, each already in the wire's form.

    While nothing happens a comment goes out every `beat_seconds`; None: as often as in all streams.
    """

    frames: AsyncIterator[bytes]
    beat_seconds: float | None = None


class WithSession(NamedTuple):
    """An answer that opens a session of this kind, or ends it (no token): it sets the cookie."""

    answer: object
    kind: Kind
    token: str | None


S_co = TypeVar("S_co", covariant=True)
S_contra = TypeVar("S_contra", contravariant=True)


class Call(msgspec.Struct, Generic[S_co], frozen=True):
    """One request, checked: who asks, what for, under which key.

    `services` is the container that the application was made with. `idempotency` is set if the
    request has an Idempotency-Key. `request_id` is echoed in the answer. `client` is the address
    that the request came from. `last_event_id` and `user_agent` are the headers of those names, as
    they came.
    """

    services: S_co
    caller: Principal | None
    idempotency: Idempotency | None
    request_id: str
    client: str
    last_event_id: str | None = None
    user_agent: str | None = None

    @property
    def principal(self) -> Principal:
        """Who asks. Only an operation for `anyone` may be called by nobody: see `caller`."""
        assert self.caller is not None, "an operation for anyone looks at `caller`"
        return self.caller


Handler = Callable[Concatenate[Call[S_contra], ...], Awaitable[object]]


class Operation(msgspec.Struct, Generic[S_contra], frozen=True, kw_only=True, eq=False):
    """An operation as it was declared, and what its handler's signature says.

    `path_types` holds the path's arguments in order, `body_type` and `query_type` the structs,
    `answer_type` what the handler returns (None: 204 without a body; `Raw`, `Live`: no JSON).
    """

    handler: Handler[S_contra]
    method: Method
    path: str
    tag: str
    summary: str
    who: tuple[Who, ...]
    scope: str | None
    or_scope: str | None
    status: int
    idempotency: Idempotent | None
    errors: tuple[type[Refused], ...]
    media_type: str
    path_types: Mapping[str, type]
    body_type: type[msgspec.Struct] | None
    query_type: type[Query] | None
    answer_type: Any
    own: bool
    office: Office | None
    limit: Limit
    in_volume: bool
    opens_session: bool
    noted: bool
    why: bool
    rows: Rows | None

    @property
    def row_type(self) -> Any:  # noqa: ANN401 - a struct's type
        """What a list holds, if the answer is one and can be exported; of several lists a tuple."""
        if self.method != "GET" or "anyone" in self.who or self.rows is None:
            return None
        if get_origin(self.answer_type) in {Page, list}:
            return get_args(self.answer_type)[0]
        if not isinstance(self.answer_type, type):
            return None
        hints = get_type_hints(self.answer_type)
        if isinstance(self.rows, tuple):
            return tuple(get_args(hints[name])[0] for name in self.rows)
        if isinstance(self.rows, Mapping):
            ((name, key),) = self.rows.items()
            inner = get_args(hints[name])[1]
            return msgspec.defstruct(inner.__name__, [(key, str), *get_type_hints(inner).items()])
        hint = hints.get(self.rows)
        return get_args(hint)[0] if get_origin(hint) is list else None

    @property
    def paged(self) -> bool:
        """Whether it is read by cursor, a page at a time."""
        return self.query_type is not None and "after" in self.query_type.__struct_fields__

    @property
    def name(self) -> str:
        """The operation's id in the OpenAPI document: the handler's name."""
        return self.handler.__name__

    @property
    def description(self) -> str:
        """The handler's docstring."""
        return inspect.getdoc(self.handler) or ""

    @property
    def needs_body(self) -> bool:
        """Whether the body has a field that must be there; if not, it may be left out."""
        body = self.body_type
        return body is not None and any(f.required for f in msgspec.structs.fields(body))

    def scope_of(self, kind: str) -> str | None:
        """The scope that a key of this kind needs; None: what everybody does for themselves."""
        if self.own:
            return None
        if kind == "person":
            return "wallet"
        if kind == "merchant":
            return self.scope
        office = self.office or ("read" if self.method == "GET" else None)
        return "operator" if office is None else f"operator:{office}"


def operation(
    method: Method,
    path: str,
    *,
    tag: str,
    summary: str,
    who: tuple[Who, ...],
    scope: str | None = None,
    or_scope: str | None = None,
    status: int = 200,
    idempotency: Idempotent | None = None,
    answer: object = inspect.Parameter.empty,
    errors: tuple[type[Refused], ...] = (),
    media_type: str = "application/json",
    own: bool = False,
    office: Office | None = None,
    limit: Limit = "sign_up",
    in_volume: bool = False,
    noted: bool = False,
    why: bool = False,
    rows: Rows | None = "data",
) -> Callable[[Handler[S_contra]], Operation[S_contra]]:
    """Declare an operation; see the module's docstring for an example.

    `who` may call it: with "anyone" among them a key is not needed, but looked at if there is one.
    `scope` is what a merchant's key needs, or `or_scope` instead; a person's needs `wallet`, the
    operator's `operator`. `status` is that of success (204 if nothing is returned). `errors` are
    the refusals of its own. `idempotency` says whether an Idempotency-Key is taken; for `anyone` it
    must be a random UUID: nothing else keeps a stranger's answer from another stranger. `own` is
    what whoever it is does for themselves, with no scope. `office` is what of the operator's work
    it is, where its staff is not all alike. `limit` counts what strangers ask. `in_volume` is what
    tills and phones do all day, in the audit log only when staff does it. `noted` is what the log
    has although it only reads, if staff does it. `why` is what staff gives a reason for (the header
    Tandem-Reason). `rows` is what is exported (`Rows`); None: nothing.
    """

    def declare(handler: Handler[S_contra]) -> Operation[S_contra]:
        hints = get_type_hints(handler, include_extras=True)
        returns = hints.pop("return")
        _check(method, path, who, None if own else scope, idempotency, hints, own=own)
        _check_arguments(handler, path, hints)
        answer_type = _answer_type(path, returns, answer, rows)
        return Operation(
            handler=handler,
            method=method,
            path=path,
            tag=tag,
            summary=summary,
            who=who,
            scope=scope,
            or_scope=or_scope,
            status=204 if answer_type is None else status,
            idempotency=idempotency,
            errors=errors,
            media_type=media_type,
            path_types={name: hints[name] for name in _PARAMETER.findall(path)},
            body_type=hints.get("body"),
            query_type=hints.get("query"),
            answer_type=answer_type,
            own=own,
            office=office,
            limit=limit,
            in_volume=in_volume,
            opens_session=returns is WithSession,
            noted=noted,
            why=why,
            rows=rows,
        )

    return declare


def _answer_type(path: str, returns: object, answer: object, rows: Rows | None) -> Any:  # noqa: ANN401 - a type
    """What is answered: `answer` where that is said, else what the handler returns."""
    stated = returns if answer is inspect.Parameter.empty else answer
    assert stated not in {Outcome, WithSession, Streamed}, f"{path}: say by answer= what it answers"
    named = (rows,) if isinstance(rows, str) else rows or ()
    if named != ("data",):
        assert set(named) <= set(get_type_hints(stated)), f"{path}: the answer has no {rows}"
    return None if stated is type(None) else stated


def _check_arguments(handler: Handler[Any], path: str, hints: Mapping[str, Any]) -> None:
    """That the handler takes what the path names, and nothing that nobody fills."""
    names, arguments = _PARAMETER.findall(path), list(inspect.signature(handler).parameters)[1:]
    extra = set(arguments) - {"body", "query", *names}
    assert not extra, f"{path}: nothing fills {sorted(extra)}"
    assert set(names) <= set(arguments), f"{path}: the handler must take {names}"
    for name in names:
        wanted = UUID if name in PATH_IDS else str
        assert hints[name] is wanted, f"{path}: {name} is a {wanted.__name__}"


def _check(
    method: Method,
    path: str,
    who: tuple[Who, ...],
    scope: str | None,
    idempotency: Idempotent | None,
    hints: Mapping[str, Any],
    *,
    own: bool,
) -> None:
    """A declaration that cannot be served is a fault that shows when the module is imported."""
    assert path.startswith("/v1/"), f"{path}: the API lives under /v1"
    assert not path.endswith("/"), f"{path}: no trailing slash"
    assert who, f"{path}: say who may call it"
    scoped = "merchant" in who and not own
    assert scoped == (scope is not None), f"{path}: merchants' keys have scopes"
    if idempotency is not None:
        assert method != "GET", f"{path}: reading needs no key"
    body_type, query_type = hints.get("body"), hints.get("query")
    msgspec.inspect.multi_type_info([kind for kind in (body_type, query_type) if kind])
    if body_type is not None:
        assert method != "GET", f"{path}: GET has no body"
        assert get_origin(body_type) is None, f"{path}: the body is a struct"
        known = body_type.__struct_config__.forbid_unknown_fields
        assert known, f"{path}: the body refuses unknown fields, as a Body does"
    if query_type is not None:
        assert issubclass(query_type, Query), f"{path}: the query is a Query"
