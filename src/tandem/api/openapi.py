"""The OpenAPI 3.1 document of the operations: made from their declarations, the same each time.

Schemas are msgspec's own, so what the document says is what the decoder checks. Every request and
every answer has an example, put together from the examples of the fields.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from tandem import __version__
from tandem.access import SessionOver
from tandem.api import errors as wire
from tandem.api import problems
from tandem.api.event_docs import tie_data, webhooks
from tandem.api.event_types import KINDS
from tandem.api.examples import example
from tandem.api.operation import CSV, NDJSON, PATH_IDS, Live, Operation, Raw
from tandem.api.schemas import (
    EXAMPLE_DIGITS,
    REF,
    name_types,
    parameter_schema,
    schema_of,
)
from tandem.db import IdempotencyConflict
from tandem.events import EventView
from tandem.kernel import Invalid, NotFound, Refused
from tandem.keyring import HsmGone
from tandem.ledger import ChangedMeanwhile, JournalBusy, OutcomeUnknown, RefusedEarlier

DESCRIPTION: Final = """\
Amounts are whole numbers of the currency's minor unit: 3800 of CNY is 38.00 yuan. Times are RFC \
3339 in UTC. Ids have a prefix that says what they name.

Send your key in every request: Authorization: Bearer tk_… A browser whose person has signed in \
with a passkey has a cookie instead (docs/sign-in.md). What moves money or makes something \
needs an Idempotency-Key of your choice: sent again with the same body it gets the first answer, \
and nothing happens twice.

Lists come a page at a time, newest first: pass `next` as `after` for the page that follows. \
With Accept: text/csv or application/x-ndjson a list comes whole, as a file, from one moment; \
its header Tandem-Total is how many rows it has, where they were counted. \
A refusal is a problem (RFC 9457) with a stable `code`; every code has a page of its own."""
"""What stands at the beginning of the reference."""

TAGS: Final[Mapping[str, str]] = {
    "Payments": "Take payments, capture them, cancel them, give money back.",
    "Wallet": "What a person does with their phone: pay, send, ask for money, read the history.",
    "Red packets": "Money for several people, who each open a share: equal, or by luck.",
    "Splits": "What several people share: each of the others is asked for a part.",
    "Checkout": "Hosted pages for orders, payment links and invoices, and where they return to.",
    "Codes": "What a scanned code is, and the codes that a shop shows.",
    "Cards": "Device cards that pay by tap: adding, proving, handing out, and their life.",
    "Screening": "Messages between people that look like spam or fraud.",
    "Tags": "NFC tags of shops that sign a link of their own at each tap.",
    "Catalogue": "What a shop sells: the keys of its tills.",
    "Shifts": "What a till took from its opening to its closing.",
    "Terminals": "What a till's reader does: payments by tap, and what the till accepts.",
    "People": "People with a wallet: signing up, devices, limits.",
    "Sign-in": "Signing up and in with a passkey, sessions, recovery, what asks for a passkey.",
    "Staff": "Staff of merchants and of the operator with their roles, and who did what.",
    "Merchants": "Merchants with their shops, tills, API keys, fees, and what each accepts.",
    "Events": "What happened, as a list and live.",
    "Webhooks": "Where events are sent, and what became of each.",
    "Operator": "What only the operator does: money in and out, and the ledger's books.",
    "Installation": "How the installation is: health, what waits, keys.",
    "Sandbox": "Only with play money: the clock, and a buyer who pays by rule.",
}
"""What the groups of operations are about, in the order of the reference."""

_PAGE: Final = re.compile(r"\bPage_([A-Za-z]+)_(?=\")")
_KEY_SCHEMES: Final = {
    "merchant": ("merchantKey", "A merchant's key, `tk_mer_…`, with the scopes it was made with."),
    "person": ("deviceKey", "The key of a person's device, `tk_dev_…`, made at sign-up."),
    "operator": ("operatorKey", "The operator's key, `tk_op_…`."),
}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Set-Cookie": {
        "description": "The session's cookie, or the end of it.",
        "schema": {"type": "string"},
    },
    "X-Request-Id": {
        "description": "The request's id: yours (X-Request-Id) if you sent a sane one.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Idempotent-Replayed": {
        "description": "`true` if this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "const": "true"},
    },
}
_COOKIES: Final = {
    "merchant": ("merchantSession", "tandem-merchant"),
    "person": ("personSession", "tandem-person"),
    "operator": ("operatorSession", "tandem-operator"),
}
_PASSING: Final = (429, 500, 503)
"""Statuses of refusals that are kept for no repeat: they say nothing about the request."""
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "Your name for this request. Repeated with the same body it gets the first answer again, "
        "a refusal too, and nothing is done twice; with another body it is refused. For another "
        "try after a refusal use a new key; after 429 and 5xx send the same key again."
    ),
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$",
    },
    "example": "order-1027",
}
_RANDOM_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "A new random UUID (version 4), which you keep to yourself. Repeated "
        "with the same body it gets the first answer again and nothing is done twice; with "
        "another body it is refused. Without your API key it is all that keeps others from asking "
        "for your answer: make it with a generator for secrets."
    ),
    "schema": {
        "type": "string",
        "minLength": 36,
        "maxLength": 36,
        "pattern": (
            "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$"
        ),
    },
    "example": "2f1c9a52-6f0b-4d3e-9c7a-5b1e8d04a7f6",
}
_LAST_EVENT_ID: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The last event that you have: what you missed since then comes first.",
    "schema": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$"},
    "example": f"evt_{EXAMPLE_DIGITS}",
}
_REASON: Final = {
    "name": "Tandem-Reason",
    "in": "header",
    "required": False,
    "description": (
        "Why, for the audit log: at most 300 characters in UTF-8, percent-encoded. Where "
        "`reason_missing` is among the refusals the operator's staff has to say it; programs with "
        "the operator's key need not."
    ),
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 3600,
        "pattern": "^([!-$&-~]|%[0-9A-Fa-f]{2})+$",
    },
    "example": "She%20lost%20her%20phone",
}
_EXPORT: Final = {
    CSV: {"schema": {"type": "string", "description": "The whole list as a table (RFC 4180)"}},
    NDJSON: {"schema": {"type": "string", "description": "The whole list, an object a line"}},
}
_RETRIED: Final = frozenset({429, 503})


def document(
    operations: Sequence[Operation[Any]],
    *,
    version: str = __version__,
    description: str = DESCRIPTION,
    tags: Mapping[str, str] = TAGS,
) -> dict[str, Any]:
    """The OpenAPI document. `tags` describes the groups, in the order in which they are shown."""
    types = _types(operations)
    _, schemas = msgspec.json.schema_components([*types, problems.Problem], ref_template=REF)
    if EventView.__name__ in schemas:
        shapes = dict.fromkeys(shape for kind in KINDS.values() for shape in kind.shapes)
        _, data = msgspec.json.schema_components([*types, *shapes], ref_template=REF)
        schemas |= data
        tie_data(schemas[EventView.__name__])
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    used = dict.fromkeys(operation.tag for operation in operations)
    described = {name: text for name, text in tags.items() if name in used}
    described |= {name: "" for name in used if name not in described}
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Tandem",
            "version": version,
            "summary": "Mobile payments that you can run yourself",
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": name, "description": text} if text else {"name": name}
            for name, text in described.items()
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": _HEADERS,
            "examples": _problem_examples(operations),
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": text}
                for name, text in _KEY_SCHEMES.values()
            }
            | {
                name: {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie,
                    "description": (
                        f"The session of who signed in; over TLS its name is `__Host-{cookie}`. "
                        "What changes something needs the `Origin` of this Tandem, too."
                    ),
                }
                for name, cookie in _COOKIES.values()
            },
        },
    }
    if any(operation.path.startswith("/v1/webhooks") for operation in operations):
        made["webhooks"] = webhooks()
    renamed: dict[str, Any] = msgspec.json.decode(_renamed(msgspec.json.encode(made).decode()))
    name_types(renamed)
    return renamed


def render(made: Mapping[str, Any]) -> bytes:
    """The document as it is kept in docs/reference/openapi.json."""
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def _renamed(text: str) -> str:
    """The names that msgspec gives to generic structs (`Page_PaymentView_`) as people read them."""
    return _PAGE.sub(r"\1Page", text)


def _types(operations: Sequence[Operation[Any]]) -> list[Any]:
    """Every struct that a body or an answer is made of, each once, in order of appearance."""
    types: dict[Any, None] = {}
    for operation in operations:
        if operation.body_type is not None:
            types[operation.body_type] = None
        if operation.answer_type not in (None, Raw, Live):
            types[operation.answer_type] = None
    return list(types)


def _operation(operation: Operation[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "security": _security(operation),
    }
    parameters = [*_path_parameters(operation), *_query_parameters(operation)]
    if operation.idempotency is not None:
        key = _RANDOM_KEY if "anyone" in operation.who else _IDEMPOTENCY_KEY
        parameters.append(key | {"required": operation.idempotency == "required"})
    if "operator" in operation.who and operation.method != "GET":
        parameters.append(_REASON)
    if operation.answer_type is Live:
        parameters.append(_LAST_EVENT_ID)
    if parameters:
        made["parameters"] = parameters
    if operation.body_type is not None:
        made["requestBody"] = {
            "required": operation.needs_body,
            "content": {
                "application/json": {
                    "schema": schema_of(operation.body_type),
                    "example": example(operation.body_type),
                }
            },
        }
    made["responses"] = {str(operation.status): _success(operation), **_failures(operation)}
    return made


def _security(operation: Operation[Any]) -> list[dict[str, list[str]]]:
    kinds: list[dict[str, list[str]]] = []
    for kind in operation.who:
        if kind == "anyone":
            kinds.append({})
            continue
        scope = operation.scope_of(kind)
        either = [scope, operation.or_scope] if kind == "merchant" else [scope]
        for scopes in [[one] for one in either if one is not None] or [[]]:
            kinds += [{_KEY_SCHEMES[kind][0]: scopes}, {_COOKIES[kind][0]: scopes}]
    return kinds


def _path_parameters(operation: Operation[Any]) -> Iterable[dict[str, Any]]:
    for name in operation.path_types:
        schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 64}
        made: dict[str, Any] = {"name": name, "in": "path", "required": True, "schema": schema}
        if name in PATH_IDS:
            prefix, kind = PATH_IDS[name]
            made["schema"] = {"type": "string", "pattern": f"^{prefix}_[0-9a-f]{{32}}$"}
            made["description"] = f"The id of the {kind}."
            made["example"] = f"{prefix}_{EXAMPLE_DIGITS}"
        yield made


def _query_parameters(operation: Operation[Any]) -> Iterable[dict[str, Any]]:
    if operation.query_type is None:
        return
    for field in msgspec.structs.fields(operation.query_type):
        schema = parameter_schema(field.type)
        made: dict[str, Any] = {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": schema,
        }
        if "description" in schema:
            made["description"] = schema.pop("description")
        if not field.required and field.default not in (None, msgspec.NODEFAULT):
            schema["default"] = field.default
        yield made


def _success(operation: Operation[Any]) -> dict[str, Any]:
    names = ["X-Request-Id"]
    if operation.idempotency is not None:
        names.append("Idempotent-Replayed")
    if operation.opens_session:
        names.append("Set-Cookie")
    made: dict[str, Any] = {"description": operation.summary, "headers": _headers(names)}
    answer = operation.answer_type
    if answer is None:
        return made
    if answer is Live:
        stream = {"type": "string", "description": "Server-sent events, without an end"}
        made["content"] = {"text/event-stream": {"schema": stream}}
    elif answer is Raw:
        kind = operation.media_type
        made["content"] = {kind: {"schema": {"type": "string", "contentMediaType": kind}}}
    else:
        made["content"] = {
            "application/json": {"schema": schema_of(answer), "example": example(answer)}
        } | ({} if operation.row_type is None else _EXPORT)
    return made


def refusals(operation: Operation[Any]) -> list[type[Refused]]:
    """Every refusal that the operation can answer with: its own and those of any request."""
    found: list[type[Refused]] = [wire.HeaderMalformed, wire.TooManyRequests, Invalid]
    if operation.who != ("anyone",):
        found += [wire.Unauthenticated]
    if "anyone" not in operation.who:
        found += [wire.WrongKind, wire.ScopeMissing, SessionOver]
    if operation.path_types:
        found += [NotFound]
    if operation.body_type is not None:
        found += [wire.Malformed, wire.MediaTypeUnsupported]
    if operation.method != "GET":
        found += [wire.BodyTooLarge]
        if operation.opens_session or operation.who != ("anyone",):
            found += [wire.OriginRefused]
    if operation.idempotency == "required":
        found += [wire.KeyMissing]
    if operation.why:
        found += [wire.ReasonMissing]
    if operation.idempotency is not None:
        found += [
            IdempotencyConflict,
            RefusedEarlier,
            ChangedMeanwhile,
            JournalBusy,
            OutcomeUnknown,
        ]
    found += [wire.InternalFault, wire.DatabaseAway, wire.ServerStopping, HsmGone]
    return [*found, *operation.errors]


def _failures(operation: Operation[Any]) -> dict[str, Any]:
    by_status: dict[int, dict[str, problems.Row]] = {}
    for refusal in refusals(operation):
        row = problems.row_of(refusal)
        assert row is not None, f"{operation.name}: {refusal.__name__} has no row in problems.ROWS"
        by_status.setdefault(row.status, {})[refusal.code] = row
    return {
        str(status): _failure(
            status,
            dict(sorted(by_status[status].items())),
            kept=operation.idempotency is not None and status not in _PASSING,
        )
        for status in sorted(by_status)
    }


def _failure(status: int, rows: Mapping[str, problems.Row], *, kept: bool) -> dict[str, Any]:
    names = ["X-Request-Id"]
    if kept:
        names.append("Idempotent-Replayed")
    if status in _RETRIED:
        names.append("Retry-After")
    codes = {"properties": {"code": {"enum": list(rows)}, "status": {"const": status}}}
    return {
        "description": " / ".join(problems.title_of(code) for code in rows),
        "headers": _headers(names),
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {"allOf": [schema_of(problems.Problem), codes]},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in rows},
            }
        },
    }


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem_examples(operations: Sequence[Operation[Any]]) -> dict[str, Any]:
    """An example of each problem that any operation answers with, by code."""
    rows = {
        refusal.code: problems.row_of(refusal)
        for operation in operations
        for refusal in refusals(operation)
    }
    return {
        code: {"value": problems.example(row)}
        for code, row in sorted(rows.items())
        if row is not None
    }
